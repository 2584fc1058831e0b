//! See: what can be read on a host.
