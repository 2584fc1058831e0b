//! A digest of a secret that may be kept where others can read it.
//!
//! To converge, a step must know whether what is kept is what is asked for, without ever reading it. So a digest lies beside
//! it, where whoever may list the secrets can read it, too. A plain one would give a password away to anybody who tries all
//! likely ones, and a salt alone does not help: it lies there as well. So each try is made dear: scrypt, 32 MiB and a tenth of a second
//! of one processor. What must be known to choose the salt is read (the swarm's id, the object's name): the same question has the same
//! answer in every run, so that planning stays a function of what was read, and no two objects share one.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use data_encoding::HEXLOWER;
use scrypt::{Params, scrypt};
use sha2::{Digest, Sha256};

/// 2^15 blocks of 1 KiB.
const COST: u8 = 15;

/// Each is worked out once in a process: a step plans in rounds, and asks every time. By what they are of.
static KNOWN: LazyLock<Mutex<HashMap<[u8; 32], String>>> = LazyLock::new(Mutex::default);

/// 32 hexadecimal digits.
pub fn digest(secret: &[u8], salt: &[&str]) -> String {
    let key = plain(secret, salt);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(digest) = known().get(&key) {
        return digest.clone();
    }
    let digest = HEXLOWER.encode(&slow(&key, salt));
    known().insert(key, digest.clone());
    digest
}

/// The plain digest of both; no two lists of words are alike in it.
fn plain(secret: &[u8], salt: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in salt.iter().map(|word| word.as_bytes()).chain([secret]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn slow(key: &[u8], salt: &[&str]) -> [u8; 16] {
    let mut digest = [0; 16];
    let salt = plain(b"skep", salt);
    let made = Params::new(COST, 8, 1).map(|params| scrypt(key, &salt, &params, &mut digest));
    assert!(matches!(made, Ok(Ok(()))), "scrypt takes these parameters");
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_in_every_run_and_another_for_another_salt() {
        assert_eq!(digest(b"hunter2", &["cluster", "db"]), digest(b"hunter2", &["cluster", "db"]));
        // What lies in swarms must still be known by the next version.
        assert_eq!(digest(b"hunter2", &["cluster", "db"]), "89390795e5b932427ce8ca4269264ccf");
        assert_ne!(digest(b"hunter2", &["cluster", "db"]), digest(b"hunter2", &["clusterd", "b"]));
        assert_ne!(digest(b"hunter2", &["cluster", "db"]), digest(b"hunter3", &["cluster", "db"]));
    }
}
