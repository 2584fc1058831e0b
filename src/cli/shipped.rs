//! The playbooks that ship in the binary, for `skep up` in a folder that has none of its own.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::playbook::Playbook;
use crate::report::hidden;
use crate::yaml::Errors;

/// Each file: where it belongs below `playbooks/`, and what is in it.
macro_rules! playbooks {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../playbooks/", $path)))),*]
    };
}

const FILES: &[(&str, &str)] = playbooks![
    "rolling-upgrade.yml",
    "spark.yml",
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
];

/// The playbook of `skep up`: the one of this folder, else the shipped one, unpacked to `.skep/shipped/<version>/`.
///
/// # Errors
/// It cannot be unpacked.
pub fn spark(folder: &Path) -> io::Result<PathBuf> {
    let own = folder.join("playbooks/spark.yml");
    if own.exists() { Ok(own) } else { unpack(folder).map(|shipped| shipped.join("spark.yml")) }
}

/// The shipped playbook, as it would be unpacked.
///
/// # Errors
/// None that a test would let through.
pub fn read() -> Result<Playbook, Errors> {
    let (path, text) = FILES[0];
    Playbook::parse(Path::new(path), text.to_owned())
}

fn unpack(folder: &Path) -> io::Result<PathBuf> {
    let shipped = hidden(folder)?.join("shipped").join(env!("CARGO_PKG_VERSION"));
    for (path, text) in FILES {
        let path = shipped.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&shipped))?;
        fs::write(&path, text)?;
        let script = text.starts_with("#!");
        fs::set_permissions(&path, fs::Permissions::from_mode(if script { 0o755 } else { 0o644 }))?;
    }
    Ok(shipped)
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
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks");
        let mut there: Vec<_> =
            files(&folder).iter().map(|path| path.strip_prefix(&folder).unwrap().to_owned()).collect();
        there.sort();
        let mut shipped: Vec<_> = FILES.iter().map(|(path, _)| PathBuf::from(path)).collect();
        shipped.sort();
        assert_eq!(shipped, there);
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
    fn what_is_unpacked_is_what_ships() {
        let folder = tempfile::tempdir().unwrap();
        let shipped = spark(folder.path()).unwrap();
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks");
        for path in files(shipped.parent().unwrap()) {
            let original = ours.join(path.strip_prefix(shipped.parent().unwrap()).unwrap());
            assert_eq!(fs::read(&path).unwrap(), fs::read(&original).unwrap());
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o111;
            assert_eq!(mode(&path) != 0, mode(&original) != 0, "{}", original.display());
        }
    }
}
