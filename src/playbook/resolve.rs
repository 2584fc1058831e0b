//! A step at its turn: condition, loop and parameters evaluated for one host.

use minijinja::value::ValueKind;
use minijinja::{Error as Fault, ErrorKind, Value as Jinja};

use super::scope::Scope;
use super::{Step, convert, expr};
use crate::actions::{Action, LineOptions};
use crate::yaml::{At, Error, Node, Spanned, Value, map_strings};

/// One step on one host, for one item of its loop.
#[derive(Debug)]
pub struct Job {
    /// What is asked for.
    pub action: Box<dyn Action>,
    /// The loop's item, for people.
    pub item: Option<String>,
    /// The host it is run and read on, where that is not its own.
    pub on: Option<String>,
}

/// Why a step cannot be evaluated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ResolveError {
    /// A value is not known. Ahead of a step's turn it may only not be known *yet*: what it depends on was not read or not
    /// run so far.
    #[error("{error}")]
    Undefined {
        /// As the expression has it: `facts`, `deployed.stdout`.
        name: String,
        /// For people, at its place.
        error: Box<Error>,
    },
    /// It is wrong whenever it is looked at.
    #[error("{0}")]
    Invalid(Box<Error>),
}

impl ResolveError {
    pub(super) fn undefined(name: &str, at: &At) -> Self {
        let error = Box::new(Error::at(at, format!("`{name}` is undefined")));
        Self::Undefined { name: name.to_owned(), error }
    }

    /// A value that an expression may ask for, but nothing has come to know so far.
    pub(super) fn not_yet(name: &str) -> Self {
        let error = Box::new(Error::new(format!("`{name}` is not known yet")));
        Self::Undefined { name: name.to_owned(), error }
    }

    pub(super) fn or_at(mut self, place: &At) -> Self {
        let (Self::Undefined { error, .. } | Self::Invalid(error)) = &mut self;
        error.at.get_or_insert_with(|| place.clone());
        self
    }

    /// What a template's fault means, at its place. A fault that came from a variable's own template keeps that place.
    pub(super) fn of(fault: Fault, template: &str, at: &At) -> Self {
        if let Some(inner) = std::error::Error::source(&fault).and_then(|source| source.downcast_ref::<Self>()) {
            return inner.clone().or_at(at);
        }
        let at = expr::place(at, template, fault.range());
        let words = expr::words(&fault);
        match (fault.kind(), words.strip_prefix('`').and_then(|rest| rest.split_once('`'))) {
            (ErrorKind::UndefinedError, Some((name, _))) => Self::undefined(name, &at),
            (ErrorKind::UndefinedError, None) => Self::undefined(template.trim(), &at),
            _ => Error::at(&at, words).into(),
        }
    }

    /// The error for people.
    pub fn error(&self) -> &Error {
        match self {
            Self::Undefined { error, .. } | Self::Invalid(error) => error,
        }
    }

    /// The same with the nearest of the known names.
    #[must_use]
    pub(super) fn suggest<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        if let Self::Undefined { name, error } = &mut self
            && error.hint.is_none()
        {
            let first = name.split(['.', '[']).next().unwrap_or_default();
            **error = match names.into_iter().collect::<Vec<_>>() {
                names if names.contains(&first) => error.as_ref().clone().with_hint(unknown_yet(first)),
                names => error.as_ref().clone().did_you_mean(first, names),
            };
        }
        self
    }

    /// Carries it through the template engine.
    pub(super) fn into_fault(self) -> Fault {
        Fault::new(ErrorKind::InvalidOperation, "a variable cannot be evaluated").with_source(self)
    }
}

/// Why a name that is right may have no value.
fn unknown_yet(name: &str) -> &'static str {
    match name {
        "item" => "`item` is there in a step with `loop`",
        "leader" => "the leader is known once a manager was read that controls the swarm",
        "facts" => "facts are read from a host when the run begins; this one was not read",
        "hostvars" => "`hostvars` has the inventory's hosts by name",
        _ => "not every value has every part: a filter `default(…)` says what holds otherwise",
    }
}

impl From<Error> for ResolveError {
    fn from(error: Error) -> Self {
        Self::Invalid(Box::new(error))
    }
}

