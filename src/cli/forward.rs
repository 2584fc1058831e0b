//! `skep forward`: the cluster's web pages on localhost, through the SSH connections.

mod choice;
mod link;

use std::io::{self, IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::json;
use tokio::io::{AsyncWriteExt, copy, split};
use tokio::net::{TcpListener, TcpStream};

use super::args::{Form, Global};
use super::fleet::{self, Fleet, Login};
use super::pages::{LABEL, Page, Token};
use super::show::Show;
use super::world::World;
use super::{Failure, signals};
use crate::actions::works_as;
use crate::event::{Code, Tally};
use crate::remote::Tunnel;
use choice::{Choice, Found, is, places};
use link::Link;

const EXAMPLES: &str = "\
Examples:
  skep forward                        every page, until Ctrl-C
  skep forward jupyter                those whose name, or whose container's, contains this
  skep forward --port jupyter=9999    with a port of your own

What has a page says so by its labels; docs/forward.md tells how.";

/// How long a browser may take to hear why there is no page.
const LAST: Duration = Duration::from_secs(1);
/// How many ports are tried from the wanted one on.
const TRIES: u16 = 100;

/// Bring the cluster's web pages to localhost, through SSH
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Forward {
    /// Which pages, by a part of their name [default: all]
    names: Vec<String>,
    /// Which local port a page gets [default: its own, or the next that is free]
    #[arg(long = "port", value_name = "NAME=PORT", value_parser = choice::port)]
    ports: Vec<Choice>,
    /// Look on these hosts only
    #[arg(short, long, value_name = "PATTERN", default_value = "all")]
    limit: String,
}

/// A page that was found, and the way to its host.
type Reached = (Arc<Link>, Page);

/// A page with its listener.
struct Local {
    page: Page,
    link: Arc<Link>,
    listener: TcpListener,
    address: SocketAddr,
    token: Option<String>,
}

impl Forward {
    /// Forwards until the first signal.
    ///
    /// # Errors
    /// Bad input, no page found, a port of the user's choice is taken, or is for no page.
    pub async fn run(self, global: &Global) -> anyhow::Result<Code> {
        choice::check(&self.ports)?;
        let (world, since) = (World::open(global)?, Instant::now());
        let hosts = world.meant(&self.limit).await?;
        let found = fleet::ask(&world, &hosts, Link::look).await;
        found.tell_lost("forward", world.show)?;
        let (code, mut tallies) = (found.code(), found.tallies().collect::<Vec<_>>());
        tallies.extend(found.answers.iter().map(|(host, _)| Tally { host: host.name.clone(), ..Tally::default() }));
        if code != Code::Interrupted {
            let locals = self.locals(found, code == Code::Settled).await?;
            if !locals.is_empty() {
                tell(&mut io::stdout().lock(), &locals, world.show)?;
                serve(locals, &world).await;
            }
        }
        Ok(fleet::finish(tallies, since, code, world.show)?)
    }

    /// A listener for each page that is wanted; `whole` where every host has told its pages.
    async fn locals(&self, found: Fleet<(Arc<Link>, Vec<Page>)>, whole: bool) -> anyhow::Result<Vec<Local>> {
        let (open, shut) = self.wanted(found);
        let (found, shut) = (named(&open), named(&shut));
        if open.is_empty() && whole {
            return Err(self.nothing(&shut).into());
        }
        if !shut.is_empty() {
            tracing::warn!("{}; docs/forward.md tells what helps", without_way(&shut));
        }
        let ports = choice::ports(&self.ports, &found, whole)?;
        let pages: Vec<_> = found.into_iter().map(|(_, page)| page).zip(ports).collect();
        let mut locals = Vec::new();
        for ((link, page), listener) in open.iter().zip(listeners(&pages).await?) {
            locals.push(Local::of(page.clone(), link, listener).await?);
        }
        Ok(locals)
    }

    /// The pages that are wanted: those that their hosts have a way to, and the others.
    fn wanted(&self, found: Fleet<(Arc<Link>, Vec<Page>)>) -> (Vec<Reached>, Vec<Reached>) {
        let pages = found
            .answers
            .into_iter()
            .flat_map(|(_, (link, pages))| pages.into_iter().map(move |page| (Arc::clone(&link), page)));
        pages.filter(|(_, page)| self.wants(page)).partition(|(_, page)| page.at.is_some())
    }

    fn wants(&self, page: &Page) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| is(page, name))
    }

    fn nothing(&self, shut: &[Found<'_>]) -> Failure {
        if !shut.is_empty() {
            return Failure::failed(without_way(shut))
                .hint("publish the port on the host (127.0.0.1 will do), or put the container on a bridge, too");
        }
        let which = if self.names.is_empty() { String::new() } else { format!(" called {}", self.names.join(" or ")) };
        Failure::failed(format!("no running container has a web page{which}"))
            .hint(format!("containers say which ports have pages by the label {LABEL}: see docs/forward.md"))
    }
}

