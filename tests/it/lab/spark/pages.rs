//! What the cluster answers, and to whom.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::cluster::Cluster;

#[test]
fn jupyterlab_wants_its_token_and_notebooks_reach_the_cluster() {
    let cluster = Cluster::settled();
    let status = |query: &str| {
        let get = "curl -s -o /dev/null --max-time 60 -w '%{http_code}'";
        cluster.on("node1", &format!("{get} \"http://127.0.0.1:8888/api/contents{query}\""))
    };
    assert_eq!(status(""), "403", "without a token");
    assert_eq!(status("?token=0123456789"), "403", "with another token");
    assert_eq!(status("?token=$(cat /etc/skep/spark/jupyter)"), "200", "with the token");

    let notebook = "docker exec -i spark-driver python3 - <<'END' 2>&1\n".to_owned() + NOTEBOOK + "END";
    let shown = cluster.on("node1", &notebook);
    assert!(shown.contains("spark:// [0, 2, 4, 6, 8]"), "a notebook showed:\n{shown}");
}

/// As one types it into a notebook: nothing of it says where the cluster is.
const NOTEBOOK: &str = r#"
import pandas
from pyspark.sql import SparkSession
from pyspark.sql.functions import pandas_udf

spark = SparkSession.builder.getOrCreate()

@pandas_udf("long")
def twice(numbers: pandas.Series) -> pandas.Series:
    return numbers * 2

doubled = spark.range(5).select(twice("id").alias("twice")).toPandas()
print(spark.sparkContext.master[:8], sorted(doubled["twice"]))
"#;

/// With `publish: loopback` a neighbour reaches SSH and what the swarm's nodes tell one another, and nothing else.
#[test]
fn a_neighbour_reaches_nothing_but_ssh_and_the_swarm() {
    let cluster = Cluster::settled();
    for (host, neighbour, allowed) in
        [("node1", "node2", "22 2377 7946"), ("node2", "node3", "22 7946"), ("node3", "node1", "22 7946")]
    {
        let scan = SCAN.replace("HOST", &cluster.lab.address(host));
        assert_eq!(cluster.on(neighbour, &scan), allowed, "TCP ports of {host} that answer {neighbour}");
        let open = cluster.on(host, LISTENING);
        assert_eq!(open, format!("{allowed} udp:4789 udp:7946"), "what listens on {host} beyond loopback");
    }
}

/// All ports that Spark, JupyterLab or Docker might use, by v4.
const SCAN: &str = "for port in 22 80 443 2375 2376 2377 $(seq 4040 4050) 6066 7077 7946 $(seq 8080 8090) $(seq 8888 8892) 18080; do \
    timeout 2 bash -c \"</dev/tcp/HOST/$port\" 2>/dev/null && echo $port; done | xargs";

/// The kernel's own list: TCP ports, then those of UDP.
const LISTENING: &str = "ss -Hltn | awk '{ print $4 }' | grep -v '^127\\.' | sed 's/.*://' | sort -nu | xargs echo -n; \
    ss -Hlun | awk '{ print $4 }' | grep -v '^127\\.' | sed 's/.*:/ udp:/' | sort -u | xargs printf ' %s'";

#[test]
fn forward_brings_the_pages_here() {
    let cluster = Cluster::settled();
    // Those of master, two workers, history and driver, which has two.
    let forward = Forward::begin(&cluster, &[], 6);
    for (name, path, shows) in
        [("Spark master", "/json/", "spark://"), ("JupyterLab", "/login", "Jupyter"), ("Spark history", "/", "History")]
    {
        let page = forward.get(name, path);
        assert!(page.starts_with("HTTP/1.1 200") && page.contains(shows), "{name}{path} shows:\n{page}");
    }
}

/// `skep forward` at work.
pub(super) struct Forward {
    child: Child,
    /// Address and port here, by the page's name.
    pages: HashMap<String, String>,
}

impl Forward {
    /// Starts it for the pages of these, or of all, and waits until it has told where so many are.
    pub(super) fn begin(cluster: &Cluster, names: &[&str], pages: usize) -> Forward {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skep"));
        command.arg("forward").args(names).args(["--output", "json", "-i"]).arg(cluster.lab.inventory());
        command.stdout(Stdio::piped());
        let mut child = command.spawn().expect("skep runs");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let told = lines.take(pages).map(|line| serde_json::from_str::<Value>(&line.expect("a line")).expect("JSON"));
        let word = |page: &Value, key: &str| page[key].as_str().unwrap_or_default().to_owned();
        let bare = |url: String| url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let pages = told.map(|page| (word(&page, "name"), bare(word(&page, "url")))).collect();
        Forward { child, pages }
    }

    pub(super) fn get(&self, name: &str, path: &str) -> String {
        let address = self.pages.get(name).unwrap_or_else(|| panic!("no {name} among {:?}", self.pages));
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a limit");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
            .expect("it takes a request");
        let mut page = Vec::new();
        stream.read_to_end(&mut page).expect("it answers");
        String::from_utf8_lossy(&page).into_owned()
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
