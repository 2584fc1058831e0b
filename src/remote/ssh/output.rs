//! What becomes of the bytes that a command writes.

use std::borrow::Cow;

use crate::remote::Live;

/// A line that goes on beyond this is told in parts.
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

/// Tells whole lines as they come; `\r` ends one too, so that progress bars are seen moving.
pub(super) struct Lines {
    live: Option<Live>,
    rest: Vec<u8>,
}

impl Lines {
    pub fn new(live: Option<Live>) -> Self {
        Self { live, rest: Vec::new() }
    }

    /// All lines of a packet are told at once: one that is told of each would be slower than who writes them.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.live.is_none() {
            return;
        }
        let whole = bytes.iter().rposition(|&byte| ends_line(byte)).map_or(0, |last| last + 1);
        self.rest.extend_from_slice(&bytes[..whole]);
        if whole > 0 {
            self.tell();
        }
        self.rest.extend_from_slice(&bytes[whole..]);
        if self.rest.len() > LONGEST_LINE {
            let more = self.rest.split_off(part(&self.rest));
            self.tell();
            self.rest = more;
        }
    }

    /// Tells what is there.
    pub fn tell(&mut self) {
        if let Some(live) = self.live.as_ref().filter(|_| !self.rest.is_empty()) {
            live(&String::from_utf8_lossy(&self.rest));
        }
        self.rest.clear();
    }
}

fn ends_line(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

/// Where a line that is too long is parted: after a word, for whoever masks what comes must see a secret as a whole; where
/// there is none, at least not in the middle of a character.
fn part(line: &[u8]) -> usize {
    let begins = |byte: u8| byte & 0b1100_0000 != 0b1000_0000;
    let word = line.iter().rposition(u8::is_ascii_whitespace).map(|at| at + 1);
    let character = || line.iter().rposition(|&byte| begins(byte)).filter(|at| line.len() - at < 4);
    word.or_else(character).filter(|at| *at > 0).unwrap_or(line.len())
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

    /// What is told of chunks.
    fn told(chunks: &[&[u8]]) -> Vec<String> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let to = seen.clone();
        let mut lines = Lines::new(Some(Arc::new(move |text: &str| to.lock().unwrap().push(text.to_owned()))));
        chunks.iter().for_each(|chunk| lines.push(chunk));
        lines.tell();
        drop(lines);
        Arc::into_inner(seen).unwrap().into_inner().unwrap()
    }

    #[test]
    fn whole_lines_are_told_once_each_and_at_once() {
        let chunks = [&b"one\ntwo\n\nth"[..], b"ree\r\n10%\r20", b"%\r\xff", b""];
        assert_eq!(told(&chunks), ["one\ntwo\n\n", "three\r\n10%\r", "20%\r", "\u{fffd}"]);
    }

    #[test]
    fn a_line_without_an_end_is_told_in_parts_that_break_no_word_and_no_character() {
        let words = told(&[&b"word ".repeat(LONGEST_LINE / 5), b"sec", b"ret\n"]);
        assert!(words.len() == 2 && words[1] == "secret\n", "{words:?}");
        let characters = told(&["\u{e9}".repeat(LONGEST_LINE).as_bytes(), b"\xc3", b"\xa9"]);
        assert!(characters.concat().chars().all(|c| c == '\u{e9}'), "{characters:?}");
        assert_eq!(told(&[&[0xff; LONGEST_LINE + 1]]).concat().chars().count(), LONGEST_LINE + 1);
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
