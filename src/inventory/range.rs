//! Ranges in host names: `node[01:20]`, `node[a:c]`, `node[0:10:5]`.

use std::net::Ipv6Addr;

/// The most hosts that one name may stand for.
const MOST: usize = 10_000;

/// A host's name or range, and the port that stands behind it: `web1:2222`, `[2001:db8::1]:2222`.
pub(super) fn parted(key: &str) -> (&str, Option<u16>) {
    let mut inside = false;
    let mut is_outside = |letter: char| {
        inside = (inside || letter == '[') && letter != ']';
        letter == ':' && !inside
    };
    let colons: Vec<usize> = key.match_indices(&mut is_outside).map(|(at, _)| at).collect();
    let [colon] = colons[..] else { return (key, None) };
    let (name, port) = (&key[..colon], key[colon + 1..].parse().ok().filter(|port| *port > 0));
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = bracketed.filter(|address| address.parse::<Ipv6Addr>().is_ok());
    if port.is_some() { (address.unwrap_or(name), port) } else { (key, None) }
}

/// The names that a host key stands for: itself, or each of its range. Several ranges in one name multiply.
///
/// # Errors
/// In words, a range that is not `[first:last]` or `[first:last:step]` of numbers or of single letters.
pub(super) fn expand(name: &str) -> Result<Vec<String>, String> {
    if name.parse::<Ipv6Addr>().is_ok() {
        return Ok(vec![name.to_owned()]);
    }
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
        ["", last] => ("0", last, 1),
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
    fn a_port_stands_behind_a_colon() {
        for (key, parts) in [
            ("web1:2222", ("web1", Some(2222))),
            ("n[1:3].lan:22", ("n[1:3].lan", Some(22))),
            ("[2001:db8::1]:22", ("2001:db8::1", Some(22))),
            ("2001:db8::1", ("2001:db8::1", None)),
            ("n[1:3]", ("n[1:3]", None)),
            ("web:0", ("web:0", None)),
            ("web:", ("web:", None)),
        ] {
            assert_eq!(parted(key), parts, "{key}");
        }
    }

    #[test]
    fn ranges_count_in_numbers_and_letters() {
        let names = |name: &str| expand(name).unwrap_or_else(|why| vec![why]).join(" ");
        assert_eq!(names("node1"), "node1");
        assert_eq!(names("node[2:4]"), "node2 node3 node4");
        assert_eq!(names("node[08:10].lan"), "node08.lan node09.lan node10.lan");
        assert_eq!(names("db-[a:c]"), "db-a db-b db-c");
        assert_eq!(names("n[0:10:5]"), "n0 n5 n10");
        assert_eq!((names("n[:2]").as_str(), names("2001:db8::1").as_str()), ("n0 n1 n2", "2001:db8::1"));
        assert_eq!(names("r[1:2]n[a:b]"), "r1na r1nb r2na r2nb");
        for wrong in ["n[1:", "n[]", "n[1]", "n[3:1]", "n[a:10]", "n[1:9:0]", "n[1:99999999]"] {
            assert!(expand(wrong).is_err(), "{wrong}");
        }
    }
}
