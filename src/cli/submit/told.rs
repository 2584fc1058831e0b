//! What is said of a job beside its own output: to people on standard error, where it mixes with no result, to programs as events.

use std::io::{self, Write};
use std::time::Instant;

use serde_json::json;

use super::driver::Driver;
use super::fetch::{Fetch, Fetched};
use super::held::{self, Left, SILENCE};
use crate::cli::args::Form;
use crate::cli::show::Show;
use crate::cli::{Failure, failure, fleet};
use crate::event::{Event, Outcome, Tally};
use crate::report::{plural, tame};
use crate::secret::masked;

/// On the way, to people.
pub fn note(show: Show, text: &str) {
    if show.form != Form::Json {
        let _ = writeln!(io::stderr(), "{}", show.paint.quiet(&masked(text)));
    }
}

/// What was brought.
pub fn fetched(fetch: &Fetch, fetched: &Fetched, show: Show) {
    if show.form == Form::Json {
        let event =
            json!({"event": "fetched", "to": fetch.to_string(), "files": fetched.files, "bytes": fetched.bytes});
        let _ = writeln!(io::stdout(), "{}", masked(&event.to_string()));
    }
    note(show, &format!("{fetch}: {}, {} bytes", plural(fetched.files, "file"), fetched.bytes));
    if fetched.hollow {
        let hint =
            "an executor writes to its own host's disk: write what is to be fetched from the driver, as by toPandas()";
        let _ = writeln!(io::stderr(), "there is no data in it\n\n{} {hint}", show.paint.hint("hint:"));
    }
}

/// Why something was not brought.
pub fn not_fetched(driver: &Driver, why: &Failure, show: Show) {
    if show.form == Form::Json {
        // Where standard output is gone, nobody is left to tell.
        let _ = fleet::say(&failed(&driver.host.name, why));
    }
    failure::tell(&why.clone().into(), show.paint);
}

/// What became of the job's folder; `wanted` says that something there was to be fetched and has not come.
pub fn left(left: Left, wanted: bool, driver: &Driver, folder: &str, show: Show) {
    match left {
        Left::Nothing => {}
        Left::Unfetched(list) => kept(driver, folder, Some(&list), show),
        Left::Unseen if wanted => kept(driver, folder, None, show),
        Left::Unseen => note(show, &format!("{folder} may be left in {}", driver.place())),
    }
}

/// Where the only copy of a result is. There is no list of it where its holder was not heard any more.
fn kept(driver: &Driver, folder: &str, list: Option<&str>, show: Show) {
    let path = held::kept(folder);
    if show.form == Form::Json {
        let (host, container) = (&driver.host.name, &driver.container.name);
        let event = json!({"event": "kept", "host": host, "container": container, "path": path});
        let _ = writeln!(io::stdout(), "{}", masked(&event.to_string()));
    }
    let (what, hint) = (what_is_kept(driver, &path, list), carried(driver, &path));
    let _ = writeln!(io::stderr(), "{}\n\n{} {hint}", masked(&what), show.paint.hint("hint:"));
}

fn what_is_kept(driver: &Driver, path: &str, list: Option<&str>) -> String {
    let place = driver.place();
    match list {
        Some(list) => {
            let list: String = list.lines().map(|line| format!("\n  {}", tame(line))).collect();
            format!("what the job wrote is kept in {place}, in {path}:{list}")
        }
        None => {
            let minutes = SILENCE.as_secs() / 60;
            format!("what the job wrote is to be kept in {place}, in {path}, {minutes} minutes from now at the latest")
        }
    }
}

/// What brings it: Docker's own words, for its host.
fn carried(driver: &Driver, path: &str) -> String {
    let (host, container) = (&driver.host, &driver.container.name);
    let sudo = if host.become_root { "sudo " } else { "" };
    format!("on {}: {sudo}docker cp {container}:{path} . (it stays there as long as that container)", host.name)
}

