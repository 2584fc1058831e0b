//! What Docker would refuse of a container, told beforehand: it says so only once the one before has made way.

use std::net::IpAddr;

use super::parameters::{Attach, Parameters, Wanted};
use crate::actions::environment::unnamed;
use crate::actions::values::{mounted, ports};

/// The first mistake, if there is one.
pub(super) fn mistake(asked: &Parameters) -> Option<String> {
    if asked.state == Wanted::Running && asked.image.is_none() {
        return Some("missing key `image` in `container`".into());
    }
    if ports(&asked.ports).is_none() {
        return Some("`ports` are written as \"8080:80\", \"127.0.0.1:8080:80\" or \"53:53/udp\"".into());
    }
    if asked.restart.as_deref().is_some_and(|policy| !is_policy(policy)) {
        return Some("`restart` is one of no, always, unless-stopped, on-failure and on-failure:3".into());
    }
    if asked.cpus.is_some_and(|cpus| cpus < 0.0) {
        return Some("`cpus` is a number of processors, such as 1.5".into());
    }
    let of_places = || unplaced(asked).or_else(|| unmounted(&asked.volumes));
    of_places().or_else(|| unnamed(&asked.env)).or_else(|| shared(&asked.networks)).or_else(|| unaddressed(asked))
}

/// Whether Docker knows when a container is started again by this.
fn is_policy(text: &str) -> bool {
    let known = ["no", "always", "unless-stopped", "on-failure"].contains(&text);
    known || text.strip_prefix("on-failure:").is_some_and(|times| times.parse::<u32>().is_ok())
}

fn unplaced(asked: &Parameters) -> Option<String> {
    let of_host = asked.restart_if_newer.iter().map(|path| ("restart_if_newer", "on the host", path));
    let within =
        asked.workdir.iter().map(|path| ("workdir", "in the container", path)).filter(|(.., path)| !path.is_empty());
    let (field, place, path) = of_host.chain(within).find(|(.., path)| !path.starts_with('/'))?;
    Some(format!("`{field}` takes absolute paths {place}, and {path} is none"))
}

/// A volume without a path in the container, or from a folder that is not absolute: nobody knows where a relative one would begin.
fn unmounted(volumes: &[String]) -> Option<String> {
    let wrong = volumes.iter().find(|volume| mounted(volume).is_none())?;
    Some(format!("`volumes` are written as volume:/path or /folder:/path:ro, all paths absolute, and not as {wrong}"))
}

/// What shares the network of another container has no endpoint of its own: nobody could tell whether it is still there.
fn shared(networks: &[Attach]) -> Option<String> {
    let name = &networks.iter().find(|network| network.name.starts_with("container:"))?.name;
    Some(format!(
        "`networks` takes names of networks, and `{name}` is the network of another container: give both a network of their own"
    ))
}

fn unaddressed(asked: &Parameters) -> Option<String> {
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    if let Some(ip) = asked.networks.iter().filter_map(|network| network.ip.as_ref()).find(|ip| !is_address(ip)) {
        return Some(format!("`ip`: {ip} is no address"));
    }
    // host-gateway: what Docker puts the host's own address for.
    let is_right = |line: &&String| {
        let named = line.split_once(':').filter(|(name, _)| !name.is_empty());
        named.is_some_and(|(_, at)| at == "host-gateway" || is_address(at.trim_matches(['[', ']'])))
    };
    let wrong = asked.extra_hosts.iter().find(|line| !is_right(line))?;
    Some(format!("`extra_hosts` are written as name:address, and not as {wrong}"))
}
