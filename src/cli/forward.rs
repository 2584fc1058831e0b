//! `skep forward`: the cluster's web pages on localhost, through the SSH connections.

use std::io::{self, IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::json;
use tokio::io::{AsyncWriteExt, copy, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use super::args::{Form, Global};
use super::fleet::{self, Fleet, Login};
use super::pages::{self, Page, Token};
use super::show::Show;
use super::world::World;
use super::{Failure, signals};
use crate::actions::works_as;
use crate::event::{Code, Tally};
use crate::inventory::Host;
use crate::remote::{Dial, Session, Tunnel};

const EXAMPLES: &str = "\
Examples:
  skep forward                        every page, until Ctrl-C
  skep forward jupyter                those whose name, or whose container's, contains this
  skep forward --port jupyter=9999    with a port of your own

What has a page says so by its labels; docs/forward.md tells how.";

/// How long a page may take to take a connection.
const DIAL: Duration = Duration::from_secs(10);
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
    #[arg(long = "port", value_name = "NAME=PORT", value_parser = port)]
    ports: Vec<(String, u16)>,
    /// Look on these hosts only
    #[arg(short, long, value_name = "PATTERN", default_value = "all")]
    limit: String,
}

fn port(text: &str) -> Result<(String, u16), String> {
    let pair = text.split_once('=').and_then(|(name, port)| Some((name.to_owned(), port.parse().ok()?)));
    pair.ok_or_else(|| "write it as name=port".into())
}

/// A host with pages, and the login on it; renewed when it is lost.
struct Link {
    host: Arc<Host>,
    session: Mutex<Arc<dyn Session>>,
}

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
    /// Bad input, no page found, a port of the user's choice is taken.
    pub async fn run(self, global: &Global) -> anyhow::Result<Code> {
        let (world, since) = (World::open(global)?, Instant::now());
        let hosts = world.meant(&self.limit).await?;
        let found = fleet::ask(&world, &hosts, look).await;
        found.tell_lost("forward", world.show)?;
        let (code, mut tallies) = (found.code(), found.tallies().collect::<Vec<_>>());
        tallies.extend(found.answers.iter().map(|(host, _)| Tally { host: host.name.clone(), ..Tally::default() }));
        if code != Code::Interrupted {
            let locals = self.locals(found).await?;
            if locals.is_empty() && code == Code::Settled {
                return Err(self.nothing().into());
            }
            if !locals.is_empty() {
                tell(&mut io::stdout().lock(), &locals, world.show)?;
                serve(locals, &world).await;
            }
        }
        Ok(fleet::finish(tallies, since, code, world.show)?)
    }

    /// A listener for each page that is wanted.
    async fn locals(&self, found: Fleet<(Arc<Link>, Vec<Page>)>) -> anyhow::Result<Vec<Local>> {
        let mut locals = Vec::new();
        for (_, (link, pages)) in found.answers {
            for page in pages.into_iter().filter(|page| self.wants(page)) {
                locals.push(self.open(page, &link).await?);
            }
        }
        Ok(locals)
    }

    fn wants(&self, page: &Page) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| is(page, name))
    }

    fn nothing(&self) -> Failure {
        let which = if self.names.is_empty() { String::new() } else { format!(" called {}", self.names.join(" or ")) };
        Failure::failed(format!("no running container has a web page{which}"))
            .hint(format!("containers say which ports have pages by the label {}: see docs/forward.md", pages::LABEL))
    }

    async fn open(&self, page: Page, link: &Arc<Link>) -> anyhow::Result<Local> {
        let chosen = self.ports.iter().find(|(name, _)| is(&page, name)).map(|(_, port)| *port);
        let listener = match chosen {
            Some(port) => {
                listen(port).await.with_context(|| format!("cannot listen on port {port} for {}", page.name))?
            }
            None => free(page.port).await.with_context(|| format!("no port is free for {}", page.name))?,
        };
        let address = listener.local_addr()?;
        let token = match &page.token {
            Some(kept) => token(link, kept).await,
            None => None,
        };
        Ok(Local { page, link: Arc::clone(link), listener, address, token })
    }
}

/// Whether a user means this page by that name.
fn is(page: &Page, name: &str) -> bool {
    let name = name.to_lowercase();
    page.name.to_lowercase().contains(&name) || page.container.to_lowercase().contains(&name)
}

async fn look(host: Arc<Host>, session: Arc<dyn Session>) -> Result<(Arc<Link>, Vec<Page>), Failure> {
    let pages = pages_of(&host, &*session).await?;
    Ok((Arc::new(Link { host, session: Mutex::new(session) }), pages))
}

async fn pages_of(host: &Host, session: &dyn Session) -> Result<Vec<Page>, Failure> {
    let command = pages::look().by(works_as(host, None, None));
    let output = fleet::look(session, &command, "its containers").await?;
    // Not trimmed: the blank line in it has a meaning even where nothing stands before it.
    let pages = pages::read(&String::from_utf8_lossy(&output.stdout));
    pages.map_err(|error| Failure::failed(format!("cannot read its containers: {error}")))
}

/// What opens a page; none where it cannot be read: the page itself will ask for it.
async fn token(link: &Link, kept: &Token) -> Option<String> {
    let session = link.session.lock().await.clone();
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
        link.session.lock().await.close().await;
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

impl Link {
    /// Connects to a page. Where that fails its container may have been replaced, or the connection lost: looks again, once.
    /// A host that does not answer at all is not waited for again and again.
    async fn dial(&self, page: &Page, login: &Login<'_>) -> Result<Box<dyn Tunnel>, String> {
        let session = self.session.lock().await.clone();
        let lost = match session.dial(&page.at.0, page.at.1, DIAL).await {
            Ok(tunnel) => return Ok(tunnel),
            Err(silent @ Dial::Silent(_)) => return Err(silent.to_string()),
            Err(lost) => lost,
        };
        let session = match lost {
            Dial::Lost(_) => self.again(&session, login).await?,
            _ => session,
        };
        let pages = pages_of(&self.host, &*session).await.map_err(|error| error.to_string())?;
        // The very container, else another task of its service.
        let now = pages.iter().filter_map(|now| Some((now.succeeds(page)?, now))).max_by_key(|(same, _)| *same);
        let (address, port) = &now.ok_or("its container does not run")?.1.at;
        session.dial(address, *port, DIAL).await.map_err(|error| error.to_string())
    }

    /// Logs in anew, unless somebody else did meanwhile.
    async fn again(&self, lost: &Arc<dyn Session>, login: &Login<'_>) -> Result<Arc<dyn Session>, String> {
        let mut session = self.session.lock().await;
        if Arc::ptr_eq(&session, lost) {
            *session = login.to(&self.host).await.map_err(|error| error.to_string())?;
        }
        Ok(Arc::clone(&session))
    }
}
