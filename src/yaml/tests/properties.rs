//! What holds for any text.

use proptest::prelude::*;

use super::*;

/// Every place lies inside the text and on its characters' edges, and inside the place of what holds it.
fn places_are_sound(node: &Node) {
    let text = &node.at.source.text;
    assert!(text.get(node.at.start..node.at.end).is_some(), "{:?} in {text:?}", node.at);
    for inner in node.items().iter().chain(node.entries().iter().flat_map(|(key, value)| [key, value])) {
        places_are_sound(inner);
    }
}

/// What YAML lets stand in quotes as it is.
const PRINTABLE: &str = "[ -~\\n\\täé€😀]{0,20}";

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value as Json;
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        PRINTABLE.prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::btree_map(PRINTABLE, inner, 0..6).prop_map(Json::from_iter),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_gives_a_node_or_an_error_that_can_be_shown(text in "([ -~\\n\\t]|[äé€😀\\u{feff}\\u{85}\\r]|\\n  |: |- |\\{\\{|&a|\\*a|<<: |\\||\\[|---|!!)*") {
        match parse("fuzz.yml", text) {
            Ok(node) => {
                places_are_sound(&node);
                let _ = check_with_holes::<Step>(&node, None).map_err(|errors| Errors(errors).render(true));
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn json_comes_back_as_it_was(json in json()) {
        for text in [json.to_string(), serde_json::to_string_pretty(&json).expect("json")] {
            prop_assert_eq!(serde_json::Value::from(&node(&text)), json.clone());
        }
    }

    #[test]
    fn emitted_yaml_comes_back_as_it_was(json in json()) {
        let text = serde_yaml::to_string(&json).expect("yaml");
        prop_assert_eq!(serde_json::Value::from(&node(&text)), json, "{}", text);
    }
}
