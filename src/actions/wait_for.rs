//! `wait_for`: a port, a page, a command, a line of a log or a container's health.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Action, Ask, Plan, Target, Wait};
use crate::reads::dial::FORBIDDEN;
use crate::reads::docker::{Container, Look};
use crate::reads::{Http, Port, Probe, Read, Readings, Seen};
use crate::remote::{Output, quote};

/// Waits until something has come true, for as long as the step's `timeout` says (10 minutes where it says nothing).
///
/// One of `port`, `http`, `command`, `log` and `health` says what. It changes nothing, and is settled at once where it is so
/// already. What cannot be told at the moment (a daemon that is being restarted, a command that takes longer than 10 s) is
/// waited for too. Ports and pages are tried from the host itself, through its SSH session: nothing need be installed there, and
/// nothing need be open to the world.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Parameters")]
#[schemars(with = "Parameters")]
pub struct WaitFor(What);

/// The parameters of [`WaitFor`].
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// A TCP port that accepts connections, and does not hang up at once.
    port: Option<u16>,
    /// A web page and its answer.
    http: Option<Page>,
    /// Where the port or page is, as the host knows it: a name or an address. The host itself (127.0.0.1) where none is given.
    address: Option<String>,
    /// A line of shell that only looks, and ends with exit code 0 when it is so: `test -S /run/app.sock`. It may run ahead of
    /// its turn, and when a plan is made.
    command: Option<String>,
    /// A line that a container writes.
    log: Option<Log>,
    /// A container whose health check says that it is healthy.
    health: Option<String>,
}

/// A web page, over plain HTTP.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Page {
    /// Its port.
    port: u16,
    /// What is asked for: `/json/`.
    #[serde(default = "root")]
    path: String,
    /// The status that it answers with; any of 200 to 299 where none is given. Redirections are not followed.
    status: Option<u16>,
    /// A text that is in the answer.
    contains: Option<String>,
}

/// A line of a container's log, since its last start.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Log {
    /// The container's name.
    container: String,
    /// What is in the line: an extended regular expression, as `grep -E` takes them.
    pattern: String,
}

#[derive(Debug)]
enum What {
    Port { address: String, port: u16 },
    Http { address: String, page: Page },
    Command(String),
    Log(Log),
    Health(String),
}

fn root() -> String {
    "/".into()
}

impl TryFrom<Parameters> for WaitFor {
    type Error = String;

    fn try_from(asked: Parameters) -> Result<Self, String> {
        let dials = asked.port.is_some() || asked.http.is_some();
        if asked.address.is_some() && !dials {
            return Err("`address` goes with `port` or `http`".into());
        }
        let address = asked.address.unwrap_or_else(|| "127.0.0.1".into());
        match (asked.port, asked.http, asked.command, asked.log, asked.health) {
            (Some(port), None, None, None, None) => Ok(Self(What::Port { address, port })),
            (None, Some(page), None, None, None) => page.checked().map(|page| Self(What::Http { address, page })),
            (None, None, Some(line), None, None) => Ok(Self(What::Command(line))),
            (None, None, None, Some(log), None) => Ok(Self(What::Log(log))),
            (None, None, None, None, Some(container)) => Ok(Self(What::Health(container))),
            _ => Err("`wait_for` takes one of `port`, `http`, `command`, `log` and `health`".into()),
        }
    }
}

impl Action for WaitFor {
    fn describe(&self) -> String {
        match &self.0 {
            What::Port { address, port } => at(address, *port),
            What::Http { address, page } => page.url(address),
            What::Command(line) => format!("`{line}`"),
            What::Log(log) => format!("{:?} in the log of {}", log.pattern, log.container),
            What::Health(container) => format!("container {container} to be healthy"),
        }
    }

    fn reads(&self, on: &Target, _seen: &Readings<'_>) -> Vec<Ask> {
        let container = |name: &String| Read::Docker(Look::Container(name.clone()));
        let reads = match &self.0 {
            What::Port { address, port } => vec![Read::Port { address: address.clone(), port: *port }],
            What::Http { address, page } => vec![page.read(address)],
            What::Command(line) => vec![Read::Probe(Probe::new(line))],
            What::Log(log) => vec![container(&log.container), Read::Probe(log.probe())],
            What::Health(name) => vec![container(name)],
        };
        reads.into_iter().map(|read| on.ask(read)).collect()
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let host = &on.host.name;
        match &self.0 {
            What::Port { address, port } => open(&at(address, *port), seen.port(host, address, *port)),
            What::Http { address, page } => {
                page.answered(&page.url(address), seen.http(host, address, page.port, &page.path))
            }
            What::Command(line) => ended(line, seen.probe(host, &Probe::new(line))),
            What::Log(log) => log.written(seen.container(host, &log.container), seen.probe(host, &log.probe())),
            What::Health(name) => healthy(name, seen.container(host, name)),
        }
    }
}

