//! `shell`: a line of shell, as typed.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::line::{Line, LineAction};

/// Runs a line or a script of POSIX shell. Its schema says the rest.
#[derive(Debug)]
pub struct Shell(Line);

/// Its parameters where it is more than one line.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// One line, run by `sh`.
    line: Option<String>,
    /// Several lines, run by `sh`; they end at the first command that fails (`set -e`).
    script: Option<String>,
    /// The folder on the host to run it in; the user's home where none is given.
    chdir: Option<String>,
}

impl TryFrom<Parameters> for Shell {
    type Error = String;

    fn try_from(asked: Parameters) -> Result<Self, String> {
        let text = match (asked.line, asked.script) {
            (Some(line), None) => line,
            (None, Some(script)) => format!("set -e\n{script}"),
            _ => return Err("`shell` takes either `line` or `script`".into()),
        };
        Ok(Self(Line::new(text, asked.chdir)))
    }
}

impl<'de> Deserialize<'de> for Shell {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ShellVisitor)
    }
}

struct ShellVisitor;

impl<'de> Visitor<'de> for ShellVisitor {
    type Value = Shell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a line of shell, or `line` or `script`")
    }

    fn visit_str<E: de::Error>(self, line: &str) -> Result<Shell, E> {
        Ok(Shell(Line::new(line.to_owned(), None)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Shell, A::Error> {
        let asked = Parameters::deserialize(MapAccessDeserializer::new(map))?;
        Shell::try_from(asked).map_err(de::Error::custom)
    }
}

impl JsonSchema for Shell {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Shell".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Runs a line or a script of POSIX shell: `shell: LINE` is short for `shell: { line: LINE }`.\n\n\
                Whether it has to run cannot be known beforehand, so it runs each time, unless the step says `creates`,\n\
                `unless`, or `changes: false`.",
            "oneOf": [{ "type": "string" }, generator.subschema_for::<Parameters>()]
        })
    }
}

impl LineAction for Shell {
    fn line(&self) -> &Line {
        &self.0
    }

