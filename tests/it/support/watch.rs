//! Who could see a secret: a watch over the process lists of hosts.

use std::process::{Child, Command, Stdio};

use super::lab::{Lab, checkout};

/// Samples what `ps axww` and `/proc/*/environ` would show, on all hosts, up to five times a second (more often would take
/// the machine's cores from what is watched), until it is ended.
pub struct Watch<'lab> {
    lab: &'lab Lab,
    samplers: Vec<(String, Child)>,
}

/// Join tokens are known by their form, the secrets of Spark and JupyterLab by the files that hold them. Spark itself hands
/// its secret to executors in their environment, as docs/spark.md says: that one variable is left out. The brackets keep
/// the pattern from finding itself.
const SAMPLER: &str = r#"
rm -f /run/skep-watch.stop
samples=0
until [ -e /run/skep-watch.stop ]; do
  for file in /etc/skep/spark/secret /etc/skep/spark/jupyter; do [ ! -s "$file" ] || echo "$(cat "$file")"; done >/run/skep-watch
  echo 'SWMTK[N]-1-' >>/run/skep-watch
  grep -a -H -f /run/skep-watch /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' '
  grep -a -z -H -f /run/skep-watch /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | grep -a -v ':_SPARK_AUTH_SECRET='
  samples=$((samples + 1))
  sleep 0.2
done
rm -f /run/skep-watch /run/skep-watch.stop
echo "samples: $samples"
"#;

impl Watch<'_> {
    /// Begins to watch.
    pub fn begin(lab: &Lab) -> Watch<'_> {
        let sampler = |host: String| {
            let mut command = Command::new(checkout().join("scripts/lab"));
            command.args(["exec", &host, "--", "sh", "-c", SAMPLER]).env("SKEP_LAB", lab.name());
            let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("scripts/lab runs");
            (host, child)
        };
        Watch { lab, samplers: lab.hosts().into_iter().map(sampler).collect() }
    }

    /// What was seen, each line with its host and process, and how many samples were taken in all.
    pub fn end(self) -> (Vec<String>, usize) {
        let (mut seen, mut samples) = (Vec::new(), 0);
        for (host, sampler) in self.samplers {
            self.lab.on(&host, "touch /run/skep-watch.stop");
            let output = sampler.wait_with_output().expect("the sampler ends");
            for line in String::from_utf8_lossy(&output.stdout).lines() {
                match line.strip_prefix("samples: ") {
                    Some(count) => samples += count.parse::<usize>().expect("a number"),
                    None => seen.push(format!("{host} {line}")),
                }
            }
        }
        (seen, samples)
    }
}
