//! What the tests share.

pub mod sshd;
