//! Who we are: keys, then what is asked for, then a password, and all that a host wants of them together.

mod agent;
mod denied;
mod keys;
mod offer;

use std::sync::Arc;

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Reply, Prompt};
use russh::{MethodKind, MethodSet};

use super::client::{Client, Facts, plain};
use super::destination::Destination;
use crate::secret::Secret;
pub(super) use denied::Denied;
pub(super) use keys::{Keys, check_identity};
pub(super) use offer::{Offer, Offers};

/// How often a host may ask further questions in one login.
const MOST_QUESTIONS: usize = 10;

/// What one try came to.
enum Step {
    In,
    /// It was right, and one of these is wanted too.
    Further(MethodSet),
    /// It was not right; these may be.
    Not(MethodSet),
    /// It could not be made.
    Unmade,
    /// The host hung up.
    Cut,
}

impl Step {
    fn of(result: AuthResult) -> Self {
        match result {
            AuthResult::Success => Self::In,
            AuthResult::Failure { remaining_methods, partial_success: true } => Self::Further(remaining_methods),
            AuthResult::Failure { remaining_methods, .. } => Self::Not(remaining_methods).or_cut(),
        }
    }

    /// A connection that ends shows as a failure after which nothing is left.
    fn or_cut(self) -> Self {
        match self {
            Self::Not(left) if left.is_empty() => Self::Cut,
            other => other,
        }
    }
}

/// A login under way.
struct Login<'a> {
    handle: &'a mut Handle<Client>,
    to: &'a Destination,
    facts: &'a Facts,
    asker: Option<Arc<dyn super::Asker>>,
    offers: &'a [Offer],
    /// How many of them were made.
    made: usize,
    /// Each secret is sent once: the same would be wrong again.
    password_sent: bool,
    /// What the host takes; nothing while it has not said.
    takes: Option<MethodSet>,
    denied: Denied,
}

impl Keys {
    /// Offers one after the other until one is taken; where the host wants several together, goes on.
    pub async fn login(
        &self,
        handle: &mut Handle<Client>,
        to: &Destination,
        offers: &Offers,
        facts: &Facts,
    ) -> Result<(), Denied> {
        let asker = self.asker.clone().filter(|_| !to.identity.batch);
        let problems = offers.problems.clone();
        let denied = Denied { left_out: offers.left_out, problems, ..Denied::default() };
        let offers = &offers.list;
        let login = Login { handle, to, facts, asker, offers, made: 0, password_sent: false, takes: None, denied };
        let secret = login.run().await?;
        if secret {
            self.found_right(to);
        }
        Ok(())
    }
}

