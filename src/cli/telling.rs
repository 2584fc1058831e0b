//! From the engine's events to what keeps them (the journal, the log), at once, and to the displays, on a thread of their own: a
//! slow terminal must not hold up the hosts. What a command prints may come faster than anybody reads: what does not fit into
//! the queue is left to the log.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use crate::event::{Event, Reporter};
use crate::report::{Many, Paint};

/// The most bytes of lines that wait for the displays.
const MOST: usize = 8 << 20;
/// What a line costs beside its text.
const EACH: usize = 128;

/// Displays at work.
pub struct Telling {
    queue: Arc<Queue>,
    kept: Arc<Mutex<Many>>,
    displays: JoinHandle<Many>,
}

/// What all that happens goes through.
struct Queue {
    kept: Arc<Mutex<Many>>,
    tell: mpsc::Sender<Event>,
    /// Bytes of the lines that wait for the displays.
    waiting: Arc<AtomicUsize>,
    /// Bytes that found no room there: by step and host.
    left_out: Mutex<BTreeMap<(String, String), usize>>,
}

impl Telling {
    /// Starts the displays; `kept` has each event before anything else happens.
    pub fn start(mut displays: Many, kept: Many) -> Self {
        let (tell, told) = mpsc::channel::<Event>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let (kept, waits) = (Arc::new(Mutex::new(kept)), waiting.clone());
        let displays = thread::spawn(move || {
            for event in told {
                // A display that fails is let go by `Many`, which itself never fails.
                let _ = displays.on_event(&event);
                waits.fetch_sub(cost(&event), Ordering::Relaxed);
            }
            displays
        });
        let queue = Queue { kept: kept.clone(), tell, waiting, left_out: Mutex::default() };
        Self { queue: Arc::new(queue), kept, displays }
    }

    /// What takes events. Waits for nobody but the disk.
    pub fn emit(&self) -> Arc<dyn Fn(Event) + Send + Sync> {
        let queue = self.queue.clone();
        Arc::new(move |event| queue.take(event))
    }

    /// Waits until all is told; every `emit` must be gone by then. Says which displays failed.
    pub fn finish(self, paint: Paint) {
        drop(self.queue);
        let Ok(displays) = self.displays.join() else { return };
        for error in displays.lost().chain(locked(&self.kept).lost()) {
            let _ = writeln!(io::stderr(), "{} not all was written down: {error}", paint.change("warning:"));
        }
    }
}

impl Queue {
    fn take(&self, event: Event) {
        // Both in one hold: what is kept and the displays have the same order.
        let mut kept = locked(&self.kept);
        let _ = kept.on_event(&event);
        self.tell_left_out();
        match event {
            Event::Output { step, host, text } => self.lines(&step, &host, &text),
            event => self.tell(event),
        }
    }

    /// Tells the displays of the lines of a text, as far as there is room.
    fn lines(&self, step: &str, host: &str, text: &str) {
        let mut rest = text;
        while let Some(line) = next_line(&mut rest) {
            if !self.has_room() {
                let left_out = line.len() + rest.len();
                *locked(&self.left_out).entry((step.to_owned(), host.to_owned())).or_default() += left_out;
                return;
            }
            if !line.is_empty() {
                self.tell(Event::Line { step: step.to_owned(), host: host.to_owned(), line: line.to_owned() });
            }
        }
    }

    fn tell_left_out(&self) {
        let mut left_out = locked(&self.left_out);
        while self.has_room()
            && let Some(((step, host), bytes)) = left_out.pop_first()
        {
            let line = format!("… {} KiB more came too fast to be shown; the log has them", bytes.div_ceil(1024));
            self.tell(Event::Line { step, host, line });
        }
    }

    fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < MOST
    }

    fn tell(&self, event: Event) {
        self.waiting.fetch_add(cost(&event), Ordering::Relaxed);
        // Nobody listens any more only when a display panicked, which was told already.
        drop(self.tell.send(event));
    }
}

/// What an event takes of the queue: all but lines are few.
fn cost(event: &Event) -> usize {
    match event {
        Event::Line { line, .. } => line.len() + EACH,
        _ => 0,
    }
}

