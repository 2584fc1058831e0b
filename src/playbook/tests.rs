//! What playbooks say, what is wrong with them, and what a step comes to on a host.

use std::path::Path;

use schemars::{JsonSchema, Schema};
use serde::Deserialize;

mod bounds;
mod files;
mod fuzz;

use super::*;
use crate::actions::testing::host;
use crate::actions::{Action, Ask, Kind, LineOptions, Object, Plan, Target};
use crate::inventory::Inventory;
use crate::reads::Readings;
use crate::yaml;

/// An action with a line of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
struct Line {
    line: String,
    #[serde(skip)]
    options: LineOptions,
}

impl Action for Line {
    fn describe(&self) -> String {
        format!("{} {:?}", self.line, self.options)
    }

    fn reads(&self, _: &Target, _: &Readings<'_>) -> Vec<Ask> {
        Vec::new()
    }

    fn plan(&self, _: &Target, _: &Readings<'_>) -> Plan {
        Plan::Settled
    }

    fn set_line(&mut self, line: LineOptions) {
        self.options = line;
    }
}

/// An action with a state.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Thing {
    name: String,
    #[serde(default)]
    size: Option<u32>,
    #[serde(default)]
    tags: Vec<String>,
}

impl Action for Thing {
    fn describe(&self) -> String {
        format!("{} {:?} {:?}", self.name, self.size, self.tags)
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "thing", name: self.name.clone() })
    }

    fn reads(&self, _: &Target, _: &Readings<'_>) -> Vec<Ask> {
        Vec::new()
    }

    fn plan(&self, _: &Target, _: &Readings<'_>) -> Plan {
        Plan::Settled
    }
}

const fn kind<T: Action + serde::de::DeserializeOwned + JsonSchema + 'static>(name: &'static str, line: bool) -> Kind {
    Kind { name, parse: parse::<T>, check: check_params::<T>, schema: schema::<T>, line, says: line }
}

fn parse<T: Action + serde::de::DeserializeOwned + 'static>(node: &yaml::Node) -> Result<Box<dyn Action>, yaml::Error> {
    Ok(Box::new(yaml::from_node::<T>(node)?))
}

fn check_params<T: Action + serde::de::DeserializeOwned + 'static>(
    node: &yaml::Node,
    name: &str,
) -> Result<Option<Box<dyn Action>>, Vec<yaml::Error>> {
    Ok(yaml::check_with_holes::<T>(node, Some(name))?.map(|action| Box::new(action) as Box<dyn Action>))
}

fn schema<T: JsonSchema>() -> Schema {
    schemars::SchemaGenerator::default().into_root_schema_for::<T>()
}

static TABLE: &[Kind] = &[kind::<Line>("line", true), kind::<Thing>("thing", false)];

/// Nothing is run for a text that may be anything.
fn refuse(line: &str, _: &Path) -> Result<String, String> {
    Err(format!("is not run here: {line}"))
}

fn load(text: &str) -> Result<Playbook, yaml::Errors> {
    let node = yaml::parse(Path::new("book/site.yml"), text.to_owned())?;
    Playbook::with(&node, TABLE, refuse)
}

