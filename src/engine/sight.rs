//! What expressions see while they are evaluated, and what they turn out to lack.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::reads::docker::{Engine, Flavour, Found, Info};
use crate::reads::{Look, Read, Seen, Store, Value, Wanted};
use crate::remote::Output;

/// The readings that count, for one evaluation.
pub struct Sight {
    store: Arc<Mutex<Store>>,
    lacking: Mutex<BTreeSet<Wanted>>,
    guessing: bool,
}

impl Sight {
    /// At a step's turn: what was not read is not known.
    pub fn new(store: Arc<Mutex<Store>>) -> Arc<Self> {
        Arc::new(Self { store, lacking: Mutex::default(), guessing: false })
    }

    /// Ahead of it: what was not read is guessed, so that what else will be wanted can be told. Nothing is decided by it.
    pub fn guessing(store: Arc<Mutex<Store>>) -> Arc<Self> {
        Arc::new(Self { store, lacking: Mutex::default(), guessing: true })
    }

    /// What was asked for and is not there.
    pub fn lacking(&self) -> BTreeSet<Wanted> {
        self.lacking.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Look for Sight {
    fn look(&self, wanted: &Wanted) -> Option<Seen<Value>> {
        let seen = self.store.lock().unwrap_or_else(PoisonError::into_inner).seen(wanted).cloned();
        if seen.is_some() {
            return seen;
        }
        self.lacking.lock().unwrap_or_else(PoisonError::into_inner).insert(wanted.clone());
        self.guessing.then(|| guess(&wanted.read)).flatten().map(Seen::Is)
    }

    fn has_guessed(&self) -> bool {
        self.guessing && !self.lacking.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// What a reading may come to.
fn guess(read: &Read) -> Option<Value> {
    match read {
        Read::Docker(crate::reads::docker::Look::Engine) => {
            let daemon = Seen::Is(Info::default());
            let engine = Engine { binary: String::new(), flavour: Flavour::Docker, daemon };
            Some(Value::Docker(Found::Engine(Box::new(engine))))
        }
        Read::Probe(_) => Some(Value::Output(Output::default())),
        _ => None,
    }
}
