//! Bytes to values that know their file, line and column. The only place that touches the YAML crate.
//!
//! [`read`] and [`parse`] make a [`Node`]: a value, and the place it stands at. [`from_node`] makes a struct of it, and
//! names each mistake at the innermost place it can ([`Error`] prints the line with a caret). [`check_with_holes`] does
//! the same while templates are not rendered yet, and [`map_strings`] is how they get rendered.
//!
//! What is a number here: only text that a number would print as again. `8080` and `1.10` are numbers that remember how
//! they were written; `0755`, `1_000`, `0x1f` and `+5` are text. Only `true` and `false` are booleans.

mod check;
mod compose;
mod de;
mod error;
mod fault;
mod hide;
mod holes;
mod node;
mod scalar;
mod ser;
mod source;
mod spanned;
mod spot;
mod syntax;
#[cfg(test)]
mod tests;

pub use check::check_with_holes;
pub use compose::parse;
pub use de::{from_node, from_node_named};
pub use error::{Error, Errors, nearest};
pub use hide::is_secret;
pub use holes::{Hole, map_strings};
pub use node::{Node, Value};
pub use source::{At, Source, read};
pub use spanned::Spanned;
