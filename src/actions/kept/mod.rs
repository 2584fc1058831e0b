//! `secret` and `config`: what a swarm keeps for its services. They are alike but for who may see what is in them, and a swarm
//! lets neither be changed.

mod config;
mod content;
mod secret;
#[cfg(test)]
mod tests;
mod view;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, Error as _};

use super::hidden::Hidden;
use super::network::Presence;
use super::values::Text;
use super::{Action, Ask, Object, Plan, Sent, Target, hints};
use crate::reads::docker::Look;
use crate::reads::{Read, Readings, WORKSTATION};
use crate::remote::Output;
use view::View;

/// The action `secret`.
pub type Secret = Kept<secret::Parameters>;
/// The action `config`.
pub type Config = Kept<config::Parameters>;

/// A secret or a config, as the parameters `P` ask for it.
#[derive(Debug)]
pub struct Kept<P> {
    asked: Asked,
    rendered: Option<Hidden>,
    of: PhantomData<fn() -> P>,
}

/// Parameters, and which of the two they are of.
pub trait Sorted: Into<Asked> {
    /// Which.
    const SORT: Sort;
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Nobody may see what is in it.
    Secret,
    /// Whoever may ask the swarm can see what is in it.
    Config,
}

/// What can be asked of either.
#[derive(Debug)]
pub struct Asked {
    name: String,
    content: Option<Hidden>,
    src: Option<String>,
    template: Option<String>,
    generate: Option<Generate>,
    labels: BTreeMap<String, Text>,
    versioned: bool,
    keep: Option<u32>,
    state: Presence,
}

/// How a value is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Generate {
    /// Random bytes, written as twice as many hexadecimal digits.
    bytes: u32,
}

impl Default for Generate {
    fn default() -> Self {
        Self { bytes: 32 }
    }
}

impl Sort {
    /// Docker's word for it.
    fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Config => "config",
        }
    }

    fn look(self) -> Look {
        match self {
            Self::Secret => Look::Secrets,
            Self::Config => Look::Configs,
        }
    }

    /// The most that a swarm takes, in KiB.
    fn most(self) -> u64 {
        match self {
            Self::Secret => 500,
            Self::Config => 1000,
        }
    }
}

impl Asked {
    /// What cannot be asked for together.
    fn mistake(&self, sort: Sort) -> Option<String> {
        let given =
            [self.content.is_some(), self.src.is_some(), self.template.is_some(), self.generate.is_some()].into_iter();
        let among = match sort {
            Sort::Secret => "`content`, `src`, `template` and `generate`",
            Sort::Config => "`content`, `src` and `template`",
        };
        let own = self.labels.keys().find(|name| name.starts_with("skep."));
        match (self.state, given.filter(|given| *given).count()) {
            (Presence::Present, 0 | 2..) => Some(format!("`{}` takes one of {among}", sort.word())),
            (Presence::Absent, 1..) => Some("what is to be absent has no content".into()),
            _ if self.versioned && self.generate.is_some() => {
                Some("what is made up is made once: it has no versions".into())
            }
            _ if self.generate.is_some_and(|how| how.bytes == 0) => Some("`bytes` must be 1 or more".into()),
            _ if self.keep.is_some() && !self.versioned => {
                Some("`keep` counts versions: it needs `versioned: true`".into())
            }
            _ if self.keep == Some(0) => {
                Some("`keep` counts the one that is asked for, too: it must be 1 or more".into())
            }
            _ => own.map(|name| format!("the label `{name}` cannot be given: those in `skep.` are skep's own")),
        }
    }
}

impl<'de, P: Sorted + Deserialize<'de>> Deserialize<'de> for Kept<P> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let asked: Asked = P::deserialize(from)?.into();
        match asked.mistake(P::SORT) {
            Some(mistake) => Err(D::Error::custom(mistake)),
            None => Ok(Self { asked, rendered: None, of: PhantomData }),
        }
    }
}

impl<P: JsonSchema> JsonSchema for Kept<P> {
    fn schema_name() -> Cow<'static, str> {
        P::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        P::json_schema(generator)
    }
}

impl<P: Sorted + std::fmt::Debug> Action for Kept<P> {
    fn describe(&self) -> String {
        let no = if self.asked.state == Presence::Absent { "no " } else { "" };
        let versions = if self.asked.versioned { " (versioned)" } else { "" };
        format!("{no}{} {}{versions}", P::SORT.word(), self.asked.name)
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: P::SORT.word(), name: self.asked.name.clone() })
    }

    fn sends(&self) -> Vec<Sent> {
        let sent = |src: &String| Sent { named_by: &["src"], path: src.into(), is_folder: false };
        self.asked.src.iter().map(sent).collect()
    }

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let there = [Look::Engine, P::SORT.look()].map(|look| on.ask(Read::Docker(look)));
        let here = self.local(on).map(|path| Ask { host: WORKSTATION.into(), read: Read::Local(path) });
        let needs_uses = View::new(self, on, seen).is_ok_and(|view| view.removes());
        let uses = needs_uses.then(|| on.ask(Read::Docker(Look::Uses)));
        there.into_iter().chain(here).chain(uses).collect()
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        View::new(self, on, seen).map_or_else(|plan| plan, |view| view.plan())
    }

    /// The name that the swarm knows it by: with its version.
    fn leaves(&self, on: &Target, seen: &Readings<'_>) -> Option<Output> {
        let name = View::new(self, on, seen).ok()?.into_name();
        Some(Output { stdout: name.unwrap_or_default().into(), ..Output::default() })
    }

    fn template(&self) -> Option<&str> {
        self.asked.template.as_deref()
    }

    fn set_rendered(&mut self, text: String) {
        self.rendered = Some(Hidden::new(text));
    }

    fn hint(&self, said: &str) -> Option<String> {
        let hint = |words: &str, hint: &str| said.contains(words).then(|| hint.to_owned());
        hint("is in use by", "a service took it while it was looked at: run again")
            .or_else(|| hint("already exists", "somebody made one of that name while it was looked at: run again"))
            .or_else(|| hint("not a swarm manager", "let the step run where the swarm is commanded: `hosts: leader`"))
            .or_else(|| hints::docker(said))
    }
}

impl<P> Kept<P> {
    fn local(&self, on: &Target) -> Option<PathBuf> {
        self.asked.src.as_ref().map(|src| on.folder.join(src))
    }
}
