//! Random playbooks, and hosts in a random state: the same ones for the same seed.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Where the steps do what they do.
pub(super) const FOLDER: &str = "/srv/truth";

/// What a playbook has one step for at most, as `skep check` wants it: the sort of thing and its name.
const THINGS: [(&str, &str); 11] = [
    ("package", "tree"),
    ("package", "jq"),
    ("package", "libjq1"),
    ("user", "bee"),
    ("user", "wasp"),
    ("unit file", "drone"),
    ("unit file", "queen"),
    ("unit", "drone"),
    ("unit", "queen"),
    ("hostname", ""),
    ("file of", "bee"),
];

/// Two keys that are well formed, and nobody's.
const KEYS: [&str; 2] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB one",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC two",
];

/// Leaves packages, users, units and the name as they were delivered, but for what would only be done anew.
const CLEAN: &str = "
hostname $1; echo $1 >/etc/hostname; sed -i '/127.0.1.1/d' /etc/hosts
for user in bee wasp; do ! id $user || userdel --remove $user; done
! getent group hive || groupdel hive
for unit in drone queen; do systemctl unmask $unit; systemctl disable --now $unit; done
rm -f /etc/systemd/system/drone.service /usr/local/lib/systemd/system/queen.service
";

/// What somebody may have left, or done in between.
const DIRT: [&str; 10] = [
    "useradd --create-home bee",
    "useradd --no-create-home --shell /bin/sh wasp",
    "groupadd hive; useradd --create-home --groups hive bee; install -m 0664 /dev/null /home/bee/.ssh/authorized_keys",
    "hostname other",
    "apt-get install -y tree",
    "apt-get install -y jq; apt-mark hold jq",
    "apt-get remove -y --allow-change-held-packages tree libjq1",
    "systemctl enable --now drone",
    "systemctl start queen",
    "systemctl mask queen",
];

/// A playbook and the files of steps that it includes.
pub(super) struct Book(pub(super) Vec<(String, String)>);

