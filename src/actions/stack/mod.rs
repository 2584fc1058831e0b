//! `stack`: services that are deployed together from a Compose file, or are absent.

mod compose;
mod interpolate;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::network::Presence;
use super::values::Text;
use super::{Action, Ask, Change, Does, Object, Parcel, Plan, Refusal, Sent, Target, diff, hints, tasks};
use crate::event::Difference;
use crate::reads::docker::{Look, Service as Found, Stack as FoundStack, is_image};
use crate::reads::{Read, Readings, Seen, WORKSTATION};
use crate::remote::Command;
use crate::yaml;
use compose::{Compose, Service};

/// Deploys a Compose file to the swarm, and waits until every task of it runs; or removes a stack.
///
/// It is run where the swarm is controlled (`hosts: leader`). Each service keeps, in the label `skep.asked`, what it was asked to be, so
/// a plan shows field by field what would change; values of environments are compared and never shown. What others have changed by
/// hand is seen in the image, the number of replicas and the values of the environment; the action `service` compares every field.
///
/// A service whose tasks are to run once (`restart_policy` with the condition `none`, or a job) is done when they have ended well; with
/// `on-failure`, when they run or have ended well. A task that has just come up must stay up for 5 s.
///
/// In the file `${NAME}`, `${NAME:-default}` and `$$` mean what they mean to `docker stack deploy`, which takes the very same file.
/// What a swarm would pass over in silence is refused: a port that is bound to an address, `env_file`, variables without a value, files of
/// secrets and configs (the actions `secret` and `config` make those), and a service without `image`.
///
/// Where the swarm gives an update up, the step fails with the words of the tasks, and the next run tries once more. A stack that
/// is to be absent goes by the ids that were read: services, then its own secrets, configs and networks. Volumes stay.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// Its name; it stands in front of the names of its services and networks.
    name: String,
    /// The Compose file on the workstation; the path is relative to the playbook's folder.
    file: Option<PathBuf>,
    /// The same, rendered as a template before it is read.
    template: Option<String>,
    /// What `${NAME}` in the file stands for. Nothing of skep's own environment comes into it.
    #[serde(default)]
    variables: BTreeMap<String, Text>,
    /// Whether the nodes may pull with the login that the step's user has on this host (`registry_login`).
    #[serde(default)]
    registry_auth: bool,
    /// Whether the registry is asked which image a tag means: `always`, `changed` (when the image is another), `never` (each node
    /// takes the image that it has, or pulls the tag itself: the way for images that were carried).
    #[serde(default)]
    resolve_image: Resolve,
    /// Whether services that the file does not name any more are removed: it is asked about before.
    #[serde(default = "yes")]
    prune: bool,
    /// `present` (the default) or `absent`.
    #[serde(default)]
    state: Presence,
    /// What `template` came to.
    #[serde(skip)]
    rendered: Option<String>,
}

/// When the registry is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Resolve {
    Always,
    #[default]
    Changed,
    Never,
}

/// The label with what a service was asked to be.
const ASKED: &str = "skep.asked";
/// Docker's own, with the image as the last deployment asked for it.
const DEPLOYED: &str = "com.docker.stack.image";
/// What it keeps there of an image's layers and configuration.
const IMAGE: &str = "image.content";

fn yes() -> bool {
    true
}

impl Action for Stack {
    fn describe(&self) -> String {
        format!("stack {}", self.name)
    }

    fn object(&self) -> Option<Object> {
        Some(Object { kind: "stack", name: self.name.clone() })
    }

    fn sends(&self) -> Vec<Sent> {
        let file = self.file.iter();
        file.map(|file| Sent { named_by: &["file"], path: file.clone(), is_folder: false }).collect()
    }

    fn wrong(&self, folder: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Option<yaml::Error> {
        let (path, text) = match (&self.rendered, &self.template) {
            (Some(text), Some(template)) => (folder.join(template), text.clone()),
            _ => {
                let path = folder.join(self.file.as_ref()?);
                let text = read(&path)?;
                (path, text)
            }
        };
        Compose::read(&path, text, &self.stand_for()).err()
    }

    fn template(&self) -> Option<&str> {
        self.template.as_deref()
    }

    fn set_rendered(&mut self, text: String) {
        self.rendered = Some(text);
    }

    fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let mut asks = vec![on.ask(Read::Docker(Look::Stack(self.name.clone())))];
        asks.extend(
            self.file.iter().map(|file| Ask { host: WORKSTATION.into(), read: Read::Text(on.folder.join(file)) }),
        );
        if self.state == Presence::Absent {
            asks.push(on.ask(Read::Docker(Look::Remains(self.name.clone()))));
            return asks;
        }
        let Ok(Some(compose)) = self.compose(on, seen) else { return asks };
        let images = compose.services.iter().filter(|_| self.resolve_image == Resolve::Never);
        asks.extend(images.map(|service| on.ask(Read::Docker(Look::Image(service.image.clone())))));
        if let Seen::Is(found) = seen.stack(&on.host.name, &self.name) {
            asks.extend(tasks::logs(found).map(|probe| on.ask(Read::Probe(probe))));
        }
        asks
    }

