//! A step at its turn: condition, loop and parameters evaluated for one host.

use std::sync::Arc;

use minijinja::Value as Jinja;
use minijinja::value::ValueKind;
use serde_json::Value as Json;

use super::Step;
use super::scope::Scope;
use crate::actions::{Action, LineOptions};
use crate::expr::{self, Unresolved};
use crate::yaml::{Error, Node, Spanned};

/// So many items a loop may have on one host: each is a job of its own.
const MOST: usize = 10_000;

fn too_many(list: &Node) -> Error {
    let error = Error::at(&list.at, format!("`loop` has more than {MOST} items: each is a job of its own"));
    error.with_hint("let one script go through them, or a template write them into one file")
}

/// One step on one host, for one item of its loop.
#[derive(Clone, Debug)]
pub struct Job {
    /// What is asked for.
    pub action: Arc<dyn Action>,
    /// The loop's item, for people.
    pub item: Option<String>,
    /// The same as `register` keeps it.
    pub value: Option<Json>,
    /// The environment of its commands, where the action has no line of its own that takes it.
    pub environment: Vec<(String, String)>,
    /// The host it is run and read on, where that is not its own.
    pub on: Option<String>,
}

impl Step {
    /// Evaluates the step for the scope's host: a job for each item of its loop whose condition holds; none if it is not
    /// meant for this host.
    ///
    /// # Errors
    /// What is undefined, malformed or of the wrong type, at its place in the playbook.
    pub fn resolve(&self, scope: &Scope) -> Result<Vec<Job>, Unresolved> {
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
    fn items(&self, scope: &Scope) -> Result<Vec<Option<Jinja>>, Unresolved> {
        let Some(list) = &self.loop_over else { return Ok(vec![None]) };
        let value = scope.value(list)?;
        if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
            let what = expr::told(value.kind());
            return Err(Error::at(&list.at, format!("`loop` is a list, this is {what}")).into());
        }
        let items = value.try_iter().map_err(|fault| Unresolved::of(fault, "", &list.at))?;
        let items: Vec<_> = items.take(MOST + 1).map(Some).collect();
        if items.len() > MOST { Err(too_many(list).into()) } else { Ok(items) }
    }

    fn wanted(&self, scope: &Scope) -> Result<bool, Unresolved> {
        for condition in &self.when {
            let holds = scope.holds(condition)?;
            if !holds && !scope.sight.as_ref().is_some_and(|sight| sight.has_guessed()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn job(&self, scope: &Scope, item: Option<Jinja>) -> Result<Job, Unresolved> {
        let params = scope.render(&self.params)?;
        let mut action = (self.action.parse)(&params)?;
        let pair = |(name, node): &(String, Node)| Ok((name.clone(), scope.scalar(node)?));
        let mut environment: Vec<_> = self.environment.iter().map(pair).collect::<Result<_, Unresolved>>()?;
        if self.action.line {
            action.set_line(self.line_options(scope, std::mem::take(&mut environment))?);
        }
        if let Some(file) = action.template().map(str::to_owned) {
            action.set_rendered(
                scope.render_file(&file, self.params.get("template").map_or(&self.params.at, |node| &node.at))?,
            );
        }
        let value = item.as_ref().map(|item| serde_json::to_value(item).unwrap_or_default());
        Ok(Job { action: action.into(), item: item.as_ref().map(label), value, environment, on: self.runs_on(scope)? })
    }

    fn line_options(&self, scope: &Scope, environment: Vec<(String, String)>) -> Result<LineOptions, Unresolved> {
        let text = |text: &Option<Spanned<String>>| text.as_ref().map(|text| scope.text(text)).transpose();
        Ok(LineOptions {
            changes: self.changes,
            creates: text(&self.creates)?,
            unless: text(&self.unless)?,
            environment,
            timeout: self.timeout,
        })
    }

    fn runs_on(&self, scope: &Scope) -> Result<Option<String>, Unresolved> {
        let Some(on) = &self.on else { return Ok(None) };
        scope.place(&scope.text(on)?, &on.at).map(Some)
    }
}

/// An item in a few words: a mapping goes by its `name`.
fn label(item: &Jinja) -> String {
    let named = (item.kind() == ValueKind::Map).then(|| item.get_attr("name").ok()).flatten();
    match named.filter(|name| name.as_str().is_some()) {
        Some(name) => name.to_string(),
        None => match item.kind() {
            ValueKind::Seq | ValueKind::Map => expr::to_json(item).unwrap_or_default(),
            _ => item.to_string(),
        },
    }
}