impl Step {
    /// Evaluates the step for the scope's host: a job for each item of its loop whose condition holds; none if it is not
    /// meant for this host.
    ///
    /// # Errors
    /// What is undefined, malformed or of the wrong type, at its place in the playbook.
    pub fn resolve(&self, scope: &Scope) -> Result<Vec<Job>, ResolveError> {
        let scope = scope.in_step(self);
        let mut jobs = Vec::new();
        for item in self.items(&scope)? {
            let scope = scope.with_item(item.clone());
            if self.wanted(&scope)? {
                jobs.push(self.job(&scope, item)?);
            }
        }
        Ok(jobs)
    }

    /// The items of the loop; one nothing where there is none.
    fn items(&self, scope: &Scope) -> Result<Vec<Option<Jinja>>, ResolveError> {
        let Some(list) = &self.loop_over else { return Ok(vec![None]) };
        let value = scope.value(list)?;
        if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
            let what = expr::told(value.kind());
            return Err(Error::at(&list.at, format!("`loop` is a list, this is {what}")).into());
        }
        let items = value.try_iter().map_err(|fault| ResolveError::of(fault, "", &list.at))?;
        Ok(items.map(Some).collect())
    }

    fn wanted(&self, scope: &Scope) -> Result<bool, ResolveError> {
        self.when.as_ref().map_or(Ok(true), |condition| scope.holds(condition))
    }

    fn job(&self, scope: &Scope, item: Option<Jinja>) -> Result<Job, ResolveError> {
        let params = scope.render(&self.params)?;
        let mut action = (self.action.parse)(&params)?;
        if self.action.line {
            action.set_line(self.line_options(scope)?);
        }
        if let Some(file) = action.template().map(str::to_owned) {
            action.set_rendered(scope.render_file(&file, &self.params.at)?);
        }
        Ok(Job { action, item: item.as_ref().map(label), on: self.runs_on(scope)? })
    }

    fn line_options(&self, scope: &Scope) -> Result<LineOptions, ResolveError> {
        let text = |text: &Option<Spanned<String>>| text.as_ref().map(|text| scope.text(text)).transpose();
        let pair = |(name, node): &(String, Node)| Ok((name.clone(), scope.scalar(node)?));
        Ok(LineOptions {
            changes: self.changes,
            creates: text(&self.creates)?,
            unless: text(&self.unless)?,
            environment: self.environment.iter().map(pair).collect::<Result<_, ResolveError>>()?,
        })
    }

    fn runs_on(&self, scope: &Scope) -> Result<Option<String>, ResolveError> {
        let Some(on) = &self.on else { return Ok(None) };
        let name = scope.text(on)?;
        if name == "leader" {
            return scope.leader().map(Some).ok_or_else(|| ResolveError::undefined("leader", &on.at));
        }
        if scope.has_host(&name) {
            return Ok(Some(name));
        }
        Err(scope.no_host(&name, &on.at).into())
    }
}

/// An item in a few words: a mapping goes by its `name`.
fn label(item: &Jinja) -> String {
    let named = (item.kind() == ValueKind::Map).then(|| item.get_attr("name").ok()).flatten();
    match named.filter(|name| name.as_str().is_some()) {
        Some(name) => name.to_string(),
        None => match item.kind() {
            ValueKind::Seq | ValueKind::Map => super::filters::to_json(item).unwrap_or_default(),
            _ => item.to_string(),
        },
    }
}

/// Renders every text in a node.
pub(super) fn rendered(node: &Node, context: &Jinja) -> Result<Node, ResolveError> {
    let mut kept = None;
    let node = map_strings(node, &mut |text, at| {
        let value = expr::render(text, at, context).and_then(|value| match text_unchanged(text, &value) {
            true => Ok(Value::Str(text.to_owned())),
            false => Ok(convert::to_yaml(&value, at)?),
        });
        value.map_err(|error| {
            let shown = error.error().clone();
            kept = Some(error);
            shown
        })
    });
    node.map_err(|error| kept.unwrap_or_else(|| error.into()))
}

fn text_unchanged(text: &str, value: &Jinja) -> bool {
    value.as_str() == Some(text)
}
