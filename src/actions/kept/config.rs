//! `config`: a config of the swarm.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Asked, Sort, Sorted};
use crate::actions::hidden::Hidden;
use crate::actions::network::Presence;
use crate::actions::values::Text;

/// A config of the swarm: a file that services take. Its steps run where the swarm is commanded: `hosts: leader`.
///
/// To know whether it is as asked, a digest of what is in it is kept in the label `skep.digest`; a slow one (scrypt), for a
/// template may put a password into it. A swarm does not let a config be changed: where another content or other labels are
/// asked for and no service uses it, it is removed, after asking, and made anew; where one does, that is refused.
/// `versioned: true` makes another one in place of that.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Its name.
    name: String,
    /// What is in it, as it stands here. One of `content`, `src` and `template` is given.
    content: Option<Hidden>,
    /// A local file that is sent as it is; relative to the playbook's folder.
    src: Option<String>,
    /// A local file that is rendered with the step's variables; relative to the playbook's folder.
    template: Option<String>,
    /// Labels. Others that it has are left alone.
    #[serde(default)]
    labels: BTreeMap<String, Text>,
    /// Whether a new content makes a new config beside the old one: `NAME-` and 8 digits of its digest. With `register: it` that name
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
    const SORT: Sort = Sort::Config;
}

impl From<Parameters> for Asked {
    fn from(asked: Parameters) -> Self {
        let Parameters { name, content, src, template, labels, versioned, keep, state } = asked;
        Self { name, content, src, template, generate: None, labels, versioned, keep, state }
    }
}
