//! `skep submit`: one's own job on the cluster, and that it ends with its submitter.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::bootstrap::master;
use crate::support::cluster::Cluster;

/// Says what the executors and a module of its own have come to, leaves a result, and ends as nothing of skep's does.
const JOB: &str = r#"
import sys
from pyspark.sql import SparkSession
from helper import twice
spark = SparkSession.builder.appName("submitted").getOrCreate()
print(spark.sparkContext.parallelize(range(int(sys.argv[1])), 4).map(twice).sum())
spark.range(3).toPandas().to_csv("out.csv", index=False)
spark.stop()
sys.exit(7)
"#;

/// Has all that it needs, and does not come to an end.
const ENDLESS: &str = r#"
import time
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("endless").getOrCreate()
spark.sparkContext.parallelize(range(4), 4).map(lambda n: time.sleep(0.1)).count()
print("under way", flush=True)
time.sleep(100000)
"#;

/// A folder of one's own, from which jobs are submitted.
pub struct Desk<'a> {
    cluster: &'a Cluster,
    folder: PathBuf,
}

impl<'a> Desk<'a> {
    pub fn new(cluster: &'a Cluster) -> Self {
        let folder = cluster.project.join("submit");
        fs::remove_dir_all(&folder).ok();
        fs::create_dir_all(&folder).expect("a folder");
        let files = [("job.py", JOB), ("endless.py", ENDLESS), ("helper.py", "def twice(n):\n    return 2 * n\n")];
        files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).expect("a file"));
        Self { cluster, folder }
    }

    fn skep(&self, arguments: &[&str]) -> Command {
        let mut skep = Command::new(env!("CARGO_BIN_EXE_skep"));
        skep.current_dir(&self.folder)
            .env("SKEP_SSH_CONFIG", "none")
            .env("SKEP_INVENTORY", self.cluster.lab.inventory());
        skep.arg("submit").args(arguments).stdin(Stdio::null());
        skep
    }

    pub fn submit(&self, arguments: &[&str]) -> Output {
        self.skep(arguments).output().expect("skep runs")
    }

    /// The job, its output, its result and its exit code.
    pub fn computes(&self, options: &[&str]) {
        fs::remove_file(self.folder.join("result.csv")).ok();
        let all = [options, &["--py-files", "helper.py", "--fetch", "out.csv:result.csv", "job.py", "1000"]].concat();
        let output = self.submit(&all);
        let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!((output.status.code(), &*out), (Some(7), "999000\n"), "{errors}");
        assert_eq!(fs::read_to_string(self.folder.join("result.csv")).expect("a result"), "id\n0\n1\n2\n");
    }

    /// A job that computes, and would for ever.
    fn endless(&self) -> Child {
        let out = fs::File::create(self.folder.join("out")).expect("a file");
        let errors = fs::File::create(self.folder.join("errors")).expect("a file");
        let child = self.skep(&["endless.py"]).stdout(out).stderr(errors).spawn().expect("skep runs");
        self.until("it is under way", || self.read("out").contains("under way"));
        assert_eq!(active(self.cluster), ["endless"]);
        child
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(
                began.elapsed() < Duration::from_secs(600),
                "{what}: {}\n{}",
                self.read("out"),
                self.read("errors")
            );
            thread::sleep(Duration::from_millis(200));
        }
    }
}

/// The applications that the master has not done with.
fn active(cluster: &Cluster) -> Vec<String> {
    let page = master(cluster);
    let names = page["activeapps"].as_array().expect("applications").iter().filter_map(|app| app["name"].as_str());
    names.map(str::to_owned).collect()
}

/// What jobs have left in the driver: folders, and processes.
const LEFT: &str = "docker exec spark-driver sh -c 'ls -d /tmp/skep-job.* 2>/dev/null; cat /proc/[0-9]*/cmdline 2>/dev/null | tr \"\\0\" \" \" | grep -o \"[e]ndless.py\"' | xargs";

#[test]
fn a_job_of_ones_own_computes_and_ends_with_who_submitted_it() {
    let cluster = Cluster::settled();
    let desk = Desk::new(&cluster);
    desk.computes(&[]);
    assert_eq!(cluster.on("node1", LEFT), "", "after a job that ended");

    let mut skep = desk.endless();
    let told = cluster.skep(&["status"]).ends(0);
    let one = &told.of("status").next().expect("a status")["status"]["spark"][0]["applications"][0];
    assert_eq!((&one["name"], &one["state"]), (&"endless".into(), &"RUNNING".into()), "{one:#}");
    Command::new("kill").args(["-INT", &skep.id().to_string()]).status().expect("kill");
    assert_eq!(skep.wait().expect("an end").code(), Some(130), "{}", desk.read("errors"));
    assert_eq!(active(&cluster), [""; 0], "the application ended before skep did");
    assert_eq!(cluster.on("node1", LEFT), "", "after Ctrl-C");

    let mut skep = desk.endless();
    cluster.on("node1", "pkill -KILL -u ubuntu sshd");
    assert_eq!(skep.wait().expect("an end").code(), Some(3), "{}", desk.read("errors"));
    desk.until("the application ends without its connection", || active(&cluster).is_empty());
    desk.until("nothing is left", || cluster.on("node1", LEFT).is_empty());
}

#[test]
fn a_master_that_is_gone_is_told_and_not_waited_for() {
    let cluster = Cluster::settled();
    cluster.on("node1", "docker stop spark-master");
    let output = Desk::new(&cluster).submit(&["local:/opt/jobs/pi.py"]);
    cluster.on("node1", "docker start spark-master");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("http://spark-master:8080/json/") && errors.contains("hint: skep status"), "{errors}");
}
