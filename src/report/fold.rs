//! Many host names in few characters: `node[1:3],web2`, with the ranges that an inventory takes.

/// Folds names that differ in one number only.
///
/// The result has ranges of consecutive numbers, as an inventory takes them, and the rest one by one; each name once.
pub fn fold<S: AsRef<str>>(names: &[S]) -> String {
    let mut families: Vec<Family> = Vec::new();
    for name in names {
        let part = Part::of(name.as_ref());
        match families.iter_mut().find(|family| family.is(&part)) {
            Some(family) => family.numbers.push(part.number),
            None => families.push(Family { before: part.before, after: part.after, numbers: vec![part.number] }),
        }
    }
    families.iter_mut().map(Family::text).collect::<Vec<_>>().join(",")
}

/// A name around its last number.
struct Part<'a> {
    before: &'a str,
    number: &'a str,
    after: &'a str,
}

impl<'a> Part<'a> {
    fn of(name: &'a str) -> Self {
        let end = name.rfind(|c: char| c.is_ascii_digit()).map_or(0, |at| at + 1);
        let start = name[..end]
            .rfind(|c: char| !c.is_ascii_digit())
            .map_or(0, |at| at + name[at..].chars().next().map_or(1, char::len_utf8));
        let start = if end == 0 { 0 } else { start };
        Self { before: &name[..start], number: &name[start..end], after: &name[end..] }
    }
}

struct Family<'a> {
    before: &'a str,
    after: &'a str,
    numbers: Vec<&'a str>,
}

impl Family<'_> {
    fn is(&self, part: &Part<'_>) -> bool {
        part.number.is_empty() == self.numbers[0].is_empty() && self.before == part.before && self.after == part.after
    }

    fn text(&mut self) -> String {
        self.numbers.sort_by_key(|number| (number.parse::<u64>().unwrap_or(u64::MAX), number.len()));
        self.numbers.dedup();
        let mut runs: Vec<(&str, &str)> = Vec::new();
        for number in &self.numbers {
            match runs.last_mut() {
                Some(run) if follows(run.1, number) => run.1 = number,
                _ => runs.push((number, number)),
            }
        }
        runs.iter().map(|run| self.run(*run)).collect::<Vec<_>>().join(",")
    }

    fn run(&self, (first, last): (&str, &str)) -> String {
        let Self { before, after, .. } = self;
        if first == last { format!("{before}{first}{after}") } else { format!("{before}[{first}:{last}]{after}") }
    }
}

/// Whether `next` is one more than `number`, written with the same zeros in front.
fn follows(number: &str, next: &str) -> bool {
    let width = number.len();
    number.parse::<u64>().is_ok_and(|value| value < u64::MAX && format!("{:0width$}", value + 1) == next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_into_ranges() {
        for (names, folded) in [
            (&["node1", "node2", "node3"][..], "node[1:3]"),
            (&["node1", "node3"], "node1,node3"),
            (&["node08", "node09", "node10"], "node[08:10]"),
            (&["node9", "node10"], "node[9:10]"),
            (&["a1.lan", "b", "a2.lan", "b"], "a[1:2].lan,b"),
            (&["node2", "node1", "node2"], "node[1:2]"),
            (&["10.0.0.9", "10.0.0.10"], "10.0.0.[9:10]"),
            (&["wörk1", "wörk2"], "wörk[1:2]"),
            (&["é", "7", "8"], "é,[7:8]"),
            (&["99999999999999999999", "x18446744073709551615"], "99999999999999999999,x18446744073709551615"),
            (&[], ""),
        ] {
            assert_eq!(fold(names), folded);
        }
    }
}
