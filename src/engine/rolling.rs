//! Rolling work: a play with `serial` stops where one of its batches has failed. What broke the first hosts would break all.

use std::collections::BTreeSet;

use super::job::Ended;
use super::run::Run;
use super::turns::Turn;
use super::{World, tally};
use crate::event::Outcome;

/// Who had left the run before a play began.
#[derive(Default)]
pub struct Rolling {
    play: Option<usize>,
    before: BTreeSet<String>,
}

impl Rolling {
    /// The host that has left the run since the turn's play began, where this turn is of one of its further batches.
    pub fn broke(&mut self, world: &World, turn: &Turn<'_>) -> Option<String> {
        // A play is known by where it stands in the text.
        if self.play.replace(turn.play.at.start) != Some(turn.play.at.start) {
            self.before = world.gone();
        }
        turn.is_further_batch().then(|| world.gone().difference(&self.before).next().cloned()).flatten()
    }
}

impl Run<'_> {
    /// Tells of the hosts whose batches come no more.
    pub(super) fn not_begun(&self, turn: &Turn<'_>, broke: &str) {
        let why = self.world.left(broke).unwrap_or_default();
        let message = format!("not begun, for the batch before it failed: {broke} left the run ({why})");
        for host in self.still_to_come(turn) {
            let ended = Ended { outcome: Some(Outcome::Skipped), message: Some(message.clone()), ..Ended::default() };
            tally::finish(&self.world, &turn.step.id, &host.name, None, &ended, 0);
        }
    }
}
