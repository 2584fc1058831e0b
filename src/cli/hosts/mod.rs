//! `skep hosts`: what the inventory says, resolved.

mod vars;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::args::{Global, pair};
use super::show::{self, Show};
use super::{Failure, complete, failure, world};
use crate::event::Code;
use crate::inventory::{Host, Inventory, Private};
use crate::remote::ssh::{Options, Setting, Ssh};
use crate::report::Paint;
use crate::secret::masked;
use crate::yaml::Error;
use vars::Book;

const EXAMPLES: &str = "\
Examples:
  skep hosts
  skep hosts 'workers:!node3'
  skep hosts --ssh node1
  skep hosts --vars node1 --playbook playbooks/spark.yml
  skep hosts --json | jq -r '.[].address'";

/// Show the inventory, resolved
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Hosts {
    /// Which hosts
    #[arg(default_value = "all", add = complete::hosts())]
    pattern: String,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// How each is reached: every value, and whether the inventory, ssh_config or nobody says so
    #[arg(long)]
    ssh: bool,
    /// The variables of each: value, who says so (and in which line), and over whom
    #[arg(long, conflicts_with = "ssh")]
    vars: bool,
    /// Also those that this playbook sets
    #[arg(long, value_name = "PLAYBOOK", requires = "vars")]
    playbook: Option<PathBuf>,
    /// Give a variable a value, as for `run`
    #[arg(short = 'e', long = "extra-var", value_name = "KEY=VALUE", value_parser = pair, requires = "vars")]
    extra: Vec<(String, String)>,
}

const COLUMNS: [&str; 6] = ["host", "address", "user", "groups", "private address", "through"];

impl Hosts {
    /// Prints them. Contacts nobody.
    ///
    /// # Errors
    /// Bad input, or standard output is gone.
    pub async fn run(&self, global: &Global) -> anyhow::Result<Code> {
        let inventory = world::inventory(global)?;
        tell_notes(&inventory, global);
        let hosts = world::select(&inventory, &self.pattern)?;
        let ways = if self.ssh { ways(global, &inventory, &hosts).await } else { Vec::new() };
        let (mut out, paint) = (io::stdout().lock(), Show::of(global).paint);
        if self.vars {
            let book = Book::open(self, &inventory)?;
            match self.json {
                true => writeln!(out, "{:#}", vars::as_json(&book, &hosts))?,
                false => vars::told(&mut out, &book, &hosts, paint)?,
            }
        } else if self.json {
            let ways = ways.iter().map(Some).chain(std::iter::repeat(None));
            let hosts: Vec<Value> = hosts.iter().zip(ways).map(|(host, way)| as_json(host, way)).collect();
            writeln!(out, "{:#}", Value::Array(hosts))?;
        } else if self.ssh {
            hosts.iter().zip(&ways).try_for_each(|(host, way)| told(&mut out, host, way, paint))?;
        } else {
            table(&mut out, &hosts, paint)?;
        }
        Ok(if ways.iter().all(Result::is_ok) { Code::Settled } else { Code::BadInput })
    }
}

/// Tells on standard error what is no mistake in an inventory, and should be known.
pub fn tell_notes(inventory: &Inventory, global: &Global) {
    tell(&inventory.notes, global);
}

/// Tells these notes on standard error.
pub fn tell(notes: &[Error], global: &Global) {
    let colour = show::errors_in_colour(global);
    for note in notes {
        // Where standard error is gone there is nobody left to tell.
        let _ = writeln!(io::stderr(), "{}\n", masked(&note.render_note(colour)));
    }
}

/// How a host is reached, or why nobody can say.
type Way = Result<Vec<Setting>, Failure>;

/// Those of all hosts: one that has none hides no other.
async fn ways(global: &Global, inventory: &Inventory, hosts: &[Arc<Host>]) -> Vec<Way> {
    let ssh = Ssh::new(Options {
        config: global.config(),
        accept_new_host_keys: global.accept_new_host_keys,
        hosts: inventory.hosts.clone(),
        ..Options::default()
    });
    let mut all = Vec::new();
    for host in hosts {
        let settings = ssh.settings(host).await.map_err(Failure::unusable).map(|mut settings| {
            settings.sort_by_key(|setting| setting.keyword.to_lowercase());
            settings
        });
        all.push(settings);
    }
    all
}

/// The host, and a setting a line below it; what is wrong goes to standard error.
fn told(out: &mut impl Write, host: &Host, way: &Way, paint: Paint) -> io::Result<()> {
    let settings = match way {
        Ok(settings) => settings,
        Err(why) => {
            out.flush()?;
            failure::tell(&why.clone().into(), paint);
            return Ok(());
        }
    };
    let width = |cell: fn(&Setting) -> usize| settings.iter().map(cell).max().unwrap_or(0);
    let (keyword, value) = (width(|setting| setting.keyword.len()), width(|setting| setting.value.len()).min(50));
    writeln!(out, "{}", paint.strong(&host.name))?;
    settings.iter().try_for_each(|setting| {
        writeln!(out, "  {:keyword$}  {:value$}  {}", setting.keyword, setting.value, setting.from)
    })
}

fn as_json(host: &Host, way: Option<&Way>) -> Value {
    let mut json = plain_json(host);
    let one = |setting: &Setting| json!({"keyword": setting.keyword, "value": setting.value, "from": setting.from.to_string()});
    match way {
        None => {}
        Some(Ok(settings)) => json["ssh"] = settings.iter().map(one).collect(),
        Some(Err(why)) => json["error"] = json!({"message": why.to_string(), "hint": why.remedy()}),
    }
    json
}

fn plain_json(host: &Host) -> Value {
    json!({
        "name": host.name,
        "address": host.address,
        "port": host.port,
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
        // Who is in no group needs no column that says so.
        host.groups.iter().filter(|group| *group != "ungrouped").map(String::as_str).collect::<Vec<_>>().join(","),
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
