//! `docker`: any docker command, as the user would type it.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::line::{Line, LineAction};

/// Runs a docker command, written as it would be typed after the word `docker`: `docker: node ls`.
///
/// Pipes, variables and quotes mean what they mean to a shell. As with `shell`, the step keys `changes: false`, `creates`
/// and `unless` say when it need not run.
#[derive(Debug)]
pub struct Docker(Line);

impl<'de> Deserialize<'de> for Docker {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(DockerVisitor)
    }
}

struct DockerVisitor;

impl Visitor<'_> for DockerVisitor {
    type Value = Docker;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a docker command, such as `node ls`")
    }

    fn visit_str<E: de::Error>(self, words: &str) -> Result<Docker, E> {
        match words.trim() {
            "" => Err(E::custom("`docker` needs a command, such as `node ls`")),
            words if words.starts_with("docker ") => {
                Err(E::custom(format!("leave out the first `docker`: `docker: {}`", words["docker ".len()..].trim())))
            }
            words => Ok(Docker(Line::new(format!("docker {words}"), None))),
        }
    }
}

impl JsonSchema for Docker {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Docker".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A docker command, as it would be typed after the word `docker`." })
    }
}

impl LineAction for Docker {
    fn line(&self) -> &Line {
        &self.0
    }

    fn line_mut(&mut self) -> &mut Line {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::actions::testing::{Case, action, mistake};
    use crate::actions::{Action, LineOptions};
    use crate::reads::{Probe, Read};

    #[test]
    fn a_command_is_run_as_typed() {
        let asked: Docker = action(json!("node ls --format '{{.ID}} {{.Status}}' | sort"));
        let line = "docker node ls --format '{{.ID}} {{.Status}}' | sort";
        assert_eq!(Case::new(&["node1"]).plan(&asked), format!("always\n  it runs each time\n    $ {line}"));
    }

    #[test]
    fn changes_false_makes_it_a_read() {
        let mut asked: Docker = action(json!("node ls"));
        asked.set_line(LineOptions { changes: Some(false), ..LineOptions::default() });
        let case =
            Case::new(&["node1"]).answers("node1", &[Read::Probe(Probe::new("docker node ls"))], "ID HOSTNAME\n");
        assert_eq!(case.plan(&asked), "settled");
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(mistake::<Docker>(json!("docker node ls")), "leave out the first `docker`: `docker: node ls`");
        assert!(mistake::<Docker>(json!(" ")).contains("needs a command"));
    }
}
