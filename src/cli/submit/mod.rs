//! `skep submit`: one's own Spark job on the cluster, as `spark-submit` would run it there.
//!
//! | file | what it knows |
//! |---|---|
//! | `sent` | what goes along, and spark-submit's words |
//! | `driver` | the container that jobs are submitted from |
//! | `held` | the job's folder there, that it and the job end with us, and that no result does |
//! | `fetch` | results, brought here |
//! | `told` | what is said of all that, to people and to programs |

mod driver;
mod fetch;
mod held;
mod sent;
mod told;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::time::timeout;

use super::args::{Form, Global};
use super::fleet::{self, Fleet};
use super::show::Show;
use super::world::World;
use super::{Failure, complete, signals};
use crate::event::{Code, Event, Tally};
use crate::remote::{Exec, Live, Lost, Output};
use driver::Driver;
use fetch::Fetch;
use held::{Held, Left, SILENCE, inside};
use sent::Sent;
use told::note;

const EXAMPLES: &str = "\
Examples:
  skep submit job.py --day 2026-01-31             what is behind job.py is for job.py
  skep submit --conf spark.cores.max=8 --py-files lib.zip --fetch report.csv job.py
  skep submit --class org.example.Main app.jar 1000
  skep submit local:/opt/jobs/pi.py --workers 2   a file that is in the driver already

Options come before the application. The exit code is the job's own; where it did not come to one,
or ended with 0 and --fetch failed: 2 bad input (nobody was contacted), 3 a host could not be
reached, 1 all else, 130 interrupted.";

/// How long a job may take to end after Ctrl-C, the ten seconds in which it is asked to included.
const ENDING: Duration = Duration::from_secs(20);

/// What a signal has ended has its number more than this as its code (sh(1), `$?`).
const BY_SIGNAL: i32 = 128;

/// Run a Spark job of yours on the cluster: its output live, its exit code kept
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, override_usage = "skep submit [OPTIONS] APP [ARGS]...")]
pub struct Submit {
    /// The application, a .py or .jar of this machine or local:/PATH of the driver, and its own arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "APP", value_hint = clap::ValueHint::FilePath)]
    application: Vec<String>,
    /// Bring a file or folder that the job wrote, also where it failed; here it is called LOCAL, or as it is there
    #[arg(short, long, value_name = "PATH[:LOCAL]", value_parser = fetch::fetch)]
    fetch: Vec<Fetch>,
    /// The driver's container, by its name or a part of it [default: the only one there is]
    #[arg(long, value_name = "NAME")]
    driver: Option<String>,
    /// Look for the driver on these hosts only
    #[arg(short, long, value_name = "PATTERN", default_value = "all", add = complete::hosts())]
    limit: String,
    /// What spark-submit is told.
    #[command(flatten)]
    options: sent::Options,
}

impl Submit {
    /// Runs the job to its end, and gives its exit code.
    ///
    /// # Errors
    /// It did not come to one.
    pub async fn run(self, global: &Global) -> anyhow::Result<u8> {
        let since = Instant::now();
        let sent = Arc::new(Sent::of(&self.options, &self.application)?);
        fetch::check(&self.fetch)?;
        let world = World::open(global)?;
        let hosts = world.meant(&self.limit).await?;
        let found = fleet::ask(&world, &hosts, driver::look).await;
        found.tell_lost("submit", world.show)?;
        let lost: Vec<Tally> = found.tallies().collect();
        let (on, ended) = self.on_driver(&world, found, sent).await;
        let said = told::end(on, &ended, lost, since, world.show);
        // Why there is no code goes before that nobody was told of it.
        let code = ended?;
        said?;
        Ok(code)
    }

    /// The code that it comes to, and on which hosts: where there is no driver, on all that have answered.
    async fn on_driver(
        &self,
        world: &World,
        found: Fleet<Vec<Driver>>,
        sent: Arc<Sent>,
    ) -> (Vec<String>, Result<u8, Failure>) {
        let asked = found.answers.iter().map(|(host, _)| host.name.clone()).collect();
        let driver = match self.chosen(found) {
            Ok(Some(driver)) => driver,
            Ok(None) => return (Vec::new(), Ok(Code::Interrupted.number())),
            Err(why) => return (asked, Err(why)),
        };
        let ended = self.submit(world, &driver, sent).await;
        driver.session.close().await;
        (vec![driver.host.name.clone()], ended)
    }

    /// The driver; none where Ctrl-C came.
    fn chosen(&self, found: Fleet<Vec<Driver>>) -> Result<Option<Driver>, Failure> {
        let code = found.code();
        let all: Vec<Driver> = found.answers.into_iter().flat_map(|(_, drivers)| drivers).collect();
        let among = "no host that answered has a driver of Spark";
        match code {
            Code::Interrupted => Ok(None),
            Code::Unreachable if all.is_empty() => Err(Failure::unreachable(among)),
            Code::Failed if all.is_empty() => Err(Failure::failed(among)),
            _ => driver::choose(all, self.driver.as_deref()).map(Some),
        }
    }

