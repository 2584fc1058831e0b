//! From the engine's events to the displays, on a thread of their own: a slow terminal must not hold up the hosts.

use std::io::{self, Write};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use crate::event::{Event, Reporter};
use crate::report::{Many, Paint};

/// Displays at work.
pub struct Telling {
    tell: mpsc::Sender<Event>,
    displays: JoinHandle<Many>,
}

impl Telling {
    /// Starts them.
    pub fn start(mut many: Many) -> Self {
        let (tell, told) = mpsc::channel::<Event>();
        let displays = thread::spawn(move || {
            for event in told {
                // A display that fails is let go by `Many`, which itself never fails.
                let _ = many.on_event(&event);
            }
            many
        });
        Self { tell, displays }
    }

    /// What takes events. Never blocks.
    pub fn emit(&self) -> Arc<dyn Fn(Event) + Send + Sync> {
        let tell = self.tell.clone();
        // Nobody listens any more only when a display panicked, which was told already.
        Arc::new(move |event| drop(tell.send(event)))
    }

    /// Waits until all is told; every `emit` must be gone by then. Says which displays failed.
    pub fn finish(self, paint: Paint) {
        drop(self.tell);
        let Ok(many) = self.displays.join() else { return };
        for error in many.lost() {
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
        let telling = Telling::start(Many::default().with(Counts(counts)));
        let emit = telling.emit();
        (0..1000).for_each(|_| emit(Event::Interrupted));
        drop(emit);
        telling.finish(Paint::new(false));
        assert_eq!(counted.try_iter().count(), 1000);
    }
}
