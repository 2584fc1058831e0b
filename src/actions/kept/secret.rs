//! `secret`: a secret of the swarm.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Asked, Generate, Sort, Sorted};
use crate::actions::hidden::Hidden;
use crate::actions::network::Presence;
use crate::actions::values::Text;

/// A secret of the swarm, which services take as a file in `/run/secrets`. Its steps run where the swarm is commanded:
/// `hosts: leader`.
///
/// What is in it goes to the swarm on standard input, is never read back and shown nowhere. To know whether it is as asked, a
/// slow digest of it (scrypt) is kept in the label `skep.digest`. A swarm does not let a secret be changed: where another content or
/// other labels are asked for and no service uses it, it is removed, after asking, and made anew; where one does, that is
/// refused. `versioned: true` makes another one in place of that.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Its name.
    name: String,
    /// What is in it: `"{{ db_password }}"`, a variable that is a secret. One of `content`, `src`, `template` and `generate`
    /// is given.
    content: Option<Hidden>,
    /// A local file that holds it; relative to the playbook's folder.
    src: Option<String>,
    /// A local file that is rendered with the step's variables; relative to the playbook's folder.
    template: Option<String>,
    /// A value that is made up once, on the manager itself, if there is none of that name yet: `generate: {}`. This machine never sees it.
    generate: Option<Generate>,
    /// Labels. Others that it has are left alone.
    #[serde(default)]
    labels: BTreeMap<String, Text>,
    /// Whether a new content makes a new secret beside the old one: `NAME-` and 8 digits of its digest. With `register: it` that name
    /// is `"{{ it.stdout }}"`, for those that take it.
    #[serde(default)]
    versioned: bool,
    /// How many versions stay, the newest first and that which is asked for among them; 3 where not given. With the next new content
    /// older ones are removed, after asking (`--yes`), unless a service uses them.
    keep: Option<u32>,
    /// `present` (the default) or `absent`; with `versioned`, all its versions.
    #[serde(default)]
    state: Presence,
}

impl Sorted for Parameters {
    const SORT: Sort = Sort::Secret;
}

impl From<Parameters> for Asked {
    fn from(asked: Parameters) -> Self {
        let Parameters { name, content, src, template, generate, labels, versioned, keep, state } = asked;
        Self { name, content, src, template, generate, labels, versioned, keep, state }
    }
}
