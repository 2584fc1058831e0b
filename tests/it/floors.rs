//! The house stands: a module uses only the floors below its own. The floors are read from the map in `src/lib.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Module to floor: the rows `//! | 2 | [`remote`] | …` of the map.
fn floors() -> BTreeMap<String, u32> {
    let map = fs::read_to_string(source().join("lib.rs")).unwrap();
    let mut floors = BTreeMap::new();
    for row in map.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let mut cells = row.split('|').map(str::trim);
        let (Some(Ok(floor)), Some(modules)) = (cells.next().map(str::parse), cells.next()) else { continue };
        floors.extend(modules.split(',').map(|name| (name.trim().trim_matches(['[', ']', '`']).to_owned(), floor)));
    }
    floors
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    below.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The module of the house that a file belongs to: `src/remote/ssh/exec.rs` to `remote`.
fn module(file: &Path) -> String {
    let inside = file.strip_prefix(source()).unwrap();
    Path::new(inside.components().next().unwrap().as_os_str()).file_stem().unwrap().to_string_lossy().into_owned()
}

/// The modules that code names: `crate::remote::…`, and `crate::{remote, yaml::Node}`.
fn used(code: &str) -> Vec<String> {
    let name = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let named = code.split("crate::").skip(1).flat_map(|after| match after.strip_prefix('{') {
        Some(list) => list.split(';').next().unwrap_or(list).split(',').map(name).collect(),
        None => vec![name(after)],
    });
    named.collect()
}

/// What breaks the rule, as sentences.
fn violations(floors: &BTreeMap<String, u32>, module: &str, code: &str) -> Vec<String> {
    let own = floors[module];
    let above = |used: &String| used != module && floors.get(used).is_some_and(|floor| *floor >= own);
    used(code).into_iter().filter(above).map(|used| format!("{module} (floor {own}) uses {used}")).collect()
}

#[test]
fn every_module_is_on_the_map() {
    let floors = floors();
    let modules: Vec<_> = files(&source()).iter().map(|file| module(file)).collect();
    let missing: Vec<_> = modules.iter().filter(|name| !["lib", "main"].contains(&name.as_str())).collect();
    assert!(missing.iter().all(|name| floors.contains_key(*name)), "{missing:?} against {floors:?}");
    assert!(
        floors.keys().all(|name| modules.contains(name)),
        "the map of src/lib.rs names what is not there: {floors:?}"
    );
}

#[test]
fn modules_use_only_the_floors_below_their_own() {
    let floors = floors();
    let wrong: Vec<_> = files(&source())
        .iter()
        .filter(|file| floors.contains_key(&module(file)))
        .flat_map(|file| {
            let found = violations(&floors, &module(file), &fs::read_to_string(file).unwrap());
            found.into_iter().map(|what| format!("{}: {what}", file.display())).collect::<Vec<_>>()
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_use_of_a_floor_above_or_of_a_sibling_is_seen() {
    let floors = BTreeMap::from([("cli".into(), 3), ("report".into(), 2), ("engine".into(), 2), ("yaml".into(), 0)]);
    let seen = |code| violations(&floors, "engine", code);
    assert_eq!(seen("use crate::yaml::Node; use crate::engine::run;"), [""; 0]);
    assert_eq!(seen("let x = crate::cli::main();"), ["engine (floor 2) uses cli"]);
    assert_eq!(seen("use crate::{report::Plain, yaml};"), ["engine (floor 2) uses report"]);
    assert_eq!(seen("/// See [`crate::cli`]."), [""; 0], "a page may point anywhere");
}
