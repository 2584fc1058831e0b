//! Sessions over SSH.
