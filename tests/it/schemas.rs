//! What the schemas are tried on means the same to `skep` itself: `scripts/test lint` lets a validator judge these very files.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

/// The files of a folder of tests/it/schemas, but for lists of steps: those are read by what includes them.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/schemas").join(folder);
    let all = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    all.filter(|path| !stem(path).starts_with("steps")).collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// What `skep check` ends with, and what it says.
fn checked(file: &Path) -> (Option<i32>, String) {
    let inventory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/schemas/right/inventory.yml");
    let mut skep = Command::cargo_bin("skep").expect("the binary");
    skep.arg("check").env("SKEP_TEST_TOKEN", "no secret at all");
    match stem(file).starts_with("inventory") {
        true => skep.arg("-i").arg(file),
        false => skep.arg(file).arg("-i").arg(inventory),
    };
    let output = skep.output().expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_the_schemas_take_is_taken() {
    let files = files("right");
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let (code, errors) = checked(&file);
        assert_eq!(code, Some(0), "{}: {errors}", file.display());
    }
}

#[test]
fn what_the_schemas_refuse_is_refused() {
    let files = files("wrong");
    assert!(files.len() >= 20, "{files:?}");
    for file in files {
        let (code, errors) = checked(&file);
        let at = format!("{}:", file.file_name().unwrap_or_default().to_string_lossy());
        assert!(code == Some(2) && errors.contains(&at), "{}: {code:?}: {errors}", file.display());
    }
}
