//! Tell: everything that shows a run. One stream of events feeds them all.
//!
//! | where | what |
//! |---|---|
//! | [`Progress`] | a terminal: finished steps scroll by, under them a fixed number of rows says who is doing what |
//! | [`Plain`] | pipes and CI: one line each |
//! | [`Json`] | programs: one event a line |
//! | [`Journal`] | afterwards: `.skep/runs/<time>-<run>.jsonl` |
//! | [`Log`] | beside it, `….log`: all that commands printed |
//! | [`Plan`] | `skep plan`: what would be done, and why |
//! | [`Summary`] | the end: a table per host, the failures again, what to type to go on |

mod board;
mod fold;
mod journal;
mod json;
mod lines;
mod log;
mod many;
mod plain;
mod plan;
mod progress;
#[cfg(test)]
mod story;
mod style;
mod summary;

pub use fold::fold;
pub use journal::{Journal, Place, hidden};
pub use json::Json;
pub use lines::Detail;
pub use log::Log;
pub use many::Many;
pub use plain::Plain;
pub use plan::Plan;
pub use progress::{Progress, Screen};
pub use style::{Paint, cut, elapsed, plural, tame};
pub use summary::{GoOn, Summary};
