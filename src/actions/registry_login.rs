//! `registry_login`: a user of the host is logged in at a registry, or no more.

use schemars::JsonSchema;

use super::hidden::Hidden;
use super::network::Presence;
use super::put::TEMPORARY;
use super::{Action, Ask, Change, Object, Plan, Target, hints, slow};
use crate::reads::{Probe, Read, Readings, Seen};
use crate::remote::{Command, quote};

/// Logs a user of the host in at a registry: the one that the step works as, root where nothing else is said.
///
/// The password goes there on standard input, and Docker keeps it as it always does: in `~/.docker/config.json`, or in the
/// credential store that is named there. It is not read back. Beside it, in `~/.docker/skep-logins` (mode 0600), a slow digest
/// (scrypt) of user name and password is kept: by that the next run knows whether another one is asked for. A login that was
/// made by hand is made once more.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(try_from = "Parameters")]
#[schemars(with = "Parameters")]
pub struct RegistryLogin(Parameters);

/// The parameters of [`RegistryLogin`].
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// `HOST` or `HOST:PORT`, as in the names of its images; the Docker Hub where not given.
    #[serde(default = "hub")]
    registry: String,
    /// Who logs in.
    username: Option<String>,
    /// With what: `"{{ registry_password }}"`, a variable that is a secret. Many registries take a token in place of it.
    password: Option<Hidden>,
    /// `present` (the default) or `absent`: then it is logged out.
    #[serde(default)]
    state: Presence,
}

/// What Docker calls its Hub.
const HUB: &str = "https://index.docker.io/v1/";
/// What people call it.
const HUBS: [&str; 4] = ["docker.io", "index.docker.io", "registry-1.docker.io", HUB];

fn hub() -> String {
    HUB.into()
}

impl TryFrom<Parameters> for RegistryLogin {
    type Error = String;

    fn try_from(mut asked: Parameters) -> Result<Self, String> {
        if HUBS.contains(&asked.registry.as_str()) {
            asked.registry = hub();
        } else if asked.registry.is_empty() || asked.registry.contains(['/', ' ', '"', '\\', '\n']) {
            return Err(format!("a registry is HOST or HOST:PORT, and `{}` is neither", asked.registry));
        }
        let given = [asked.username.is_some(), asked.password.is_some()];
        match asked.state {
            Presence::Present if given != [true, true] => Err("a login takes `username` and `password`".into()),
            Presence::Absent if given != [false, false] => {
                Err("a login that is to be absent takes no `username` or `password`".into())
            }
            _ => Ok(Self(asked)),
        }
    }
}

/// What a host says of a login.
struct There<'a> {
    has_docker: bool,
    /// Whether Docker has one.
    entry: bool,
    /// The digest that is kept of it.
    digest: Option<&'a str>,
}

impl<'a> There<'a> {
    fn of(told: &'a str) -> Self {
        let has = |word| told.lines().any(|line| line == word);
        let digest = told.lines().find_map(|line| line.strip_prefix("digest "));
        Self { has_docker: has("docker"), entry: has("entry"), digest }
    }
}

impl Action for RegistryLogin {
    fn describe(&self) -> String {
        let no = if self.0.state == Presence::Absent { "no " } else { "" };
        format!("{no}login at {}", self.name())
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "login at", name: self.name().to_owned() })
    }

    fn reads(&self, on: &Target, _seen: &Readings<'_>) -> Vec<Ask> {
        vec![on.ask(Read::Probe(self.look()))]
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let what = format!("the logins on {}", on.host.name);
        let told = match seen.probe(&on.host.name, &self.look()) {
            Seen::Is(output) if output.ok() => output.text(),
            Seen::Is(output) => return Plan::unread(&what, &output.errors()),
            Seen::Absent => return Plan::unread(&what, "the host gave no answer"),
            Seen::Unread(why) => return Plan::unread(&what, &why),
        };
        let there = There::of(&told);
        match self.0.state {
            Presence::Absent if !there.entry && there.digest.is_none() => Plan::Settled,
            _ if !there.has_docker => Plan::refused(
                format!("{} has no `docker` command", on.host.name),
                "put a `docker_engine` step before it",
            ),
            Presence::Absent => Plan::Change(vec![Change::run("it is to be logged out", self.logout()).removing()]),
            Presence::Present => self.compared(&there),
        }
    }

    fn hint(&self, said: &str) -> Option<String> {
        hints::login(said)
    }
}

impl RegistryLogin {
    /// As people call it.
    fn name(&self) -> &str {
        if self.0.registry == HUB { "the Docker Hub" } else { &self.0.registry }
    }

    fn compared(&self, there: &There<'_>) -> Plan {
        let asked = self.digest();
        let why = match (there.entry, there.digest) {
            (true, Some(is)) if is == asked => return Plan::Settled,
            (true, Some(_)) => "it is logged in with another name or password",
            (true, None) => "it is logged in, and nobody knows with what password",
            (false, _) => "it is not logged in there",
        };
        Plan::Change(vec![Change::run(why, self.login(&asked))])
    }