/// The plan of what was read. What could not be read may be so the next time, unless nobody may ever try.
fn plan<T>(what: &str, seen: Seen<&T>, of: impl FnOnce(&T) -> Plan) -> Plan {
    match seen {
        Seen::Is(value) => of(value),
        Seen::Absent => wait(format!("{what} to be there")),
        Seen::Unread(why) if why == FORBIDDEN => Plan::unread(what, &why),
        Seen::Unread(why) => wait(format!("{what} to be told ({why})")),
    }
}

fn wait(what: String) -> Plan {
    Plan::Wait(Wait { what, ..Wait::default() })
}

fn at(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

fn open(at: &str, seen: Seen<&Port>) -> Plan {
    plan(at, seen, |port| match port {
        Port::Open => Plan::Settled,
        other => wait(format!("{at} to accept connections ({other})")),
    })
}

impl Page {
    /// What would not be one request is none.
    fn checked(self) -> Result<Self, String> {
        let one_word = !self.path.contains(|c: char| c.is_whitespace() || c.is_control());
        match self.path.starts_with('/') && one_word {
            true => Ok(self),
            false => Err(format!("`path` begins with / and has no spaces (write %20), and {:?} does not", self.path)),
        }
    }

    fn url(&self, address: &str) -> String {
        format!("http://{}{}", at(address, self.port), self.path)
    }

    fn read(&self, address: &str) -> Read {
        Read::Http { address: address.into(), port: self.port, path: self.path.clone() }
    }

    fn answered(&self, url: &str, seen: Seen<&Http>) -> Plan {
        plan(url, seen, |answer| match answer {
            Http::Reply { status, .. } if !self.statuses().contains(status) => {
                wait(format!("{url} to answer with {} (it answers {status})", self.status_told()))
            }
            Http::Reply { body, .. } => match self.contains.as_deref().filter(|text| !body.contains(text)) {
                Some(text) => wait(format!("{url} to say {text:?} (it answers without it)")),
                None => Plan::Settled,
            },
            Http::NoReply(why) => wait(format!("{url} to answer ({why})")),
            Http::NoConnection(port) => wait(format!("{url} to answer ({port})")),
        })
    }

    fn statuses(&self) -> RangeInclusive<u16> {
        self.status.map_or(200..=299, |status| status..=status)
    }

    fn status_told(&self) -> String {
        self.status.map_or_else(|| "200 to 299".into(), |status| status.to_string())
    }
}

fn ended(line: &str, seen: Seen<&Output>) -> Plan {
    plan(&format!("what `{line}` says"), seen, |output| match output.ok() {
        true => Plan::Settled,
        false => wait(format!("`{line}` to end well (exit code {}{})", output.code, last_words(output))),
    })
}

fn last_words(output: &Output) -> String {
    output.errors().lines().last().map(|line| format!(": {line}")).unwrap_or_default()
}

impl Log {
    /// What an earlier life of the container wrote does not count.
    fn probe(&self) -> Probe {
        let (container, pattern) = (quote(&self.container), quote(&self.pattern));
        Probe::new(format!(
            "since=$(docker inspect --type container --format '{{{{.State.StartedAt}}}}' -- {container}) || exit\n\
             docker logs --since \"$since\" -- {container} 2>&1 | grep -E -m 1 -e {pattern}"
        ))
    }

    fn written(&self, container: Seen<&Container>, line: Seen<&Output>) -> Plan {
        let Self { container: name, pattern } = self;
        plan(&format!("container {name}"), container, |container| {
            plan(&format!("the log of {name}"), line, |output| match output.code {
                0 => Plan::Settled,
                // grep(1): 1 is not found.
                1 => wait(format!("{pattern:?} in the log of {name}{}", down(container))),
                _ => Plan::refused(
                    format!("cannot look for {pattern:?} in the log of {name}: {}", output.errors()),
                    "`pattern` is an extended regular expression: write \\( for a parenthesis",
                ),
            })
        })
    }
}

fn healthy(name: &str, seen: Seen<&Container>) -> Plan {
    plan(&format!("container {name}"), seen, |container| match &container.state.health {
        Some(health) if container.running() && health.status == "healthy" => Plan::Settled,
        Some(health) if container.running() => {
            let said = Some(health.last()).filter(|said| !said.is_empty()).map(|said| format!(": {said}"));
            wait(format!("container {name} to be healthy ({}{})", health.status, said.unwrap_or_default()))
        }
        None if container.running() => Plan::refused(
            format!("container {name} has no health check"),
            "give it one (`health:` of its `container` step), or wait for its `port`, `http` or `log`",
        ),
        _ => wait(format!("container {name} to be healthy{}", down(container))),
    })
}

/// ` (it has exited with code 1)`, where it does not run.
fn down(container: &Container) -> String {
    match container.state.status.as_str() {
        "running" => String::new(),
        "exited" => format!(" (it has exited with code {})", container.state.exit_code),
        other => format!(" (it is {other})"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::actions::testing::{Case, action, mistake};
    use crate::reads::Value;

    /// The plan of an action that reads one thing alone, given what it came to.
    fn given(asked: serde_json::Value, seen: Seen<Value>) -> String {
        let asked: WaitFor = action(asked);
        let case = Case::new(&["node1"]);
        let read = case.missing(&asked).remove(0).read;
        case.seen("node1", read, seen).plan(&asked)
    }

    #[test]
    fn a_port_is_waited_for_until_it_accepts() {
        let plan = |port| given(json!({"port": 8080}), Seen::Is(Value::Port(port)));
        assert_eq!(plan(Port::Open), "settled");
        assert_eq!(plan(Port::Closed), "wait for 127.0.0.1:8080 to accept connections (connection refused)");
        let proxy = plan(Port::HangsUp);
        assert_eq!(proxy, "wait for 127.0.0.1:8080 to accept connections (it accepts and hangs up at once)");
        let silent = given(json!({"port": 22, "address": "fd00::1"}), Seen::Is(Value::Port(Port::Silent)));
        assert_eq!(silent, "wait for [fd00::1]:22 to accept connections (no answer within 5 s)");
    }

    #[test]
    fn a_port_that_may_not_be_tried_is_not_waited_for() {
        let plan = given(json!({"port": 22}), Seen::Unread(FORBIDDEN.into()));
        assert_eq!(plan, format!("refused: cannot read 127.0.0.1:22: {FORBIDDEN}"));
    }

    #[test]
    fn what_cannot_be_told_at_the_moment_is_waited_for_with_the_reason() {
        let slow = given(json!({"command": "sleep 11"}), Seen::Unread("no answer within 10 s".into()));
        assert_eq!(slow, "wait for what `sleep 11` says to be told (no answer within 10 s)");
        let restarting = given(json!({"health": "app"}), Seen::Unread("Cannot connect to the Docker daemon".into()));
        assert_eq!(restarting, "wait for container app to be told (Cannot connect to the Docker daemon)");
    }

    #[test]
    fn a_page_is_waited_for_until_it_answers_as_asked() {
        let page = |asked, answer| given(json!({ "http": asked }), Seen::Is(Value::Http(answer)));
        let reply = |status, body: &str| Http::Reply { status, body: body.into() };
        let json = || json!({"port": 8080, "path": "/json/", "contains": "ALIVE"});
        assert_eq!(page(json(), reply(200, "{ALIVE}")), "settled");
        let url = "wait for http://127.0.0.1:8080/json/ to";
        assert_eq!(page(json(), reply(200, "{}")), format!("{url} say \"ALIVE\" (it answers without it)"));
        assert_eq!(page(json(), reply(503, "ALIVE")), format!("{url} answer with 200 to 299 (it answers 503)"));
        let refused = page(json(), Http::NoConnection(Port::Closed));
        assert_eq!(refused, format!("{url} answer (connection refused)"));
        let forbidden = json!({"port": 8888, "status": 403});
        assert_eq!(page(forbidden.clone(), reply(403, "")), "settled");
        let plan = page(forbidden, reply(200, ""));
        assert_eq!(plan, "wait for http://127.0.0.1:8888/ to answer with 403 (it answers 200)");
    }

    #[test]
    fn a_command_is_waited_for_until_it_ends_well() {
        let asked = || action::<WaitFor>(json!({"command": "test -S /run/x"}));
        let probe = [Read::Probe(Probe::new("test -S /run/x"))];
        let plan = |code, errors| Case::new(&["node1"]).ended("node1", &probe, code, "", errors).plan(&asked());
        assert_eq!(plan(0, ""), "settled");
        assert_eq!(plan(1, "one\nno socket\n"), "wait for `test -S /run/x` to end well (exit code 1: no socket)");
    }

    /// A container whose state is given, as Docker's engine tells of it.
    fn container(state: &str) -> Case {
        let answer = format!(
            "@skep 200 binary:/usr/bin/docker\n{{\"ServerVersion\":\"29\"}}\n@skep 200 /info\n\
             {{\"Id\":\"c1\",\"Name\":\"/app\",\"State\":{state}}}\n@skep 200 /containers/app/json\n"
        );
        Case::new(&["node1"]).answers("node1", &[Read::Docker(Look::Container("app".into()))], &answer)
    }

    fn log() -> WaitFor {
        action(json!({"log": {"container": "app", "pattern": "up (and|&) running"}}))
    }

    fn logged(state: &str, code: i32, errors: &str) -> String {
        let What::Log(asked) = log().0 else { panic!() };
        container(state).ended("node1", &[Read::Probe(asked.probe())], code, "", errors).plan(&log())
    }

    #[test]
    fn a_line_is_waited_for_in_the_log_of_this_life() {
        let What::Log(asked) = log().0 else { panic!() };
        assert!(
            asked.probe().line.contains("logs --since \"$since\" -- app 2>&1 | grep -E -m 1 -e 'up (and|&) running'")
        );
        assert!(asked.probe().line.contains("'{{.State.StartedAt}}'"));
        assert_eq!(logged(r#"{"Status":"running"}"#, 0, ""), "settled");
        let waits = "wait for \"up (and|&) running\" in the log of app";
        assert_eq!(logged(r#"{"Status":"running"}"#, 1, ""), waits);
        let exited = logged(r#"{"Status":"exited","ExitCode":3}"#, 1, "");
        assert_eq!(exited, format!("{waits} (it has exited with code 3)"));
        let bad = logged(r#"{"Status":"running"}"#, 2, "grep: Unmatched (\n");
        assert!(
            bad.starts_with("refused: cannot look for \"up (and|&) running\" in the log of app: grep: Unm"),
            "{bad}"
        );
    }

    #[test]
    fn a_container_is_waited_for_until_it_is_healthy() {
        let plan = |state| container(state).plan(&action::<WaitFor>(json!({"health": "app"})));
        assert_eq!(plan(r#"{"Status":"running","Health":{"Status":"healthy"}}"#), "settled");
        let ill = plan(r#"{"Status":"running","Health":{"Status":"unhealthy","Log":[{"Output":"no page\n"}]}}"#);
        assert_eq!(ill, "wait for container app to be healthy (unhealthy: no page)");
        let gone = plan(r#"{"Status":"exited","ExitCode":1,"Health":{"Status":"healthy"}}"#);
        assert_eq!(gone, "wait for container app to be healthy (it has exited with code 1)");
        assert!(
            plan(r#"{"Status":"running"}"#).starts_with("refused: container app has no health check\nhint: give it")
        );
        let case = Case::new(&["node1"]).seen("node1", Read::Docker(Look::Container("app".into())), Seen::Absent);
        assert_eq!(case.plan(&action::<WaitFor>(json!({"health": "app"}))), "wait for container app to be there");
    }

    #[test]
    fn mistakes_are_named() {
        let one_of = "takes one of `port`, `http`, `command`, `log` and `health`";
        assert!(mistake::<WaitFor>(json!({})).contains(one_of));
        assert!(mistake::<WaitFor>(json!({"port": 1, "command": "true"})).contains(one_of));
        assert!(mistake::<WaitFor>(json!({"health": "x", "address": "a"})).contains("`address` goes with"));
        assert!(mistake::<WaitFor>(json!({"prot": 1})).contains("unknown field `prot`"));
        let path = mistake::<WaitFor>(json!({"http": {"port": 80, "path": "/a b"}}));
        assert!(path.contains("`path` begins with / and has no spaces"), "{path}");
    }
}