    fn line_mut(&mut self) -> &mut Line {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::actions::testing::{Case, action, mistake};
    use crate::actions::{Action, LONGER, LineOptions};
    use crate::reads::{Probe, Read, Seen};

    fn shell(parameters: serde_json::Value, options: LineOptions) -> Shell {
        let mut shell: Shell = action(parameters);
        shell.set_line(options);
        shell
    }

    fn probe(line: &str) -> [Read; 1] {
        [Read::Probe(Probe::new(line))]
    }

    fn marker() -> [Read; 1] {
        [Read::File { path: "/opt/done".into(), content: false }]
    }

    #[test]
    fn a_bare_line_runs_each_time() {
        let case = Case::new(&["node1"]);
        let asked = shell(json!("echo 'a  b' | tr a c"), LineOptions::default());
        assert_eq!(case.plan(&asked), "always\n  it runs each time\n    $ echo 'a  b' | tr a c");
    }

    #[test]
    fn a_script_ends_at_its_first_failure_and_enters_its_folder() {
        let asked = shell(json!({"script": "false\necho no\n", "chdir": "/opt/my app"}), LineOptions::default());
        let script = "cd '/opt/my app' || exit\nset -e\nfalse\necho no";
        assert_eq!(Case::new(&["node1"]).plan(&asked), format!("always\n  it runs each time\n    $ {script}"));
        assert_eq!(asked.describe(), "false …");
    }

    #[test]
    fn changes_false_makes_it_a_read_whose_output_is_shown() {
        let asked = shell(json!("uptime"), LineOptions { changes: Some(false), ..LineOptions::default() });
        let case = Case::new(&["node1"]).answers("node1", &probe("uptime"), "up 3 days\n");
        assert_eq!(case.plan(&asked), "settled");
        assert_eq!(case.readings(|seen| asked.shows(&case.target, seen)).unwrap().text(), "up 3 days");
        let case = Case::new(&["node1"]).ended("node1", &probe("uptime"), 127, "", "sh: uptime: not found\n");
        assert_eq!(case.plan(&asked), "refused: `uptime` ended with exit code 127\nsh: uptime: not found");
    }

    #[test]
    fn what_only_looks_has_the_time_that_its_step_has() {
        let options =
            LineOptions { changes: Some(false), timeout: Some(Duration::from_secs(90)), ..Default::default() };
        let asked = shell(json!("du -s /"), options);
        let slow = [Read::Probe(Probe::new("du -s /").within(90))];
        assert_eq!(Case::new(&["node1"]).answers("node1", &slow, "9 /\n").plan(&asked), "settled");
        let [late] = slow;
        let told = Case::new(&["node1"]).seen("node1", late, Seen::Unread("no answer within 90 s".into())).plan(&asked);
        assert_eq!(told, format!("refused: cannot read what `du -s /` says: no answer within 90 s\nhint: {LONGER}"));
    }

    #[test]
    fn creates_settles_it() {
        let options = LineOptions { creates: Some("/opt/done".into()), ..LineOptions::default() };
        let asked = shell(json!("make"), options);
        let there = "file 644 0 0 root root 3 17.5 - -\n";
        assert_eq!(Case::new(&["node1"]).answers("node1", &marker(), there).plan(&asked), "settled");
        let case = Case::new(&["node1"]).answers("node1", &marker(), "absent\n");
        assert_eq!(case.plan(&asked), "change\n  /opt/done is not there\n    $ make");
        let case = Case::new(&["node1"]).answers("node1", &marker(), "unread permission denied in /opt\n");
        assert_eq!(case.plan(&asked), "refused: cannot read /opt/done: permission denied in /opt");
    }

    #[test]
    fn unless_settles_it_where_its_line_ends_well() {
        let asked = shell(json!("make"), LineOptions { unless: Some("test -e it".into()), ..LineOptions::default() });
        let case = |code| Case::new(&["node1"]).ended("node1", &probe("test -e it"), code, "", "").plan(&asked);
        assert_eq!(case(0), "settled");
        assert_eq!(case(1), "change\n  `test -e it` ended with exit code 1\n    $ make");
    }

    #[test]
    fn unless_is_asked_in_the_folder_of_the_line() {
        let options = LineOptions { unless: Some("./app --version".into()), ..LineOptions::default() };
        let asked = shell(json!({"line": "make install", "chdir": "/opt/app"}), options);
        let there = probe("cd /opt/app 2>/dev/null || cd /\n./app --version");
        assert_eq!(Case::new(&["node1"]).answers("node1", &there, "1\n").plan(&asked), "settled");
    }

    #[test]
    fn what_unless_found_to_be_so_is_shown() {
        let asked =
            shell(json!("make"), LineOptions { unless: Some("./it --version".into()), ..LineOptions::default() });
        let shown = |code| {
            let case = Case::new(&["node1"]).ended("node1", &probe("./it --version"), code, "it 1.2\n", "");
            case.readings(|seen| asked.shows(&case.target, seen)).map(|output| output.text())
        };
        assert_eq!(shown(0).as_deref(), Some("it 1.2"));
        assert_eq!(shown(1), None, "what is not so yet");
    }

    #[test]
    fn either_of_creates_and_unless_settles_it() {
        let both =
            LineOptions { creates: Some("/opt/done".into()), unless: Some("ok".into()), ..LineOptions::default() };
        let asked = shell(json!("make"), both);
        let case = |file: &str, code| {
            let case = Case::new(&["node1"]).answers("node1", &marker(), file);
            case.ended("node1", &probe("ok"), code, "", "").plan(&asked)
        };
        assert_eq!(case("absent\n", 0), "settled");
        assert_eq!(case("file 644 0 0 root root 3 17.5 - -\n", 1), "settled");
        assert_eq!(case("absent\n", 1), "change\n  /opt/done is not there, `ok` ended with exit code 1\n    $ make");
    }

    #[test]
    fn mistakes_are_named() {
        assert!(mistake::<Shell>(json!({"line": "a", "script": "b"})).contains("either `line` or `script`"));
        assert!(mistake::<Shell>(json!({})).contains("either `line` or `script`"));
        assert!(mistake::<Shell>(json!({"lines": "a"})).contains("unknown field `lines`"));
    }
}
