//! The address book of a run: every host's destination, with those on the way to it, found once.

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use super::Options;
use super::config::{Answer, Asked, Evaluator, Said};
use super::destination::{Destination, From, Setting, Strict, Way, source, unhonoured};
use super::lock;
use crate::inventory::Host;
use crate::remote::Unreachable;
use crate::secret::Secret;

/// A longer chain of hosts leads back to itself.
const LONGEST_WAY: usize = 16;

pub(super) struct Book {
    evaluator: Evaluator,
    /// What holds where there is no `ssh` to ask.
    bare: Arc<Said>,
    accept_new: bool,
    password: Option<Secret>,
    hosts: Vec<Arc<Host>>,
    found: Mutex<HashMap<String, Arc<Destination>>>,
    told: Mutex<BTreeSet<(String, String)>>,
}

type Finding<'a> = Pin<Box<dyn Future<Output = Result<Destination, Unreachable>> + Send + 'a>>;

impl Book {
    pub fn new(options: &Options) -> Self {
        let said = Arc::new(bare(options));
        Self {
            evaluator: Evaluator::new(options.config.clone()),
            bare: said,
            accept_new: options.accept_new_host_keys,
            password: options.password.clone(),
            hosts: options.hosts.clone(),
            found: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// Where and how `host` is reached. Contacts nobody.
    pub async fn find(&self, host: &Host) -> Result<Arc<Destination>, Unreachable> {
        if let Some(found) = lock(&self.found).get(&host.name) {
            return Ok(found.clone());
        }
        let found = Arc::new(self.entry(host.clone(), 0, true).await?);
        lock(&self.found).insert(host.name.clone(), found.clone());
        Ok(found)
    }

    /// `meant` is who a password that was asked for is for: the hosts of the inventory, and not whoever else is on the way.
    fn entry(&self, host: Host, depth: usize, meant: bool) -> Finding<'_> {
        Box::pin(async move {
            if depth > LONGEST_WAY {
                return Err(Unreachable {
                    what: format!("the way to {} leads back to itself", host.name),
                    hint: Some("see who is to be reached through whom: skep hosts --ssh".into()),
                });
            }
            named_safely(&host.name, &host.address, host.user.as_deref())?;
            let (user, options) = (host.user.as_deref(), &*host.ssh_arguments);
            let asked = Asked { host: &host.address, user, port: host.port, options };
            let answer = match self.evaluator.ask(asked).await? {
                Some(answer) => answer,
                None => Answer::alone(&self.bare, self.evaluator.options(asked).await?),
            };
            let mut destination = Destination::of(&host, &answer);
            self.name_unhonoured(&mut destination, &answer)?;
            named_safely(&host.name, &destination.address, Some(&destination.user))?;
            let asked_for = self.password.clone().filter(|_| meant);
            destination.password = host.password.clone().or(asked_for);
            if self.accept_new && destination.known.strict != Strict::Accept {
                destination.known.strict = Strict::Accept;
                destination.set("StrictHostKeyChecking", "accept-new", From::Option);
            }
            destination.way = self.way(&host, &mut destination, &answer, depth).await?;
            Ok(destination)
        })
    }

    async fn way(&self, host: &Host, to: &mut Destination, answer: &Answer, depth: usize) -> Result<Way, Unreachable> {
        let (jump, from) = match &host.jump {
            Some(jump) => (Some(jump.clone()), From::Inventory),
            None => (answer.said.one("ProxyJump").map(str::to_owned), source(answer, "ProxyJump")),
        };
        if let Some(jump) = jump {
            to.set("ProxyJump", &jump, from);
            return if jump == "none" { Ok(Way::Straight) } else { self.through(host, &jump, depth).await };
        }
        let command = answer.said.one("ProxyCommand").filter(|command| *command != "none");
        Ok(command.map_or(Way::Straight, |command| {
            to.set("ProxyCommand", command, source(answer, "ProxyCommand"));
            Way::Command(command.to_owned(), to.tokens(&host.address).expand(command))
        }))
    }

    /// The last of the hosts is the nearest to the destination; those before it lead to it.
    async fn through(&self, host: &Host, jump: &str, depth: usize) -> Result<Way, Unreachable> {
        let (before, last) = jump.rsplit_once(',').map_or((None, jump), |(before, last)| (Some(before), last));
        let (mut hop, meant) = self.hop(last.trim()).ok_or_else(|| no_hop(host, jump))?;
        if let Some(before) = before {
            hop.jump = Some(before.to_owned());
        }
        Ok(Way::Through(Arc::new(self.entry(hop, depth + 1, meant).await?)))
    }

    /// `[user@]host[:port]`: a host of the inventory, or one that `ssh` would find; and whether it is the former as it stands there.
    fn hop(&self, text: &str) -> Option<(Host, bool)> {
        let text = text.strip_prefix("ssh://").unwrap_or(text);
        let (user, place) = text.rsplit_once('@').map_or((None, text), |(user, place)| (Some(user), place));
        let (name, port) = parted(place)?;
        let known = self.hosts.iter().find(|host| host.name == name);
        let mut host = known.map_or_else(|| Host::named(name), |host| (**host).clone());
        let meant = known.is_some() && user.is_none() && port.is_none();
        host.port = port.or(host.port);
        host.user = user.map(str::to_owned).or(host.user);
        Some((host, meant))
    }

    /// Names what is set and would matter, once for all hosts.
    fn name_unhonoured(&self, to: &mut Destination, answer: &Answer) -> Result<(), Unreachable> {
        for (keyword, value, grave) in unhonoured(answer) {
            let who = if source(answer, &keyword) == From::Inventory { "the inventory" } else { "ssh_config" };
            if grave {
                return Err(Unreachable {
                    what: format!("{}: {who} sets {keyword} ({value}), which skep does not honour", to.name),
                    hint: Some("it would be less safe to go on without it; docs/ssh.md says what can be done".into()),
                });
            }
            if lock(&self.told).insert((keyword.to_string(), value.clone())) {
                tracing::warn!("{who} sets {keyword} ({value}) for {}; skep does not honour it", to.name);
            }
            to.settings.push(Setting { keyword, value, from: From::Ignored });
        }
        Ok(())
    }
}

/// Names go into commands (`ProxyCommand`), and `ssh` is not asked about each: so they are refused as it refuses them.
fn named_safely(of: &str, address: &str, user: Option<&str>) -> Result<(), Unreachable> {
    let bad = |c: char| c.is_control() || "'`\";&<>|(){}".contains(c);
    let is_name = !address.is_empty()
        && !address.starts_with('-')
        && !address.contains(|c: char| bad(c) || c.is_whitespace() || "$\\@".contains(c));
    // A backslash stands between a domain and its user.
    let is_user = |user: &str| !user.starts_with('-') && !user.ends_with('\\') && !user.contains(bad);
    let wrong = match user.filter(|user| !is_user(user)) {
        _ if !is_name => format!("{address:?} cannot be a host's name"),
        Some(user) => format!("{user:?} cannot be a user's name"),
        None => return Ok(()),
    };
    Err(Unreachable {
        what: format!("{of}: {wrong}"),
        hint: Some("correct it in the inventory; user and port have keys of their own there".into()),
    })
}

/// What OpenSSH does by itself, as far as the options say.
fn bare(options: &Options) -> Said {
    let mut said = Said::default();
    let shown = |path: &std::path::PathBuf| path.display().to_string();
    said.put("IdentityAgent", &options.agent.as_ref().map_or("none".into(), shown));
    options.identities.iter().for_each(|file| said.put("IdentityFile", &shown(file)));
    said.put("UserKnownHostsFile", &options.known_hosts.iter().map(shown).collect::<Vec<_>>().join(" "));
    said
}

/// `host`, `host:port`, `[host]:port`, and an address with colons in it.
fn parted(place: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match place.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(name, port)| (name, port.strip_prefix(':')))?,
        None if place.matches(':').count() == 1 => place.split_once(':').map(|(name, port)| (name, Some(port)))?,
        None => (place, None),
    };
    let port = port.map(|port| port.parse().ok().filter(|port| *port > 0)).map_or(Some(None), |port| port.map(Some))?;
    (!name.is_empty() && !name.starts_with('-')).then_some((name, port))
}