impl Login<'_> {
    /// Whether a password was among what let us in.
    async fn run(mut self) -> Result<bool, Denied> {
        if self.offers.is_empty() {
            // Says what it takes, and is not counted among the failures.
            let asked = self.handle.authenticate_none(&self.to.user).await;
            if self.heard(asked.map_or(Step::Cut, Step::of)) {
                return Ok(false);
            }
        }
        while !self.denied.cut {
            let Some(method) = self.next() else { break };
            let step = match method {
                MethodKind::PublicKey => self.key().await,
                MethodKind::KeyboardInteractive => self.interactive().await,
                _ => self.password().await,
            };
            if self.heard(step) {
                return Ok(self.denied.secret);
            }
        }
        self.denied.methods = self.takes.iter().flat_map(|all| all.iter()).map(String::from).collect();
        Err(self.denied)
    }

    /// Takes note of what a try came to; whether that is all.
    fn heard(&mut self, step: Step) -> bool {
        match step {
            Step::In => return true,
            Step::Further(left) => {
                self.denied.partly = true;
                self.takes = Some(left);
            }
            Step::Not(left) => self.takes = Some(left),
            Step::Unmade => self.denied.cut = self.handle.is_closed(),
            Step::Cut => self.denied.cut = true,
        }
        false
    }

    /// The next method that the host takes and we have something left for.
    fn next(&self) -> Option<MethodKind> {
        let taken = |method: &MethodKind| self.takes.as_ref().is_none_or(|all| all.contains(method));
        let able = |method: &MethodKind| match method {
            MethodKind::PublicKey => self.made < self.offers.len(),
            MethodKind::KeyboardInteractive => !self.denied.asked && self.can_answer(),
            _ => !self.password_sent && self.to.password.is_some(),
        };
        self.to.methods.iter().copied().find(|method| taken(method) && able(method))
    }

    fn can_answer(&self) -> bool {
        self.asker.is_some() || (self.to.password.is_some() && !self.password_sent)
    }

    async fn key(&mut self) -> Step {
        let offer = &self.offers[self.made];
        self.made += 1;
        self.denied.offered.push(offer.describe());
        match offer.make(self.handle, &self.to.user, self.facts).await {
            Ok(AuthResult::Success) => {
                self.lets_in(offer);
                Step::In
            }
            Ok(result) => Step::of(result),
            Err(problem) => {
                self.denied.problems.push(problem);
                Step::Unmade
            }
        }
    }

    /// Remembers a key that was enough. One that a person must touch is not for others to use.
    fn lets_in(&self, offer: &Offer) {
        if !self.denied.partly && !offer.needs_touch() {
            let _ = self.facts.key.set(offer.clone());
        }
    }

    async fn password(&mut self) -> Step {
        self.password_sent = true;
        self.denied.secret = true;
        let Some(password) = &self.to.password else { return Step::Cut };
        self.denied.offered.push("the password".into());
        let sent = self.handle.authenticate_password(&self.to.user, password.expose()).await;
        sent.map_or(Step::Cut, Step::of)
    }

    async fn interactive(&mut self) -> Step {
        self.denied.asked = true;
        let mut reply = self.handle.authenticate_keyboard_interactive_start(&self.to.user, None).await;
        for _ in 0..MOST_QUESTIONS {
            match reply {
                Ok(Reply::Success) => return Step::In,
                Ok(Reply::Failure { remaining_methods: left, partial_success: true }) => return Step::Further(left),
                Ok(Reply::Failure { remaining_methods, .. }) => return Step::Not(remaining_methods).or_cut(),
                Ok(Reply::InfoRequest { instructions, prompts, .. }) => {
                    self.denied.said += &plain(&instructions);
                    let answers = self.answers(&instructions, &prompts).await;
                    reply = self.handle.authenticate_keyboard_interactive_respond(answers).await;
                }
                Err(_) => return Step::Cut,
            }
        }
        Step::Cut
    }

    /// An answer for each question; that of the password goes once, to the first whose words ask for it.
    async fn answers(&mut self, instructions: &str, prompts: &[Prompt]) -> Vec<String> {
        let mut answers = Vec::new();
        for prompt in prompts {
            let known = self.to.password.clone().filter(|_| !self.password_sent && self.wants_password(prompt));
            let answer = match known {
                Some(password) => {
                    self.password_sent = true;
                    self.denied.offered.push(format!("the password, when it asked {:?}", plain(prompt.prompt.trim())));
                    Some(password)
                }
                None => self.ask(instructions, prompt).await,
            };
            self.denied.secret |= answer.is_some();
            answers.push(answer.map(|answer| answer.expose().to_owned()).unwrap_or_default());
        }
        answers
    }

    /// Where nobody can be asked, any hidden question must be the password's.
    fn wants_password(&self, prompt: &Prompt) -> bool {
        let text = prompt.prompt.to_lowercase();
        !prompt.echo && (text.contains("pass") && !text.contains("passcode") || self.asker.is_none())
    }

    async fn ask(&mut self, instructions: &str, prompt: &Prompt) -> Option<Secret> {
        let Some(asker) = self.asker.clone() else {
            self.denied
                .problems
                .push(format!("it asks {:?}, and there is nobody to answer", plain(prompt.prompt.trim())));
            return None;
        };
        // Who asks stands first, and is not the host's to say.
        let question = format!("({}) {} {}", self.to.login(), plain(instructions).trim(), plain(&prompt.prompt).trim());
        let (question, echo) = (question.replace("  ", " "), prompt.echo);
        let answering = tokio::task::spawn_blocking(move || asker.answer(&question, echo));
        self.facts.while_asking(answering).await.ok().flatten()
    }
}