    /// The code that it comes to. The job's folder is gone by then, and so is all that ran in it; what was to be fetched and did
    /// not come is kept.
    async fn submit(&self, world: &World, driver: &Driver, sent: Arc<Sent>) -> Result<u8, Failure> {
        let words = sent.words.clone();
        let held = tokio::select! {
            held = Held::begin(driver, sent, !self.fetch.is_empty()) => held?,
            () = signals::cancelled(world.cancel()) => return Ok(Code::Interrupted.number()),
        };
        note(world.show, &format!("{} in {}; Ctrl-C ends it", self.application[0], driver.place()));
        self.follow(world, driver, held, words).await
    }

    async fn follow(&self, world: &World, driver: &Driver, mut held: Held, words: Vec<String>) -> Result<u8, Failure> {
        let folder = held.folder.clone();
        let mut job = Box::pin(job(driver, &folder, words, world.show));
        let ended = tokio::select! {
            ended = &mut job => ended,
            () = signals::cancelled(world.cancel()) => {
                // Its last words are still heard.
                let (left, _) = tokio::join!(held.end(true), timeout(ENDING, job));
                return Ok(interrupted(left == Left::Nothing, driver, world.show));
            }
        };
        if let Ok(output) = &ended
            && output.code >= BY_SIGNAL
            && let Some(why) = held.over(driver).await
        {
            return Err(why);
        }
        let brought = match ended {
            Ok(output) => Ok(self.bring(world, driver, &folder, output.code).await),
            Err(lost) => Err(cut(driver, &lost)),
        };
        let (all_came, wanted) = (matches!(brought, Ok((_, true))), matches!(brought, Ok((_, false))));
        told::left(held.end(all_came).await, wanted, driver, &folder, world.show);
        brought.map(|(code, _)| code)
    }

    /// Fetches, and gives the code that the job and this come to, and whether all has come.
    async fn bring(&self, world: &World, driver: &Driver, folder: &str, ended: i32) -> (u8, bool) {
        let (mut code, mut all_came) = (u8::try_from(ended).unwrap_or(Code::Failed.number()), true);
        for fetch in &self.fetch {
            let fetched = tokio::select! {
                fetched = fetch.bring(driver, folder) => fetched,
                () = signals::cancelled(world.cancel()) => return (Code::Interrupted.number(), false),
            };
            match fetched {
                Ok(fetched) => told::fetched(fetch, &fetched, world.show),
                Err(why) => {
                    told::not_fetched(driver, &why, world.show);
                    all_came = false;
                    code = if code == 0 { why.code().number() } else { code };
                }
            }
        }
        (code, all_came)
    }
}

/// The job itself: to programs its lines are events, to all others its two outputs are ours.
async fn job(driver: &Driver, folder: &str, words: Vec<String>, show: Show) -> Result<Output, Lost> {
    let command = inside(driver, &[], include_str!("run.sh")).arg(folder).args(words);
    let exec = match show.form {
        Form::Json => Exec { live: Some(lines(&driver.host.name)), ..Exec::new(&command) },
        Form::Human | Form::Plain => {
            let (stdout, stderr) = (Box::new(tokio::io::stdout()), Box::new(tokio::io::stderr()));
            Exec { stdout: Some(stdout), stderr: Some(stderr), ..Exec::new(&command) }
        }
    };
    driver.session.exec(exec).await
}

fn lines(host: &str) -> Live {
    let host = host.to_owned();
    Arc::new(move |text: &str| {
        for line in text.lines() {
            // Where standard output is gone, nobody is left to tell.
            let _ = fleet::say(&Event::Line { step: "submit".into(), host: host.clone(), line: line.to_owned() });
        }
    })
}

/// Why there is no exit code. The job does not outlive the connection: its folder's holder has lost it, too.
fn cut(driver: &Driver, lost: &Lost) -> Failure {
    let late = format!(", {} minutes later where its host has not seen that", SILENCE.as_secs() / 60);
    let late = if lost.is_cut() { late.as_str() } else { "" };
    let why = fleet::no_answer(lost).adding(&format!("\nthe job in {} ends with it{late}", driver.place()));
    match lost {
        Lost::Connection(_) => {
            why.hint("what must outlive this connection belongs into a notebook, or a screen on the host")
        }
        _ => why,
    }
}

fn interrupted(seen: bool, driver: &Driver, show: Show) -> u8 {
    note(
        show,
        &if seen {
            "interrupted: the job was ended".to_owned()
        } else {
            format!("interrupted; that the job in {} ended was not seen: skep status shows what runs", driver.place())
        },
    );
    Code::Interrupted.number()
}