    fn plan(&self, on: &Target, seen: &Readings<'_>) -> Plan {
        let found = match seen.stack(&on.host.name, &self.name) {
            Seen::Unread(why) => return Plan::unread(&format!("stack {} on {}", self.name, on.host.name), &why),
            Seen::Absent => None,
            Seen::Is(found) => Some(found),
        };
        match (self.state, found) {
            (Presence::Absent, found) => self.removed(found, on, seen),
            (Presence::Present, found) => match self.compose(on, seen) {
                Ok(Some(compose)) => self.compare(&compose, found, on, seen),
                Ok(None) => Plan::refused(
                    format!("stack {} has no Compose file", self.name),
                    "say `file: PATH` or `template: PATH`",
                ),
                Err(refusal) => Plan::Refused(refusal),
            },
        }
    }

    fn hint(&self, said: &str) -> Option<String> {
        hints::docker(said)
    }
}

impl Stack {
    fn stand_for(&self) -> BTreeMap<String, String> {
        self.variables.iter().map(|(name, Text(value))| (name.clone(), value.clone())).collect()
    }

    /// What the file asks for, as far as it could be read.
    fn compose(&self, on: &Target, seen: &Readings<'_>) -> Result<Option<Compose>, Refusal> {
        let unread = |why: String| Refusal { why, hint: None };
        let (path, text) = match (&self.rendered, &self.template, &self.file) {
            (Some(text), Some(template), _) => (on.folder.join(template), text.clone()),
            (_, _, Some(file)) => {
                let path = on.folder.join(file);
                match seen.text(&path) {
                    Seen::Is(text) => (path, text.to_owned()),
                    Seen::Absent => return Err(unread(format!("there is no file {}", path.display()))),
                    Seen::Unread(why) => return Err(unread(format!("cannot read {}: {why}", path.display()))),
                }
            }
            _ => return Ok(None),
        };
        let compose = Compose::read(&path, text, &self.stand_for());
        compose.map(Some).map_err(|error| Refusal { why: error.to_string(), hint: None })
    }

    fn compare(&self, compose: &Compose, found: Option<&FoundStack>, on: &Target, seen: &Readings<'_>) -> Plan {
        let asked: Result<Vec<Asked<'_>>, Plan> =
            compose.services.iter().map(|service| self.asked(service, on, seen)).collect();
        let asked = match asked {
            Ok(asked) => asked,
            Err(unread) => return unread,
        };
        let of = format!(" of stack {}", self.name);
        let differs = |found: &Found| asked.iter().any(|asked| asked.name == found.name && asked.is_another(found));
        if let Some(refused) = found.and_then(|found| tasks::given_up(&of, found, differs, on, seen)) {
            return refused;
        }
        let changes = self.changes(compose, &asked, found, on);
        match found {
            _ if !changes.is_empty() => Plan::Change(changes),
            Some(found) => tasks::plan(&of, found, on, seen),
            None => Plan::Settled,
        }
    }

