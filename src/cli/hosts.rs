//! `skep hosts`: what the inventory says, resolved.

use std::io::{self, Write};
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::args::Global;
use super::show::Show;
use super::world;
use crate::inventory::{Host, Private};
use crate::report::Paint;

const EXAMPLES: &str = "\
Examples:
  skep hosts
  skep hosts 'workers:!node3'
  skep hosts --json | jq -r '.[].address'";

/// Show the inventory, resolved
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Hosts {
    /// Which hosts
    #[arg(default_value = "all")]
    pattern: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

const COLUMNS: [&str; 6] = ["host", "address", "user", "groups", "private address", "through"];

impl Hosts {
    /// Prints them.
    ///
    /// # Errors
    /// Bad input, or standard output is gone.
    pub fn run(&self, global: &Global) -> anyhow::Result<()> {
        let inventory = world::inventory(global)?;
        let hosts = world::select(&inventory, &self.pattern)?;
        let mut out = io::stdout().lock();
        if self.json {
            let hosts: Vec<Value> = hosts.iter().map(|host| as_json(host)).collect();
            writeln!(out, "{:#}", Value::Array(hosts))?;
        } else {
            table(&mut out, &hosts, Show::of(global).paint)?;
        }
        Ok(())
    }
}

fn as_json(host: &Host) -> Value {
    json!({
        "name": host.name,
        "address": host.address,
        "port": host.port.unwrap_or(22),
        "user": host.user,
        "identity_file": host.identity_file,
        "jump": host.jump,
        "become": host.become_root,
        "become_user": host.become_user,
        "private_address": host.private_address.as_ref().map(private),
        "groups": host.groups,
    })
}

fn private(private: &Private) -> String {
    match private {
        Private::Address(address) => address.to_string(),
        Private::Interface(name) => name.clone(),
    }
}

fn row(host: &Host) -> [String; 6] {
    let port = host.port.filter(|port| *port != 22).map(|port| format!(":{port}")).unwrap_or_default();
    [
        host.name.clone(),
        format!("{}{port}", host.address),
        host.user.clone().unwrap_or_default(),
        host.groups.join(","),
        host.private_address.as_ref().map(private).unwrap_or_default(),
        host.jump.clone().unwrap_or_default(),
    ]
}

/// Columns that no host has anything in are left out.
fn table(out: &mut impl Write, hosts: &[Arc<Host>], paint: Paint) -> io::Result<()> {
    let rows: Vec<_> = hosts.iter().map(|host| row(host)).collect();
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| rows.iter().map(|row| console::measure_text_width(&row[column])).max().unwrap_or(0))
        .enumerate()
        .map(|(column, width)| if width == 0 { 0 } else { width.max(COLUMNS[column].len()) })
        .collect();
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).filter(|(_, width)| **width > 0);
        let padded =
            cells.map(|(cell, width)| format!("{cell}{}", " ".repeat(width - console::measure_text_width(cell))));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    writeln!(out, "{}", paint.strong(&line(&COLUMNS.map(String::from))))?;
    rows.iter().try_for_each(|row| writeln!(out, "{}", line(row)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::host;
    use super::*;

    #[test]
    fn columns_without_anything_are_left_out() {
        let mut first = host("node1");
        (first.address, first.port) = ("203.0.113.11".into(), Some(2222));
        first.groups = vec!["managers".into()];
        let mut out = Vec::new();
        table(&mut out, &[Arc::new(first), Arc::new(host("node2"))], Paint::new(false)).expect("memory");
        let text = String::from_utf8(out).expect("UTF-8");
        assert_eq!(text, "host   address            groups\nnode1  203.0.113.11:2222  managers\nnode2  node2\n");
    }
}
