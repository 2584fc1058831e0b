//! What the tests share.

pub mod agent;
pub mod cluster;
pub mod lab;
pub mod relay;
pub mod somebody;
pub mod sshd;
pub mod truth;
pub mod watch;
