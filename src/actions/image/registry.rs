//! To a registry and from it.

use super::{Found, Image, image};
use crate::actions::{Ask, Change, Plan, Target};
use crate::reads::docker::{Look, normal_reference};
use crate::reads::{Probe, Read, Readings, Seen};
use crate::remote::{Command, quote};

impl Image {
    pub(super) fn pull_reads(&self, on: &Target) -> Vec<Ask> {
        let theirs = self.sources(on).into_iter().map(|host| Ask { host, read: image(&self.name) });
        let store = self.platform.as_ref().map(|_| on.ask(Read::Docker(Look::Engine)));
        theirs.chain(store).collect()
    }

    /// A tag may mean another image tomorrow: it is the right one if the host that has it says so.
    pub(super) fn pull_plan(&self, own: Option<&Found>, on: &Target, seen: &Readings<'_>) -> Plan {
        if let Some(own) = own.filter(|own| self.is_foreign(own, on, seen)) {
            let why = format!("the one here is made for {}", own.architecture);
            return Plan::Change(vec![Change::run(why, self.pull(&self.name))]);
        }
        for host in self.sources(on) {
            match seen.image(&host, &self.name) {
                Seen::Is(theirs) => return self.pull_like(&host, theirs, own),
                Seen::Absent => {}
                Seen::Unread(why) => return Plan::unread(&format!("image {} on {host}", self.name), &why),
            }
        }
        own.map_or_else(|| Plan::Change(vec![self.pull_tagged()]), |_| Plan::Settled)
    }

    /// Whether another platform is asked for. A store of containerd keeps all of them under one name and shows the host's own:
    /// what was pulled would never be seen there.
    fn is_foreign(&self, own: &Found, on: &Target, seen: &Readings<'_>) -> bool {
        let graph = || seen.daemon(&on.host.name).is().is_some_and(|info| !info.containerd_store());
        let asked = self.platform.as_deref().and_then(architecture);
        asked.is_some_and(|asked| !own.architecture.is_empty() && asked != own.architecture) && graph()
    }

    fn pull_like(&self, host: &str, theirs: &Found, own: Option<&Found>) -> Plan {
        // Where it is made for several architectures, only its digest is the same on all.
        let same = |own: &Found| {
            own.content == theirs.content || self.digests(own).any(|d| self.digests(theirs).any(|t| t == d))
        };
        match (self.digests(theirs).next(), own) {
            (_, Some(own)) if same(own) => Plan::Settled,
            // It never was in the registry: there is nothing to pull.
            (None, Some(_)) => Plan::Settled,
            (None, None) => Plan::Change(vec![self.pull_tagged()]),
            (Some(digest), own) => {
                let why = if own.is_some() { format!("that of {host} is another") } else { "it is not here".into() };
                let tag = ["docker", "tag", &digest, &self.name];
                Plan::Change(vec![Change::run(why, self.pull(&digest).syntax("&&").args(tag))])
            }
        }
    }

    fn pull_tagged(&self) -> Change {
        Change::run("it is not here", self.pull(&self.name))
    }

    fn pull(&self, reference: &str) -> Command {
        let platform = self.platform.iter().flat_map(|platform| ["--platform", platform]);
        Command::new("docker").arg("pull").args(platform).arg(reference)
    }

    /// Its names by digest in its repository.
    fn digests(&self, found: &Found) -> impl Iterator<Item = String> {
        let repository = format!("{}@", repository(&self.name));
        let digests = found.digests.clone().into_iter().map(|digest| normal_reference(&digest));
        digests.filter(move |digest| digest.starts_with(&repository))
    }

    /// The registry itself is asked. What an engine knows is no proof: with containerd's store an image has a digest from the
    /// start, elsewhere what was pushed of an image counts for all its tags, and a registry may have lost everything since.
    pub(super) fn push_reads(&self, on: &Target) -> [Ask; 2] {
        [Read::Docker(Look::Engine), Read::Probe(in_registry(&self.name))].map(|read| on.ask(read))
    }

