use serde_json::json;

use super::*;
use crate::actions::slow;
use crate::actions::testing::{Case, action, mistake};
use crate::reads::{Local, Seen, Value};
use crate::remote::Output;

const UP: &str = "@skep 200 binary:/usr/bin/docker\n{\"ServerVersion\":\"29\",\"Swarm\":{\"LocalNodeState\":\"active\",\"NodeID\":\"n1\",\"ControlAvailable\":true,\"Cluster\":{\"ID\":\"c1\"}}}\n@skep 200 /info\n";
/// `web` uses s1, `api` the config c9.
const USES: &str = r#"{"Name":"web","Secrets":[{"SecretID":"s1","SecretName":"app"}],"Configs":null}
{"Name":"api","Secrets":null,"Configs":[{"ConfigID":"c9"}]}
{"Name":"plugin"}
@skep 200 uses
"#;

/// The digest that is kept of a content.
fn digest(sort: &str, name: &str, content: &str) -> String {
    let sha256 = data_encoding::HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest(content));
    slow::digest(sha256.as_bytes(), &["c1", sort, name])
}

fn row(id: &str, name: &str, made: u32, labels: serde_json::Value) -> serde_json::Value {
    json!({"ID": id, "CreatedAt": format!("2026-01-02T03:04:{made:02}Z"), "Spec": {"Name": name, "Labels": labels}})
}

/// A manager with these secrets; who uses them is known, too.
fn secrets(rows: &[serde_json::Value]) -> Case {
    known(Look::Secrets, &format!("{UP}{}\n@skep 200 http://d/secrets\n{USES}", json!(rows)))
}

fn known(look: Look, answers: &str) -> Case {
    Case::new(&["node1"]).answers("node1", &[Look::Engine, look, Look::Uses].map(Read::Docker), answers)
}

fn app() -> Secret {
    action(json!({"name": "app", "content": "hunter2", "labels": {"tier": "db"}}))
}

fn app_row(content: &str) -> serde_json::Value {
    row("s1", "app", 1, json!({"tier": "db", "skep.digest": digest("secret", "app", content)}))
}

/// Like it, and used by nobody.
fn idle_row(content: &str) -> serde_json::Value {
    let mut row = app_row(content);
    row["ID"] = json!("s2");
    row
}

#[test]
fn a_secret_is_made_on_standard_input_and_settled_then() {
    let made = "change\n  it is not there\n    $ docker secret create --label 'tier=db' --label •••••• app -";
    assert_eq!(secrets(&[row("s9", "app2", 1, json!(null))]).plan(&app()), made);
    assert_eq!(secrets(&[app_row("hunter2")]).plan(&app()), "settled");
}

#[test]
fn nobody_sees_what_is_in_it() {
    let (case, app) = (secrets(&[]), app());
    let plan = case.readings(|seen| app.plan(&case.target, seen));
    let Plan::Change(changes) = &plan else { panic!("{plan:?}") };
    let crate::actions::Does::Run(command) = &changes[0].does else { panic!("{plan:?}") };
    assert_eq!(command.input(), b"hunter2");
    assert!(command.wire().contains(&digest("secret", "app", "hunter2")) && !command.wire().contains("hunter2"));
    let told = format!("{plan:?} {app:?} {}", changes[0].does.masked());
    assert!(!told.contains("hunter2") && !told.contains(&digest("secret", "app", "hunter2")), "{told}");
    // No two swarms, sorts or names have a digest in common.
    assert_ne!(digest("secret", "app", "hunter2"), digest("config", "app", "hunter2"));
    assert_ne!(digest("secret", "app", "hunter2"), digest("secret", "ap", "hunter2"));
}

#[test]
fn one_that_differs_is_replaced_by_id_while_nothing_uses_it() {
    assert_eq!(
        secrets(&[idle_row("other")]).plan(&app()),
        "change\n  it differs, and nothing uses it (removes)\n    content: set -> changed\n    $ docker secret rm s2\n  \
         it is to be as asked\n    $ docker secret create --label 'tier=db' --label •••••• app -"
    );
    let foreign = secrets(&[row("s2", "app", 1, json!({"tier": "db"}))]).plan(&app());
    assert!(foreign.contains("content: unknown -> changed\n    $ docker secret rm s2"), "{foreign}");
    assert_eq!(
        secrets(&[app_row("other")]).plan(&app()),
        "refused: secret app is used by web, and a swarm lets none be changed: content is set, asked changed\n\
         hint: let the services take a new one: put a version into its name (`name: app_{{ version }}`), or ask for `versioned: true`"
    );
}