/// The last events: why there is no code, and how it ended on each host. People are told by who called us.
///
/// # Errors
/// Standard output is gone.
pub fn end(
    on: Vec<String>,
    ended: &Result<u8, Failure>,
    lost: Vec<Tally>,
    since: Instant,
    show: Show,
) -> io::Result<()> {
    if show.form != Form::Json {
        return Ok(());
    }
    let ms = since.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
    last(on, ended, lost, ms).iter().try_for_each(fleet::say)
}

fn last(on: Vec<String>, ended: &Result<u8, Failure>, mut hosts: Vec<Tally>, ms: u64) -> Vec<Event> {
    let code = ended.as_ref().map_or_else(|why| why.code().number(), |code| *code);
    let why = ended.as_ref().err();
    let mut events: Vec<Event> = why.into_iter().flat_map(|why| on.iter().map(move |host| failed(host, why))).collect();
    let (changed, failed) = (usize::from(code == 0), usize::from(code != 0));
    hosts.extend(on.into_iter().map(|host| Tally { host, changed, failed, ms, ..Tally::default() }));
    events.push(Event::RunFinished { hosts, ms, code });
    events
}

fn failed(host: &str, why: &Failure) -> Event {
    Event::JobFinished {
        step: "submit".into(),
        host: host.to_owned(),
        item: None,
        outcome: Outcome::Failed,
        message: Some(why.to_string()),
        command: None,
        stderr: None,
        hint: why.remedy().map(str::to_owned),
        after: None,
        open: false,
        ms: 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::cli::testing::host;
    use crate::remote::Connect;
    use crate::remote::fake::Fake;

    async fn driver() -> Driver {
        let folder = tempfile::tempdir().expect("a folder");
        let fake = Fake::new(folder.path(), &["node1"]).expect("hosts");
        let host = Arc::new(host("node1"));
        let session = fake.connect(&host, Duration::ZERO, Arc::new(|_| {})).await.expect("a login");
        let container = serde_json::from_value(json!({"Name": "spark-driver"})).expect("a row");
        Driver { host, session, container }
    }

    #[tokio::test]
    async fn what_is_kept_is_told_with_its_place_and_what_brings_it() {
        let (driver, path) = (driver().await, held::kept("/tmp/skep-job.x"));
        let what = what_is_kept(&driver, &path, Some("deep/\nout.csv"));
        let place = "what the job wrote is kept in spark-driver on node1, in /tmp/skep-job.x.kept:";
        assert_eq!(what, format!("{place}\n  deep/\n  out.csv"));
        let unseen = what_is_kept(&driver, &path, None);
        assert!(unseen.contains("/tmp/skep-job.x.kept, 5 minutes from now"), "{unseen}");
        let brings = carried(&driver, &path);
        assert!(brings.starts_with("on node1: sudo docker cp spark-driver:/tmp/skep-job.x.kept . "), "{brings}");
    }

    #[test]
    fn programs_are_told_why_there_is_no_code_and_which_it_is() {
        let why = Failure::failed("no host has a driver of Spark").hint("skep up makes one");
        let lost = Tally { host: "b".into(), unreachable: true, ..Tally::default() };
        let events = last(vec!["a".into()], &Err(why), vec![lost.clone()], 5);
        let [Event::JobFinished { host, message, hint, .. }, Event::RunFinished { hosts, code: 1, .. }] = &events[..]
        else {
            panic!("{events:?}")
        };
        let said = (host.as_str(), message.as_deref(), hint.as_deref());
        assert_eq!(said, ("a", Some("no host has a driver of Spark"), Some("skep up makes one")));
        assert_eq!(hosts, &[lost, Tally { host: "a".into(), failed: 1, ms: 5, ..Tally::default() }]);
        let events = last(vec!["a".into()], &Ok(0), Vec::new(), 5);
        let [Event::RunFinished { hosts, code: 0, .. }] = &events[..] else { panic!("{events:?}") };
        assert_eq!((hosts[0].changed, hosts[0].failed), (1, 0));
    }
}
