//! What the tests of the subcommands share.

use crate::inventory::Host;

/// A host of that name, otherwise as plain as can be.
pub fn host(name: &str) -> Host {
    Host::named(name)
}