#[test]
fn who_uses_it_is_asked_only_where_something_would_be_removed() {
    let case = |row: serde_json::Value| {
        let answers = format!("{UP}{}\n@skep 200 http://d/secrets\n", json!([row]));
        Case::new(&["node1"]).answers("node1", &[Look::Engine, Look::Secrets].map(Read::Docker), &answers)
    };
    assert_eq!(case(app_row("hunter2")).missing(&app()), []);
    let uses = [case(app_row("x")).target.ask(Read::Docker(Look::Uses))];
    assert_eq!(case(app_row("x")).missing(&app()), uses);
    let unread = format!("{UP}{}\n@skep 200 http://d/secrets\nno permission\n@skep 1 uses\n", json!([app_row("x")]));
    let plan = known(Look::Secrets, &unread).plan(&app());
    assert_eq!(plan, "refused: cannot read which services use secret app: no permission");
}

#[test]
fn one_that_is_to_be_absent_is_removed_by_id_unless_a_service_uses_it() {
    let gone: Secret = action(json!({"name": "app", "state": "absent"}));
    assert_eq!(secrets(&[]).plan(&gone), "settled");
    let plan = secrets(&[idle_row("x")]).plan(&gone);
    assert_eq!(plan, "change\n  it is to be absent (removes)\n    $ docker secret rm s2");
    let plan = secrets(&[app_row("x")]).plan(&gone);
    assert!(plan.starts_with("refused: secret app is used by web\nhint: let the services go without it"), "{plan}");
}

#[test]
fn a_new_content_is_a_new_version_and_old_unused_ones_go() {
    let versioned: Secret = action(json!({"name": "app", "content": "hunter2", "versioned": true, "keep": 2}));
    let digest = digest("secret", "app", "hunter2");
    let name = format!("app-{}", &digest[..8]);
    let made = format!("$ docker secret create --label 'skep.name=app' --label •••••• {name} -");
    assert_eq!(
        secrets(&[row("x", "app", 9, json!(null))]).plan(&versioned),
        format!("change\n  there is no version with this content\n    {made}")
    );
    let old = |id: &str, made| row(id, &format!("app-{made}"), made, json!({"skep.name": "app"}));
    // The oldest is used, the newest of the others stays.
    let three = [old("s1", 1), old("s3", 3), old("s2", 2)];
    assert_eq!(
        secrets(&three).plan(&versioned),
        format!(
            "change\n  there is no version with this content\n    {made}\n  nothing uses app-2, and 2 are kept (removes)\n    \
             $ docker secret rm s2"
        )
    );
    let own = row("s5", &name, 4, json!({"skep.name": "app", "skep.digest": digest}));
    let case = secrets(&[own.clone(), old("s1", 1), old("s3", 3)]);
    assert_eq!(case.plan(&versioned), "settled");
    let leaves = |secret: &Secret| case.readings(|seen| secret.leaves(&case.target, seen)).map(|output| output.text());
    assert_eq!(leaves(&versioned), Some(name), "what others know it by");
    assert_eq!(leaves(&app()), Some("app".into()));
    // As many as are kept and one more, and nothing is new: to a second run nothing is left to do.
    let four = [own, old("s2", 2), old("s3", 3), old("s6", 5)];
    assert_eq!(secrets(&four).plan(&versioned), "settled");
    let gone: Secret = action(json!({"name": "app", "versioned": true, "state": "absent"}));
    assert!(secrets(&[old("s2", 2), old("s3", 3)]).plan(&gone).ends_with("$ docker secret rm s2 s3"));
    assert_eq!(leaves(&gone), Some(String::new()));
}

