//! Swarms whose managers are too few: nobody can command them, and no waiting helps.

use super::view::View;
use crate::actions::Plan;
use crate::reads::docker::{Info, Member};
use crate::reads::{Seen, is_late};

impl View<'_> {
    /// The swarm that a host is in has no majority of its managers, as `info` knows them and their hosts answer.
    pub(super) fn without_quorum(&self, info: &Info) -> Option<Plan> {
        let managers = info.swarm.remote_managers.as_deref().filter(|managers| !managers.is_empty())?;
        let (up, silent): (Vec<&Member>, Vec<&Member>) =
            managers.iter().partition(|manager| self.is_up(&manager.node_id));
        // One that is no host of ours cannot be asked: it may be up, and then it is only their election that takes a moment. And in the
        // middle of that, daemons take their time to answer.
        let is_unread = |name: &str| matches!(self.seen.daemon(name), Seen::Unread(why) if !is_late(&why));
        let unread = self.members.iter().filter(|host| is_unread(&host.name)).count();
        let strange = silent.len().saturating_sub(unread);
        (2 * (up.len() + strange) <= managers.len()).then(|| self.lost(&self.names(&up), &self.names(&silent)))
    }

    fn is_up(&self, node: &str) -> bool {
        let daemons = self.members.iter().filter_map(|host| self.seen.daemon(&host.name).is());
        daemons.filter(|info| !info.swarm.inactive()).any(|info| info.swarm.node_id == node)
    }

    fn names(&self, managers: &[&Member]) -> Vec<String> {
        managers.iter().map(|manager| self.named(&manager.node_id, &manager.addr)).collect()
    }

    /// Docker itself can go on with one of them, but it forgets the others then: that is nobody's choice but a person's.
    fn lost(&self, up: &[String], silent: &[String]) -> Plan {
        let (all, missing) = (up.len() + silent.len(), silent.join(", "));
        let back =
            format!("start Docker there: with more than half of the managers back, all is as before ({missing})");
        let Some(first) = up.first() else {
            let why = format!(
                "the swarm that {} is in cannot be commanded: no manager of it answers ({missing})",
                self.host()
            );
            let hint = format!(
                "{back}. Where they are gone for good, so is what the swarm knew: docker swarm leave --force on each of the other \
                 hosts, then run again, and a new swarm is started"
            );
            return Plan::refused(why, hint);
        };
        let why = format!(
            "the swarm cannot be commanded: of its {all} managers only {} can be asked, not {missing}",
            up.join(", ")
        );
        let address = self.seen.daemon(first).is().map(|info| info.swarm.node_addr.as_str()).unwrap_or_default();
        let hint = format!(
            "{back}. Only where they are gone for good, on {first}: docker swarm init --force-new-cluster --advertise-addr {address} \
             (it goes on alone, with all services and nodes; should one of the others come back, docker swarm leave --force there), \
             then run again"
        );
        Plan::refused(why, hint)
    }
}
