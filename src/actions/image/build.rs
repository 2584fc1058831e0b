//! Building, on one host, from files of the workstation.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{Build, Found, image};
use crate::actions::values::Text;
use crate::actions::{Ask, Change, Does, Parcel, Plan, Sent, Target};
use crate::event::Difference;
use crate::reads::context::Context;
use crate::reads::{Read, Readings, Seen, WORKSTATION};
use crate::remote::Command;

/// The label with the digest of the files and arguments that an image was built from.
const CONTEXT: &str = "skep.context";
/// The label with the content of the base image, where the host had it before.
const BASE: &str = "skep.base";

impl Build {
    pub(super) fn sends(&self) -> Vec<Sent> {
        let (context, dockerfile) = (self.context.clone(), self.context.join(&self.dockerfile));
        let ca = (!self.ca_file.is_empty()).then(|| PathBuf::from(&self.ca_file));
        let file = |named_by, path| Sent { named_by, path, is_folder: false };
        let context = Sent { named_by: &["build.context"], path: context, is_folder: true };
        let files = [context, file(&["build.context", "build.dockerfile"], dockerfile)];
        files.into_iter().chain(ca.map(|path| file(&["build.ca_file"], path))).collect()
    }

    pub(super) fn reads(&self, on: &Target, seen: &Readings<'_>) -> Vec<Ask> {
        let context = self.context(on);
        let text = context.folder.join(&self.dockerfile);
        let base = seen.text(&text).is().and_then(|text| self.base(text));
        let local = |read| Ask { host: WORKSTATION.into(), read };
        let mut asks = vec![local(Read::Context(context)), local(Read::Text(text))];
        asks.extend(base.map(|base| on.ask(image(&base))));
        asks
    }

    fn context(&self, on: &Target) -> Context {
        let ca = (!self.ca_file.is_empty()).then(|| ("skep-ca.crt".to_owned(), on.folder.join(&self.ca_file)));
        let (folder, dockerfile) = (on.folder.join(&self.context), self.dockerfile.clone());
        Context { folder, dockerfile, extra: ca.into_iter().collect() }
    }

    pub(super) fn plan(&self, name: &str, found: Option<&Found>, on: &Target, seen: &Readings<'_>) -> Plan {
        let context = self.context(on);
        let dockerfile = match seen.text(&context.folder.join(&self.dockerfile)) {
            Seen::Is(text) => text,
            Seen::Absent => {
                let why = format!("there is no {} in {}", self.dockerfile, context.folder.display());
                return Plan::refused(
                    why,
                    "`context` is relative to the playbook's folder, `dockerfile` to the context",
                );
            }
            Seen::Unread(why) => return Plan::unread(&format!("the Dockerfile of {name}"), &why),
        };
        let files = match seen.context(&context) {
            Seen::Is(digest) => digest,
            Seen::Absent => {
                let why = format!("a file that image {name} is built from is not there");
                return Plan::refused(why, "`context` and `ca_file` are relative to the playbook's folder");
            }
            Seen::Unread(why) => return Plan::unread(&format!("the context of {name}"), &why),
        };
        let base = match self.base(dockerfile).map(|base| seen.image(&on.host.name, &base)) {
            Some(Seen::Is(base)) => Some(base),
            Some(Seen::Unread(why)) => return Plan::unread(&format!("the base image of {name}"), &why),
            Some(Seen::Absent) | None => None,
        };
        let digest = self.digest(files);
        let Some(found) = found else {
            return Plan::Change(vec![self.change("it is not here", name, &digest, base, context)]);
        };
        let differs = differs(found, &digest, base);
        match differs.is_empty() {
            true => Plan::Settled,
            false => Plan::Change(vec![
                self.change("what it is built from changed", name, &digest, base, context).differing(differs),
            ]),
        }
    }

    fn change(&self, why: &str, name: &str, digest: &str, base: Option<&Found>, context: Context) -> Change {
        let mut command = Command::new("docker").args(["build", "-t", name, "-f", &self.dockerfile]);
        command = command.args(["--label".to_owned(), format!("{CONTEXT}={digest}")]);
        // Always set, for a label of the base would be inherited.
        command = command.args(["--label".to_owned(), format!("{BASE}={}", base.map_or("", |base| &base.content))]);
        command = command.args(
            self.args.iter().flat_map(|(name, Text(value))| ["--build-arg".to_owned(), format!("{name}={value}")]),
        );
        command = command.args(self.target.iter().flat_map(|target| ["--target", target]));
        command = command.args(self.network.iter().flat_map(|network| ["--network", network]));
        Change::new(why, Does::Send { parcel: Parcel::Context(context), to: command.arg("-") })
    }

    fn digest(&self, files: &str) -> String {
        let all = serde_json::json!([files, self.dockerfile, self.args, self.target]);
        data_encoding::HEXLOWER.encode(&Sha256::digest(all.to_string().as_bytes())[..16])
    }

    /// The image that the Dockerfile's last stage is made from, its arguments filled in.
    fn base(&self, dockerfile: &str) -> Option<String> {
        let mut args = BTreeMap::new();
        let mut stages: BTreeMap<String, String> = BTreeMap::new();
        let mut base = None;
        for line in dockerfile.lines() {
            let words: Vec<&str> = line.split_whitespace().filter(|word| !word.starts_with("--")).collect();
            match words.as_slice() {
                [verb, arg, ..] if verb.eq_ignore_ascii_case("arg") && base.is_none() => {
                    let (name, default) = arg.split_once('=').unwrap_or((arg, ""));
                    let given = self.args.get(name).map(|Text(value)| value.as_str());
                    args.insert(name.to_owned(), given.unwrap_or(default.trim_matches('"')).to_owned());
                }
                [verb, from, rest @ ..] if verb.eq_ignore_ascii_case("from") => {
                    let image = filled(from, &args);
                    let image = stages.get(&image).cloned().unwrap_or(image);
                    if let [_, stage] = rest {
                        stages.insert((*stage).to_owned(), image.clone());
                    }
                    base = Some(image);
                }
                _ => {}
            }
        }
        let base = self.target.as_ref().and_then(|target| stages.get(target).cloned()).or(base);
        base.filter(|base| !base.is_empty() && base != "scratch" && !base.contains('$'))
    }
}

fn filled(text: &str, args: &BTreeMap<String, String>) -> String {
    args.iter().fold(text.to_owned(), |text, (name, value)| {
        let text = text.replace(&format!("${{{name}}}"), value);
        if text == format!("${name}") { value.clone() } else { text }
    })
}

fn differs(found: &Found, digest: &str, base: Option<&Found>) -> Vec<Difference> {
    let label = |name: &str| found.labels.get(name).map_or("", String::as_str);
    let mut differs = Vec::new();
    let mut field = |name: &str, is: &str, asked: &str| {
        let is = if is.is_empty() { "unknown" } else { is };
        differs.push(Difference { field: name.into(), is: is.into(), asked: asked.into() });
    };
    if label(CONTEXT) != digest {
        field("files and arguments", label(CONTEXT), digest);
    }
    // A base that the host did not have when it built came with that build.
    if let Some(base) = base.filter(|base| !label(BASE).is_empty() && label(BASE) != base.content) {
        field("base image", label(BASE), &base.content);
    }
    differs
}
