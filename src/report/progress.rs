//! A terminal: finished steps scroll by; under them a fixed number of rows says who is doing what.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::board::Board;
use super::lines::{Detail, Lines};
use super::style::Paint;
use crate::event::{Event, Reporter};

/// How often the rows are drawn anew: one beat for all of them.
const BEAT: Duration = Duration::from_millis(100);
/// The most rows for hosts.
const ROWS: usize = 8;

/// Shows a run on standard error, which is a terminal.
pub struct Progress {
    lines: Lines,
    board: Arc<Mutex<Board>>,
    screen: Screen,
    beat: Option<(Sender<()>, JoinHandle<()>)>,
}

/// The rows on the terminal, for whoever needs the terminal for himself for a moment.
#[derive(Clone)]
pub struct Screen {
    multi: MultiProgress,
}

impl Screen {
    /// Takes the rows away while `ask` uses the terminal.
    pub fn suspend<T>(&self, ask: impl FnOnce() -> T) -> T {
        self.multi.suspend(ask)
    }

    /// Takes the rows away for good.
    pub fn clear(&self) {
        // A terminal that is gone needs no clearing.
        let _ = self.multi.clear();
        self.multi.set_draw_target(ProgressDrawTarget::hidden());
    }

    fn say(&self, lines: &[String]) -> io::Result<()> {
        lines.iter().try_for_each(|line| self.multi.println(line))
    }
}

impl Progress {
    /// Shows finished steps in as much detail as asked.
    pub fn new(paint: Paint, detail: Detail) -> Self {
        let board = Arc::new(Mutex::new(Board::new(paint, Instant::now())));
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(20));
        Self { lines: Lines::new(paint, detail, false), board, screen: Screen { multi }, beat: None }
    }

    /// The screen, for questions and for the end.
    pub fn screen(&self) -> Screen {
        self.screen.clone()
    }

    fn start(&mut self) {
        let hosts = self.board.lock().unwrap_or_else(PoisonError::into_inner).hosts();
        let (height, _) = Term::stderr().size();
        let rows = 1 + hosts.min(ROWS).min(usize::from(height).saturating_sub(4));
        let bars: Vec<_> = (0..rows).map(|_| self.screen.multi.add(row())).collect();
        let (stop, stopped) = mpsc::channel();
        let board = Arc::clone(&self.board);
        let beat = thread::spawn(move || {
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                draw(&board, &bars);
            }
            bars.iter().for_each(ProgressBar::finish_and_clear);
        });
        self.beat = Some((stop, beat));
    }

    fn stop(&mut self) {
        if let Some((stop, beat)) = self.beat.take() {
            drop(stop);
            // The thread only draws; if it panicked there is nothing to save.
            let _ = beat.join();
        }
        self.screen.clear();
    }
}

/// One row without anything of its own: its text is cut to the terminal's width.
fn row() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style)
}

fn draw(board: &Mutex<Board>, bars: &[ProgressBar]) {
    let (_, width) = Term::stderr().size();
    let rows =
        board.lock().unwrap_or_else(PoisonError::into_inner).rows(Instant::now(), usize::from(width), bars.len());
    for (bar, row) in bars.iter().zip(rows) {
        if bar.message() != row {
            bar.set_message(row);
        }
    }
}

impl Reporter for Progress {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner).on_event(event, Instant::now());
        let lines = self.lines.of(event);
        match event {
            Event::RunStarted { .. } => self.start(),
            Event::RunFinished { .. } => {
                let said = self.screen.say(&lines);
                self.stop();
                return said;
            }
            _ => {}
        }
        self.screen.say(&lines)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop();
    }
}
