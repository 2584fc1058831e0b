//! Why a command ends early, and how that is said: what, where, a blank line, what to do.

use std::fmt;
use std::io::{self, Write};

use crate::event::Code;
use crate::remote::Unreachable;
use crate::remote::refusal::parted;
use crate::report::Paint;
use crate::secret::masked;
use crate::yaml;

/// A message, its remedy, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    code: Code,
}

impl Failure {
    /// What was given is wrong.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: Code::BadInput }
    }

    /// Ctrl-C came instead of an answer.
    pub fn interrupted() -> Self {
        Self { message: "interrupted".into(), hint: None, code: Code::Interrupted }
    }

    /// What was given to log in with cannot be used.
    pub fn unusable(what: Unreachable) -> Self {
        Self { message: what.what, hint: what.hint, code: Code::BadInput }
    }

    /// A host cannot be reached.
    pub fn lost(why: Unreachable) -> Self {
        Self { message: why.what, hint: why.hint, code: Code::Unreachable }
    }

    /// A host was reached, and is gone.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: Code::Unreachable }
    }

    /// Something that was tried did not work. Where the message ends with a remedy, that is its hint.
    pub fn failed(message: impl Into<String>) -> Self {
        let message = message.into();
        let (what, hint) = parted(&message);
        Self { message: what.to_owned(), hint: hint.map(str::to_owned), code: Code::Failed }
    }

    /// The same with more behind its message.
    #[must_use]
    pub fn adding(mut self, more: &str) -> Self {
        self.message += more;
        self
    }

    /// What to do about it.
    pub fn remedy(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// What it comes to.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The same with a remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Tells of an error on standard error, and gives its exit code.
pub fn tell(error: &anyhow::Error, paint: Paint) -> Code {
    if closed_pipe(error) {
        return Code::Settled;
    }
    let (text, code) = told(error, paint);
    // Where standard error is gone there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{}", masked(text.trim_end()));
    code
}

fn told(error: &anyhow::Error, paint: Paint) -> (String, Code) {
    if let Some(mistakes) = error.downcast_ref::<yaml::Errors>() {
        return (mistakes.render(paint.colours()), Code::BadInput);
    }
    let failure = error.downcast_ref::<Failure>();
    let mut text = format!("{} {error:#}", paint.bad("error:"));
    if let Some(hint) = failure.and_then(|failure| failure.hint.as_ref()) {
        text += &format!("\n\n{} {hint}", paint.hint("hint:"));
    }
    (text, failure.map_or(Code::Failed, |failure| failure.code))
}

/// Whoever read our output has seen enough (`skep hosts | head -1`): no reason to complain.
fn closed_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| cause.downcast_ref::<io::Error>().map(io::Error::kind);
    error.chain().any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_message_a_blank_line_and_the_remedy() {
        let error = Failure::bad_input("no inventory was given").hint("name one with -i").into();
        let (text, code) = told(&error, Paint::new(false));
        assert_eq!(text, "error: no inventory was given\n\nhint: name one with -i");
        assert_eq!(code, Code::BadInput);
    }

    #[test]
    fn a_closed_pipe_is_no_complaint() {
        let closed = Err::<(), _>(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing").expect_err("an error");
        assert_eq!(tell(&closed, Paint::new(false)), Code::Settled);
    }
}