#[test]
fn a_version_that_a_service_uses_is_named_as_the_swarm_names_it() {
    let gone: Secret = action(json!({"name": "app", "versioned": true, "state": "absent"}));
    let version = |id: &str, name: &str| row(id, name, 1, json!({"skep.name": "app"}));
    assert_eq!(
        secrets(&[version("s1", "app-1a2b3c4d"), version("s2", "app-2a2b3c4d")]).plan(&gone),
        "refused: secret app is used by web\n\
         hint: let the services go without it first: docker service update --secret-rm app-1a2b3c4d SERVICE"
    );
}

#[test]
fn the_labels_of_a_version_change_while_nothing_uses_it_and_else_with_the_next_content() {
    let asked: Secret =
        action(json!({"name": "app", "content": "hunter2", "versioned": true, "labels": {"tier": "db"}}));
    let digest = digest("secret", "app", "hunter2");
    let own = |id: &str| {
        let labels = json!({"skep.name": "app", "skep.digest": digest, "tier": "web"});
        row(id, &format!("app-{}", &digest[..8]), 1, labels)
    };
    assert_eq!(secrets(&[own("s1")]).plan(&asked), "settled", "web uses it");
    let idle = secrets(&[own("s2")]).plan(&asked);
    let replaced =
        "change\n  it differs, and nothing uses it (removes)\n    labels.tier: web -> db\n    $ docker secret rm s2";
    assert!(idle.starts_with(replaced), "{idle}");
    // Somebody gave that name to something else.
    let foreign = row("s1", &format!("app-{}", &digest[..8]), 1, json!({}));
    let refused = secrets(&[foreign]).plan(&asked);
    let hint = format!("docker service update --secret-rm app-{} SERVICE", &digest[..8]);
    assert!(refused.starts_with("refused: secret app is used by web") && refused.ends_with(&hint), "{refused}");
}

