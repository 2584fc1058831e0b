//! Broken files by the thousand: whatever is done to them, they are read to an end without a panic, and every mistake that is
//! found in them has a place that there is.
//!
//! `SKEP_FUZZ=100000` says how many; without it there are few, for every day. A file is told by its number: it is always
//! broken in the same way. Programs are not run.

use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::actions;
use crate::yaml::{At, Error, Errors};

/// How many files where nothing is said.
const FEW: usize = 3_000;
/// How long one may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);
/// No more lines of what ships are taken at once: short texts break in more ways in the same time.
const LINES: usize = 80;
/// Threads that read.
const READERS: usize = 2;

const PLAYBOOKS: [(&str, &str); 4] = [
    ("playbooks/spark.yml", include_str!("../../../playbooks/spark.yml")),
    ("playbooks/swarm.yml", include_str!("../../../playbooks/swarm.yml")),
    ("playbooks/rolling-upgrade.yml", include_str!("../../../playbooks/rolling-upgrade.yml")),
    ("playbooks/all.yml", include_str!("fuzz/playbook.yml")),
];
const STEPS: &str = include_str!("../../../playbooks/steps/swarm.yml");
const INVENTORIES: [(&str, &str); 4] = [
    ("cloud.yml", include_str!("../../../inventory/cloud.example.yml")),
    ("all.yml", include_str!("fuzz/inventory.yml")),
    ("hosts", include_str!("fuzz/inventory.ini")),
    ("hosts.json", include_str!("fuzz/inventory.json")),
];

/// What is put in, or in the place of something else.
const WORDS: &[&str] = &[
    "{{ ",
    " }}",
    "{% if x %}",
    "{% endif %}",
    "{#",
    "&a ",
    "*a",
    "<<: ",
    "? ",
    "- ",
    ": ",
    "|\n",
    ">-\n",
    "!!str ",
    "!x ",
    "\t",
    "\n",
    "\r\n",
    "\u{feff}",
    "\0",
    "\u{2028}",
    "\u{85}",
    "🐝",
    "ä",
    "\"",
    "'",
    "\\",
    "\\u12",
    "#",
    "[",
    "]",
    "{",
    "}",
    ",",
    "---\n",
    "...\n",
    "%YAML 9\n",
    "null",
    "true",
    "yes",
    "0755",
    "1e999",
    "-1",
    "99999999999999999999",
    "name",
    "hosts",
    "plays",
    "steps",
    "vars",
    "when",
    "loop",
    "on",
    "include",
    "lookup",
    "register",
    "serial",
    "tags",
    "environment",
    "vars_files",
    "secret: true",
    "container",
    "file",
    "shell",
    "swarm",
    "wait_for",
    "network",
    "image",
    "leader",
    "workers[9]",
    "all:!all",
    "item",
    "facts.",
    "| default(",
    "is defined",
    "host('x')",
    "[all:vars]\n",
    "[x:children]\n",
    "node[1:9]",
    "ansible_host=",
    "ansible_port: x",
    "become_password: x",
    "jump: ",
    "host_key: ",
    "private_address: ",
    "children",
    "_meta",
    "hostvars",
];

/// A number that follows from the one before, and looks as if it did not.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % below.max(1) as u64).unwrap_or_default()
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.roll(all.len())]
    }

    /// A place in a text where a character begins, or its end.
    fn place(&mut self, text: &str) -> usize {
        let place = self.roll(text.len() + 1);
        (place..=text.len()).find(|place| text.is_char_boundary(*place)).unwrap_or_default()
    }

    fn part(&mut self, text: &str, longest: usize) -> std::ops::Range<usize> {
        let start = self.place(text);
        let end = (start + self.roll(longest)).min(text.len());
        start..(end..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(start)
    }
}

/// Some lines in a row.
fn excerpt(text: &str, dice: &mut Dice) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let first = if lines.len() > LINES { dice.roll(lines.len() - LINES) } else { 0 };
    lines.iter().skip(first).take(LINES).copied().collect()
}

/// One thing that goes wrong in a text.
fn broken(mut text: String, other: &str, dice: &mut Dice) -> String {
    let place = dice.place(&text);
    match dice.roll(8) {
        0 => text.insert_str(place, dice.of::<&str>(WORDS)),
        1 => text.replace_range(dice.part(&text, 12), dice.of::<&str>(WORDS)),
        2 => text.replace_range(dice.part(&text, 40), ""),
        3 => text.truncate(place),
        4 => text = format!("{}{}", &text[..place], &other[dice.place(other)..]),
        5 => {
            let again = text[dice.part(&text, 60)].to_owned();
            text.insert_str(place, &again);
        }
        6 => text.replace_range(dice.part(&text, 4), &char::from(32 + dice.roll(95) as u8).to_string()),
        _ => text.insert_str(place, &" ".repeat(1 + dice.roll(4))),
    }
    text
}

