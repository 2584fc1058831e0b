//! Tests on real hosts: some share one lab and run one at a time, in the order of their names; beside them run two of those that
//! have labs of their own. `.config/nextest.toml` says which are which.

mod bad_days;
mod engine;
mod fresh;
mod hosts;
mod life;
mod parts;
mod power;
mod registry;
mod rolling;
mod service;
mod spark;
mod stack;
mod swarm;
mod truth;
