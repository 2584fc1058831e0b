//! `volume`: a Docker volume, made, kept, or removed where nobody uses it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::diff::{may_be_secret, shown};
use super::network::Presence;
use super::values::Text;
use super::{Action, Ask, Change, Object, Plan, Target};
use crate::event::Difference;
use crate::reads::docker::{Look, Volume as Found};
use crate::reads::{Read, Readings, Seen};
use crate::remote::{Command, quote};
use crate::secret::Secret;

/// Makes a Docker volume on each of its hosts.
///
/// What is in a volume is nobody's to lose: one that differs from what is asked is refused with the fields in which it does,
/// and never replaced. `state: absent` is what removes one, after asking, and only where no container uses it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Its name.
    name: String,
    /// `local` (the default), or a plugin that is installed there.
    #[serde(default = "local")]
    driver: String,
    /// Options of the driver, such as `type: nfs`, `o: "addr=10.0.0.5,rw"` and `device: ":/export"`. Others that it has are
    /// left alone.
    #[serde(default)]
    options: BTreeMap<String, Text>,
    /// Labels. Others that it has are left alone.
    #[serde(default)]
    labels: BTreeMap<String, Text>,
    /// `present` (the default) or `absent`.
    #[serde(default)]
    state: Presence,
}

fn local() -> String {
    "local".into()
}

impl Action for Volume {
    fn describe(&self) -> String {
        match self.state {
            Presence::Present => format!("volume {}", self.name),
            Presence::Absent => format!("no volume {}", self.name),
        }
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "volume", name: self.name.clone() })
    }

    fn reads(&self, on: &Target, _seen: &Readings<'_>) -> Vec<Ask> {
        vec![on.ask(Read::Docker(Look::Volume(self.name.clone())))]
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let host = &on.host.name;
        match (seen.volume(host, &self.name), self.state) {
            (Seen::Unread(why), _) => Plan::unread(&format!("volume {} on {host}", self.name), &why),
            (Seen::Absent, Presence::Absent) => Plan::Settled,
            (Seen::Absent, Presence::Present) => Plan::Change(vec![Change::run("it is not there", self.create())]),
            (Seen::Is(found), Presence::Absent) => self.removed(found, host),
            (Seen::Is(found), Presence::Present) => self.compared(found, host),
        }
    }

    fn hint(&self, said: &str) -> Option<String> {
        let plugin = said.contains("plugin").then(|| {
            format!("the driver {} is not installed there: `docker: plugin install …`, or ask for `local`", self.driver)
        });
        plugin.or_else(|| super::hints::docker(said))
    }
}

impl Volume {
    fn create(&self) -> Command {
        let mut command = Command::new("docker").args(["volume", "create", "--driver", &self.driver]);
        for (name, Text(value)) in &self.options {
            let option = format!("{name}={value}");
            command = command.arg("--opt");
            command = if may_be_secret(&option) { command.secret(Secret::new(option)) } else { command.arg(option) };
        }
        command = command.args(self.labels.iter().flat_map(|(k, Text(v))| ["--label".to_owned(), format!("{k}={v}")]));
        command.arg(&self.name)
    }

    fn compared(&self, found: &Found, host: &str) -> Plan {
        let told = |d: &Difference| format!("{} is {}, asked {}", d.field, d.is, d.asked);
        let differs: Vec<String> = self.differs(found).iter().map(told).collect();
        if differs.is_empty() {
            return Plan::Settled;
        }
        Plan::refused(
            format!("volume {} on {host} differs, and what is in it would be lost: {}", self.name, differs.join("; ")),
            format!(
                "ask for it as it is, or give the new one another name; if nothing in it is needed, on {host}: docker volume rm {}",
                quote(&self.name)
            ),
        )
    }

    fn differs(&self, found: &Found) -> Vec<Difference> {
        let mut all = Vec::new();
        let mut field = |field: String, is: Option<&String>, asked: &String| {
            if is != Some(asked) {
                all.push(shown(field, is.map(String::as_str), asked));
            }
        };
        field("driver".into(), Some(&found.driver), &self.driver);
        for (name, Text(asked)) in &self.options {
            field(format!("options.{name}"), found.options.get(name), asked);
        }
        for (name, Text(asked)) in &self.labels {
            field(format!("labels.{name}"), found.labels.get(name), asked);
        }
        all
    }

    fn removed(&self, found: &Found, host: &str) -> Plan {
        match &found.users {
            Err(why) => Plan::unread(&format!("who uses volume {} on {host}", self.name), why),
            Ok(users) if users.is_empty() => {
                Plan::Change(vec![Change::run("it is to be absent", self.remove(found)).removing()])
            }
            Ok(users) => Plan::refused(
                format!("volume {} on {host} is used by {}", self.name, users.join(", ")),
                "remove what uses it first: `container: { name: …, state: absent }`",
            ),
        }
    }

