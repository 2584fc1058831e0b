//! How long.

use std::time::Duration;

use crate::yaml::Node;

/// Reads `30s`, `10m`, `2h`, `1h30m`, `500ms` or a bare number of seconds.
///
/// # Errors
/// In plain words, what a duration looks like.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    const FORM: &str = "a duration is a number of seconds, or numbers with units: `30s`, `10m`, `1h30m`, `500ms`";
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()));
    }
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let (part, after) = part(rest).ok_or(FORM)?;
        sum = sum.checked_add(part).ok_or(FORM)?;
        rest = after;
    }
    if text.is_empty() { Err(FORM) } else { Ok(sum) }
}

/// One number with its unit, and what comes after.
fn part(text: &str) -> Option<(Duration, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u32 = text[..digits].parse().ok()?;
    let rest = &text[digits..];
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let unit = match &rest[..letters] {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" | "min" => Duration::from_secs(60),
        "h" => Duration::from_secs(3600),
        _ => return None,
    };
    Some((unit.checked_mul(number)?, &rest[letters..]))
}

/// The same of a scalar.
///
/// # Errors
/// As [`duration`].
pub fn of_node(node: &Node) -> Result<Duration, &'static str> {
    duration(node.scalar_text().as_deref().unwrap_or_default())
}

/// Writes it as people do: `1h30m`.
pub(super) fn lasting(seconds: u64) -> String {
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let written: String =
        parts.iter().filter(|(many, _)| *many > 0).map(|(many, unit)| format!("{many}{unit}")).collect();
    if written.is_empty() { "0s".into() } else { written }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_people_write_them() {
        let millis = |text| duration(text).map(|d| d.as_millis());
        assert_eq!(millis("90"), Ok(90_000));
        assert_eq!(millis("30s"), Ok(30_000));
        assert_eq!(millis("1h30m"), Ok(5_400_000));
        assert_eq!(millis("500ms"), Ok(500));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "s", "10 m", "-5s", "1.5h", "10y", "99999999999999999999s", "3s4", "5ſ"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
