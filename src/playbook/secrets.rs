//! The secrets of a run: which it needs, so that they can be had before anybody is contacted.

use std::sync::Arc;

use super::texts::{Text, mentions, of_node};
use super::{Playbook, Step, Vars};
use crate::expr;
use crate::inventory::Host;
use crate::vault::Sealed;
use crate::yaml::{Errors, Node};

impl Playbook {
    /// Compiles what will be rendered on many hosts.
    pub(super) fn learn(&self, hosts: &[Arc<Host>]) {
        let plays = self.plays.iter().map(|play| &play.vars);
        let layers = plays.chain(self.steps().map(|step| &step.vars)).chain([&self.vars]);
        let nodes = layers.flat_map(|vars| vars.iter()).filter_map(|(_, var)| var.node());
        let nodes = nodes.chain(hosts.iter().flat_map(|host| &host.vars).map(|(_, node)| node));
        let texts = nodes.flat_map(expr::texts).map(|(text, _)| text);
        expr::learn(texts.chain(self.steps().flat_map(own_texts)));
    }

    /// The secrets that the steps with these ids may come to need, of the playbook and of the inventory, each once.
    ///
    /// # Errors
    /// Secrets that do not say where they are kept.
    pub fn sealed(&self, ids: &[&str], hosts: &[Arc<Host>]) -> Result<Vec<Sealed>, Errors> {
        let steps: Vec<&Step> = self.steps().filter(|step| ids.contains(&step.id.as_str())).collect();
        let plays = self.plays.iter().filter(|play| play.steps.iter().any(|step| ids.contains(&step.id.as_str())));
        let layers: Vec<&Vars> =
            plays.map(|play| &play.vars).chain(steps.iter().map(|step| &step.vars)).chain([&self.vars]).collect();
        let own = layers.iter().flat_map(|vars| vars.iter()).filter_map(|(name, var)| Some((name, var.node()?)));
        let of_hosts = hosts.iter().flat_map(|host| &host.vars).map(|(name, node)| (name, node));
        let sealed: Vec<_> = own.chain(of_hosts.clone()).filter(|(_, node)| Sealed::is(node)).collect();
        if sealed.is_empty() {
            return Ok(Vec::new());
        }
        // What a local file has in it that is rendered was not looked at: then any may be meant.
        let renders = steps.iter().any(|step| step.params.get("template").is_some());
        let of_vars = layers.iter().flat_map(|vars| vars.iter()).map(|(name, var)| (name, plain(var.texts())));
        let of_hosts = of_hosts.map(|(name, node)| (name, plain(of_node(node))));
        let said = needed(&steps, of_vars.chain(of_hosts).collect());
        let is_needed = |name: &str| renders || said.iter().any(|text| mentions(text, name));
        opened_once(sealed.into_iter().filter(|(name, _)| is_needed(name)).map(|(_, node)| node))
    }
}

/// Every text that the steps may come to evaluate: their own, and those of the variables that these mention.
fn needed<'a>(steps: &[&'a Step], mut variables: Vec<(&String, Vec<&'a str>)>) -> Vec<&'a str> {
    let mut said: Vec<&str> = steps.iter().flat_map(|step| own_texts(step)).collect();
    loop {
        let mentioned = |name: &String| said.iter().any(|text| mentions(text, name));
        let (more, rest): (Vec<_>, Vec<_>) = variables.into_iter().partition(|(name, _)| mentioned(name));
        if more.is_empty() {
            return said;
        }
        said.extend(more.into_iter().flat_map(|(_, texts)| texts));
        variables = rest;
    }
}

/// Those of a step but for its variables', its pattern of hosts among them.
fn own_texts(step: &Step) -> impl Iterator<Item = &str> {
    step.hosts.iter().map(|hosts| hosts.value.as_str()).chain(step.texts().map(|Text { text, .. }| text))
}

fn plain<'a>(texts: impl Iterator<Item = Text<'a>>) -> Vec<&'a str> {
    texts.map(|Text { text, .. }| text).collect()
}

fn opened_once<'a>(nodes: impl Iterator<Item = &'a Node>) -> Result<Vec<Sealed>, Errors> {
    let (mut sealed, mut errors): (Vec<Sealed>, Vec<_>) = (Vec::new(), Vec::new());
    for node in nodes {
        match Sealed::read(node) {
            Ok(one) if sealed.iter().any(|known| known.at == one.at) => {}
            Ok(one) => sealed.push(one),
            Err(error) => errors.push(error),
        }
    }
    errors.dedup();
    Errors(errors).or(sealed)
}