/// A file by its number: its name and its text.
fn file(number: usize) -> (&'static str, String) {
    let mut dice = Dice(number as u64);
    let kind: &[(&str, &str)] = if number.is_multiple_of(3) { &INVENTORIES } else { &PLAYBOOKS };
    let (name, text) = *dice.of(kind);
    let other = dice.of(kind).1;
    let mut text = match dice.roll(8) {
        0 if !number.is_multiple_of(3) => with_steps(STEPS),
        // The beginning must be there, or else all that is found is that it is not.
        1..5 => text.split_inclusive('\n').take(LINES).collect(),
        _ => excerpt(text, &mut dice),
    };
    for _ in 0..=dice.roll(4) {
        text = broken(text, other, &mut dice);
    }
    (name, text)
}

/// Every mistake in it.
fn mistakes(name: &str, text: String, hosts: &Arc<Inventory>) -> Vec<Error> {
    if INVENTORIES.iter().any(|(inventory, _)| *inventory == name) {
        return Inventory::parse(name, &text).err().map_or(Vec::new(), |errors| errors.0);
    }
    let node = match yaml::parse(name, text) {
        Ok(node) => node,
        Err(error) => return vec![error],
    };
    match Playbook::load(&node, actions::TABLE, refuse) {
        Ok((playbook, Errors(errors))) => {
            let more = check(&playbook, hosts, &Vars::default()).err().map_or(Vec::new(), |errors| errors.0);
            errors.into_iter().chain(more).collect()
        }
        Err(Errors(errors)) => errors,
    }
}

fn is_there(at: &At) -> bool {
    let text = &at.source.text;
    at.start <= at.end && at.end <= text.len() && text.is_char_boundary(at.start) && text.is_char_boundary(at.end)
}

fn tried(number: usize, hosts: &Arc<Inventory>) {
    let (name, text) = file(number);
    for error in mistakes(name, text, hosts) {
        for at in error.at.iter().chain(error.also.iter().map(|(at, _)| at)) {
            assert!(is_there(at), "{at:?}: {}", error.message);
        }
        assert!(!error.message.is_empty() && !error.render(true).is_empty());
    }
}

/// How far the readers are, and what each of them has before it.
struct Work {
    next: AtomicUsize,
    all: usize,
    under_way: [Mutex<Option<(usize, Instant)>>; READERS],
}

impl Work {
    fn read(&self, reader: usize) {
        let hosts = hosts();
        loop {
            let number = self.next.fetch_add(1, Relaxed);
            if number >= self.all {
                *self.under_way[reader].lock().expect("no panic") = None;
                return;
            }
            *self.under_way[reader].lock().expect("no panic") = Some((number, Instant::now()));
            let fine = catch_unwind(|| tried(number, &hosts)).is_ok();
            assert!(fine, "file {number} is {:?}", file(number));
        }
    }

    /// The file that takes too long, if one does.
    fn hangs(&self) -> Option<usize> {
        let under_way = self.under_way.iter().filter_map(|slot| *slot.lock().expect("no panic"));
        under_way.filter(|(_, since)| since.elapsed() > PATIENCE).map(|(number, _)| number).next()
    }
}

#[test]
fn broken_files_are_read_to_an_end_and_every_mistake_has_a_place() {
    let all = std::env::var("SKEP_FUZZ").map_or(FEW, |count| count.parse().expect("how many files"));
    let work = Arc::new(Work { next: AtomicUsize::new(0), all, under_way: Default::default() });
    let read = |reader: usize, work: Arc<Work>| thread::spawn(move || work.read(reader));
    let readers: Vec<_> = (0..READERS).map(|reader| read(reader, work.clone())).collect();
    while readers.iter().any(|reader| !reader.is_finished()) {
        thread::sleep(Duration::from_millis(50));
        if let Some(number) = work.hangs() {
            panic!("file {number} takes longer than {PATIENCE:?}: {:?}", file(number));
        }
    }
    readers.into_iter().for_each(|reader| reader.join().expect("a reader that found nothing amiss"));
}

/// Else all that was tried would be the very beginning.
#[test]
fn many_broken_files_get_beyond_being_yaml() {
    let parsed = |number: &usize| {
        let (name, text) = file(*number);
        yaml::parse(name, text).is_ok()
    };
    let count = (0..300).filter(parsed).count();
    assert!((60..260).contains(&count), "{count} of 300 are YAML");
}