    /// It lies in a file that its owner alone reads, beside what Docker itself writes down as plain as base64. So it need not differ
    /// from host to host, and one slow digest does for two hundred of them.
    fn digest(&self) -> String {
        let (name, password) = (self.0.username.as_deref().unwrap_or_default(), self.0.password.as_ref());
        slow::digest(password.map_or("", Hidden::expose).as_bytes(), &["login", &self.0.registry, name])
    }

    /// Whether Docker has a login, and which digest is kept of it; of either not what is in it. Docker names a registry in its own file also
    /// where a credential store has the password. A login has braces; the name of a registry's own store has none.
    fn look(&self) -> Probe {
        Probe::new(format!(
            "{HOME}if [ -e \"$c/config.json\" ]; then\n\
             [ -r \"$c/config.json\" ] || {{ echo \"$c/config.json is not for $(id -un) to read\" >&2; exit 1; }}\n\
             tr -d ' \\t\\r\\n' <\"$c/config.json\" | grep -qF {entry} && echo entry\nfi\n\
             command -v docker >/dev/null && echo docker\n\
             [ ! -r \"$c/skep-logins\" ] || while read -r r d; do\n\
             if [ \"$r\" = {registry} ]; then echo \"digest $d\"; fi\ndone <\"$c/skep-logins\"\nexit 0",
            entry = quote(&format!("\"{}\":{{", self.0.registry)),
            registry = quote(&self.0.registry),
        ))
    }

    fn login(&self, digest: &str) -> Command {
        let name = self.0.username.as_deref().unwrap_or_default();
        let line = self.line(&format!("login --username {} --password-stdin", quote(name)));
        let note = format!("printf '%s %s\\n' {} {}", quote(&self.0.registry), quote(digest));
        let password = self.0.password.as_ref().map_or("", Hidden::expose);
        Command::sh(self.noted(&line, &note)).stdin(password.as_bytes()).shown_as(line)
    }

    fn logout(&self) -> Command {
        let line = self.line("logout");
        Command::sh(self.noted(&line, ":")).shown_as(line)
    }

    /// The Hub is what Docker means where nothing is said.
    fn line(&self, words: &str) -> String {
        match self.0.registry.as_str() {
            HUB => format!("docker {words}"),
            registry => format!("docker {words} {}", quote(registry)),
        }
    }

    /// Runs a line of docker's and, if it did what it should, notes it down: what is noted of others stays.
    fn noted(&self, line: &str, note: &str) -> String {
        format!(
            "set -e\numask 077\n{HOME}{line}\nmkdir -p \"$c\"\np=$c/skep-logins\n{TEMPORARY}\
             {{\nif [ -e \"$p\" ]; then while read -r r d; do\n\
             if [ \"$r\" != {} ]; then printf '%s %s\\n' \"$r\" \"$d\"; fi\ndone <\"$p\"; fi\n{note}\n}} >\"$t\"\n\
             mv -f -T \"$t\" \"$p\"",
            quote(&self.0.registry)
        )
    }
}

