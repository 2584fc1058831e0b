//! Every mistake at once, in a text whose templates are not rendered yet.

use serde::de::DeserializeOwned;

use super::de::{De, Known, read};
use super::{Error, Node};

/// How many mistakes of one node are looked for.
const ENOUGH: usize = 100;

/// Reads a node as a `T` while its templates are not rendered: a text with `{{` or `{%` fits any scalar, and one that is a
/// single `{{ … }}` fits anything.
///
/// serde stops at the first mistake. So a mistake's innermost entry is left out and the node is read again, until nothing
/// new is found. `None` is a node that is right as far as can be told before its templates are rendered.
///
/// # Errors
/// Every mistake, in the order of the text.
pub fn check_with_holes<T: DeserializeOwned>(node: &Node, name: Option<&str>) -> Result<Option<T>, Vec<Error>> {
    let known = Known::default();
    let mut errors = Vec::new();
    for _ in 0..ENOUGH {
        match read::<T>(De { node, name, is_key: false, holes: Some(&known) }) {
            Ok(value) if errors.is_empty() => return Ok(Some(value)),
            Ok(_) => break,
            Err(fault) => {
                let of_the_root = !fault.is_noted();
                errors.extend(fault.blame());
                if of_the_root {
                    break;
                }
            }
        }
    }
    errors.sort_by_key(|error| error.at.as_ref().map(|at| at.start));
    if errors.is_empty() { Ok(None) } else { Err(errors) }
}