/// Pages as people tell them apart.
fn named(pages: &[Reached]) -> Vec<Found<'_>> {
    pages.iter().map(|(link, page)| (&*link.host.name, page)).collect()
}

fn without_way(shut: &[Found<'_>]) -> String {
    format!("hosts have no way to these pages of their containers: {}", places(shut.iter().copied()))
}

/// A listener for each page, in their order. What was chosen comes first: another page might take it by chance.
async fn listeners(pages: &[(&Page, Option<u16>)]) -> anyhow::Result<Vec<TcpListener>> {
    let mut chosen = Vec::new();
    for (page, port) in pages {
        chosen.push(match port {
            Some(port) => Some(taken(*port, page).await?),
            None => None,
        });
    }
    let mut listeners = Vec::new();
    for ((page, _), chosen) in pages.iter().zip(chosen) {
        listeners.push(match chosen {
            Some(listener) => listener,
            None => free(page.port).await.with_context(|| format!("no port is free for {}", page.name))?,
        });
    }
    Ok(listeners)
}

/// The port that was chosen for a page.
async fn taken(port: u16, page: &Page) -> anyhow::Result<TcpListener> {
    listen(port).await.with_context(|| format!("cannot listen on port {port} for {}", page.name))
}

/// What opens a page; none where it cannot be read: the page itself will ask for it.
async fn token(link: &Link, kept: &Token) -> Option<String> {
    let session = link.session().await;
    let command = kept.read().by(works_as(&link.host, None, None));
    let output = fleet::look(&*session, &command, "its token").await.ok()?;
    Some(output.text()).filter(|text| !text.is_empty())
}

async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// The first free port from this one on.
async fn free(port: u16) -> io::Result<TcpListener> {
    let mut taken = io::Error::from(io::ErrorKind::AddrInUse);
    // Without rights ports below 1024 are refused; 80 becomes 8080.
    let first = if port < 1024 { 8000 + port } else { port };
    for port in first..=first.saturating_add(TRIES) {
        match listen(port).await {
            Ok(listener) => return Ok(listener),
            Err(error) => taken = error,
        }
    }
    Err(taken)
}

fn tell(out: &mut impl Write, locals: &[Local], show: Show) -> io::Result<()> {
    let terminal = io::stdout().is_terminal();
    let width = locals.iter().map(|local| local.page.name.chars().count()).max().unwrap_or(0);
    let place = locals.iter().map(|local| local.link.host.name.chars().count()).max().unwrap_or(0);
    for local in locals {
        let (name, host, url) = (&local.page.name, &local.link.host.name, local.url(terminal));
        if show.form == Form::Json {
            writeln!(out, "{}", json!({"event": "page", "name": name, "host": host, "url": url}))?;
        } else {
            writeln!(
                out,
                "{name:width$}  {}  {}",
                show.paint.quiet(&format!("{host:place$}")),
                show.paint.strong(&url)
            )?;
        }
    }
    if show.form == Form::Human {
        writeln!(out, "\nCtrl-C ends it.")?;
    }
    out.flush()
}

impl Local {
    async fn of(page: Page, link: &Arc<Link>, listener: TcpListener) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let token = match &page.token {
            Some(kept) => token(link, kept).await,
            None => None,
        };
        Ok(Self { page, link: Arc::clone(link), listener, address, token })
    }

    /// What to click. The token is its user's to see, and nobody's who reads a log.
    fn url(&self, terminal: bool) -> String {
        let token = self.token.as_ref().filter(|_| terminal).map_or(String::new(), |token| format!("?token={token}"));
        format!("http://{}/{token}", self.address)
    }
}

