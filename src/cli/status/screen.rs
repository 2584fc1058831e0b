//! The screen, from what was seen. A line that is too long for the terminal is cut, not wrapped.

use super::spark::{self, Application, Master, Worker};
use super::view::{Container, Page, Row, Service, Status};
use crate::report::{Paint, cut, plural, tame};

/// How a line stands out.
#[derive(Clone, Copy, PartialEq)]
enum Tone {
    Title,
    Plain,
    Quiet,
    Bad,
}

/// The cells of a line.
type Line = (Tone, Vec<String>);

/// Draws all that there is, `width` columns wide.
pub fn draw(status: &Status, width: usize, paint: Paint) -> String {
    let blocks = [nodes(&status.nodes), services(status), containers(&status.containers)];
    let blocks = blocks.into_iter().chain(status.spark.iter().flat_map(spark)).chain([pages(status)]);
    let mut drawn = String::new();
    for lines in blocks.filter(|lines| !lines.is_empty()) {
        // Workers and applications belong to the master above them.
        if !drawn.is_empty() && !lines[0].1[0].starts_with("  ") {
            drawn.push('\n');
        }
        table(&lines).iter().for_each(|(tone, text)| drawn += &format!("{}\n", put(*tone, &cut(text, width), paint)));
    }
    drawn
}

fn put(tone: Tone, text: &str, paint: Paint) -> String {
    match tone {
        Tone::Title => paint.strong(text),
        Tone::Plain => text.to_owned(),
        Tone::Quiet => paint.quiet(text),
        Tone::Bad => paint.bad(text),
    }
}

/// Pads columns, and leaves out those that only the title has; a line of one cell is no part of them.
fn table(lines: &[Line]) -> Vec<(Tone, String)> {
    let tamed = |(tone, cells): &Line| (*tone, cells.iter().map(|cell| tame(cell)).collect::<Vec<_>>());
    let lines: Vec<Line> = lines.iter().map(tamed).collect();
    let columns = lines.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(|column| widest(&lines, column)).collect();
    lines.iter().map(|(tone, cells)| (*tone, padded(cells, &widths))).collect()
}

fn widest(lines: &[Line], column: usize) -> usize {
    let width = |cells: &[String]| cells.get(column).map_or(0, |cell| console::measure_text_width(cell));
    let rows = lines.iter().filter(|(_, cells)| cells.len() > 1);
    let (title, rest): (Vec<&Line>, Vec<&Line>) = rows.partition(|(tone, _)| *tone == Tone::Title);
    let most = |lines: Vec<&Line>| lines.iter().map(|(_, cells)| width(cells)).max().unwrap_or(0);
    match most(rest) {
        0 => 0,
        rest => rest.max(most(title)),
    }
}

