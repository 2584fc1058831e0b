//! **Skep** turns a list of fresh machines into a Docker Swarm with what a playbook wants on it, over SSH alone.
//!
//! This page is the map of the house. A module uses only the floors below its own; `tests/it/floors.rs` keeps that true.
//!
//! | floor | module | asks | what lives there |
//! |---|---|---|---|
//! | 8 | [`cli`] | ASK | arguments, exit codes, one file per subcommand |
//! | 7 | [`report`] | TELL | progress, plain lines, JSON lines, the journal, the closing table |
//! | 7 | [`engine`] | DO | connect, read in batches, converge, wait, cancel, resume |
//! | 6 | [`playbook`] | ORDER | playbook, play, step, variables, selection |
//! | 5 | [`actions`] | WHAT | one file per action, and the table that lists them |
//! | 4 | [`reads`] | SEE | what can be looked at on a host: its script and how its answer is understood |
//! | 3 | [`remote`] | HOW | commands as values, sessions: SSH, and a scripted one for tests |
//! | 2 | [`inventory`] | WHO | inventory, host, group, patterns |
//! | 1 | [`expr`], [`vault`] | SAY, KEEP | templates and expressions, their mistakes at their place; where secrets are kept |
//! | 0 | [`event`], [`program`], [`schema`], [`secret`], [`yaml`] | | what happens in a run, as pure data; what a program on this machine prints; keys with what they mean; a value that never prints itself; bytes to values that know their line |
//!
//! The one idea: **look, decide, change, look again**. An action says what must be read ([`actions::Action::reads`]) and
//! decides with what was read ([`actions::Action::plan`]); both are pure. Everything that touches the network is the engine's,
//! which reads for all steps ahead with one command per host, and lets the state, not an exit code, say whether a change came true.

pub mod actions;
pub mod cli;
pub mod engine;
pub mod event;
pub mod expr;
pub mod inventory;
pub mod playbook;
pub mod program;
pub mod reads;
pub mod remote;
pub mod report;
pub mod schema;
pub mod secret;
pub mod vault;
pub mod yaml;