    fn changes(&self, compose: &Compose, asked: &[Asked<'_>], found: Option<&FoundStack>, on: &Target) -> Vec<Change> {
        let swapped = asked.iter().filter_map(|asked| {
            let found = asked.find(found)?;
            Some(self.put_back(asked, found, asked.swapped(found)?))
        });
        let back: Vec<Change> = swapped.collect();
        let is_put_back = |one: &Difference| back.iter().any(|change| change.differs.contains(one));
        let differs = asked.iter().flat_map(|asked| asked.differs(found)).filter(|one| !is_put_back(one));
        let differs: Vec<Difference> = differs.collect();
        let superfluous: Vec<&Found> = self.superfluous(compose, found).collect();
        let stays = |service: &Found| {
            let differs = asked.iter().any(|asked| asked.name == service.name && asked.is_another(service));
            !differs && !superfluous.iter().any(|gone| gone.id == service.id)
        };
        let again = found.into_iter().flat_map(|found| tasks::again(found, self.registry_auth, on));
        let again = again.filter(|(service, _)| stays(service)).map(|(_, change)| change).collect::<Vec<_>>();
        let deploy = (!differs.is_empty()).then(|| self.deploy(compose, asked).differing(differs));
        deploy.into_iter().chain(back).chain(again).chain(superfluous.iter().map(|service| remove(service))).collect()
    }

    /// Services that the stack has and the file has not.
    fn superfluous<'a>(
        &'a self,
        compose: &'a Compose,
        found: Option<&'a FoundStack>,
    ) -> impl Iterator<Item = &'a Found> {
        let services = found.map(|found| &found.services[..]).unwrap_or_default().iter().filter(|_| self.prune);
        services.filter(|found| !compose.services.iter().any(|service| self.full(&service.name) == found.name))
    }

    fn full(&self, service: &str) -> String {
        format!("{}_{service}", self.name)
    }

    /// An image that is here is what a tag means here: where it becomes another one, the tasks are made anew.
    fn asked<'a>(&self, service: &'a Service, on: &Target, seen: &Readings<'_>) -> Result<Asked<'a>, Plan> {
        let asked = Asked { name: self.full(&service.name), service, image: None, resolve: self.resolve_image };
        if self.resolve_image != Resolve::Never {
            return Ok(asked);
        }
        match seen.image(&on.host.name, &service.image) {
            Seen::Is(image) => Ok(Asked { image: Some(image.content.clone()), ..asked }),
            Seen::Absent => Ok(asked),
            Seen::Unread(why) => Err(Plan::unread(&format!("image {} on {}", service.image, on.host.name), &why)),
        }
    }

    fn deploy(&self, compose: &Compose, asked: &[Asked<'_>]) -> Change {
        let labels = |service: &str| {
            let asked = asked.iter().find(|asked| asked.service.name == service);
            asked.map(|asked| (asked.label(), asked.image.clone())).unwrap_or_default()
        };
        let document = compose.labelled(ASKED, labels);
        let resolve = match self.resolve_image {
            Resolve::Always => "always",
            Resolve::Changed => "changed",
            Resolve::Never => "never",
        };
        let mut command =
            Command::new("docker").args(["stack", "deploy", "--compose-file", "-", "--resolve-image", resolve]);
        if self.registry_auth {
            command = command.arg("--with-registry-auth");
        }
        let does = Does::Send { parcel: Parcel::Bytes(document.into_bytes()), to: command.arg(&self.name) };
        Change::new("it is not as its file has it", does)
    }

    /// A deployment keeps the image that a service has, where the file asks for the same as the last time.
    fn put_back(&self, asked: &Asked<'_>, found: &Found, differs: Difference) -> Change {
        let mut command =
            Command::new("docker").args(["service", "update", "--detach", "--image", &asked.service.image]);
        command = command.args((self.resolve_image == Resolve::Never).then_some("--no-resolve-image"));
        command = command.args(self.registry_auth.then_some("--with-registry-auth"));
        Change::run("it runs another image than it was deployed with", command.arg(&found.id)).differing(vec![differs])
    }

    /// `docker stack rm` goes by the name, and takes what came since it was looked at; and it ends where it meets what it cannot
    /// remove. Secrets and networks wait for those that use them.
    fn removed(&self, found: Option<&FoundStack>, on: &Target, seen: &Readings<'_>) -> Plan {
        let what = format!("what stack {} has on {}", self.name, on.host.name);
        let remains = match seen.remains(&on.host.name, &self.name) {
            Seen::Is(remains) => Some(remains),
            Seen::Absent => None,
            Seen::Unread(why) => return Plan::unread(&what, &why),
        };
        let services = found.map(|found| self.end(found));
        let rm = |sort: &'static str, ids: &[String]| {
            let command = Command::new("docker").args([sort, "rm"]).args(ids.to_vec());
            (!ids.is_empty()).then(|| Change::run(format!("its {sort}s are to be absent"), command).removing())
        };
        let rest = remains.into_iter().flat_map(|remains| {
            [rm("secret", &remains.secrets), rm("config", &remains.configs), rm("network", &remains.networks)]
        });
        let changes: Vec<Change> = services.into_iter().chain(rest.flatten()).collect();
        if changes.is_empty() { Plan::Settled } else { Plan::Change(changes) }
    }

    /// Removes its services, and waits until their tasks have ended: until then they hold on to networks and volumes.
    fn end(&self, found: &FoundStack) -> Change {
        let ids: Vec<&str> = found.services.iter().map(|service| service.id.as_str()).collect();
        let command = tasks::end_services(&ids);
        Change::run("it is to be absent", command).removing()
    }
}

/// What stands in these is as people have written it, and may have a password in it.
const WRITTEN: [&str; 6] = ["command", "entrypoint", "labels", "deploy.labels", "healthcheck", "logging"];

