//! The terminal: who draws on it, and the modes that it had when we came.

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use crate::report::Screen;

/// The terminal, and whatever draws on it at the moment.
#[derive(Clone)]
pub struct Terminal {
    screen: Arc<Mutex<Option<Screen>>>,
    modes: Option<Arc<Termios>>,
}

impl Terminal {
    /// As it is now.
    pub fn found() -> Self {
        let modes = ours().then(|| tcgetattr(io::stderr()).ok()).flatten();
        Self { screen: Arc::default(), modes: modes.map(Arc::new) }
    }

    /// From now on `screen` draws on it. A Ctrl-C that is typed is not shown as `^C`, which would push the rows out of place.
    pub fn draws(&self, screen: Screen) {
        if let Some(mut modes) = self.modes.as_deref().cloned() {
            modes.local_modes.remove(LocalModes::ECHOCTL);
            set(&modes);
        }
        *self.screen.lock().unwrap_or_else(PoisonError::into_inner) = Some(screen);
    }

    /// Takes whatever is drawn away while `ask` uses the terminal.
    pub fn suspend<T>(&self, ask: impl FnOnce() -> T) -> T {
        let screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match screen {
            Some(screen) => screen.suspend(ask),
            None => ask(),
        }
    }

    /// Takes whatever is drawn away for good, and leaves the terminal as it was found.
    pub fn restore(&self) {
        if let Some(screen) = self.screen.lock().unwrap_or_else(PoisonError::into_inner).take() {
            screen.clear();
        }
        self.show_typing();
    }

    /// Shows again what is typed, if a question for a passphrase was given up.
    pub fn show_typing(&self) {
        self.modes.as_deref().into_iter().for_each(set);
    }
}

/// Whoever is in the background would be stopped if he changed its modes.
fn ours() -> bool {
    io::stderr().is_terminal() && tcgetpgrp(io::stderr()).is_ok_and(|group| group == getpgrp())
}

fn set(modes: &Termios) {
    if ours() {
        // A terminal that is gone has no modes to care for.
        let _ = tcsetattr(io::stderr(), OptionalActions::Now, modes);
    }
}
