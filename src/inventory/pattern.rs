//! Which hosts are meant: `all`, `a:b`, `a:&b`, `a:!c`, `web*`, `managers[0]`, `workers[1:]`.

use std::collections::HashSet;
use std::net::Ipv6Addr;
use std::sync::Arc;

use super::{Host, Inventory};
use crate::yaml::nearest;

/// A choice of hosts, as written in a playbook's `hosts` or on the command line.
///
/// Terms are parted by `:` or `,`. First all plain ones are put together, then those with `&` must hold, then those with
/// `!` are taken away, whatever their order. A host that is named by an IPv6 address is a term of its own, in brackets where a
/// `:` parts it from others: `managers:[2001:db8::1]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    kind: Kind,
    /// A host, a group, `all`, or either with `*` and `?`.
    name: String,
    slice: Option<Slice>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Also,
    Only,
    Not,
}

/// `[n]`, `[n:]`, `[:m]`, `[n:m]`: counted from zero, the last one included, negative from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slice {
    One(i64),
    Range(Option<i64>, Option<i64>),
}

/// Why a pattern chooses no hosts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It cannot be understood.
    #[error(
        "`{0}` is no host pattern\n\nhint: write a host or group, `a:b`, `a:&b`, `a:!b`, `web*`, `managers[0]` or `workers[1:]`"
    )]
    Syntax(String),
    /// No host or group goes by a name.
    #[error("no host or group is called `{name}`\n\nhint: {hint}")]
    Unknown {
        /// The name.
        name: String,
        /// The nearest one, or all groups.
        hint: String,
    },
    /// It is understood and nothing is left.
    #[error("`{0}` chooses no host\n\nhint: `skep hosts` shows the hosts and their groups")]
    Empty(String),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError::Syntax`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let terms: Option<Vec<Term>> =
            split(text).into_iter().filter(|term| !term.is_empty()).map(Term::parse).collect();
        match terms {
            Some(terms) if !terms.is_empty() => Ok(Self { text: text.to_owned(), terms }),
            _ => Err(PatternError::Syntax(text.to_owned())),
        }
    }

    /// Whether it is `leader` alone: the host that commands the swarm, which only the engine knows.
    pub fn is_leader(&self) -> bool {
        self.text.trim() == "leader"
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Inventory {
    /// The hosts that a pattern means, in the inventory's order.
    ///
    /// # Errors
    /// A name that no host or group has, with the nearest one; a pattern that leaves no host.
    pub fn select(&self, pattern: &Pattern) -> Result<Vec<Arc<Host>>, PatternError> {
        let (mut also, mut only, mut not) = (HashSet::new(), Vec::new(), HashSet::new());
        for term in &pattern.terms {
            let names: HashSet<String> = self.term(term)?.into_iter().collect();
            match term.kind {
                Kind::Also => also.extend(names),
                Kind::Only => only.push(names),
                Kind::Not => not.extend(names),
            }
        }
        let everything = pattern.terms.iter().all(|term| term.kind != Kind::Also);
        let meant = |name: &String| {
            (everything || also.contains(name)) && only.iter().all(|names| names.contains(name)) && !not.contains(name)
        };
        let hosts: Vec<_> = self.hosts.iter().filter(|host| meant(&host.name)).cloned().collect();
        if hosts.is_empty() { Err(PatternError::Empty(pattern.text.clone())) } else { Ok(hosts) }
    }

    fn term(&self, term: &Term) -> Result<Vec<String>, PatternError> {
        let all = || self.hosts.iter().map(|host| host.name.clone());
        let in_group = |host: &Host| host.groups.iter().any(|group| glob(&term.name, group));
        let names: Vec<String> = match term.name.as_str() {
            "all" | "*" => all().collect(),
            name if self.group(name).is_some() || self.host(name).is_some() || name.contains(['*', '?']) => self
                .hosts
                .iter()
                .filter(|host| glob(name, &host.name) || in_group(host))
                .map(|host| host.name.clone())
                .collect(),
            name => return Err(self.unknown(name)),
        };
        Ok(term.slice.map_or(names.clone(), |slice| slice.of(&names)))
    }

    fn unknown(&self, name: &str) -> PatternError {
        let groups: Vec<&str> = self.groups.iter().map(|group| group.name.as_str()).collect();
        let known = groups.iter().copied().chain(self.hosts.iter().map(|host| host.name.as_str()));
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the groups are: {}", ["all"].into_iter().chain(groups).collect::<Vec<_>>().join(", ")),
        };
        PatternError::Unknown { name: name.to_owned(), hint }
    }
}

/// Parts at `,` and `:` outside brackets; the colons of an address part nothing.
fn split(text: &str) -> Vec<&str> {
    let terms = |part| if address(Kind::of(part).1).is_some() { vec![part] } else { parts(part, ':') };
    parts(text, ',').into_iter().flat_map(terms).collect()
}

fn parts(text: &str, at: char) -> Vec<&str> {
    let mut inside = false;
    text.split(move |letter| {
        inside = (inside || letter == '[') && letter != ']';
        !inside && letter == at
    })
    .map(str::trim)
    .collect()
}

/// The IPv6 address that a host is named by, without the brackets that may be around it.
fn address(text: &str) -> Option<&str> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse::<Ipv6Addr>().is_ok().then_some(bare)
}

impl Kind {
    /// What a term is for, and the rest of it.
    fn of(term: &str) -> (Self, &str) {
        match term.split_at_checked(1) {
            Some(("&", rest)) => (Self::Only, rest),
            Some(("!", rest)) => (Self::Not, rest),
            _ => (Self::Also, term),
        }
    }
}

impl Term {
    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = Kind::of(text);
        if let Some(name) = address(rest) {
            return Some(Self { kind, name: name.to_owned(), slice: None });
        }
        let (name, slice) = match rest.split_once('[') {
            Some((name, slice)) => (name, Some(Slice::parse(slice.strip_suffix(']')?)?)),
            None => (rest, None),
        };
        (!name.is_empty()).then(|| Self { kind, name: name.to_owned(), slice })
    }
}

impl Slice {
    fn parse(text: &str) -> Option<Self> {
        let end = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
        match text.split_once(':') {
            Some((from, to)) => Some(Self::Range(end(from)?, end(to)?)),
            None => text.parse().ok().map(Self::One),
        }
    }

    fn of(self, names: &[String]) -> Vec<String> {
        let count = i64::try_from(names.len()).unwrap_or(i64::MAX);
        let place = |index: i64| if index < 0 { index.saturating_add(count) } else { index };
        let (from, to) = match self {
            Self::One(index) => (place(index), place(index)),
            Self::Range(from, to) => (place(from.unwrap_or(0)), place(to.unwrap_or(-1))),
        };
        (0..).zip(names).filter(|(index, _)| (from..=to).contains(index)).map(|(_, name)| name.clone()).collect()
    }
}

/// Whether a name fits a pattern with `*` and `?`.
fn glob(pattern: &str, name: &str) -> bool {
    let mut chars = pattern.chars();
    match chars.next() {
        None => name.is_empty(),
        Some('*') => {
            name.char_indices().map(|(at, _)| at).chain([name.len()]).any(|at| glob(chars.as_str(), &name[at..]))
        }
        Some(letter) => {
            let mut rest = name.chars();
            rest.next().is_some_and(|found| letter == '?' || letter == found) && glob(chars.as_str(), rest.as_str())
        }
    }
}
