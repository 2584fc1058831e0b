//! Which displays a command line asks for.

use std::env;
use std::io::{self, IsTerminal};

use super::args::{Form, Global, When};
use super::terminal::Terminal;
use crate::report::{Detail, GoOn, Json, Many, Paint, Plain, Plan, Progress, Summary};

/// How to tell what happens.
#[derive(Clone, Copy, Debug)]
pub struct Show {
    /// The form of the output.
    pub form: Form,
    /// The colours of standard output.
    pub paint: Paint,
    /// How much.
    pub detail: Detail,
}

impl Show {
    /// As the options and the environment say.
    pub fn of(global: &Global) -> Self {
        let form = form(global.output, terminal());
        let paint = Paint::new(colour(global.color, form == Form::Human));
        let detail = if global.verbose > 0 { Detail::Everything } else { Detail::Steps };
        Self { form, paint, detail }
    }

    /// The displays of a run, or of a plan.
    pub fn reporters(self, plan: bool, go_on: GoOn, terminal: &Terminal) -> Many {
        let many = Many::default();
        match self.form {
            Form::Json => many.with(Json::new(io::stdout())),
            Form::Plain if plan => self.ends(many, plan, go_on),
            Form::Plain => self.ends(many.with(Plain::new(io::stdout(), self.paint, self.detail)), plan, go_on),
            Form::Human => {
                let progress = Progress::new(self.paint, self.detail);
                terminal.draws(progress.screen());
                self.ends(many.with(progress), plan, go_on)
            }
        }
    }

    fn ends(self, many: Many, plan: bool, go_on: GoOn) -> Many {
        let many = if plan { many.with(Plan::new(io::stdout(), self.paint, self.detail)) } else { many };
        many.with(Summary::new(io::stdout(), self.paint, self.detail, go_on))
    }
}

/// Whether a person watches: both streams on a terminal that can move its cursor.
fn terminal() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal() && !dumb()
}

fn dumb() -> bool {
    env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty())
}

/// Progress needs a terminal; without one, lines say the same.
fn form(asked: Option<Form>, terminal: bool) -> Form {
    match (asked, terminal) {
        (Some(Form::Human) | None, false) => Form::Plain,
        (None, true) => Form::Human,
        (Some(form), _) => form,
    }
}

fn colour(when: When, human: bool) -> bool {
    let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto => human && !unwanted,
    }
}

/// Whether errors are coloured: they go to standard error, which may be a terminal where standard output is none.
pub fn errors_in_colour(global: &Global) -> bool {
    colour(global.color, io::stderr().is_terminal() && !dumb())
}

/// Whether questions can be asked: somebody can read them and answer.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_only_where_it_can_be_drawn() {
        assert_eq!(form(None, true), Form::Human);
        assert_eq!(form(None, false), Form::Plain);
        assert_eq!(form(Some(Form::Human), false), Form::Plain);
        assert_eq!(form(Some(Form::Json), true), Form::Json);
    }
}
