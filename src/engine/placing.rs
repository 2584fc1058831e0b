//! Where a step takes place: its pattern, its batch, `--limit`, and who is still in the run.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::leader;
use super::run::Run;
use super::turns::Turn;
use crate::inventory::Host;
use crate::playbook::{Known, Play, Scope, Unresolved};

impl Run<'_> {
    /// The hosts of a turn, in inventory order. While nobody leads, the first manager is taken for the leader.
    ///
    /// # Errors
    /// A pattern that means nothing, or not yet.
    pub(super) fn placed(&self, turn: &Turn<'_>, leader: Option<&str>) -> Result<Vec<Arc<Host>>, Unresolved> {
        let leader = leader.map(str::to_owned).or_else(|| self.first_manager());
        let known = match self.world.known() {
            known if known.leader == leader => known,
            known => Arc::new(Known { leader, ..(*known).clone() }),
        };
        let scope = Scope::without_host(&self.ground, &known);
        Ok(self.allowed(turn.in_batch(scope.hosts(turn.pattern())?)))
    }

    /// The hosts of a turn's play whose batch is this one or a later one.
    pub(super) fn still_to_come(&self, turn: &Turn<'_>) -> Vec<Arc<Host>> {
        let scope = Scope::without_host(&self.ground, &self.world.known());
        let hosts = scope.hosts(&turn.play.hosts).unwrap_or_default();
        let done = turn.batch.map_or(0, |(start, _)| start);
        self.present(&self.allowed(hosts.into_iter().skip(done).collect()))
    }

    /// Those of `hosts` that are still in the run.
    pub(super) fn present(&self, hosts: &[Arc<Host>]) -> Vec<Arc<Host>> {
        let gone = self.world.gone();
        hosts.iter().filter(|host| !gone.contains(&host.name)).cloned().collect()
    }

    /// Every host that this run may change.
    pub(super) fn everyone(&self) -> Vec<Arc<Host>> {
        self.allowed(self.world.inventory.hosts.clone())
    }

    /// Every host that some turn may take place on.
    pub(super) fn concerned(&self, turns: &[Turn<'_>]) -> BTreeSet<String> {
        let placed = turns.iter().flat_map(|turn| self.placed(turn, None).unwrap_or_default());
        placed.map(|host| host.name.clone()).collect()
    }

    pub(super) fn play_size(&self, play: &Play) -> usize {
        let scope = Scope::without_host(&self.ground, &self.guess);
        scope.hosts(&play.hosts).map(|hosts| hosts.len()).unwrap_or_default()
    }

    fn first_manager(&self) -> Option<String> {
        leader::managers(&self.world.inventory.hosts).next().map(|host| host.name.clone())
    }

    fn allowed(&self, hosts: Vec<Arc<Host>>) -> Vec<Arc<Host>> {
        hosts.into_iter().filter(|host| self.world.may_change(&host.name)).collect()
    }
}