/// What a service is to be.
struct Asked<'a> {
    /// Its name with that of the stack.
    name: String,
    service: &'a Service,
    /// What its image is on this host, where that decides.
    image: Option<String>,
    resolve: Resolve,
}

impl Asked<'_> {
    fn fields(&self) -> BTreeMap<String, String> {
        let image = self.image.iter().map(|content| (IMAGE.to_owned(), content.clone()));
        self.service.fields.clone().into_iter().chain(image).collect()
    }

    fn label(&self) -> String {
        serde_json::to_string(&self.fields()).unwrap_or_default()
    }

    /// Field by field: what it was asked to be the last time, and what somebody has made of it since.
    fn differs(&self, found: Option<&FoundStack>) -> Vec<Difference> {
        match self.find(found) {
            Some(found) => self.differs_from(found),
            None => vec![self.field("image", "no service".into(), self.service.image.clone())],
        }
    }

    fn find<'b>(&self, found: Option<&'b FoundStack>) -> Option<&'b Found> {
        found?.services.iter().find(|found| found.name == self.name)
    }

    /// Another image than the one that the last deployment asked for, and the file still does.
    fn swapped(&self, found: &Found) -> Option<Difference> {
        let deployed = found.labels.get(DEPLOYED) == Some(&self.service.image) && self.resolve != Resolve::Always;
        self.other_image(found).filter(|_| deployed)
    }

    fn other_image(&self, found: &Found) -> Option<Difference> {
        let asked = &self.service.image;
        (!is_image(&found.image, asked, self.resolve != Resolve::Never))
            .then(|| self.field("image", found.image.clone(), asked.clone()))
    }

    fn is_another(&self, found: &Found) -> bool {
        !self.differs_from(found).is_empty()
    }

    fn field(&self, name: &str, is: String, asked: String) -> Difference {
        Difference { field: format!("{}.{name}", self.service.name), is, asked }
    }

    fn differs_from(&self, found: &Found) -> Vec<Difference> {
        let field = |name: &str, is, asked| self.field(name, is, asked);
        let was: Option<BTreeMap<String, String>> =
            found.labels.get(ASKED).and_then(|label| serde_json::from_str(label).ok());
        let Some(was) = was else {
            return vec![field("labels.skep.asked", "none: skep has not deployed it".into(), "one".into())];
        };
        let asked = self.fields();
        let names: BTreeSet<&String> = was.keys().chain(asked.keys()).collect();
        // An image that is not here any more says nothing of the tasks, which run elsewhere.
        let counts = |name: &&String| *name != IMAGE || asked.contains_key(IMAGE);
        let differs = names.into_iter().filter(counts).filter(|name| was.get(*name) != asked.get(*name));
        let told = |name: &String| {
            let (is, asked) = (was.get(name), asked.get(name));
            if WRITTEN.iter().any(|prefix| name.starts_with(prefix)) {
                let field = format!("{}.{name}", self.service.name);
                return diff::shown(field, is.map(String::as_str), asked.map_or("none", String::as_str));
            }
            let is_hidden = name.starts_with("environment.") && is.is_some() && asked.is_some();
            field(name, shown(name, is), if is_hidden { "another value".into() } else { shown(name, asked) })
        };
        let mut told: Vec<Difference> = differs.map(told).collect();
        let since = self.changed_since(found, field);
        told.extend(
            since.into_iter().filter(|one| !told.iter().any(|other| other.field == one.field)).collect::<Vec<_>>(),
        );
        told
    }

    /// What `docker service update` and `scale` change.
    fn changed_since(&self, found: &Found, field: impl Fn(&str, String, String) -> Difference) -> Vec<Difference> {
        let mut differs: Vec<Difference> = self.other_image(found).into_iter().collect();
        if let Some((is, asked)) = found.replicas.zip(self.service.replicas).filter(|(is, asked)| is != asked) {
            differs.push(field("deploy.replicas", is.to_string(), asked.to_string()));
        }
        let other = |(name, value): &(&String, &String)| found.env.get(*name).is_some_and(|is| is != *value);
        let changed = self.service.env.iter().filter(other);
        differs.extend(changed.map(|(name, _)| {
            field(&format!("environment.{name}"), "another value".into(), "as its file has it".into())
        }));
        differs
    }
}

/// Values of the environment may be secrets.
fn shown(name: &str, value: Option<&String>) -> String {
    match value {
        None => "none".into(),
        Some(_) if name.starts_with("environment.") => "set".into(),
        Some(value) => value.clone(),
    }
}

fn remove(service: &Found) -> Change {
    let command = Command::new("docker").args(["service", "rm", &service.id]);
    Change::run(format!("its file has no service {}", service.name), command).removing()
}
