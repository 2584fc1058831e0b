//! The playbooks that ship in the binary, for `skep up` in a folder that has none of its own.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Failure;
use crate::playbook::Playbook;
use crate::report::hidden;

/// Each file of a folder: where it belongs below that, and what is in it.
macro_rules! files {
    ($folder:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../", $folder, "/", $path)))),*]
    };
}

/// What the first lines of playbooks name, for editors.
const SCHEMAS: &[(&str, &str)] = files!["schemas": "inventory.json", "playbook.json", "steps.json"];

const PLAYBOOKS: &[(&str, &str)] = files!["playbooks":
    "rolling-upgrade.yml",
    "spark-stack.yml",
    "spark.yml",
    "steps/spark-images.yml",
    "steps/swarm.yml",
    "swarm.yml",
    "spark/Dockerfile_base",
    "spark/Dockerfile_base.dockerignore",
    "spark/Dockerfile_driver",
    "spark/Dockerfile_driver.dockerignore",
    "spark/Dockerfile_master",
    "spark/Dockerfile_master.dockerignore",
    "spark/Dockerfile_worker",
    "spark/Dockerfile_worker.dockerignore",
    "spark/images.yml",
    "spark/install-python",
    "spark/install-spark",
    "spark/install-system",
    "spark/pi.py",
    "spark/requirements-base.txt",
    "spark/requirements-driver.txt",
    "spark/rootfs/etc/profile.d/spark.sh",
    "spark/rootfs/opt/skep/spark-defaults.conf",
    "spark/rootfs/usr/local/bin/scala",
    "spark/rootfs/usr/local/bin/spark-entrypoint",
    "spark/rootfs_driver/opt/skep/spark-env.sh",
    "spark/rootfs_driver/usr/local/bin/spark-finished",
    "spark/rootfs_driver/usr/local/bin/spark-share",
    "spark/stack.yml",
];

/// The playbook of `skep up`: the one of this folder, else the shipped one, unpacked to `.skep/shipped/<version>/playbooks`.
///
/// # Errors
/// It cannot be unpacked: the folder that was chosen is no good.
pub fn spark(folder: &Path) -> Result<PathBuf, Failure> {
    let own = folder.join("playbooks/spark.yml");
    if own.exists() {
        return Ok(own);
    }
    let shipped = unpack(folder).map_err(|why| not_unpacked(&place(folder), &why))?;
    Ok(shipped.join("playbooks/spark.yml"))
}

fn not_unpacked(place: &Path, why: &io::Error) -> Failure {
    let hint = "call it in a folder that you can write to, or in one that has a playbooks/spark.yml of its own";
    Failure::bad_input(format!("cannot unpack the playbook to {}: {why}", place.display())).hint(hint)
}

/// The shipped playbook, as it would be unpacked; nothing is left behind.
pub fn read() -> Option<Playbook> {
    let folder = tempfile::tempdir().ok()?;
    unpack_into(folder.path()).ok()?;
    Playbook::read(&folder.path().join("playbooks/spark.yml")).ok()
}

fn place(folder: &Path) -> PathBuf {
    folder.join(".skep/shipped").join(env!("CARGO_PKG_VERSION"))
}

fn unpack(folder: &Path) -> io::Result<PathBuf> {
    hidden(folder)?;
    let shipped = place(folder);
    unpack_into(&shipped)?;
    Ok(shipped)
}

fn unpack_into(shipped: &Path) -> io::Result<()> {
    let all = [("playbooks", PLAYBOOKS), ("schemas", SCHEMAS)];
    for (folder, (path, text)) in all.iter().flat_map(|(folder, files)| files.iter().map(move |file| (folder, file))) {
        let path = shipped.join(folder).join(path);
        fs::create_dir_all(path.parent().unwrap_or(shipped))?;
        fs::write(&path, text)?;
        let script = text.starts_with("#!");
        fs::set_permissions(&path, fs::Permissions::from_mode(if script { 0o755 } else { 0o644 }))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn every_file_of_the_playbooks_ships() {
        for (folder, shipped) in [("playbooks", PLAYBOOKS), ("schemas", SCHEMAS)] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let mut there: Vec<_> =
                files(&folder).iter().map(|path| path.strip_prefix(&folder).unwrap().to_owned()).collect();
            there.sort();
            let mut shipped: Vec<_> = shipped.iter().map(|(path, _)| PathBuf::from(path)).collect();
            shipped.sort();
            assert_eq!(shipped, there);
        }
    }

    #[test]
    fn an_editor_finds_the_schema_that_an_unpacked_file_names() {
        let folder = tempfile::tempdir().unwrap();
        let shipped = unpack(folder.path()).unwrap();
        let named: Vec<_> = files(&shipped.join("playbooks"))
            .into_iter()
            // What is in `spark` is for Docker, or read by a playbook.
            .filter(|path| {
                path.extension().is_some_and(|kind| kind == "yml") && !path.parent().unwrap().ends_with("spark")
            })
            .map(|path| {
                let text = fs::read_to_string(&path).unwrap();
                let schema = text.lines().next().and_then(|line| line.strip_prefix("# yaml-language-server: $schema="));
                path.parent().unwrap().join(schema.unwrap_or_else(|| panic!("{} names none", path.display())))
            })
            .collect();
        assert!(named.len() > 3 && named.iter().all(|schema| schema.is_file()), "{named:?}");
    }

    #[test]
    fn a_folder_with_its_own_playbook_uses_that() {
        let folder = tempfile::tempdir().unwrap();
        let shipped = spark(folder.path()).unwrap();
        assert!(shipped.starts_with(folder.path().join(".skep/shipped")) && shipped.exists());
        let own = folder.path().join("playbooks/spark.yml");
        fs::create_dir_all(own.parent().unwrap()).unwrap();
        fs::write(&own, "").unwrap();
        assert_eq!(spark(folder.path()).unwrap(), own);
    }

    #[test]
    fn a_folder_that_takes_nothing_is_bad_input() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".skep"), "in the way").unwrap();
        let why = spark(folder.path()).unwrap_err();
        let told = format!("cannot unpack the playbook to {}: ", place(folder.path()).display());
        assert!(why.to_string().starts_with(&told), "{why}");
        assert!(why.code().number() == 2 && why.remedy().is_some_and(|hint| hint.contains("playbooks/spark.yml")));
    }

    #[test]
    fn what_is_unpacked_is_what_ships() {
        let folder = tempfile::tempdir().unwrap();
        let shipped = unpack(folder.path()).unwrap();
        let ours = Path::new(env!("CARGO_MANIFEST_DIR"));
        for path in files(&shipped) {
            let original = ours.join(path.strip_prefix(&shipped).unwrap());
            assert_eq!(fs::read(&path).unwrap(), fs::read(&original).unwrap());
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o111;
            assert_eq!(mode(&path) != 0, mode(&original) != 0, "{}", original.display());
        }
    }
}