/// Docker's folder of whoever works, wherever a sudo or a step's environment says that it is.
const HOME: &str = "h=$(getent passwd \"$(id -u)\" | cut -d: -f6); h=${h:-$HOME}; c=$h/.docker\n\
    export HOME=\"$h\"; unset DOCKER_CONFIG\n";

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::{Command as Process, Stdio};

    use serde_json::json;

    use super::*;
    use crate::actions::testing::{Case, action, mistake};

    fn login() -> RegistryLogin {
        action(json!({"registry": "r.example:5000", "username": "bob", "password": "hunter2"}))
    }

    fn logout() -> RegistryLogin {
        action(json!({"registry": "r.example:5000", "state": "absent"}))
    }

    fn plan(of: &RegistryLogin, told: &str) -> String {
        Case::new(&["node1"]).answers("node1", &[Read::Probe(of.look())], told).plan(of)
    }

    #[test]
    fn it_logs_in_where_that_is_not_known_to_be_so() {
        let line = "    $ docker login --username bob --password-stdin r.example:5000";
        let digest = login().digest();
        for (told, why) in [
            ("docker\n".to_owned(), "it is not logged in there"),
            (format!("docker\ndigest {digest}\n"), "it is not logged in there"),
            ("docker\nentry\n".into(), "it is logged in, and nobody knows with what password"),
            ("docker\nentry\ndigest 00\n".into(), "it is logged in with another name or password"),
        ] {
            assert_eq!(plan(&login(), &told), format!("change\n  {why}\n{line}"), "{told}");
        }
        assert_eq!(plan(&login(), &format!("docker\nentry\ndigest {digest}\n")), "settled");
    }

    #[test]
    fn it_logs_out_and_forgets() {
        let out = "change\n  it is to be logged out (removes)\n    $ docker logout r.example:5000";
        assert_eq!(plan(&logout(), "docker\nentry\n"), out);
        assert_eq!(plan(&logout(), "docker\ndigest 00\n"), out);
        assert_eq!(plan(&logout(), "docker\n"), "settled");
        assert_eq!(plan(&logout(), ""), "settled");
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        assert!(plan(&login(), "").starts_with("refused: node1 has no `docker` command"));
        let case =
            Case::new(&["node1"]).ended("node1", &[Read::Probe(login().look())], 1, "", "it is not for bob to read");
        assert_eq!(case.plan(&login()), "refused: cannot read the logins on node1: it is not for bob to read");
        let told = login()
            .hint("Error response from daemon: Get \"https://r/v2/\": unauthorized: incorrect username or password");
        assert!(told.is_some_and(|hint| hint.starts_with("the registry does not take this name and password")));
    }

    #[test]
    fn nobody_sees_the_password_and_each_has_its_own_digest() {
        let (asked, digest) = (login(), login().digest());
        let told = format!("{asked:?} {:?} {}", asked.login(&digest), asked.look().line);
        assert!(!told.contains("hunter2") && !told.contains(&digest), "{told}");
        assert!(!asked.login(&digest).wire().contains("hunter2"));
        let other: RegistryLogin = action(json!({"username": "bob", "password": "hunter2"}));
        assert_ne!(other.digest(), digest);
    }

    #[test]
    fn the_hub_goes_by_several_names() {
        for name in HUBS {
            let hub: RegistryLogin = action(json!({"registry": name, "username": "bob", "password": 12345}));
            assert!(plan(&hub, "docker\n").ends_with("$ docker login --username bob --password-stdin"), "{name}");
            assert_eq!(hub.describe(), "login at the Docker Hub");
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let wrong = mistake::<RegistryLogin>;
        assert_eq!(wrong(json!({"username": "bob"})), "a login takes `username` and `password`");
        assert!(wrong(json!({"state": "absent", "username": "bob"})).starts_with("a login that is to be absent"));
        let url = json!({"registry": "https://r.example", "username": "bob", "password": "x"});
        assert_eq!(wrong(url), "a registry is HOST or HOST:PORT, and `https://r.example` is neither");
    }

    /// Runs a script here, in a home of its own, with a `docker` that takes one password.
    fn ran(home: &Path, script: &str, input: &str) -> (bool, String) {
        let docker = "docker() {\n[ \"$(cat)\" = hunter2 ] || [ $1 = logout ] || { echo unauthorized >&2; return 1; }\n\
            mkdir -p \"$HOME/.docker\"\n\
            if [ $1 = login ]; then printf '{\\n\\t\"auths\": {\\n\\t\\t\"r.example:5000\": {}\\n\\t}\\n}' >\"$HOME/.docker/config.json\"\n\
            else printf '{ \"auths\": {}, \"credHelpers\": {\"r.example:5000\": \"pass\"} }' >\"$HOME/.docker/config.json\"; fi; }\n";
        let getent = format!("getent() {{ echo x:x:0:0::{}:/bin/sh; }}\n", home.display());
        let mut sh = Process::new("sh");
        let sh = sh.arg("-c").arg(getent + docker + script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = sh.stderr(Stdio::null()).spawn().expect("sh");
        child.stdin.take().expect("stdin").write_all(input.as_bytes()).expect("write");
        let out = child.wait_with_output().expect("output");
        (out.status.success(), String::from_utf8(out.stdout).expect("text"))
    }

    #[test]
    fn what_was_done_is_seen_the_next_time_and_others_stay() {
        let home = tempfile::tempdir().expect("tempdir");
        let (asked, notes) = (login(), home.path().join(".docker/skep-logins"));
        let look = || ran(home.path(), &asked.look().line, "").1;
        let mode = || std::fs::metadata(&notes).expect("there").permissions().mode() & 0o777;
        assert_eq!(look(), "docker\n");
        assert!(!ran(home.path(), &asked.login("aa").wire(), "wrong").0 && !notes.exists());
        assert!(ran(home.path(), &asked.login("aa").wire(), "hunter2").0);
        assert_eq!((look().as_str(), mode()), ("entry\ndocker\ndigest aa\n", 0o600));
        std::fs::write(&notes, "other 11\nr.example:5000 aa\n").expect("write");
        assert!(ran(home.path(), &asked.login("bb").wire(), "hunter2").0);
        assert_eq!(std::fs::read_to_string(&notes).expect("there"), "other 11\nr.example:5000 bb\n");
        assert!(ran(home.path(), &logout().logout().wire(), "").0);
        assert_eq!(look(), "docker\n");
        assert_eq!(std::fs::read_to_string(&notes).expect("there"), "other 11\n");
    }
}
