//! Into structs of Rust.

use super::*;

#[test]
fn enums_are_names_or_mappings_of_one_key() {
    assert_eq!(
        read::<Vec<Restart>>("[never, unless_stopped, {on_failure: 3}, {never: }]"),
        [Restart::Never, Restart::UnlessStopped, Restart::OnFailure(3), Restart::Never]
    );
}

#[test]
fn a_mapping_may_have_numbers_as_keys() {
    assert_eq!(
        read::<BTreeMap<u16, String>>("{80: a, '443': b}"),
        BTreeMap::from([(80, "a".into()), (443, "b".into())])
    );
}

#[test]
fn places_and_nodes_are_carried_into_structs() {
    #[derive(Deserialize)]
    struct Play {
        hosts: Spanned<String>,
        ports: Vec<Spanned<u16>>,
        vars: Option<Node>,
    }
    let play: Play = read("hosts: all\nports: [80, 443]\nvars: {a: 1.10}\n");
    assert_eq!((play.hosts.as_str(), play.hosts.at.to_string().as_str()), ("all", "play.yml:1:8"));
    assert_eq!((*play.ports[1], play.ports[1].at.to_string().as_str()), (443, "play.yml:2:13"));
    assert_eq!(play.vars.as_ref().and_then(|vars| vars.get("a")).map(|a| a.at.text().to_owned()), Some("1.10".into()));
    assert!(serde_json::from_str::<Spanned<u8>>("1").is_err());
}
