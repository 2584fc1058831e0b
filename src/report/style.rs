//! Colours, and the few forms that every display shares.

use console::Style;

use crate::event::{Difference, Outcome};

/// Room for the longest outcome, so that what follows lines up.
pub(super) const VERB: usize = 11;

/// The most columns of a line that differs.
const DIFF: usize = 160;

/// Whether and how texts are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    colour: bool,
}

impl Paint {
    /// With colours, or without any.
    pub fn new(colour: bool) -> Self {
        Self { colour }
    }

    /// Whether there are colours.
    pub fn colours(self) -> bool {
        self.colour
    }

    fn put(self, style: Style, text: &str) -> String {
        if text.is_empty() { String::new() } else { style.force_styling(self.colour).apply_to(text).to_string() }
    }

    /// A title.
    pub fn strong(self, text: &str) -> String {
        self.put(Style::new().bold(), text)
    }

    /// What matters least.
    pub fn quiet(self, text: &str) -> String {
        self.put(Style::new().dim(), text)
    }

    /// What is as asked.
    pub fn good(self, text: &str) -> String {
        self.put(Style::new().green(), text)
    }

    /// What changed.
    pub fn change(self, text: &str) -> String {
        self.put(Style::new().yellow(), text)
    }

    /// What failed.
    pub fn bad(self, text: &str) -> String {
        self.put(Style::new().red().bold(), text)
    }

    /// A line that goes.
    pub fn gone(self, text: &str) -> String {
        self.put(Style::new().red(), text)
    }

    /// What to do about it.
    pub fn hint(self, text: &str) -> String {
        self.put(Style::new().cyan(), text)
    }

    /// A word in the colour of an outcome.
    pub fn by(self, outcome: Outcome, text: &str) -> String {
        match outcome {
            Outcome::Unchanged => self.good(text),
            Outcome::Changed | Outcome::Ignored => self.change(text),
            Outcome::Failed | Outcome::Unreachable => self.bad(text),
            Outcome::Skipped => self.quiet(text),
        }
    }
}

/// The word for an outcome.
pub(super) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unchanged => "ok",
        Outcome::Changed => "changed",
        Outcome::Failed => "failed",
        Outcome::Ignored => "ignored",
        Outcome::Skipped => "skipped",
        Outcome::Unreachable => "unreachable",
    }
}

/// A time for people: `0.4 s`, `34.1 s`, `2 min 06 s`, `1 h 02 min`.
pub fn elapsed(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{}.{} s", seconds, ms % 1000 / 100),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A time that is still running: short, and in whole seconds so that it does not flicker: `34 s`, `2:06`, `1:02:00`.
pub(super) fn running(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3600, seconds % 3600 / 60, seconds % 60),
    }
}

/// `1 change`, `2 changes`.
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Field by field, what is and what is asked for.
pub(super) fn fields(differs: &[Difference], paint: Paint) -> Vec<String> {
    let width = differs.iter().map(|d| console::measure_text_width(&d.field)).max().unwrap_or(0);
    let line = |d: &Difference| {
        let pad = " ".repeat(width - console::measure_text_width(&d.field));
        format!("{}{pad}  {} → {}", d.field, paint.quiet(&tame(&d.is)), paint.change(&tame(&d.asked)))
    };
    differs.iter().map(line).collect()
}

/// The lines of a unified difference, `most` of them at most.
pub(super) fn diff(diff: Option<&str>, most: usize, paint: Paint) -> Vec<String> {
    let lines: Vec<&str> = diff.into_iter().flat_map(str::lines).collect();
    let shown = lines.iter().take(most).map(|line| {
        let text = cut(&tame(line), DIFF);
        match line.chars().next() {
            Some('+') => paint.good(&text),
            Some('-') => paint.gone(&text),
            Some('@' | '\\' | '…') => paint.quiet(&text),
            _ => text,
        }
    });
    let more = (lines.len() > most).then(|| paint.quiet("… more lines, shown with -v"));
    shown.chain(more).collect()
}

/// How many lines of a file come and go, where there was one.
pub(super) fn diff_counts(diff: Option<&str>) -> Option<String> {
    let diff = diff.filter(|diff| !diff.starts_with("@@ -0,0"))?;
    let count = |sign| diff.lines().filter(|line| line.starts_with(sign)).count();
    Some(format!("content  +{} -{} lines", count('+'), count('-')))
}

/// The text, or as much of it as fits into `width` columns, with `…` where something is missing.
pub fn cut(text: &str, width: usize) -> String {
    if width == 0 { String::new() } else { console::truncate_str(text, width, "…").into_owned() }
}

/// Text from a host for a terminal: its escape sequences and control characters could move the cursor, so they go.
pub fn tame(line: &str) -> String {
    let last = line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default();
    console::strip_ansi_codes(last).replace('\t', "    ").chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        let told: Vec<_> = [0, 449, 34_100, 59_999, 126_000, 3_720_000].into_iter().map(elapsed).collect();
        assert_eq!(told, ["0.0 s", "0.4 s", "34.1 s", "59.9 s", "2 min 06 s", "1 h 02 min"]);
    }

    #[test]
    fn what_a_host_says_cannot_move_the_cursor() {
        assert_eq!(tame("10%\r50%\r100%\r"), "100%");
        assert_eq!(tame("\u{1b}[2J\u{1b}[31mred\u{7}"), "red");
    }

    #[test]
    fn long_texts_are_cut_by_columns_not_bytes() {
        assert_eq!(cut("日本語テキスト", 7), "日本語…");
        assert_eq!(cut("short", 5), "short");
    }

    #[test]
    fn without_colour_nothing_is_added() {
        assert_eq!(Paint::new(false).bad("x"), "x");
        assert_eq!(Paint::new(true).good("x"), "\u{1b}[32mx\u{1b}[0m");
    }
}