    /// A volume has no id. When it was made tells it from one that has come in its place since.
    fn remove(&self, found: &Found) -> Command {
        let (name, made) = (quote(&self.name), quote(&found.created_at));
        let line = format!("docker volume rm {name}");
        Command::sh(format!(
            "if [ \"$(docker volume inspect --format '{{{{.CreatedAt}}}}' {name})\" != {made} ]; then\n\
             echo 'it is not the volume that was looked at: nothing was removed' >&2; exit 1; fi\n{line}"
        ))
        .shown_as(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::testing::{Case, action};
    use serde_json::json;

    const UP: &str = "@skep 200 binary:/usr/bin/docker\n{\"ServerVersion\":\"29\"}\n@skep 200 /info\n";
    const DATA: &str = r#"{"CreatedAt":"2026-01-02T03:04:05Z","Driver":"local","Labels":null,"Mountpoint":"/x","Name":"data","Options":{"o":"addr=10.0.0.5,password=hunter2","type":"nfs"},"Scope":"local"}"#;

    fn case(answers: &str) -> Case {
        Case::new(&["node1"]).answers("node1", &[Read::Docker(Look::Volume("data".into()))], answers)
    }

    /// The volume is there, and used by these.
    fn there(users: &str) -> Case {
        case(&format!(
            "{UP}{DATA}\n@skep 200 http://d/volumes/data\n{users}\n@skep 200 http://d/containers/json?size=0&all=1&filters=%7B%22volume%22:%5B%22data%22%5D%7D\n"
        ))
    }

    fn absent() -> Case {
        case(&format!(
            "{UP}{{\"Volumes\":[{{\"Name\":\"data2\"}}],\"Warnings\":null}}\n@skep 200 http://d/volumes?filters=x\n\
             {{\"message\":\"get data: no such volume\"}}\n@skep 404 http://d/volumes/data\n"
        ))
    }

    fn asked(more: serde_json::Value) -> Volume {
        let mut asked = json!({"name": "data"});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        action(asked)
    }

    #[test]
    fn one_that_is_not_there_is_made_and_a_password_in_its_options_is_not_shown() {
        let nfs = asked(json!({"options": {"type": "cifs", "o": "user=x,password=hunter2"}, "labels": {"tier": 1}}));
        assert_eq!(
            absent().plan(&nfs),
            "change\n  it is not there\n    $ docker volume create --driver local --opt •••••• --opt 'type=cifs' --label 'tier=1' data"
        );
        assert_eq!(absent().plan(&asked(json!({"state": "absent"}))), "settled");
    }

    #[test]
    fn one_that_is_as_asked_is_settled() {
        assert_eq!(there("[]").plan(&asked(json!({"options": {"type": "nfs"}}))), "settled");
    }

    #[test]
    fn one_that_differs_is_never_replaced() {
        let other = asked(json!({"driver": "rclone", "options": {"o": "password=b"}, "labels": {"tier": 1}}));
        assert_eq!(
            there("[]").plan(&other),
            "refused: volume data on node1 differs, and what is in it would be lost: driver is local, asked rclone; \
             options.o is set, asked changed; labels.tier is none, asked 1\n\
             hint: ask for it as it is, or give the new one another name; if nothing in it is needed, on node1: docker volume rm data"
        );
    }

    #[test]
    fn it_is_removed_only_where_no_container_uses_it() {
        let gone = asked(json!({"state": "absent"}));
        let plan = there("[]").plan(&gone);
        assert_eq!(plan, "change\n  it is to be absent (removes)\n    $ docker volume rm data");
        let plan = there(r#"[{"Names":["/web"]},{"Names":["/db"]}]"#).plan(&gone);
        assert!(plan.starts_with("refused: volume data on node1 is used by web, db\nhint: remove what uses"), "{plan}");
        let plan = case(&format!("{UP}{DATA}\n@skep 200 /volumes/data\n")).plan(&gone);
        assert_eq!(plan, "refused: cannot read who uses volume data on node1: the host gave no answer");
    }

    #[test]
    fn what_differs_is_shown_unless_it_is_or_looks_like_a_secret() {
        let told = |field: &str, is: Option<&str>, asked: &str| {
            let Difference { is, asked, .. } = shown(field.into(), is, asked);
            format!("{is} -> {asked}")
        };
        assert_eq!(told("labels.tier", Some("db"), "web"), "db -> web");
        assert_eq!(told("labels.tier", None, "web"), "none -> web");
        assert_eq!(told("command", Some("sleep 9"), "sleep 10"), "sleep 9 -> sleep 10");
        assert_eq!(told("labels.api_token", Some("old"), "new"), "set -> changed");
        assert_eq!(told("labels.api_token", None, "new"), "none -> set");
        assert_eq!(told("command", Some("redis-server --requirepass old"), "redis-server"), "set -> changed");
        assert_eq!(told("command", Some("sh -c 'redis --requirepass old'"), "redis"), "set -> changed");
        // What `-a` means is known to that program alone; what this run was given is known here.
        let short = || told("command", Some("redis-cli -a old"), "redis-cli -a 0nly-this-run");
        assert_eq!(short(), "redis-cli -a old -> redis-cli -a 0nly-this-run");
        crate::secret::hide(&Secret::new("0nly-this-run"));
        assert_eq!(short(), "set -> changed");
    }

    #[test]
    fn another_volume_of_the_same_name_is_not_removed() {
        let volume = asked(json!({"state": "absent"}));
        let found: Found = serde_json::from_str(DATA).unwrap();
        let ran = |made: &str| {
            let docker = format!("docker() {{ if [ $2 = rm ]; then echo removed $3; else echo '{made}'; fi; }}\n");
            let script = docker + &volume.remove(&found).wire();
            let out = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
            (out.status.success(), String::from_utf8(out.stdout).unwrap())
        };
        assert_eq!(ran("2026-01-02T03:04:05Z"), (true, "removed data\n".into()));
        assert_eq!(ran("2026-01-02T09:09:09Z"), (false, String::new()));
    }
}
