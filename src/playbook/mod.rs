//! Order: what a playbook asks for, on which hosts, one step after the other.
//!
//! [`Playbook::read`] takes a file apart and names every mistake in it at once. [`check`] says what else can be known to be
//! wrong without contacting anyone. At a step's turn the engine builds a [`Scope`] for each host and lets
//! [`Step::resolve`] evaluate condition, loop and parameters into [`Job`]s. [`Selection`] says which steps are taken.

mod alike;
mod check;
pub mod facts;
mod files;
mod foreign;
mod forms;
mod hosts;
mod include;
mod keys;
mod lazy;
mod load;
mod lookup;
mod needs;
mod registered;
mod resolve;
pub mod schema;
mod scope;
mod secrets;
mod select;
mod step;
mod strange;
#[cfg(test)]
mod tests;
mod texts;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::actions::Kind;
use crate::yaml::{At, Node, Source, Spanned};

pub use crate::expr::{Unresolved, duration::duration};
pub use alike::Alike;
pub use check::{check, read, read_all};
pub use lookup::Lookup;
pub use needs::{Need, beginnings, met, needs};
pub use registered::Ending;
pub use resolve::Job;
pub use scope::{Ground, Known, Scope, unusable};
pub use select::{Row, Selection};
pub use strange::strange;

/// Variables in the order they were written; a later scope's win over an earlier one's.
pub type Vars = Arc<Vec<(String, Var)>>;

/// What a variable is.
#[derive(Clone, Debug)]
pub enum Var {
    /// A value, its templates not rendered.
    Value(Node),
    /// What a command says.
    Lookup(Lookup),
}

impl Var {
    /// Where it stands.
    pub fn at(&self) -> &At {
        match self {
            Self::Value(node) => &node.at,
            Self::Lookup(lookup) => &lookup.at,
        }
    }

    /// The command that says it, where one does.
    pub fn lookup(&self) -> Option<&Lookup> {
        match self {
            Self::Value(_) => None,
            Self::Lookup(lookup) => Some(lookup),
        }
    }

    /// Its value, where it was written down.
    pub fn node(&self) -> Option<&Node> {
        match self {
            Self::Value(node) => Some(node),
            Self::Lookup(_) => None,
        }
    }
}

/// What one file asks for.
#[derive(Clone, Debug)]
pub struct Playbook {
    /// Its `name:`, else the file's stem.
    pub name: String,
    /// Variables for all plays: defaults, that the inventory may override.
    pub vars: Vars,
    /// Its plays, in order.
    pub plays: Vec<Play>,
    /// What steps register that cannot be read: nothing is to be said of these names.
    pub(crate) broken: Vec<String>,
    /// The folder that local paths are relative to: the file's.
    pub folder: PathBuf,
    /// The text.
    pub source: Arc<Source>,
}

/// A list of steps for some hosts.
#[derive(Clone, Debug)]
pub struct Play {
    /// Its `name:`, else its pattern.
    pub name: String,
    /// Where it stands.
    pub at: At,
    /// A pattern of hosts; may be a template over the playbook's and extra variables.
    pub hosts: Spanned<String>,
    /// Variables for its steps.
    pub vars: Vars,
    /// How many hosts go through all its steps together, batch by batch, the last one's size for all further ones; all
    /// together where nothing is said.
    pub serial: Vec<Serial>,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// The size of a batch of hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serial {
    /// So many hosts.
    Count(usize),
    /// So many of a hundred of the play's hosts, at least one.
    Percent(usize),
}

impl Serial {
    /// How many of so many hosts make a batch: at least one.
    pub fn batch(self, hosts: usize) -> usize {
        match self {
            Self::Count(count) => count.max(1),
            Self::Percent(percent) => (hosts * percent / 100).max(1),
        }
    }
}

/// One action with its parameters, on the hosts of its play or on its own. What the play says of `tags`, `become` and
/// `become_user` is merged in.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its `id:`, else its name as a slug, behind the ids of the includes it stands in (`web.install`); unique in the playbook.
    pub id: String,
    /// What the includes it stands in put before its id.
    pub(crate) within: String,
    /// Its `name:`, else the action's.
    pub name: String,
    /// Where it stands.
    pub at: At,
    /// Where its id or name stands.
    pub(crate) named_at: At,
    /// The action.
    pub action: &'static Kind,
    /// The action's parameters, templates not rendered.
    pub params: Node,
    /// Other hosts than the play's; may be a template.
    pub hosts: Option<Spanned<String>>,
    /// The host on which it is run and read for each of its hosts: a name, `leader`, or a template.
    pub on: Option<Spanned<String>>,
    /// Conditions that must all hold, its own and those of the includes it stands in: expressions that yield true or false.
    pub when: Vec<Spanned<String>>,
    /// A list, or a template that yields one: a job for each of its items.
    pub loop_over: Option<Node>,
    /// Variables of this step.
    pub vars: Vars,
    /// How long its rounds may take together; the action's own time where nothing is said.
    pub timeout: Option<Duration>,
    /// Its tags and its play's.
    pub tags: Vec<String>,
    /// Whether commands go through sudo; the host decides where nothing is said.
    pub become_root: Option<bool>,
    /// Who sudo becomes; the host decides where nothing is said. May be a template.
    pub become_user: Option<Spanned<String>>,
    /// Environment of its commands, values not rendered.
    pub environment: Vec<(String, Node)>,
    /// Whether the run goes on with a host where it failed.
    pub ignore_errors: bool,
    /// `changes: false` declares a read.
    pub changes: Option<bool>,
    /// Settled where this path exists; may be a template.
    pub creates: Option<Spanned<String>>,
    /// Settled where this line of shell ends with 0; may be a template.
    pub unless: Option<Spanned<String>>,
    /// How often its command is tried again.
    pub retries: usize,
    /// The variable that keeps its output.
    pub register: Option<String>,
}

impl Playbook {
    /// All its steps, in order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.plays.iter().flat_map(|play| &play.steps)
    }
}