async fn serve(locals: Vec<Local>, world: &World) {
    let links: Vec<_> = locals.iter().map(|local| Arc::clone(&local.link)).collect();
    let login = &world.login();
    tokio::select! {
        _ = futures::future::join_all(locals.iter().map(|local| accept(local, login))) => {}
        () = signals::cancelled(world.cancel()) => {}
    }
    for link in links {
        link.session().await.close().await;
    }
}

/// Takes connections for one page, any number at once.
async fn accept(local: &Local, login: &Login<'_>) {
    let mut open = futures::stream::FuturesUnordered::new();
    loop {
        tokio::select! {
            Ok((browser, _)) = local.listener.accept() => open.push(carry(local, login, browser)),
            Some(()) = futures::StreamExt::next(&mut open), if !open.is_empty() => {}
            // Out of file descriptors and the like: it gets better when connections end.
            else => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn carry(local: &Local, login: &Login<'_>, browser: TcpStream) {
    match local.link.dial(&local.page, login).await {
        Ok(tunnel) => join(browser, tunnel, &local.page.name).await,
        Err(why) => refuse(browser, &refusal(&local.page.name, &why)).await,
    }
}

/// Says so, and reads what was asked: a connection that is closed with something unread is reset, and its last words are lost.
async fn refuse(mut browser: TcpStream, words: &str) {
    let _ = browser.write_all(words.as_bytes()).await;
    let _ = browser.shutdown().await;
    let _ = tokio::time::timeout(LAST, copy(&mut browser, &mut tokio::io::sink())).await;
}

/// Both directions until the page has ended. A published port takes connections also where nothing in the container
/// listens, and ends them without a word: then the browser is told.
async fn join(browser: TcpStream, tunnel: Box<dyn Tunnel>, name: &str) {
    let ((mut from_browser, mut to_browser), (mut from_page, mut to_page)) = (split(browser), split(tunnel));
    let up = async {
        // How a browser or a page ends its connection is their business.
        let _ = copy(&mut from_browser, &mut to_page).await;
        let _ = to_page.shutdown().await;
        std::future::pending::<()>().await;
    };
    let down = async {
        if let Ok(0) = copy(&mut from_page, &mut to_browser).await {
            let _ = to_browser.write_all(refusal(name, "nothing listens there now").as_bytes()).await;
        }
        let _ = to_browser.shutdown().await;
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

/// What a browser shows where there is no page.
fn refusal(name: &str, why: &str) -> String {
    let text = format!("skep forward: {name} does not answer: {why}\n");
    let head = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close";
    format!("{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_a_way_is_named_rather_than_denied() {
        let forward = Forward { names: Vec::new(), ports: Vec::new(), limit: "all".into() };
        let told = forward.nothing(&[("node1", &Page::of("App", "app", 9000))]);
        assert_eq!(told.to_string(), "hosts have no way to these pages of their containers: App (app on node1)");
        assert_eq!(forward.nothing(&[]).to_string(), "no running container has a web page");
    }

    #[tokio::test]
    async fn a_chosen_port_is_kept_for_its_page() {
        let port = listen(0).await.and_then(|once| once.local_addr()).expect("a port").port();
        let (first, second) = (Page::of("Spark master", "spark-master", port), Page::of("JupyterLab", "driver", 8888));
        let listeners = listeners(&[(&first, None), (&second, Some(port))]).await.expect("two listeners");
        let ports: Vec<_> =
            listeners.iter().map(|listener| listener.local_addr().expect("an address").port()).collect();
        assert!(ports[1] == port && ports[0] != port, "{port}: {ports:?}");
    }
}
