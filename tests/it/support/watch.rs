//! Who could see a secret: a watch over the process lists of hosts.

use std::process::{Child, Stdio};

use super::lab::Lab;

/// Samples what `ps axww` and `/proc/*/environ` would show, on all hosts, twenty times a second, until it is ended.
pub struct Watch<'lab> {
    lab: &'lab Lab,
    samplers: Vec<(String, Child)>,
}

/// Join tokens are known by their form, the secrets of Spark and JupyterLab by the files that hold them. Spark itself hands
/// its secret to executors in their environment, as docs/spark.md says: that one variable is left out. The brackets keep
/// the pattern from finding itself. What a process shows is told once.
const SAMPLER: &str = r#"
use Time::HiRes qw(time sleep);
unlink "/run/skep-watch.stop";
my ($samples, %told) = (0);
sub text { open my $file, "<", shift or return ""; local $/; my $text = <$file> // ""; chomp $text; $text }
until (-e "/run/skep-watch.stop") {
    my $began = time;
    my @secrets = grep { length } map { text("/etc/skep/spark/$_") } "secret", "jupyter";
    my $secret = join "|", "SWMTK[N]-1-", map { quotemeta } @secrets;
    for my $file (glob "/proc/[0-9]*/cmdline /proc/[0-9]*/environ") {
        for my $line ($file =~ /cmdline/ ? text($file) =~ tr/\0/ /r : split /\0/, text($file)) {
            next if $line !~ /$secret/ or $line =~ /^_SPARK_AUTH_SECRET=/;
            print "$file:$line\n" unless $told{"$file:$line"}++;
        }
    }
    $samples++;
    my $rest = 0.05 - (time - $began);
    sleep $rest if $rest > 0;
}
unlink "/run/skep-watch.stop";
print "samples: $samples\n";
"#;

impl Watch<'_> {
    /// Begins to watch.
    pub fn begin(lab: &Lab) -> Watch<'_> {
        let sampler = |host: String| {
            let mut command = lab.command(&["exec", &host, "--", "perl", "-e", SAMPLER]);
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