fn loaded(text: &str) -> Playbook {
    load(text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A playbook of one play with these steps, each given from its dash on.
fn with_steps(steps: &str) -> String {
    let indented: String = steps.lines().map(|line| format!("      {line}\n")).collect();
    format!("plays:\n  - hosts: all\n    steps:\n{indented}")
}

fn hosts() -> Arc<Inventory> {
    let hosts = [host("node1", &["managers"]), host("node2", &["workers"]), host("node3", &["workers"])];
    Arc::new(Inventory::of(hosts.to_vec()))
}

/// What the playbook's steps come to on a host, line by line.
fn jobs(text: &str, known: Known, on: &str) -> Vec<String> {
    let playbook = loaded(text);
    let world = Ground::new(&playbook, hosts(), Vars::default());
    let host = world.host(on).expect("one of the hosts").clone();
    let known = Arc::new(known);
    let resolved = |play: &Play, step: &Step| match step.resolve(&Scope::new(&world, &known, &host, play)) {
        Ok(jobs) => jobs.iter().map(told).collect::<Vec<_>>(),
        Err(Unresolved::Undefined { name, error }) => vec![format!("undefined {name}: {error}")],
        Err(Unresolved::Invalid(error)) => vec![error.to_string()],
    };
    playbook
        .plays
        .iter()
        .flat_map(|play| play.steps.iter().flat_map(|step| resolved(play, step)).collect::<Vec<_>>())
        .collect()
}

fn told(job: &Job) -> String {
    let item = job.item.as_ref().map(|item| format!(" ({item})")).unwrap_or_default();
    let on = job.on.as_ref().map(|on| format!(" on {on}")).unwrap_or_default();
    format!("{}{item}{on}", job.action.describe())
}

/// One step of `thing`, whose name is the template.
fn rendered(template: &str) -> String {
    let quoted = serde_json::to_string(template).expect("a text has a JSON form");
    let text = format!(
        "vars: {{ a: 1, b: '{{{{ a + 1 }}}}', v: 1.10, yes: true, l: [1, x] }}\n{}",
        with_steps(&format!("- line: {quoted}"))
    );
    jobs(&text, Known::default(), "node1").join("\n")
}

#[test]
fn every_mistake_is_told_at_its_place() {
    let cases = [
        ("not a mapping", "hello"),
        ("a list of plays, as Ansible has it", "- hosts: all\n  tasks: []"),
        ("empty", ""),
        ("no plays", "name: x"),
        ("unknown key at the top", "plays: []\nvar: {}"),
        ("a play without hosts and with tasks", "plays:\n  - name: x\n    tasks: []"),
        ("a play that is a text", "plays: [x]"),
        ("serial", "plays: [{ hosts: all, serial: many, steps: [] }, { hosts: all, serial: 120%, steps: [] }]"),
        ("unknown action", &with_steps("- name: x\n  thnig: { name: x }")),
        ("unknown action, nothing near", &with_steps("- name: x\n  frobnicate: { name: x }")),
        ("no action", &with_steps("- name: x\n  when: a")),
        ("two actions", &with_steps("- name: x\n  line: x\n  thing: { name: x }")),
        ("unknown step key", &with_steps("- line: x\n  wen: a\n  zzzzzzz: 1")),
        ("duplicate id by name", &with_steps("- name: Do it\n  line: x\n- name: do  it!\n  line: y")),
        ("an id that cannot be typed", &with_steps("- id: a b\n  line: x")),
        ("line keys", &with_steps("- thing: { name: x }\n  changes: false\n  register: out")),
        (
            "wrong types",
            &with_steps(
                "- line: x\n  timeout: 3 days\n  ignore_errors: maybe\n  retries: -1\n  tags: { a: b }\n  vars: [a]\n  loop: 3",
            ),
        ),
        ("bad variable names", &with_steps("- line: x\n  register: a-b\n  vars: { item: 1, 2x: 3 }")),
        ("malformed templates", &with_steps("- line: 'a {{ b'\n  when: a ==\n  loop: '{{ 1 + }}'")),
        ("a condition in braces", &with_steps("- line: x\n  when: '{{ a }}'")),
        ("a step that is nothing", &with_steps("-")),
        (
            "everything at once",
            &with_steps("- nope: 1\n- line: x\n  timeout: soon\n- name: a\n  line: x\n- name: a\n  line: y"),
        ),
    ];
    let told = cases
        .map(|(name, text)| format!("=== {name}\n{}", load(text).map_or_else(|e| e.to_string(), |_| "fine".into())));
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn a_playbook_is_read_whole() {
    let text = "name: Site\nplays:\n  - name: One\n    hosts: all\n    tags: [base]\n    become: false\n    serial: 50%\n    steps:\n      \
                - name: Say Hello, World!\n        line: echo\n        timeout: 1m30s\n        tags: hello\n        become: true\n      \
                - id: second\n        hosts: leader\n        thing: { name: x }\n";
    let playbook = loaded(text);
    assert_eq!((playbook.name.as_str(), playbook.folder.as_path()), ("Site", Path::new("book")));
    assert_eq!(playbook.plays[0].serial, [Serial::Percent(50)]);
    let [first, second] = playbook.plays[0].steps.as_slice() else { panic!("two steps") };
    assert_eq!((first.id.as_str(), first.timeout), ("say-hello-world", Some(Duration::from_secs(90))));
    assert_eq!((first.tags.join(","), first.become_root), ("base,hello".into(), Some(true)));
    assert_eq!((second.id.as_str(), second.name.as_str(), second.become_root), ("second", "thing", Some(false)));
}

#[test]
fn a_batch_is_never_empty() {
    assert_eq!([Serial::Percent(10).batch(3), Serial::Percent(50).batch(5), Serial::Count(2).batch(9)], [1, 2, 2]);
}

#[test]
fn texts_are_rendered_as_yaml_writes_values() {
    let cases = [
        "{{ a }} {{ b }} {{ v }} {{ yes }} {{ l }}",
        "{{ v }}",
        "{{ l | join('-') }}\n",
        "{% if yes %}\nx\n{% endif %}\n",
        "plain {",
    ];
    let told = cases.map(rendered);
    assert_eq!(rendered("{{ a }}\n").split(" Line").next(), Some("1\n"), "a text that ends its line is a text");
    assert_eq!(
        told[0],
        r#"1 2 1.10 true [1,"x"] LineOptions { changes: None, creates: None, unless: None, environment: [], timeout: None }"#
    );
    assert!(told[1].starts_with("1.10 "), "{}", told[1]);
    assert!(told[2].starts_with("1-x\n "), "{}", told[2]);
    assert!(told[3].starts_with("x\n "), "{}", told[3]);
    assert!(told[4].starts_with("plain { "), "{}", told[4]);
}

#[test]
fn a_lone_template_keeps_its_type() {
    let text = format!(
        "vars: {{ n: 3, l: [x, y] }}\n{}",
        with_steps("- thing: { name: z, size: '{{ n * 2 }}', tags: '{{ l }}' }")
    );
    assert_eq!(jobs(&text, Known::default(), "node1"), ["z Some(6) [\"x\", \"y\"]"]);
}

#[test]
fn filters_do_what_their_names_say() {
    let cases = [
        ("{{ \"it's\" | quote }}", "\"it's\""),
        ("{{ '/a/b.txt' | basename }}{{ '/a/b.txt' | dirname }}", "b.txt/a"),
        ("{{ 'x' | b64encode }}{{ 'eA==' | b64decode }}", "eA==x"),
        ("{{ 'no' | bool }}{{ 'true' | bool }}{{ 1 | bool }}", "falsetruetrue"),
        ("{{ '[1, 2]' | from_json | last }}{{ l | to_json }}", "2[1,\"x\"]"),
        ("{{ [1, true, 'x'] | join('-') }}{{ false | string }}", "1-true-xfalse"),
        (
            "{{ '1h30m' | seconds + 1 }} {{ 5400 | duration }} {{ '1.5g' | bytes }} {{ 2147483648 | size }}",
            "5401 1h30m 1610612736 2g",
        ),
        ("{{ nope | default('d') }}", "d"),
        ("{{ ['node2'] | map('extract', hostvars) | map(attribute='inventory_hostname') | join }}", "node2"),
    ];
    for (template, wanted) in cases {
        let told = rendered(template);
        assert!(told.starts_with(&format!("{wanted} LineOptions")), "{template} gives {told}");
    }
}

#[test]
fn what_goes_wrong_in_an_expression_is_told_at_its_place() {
    let cases = [
        "x {{ nope }}",
        "{{ aa }}",
        "{{ l.x.y }}",
        "{{ a | nofilter }}",
        "{{ a + l }}",
        "{{ nothing() }}",
        "{{ 'x' | b64decode }}",
        "{{ facts.cores }}",
        "{{ hostvars.node2.facts.cores }}",
        "{{ facts.coers }}",
        "{{ leader }}",
        "{{ item }}",
        "{{ hostvars.node9.a }}",
        "{{ 'x' | bool }} y",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    ];
    let told = cases.map(|template| format!("=== {template}\n{}", rendered(template)));
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn variables_of_variables_are_told_where_they_are_written() {
    let vars = "vars:\n  a: '{{ b }}'\n  b: '{{ a }}'\n  c: '{{ missing }}'\n  d: [1, { e: '{{ c }}' }]\n";
    let text = format!(
        "{vars}{}",
        with_steps("- line: '{{ a }}'\n- line: '{{ d }}'\n- line: '{{ d[0] }}'\n  when: a is defined")
    );
    insta::assert_snapshot!(jobs(&text, Known::default(), "node1").join("\n\n"));
}

#[test]
fn conditions_are_true_or_false() {
    let steps = "- line: one\n  when: 1 == 1\n- line: two\n  when: \"'node1' in groups.workers\"\n- line: three\n  when: 1\n- line: four\n  when: \"'no'\"";
    insta::assert_snapshot!(jobs(&with_steps(steps), Known::default(), "node1").join("\n\n"));
}

#[test]
fn a_loop_is_a_job_for_each_item_whose_condition_holds() {
    let steps = "- thing: { name: 'x{{ item }}' }\n  loop: '{{ range(3) }}'\n  when: item != 1\n\
                 - thing: { name: '{{ item.name }}' }\n  loop: [{ name: a, size: 1 }]\n- thing: { name: x }\n  loop: '{{ play }}'";
    insta::assert_snapshot!(jobs(&with_steps(steps), Known::default(), "node1").join("\n"));
}

#[test]
fn what_is_registered_and_known_is_seen_by_its_host_and_by_others() {
    let mut known = Known { leader: Some("node1".into()), ..Known::default() };
    known.facts.insert("node2".into(), serde_json::json!({ "cores": 4 }));
    let output = crate::remote::Output { code: 0, stdout: b"{\"x\": 7}\n".to_vec(), stderr: Vec::new() };
    let ending = Ending { outcome: crate::event::Outcome::Changed, output: Some(&output), item: None };
    known.register("node2", "out", false, &[ending]);
    let steps = "- thing: { name: '{{ out.json.x }}{{ leader }}{{ facts.cores }}{{ host.groups[0] }}' }\n  on: leader\n\
                 - thing: { name: '{{ host(''node2'').out.stdout }}{{ hostvars.node2.facts.cores }}' }";
    assert_eq!(
        jobs(&with_steps(steps), known.clone(), "node2"),
        ["7node14workers None [] on node1", "{\"x\": 7}4 None []"]
    );
    let told = jobs(&with_steps(steps), known, "node1");
    assert!(told[0].starts_with("undefined out: "), "{told:?}");
    assert_eq!(told[1], "{\"x\": 7}4 None []");
}

#[test]
fn the_stronger_variable_wins() {
    let node = |text: &str| yaml::parse("x", text.to_owned()).expect("it is YAML");
    let var = |name: &str, text: &str| (name.to_owned(), node(text));
    let mut with_vars = (*host("node1", &[])).clone();
    with_vars.vars = ["a", "b", "c", "d", "e"].map(|name| var(name, "inventory")).to_vec();
    let text = "vars: { a: book, z: book }\nplays:\n  - hosts: all\n    vars: { b: play, c: play, d: play, e: play }\n    steps:\n      \
                - thing: { name: '{{ [z, a, b, c, d, e] | join(\" \") }}' }\n        vars: { c: step, d: step, e: step }\n";
    let playbook = loaded(text);
    let world = Ground::new(
        &playbook,
        Arc::new(Inventory::of(vec![Arc::new(with_vars)])),
        Arc::new(vec![("e".into(), Var::Value(var("e", "extra").1))]),
    );
    let mut known = Known::default();
    known.registered.insert("node1".into(), [("d".to_owned(), "kept".into()), ("e".to_owned(), "kept".into())].into());
    let play = &playbook.plays[0];
    let jobs = play.steps[0]
        .resolve(&Scope::new(&world, &Arc::new(known), &world.inventory.hosts[0], play))
        .expect("it resolves");
    assert_eq!(jobs[0].action.describe(), "book inventory play step kept extra None []");
}

#[test]
fn selections_take_what_they_say() {
    let steps = "- id: a\n  line: x\n  tags: [t]\n- id: b\n  line: x\n- id: c\n  line: x\n  tags: [t, u]";
    let playbook = loaded(&with_steps(steps));
    let s = |text: &str| Some(text.to_owned());
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let ids = |selection: Selection| {
        selection.ids(&playbook).map(|ids| ids.join(" ")).unwrap_or_else(|error| error.to_string())
    };
    let none = Selection::default;
    assert_eq!(ids(none()), "a b c");
    assert_eq!(ids(Selection { steps: list(&["c", "a"]), ..none() }), "a c");
    assert_eq!(ids(Selection { from: s("b"), ..none() }), "b c");
    assert_eq!(ids(Selection { until: s("b"), ..none() }), "a b");
    assert_eq!(ids(Selection { tags: list(&["t"]), until: s("b"), ..none() }), "a");
    let wrong = [
        Selection { steps: list(&["d"]), ..none() },
        Selection { from: s("c"), until: s("a"), ..none() },
        Selection { tags: list(&["v"]), ..none() },
        Selection { tags: list(&["u"]), steps: list(&["b"]), ..none() },
    ];
    insta::assert_snapshot!(wrong.map(ids).join("\n\n"));
}

/// The names of a pattern's hosts, or what is wrong with it.
fn placed(pattern: &str, leader: Option<&str>) -> String {
    let playbook = loaded(&format!("vars: {{ who: workers }}\nplays:\n  - hosts: \"{pattern}\"\n    steps: []"));
    let world = Ground::new(&playbook, hosts(), Vars::default());
    let known = Known { leader: leader.map(str::to_owned), ..Known::default() };
    match Scope::without_host(&world, &Arc::new(known)).hosts(&playbook.plays[0].hosts) {
        Ok(hosts) => hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn patterns_are_rendered_and_know_the_leader() {
    assert_eq!(placed("all", None), "node1 node2 node3");
    assert_eq!(placed("{{ who }}[0]:managers", None), "node1 node2");
    assert_eq!(placed("all:!{{ who }}[-1]", None), "node1 node2");
    assert_eq!(placed("leader", Some("node3")), "node3");
    insta::assert_snapshot!([placed("leader", None), placed("workrs", None), placed("{{ whom }}", None)].join("\n\n"));
}

#[test]
fn index_counts_the_hosts_of_the_step() {
    let text = "plays:\n  - hosts: all\n    steps:\n      - thing: { name: '{{ index }}' }\n      - hosts: workers\n        thing: { name: '{{ index }}' }\n";
    assert_eq!(jobs(text, Known::default(), "node3"), ["2 None []", "1 None []"]);
}

#[test]
fn steps_without_a_name_are_numbered() {
    let playbook = loaded(&with_steps("- line: x\n- id: line-2\n  line: x\n- line: x"));
    assert_eq!(playbook.steps().map(|step| step.id.as_str()).collect::<Vec<_>>(), ["line", "line-2", "line-3"]);
}

/// What `skep check` says of a playbook for the three hosts.
fn checked(text: &str) -> String {
    check(&loaded(text), &hosts(), &Vars::default()).map_or_else(|errors| errors.to_string(), |()| "fine".into())
}

#[test]
fn check_tells_what_can_be_known_beforehand() {
    let cases = [
        ("fine, with what only a run knows", with_steps("- line: id\n  register: out\n- line: '{{ out.stdout }}{{ leader }}{{ facts.boot_id }}{{ facts.node_id }}'\n  when: facts.cores > 1")),
        ("fine, with defaults", with_steps("- line: \"{{ nope | default('x') }}\"\n  when: nope is not defined")),
        ("parameters", with_steps("- thing: { nam: x, size: '{{ facts.cores }}', tags: 3 }")),
        ("undefined in parameters, once for all hosts", with_steps("- thing: { name: 'x{{ fcts.cores }}' }")),
        ("undefined elsewhere", with_steps("- line: x\n  when: a and b\n  loop: '{{ c }}'\n  vars: { d: '{{ e }}' }\n  creates: '/{{ f }}'")),
        ("registered on others", with_steps("- line: id\n  hosts: node1\n  register: out\n- line: '{{ out.stdout }}'\n- line: '{{ host(\"node1\").out.stdout }}{{ out | default(1) }}'")),
        ("registered too late", with_steps("- line: '{{ out.stdout }}'\n- line: id\n  register: out")),
        ("undefined in the defaults", format!("vars: {{ a: '{{{{ bb }}}}', b: 1 }}\n{}", with_steps("- line: x"))),
        ("item without a loop", with_steps("- line: '{{ item }}'")),
        ("a rendered value of the wrong type", with_steps("- thing: { name: x, size: \"{{ 'many' }}\" }")),
        ("an unknown attribute", with_steps("- line: '{{ host.adress }}'")),
        ("patterns", "plays:\n  - hosts: wrokers\n    steps: []\n  - hosts: all\n    steps:\n      - hosts: workers:!all\n        line: x\n      - hosts: workers[7]\n        line: x".into()),
        ("two owners", with_steps("- name: one\n  thing: { name: x, size: 1 }\n- name: two\n  thing: { name: x, size: 2 }\n- name: three\n  thing: { name: x, size: 1 }")),
        ("two steps, each with its hosts", with_steps("- name: one\n  hosts: workers\n  thing: { name: x, size: 1 }\n- name: two\n  hosts: managers\n  thing: { name: x, size: 2 }")),
    ];
    let told = cases.map(|(name, text)| format!("=== {name}\n{}", checked(&text)));
    insta::assert_snapshot!(told.join("\n\n"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(text in r#"(?s)(plays:|- |hosts: all|steps:|line: |thing: |name: x|when: |loop: |\{\{ |a | \}\}|\{% if %\}|timeout: |ä|\n  |\n    |\n      |: |\[|\]|"|'){0,30}"#) {
        if let Ok(playbook) = load(&text) {
            let _ = check(&playbook, &hosts(), &Vars::default());
        }
    }

    #[test]
    fn no_step_makes_check_panic(value in r#"(\{\{|\}\}|\{%|%\}| |a|item|host|facts|\.|\[|\]|\||~|1|'|x|ö|-|set|for|in){0,12}"#) {
        let quoted = serde_json::to_string(&value).expect("a text has a JSON form");
        let text = with_steps(&format!("- line: {quoted}\n  when: {quoted}\n- line: {quoted}\n- thing: {{ name: {quoted} }}\n  hosts: {quoted}"));
        if let Ok(playbook) = load(&text) {
            let _ = check(&playbook, &hosts(), &Vars::default());
        }
    }
}

/// The actions that ship; a name that is not among them yet takes anything.
fn actions_for(text: &str) -> &'static [Kind] {
    let stand_in = |name: &'static str| kind::<serde_json::Value>(name, false);
    let missing = ["docker_engine", "image", "swarm", "wait_for"].into_iter();
    let missing = missing.filter(|name| text.contains(name) && crate::actions::kind(name).is_none()).map(stand_in);
    let shipped = crate::actions::TABLE.iter().map(|k| Kind { ..*k });
    Box::leak(shipped.chain(missing).collect::<Vec<_>>().into_boxed_slice())
}

impl Action for serde_json::Value {
    fn describe(&self) -> String {
        self.to_string()
    }

    fn reads(&self, _: &Target, _: &Readings<'_>) -> Vec<Ask> {
        Vec::new()
    }

    fn plan(&self, _: &Target, _: &Readings<'_>) -> Plan {
        Plan::Settled
    }
}

/// What is wrong with a playbook that ships, used with an inventory that ships.
fn shipped(playbook: &str, inventory: &str) -> Vec<yaml::Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join(playbook);
    let text = std::fs::read_to_string(&path).expect("the playbook is there");
    let inventory =
        crate::inventory::Inventory::load(&root.join(inventory)).unwrap_or_else(|errors| panic!("{errors}"));
    let node = yaml::parse(&path, text.clone()).unwrap_or_else(|error| panic!("{error}"));
    let playbook = Playbook::with(&node, actions_for(&text), refuse).unwrap_or_else(|errors| panic!("{errors}"));
    check(&playbook, &inventory.into(), &Vars::default()).map_or_else(|errors| errors.0, |()| Vec::new())
}

#[test]
fn what_ships_is_right() {
    // `carry` is what the playbook asks of `file` next.
    let wanted = |error: &yaml::Error| error.message == "unknown key `carry` in `file`";
    let wrong: Vec<_> =
        shipped("playbooks/spark.yml", "inventory/cloud.example.yml").into_iter().filter(|e| !wanted(e)).collect();
    assert!(wrong.is_empty(), "{}", yaml::Errors(wrong));
}
