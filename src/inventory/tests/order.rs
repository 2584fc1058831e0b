//! Whose word weighs more, and who is in which group.

use super::super::{resolve, tree as drafts};
use super::*;

#[test]
fn groups_weigh_by_depth_then_priority_then_name() {
    let text = "
all:
  vars: {x: all}
  children:
    zoo: {hosts: [a, b, c], vars: {x: zoo}}
    ape: {hosts: [a, b, c], vars: {x: ape, ansible_group_priority: 0}, children: {deep: {hosts: [c]}}}
    bee: {hosts: [b], vars: {x: bee, ansible_group_priority: 10}}
    deep: {vars: {x: deep, ansible_group_priority: -5}}
";
    let tree = tree(text);
    let values: Vec<_> = tree.hosts.iter().map(|host| value(host, "x")).collect();
    assert_eq!(values, ["zoo", "bee", "deep"]);
    assert!(tree.hosts.iter().all(|host| host.vars.len() == 1), "the priority is no variable");
    let wrong = mistakes("all: {children: {a: {vars: {ansible_group_priority: high}}}}");
    assert!(wrong.contains("`ansible_group_priority` is a whole number"), "{wrong}");
}

#[test]
fn who_said_what_is_kept() {
    let tree = tree(TREE);
    let told = |layer: &Layer| {
        let one = |setting: &Setting| {
            format!("{}={}@{}", setting.name, setting.node.at.text(), setting.node.at.line_column().0)
        };
        format!("{}: {}", layer.from, layer.settings.iter().map(one).collect::<Vec<_>>().join(" "))
    };
    let layers: Vec<_> = tree.hosts[2].layers.iter().map(|layer| told(layer)).collect();
    assert_eq!(
        layers,
        [
            "group all: user=ubuntu@3 port=2222@3 version=1.10@3",
            "group workers: ansible_become=false@11",
            "group big: become=true@12 size=2@12",
            "host: identity_file=keys/id@12"
        ]
    );
}

#[test]
fn empty_groups_are_groups_and_hosts_without_one_are_ungrouped() {
    let tree = tree("all: {hosts: [a, b], children: {web: {hosts: [b]}, db: , ungrouped: {hosts: [b], vars: {x: 1}}}}");
    let group = |name| tree.group(name).map(|group| group.hosts.join(" "));
    assert_eq!((group("web"), group("db"), group("ungrouped")), (Some("b".into()), Some("".into()), Some("a".into())));
    assert_eq!((value(&tree.hosts[0], "x"), value(&tree.hosts[1], "x")), ("1".into(), "".into()));
    assert!(
        Pattern::parse("db")
            .and_then(|pattern| tree.select(&pattern))
            .is_err_and(|why| { matches!(why, PatternError::Empty(_)) })
    );
}

/// Four times the hosts and groups take about four times as long, and not sixteen times.
#[test]
fn many_hosts_cost_as_much_more_as_they_are() {
    let text = |hosts: usize| {
        let groups = (0..hosts / 10).map(|group| {
            format!("    g{group}: {{hosts: {{'n[{}:{}]': }}, vars: {{x: 1}}}}\n", group * 10, group * 10 + 9)
        });
        format!("all:\n  children:\n{}", groups.collect::<String>())
    };
    let time = |hosts: usize| {
        let root = crate::yaml::parse("x", text(hosts)).unwrap();
        let since = std::time::Instant::now();
        let mut whole = drafts::Tree::default();
        whole.add(&root);
        assert_eq!(resolve::resolve(whole).unwrap().hosts.len(), hosts);
        since.elapsed()
    };
    let ratio = || time(8_000).as_secs_f64() / time(2_000).as_secs_f64();
    let ratios: Vec<f64> = (0..5).map(|_| ratio()).collect();
    assert!(ratios.iter().any(|ratio| *ratio < 8.0), "{ratios:?}");
}
