//! What becomes of the bytes that a command writes.

use std::borrow::Cow;

use crate::remote::Live;

/// A longer line is told in parts.
const LONGEST_LINE: usize = 8 << 10;
/// What may come before the mark (a login shell's start-up files, sudo's words) is kept up to this many bytes.
const LONGEST_PREFACE: usize = 64 << 10;

/// The last bytes of a stream.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    cap: usize,
}

impl Tail {
    pub fn new(cap: usize) -> Self {
        Self { bytes: Vec::new(), cap }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > self.cap.saturating_mul(2) {
            self.trim();
        }
    }

    fn trim(&mut self) {
        let excess = self.bytes.len().saturating_sub(self.cap);
        self.bytes.drain(..excess);
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.trim();
        self.bytes
    }
}

/// Tells lines as they come; `\r` ends one too, so that progress bars are seen moving.
pub(super) struct Lines {
    live: Option<Live>,
    rest: Vec<u8>,
}

impl Lines {
    pub fn new(live: Option<Live>) -> Self {
        Self { live, rest: Vec::new() }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        if self.live.is_none() {
            return;
        }
        for part in bytes.split_inclusive(|&byte| byte == b'\n' || byte == b'\r') {
            self.rest.extend_from_slice(part);
            if part.ends_with(b"\n") || part.ends_with(b"\r") || self.rest.len() > LONGEST_LINE {
                self.tell();
            }
        }
    }

    /// Tells what is there; empty lines are nothing to see.
    pub fn tell(&mut self) {
        let text = String::from_utf8_lossy(&self.rest);
        let line = text.trim_end_matches(['\n', '\r']);
        if let Some(live) = &self.live
            && !line.is_empty()
        {
            live(line);
        }
        self.rest.clear();
    }
}

/// Splits what comes before our own mark (noise of start-up files, words of sudo) from what the command writes.
pub(super) struct Preface {
    mark: Vec<u8>,
    before: Vec<u8>,
    /// The rest of the mark's own line, once it has come.
    pub found: Option<String>,
}

impl Preface {
    /// `mark` begins the line after which the command's own output starts.
    pub fn new(mark: &str) -> Self {
        Self { mark: mark.into(), before: Vec::new(), found: None }
    }

    /// The bytes among these that are the command's own.
    pub fn pass<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.found.is_some() {
            return bytes.into();
        }
        self.before.extend_from_slice(bytes);
        let Some((start, line, end)) = self.find() else {
            let excess = self.before.len().saturating_sub(LONGEST_PREFACE);
            self.before.drain(..excess);
            return Cow::default();
        };
        self.found = Some(line);
        let own = self.before.split_off(end);
        self.before.truncate(start);
        own.into()
    }

    fn find(&self) -> Option<(usize, String, usize)> {
        let start = self.before.windows(self.mark.len()).position(|window| window == self.mark)?;
        let after = start + self.mark.len();
        let length = self.before[after..].iter().position(|&byte| byte == b'\n')?;
        let line = String::from_utf8_lossy(&self.before[after..after + length]).trim().to_owned();
        Some((start, line, after + length + 1))
    }

    /// Takes `words` out of what came before the mark; says whether they were there.
    pub fn cut(&mut self, words: &str) -> bool {
        let found = self.before.windows(words.len()).position(|window| window == words.as_bytes());
        found.map(|start| self.before.drain(start..start + words.len())).is_some()
    }

    /// What came before the mark.
    pub fn before(&self) -> String {
        String::from_utf8_lossy(&self.before).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_tail_keeps_the_last_bytes_however_they_come() {
        let mut tail = Tail::new(5);
        b"abcdefghijklmnop".chunks(3).for_each(|chunk| tail.push(chunk));
        assert_eq!(tail.finish(), b"lmnop");
        let mut nothing = Tail::new(0);
        nothing.push(b"x");
        assert_eq!(nothing.finish(), b"");
    }

    #[test]
    fn lines_end_at_newlines_and_carriage_returns_and_are_told_once_each() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let to = seen.clone();
        let mut lines = Lines::new(Some(Arc::new(move |line: &str| to.lock().unwrap().push(line.to_owned()))));
        for chunk in [&b"one\ntw"[..], b"o\r\n10%\r20", b"%\r\xff", b""] {
            lines.push(chunk);
        }
        lines.tell();
        assert_eq!(*seen.lock().unwrap(), ["one", "two", "10%", "20%", "\u{fffd}"]);
    }

    #[test]
    fn a_preface_ends_after_the_marks_line_wherever_the_packets_break() {
        for size in 1..20 {
            let mut preface = Preface::new("MARK");
            let own: Vec<u8> =
                b"Welcome!MARK 42\nout\nMARK 7\n".chunks(size).flat_map(|c| preface.pass(c).into_owned()).collect();
            assert_eq!(own, b"out\nMARK 7\n", "in pieces of {size}");
            assert_eq!((preface.found.as_deref(), preface.before().as_str()), (Some("42"), "Welcome!"));
        }
    }

    #[test]
    fn words_are_cut_from_a_preface_once_each_and_when_they_are_whole() {
        let mut preface = Preface::new("MARK");
        preface.pass(b"lecture ask");
        assert!(!preface.cut("asks:"));
        preface.pass(b"s:asks:");
        assert_eq!([preface.cut("asks:"), preface.cut("asks:"), preface.cut("asks:")], [true, true, false]);
        assert_eq!((preface.pass(b"MARK 7\nown").into_owned(), preface.before()), (b"own".to_vec(), "lecture".into()));
    }
}
