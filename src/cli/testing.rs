//! What the tests of the subcommands share.

use crate::inventory::Host;

/// A host of that name, otherwise as plain as can be.
pub fn host(name: &str) -> Host {
    Host {
        name: name.into(),
        address: name.into(),
        port: 22,
        user: None,
        identity_file: None,
        jump: None,
        host_keys: vec![],
        become_root: true,
        become_user: "root".into(),
        private_address: None,
        groups: vec![],
        vars: vec![],
    }
}