fn no_hop(host: &Host, jump: &str) -> Unreachable {
    Unreachable {
        what: format!("{}: {jump:?} says no hosts to go through", host.name),
        hint: Some("write it as for `ssh -J`: user@bastion.example.com:22, or several with commas between".into()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use russh::MethodKind;

    use super::super::destination::{Family, Identity};
    use super::*;
    use crate::remote::ssh::Config;
    use crate::remote::ssh::config::{KEYWORDS, Standing, keyword};

    fn book(config: &str, hosts: &[Host]) -> (tempfile::TempDir, Book) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config"), config).unwrap();
        let config = Config::File(folder.path().join("config"));
        let hosts = hosts.iter().cloned().map(Arc::new).collect();
        let options = Options { config, hosts, ..Options::default() };
        (folder, Book::new(&options))
    }

    fn told(destination: &Destination) -> String {
        let way = match &destination.way {
            Way::Straight => String::new(),
            Way::Through(hop) => format!(" <- {}", told(hop)),
            Way::Command(_, command) => format!(" <- `{command}`"),
        };
        format!("{}@{}{way}", destination.user, destination.endpoint())
    }

    async fn way(book: &Book, host: &Host) -> String {
        book.find(host).await.map_or_else(|why| why.what, |found| told(&found))
    }

    #[tokio::test]
    async fn the_inventory_wins_over_the_file() {
        let (_folder, book) = book("Host one\n HostName one.lan\n User ann\n Port 2222\n", &[]);
        assert_eq!(way(&book, &Host::named("one")).await, "ann@one.lan:2222");
        let own = Host { user: Some("bob".into()), port: Some(22), name: "own".into(), ..Host::named("one") };
        assert_eq!(way(&book, &own).await, "bob@one.lan:22");
        let from = |found: &Destination, keyword| found.settings.iter().find(|s| s.keyword == keyword).map(|s| s.from);
        let found = book.find(&own).await.unwrap();
        assert_eq!(
            ["User", "Hostname", "AddressFamily"].map(|k| from(&found, k)),
            [Some(From::Inventory), Some(From::Config), Some(From::Default)]
        );
    }

    #[tokio::test]
    async fn options_that_the_inventory_gives_to_ssh_lie_over_the_file() {
        let with = |name: &str, options: &str| {
            let ssh_arguments = options.split(' ').map(|word| word.replace('_', " ")).collect();
            Host { ssh_arguments, ..Host::named(name) }
        };
        let config = "Host *\n User ann\n Port 2222\n";
        let (_folder, file) = book(config, &[]);
        let none = Book::new(&Options { config: Config::None, ..Options::default() });
        for (name, options, is) in [
            ("one", "-o ProxyCommand=nc_%h_%p -p 7", "@one:7 <- `nc one 7`"),
            ("two", "-o ProxyCommand=nc_%h_%p -p 7", "@two:7 <- `nc two 7`"),
            ("three", "-J bob@gate:9 -p 7", "@three:7 <- bob@gate:9"),
            ("four", "-o HostName=four.lan -p 7", "@four.lan:7"),
            ("five", "-p 7", "@five:7"),
        ] {
            for book in [&file, &none] {
                let way = way(book, &with(name, options)).await;
                assert!(way.ends_with(is), "{way}");
            }
        }
        let own = Host { port: Some(22), user: Some("bob".into()), ..with("own", "-p 7 -l eve -o ForwardAgent=yes") };
        assert_eq!(way(&file, &own).await, "bob@own:22", "the keys of the inventory lie over its options");
        let found = file.find(&with("six", "-p 7 -o ForwardAgent=yes")).await.unwrap();
        let from = |keyword| found.settings.iter().find(|s| s.keyword == keyword).map(|s| s.from);
        assert_eq!(
            ["Port", "User", "AddressFamily", "ForwardAgent"].map(from),
            [Some(From::Inventory), Some(From::Config), Some(From::Default), Some(From::Ignored)]
        );
        let why = file.find(&with("bad", "-o Pot=7")).await.unwrap_err();
        assert!(why.what.contains("Bad configuration option: pot"), "{}", why.what);
        assert!(why.hint.is_some_and(|hint| hint.contains("ansible_ssh_common_args")));
    }

    #[tokio::test]
    async fn hosts_on_the_way_are_found_as_ssh_finds_them() {
        let config = "Host *\n User ann\nHost inner\n ProxyJump outer,ops@middle:2200\nHost outer\n HostName 192.0.2.1\n\
             Host piped\n ProxyCommand nc -x proxy %h %p\nHost loop\n ProxyJump pool\nHost pool\n ProxyJump loop\n";
        let gate = Host { address: "192.0.2.9".into(), user: Some("gate".into()), ..Host::named("gate") };
        let (_folder, book) = book(config, &[gate]);
        for (host, is) in [
            ("inner", "ann@inner:22 <- ops@middle:2200 <- ann@192.0.2.1:22"),
            ("piped", "ann@piped:22 <- `nc -x proxy piped 22`"),
            ("loop", "the way to pool leads back to itself"),
        ] {
            assert_eq!(way(&book, &Host::named(host)).await, is);
        }
        for (jump, is) in [
            ("gate", "ann@x:22 <- gate@192.0.2.9:22"),
            ("bob@gate:23", "ann@x:22 <- bob@192.0.2.9:23"),
            ("[2001:db8::1]:24", "ann@x:22 <- ann@[2001:db8::1]:24"),
            ("none", "ann@x:22"),
            ("a:b:", "ann@x:22 <- ann@[a:b:]:22"),
            ("gate:99999", "\"gate:99999\" says no hosts to go through"),
            ("-oProxyCommand=x", "says no hosts to go through"),
        ] {
            let host = Host { name: jump.into(), jump: Some(jump.into()), ..Host::named("x") };
            let way = way(&book, &host).await;
            assert!(way.ends_with(is), "{jump}: {way}");
        }
    }

    #[tokio::test]
    async fn names_that_a_shell_would_take_for_more_are_refused() {
        let (_folder, book) = book("Host *\n ProxyCommand nc %h %p %r\n", &[]);
        for address in ["x;id", "$(id)", "-oProxyCommand=id", "a b", "x`id`", ""] {
            let host = Host { name: format!("by {address}"), ..Host::named(address) };
            assert!(way(&book, &host).await.contains("cannot be a host's name"), "{address}");
        }
        for (user, good) in [("a;b", false), ("-l", false), ("CORP\\ann", true), ("x|y", false)] {
            let host = Host { name: format!("as {user}"), user: Some(user.into()), ..Host::named("x") };
            assert_eq!(way(&book, &host).await.contains("nc x 22"), good, "{user}");
        }
    }

    /// Whatever is shared between hosts, each is told what `ssh` would tell it.
    #[tokio::test]
    async fn each_host_has_what_ssh_says_of_it_alone() {
        for config in [
            "Host *\n User ann\n IdentityFile ~/%h",
            "Host web*\n Port 2222\nHost WEB*\n Port 2223\nHost * !db\n User bee",
            "IdentityAgent ~/.agents/%h-%r.sock\n UserKnownHostsFile ~/%k",
            "Match host web1\n Port 9\nHost db\n ProxyJump web1",
            "Host web1 db\n HostName %h.lan\n SetEnv A=%h",
        ] {
            let (folder, book) = book(config, &[]);
            for name in ["web1", "web2", "WEB1", "db", "10.0.0.1"] {
                let asked = Asked { host: name, user: None, port: None, options: &[] };
                let mut shared = (*book.evaluator.ask(asked).await.unwrap().unwrap().said).clone();
                let file = folder.path().join("config");
                let alone =
                    std::process::Command::new("ssh").args(["-G", "-T", "-F"]).arg(file).arg(name).output().unwrap();
                let alone = Said::parse(&String::from_utf8_lossy(&alone.stdout));
                let of_it = |said: &Said, word: &str| !matches!(word, "host") && !said.all(word).is_empty();
                if shared.one("hostname").is_none() {
                    shared.put("hostname", &name.to_lowercase());
                }
                for word in alone.keywords().filter(|word| of_it(&alone, word)) {
                    assert_eq!(shared.all(word), alone.all(word), "{name}, {word}\n{config}");
                }
            }
        }
    }

    #[tokio::test]
    async fn what_is_not_honoured_is_named_and_what_is_grave_refused() {
        let (_folder, book) =
            book("Host *\n ForwardAgent yes\n ControlMaster auto\nHost bad\n RevokedHostKeys /x\n", &[]);
        let found = book.find(&Host::named("one")).await.unwrap();
        let ignored: Vec<_> = found.settings.iter().filter(|setting| setting.from == From::Ignored).collect();
        assert!(ignored.len() == 1 && ignored[0].keyword == "ForwardAgent", "{ignored:?}");
        assert!(way(&book, &Host::named("bad")).await.contains("RevokedHostKeys (/x), which skep does not honour"));
    }

    #[tokio::test]
    async fn values_are_read_as_ssh_means_them() {
        let config = "Host *\n IdentityFile ~/.ssh/%h-%r\n IdentityFile none\n IdentitiesOnly yes\n User ann\n\
             UserKnownHostsFile ~/known-%k /second\n GlobalKnownHostsFile none\n HostKeyAlias farm\n HashKnownHosts yes\n\
             StrictHostKeyChecking no\n ConnectTimeout 7\n ConnectionAttempts 3\n ServerAliveInterval 5\n\
             ServerAliveCountMax 2\n AddressFamily inet6\n SetEnv A=b C=\"d e\"\n PasswordAuthentication no\n\
             PreferredAuthentications password,keyboard-interactive,publickey\n CertificateFile /c-%r\n";
        let (_folder, book) = book(config, &[]);
        let found = book.find(&Host::named("one")).await.unwrap();
        let home = super::super::config::home().unwrap();
        let Identity { files, named, only, certificates, .. } = &found.identity;
        assert_eq!((files[0].clone(), *named, *only), (home.join(".ssh/one-ann"), true, true));
        assert_eq!(certificates, &[std::path::PathBuf::from("/c-ann")]);
        let known = &found.known;
        assert_eq!((known.host.as_str(), known.place.as_str(), known.hash), ("farm", "farm", Some(true)));
        assert_eq!((known.strict, known.global_files.len()), (Strict::Accept, 0));
        assert_eq!(known.user_files, [home.join("known-farm"), "/second".into()]);
        assert_eq!(found.patience.connect, Some(Duration::from_secs(7)));
        assert_eq!((found.patience.attempts, found.patience.alive), (3, (Duration::from_secs(5), 2)));
        assert_eq!(found.family, Family::Six);
        assert_eq!(found.environment, [("A".into(), "b".into()), ("C".into(), "d e".into())]);
        assert_eq!(found.methods, [MethodKind::KeyboardInteractive, MethodKind::PublicKey]);
    }

    /// A value for each keyword that is not a matter of `ssh` alone, other than the usual one.
    fn sample(keyword: &str) -> &'static str {
        match keyword {
            "AddressFamily" => "inet",
            "BindAddress" => "127.0.0.1",
            "BindInterface" => "lo",
            "CASignatureAlgorithms"
            | "HostbasedAcceptedAlgorithms"
            | "HostKeyAlgorithms"
            | "PubkeyAcceptedAlgorithms" => "ssh-ed25519",
            "BatchMode" => "yes",
            "Ciphers" => "aes256-ctr",
            "ConnectionAttempts" | "ConnectTimeout" | "Port" | "ServerAliveCountMax" | "ServerAliveInterval" => "7",
            "GlobalKnownHostsFile" | "UserKnownHostsFile" | "IdentityFile" | "CertificateFile" => "/x",
            "IdentityAgent" | "PKCS11Provider" | "RevokedHostKeys" | "SecurityKeyProvider" => "/x",
            "HostKeyAlias" | "Hostname" | "User" | "KbdInteractiveDevices" => "farm",
            "KexAlgorithms" => "curve25519-sha256",
            "KnownHostsCommand" | "ProxyCommand" => "/bin/true",
            "MACs" => "hmac-sha2-256",
            "PreferredAuthentications" => "publickey",
            "ProxyJump" => "gate",
            "RefuseConnection" => "\"closed on Sundays\"",
            "RequiredRSASize" => "2048",
            "SendEnv" => "FARM",
            "SetEnv" => "FARM=x",
            "StrictHostKeyChecking" => "accept-new",
            "KbdInteractiveAuthentication" | "PasswordAuthentication" | "PubkeyAuthentication" => "no",
            _ => "yes",
        }
    }

    #[tokio::test]
    async fn each_keyword_is_treated_as_the_table_says() {
        for keyword in KEYWORDS.iter().filter(|keyword| !keyword.note.starts_with("by `ssh`")) {
            let (name, value) = (keyword.name, sample(keyword.name));
            // What this machine's ssh does not know yet shows nothing.
            let (_folder, book) = book(&format!("Host one\n IgnoreUnknown {name}\n {name} {value}\n"), &[]);
            let found = book.find(&Host::named("one")).await;
            let from = found.as_ref().ok().and_then(|found| found.settings.iter().find(|s| s.keyword == name));
            match (keyword.standing, from.map(|setting| setting.from)) {
                (Standing::Honoured, Some(From::Config)) | (Standing::Named, Some(From::Ignored)) => {}
                (Standing::Refused, _) if found.is_err() || name == "RefuseConnection" => {}
                (Standing::Idle, None) => {}
                (standing, from) => panic!("{name} is {standing:?}, and here {from:?}"),
            }
        }
    }

    #[test]
    fn every_keyword_that_ssh_knows_has_a_row() {
        let output = std::process::Command::new("ssh").args(["-G", "-F", "/dev/null", "one"]).output().unwrap();
        let said = Said::parse(&String::from_utf8_lossy(&output.stdout));
        let unknown: Vec<_> = said.keywords().filter(|word| keyword(word).is_none()).collect();
        assert!(unknown.is_empty() && said.keywords().count() > 50, "{unknown:?}");
    }
}
