//! How much.

/// Reads `512m`, `1.5g`, `2GiB` or a bare number of bytes; each unit is 1024 times the one before.
#[allow(clippy::cast_possible_truncation, reason = "a size of 2^63 bytes is no size")]
pub fn size(text: &str) -> Option<i64> {
    let lower = text.trim().to_ascii_lowercase();
    let lower = lower.strip_suffix("ib").unwrap_or_else(|| lower.strip_suffix('b').unwrap_or(&lower));
    let (number, power) = match lower.chars().last()? {
        'k' => (&lower[..lower.len() - 1], 1),
        'm' => (&lower[..lower.len() - 1], 2),
        'g' => (&lower[..lower.len() - 1], 3),
        't' => (&lower[..lower.len() - 1], 4),
        _ => (lower, 0),
    };
    let number: f64 = number.trim().parse().ok()?;
    (number >= 0.0).then(|| (number * 1024_f64.powi(power)) as i64)
}

/// Writes it with the largest unit of which it is a whole number.
pub(super) fn sized(bytes: u64) -> String {
    let units = [('t', 40), ('g', 30), ('m', 20), ('k', 10)];
    let fits = units.into_iter().find(|(_, power)| bytes > 0 && bytes.trailing_zeros() >= *power);
    fits.map_or_else(|| bytes.to_string(), |(unit, power)| format!("{}{unit}", bytes >> power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_what_docker_takes_them_for() {
        assert_eq!(size("1.5g"), Some(1_610_612_736));
        assert_eq!(size("512M"), Some(512 << 20));
        assert_eq!(size("2gb"), Some(2 << 30));
        assert_eq!(size("12"), Some(12));
        assert_eq!(size("lots"), None);
    }

    #[test]
    fn a_size_is_written_with_its_largest_unit() {
        assert_eq!([0, 12, 1024, 1536 << 20, 2 << 30].map(sized), ["0", "12", "1k", "1536m", "2g"]);
    }
}
