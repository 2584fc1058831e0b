//! Which steps of a playbook are taken.

use super::{Playbook, Step};
use crate::yaml::nearest;

/// What `--step`, `--from`, `--until` and `--tags` say. What is empty says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these, by id.
    pub steps: Vec<String>,
    /// Not those before this one.
    pub from: Option<String>,
    /// Not those after this one.
    pub until: Option<String>,
    /// Only those with one of these tags.
    pub tags: Vec<String>,
}

/// One line of `--list`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// The play's name.
    pub play: String,
    /// The step's id.
    pub id: String,
    /// The step's name.
    pub name: String,
    /// The action's name.
    pub action: &'static str,
    /// The pattern of its hosts, as written.
    pub hosts: String,
    /// Its tags.
    pub tags: Vec<String>,
}

/// Why nothing can be selected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}\n\nhint: {hint}")]
pub struct SelectError {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

impl Selection {
    /// Whether it takes every step.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// The ids of the steps that are taken, in the playbook's order.
    ///
    /// # Errors
    /// An id or tag that no step has, an end before the beginning, and a selection that takes nothing.
    pub fn ids<'a>(&self, playbook: &'a Playbook) -> Result<Vec<&'a str>, SelectError> {
        let steps: Vec<&Step> = playbook.steps().collect();
        for id in &self.steps {
            position(&steps, "--step", id)?;
        }
        self.check_tags(&steps)?;
        let first = self.from.as_ref().map_or(Ok(0), |id| position(&steps, "--from", id))?;
        let last =
            self.until.as_ref().map_or(Ok(steps.len()), |id| position(&steps, "--until", id).map(|at| at + 1))?;
        let range = steps.get(first..last).ok_or_else(|| self.turned())?;
        let taken: Vec<_> = range.iter().filter(|step| self.takes(step)).map(|step| step.id.as_str()).collect();
        if taken.is_empty() && !steps.is_empty() { Err(self.nothing(&steps)) } else { Ok(taken) }
    }

    fn takes(&self, step: &Step) -> bool {
        let named = self.steps.is_empty() || self.steps.contains(&step.id);
        named && (self.tags.is_empty() || step.tags.iter().any(|tag| self.tags.contains(tag)))
    }

    fn check_tags(&self, steps: &[&Step]) -> Result<(), SelectError> {
        let tags = || steps.iter().flat_map(|step| step.tags.iter().map(String::as_str));
        let strange = self.tags.iter().find(|tag| !tags().any(|known| known == *tag));
        strange.map_or(Ok(()), |tag| Err(unknown("--tags", "tag", tag, tags())))
    }

    fn turned(&self) -> SelectError {
        let (from, until) = (self.from.as_deref().unwrap_or_default(), self.until.as_deref().unwrap_or_default());
        SelectError {
            message: format!("`--until {until}` comes before `--from {from}`"),
            hint: "change them round, or see the order with `--list`".into(),
        }
    }

    fn nothing(&self, steps: &[&Step]) -> SelectError {
        let ids = steps.iter().map(|step| step.id.as_str()).collect::<Vec<_>>().join(", ");
        SelectError { message: "no step is left by this selection".into(), hint: format!("the steps are: {ids}") }
    }
}

fn position(steps: &[&Step], option: &str, id: &str) -> Result<usize, SelectError> {
    let ids = steps.iter().map(|step| step.id.as_str());
    steps.iter().position(|step| step.id == id).ok_or_else(|| unknown(option, "step", id, ids))
}

fn unknown<'a>(option: &str, what: &str, written: &str, known: impl Iterator<Item = &'a str>) -> SelectError {
    let mut names: Vec<&str> = Vec::new();
    for name in known {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let list = match names.as_slice() {
        [] => format!("there are no {what}s in this playbook"),
        names => format!("the {what}s are: {}", names.join(", ")),
    };
    let hint =
        nearest(written, names.iter().copied()).map_or(list.clone(), |near| format!("did you mean `{near}`? {list}"));
    SelectError {
        message: format!("`{option} {written}`: no step has this {}", if what == "tag" { "tag" } else { "id" }),
        hint,
    }
}

impl Playbook {
    /// What `--list` shows: the steps with these ids.
    pub fn rows(&self, ids: &[&str]) -> Vec<Row> {
        let pairs = self.plays.iter().flat_map(|play| play.steps.iter().map(move |step| (play, step)));
        let wanted = pairs.filter(|(_, step)| ids.contains(&step.id.as_str()));
        wanted
            .map(|(play, step)| Row {
                play: play.name.clone(),
                id: step.id.clone(),
                name: step.name.clone(),
                action: step.action.name,
                hosts: step.hosts.as_ref().unwrap_or(&play.hosts).value.clone(),
                tags: step.tags.clone(),
            })
            .collect()
    }
}