#[test]
fn a_value_is_made_up_once_and_on_the_manager_alone() {
    let token: Secret = action(json!({"name": "app", "generate": {"bytes": 4}}));
    assert_eq!(
        secrets(&[]).plan(&token),
        "change\n  it is not there\n    $ head -c 4 /dev/urandom | od -An -v -tx1 | tr -d ' \\n' | docker secret create app -"
    );
    assert_eq!(secrets(&[row("s1", "app", 1, json!(null))]).plan(&token), "settled");
    let case = secrets(&[]);
    let plan = case.readings(|seen| token.plan(&case.target, seen));
    let Plan::Change(changes) = plan else { panic!("{plan:?}") };
    let crate::actions::Does::Run(command) = &changes[0].does else { panic!() };
    let script = format!("docker() {{ printf '%s|' \"$*\"; cat; }}\n{}", command.wire());
    let out = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
    let told = String::from_utf8(out.stdout).unwrap();
    let digits = told.strip_prefix("secret create app -|").unwrap();
    assert!(digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{told}");
}

#[test]
fn a_config_is_sent_from_a_file_of_this_machine() {
    let site: Config = action(json!({"name": "site", "src": "site.conf"}));
    assert_eq!(site.sends(), [Sent { named_by: &["src"], path: "site.conf".into(), is_folder: false }]);
    let local = |size| {
        let local = Local { sha256: "ab".repeat(32), size };
        (Read::Local("/playbooks/site.conf".into()), Seen::Is(Value::Local(local)))
    };
    let case = |size| {
        let (read, seen) = local(size);
        known(Look::Configs, &format!("{UP}[]\n@skep 200 http://d/configs\n{USES}")).seen(WORKSTATION, read, seen)
    };
    let plan = case(10).plan(&site);
    assert_eq!(plan, "change\n  it is not there\n    send | docker config create --label •••••• site -");
    let plan = case(0).plan(&site);
    assert!(plan.starts_with("refused: config site would be empty"), "{plan}");
    let plan = case(1_024_001).plan(&site);
    assert!(plan.starts_with("refused: config site would have 1024001 bytes, and a swarm takes 1000 KiB at"), "{plan}");
}

#[test]
fn a_template_is_what_it_was_rendered_to() {
    let mut site: Config = action(json!({"name": "site", "template": "site.j2"}));
    let case = known(Look::Configs, &format!("{UP}[]\n@skep 200 http://d/configs\n{USES}"));
    assert_eq!(case.plan(&site), "refused: cannot read the template: it was not rendered");
    assert_eq!(site.template(), Some("site.j2"));
    site.set_rendered("port 80".into());
    let row = row("c9", "site", 1, json!({"skep.digest": digest("config", "site", "port 80")}));
    let case = known(Look::Configs, &format!("{UP}{}\n@skep 200 http://d/configs\n{USES}", json!([row])));
    assert_eq!(case.plan(&site), "settled");
    site.set_rendered("port 81".into());
    assert!(case.plan(&site).starts_with("refused: config site is used by api, and a swarm"));
}

#[test]
fn where_no_swarm_is_controlled_there_is_none() {
    let worker = UP.replace("true", "false");
    let plan = known(Look::Secrets, &worker).plan(&app());
    assert!(plan.starts_with("refused: node1 does not control a swarm, and secrets are kept where it is"), "{plan}");
    let gone: Secret = action(json!({"name": "app", "state": "absent"}));
    assert!(known(Look::Secrets, &worker).plan(&gone).starts_with("refused: node1 does not control"));
    assert_eq!(known(Look::Secrets, &worker.replace("active", "inactive")).plan(&gone), "settled");
    let denied = format!("{UP}{{\"message\":\"rpc error\"}}\n@skep 500 http://d/secrets\n");
    let plan = known(Look::Secrets, &denied).plan(&app());
    assert_eq!(plan, "refused: cannot read the secrets of the swarm on node1: rpc error");
}

#[test]
fn what_cannot_be_asked_together_is_named() {
    let wrong = |more: serde_json::Value| {
        let mut asked = json!({"name": "app"});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        mistake::<Secret>(asked)
    };
    assert_eq!(wrong(json!({})), "`secret` takes one of `content`, `src`, `template` and `generate`");
    assert!(wrong(json!({"content": "a", "src": "b"})).starts_with("`secret` takes one of"));
    assert_eq!(wrong(json!({"content": "a", "state": "absent"})), "what is to be absent has no content");
    assert!(wrong(json!({"generate": {}, "versioned": true})).contains("it has no versions"));
    assert!(wrong(json!({"content": "a", "keep": 2})).contains("it needs `versioned: true`"));
    assert!(wrong(json!({"content": "a", "keep": 0, "versioned": true})).contains("must be 1 or more"));
    assert!(wrong(json!({"content": "a", "labels": {"skep.digest": "x"}})).contains("skep's own"));
    assert!(mistake::<Config>(json!({"name": "a", "generate": {}})).contains("unknown field `generate`"));
}

/// The real script of the reads, with an engine that has a large config.
#[test]
fn what_is_in_a_config_is_not_read() {
    let parts = crate::reads::parts([Read::Docker(Look::Configs)]);
    let row = r#"[{"ID":"c1","Spec":{"Name":"a","Labels":{"Data":"kept"},"Data":"aHVudGVyMg=="}},{"ID":"c2","Spec":{"Name":"b","Labels":null,"Data":"aHVudGVyMg=="}}]"#;
    let curl = format!(
        "curl() {{ for url; do :; done; case $url in */configs) printf '%s' '{row}' ;; *) printf '%s' '{}' ;; esac; printf '\\n@skep 200 %s\\n' \"$url\"; }}\ndocker() {{ :; }}\n",
        UP.lines().nth(1).unwrap()
    );
    let out = std::process::Command::new("sh").arg("-c").arg(curl + &parts[0].script).output().unwrap();
    let told = String::from_utf8(out.stdout).unwrap();
    assert!(told.contains(r#""Labels":{"Data":"kept"}}"#) && !told.contains("aHVudGVyMg"), "{told}");
    let seen = (parts[0].understand)(&parts[0].reads, &Output { code: 0, stdout: told.into(), stderr: vec![] });
    let Seen::Is(Value::Docker(crate::reads::docker::Found::Configs(all))) = &seen[0] else { panic!("{seen:?}") };
    assert_eq!(all.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}
