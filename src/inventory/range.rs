//! Ranges in host names: `node[01:20]`, `node[a:c]`, `node[0:10:5]`.

/// The most hosts that one name may stand for.
const MOST: usize = 10_000;

/// The names that a host key stands for: itself, or each of its range. Several ranges in one name multiply.
///
/// # Errors
/// In words, a range that is not `[first:last]` or `[first:last:step]` of numbers or of single letters.
pub(super) fn expand(name: &str) -> Result<Vec<String>, String> {
    let Some((before, rest)) = name.split_once('[') else { return Ok(vec![name.to_owned()]) };
    let (range, after) = rest.split_once(']').ok_or_else(|| format!("`[` is never closed in `{name}`"))?;
    let (items, tails) = (items(range)?, expand(after)?);
    if items.len() * tails.len() > MOST {
        return Err(format!("`{name}` stands for more than {MOST} hosts"));
    }
    Ok(items.iter().flat_map(|item| tails.iter().map(move |tail| format!("{before}{item}{tail}"))).collect())
}

fn items(range: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("`[{range}]` is no range: write `[1:3]`, `[01:20]`, `[a:c]` or, with a step, `[0:10:5]`");
    let parts: Vec<&str> = range.split(':').collect();
    let (first, last, step) = match parts[..] {
        [first, last] => (first, last, 1),
        [first, last, step] => (first, last, step.parse().ok().filter(|step| *step > 0).ok_or_else(wrong)?),
        _ => return Err(wrong()),
    };
    let items = numbers(first, last, step).or_else(|| letters(first, last, step)).ok_or_else(wrong)?;
    if items.is_empty() { Err(format!("`[{range}]` is empty: its end comes before its start")) } else { Ok(items) }
}

/// Numbers, filled with zeros to the width of the first where that begins with one.
fn numbers(first: &str, last: &str, step: usize) -> Option<Vec<String>> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return None;
    }
    let width = if first.starts_with('0') { first.len() } else { 0 };
    let (from, to): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    Some((from..=to).step_by(step).take(MOST + 1).map(|number| format!("{number:0width$}")).collect())
}

fn letters(first: &str, last: &str, step: usize) -> Option<Vec<String>> {
    match (first.as_bytes(), last.as_bytes()) {
        ([from], [to]) if from.is_ascii_alphabetic() && to.is_ascii_alphabetic() => {
            Some((*from..=*to).step_by(step).map(|letter| char::from(letter).to_string()).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_in_numbers_and_letters() {
        let names = |name: &str| expand(name).unwrap_or_else(|why| vec![why]).join(" ");
        assert_eq!(names("node1"), "node1");
        assert_eq!(names("node[2:4]"), "node2 node3 node4");
        assert_eq!(names("node[08:10].lan"), "node08.lan node09.lan node10.lan");
        assert_eq!(names("db-[a:c]"), "db-a db-b db-c");
        assert_eq!(names("n[0:10:5]"), "n0 n5 n10");
        assert_eq!(names("r[1:2]n[a:b]"), "r1na r1nb r2na r2nb");
        for wrong in ["n[1:", "n[]", "n[1]", "n[3:1]", "n[a:10]", "n[1:9:0]", "n[1:99999999]"] {
            assert!(expand(wrong).is_err(), "{wrong}");
        }
    }
}