fn padded(cells: &[String], widths: &[usize]) -> String {
    if let [alone] = cells {
        return alone.clone();
    }
    let cells = cells.iter().zip(widths).filter(|(_, width)| **width > 0);
    let padded = cells.map(|(cell, width)| cell.clone() + &" ".repeat(width - console::measure_text_width(cell)));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// A title and what is under it; nothing where there is nothing.
fn under<const N: usize>(title: [&str; N], lines: Vec<Line>) -> Vec<Line> {
    let title = (Tone::Title, title.map(str::to_owned).to_vec());
    if lines.is_empty() { lines } else { [vec![title], lines].concat() }
}

fn nodes(rows: &[Row]) -> Vec<Line> {
    under(["host", "address", "role", "state", "engine", ""], rows.iter().map(node).collect())
}

fn node(row: &Row) -> Line {
    let name = row.host.clone().unwrap_or_else(|| format!("({})", row.node.as_deref().unwrap_or("?")));
    let role = format!("{}{}", row.role.as_deref().unwrap_or(""), if row.leader { "*" } else { "" });
    let state = match &row.availability {
        Some(availability) => format!("{availability}, {}", row.state),
        None => row.state.clone(),
    };
    let tone = if row.is_well() { Tone::Plain } else { Tone::Bad };
    let problem = row.problem.as_deref().unwrap_or("").lines().next().unwrap_or("").to_owned();
    (tone, vec![name, row.address.clone(), role, state, row.engine.clone().unwrap_or_default(), problem])
}

fn services(status: &Status) -> Vec<Line> {
    let lines = match (&status.services, &status.services_unread) {
        (Some(services), _) => services.iter().map(service).collect(),
        (None, Some(why)) => return vec![(Tone::Bad, vec![format!("services are not known: {why}")])],
        (None, None) => Vec::new(),
    };
    under(["service", "running", "image", "ports", ""], lines)
}

fn service(service: &Service) -> Line {
    let update = service.update.as_deref().filter(|update| *update != "completed").map(|u| format!("update {u}"));
    let notes: Vec<_> = service.note.clone().into_iter().chain(update).collect();
    let running = format!("{}/{}", service.running, service.desired);
    let tone = if service.whole { Tone::Plain } else { Tone::Bad };
    (tone, vec![service.name.clone(), running, bare(&service.image), service.ports.join(", "), notes.join(", ")])
}

/// An image without its digest, which fills half a screen and tells nobody anything.
fn bare(image: &str) -> String {
    image.split_once('@').map_or(image, |(name, _)| name).to_owned()
}

/// A swarm keeps the last containers of a task that it has replaced: these are counted only.
fn containers(all: &[Container]) -> Vec<Line> {
    let is_past = |one: &&Container| one.service.is_some() && ["exited", "dead", "created"].contains(&&*one.state);
    let (past, now): (Vec<_>, Vec<_>) = all.iter().partition(is_past);
    let past = (!past.is_empty())
        .then(|| (Tone::Quiet, vec![format!("and {} of tasks that have ended", plural(past.len(), "container"))]));
    let mut lines = under(["host", "container", "image", "state", "ports"], now.into_iter().map(container).collect());
    lines.extend(past.filter(|_| !lines.is_empty()));
    lines
}

fn container(one: &Container) -> Line {
    let well = one.state == "running" && one.health.as_deref() != Some("unhealthy");
    let tone = match one.state.as_str() {
        _ if well => Tone::Plain,
        "exited" if one.status.starts_with("Exited (0)") => Tone::Quiet,
        "created" | "paused" => Tone::Quiet,
        _ => Tone::Bad,
    };
    (tone, vec![one.host.clone(), one.name.clone(), bare(&one.image), one.status.clone(), one.ports.join(", ")])
}

/// A master: one block of what it says, one of its workers, one of its applications.
fn spark(master: &Master) -> Vec<Vec<Line>> {
    let (page, place) = (&master.page, format!("{} on {}", master.container, master.host));
    if let Some(why) = &master.problem {
        return vec![under([&format!("Spark: {place}")], vec![(Tone::Bad, vec![why.clone()])])];
    }
    let head = under([&format!("Spark: {} ({place})", page.url)], vec![sums(page)]);
    let mut applications: Vec<Line> = page.applications.iter().map(application).collect();
    if applications.is_empty() {
        applications.push((Tone::Quiet, vec!["  no application runs".to_owned()]));
    }
    vec![head, page.workers.iter().map(worker).collect(), applications]
}

/// How many workers live, and how much of them is in use.
fn sums(page: &spark::Page) -> Line {
    let alive = page.workers.iter().filter(|worker| worker.is_alive()).count();
    let workers = format!("{alive} of {} alive", plural(page.workers.len(), "worker"));
    let offer = &page.offer;
    let cores = format!("{} of {} cores", offer.cores_used, offer.cores);
    let memory = format!("{} of {} of memory", size(offer.memory_used), size(offer.memory));
    let tone = if page.status == "ALIVE" && alive > 0 { Tone::Plain } else { Tone::Bad };
    (tone, vec![format!("{}, {workers}, {cores} and {memory} in use", page.status)])
}

fn worker(worker: &Worker) -> Line {
    let tone = if worker.is_alive() { Tone::Plain } else { Tone::Bad };
    let offer = &worker.offer;
    let cores = format!("{}/{} cores", offer.cores_used, offer.cores);
    let memory = format!("{}/{}", size(offer.memory_used), size(offer.memory));
    (tone, vec![format!("  worker {}", worker.host), worker.state.clone(), cores, memory])
}

fn application(one: &Application) -> Line {
    let title = format!("  application {}", one.name);
    (
        Tone::Plain,
        vec![
            title,
            one.state.clone(),
            plural(usize::try_from(one.cores).unwrap_or(0), "core"),
            one.user.clone(),
            one.id.clone(),
        ],
    )
}

/// MiB, for people.
fn size(mib: u64) -> String {
    match mib {
        0..1024 => format!("{mib} MiB"),
        _ => format!("{}.{} GiB", mib / 1024, mib % 1024 * 10 / 1024),
    }
}

fn pages(status: &Status) -> Vec<Line> {
    let page = |page: &Page| (Tone::Plain, vec![page.name.clone(), page.host.clone()]);
    let mut lines = under(["page", "host"], status.pages.iter().map(page).collect());
    if !lines.is_empty() {
        lines.push((Tone::Quiet, vec![format!("to open them on localhost: {}", status.forward)]));
    }
    lines
}
