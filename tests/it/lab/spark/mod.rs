//! Spark on a swarm of three hosts: what `skep up` promises, held against what the hosts themselves say.
//!
//! Each test starts from [`Cluster::settled`](crate::support::cluster::Cluster::settled), which is `skep up`: so each
//! can be run alone, and one that leaves the cluster broken does not fail those after it. `bootstrap` comes first by its
//! name, from fresh machines, and the others find what it made. `stack` takes so long that it has a lab of its own.

mod bootstrap;
mod causes;
mod drift;
mod outages;
mod pages;
mod rerun;
mod stack;
mod submit;
mod variants;
