//! Tests on real hosts. They share one lab and run one at a time, in the order of their names.

mod engine;
mod fresh;
mod hosts;
mod parts;
mod registry;
mod rolling;
mod spark;
mod stack;
mod swarm;
mod truth;
