//! Readings, and how long they count.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Read, Seen, Value};
use crate::remote::User;

/// After this long a reading no longer counts, even where nothing was changed.
pub const FRESH: Duration = Duration::from_secs(30);

/// A read, where and as whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Wanted {
    /// The host's name, or [`super::WORKSTATION`].
    pub host: String,
    /// Who reads.
    pub user: User,
    /// What.
    pub read: Read,
}

#[derive(Clone, Debug)]
struct Reading {
    seen: Seen<Value>,
    epoch: u64,
    at: Instant,
    ahead: bool,
}

impl Reading {
    /// Nothing came of it, ahead of the turn of whoever needs it: he may have better luck.
    fn doubtful(&self) -> bool {
        self.ahead && matches!(self.seen, Seen::Unread(_))
    }
}

/// All readings of a run. A reading counts while nothing was changed since it began, and for 30 s; one that came to nothing
/// ahead of its turn is worth a second look, but not a third.
#[derive(Debug, Default)]
pub struct Store {
    epoch: u64,
    readings: HashMap<Wanted, Reading>,
}

impl Store {
    /// The epoch that now is. Remember it when a script starts.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Something may have changed: nothing read before counts any more.
    pub fn turn(&mut self) {
        self.epoch += 1;
    }

    /// Keeps an answer whose script began in `epoch` and ended just now; `ahead` where nobody needs it yet.
    pub fn keep(&mut self, wanted: Wanted, seen: Seen<Value>, epoch: u64, ahead: bool) {
        let ahead = ahead && !self.counting(&wanted).is_some_and(Reading::doubtful);
        self.readings.insert(wanted, Reading { seen, epoch, at: Instant::now(), ahead });
    }

    /// Forgets everything, whatever its epoch.
    pub fn clear(&mut self) {
        self.readings.clear();
    }

    /// This reading no longer counts.
    pub fn forget(&mut self, wanted: &Wanted) {
        self.readings.remove(wanted);
    }

    /// Whether there is a reading that counts, and nothing is to be had from another look.
    pub fn fresh(&self, wanted: &Wanted) -> bool {
        self.seen(wanted).is_some()
    }

    /// What there is to know, where nothing is to be had from another look.
    pub fn seen(&self, wanted: &Wanted) -> Option<&Seen<Value>> {
        self.counting(wanted).filter(|reading| !reading.doubtful()).map(|reading| &reading.seen)
    }

    fn counting(&self, wanted: &Wanted) -> Option<&Reading> {
        self.readings.get(wanted).filter(|r| r.epoch == self.epoch && r.at.elapsed() < FRESH)
    }
}

/// What an expression may see: it asks for one reading after another, as it comes to need them.
pub trait Look: Send + Sync {
    /// The reading, if there is one that counts. One that is not there is noted: it is read before the expression is
    /// evaluated anew.
    fn look(&self, wanted: &Wanted) -> Option<Seen<Value>>;

    /// Whether something was guessed: then a condition may turn out either way.
    fn has_guessed(&self) -> bool {
        false
    }
}

/// What an action may see: the readings that count, as the user that its step works as on each host.
pub struct Readings<'a> {
    store: &'a Store,
    user: &'a dyn Fn(&str) -> User,
}

impl<'a> Readings<'a> {
    /// The readings of `store` as `user` says for each host.
    pub fn new(store: &'a Store, user: &'a dyn Fn(&str) -> User) -> Self {
        Self { store, user }
    }

    /// Who reads on `host`.
    pub fn user(&self, host: &str) -> User {
        (self.user)(host)
    }

    /// Any reading; [`Seen::Unread`] where it was not asked for, or no longer counts.
    pub fn get(&self, host: &str, read: &Read) -> Seen<&'a Value> {
        let wanted = Wanted { host: host.into(), user: self.user(host), read: read.clone() };
        match self.store.counting(&wanted) {
            Some(reading) => reading.seen.as_ref(),
            None => Seen::Unread("it was not read".into()),
        }
    }

    /// A reading whose value is of one kind, which `of` takes out.
    pub fn value<T: ?Sized>(
        &self,
        host: &str,
        read: &Read,
        of: impl FnOnce(&'a Value) -> Option<&'a T>,
    ) -> Seen<&'a T> {
        match self.get(host, read) {
            Seen::Is(value) => {
                of(value).map_or_else(|| Seen::Unread("it was answered with another kind".into()), Seen::Is)
            }
            Seen::Absent => Seen::Absent,
            Seen::Unread(why) => Seen::Unread(why),
        }
    }
}
