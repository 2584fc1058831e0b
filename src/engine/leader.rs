//! The leader: where the swarm is commanded from.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::World;
use super::look;
use super::rounds::Ahead;
use crate::actions::works_as;
use crate::inventory::Host;
use crate::reads::docker::Look;
use crate::reads::{Read, Readings, Wanted};

/// The group whose hosts may lead.
const MANAGERS: &str = "managers";

/// The hosts of the group `managers`, in inventory order.
pub fn managers(hosts: &[Arc<Host>]) -> impl Iterator<Item = &Arc<Host>> {
    hosts.iter().filter(|host| host.groups.iter().any(|group| group == MANAGERS))
}

/// The reads that say who leads.
pub fn wanted(hosts: &[Arc<Host>]) -> BTreeSet<Wanted> {
    let wanted = |host: &Arc<Host>| Wanted {
        host: host.name.clone(),
        user: works_as(host, None, None),
        read: Read::Docker(Look::Engine),
    };
    managers(hosts).map(wanted).collect()
}

/// Pins the leader once there is one: the first manager, in inventory order, that controls the swarm with a quorum. What
/// was not read yet is read first, with what `ahead` adds in the same breath.
pub async fn find(world: &World, ahead: Ahead<'_>) {
    if world.leader().is_some() {
        return;
    }
    let unread = |wanted: &Wanted| !world.store().fresh(wanted) && world.left(&wanted.host).is_none();
    let stale: BTreeSet<Wanted> = wanted(&world.inventory.hosts).into_iter().filter(unread).collect();
    if !stale.is_empty() {
        let more = ahead(&stale.iter().map(|wanted| wanted.host.clone()).collect());
        look::fetch(world, stale, more.into_iter().filter(unread).collect()).await;
    }
    if let Some(leader) = controls(world) {
        world.learn(|known| known.leader = Some(leader));
    }
}

fn controls(world: &World) -> Option<String> {
    let store = world.store();
    let user = |name: &str| world.host(name).map(|host| works_as(host, None, None)).unwrap_or_default();
    let seen = Readings::new(&store, &user);
    let leads = |host: &&Arc<Host>| {
        let info = seen.engine(&host.name).is().and_then(|engine| engine.daemon.as_ref().is());
        info.is_some_and(|info| info.swarm.controls())
    };
    managers(&world.inventory.hosts).find(leads).map(|host| host.name.clone())
}
