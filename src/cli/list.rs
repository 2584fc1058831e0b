//! `skep run --list`: the steps, play by play, with their hosts.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::args::{Form, Global, Selection};
use super::run::extra;
use super::show::Show;
use super::world;
use crate::inventory::Inventory;
use crate::playbook::{self, Ground, Known, Playbook, Row, Scope};
use crate::report::{Paint, fold};

/// Lists the steps that would be taken.
///
/// # Errors
/// Bad input; standard output is gone.
pub fn list(global: &Global, playbook: &Path, selection: &Selection) -> anyhow::Result<()> {
    let (show, playbook) = (Show::of(global), Playbook::read(playbook)?);
    let rows = rows(global, &playbook, selection)?;
    let mut out = io::stdout().lock();
    if show.form == Form::Json {
        rows.iter().try_for_each(|row| writeln!(out, "{}", serde_json::to_string(row).unwrap_or_default()))?;
        return Ok(());
    }
    lines(&rows, show.paint).iter().try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(())
}

fn rows(global: &Global, playbook: &Playbook, selection: &Selection) -> anyhow::Result<Vec<Row>> {
    let ids = selection.steps().ids(playbook)?;
    let (inventory, extra) = (inventory(global)?, extra(&selection.extra)?);
    let hosts = inventory.as_ref().map(|inventory| &inventory.hosts[..]).unwrap_or_default();
    playbook::met(&playbook::needs(playbook, hosts, &extra), &ids)?;
    let Some(inventory) = inventory else { return Ok(playbook.rows(&ids, |_| None)) };
    let limit = selection.limit.as_deref().map(|pattern| world::select(&inventory, pattern)).transpose()?;
    let limit = limit.map(|hosts| hosts.iter().map(|host| host.name.clone()).collect::<HashSet<_>>());
    let scope = Scope::without_host(&Ground::new(playbook, inventory.clone(), extra), &Known::default().into());
    Ok(playbook.rows(&ids, |pattern| {
        let hosts = scope.hosts(pattern).ok()?;
        let names = hosts.iter().map(|host| host.name.clone());
        Some(names.filter(|name| limit.as_ref().is_none_or(|limit| limit.contains(name))).collect())
    }))
}

/// The inventory, if there is one: without it a list has patterns in the place of hosts.
fn inventory(global: &Global) -> anyhow::Result<Option<Arc<Inventory>>> {
    match world::inventory(global) {
        Err(error) if global.inventory.is_some() => Err(error),
        found => Ok(found.ok()),
    }
}

fn lines(rows: &[Row], paint: Paint) -> Vec<String> {
    let width = rows.iter().map(|row| row.id.chars().count()).max().unwrap_or(0);
    let (mut plays, mut lines) = (HashSet::new(), Vec::new());
    for row in rows {
        if plays.insert(&row.play) {
            lines.push(paint.strong(&row.play));
        }
        let tags = if row.tags.is_empty() { String::new() } else { format!(" [{}]", row.tags.join(", ")) };
        let rest = paint.quiet(&format!("({}; {}){tags}", row.action, whom(row)));
        lines.push(format!("  {:width$}  {} {rest}", row.id, row.name));
    }
    lines
}

/// The hosts; where they are known in a run only, as a leader is, the pattern.
fn whom(row: &Row) -> String {
    match row.hosts.as_deref() {
        None => row.pattern.clone(),
        Some([]) => "no host".into(),
        Some(hosts) => fold(hosts),
    }
}