    pub(super) fn pushed(&self, plan: Plan, own: Option<&Found>, on: &Target, seen: &Readings<'_>) -> Plan {
        let push = |why: String| Change::run(why, Command::new("docker").args(["push", &self.name]));
        match plan {
            Plan::Settled => match self.not_pushed(own, on, seen) {
                Some(why) => Plan::Change(vec![push(why)]),
                None => Plan::Settled,
            },
            Plan::Change(mut changes) => {
                changes.push(push("its registry does not have it".into()));
                Plan::Change(changes)
            }
            other => other,
        }
    }

    /// Why the registry is taken not to have it.
    fn not_pushed(&self, own: Option<&Found>, on: &Target, seen: &Readings<'_>) -> Option<String> {
        let why = "its registry does not have it";
        if own.is_none_or(|own| self.digests(own).next().is_none()) {
            return Some(why.into());
        }
        let containerd = seen.daemon(&on.host.name).is().is_some_and(|info| info.containerd_store());
        match seen.probe(&on.host.name, &in_registry(&self.name)) {
            Seen::Is(output) if output.ok() => None,
            // The command may not reach what the engine does, which has proxies and ranges without TLS of its own: then what that knows
            // is the best answer, where it says more than that there is an image.
            Seen::Is(output) if output.code == NOT_TOLD && !containerd => None,
            Seen::Unread(_) if !containerd => None,
            Seen::Is(output) => Some(format!("{why}: {}", output.errors().lines().last().unwrap_or_default())),
            Seen::Absent => Some(why.into()),
            Seen::Unread(unread) => Some(format!("{why}, as far as is known: {unread}")),
        }
    }
}

/// How `sh` says that a registry has told nothing of us.
const NOT_TOLD: i32 = 3;

/// Asks a registry whether a name means the image of that name here, as the engine would: without TLS only where the engine may do
/// so. Of one that is made for several platforms the digest of the whole is not told by its name: then it is enough that
/// the registry has both. Which digests are ours the host finds by itself, so that it is asked once for all.
pub(super) fn in_registry(name: &str) -> Probe {
    let (name, repository) = (normal_reference(name), repository(name));
    let registry = name.split('/').next().unwrap_or_default();
    let loopback = registry.starts_with("localhost:") || registry.starts_with("127.");
    let insecure = "{{range .RegistryConfig.IndexConfigs}}{{if not .Secure}} {{.Name}} {{end}}{{end}}";
    Probe::new(format!(
        "ours=$(docker image inspect --format '{{{{range .RepoDigests}}}}{{{{println .}}}}{{{{end}}}}' {name} 2>/dev/null |\n\
         while read -r one; do case $one in {}*) echo \"$one\" ;; esac; done)\n\
         [ -n \"$ours\" ] || exit {NOT_TOLD}\n\
         case {}\"$(docker info --format '{insecure}')\" in *{}*) i=--insecure ;; *) i= ;; esac\n\
         there=$(docker manifest inspect -v $i {name}) || there=\n\
         for one in $ours; do case $there in *\"${{one#*@}}\"*) exit 0 ;; esac; done\n\
         case $there in '' | '['*) ;; *) echo 'the tag is of another image there' >&2; exit 1 ;; esac\n\
         for one in $ours; do docker manifest inspect $i \"$one\" >/dev/null || continue\n\
         [ -z \"$there\" ] || exit 0\necho 'it has no such tag' >&2; exit 1\ndone\n\
         exit {NOT_TOLD}",
        quote(&format!("{repository}@")),
        quote(&if loopback { format!(" {registry} ") } else { String::new() }),
        quote(&format!(" {registry} ")),
        name = quote(&name),
    ))
    .within(30)
    .elsewhere()
}

/// The architecture in `os/arch[/variant]`, as images name theirs.
fn architecture(platform: &str) -> Option<&str> {
    match platform.split('/').nth(1)? {
        "x86_64" | "x86-64" => Some("amd64"),
        "aarch64" => Some("arm64"),
        "armhf" | "armel" => Some("arm"),
        other => Some(other),
    }
}

/// The name without tag or digest, as `docker images` writes it.
fn repository(name: &str) -> String {
    let name = normal_reference(name);
    let name = name.split('@').next().unwrap_or(&name);
    let tag = name.rfind(':').filter(|at| !name[*at..].contains('/'));
    name[..tag.unwrap_or(name.len())].to_owned()
}
