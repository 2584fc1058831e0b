//! From the engine's events to the journal, at once, and to the displays, on a thread of their own: a slow terminal must not
//! hold up the hosts.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use crate::event::{Event, Reporter};
use crate::report::{Many, Paint};

/// Displays at work.
pub struct Telling {
    tell: mpsc::Sender<Event>,
    journal: Arc<Mutex<Many>>,
    displays: JoinHandle<Many>,
}

impl Telling {
    /// Starts them; the journal has each event before anything else happens.
    pub fn start(mut many: Many, journal: impl Reporter + 'static) -> Self {
        let (tell, told) = mpsc::channel::<Event>();
        let displays = thread::spawn(move || {
            for event in told {
                // A display that fails is let go by `Many`, which itself never fails.
                let _ = many.on_event(&event);
            }
            many
        });
        Self { tell, journal: Arc::new(Mutex::new(Many::default().with(journal))), displays }
    }

    /// What takes events. Waits for nobody but the disk.
    pub fn emit(&self) -> Arc<dyn Fn(Event) + Send + Sync> {
        let (tell, journal) = (self.tell.clone(), self.journal.clone());
        Arc::new(move |event| {
            // Both in one hold: the journal and the displays have the same order.
            let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = journal.on_event(&event);
            // Nobody listens any more only when a display panicked, which was told already.
            drop(tell.send(event));
        })
    }

    /// Waits until all is told; every `emit` must be gone by then. Says which displays failed.
    pub fn finish(self, paint: Paint) {
        drop(self.tell);
        let Ok(many) = self.displays.join() else { return };
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        for error in many.lost().chain(journal.lost()) {
            let _ = writeln!(io::stderr(), "{} not all was written down: {error}", paint.change("warning:"));
        }
    }
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
        let telling = Telling::start(Many::default().with(Counts(counts.clone())), Counts(counts));
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
    fn the_journal_does_not_wait_for_the_displays() {
        let ((go, stuck), (counts, counted)) = (mpsc::channel(), mpsc::channel());
        let telling = Telling::start(Many::default().with(Stuck(stuck)), Counts(counts));
        let emit = telling.emit();
        (0..3).for_each(|_| emit(Event::Interrupted));
        assert_eq!(counted.try_iter().count(), 3);
        drop((go, emit));
        telling.finish(Paint::new(false));
    }
}