pub(super) struct Dice {
    rng: StdRng,
    things: Vec<(&'static str, &'static str)>,
    parts: Vec<String>,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice { rng: StdRng::seed_from_u64(seed), things: THINGS.into(), parts: Vec::new() }
    }

    fn below(&mut self, end: usize) -> usize {
        self.rng.random_range(0..end)
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    /// A file that a step before may have made, or one after will.
    fn file(&mut self, steps: usize) -> String {
        format!("{FOLDER}/f{}", self.below(steps))
    }

    /// The first step is one that others ask for.
    pub(super) fn book(&mut self) -> Book {
        let steps = 4 + self.below(6);
        let serial = self.one_of(&["", "", "  serial: 1\n"]);
        let first =
            format!("  - id: seen\n    shell: cat {FOLDER}/f0 || true\n    changes: false\n    register: seen\n");
        let more: String = (0..steps).map(|at| self.step(at, steps)).collect();
        let book = format!("plays:\n- hosts: all\n{serial}  steps:\n{first}{more}");
        let parts = std::mem::take(&mut self.parts).into_iter().enumerate();
        let parts = parts.map(|(at, part)| (format!("part{at}.yml"), part));
        Book([("truth.yml".into(), book)].into_iter().chain(parts).collect())
    }

    fn step(&mut self, at: usize, steps: usize) -> String {
        let own = format!("{FOLDER}/f{at}");
        let (action, place) = match self.below(12) {
            0 => return self.include(at, &own, steps),
            1..5 => (self.thing(&own, steps), true),
            5 | 6 => (self.asking(&own, steps), true),
            _ => (self.action(&own, steps), true),
        };
        let manner = self.manner(&action, place);
        format!("  - id: s{at}\n    {action}{manner}")
    }

    /// Where, when and how, beside what the action says of that itself.
    fn manner(&mut self, action: &str, place: bool) -> String {
        let hosts = self.one_of(&["", "", "", "    hosts: node1\n", "    hosts: node2\n", "    on: node1\n"]);
        let when = self.one_of(&[
            "",
            "",
            "",
            "    when: seen.stdout != '1'\n",
            "    when: not seen.failed and not seen.skipped\n",
            "    when: seen.changed\n",
            "    when: \"inventory_hostname == 'node2'\"\n",
        ]);
        // What cannot be done ends what its host has to say: most of it is forgiven.
        let forgiven = self.one_of(&["", "    ignore_errors: true\n", "    ignore_errors: true\n"]);
        let given = |key: &str| action.contains(key);
        let place = place && !given("on:");
        let texts = [(hosts, place), (when, !given("when:")), (forgiven, !given("ignore_errors:"))];
        texts.into_iter().filter(|(_, free)| *free).map(|(text, _)| text).collect()
    }

    /// Each file belongs to one step, as `skep check` wants it; what comes between them are lines of shell.
    fn action(&mut self, own: &str, steps: usize) -> String {
        let (one, other, number) = (self.file(steps), self.file(steps), self.below(3));
        match self.below(12) {
            0 | 1 => format!("file: {{ path: \"{own}\", content: \"{number}\\n\" }}\n"),
            2 => format!("file: {{ path: \"{own}\", state: absent }}\n"),
            3 => format!("file: {{ path: \"{own}.d/deeper\", content: \"{number}\", mode: \"0640\" }}\n"),
            4 => format!("file: {{ path: \"{own}\", content: \"{{{{ seen.stdout }}}}\" }}\n"),
            5 => format!("file: {{ path: \"{own}{{{{ item }}}}\", content: \"{number}\" }}\n    loop: [a, b]\n"),
            6 => format!("shell: echo {number} >{one}\n    creates: {other}\n"),
            7 => format!("shell: rm -f {one}\n    unless: test ! -e {one}\n"),
            8 => format!("shell: cat {one} 2>/dev/null || true\n    changes: false\n    register: seen\n"),
            9 => format!("shell: cp {one} {other}\n"),
            10 => format!("shell: cat {one}; echo {number} >{other}\n    register: seen\n    ignore_errors: true\n"),
            _ => format!("wait_for: {{ command: test -e {one} }}\n    timeout: 1s\n    ignore_errors: true\n"),
        }
    }

    /// A step that depends on what commands say: of this host or another, as a value, a condition or a list.
    fn asking(&mut self, own: &str, steps: usize) -> String {
        let (one, other, number) = (self.file(steps), self.file(steps), self.below(3));
        let written = format!("file: {{ path: \"{own}\", content: \"{{{{ found.stdout }}}}\" }}\n");
        match self.below(6) {
            0 => format!("lookup: {{ found: cat {one} || true }}\n    {written}"),
            1 => format!("lookup: {{ found: {{ line: cat {one}, may_fail: true, on: node1 }} }}\n    {written}"),
            2 => format!(
                "lookup: {{ found: {{ line: test -e {one}, may_fail: true }} }}\n    \
                 when: found.failed\n    shell: echo {number} >{other}\n    creates: {other}\n"
            ),
            3 => format!(
                "lookup: {{ found: ls {FOLDER} }}\n    loop: \"{{{{ found.stdout.split() }}}}\"\n    \
                 file: {{ path: \"{own}.d/{{{{ item }}}}\", content: \"{number}\" }}\n"
            ),
            4 => format!(
                "loop: [{one}, {other}]\n    lookup: {{ found: \"cat {{{{ item }}}} || true\" }}\n    \
                 when: found.stdout != '{number}'\n    shell: \"rm -rf {{{{ item }}}}\"\n    unless: \"test ! -e {{{{ item }}}}\"\n"
            ),
            _ => format!(
                "shell: grep -q {number} {one}\n    changes: false\n    register: seen\n    ignore_errors: true\n"
            ),
        }
    }

    /// A file of steps, taken once or twice, with other variables each time.
    fn include(&mut self, at: usize, own: &str, steps: usize) -> String {
        let part: String = (0..1 + self.below(3)).map(|at| self.step_of_part(at, steps)).collect();
        let name = format!("part{}.yml", self.parts.len());
        self.parts.push(part);
        let times = 1 + self.below(2);
        (0..times).map(|time| self.included(&name, &format!("s{at}{time}"), &format!("{own}{time}"))).collect()
    }

    fn step_of_part(&mut self, at: usize, steps: usize) -> String {
        let own = format!("{{{{ where }}}}{at}");
        let action = if self.below(3) == 0 { self.asking(&own, steps) } else { self.action(&own, steps) };
        let action = if self.below(3) == 0 {
            format!("shell: echo {{{{ what }}}} >{own}\n    creates: \"{own}\"\n")
        } else {
            action
        };
        let manner = self.manner(&action, true);
        format!("- id: p{at}\n  {}", format!("{action}{manner}").replace("\n    ", "\n  "))
    }

    fn included(&mut self, name: &str, id: &str, own: &str) -> String {
        let what = self.one_of(&["one", "\"{{ seen.stdout | default('none', true) }}\"", "\"{{ facts.hostname }}\""]);
        let when = self.one_of(&["", "", "    when: seen.stdout != '0'\n"]);
        let lookup = self.one_of(&["", "    lookup: { what: hostname }\n"]);
        let vars = if lookup.is_empty() { format!(", what: {what}") } else { String::new() };
        format!("  - include: {name}\n    id: {id}\n    vars: {{ where: {own}{vars} }}\n{lookup}{when}")
    }

    /// A step for what not every step has to do with, as long as there is any left.
    fn thing(&mut self, own: &str, steps: usize) -> String {
        if self.things.is_empty() {
            return self.action(own, steps);
        }
        let chosen = self.below(self.things.len());
        let (sort, name) = self.things.remove(chosen);
        match sort {
            "package" => self.package(name),
            "user" => self.user(name),
            "unit file" => self.unit_file(name),
            "unit" => self.unit(name, steps),
            "hostname" => self.hostname(),
            _ => format!("file: {{ path: {own}, content: \"{{{{ facts.hostname }}}}\", owner: {name} }}\n"),
        }
    }

    fn package(&mut self, name: &str) -> String {
        let how = self.one_of(&["", "", ", state: latest", ", state: absent", ", state: absent", ", hold: true"]);
        format!("package: {{ name: {name}{how} }}\n")
    }

    fn user(&mut self, name: &str) -> String {
        let both = format!("[\"{}\", \"{}\"]", KEYS[0], KEYS[1]);
        let second = format!("authorized_keys: [\"{}\"], exclusive: true", KEYS[1]);
        match self.below(7) {
            0 | 1 => format!("user: {{ name: {name}, state: absent }}\n"),
            2 => format!("user: {{ name: {name}, authorized_keys: {both} }}\n"),
            3 => format!("user: {{ name: {name}, {second} }}\n"),
            4 => format!("user: {{ name: {name}, groups: [hive], comment: \"{{{{ seen.stdout }}}}\" }}\n"),
            5 => format!("user: {{ name: {name}, groups: [], append: false, shell: /bin/bash, {second} }}\n"),
            _ => format!("user: {{ name: {name}, system: true }}\n"),
        }
    }

    fn unit_file(&mut self, name: &str) -> String {
        let path = unit_path(name);
        let line = self.one_of(&["/bin/sleep 1000", "/bin/sleep 2000", "/bin/sleep 2000", "/bin/false"]);
        let text = format!("[Service]\\nExecStart={line}\\n[Install]\\nWantedBy=multi-user.target\\n");
        match self.below(5) {
            0 => format!("file: {{ path: {path}, state: absent }}\n"),
            _ => format!("file: {{ path: {path}, content: \"{text}\" }}\n"),
        }
    }

    fn unit(&mut self, name: &str, steps: usize) -> String {
        let file = self.file(steps);
        let how = match self.below(8) {
            0 => "state: stopped".into(),
            1 => "state: stopped, enabled: false".into(),
            2 | 3 => "state: started, enabled: true".into(),
            4 => format!("state: started, newer_than: [{file}, {}]", unit_path(name)),
            5 => format!("newer_than: [{}]", unit_path(name)),
            6 => "masked: true".into(),
            _ => "masked: false, state: started".into(),
        };
        format!("systemd: {{ unit: {name}, {how} }}\n")
    }

    fn hostname(&mut self) -> String {
        let name = self.one_of(&["other", "web.example.org", "\"{{ inventory_hostname }}\"", "other, hosts: false"]);
        format!("hostname: {{ name: {name} }}\n")
    }

    /// A script that makes of its host, `$1`, what steps might find: some of the files, and some of the rest.
    pub(super) fn dirt(&mut self) -> String {
        let files: String = (0..5)
            .map(|at| match self.below(4) {
                0 => format!("echo 0 >{FOLDER}/f{at}\n"),
                1 => format!("echo 1 >{FOLDER}/f{at}\n"),
                _ => String::new(),
            })
            .collect();
        let units: String = ["drone", "queen"].into_iter().map(|unit| self.unit_there(unit)).collect();
        let more: String = (0..3).map(|_| format!("{}\n", self.one_of(&DIRT))).collect();
        format!(
            "exec >/dev/null 2>&1\nset -x; rm -rf {FOLDER}; mkdir -p {FOLDER}\n{files}{CLEAN}{units}systemctl daemon-reload\n{more}:"
        )
    }

    fn unit_there(&mut self, name: &str) -> String {
        let path = unit_path(name);
        let text = "[Service]\\nExecStart=/bin/sleep 1000\\n[Install]\\nWantedBy=multi-user.target\\n";
        match self.below(4) {
            0 => String::new(),
            _ => format!("mkdir -p \"$(dirname {path})\"; printf '{text}' >{path}\n"),
        }
    }
}

/// A unit whose file is in /etc cannot be masked.
fn unit_path(name: &str) -> String {
    let folder = if name == "drone" { "/etc" } else { "/usr/local/lib" };
    format!("{folder}/systemd/system/{name}.service")
}
