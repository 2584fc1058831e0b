//! Several reporters as one.

use std::io;

use crate::event::{Event, Reporter};

/// Feeds every event to several reporters, in their order. One that fails is let go; the run and the others go on.
#[derive(Default)]
pub struct Many {
    reporters: Vec<Box<dyn Reporter>>,
    lost: Vec<io::Error>,
}

impl Many {
    /// The same with one more.
    #[must_use]
    pub fn with(mut self, reporter: impl Reporter + 'static) -> Self {
        self.reporters.push(Box::new(reporter));
        self
    }

    /// Why reporters were let go. A closed pipe is no news: whoever read it has seen enough.
    pub fn lost(&self) -> impl Iterator<Item = &io::Error> {
        self.lost.iter().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }
}

impl Reporter for Many {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        let lost = &mut self.lost;
        self.reporters.retain_mut(|reporter| match reporter.on_event(event) {
            Ok(()) => true,
            Err(error) => {
                lost.push(error);
                false
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    struct Tells(mpsc::Sender<Event>);
    impl Reporter for Tells {
        fn on_event(&mut self, event: &Event) -> io::Result<()> {
            self.0.send(event.clone()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
        }
    }

    struct Fails(io::ErrorKind);
    impl Reporter for Fails {
        fn on_event(&mut self, _: &Event) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn one_that_fails_does_not_keep_the_news_from_the_others() {
        let (tells, told) = mpsc::channel();
        let mut many = Many::default()
            .with(Fails(io::ErrorKind::BrokenPipe))
            .with(Fails(io::ErrorKind::StorageFull))
            .with(Tells(tells));
        many.on_event(&Event::Interrupted).expect("never fails");
        many.on_event(&Event::Interrupted).expect("never fails");
        assert_eq!(told.try_iter().count(), 2);
        let lost: Vec<_> = many.lost().map(io::Error::kind).collect();
        assert_eq!(lost, [io::ErrorKind::StorageFull], "a closed pipe is not told, and none is told twice");
    }
}
