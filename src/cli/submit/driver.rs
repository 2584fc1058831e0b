//! Where Spark's driver is: looked for on all hosts, not told.

use std::sync::Arc;

use crate::cli::{Failure, fleet};
use crate::inventory::Host;
use crate::reads::docker::{Found, Listed, Look};
use crate::reads::{Read, Seen, Value};
use crate::remote::Session;

/// A container that applications are submitted from.
pub struct Driver {
    /// Its host.
    pub host: Arc<Host>,
    /// The login there.
    pub session: Arc<dyn Session>,
    /// The container.
    pub container: Listed,
}

/// The drivers on one host; the login is kept where there is one.
///
/// # Errors
/// The host is lost, runs no commands, or its Docker does not answer.
pub async fn look(host: Arc<Host>, session: Arc<dyn Session>) -> Result<Vec<Driver>, Failure> {
    let listed = listed(&host, &*session).await;
    let drivers: Vec<Listed> = listed?.into_iter().filter(is_driver).collect();
    if drivers.is_empty() {
        session.close().await;
    }
    let driver = |container| Driver { host: Arc::clone(&host), session: Arc::clone(&session), container };
    Ok(drivers.into_iter().map(driver).collect())
}

async fn listed(host: &Host, session: &dyn Session) -> Result<Vec<Listed>, Failure> {
    let answers = fleet::read(host, session, vec![Read::Docker(Look::Containers)]).await?;
    match answers.into_iter().next().map(|(_, seen)| seen) {
        Some(Seen::Is(Value::Docker(Found::Containers(listed)))) => Ok(listed),
        Some(Seen::Absent) => Ok(Vec::new()),
        Some(Seen::Unread(why)) => Err(Failure::failed(format!("cannot read its containers: {why}"))),
        _ => Err(Failure::failed("cannot read its containers: an odd answer")),
    }
}

/// By its label, or the service that it is a task of.
fn is_driver(container: &Listed) -> bool {
    container.spark == "driver" || container.service.ends_with("_spark-driver")
}

/// The one that is meant, among all that there are.
///
/// # Errors
/// There is none, it does not run, or there are several.
pub fn choose(all: Vec<Driver>, wanted: Option<&str>) -> Result<Driver, Failure> {
    let (running, still): (Vec<_>, Vec<_>) = named(all, wanted).into_iter().partition(|one| one.container.runs());
    match (<[Driver; 1]>::try_from(running), still.first()) {
        (Ok([driver]), _) => Ok(driver),
        (Err(several), _) if !several.is_empty() => Err(ambiguous(&several)),
        (Err(_), Some(still)) => Err(stopped(still)),
        (Err(_), None) => Err(missing(wanted)),
    }
}

/// Those whose name is that; where there are none, those whose name has it in it.
fn named(all: Vec<Driver>, wanted: Option<&str>) -> Vec<Driver> {
    let Some(wanted) = wanted else { return all };
    let (exact, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.container.name == wanted);
    match exact {
        exact if exact.is_empty() => others.into_iter().filter(|one| one.container.name.contains(wanted)).collect(),
        exact => exact,
    }
}

fn ambiguous(several: &[Driver]) -> Failure {
    let names: Vec<_> = several.iter().map(Driver::place).collect();
    let hint = "say which: --driver NAME, a part of its name; or on which hosts to look: --limit PATTERN";
    Failure::failed(format!("several drivers of Spark run: {}", names.join(", "))).hint(hint)
}

fn stopped(still: &Driver) -> Failure {
    let text = format!("Spark's driver does not run: {} is {}", still.place(), still.container.status.to_lowercase());
    Failure::failed(text)
        .hint("the playbook that made it starts it again: skep up, or skep run playbooks/spark-stack.yml")
}

fn missing(wanted: Option<&str>) -> Failure {
    let called = wanted.map_or(String::new(), |wanted| format!(" called {wanted}"));
    let hint =
        "skep up makes one; a container is one by its label skep.spark: driver, a task by its service, …_spark-driver";
    Failure::failed(format!("no host has a driver of Spark{called}")).hint(hint)
}

impl Driver {
    /// Where it is, for people.
    pub fn place(&self) -> String {
        format!("{} on {}", self.container.name, self.host.name)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, from_value, json};

    use super::*;
    use crate::cli::testing::host;
    use crate::remote::Connect;
    use crate::remote::fake::Fake;

    async fn drivers(rows: Value) -> Vec<Driver> {
        let folder = tempfile::tempdir().expect("a folder");
        let fake = Fake::new(folder.path(), &["node1"]).expect("hosts");
        let host = Arc::new(host("node1"));
        let session = fake.connect(&host, std::time::Duration::ZERO, Arc::new(|_| {})).await.expect("a login");
        let rows: Vec<Listed> = from_value(rows).expect("rows");
        let driver = |container| Driver { host: host.clone(), session: session.clone(), container };
        rows.into_iter().filter(is_driver).map(driver).collect()
    }

    async fn chosen(rows: Value, wanted: Option<&str>) -> String {
        match choose(drivers(rows).await, wanted) {
            Ok(driver) => driver.place(),
            Err(why) => format!("{why}"),
        }
    }

    #[tokio::test]
    async fn one_that_runs_is_the_one() {
        let rows = json!([
            {"Name": "spark-master", "State": "running", "Spark": "master"},
            {"Name": "spark-stack_spark-driver.1.old", "State": "exited", "Service": "spark-stack_spark-driver"},
            {"Name": "spark-stack_spark-driver.1.new", "State": "running", "Service": "spark-stack_spark-driver"},
        ]);
        assert_eq!(chosen(rows, None).await, "spark-stack_spark-driver.1.new on node1");
    }

    #[tokio::test]
    async fn of_several_one_is_named_whole_or_in_part() {
        let rows = json!([
            {"Name": "spark-driver", "State": "running", "Spark": "driver"},
            {"Name": "spark-stack_spark-driver.1.x", "State": "running", "Service": "spark-stack_spark-driver"},
        ]);
        let several = "several drivers of Spark run: spark-driver on node1, spark-stack_spark-driver.1.x on node1";
        assert_eq!(chosen(rows.clone(), None).await, several);
        assert_eq!(chosen(rows.clone(), Some("spark-driver")).await, "spark-driver on node1");
        assert_eq!(chosen(rows.clone(), Some("stack")).await, "spark-stack_spark-driver.1.x on node1");
        assert_eq!(chosen(rows, Some("other")).await, "no host has a driver of Spark called other");
    }

    #[tokio::test]
    async fn one_that_does_not_run_is_told_with_its_state() {
        let rows = json!([{"Name": "spark-driver", "State": "exited", "Status": "Exited (137) 2 hours ago", "Spark": "driver"}]);
        let told = "Spark's driver does not run: spark-driver on node1 is exited (137) 2 hours ago";
        assert_eq!(chosen(rows, None).await, told);
        assert_eq!(chosen(json!([]), None).await, "no host has a driver of Spark");
    }
}
