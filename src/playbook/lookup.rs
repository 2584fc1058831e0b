//! `lookup`: variables that commands define which only look.

use std::time::Duration;

use minijinja::Value as Jinja;

use super::forms::{DURATION, TEMPLATE};
use super::keys::Keys;
use super::scope::Scope;
use super::{Ending, registered};
use crate::actions::works_as;
use crate::event::Outcome;
use crate::expr::{self, Unresolved};
use crate::inventory::Host;
use crate::reads::{Probe, Read, Seen, Value, Wanted};
use crate::remote::Output;
use crate::schema::{FLAG, Key, names};
use crate::yaml::{At, Error, Node, Spanned};

/// A variable whose value is what a command says. It is run where an expression needs it, together with all else that is to
/// be read there, and anew after a change.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// Where it stands.
    pub at: At,
    /// A line of shell that only looks; may be a template.
    pub line: Spanned<String>,
    /// The host it looks at, where that is not the one that the step is for: a name, `leader`, or a template.
    pub on: Option<Spanned<String>>,
    /// How long it may take: 10 s where nothing is said.
    pub timeout: Option<Duration>,
    /// Whether an exit code other than 0 is an answer, too.
    pub may_fail: bool,
}

const MAY_FAIL: &str = "where that is an answer, too, say `may_fail: true`, and ask `.code` or `.failed`";

/// The keys of one that is a mapping.
pub(super) const KEYS: &[Key] = &[
    Key::new("line", TEMPLATE, "a line of shell that only looks").required(),
    Key::new(
        "on",
        TEMPLATE,
        "the host it looks at: `leader`, a name, or a pattern of one host; the step's own by default",
    ),
    Key::new("timeout", DURATION, "how long it may take: 10 s by default"),
    Key::new("may_fail", FLAG, "whether an exit code other than 0 is an answer, too"),
];

impl Lookup {
    /// `NAME: LINE`, or a mapping that says more.
    pub(super) fn load(node: &Node, errors: &mut Vec<Error>) -> Option<Self> {
        if node.as_map().is_none()
            && let Some(text) = node.scalar_text()
        {
            errors.extend(expr::syntax(&text, &node.at).err());
            let line = Spanned { value: text.into_owned(), at: node.at.clone() };
            return Some(Self { at: node.at.clone(), line, on: None, timeout: None, may_fail: false });
        }
        let mut keys = Keys::of(node, "a lookup");
        let (line, on) = (keys.needed_template("line"), keys.template("on"));
        let (timeout, may_fail) = (keys.duration("timeout"), keys.flag("may_fail").unwrap_or_default());
        let lookup = line.map(|line| Self { at: node.at.clone(), line, on, timeout, may_fail });
        keys.unknown(names(KEYS));
        errors.extend(keys.errors);
        lookup
    }

    /// The texts in it that may be templates.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.on.iter().chain([&self.line])
    }

    /// What it says on the scope's host.
    ///
    /// # Errors
    /// What is not known yet, or cannot be read; a line that failed.
    pub(super) fn value(&self, name: &str, scope: &Scope, context: &Jinja) -> Result<Jinja, Unresolved> {
        let host = self.host(name, scope, context)?;
        let line = expr::render_text(&self.line.value, &self.line.at, context)?;
        let read = Read::Probe(Probe::new(&line).allowed(self.timeout));
        let wanted = Wanted { host: host.name.clone(), user: works_as(&host, None, None), read };
        let wrong = |why: &str| Error::at(&self.at, format!("the lookup `{name}` on {}: `{line}` {why}", host.name));
        let error = match scope.look(&wanted) {
            None => return Err(Unresolved::not_yet(name)),
            Some(Seen::Is(Value::Output(output))) if output.ok() || self.may_fail => return Ok(told(&output)),
            Some(Seen::Is(Value::Output(output))) => wrong(&ended(&output)).with_hint(MAY_FAIL),
            Some(Seen::Unread(why)) => wrong(&format!("could not be read: {why}")),
            Some(_) => wrong("could not be read"),
        };
        Err(Unresolved::Undefined { name: name.to_owned(), error: error.into() })
    }

    fn host(&self, name: &str, scope: &Scope, context: &Jinja) -> Result<std::sync::Arc<Host>, Unresolved> {
        match (&self.on, &scope.host) {
            (Some(on), _) => {
                let place = expr::render_text(&on.value, &on.at, context)?;
                let host = scope.place(&place, &on.at)?;
                scope.world.host(&host).cloned().ok_or_else(|| scope.no_host(&host, &on.at).into())
            }
            (None, Some(host)) => Ok(host.clone()),
            (None, None) => {
                Err(Error::at(&self.at, format!("the lookup `{name}` is used where no host is chosen yet"))
                    .with_hint("say which one it looks at: `on: NAME`, `on: leader`")
                    .into())
            }
        }
    }
}

fn ended(output: &Output) -> String {
    let said = [output.errors(), output.text()].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    format!("ended with exit code {}: {said}", output.code)
}

/// As `register` keeps it.
fn told(output: &Output) -> Jinja {
    let outcome = if output.ok() { Outcome::Unchanged } else { Outcome::Failed };
    registered::value(&Ending { outcome, output: Some(output), item: None })
}