/// Takes the next line off a text.
fn next_line<'a>(text: &mut &'a str) -> Option<&'a str> {
    let end = text.find(['\n', '\r']).unwrap_or(text.len());
    let line = (!text.is_empty()).then_some(&text[..end]);
    *text = text.get(end + 1..).unwrap_or_default();
    line
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counts(mpsc::Sender<()>);
    impl Reporter for Counts {
        fn on_event(&mut self, _: &Event) -> io::Result<()> {
            self.0.send(()).map_err(io::Error::other)
        }
    }

    #[test]
    fn all_is_told_when_it_is_finished() {
        let (counts, counted) = mpsc::channel();
        let telling =
            Telling::start(Many::default().with(Counts(counts.clone())), Many::default().with(Counts(counts)));
        let emit = telling.emit();
        (0..1000).for_each(|_| emit(Event::Interrupted));
        drop(emit);
        telling.finish(Paint::new(false));
        assert_eq!(counted.try_iter().count(), 2000);
    }

    /// A display that is stuck until somebody reads on: a pager, Ctrl-S.
    struct Stuck(mpsc::Receiver<()>);
    impl Reporter for Stuck {
        fn on_event(&mut self, _: &Event) -> io::Result<()> {
            self.0.recv().map_err(io::Error::other)
        }
    }

    #[test]
    fn what_is_kept_does_not_wait_for_the_displays() {
        let ((go, stuck), (counts, counted)) = (mpsc::channel(), mpsc::channel());
        let telling = Telling::start(Many::default().with(Stuck(stuck)), Many::default().with(Counts(counts)));
        let emit = telling.emit();
        (0..3).for_each(|_| emit(Event::Interrupted));
        assert_eq!(counted.try_iter().count(), 3);
        drop((go, emit));
        telling.finish(Paint::new(false));
    }

    /// Waits for a word before the first event, and keeps all lines.
    struct Late(mpsc::Receiver<()>, mpsc::Sender<String>);
    impl Reporter for Late {
        fn on_event(&mut self, event: &Event) -> io::Result<()> {
            // The word is that nobody will say it any more.
            let _ = self.0.recv();
            match event {
                Event::Line { line, .. } => self.1.send(line.clone()).map_err(io::Error::other),
                _ => Ok(()),
            }
        }
    }

    fn output(text: &str) -> Event {
        Event::Output { step: "s".into(), host: "h".into(), text: text.into() }
    }

    #[test]
    fn displays_are_told_each_line_once_and_no_empty_one() {
        let ((go, late), (lines, told)) = (mpsc::channel(), mpsc::channel());
        drop(go);
        let telling = Telling::start(Many::default().with(Late(late, lines)), Many::default());
        telling.emit()(output("one\n\n10%\r20%\r\ntwo"));
        telling.finish(Paint::new(false));
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["one", "10%", "20%", "two"]);
    }

    #[test]
    fn what_comes_too_fast_for_a_display_is_left_to_the_log_and_that_is_said() {
        let ((go, late), (lines, told)) = (mpsc::channel(), mpsc::channel());
        let telling = Telling::start(Many::default().with(Late(late, lines)), Many::default());
        let emit = telling.emit();
        let text = "0123456789\n".repeat(1000);
        (0..1000).for_each(|_| emit(output(&text)));
        let (waiting, queue) = (telling.queue.waiting.clone(), telling.queue.clone());
        assert!(waiting.load(Ordering::Relaxed) < MOST + EACH * 2);
        drop(go);
        while waiting.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
        }
        emit(output("last\n"));
        drop((emit, queue));
        telling.finish(Paint::new(false));
        let told: Vec<_> = told.try_iter().collect();
        let [.., first, left_out, last] = &told[..] else { panic!("{told:?}") };
        assert_eq!((first.as_str(), last.as_str()), ("0123456789", "last"));
        assert!(
            left_out.starts_with("… ") && left_out.ends_with(" KiB more came too fast to be shown; the log has them")
        );
        assert!(told.len() > MOST / (EACH + 11), "{}", told.len());
    }
}
