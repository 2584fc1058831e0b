//! What the commands that talk to hosts have in common: the inventory, the way in, the terminal, Ctrl-C.

use std::sync::Arc;
use std::time::Duration;

use super::Failure;
use super::args::Global;
use super::ask::Person;
use super::fleet::Login;
use super::show::{Show, can_ask};
use super::signals::{self, Cancel, UntilCancelled};
use super::terminal::Terminal;
use crate::inventory::{Host, Inventory, Pattern, PatternError};
use crate::remote::ssh::{Asker, Options, Ssh};
use crate::remote::{Connect, Unreachable};
use crate::secret::hide_plain;

/// How long a machine may take to answer, where nothing is said.
const WAIT: Duration = Duration::from_secs(30);

/// All that a command needs to reach hosts.
pub struct World {
    /// How to tell what happens.
    pub show: Show,
    /// Where to ask.
    pub terminal: Terminal,
    /// Who there is.
    pub inventory: Arc<Inventory>,
    /// The way in.
    pub connect: Arc<dyn Connect>,
    /// How long a machine may take to answer.
    pub wait: Duration,
    /// How many hosts to connect to at once.
    pub forks: usize,
    /// Whom to ask.
    pub person: Person,
    cancel: Cancel,
}

impl World {
    /// Reads the inventory, listens to signals and asks for passwords; nobody is contacted yet.
    ///
    /// # Errors
    /// The inventory is missing or wrong, or a password was not given.
    pub fn open(global: &Global) -> anyhow::Result<Self> {
        Self::waiting(global, WAIT)
    }

    /// The same for machines that are being made just now: waits longer.
    ///
    /// # Errors
    /// The inventory is missing or wrong.
    pub fn waiting(global: &Global, wait: Duration) -> anyhow::Result<Self> {
        let inventory = inventory(global)?;
        let (show, terminal) = (Show::of(global), Terminal::found());
        let cancel = signals::listen(terminal.clone())?;
        let person = Person::new(terminal.clone(), cancel.clone());
        let accept_new_host_keys = global.accept_new_host_keys;
        let asker = can_ask().then(|| Arc::new(person.clone()) as Arc<dyn Asker>);
        let (config, hosts) = (global.config(), inventory.hosts.clone());
        let (password, become_password) = person.passwords(global)?;
        let written = inventory.hosts.iter().flat_map(|host| [&host.password, &host.become_password]).flatten();
        written.chain(&password).chain(&become_password).for_each(|password| _ = hide_plain(password));
        let options =
            Options { accept_new_host_keys, asker, config, hosts, password, become_password, ..Options::default() };
        let connect = Ssh::new(options);
        let connect = UntilCancelled { connect, cancel: cancel.clone() };
        Ok(Self {
            show,
            terminal,
            inventory,
            connect: Arc::new(connect),
            wait: global.wait.unwrap_or(wait),
            forks: global.forks,
            person,
            cancel,
        })
    }

    /// The hosts that a pattern means.
    ///
    /// # Errors
    /// The pattern is wrong, or means nobody.
    pub fn select(&self, pattern: &str) -> anyhow::Result<Vec<Arc<Host>>> {
        select(&self.inventory, pattern)
    }

    /// The hosts that a pattern means, all of which can be logged in to as far as that can be told from here.
    ///
    /// # Errors
    /// The pattern is wrong, or means nobody; see [`World::check`].
    pub async fn meant(&self, pattern: &str) -> anyhow::Result<Vec<Arc<Host>>> {
        let hosts = self.select(pattern)?;
        self.check(&hosts).await?;
        Ok(hosts)
    }

    /// Whether what there is to log in to these hosts with can be used: known before anybody is contacted.
    ///
    /// # Errors
    /// No key, one that cannot be used, a pinned host key that is none, a way that cannot be gone.
    pub async fn check(&self, hosts: &[Arc<Host>]) -> anyhow::Result<()> {
        for host in hosts {
            self.connect.check(host).await.map_err(|why| self.unusable(why))?;
        }
        Ok(())
    }

    /// A question that Ctrl-C ended has no answer, which is nobody's fault.
    fn unusable(&self, why: Unreachable) -> Failure {
        if *self.cancel.borrow() { Failure::interrupted() } else { Failure::unusable(why) }
    }

    /// Becomes true when the first signal comes.
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// The way in for the commands without a playbook.
    pub fn login(&self) -> Login<'_> {
        Login { connect: &*self.connect, wait: self.wait, paint: self.show.paint }
    }
}

/// The inventory that the options name, else the one there is.
///
/// # Errors
/// It is missing, wrong, or one of several.
pub fn inventory(global: &Global) -> anyhow::Result<Arc<Inventory>> {
    Ok(Arc::new(Inventory::find(global.inventory.as_deref())?))
}

/// The hosts that a pattern means.
///
/// # Errors
/// The pattern is wrong, or means nobody.
pub fn select(inventory: &Inventory, pattern: &str) -> anyhow::Result<Vec<Arc<Host>>> {
    let bad = |error: PatternError| Failure::bad_input(error.to_string());
    Ok(inventory.select(&Pattern::parse(pattern).map_err(bad)?).map_err(bad)?)
}
