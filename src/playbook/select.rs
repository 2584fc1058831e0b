//! Which steps of a playbook are taken.

use super::{Play, Playbook, Step};
use crate::yaml::{Error, Errors, Spanned, nearest};

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
    pub pattern: String,
    /// Those hosts, where there is an inventory and they can be told before a run.
    pub hosts: Option<Vec<String>>,
    /// Its tags.
    pub tags: Vec<String>,
}

impl Selection {
    /// Whether it takes every step.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// The ids of the steps that are taken, in the playbook's order.
    ///
    /// # Errors
    /// Every id and tag that no step has; an end before the beginning, and a selection that takes nothing.
    pub fn ids<'a>(&self, playbook: &'a Playbook) -> Result<Vec<&'a str>, Errors> {
        let steps: Vec<&Step> = playbook.steps().collect();
        Errors(self.strange(&steps)).or(())?;
        let place = |id: &String| steps.iter().position(|step| step.id == *id);
        let first = self.from.as_ref().and_then(place).unwrap_or_default();
        let end = self.until.as_ref().and_then(place).map_or(steps.len(), |at| at + 1);
        let range = steps.get(first..end).filter(|range| !range.is_empty() || steps.is_empty());
        let range = range.ok_or_else(|| self.turned())?;
        let taken: Vec<_> = range.iter().filter(|step| self.takes(step)).map(|step| step.id.as_str()).collect();
        if taken.is_empty() && !steps.is_empty() { Err(nothing(&steps).into()) } else { Ok(taken) }
    }

    fn takes(&self, step: &Step) -> bool {
        let named = self.steps.is_empty() || self.steps.contains(&step.id);
        named && (self.tags.is_empty() || step.tags.iter().any(|tag| self.tags.contains(tag)))
    }

    /// What no step is called, and no step is tagged.
    fn strange(&self, steps: &[&Step]) -> Vec<Error> {
        let ids = || steps.iter().map(|step| step.id.as_str());
        let tags = || steps.iter().flat_map(|step| step.tags.iter().map(String::as_str));
        let named = self.steps.iter().map(|id| ("--step", id));
        let named = named.chain(self.from.iter().map(|id| ("--from", id)));
        let named = named.chain(self.until.iter().map(|id| ("--until", id)));
        let named = named.filter(|(_, id)| !ids().any(|known| known == *id));
        let tagged = self.tags.iter().filter(|tag| !tags().any(|known| known == *tag));
        let wrong_ids = named.map(|(option, id)| unknown(option, "step", id, ids()));
        wrong_ids.chain(tagged.map(|tag| unknown("--tags", "tag", tag, tags()))).collect()
    }

    fn turned(&self) -> Error {
        let (from, until) = (self.from.as_deref().unwrap_or_default(), self.until.as_deref().unwrap_or_default());
        let error = Error::new(format!("`{until}` comes before `{from}`: no step is from `{from}` until `{until}`"));
        error.with_hint(format!("change them round, `--from {until} --until {from}`, or see the order with `--list`"))
    }
}

fn nothing(steps: &[&Step]) -> Error {
    let ids = steps.iter().map(|step| step.id.as_str()).collect::<Vec<_>>().join(", ");
    Error::new("no step is left by this selection").with_hint(format!("the steps are: {ids}"))
}

fn unknown<'a>(option: &str, what: &str, written: &str, known: impl Iterator<Item = &'a str>) -> Error {
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
    let kind = if what == "tag" { "tag" } else { "id" };
    Error::new(format!("`{option} {written}`: no step has this {kind}")).with_hint(hint)
}

impl Playbook {
    /// What `--list` shows: the steps with these ids. `hosts` says whom a pattern means, where that can be told.
    pub fn rows(&self, ids: &[&str], hosts: impl Fn(&Spanned<String>) -> Option<Vec<String>>) -> Vec<Row> {
        let pairs = self.plays.iter().flat_map(|play| play.steps.iter().map(move |step| (play, step)));
        let wanted = pairs.filter(|(_, step)| ids.contains(&step.id.as_str()));
        let row = |(play, step): (&Play, &Step)| {
            let pattern = step.hosts.as_ref().unwrap_or(&play.hosts);
            Row {
                play: play.name.clone(),
                id: step.id.clone(),
                name: step.name.clone(),
                action: step.action.name,
                pattern: pattern.value.clone(),
                hosts: hosts(pattern),
                tags: step.tags.clone(),
            }
        };
        wanted.map(row).collect()
    }
}
