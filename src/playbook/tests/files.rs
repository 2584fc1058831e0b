//! Playbooks of several files: includes, files of variables, secrets.

use super::*;
use crate::secret::{MASK, Secret, masked};
use crate::vault::Vault;

/// A playbook, and the files beside it.
struct Book(tempfile::TempDir);

impl Book {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        Self(folder)
    }

    fn load(&self) -> Result<Playbook, yaml::Errors> {
        let run = |line: &str, folder: &Path| crate::program::shell(line, folder);
        Playbook::with(&yaml::read(&self.0.path().join("site.yml"))?, TABLE, run)
    }

    /// What is wrong, with paths as they are relative to the playbook.
    fn told(&self) -> String {
        let hosts = hosts();
        let checked = self.load().and_then(|playbook| check(&playbook, &hosts, &Vars::default()));
        let told = checked.map_or_else(|errors| errors.to_string(), |()| "fine".into());
        told.replace(&format!("{}/", self.0.path().display()), "")
    }

    /// Each step's id, and what it comes to on `node1`.
    fn jobs(&self, vault: Vault) -> Vec<String> {
        let playbook = self.load().unwrap_or_else(|errors| panic!("{errors}"));
        let world = Ground::keeping(&playbook, hosts(), Vars::default(), vault.into());
        let (host, known) = (world.host("node1").expect("a host").clone(), Arc::new(Known::default()));
        let resolved = |play: &Play, step: &Step| {
            let jobs = step.resolve(&Scope::new(&world, &known, &host, play)).expect("resolved");
            format!("{}: {}", step.id, jobs.iter().map(|job| job.action.describe()).collect::<Vec<_>>().join(", "))
        };
        let steps = playbook.plays.iter().flat_map(|play| play.steps.iter().map(move |step| (play, step)));
        steps.map(|(play, step)| resolved(play, step)).collect()
    }
}

const SITE: &str = "plays:\n  - hosts: all\n    vars: { size: 1, name: play }\n    steps:\n";

#[test]
fn an_include_stands_for_the_steps_of_its_file() {
    let site = format!(
        "{SITE}      - include: steps/web.yml\n        id: one\n        vars: {{ name: inner }}\n        tags: [web]\n        when: size == 1\n      \
         - include: steps/web.yml\n        id: two\n        when: size == 2\n"
    );
    let web = "- id: a\n  thing: { name: '{{ name }}', size: '{{ size }}' }\n- include: more.yml\n- thing: { name: own }\n  vars: { name: x }\n";
    let book = Book::new(&[
        ("site.yml", &site),
        ("steps/web.yml", web),
        ("steps/more.yml", "- id: b\n  thing: { name: '{{ name }}b' }\n"),
    ]);
    assert_eq!(
        book.jobs(Vault::default()),
        [
            "one.a: inner Some(1) []",
            "one.b: innerb None []",
            "one.thing: own None []",
            "two.a: ",
            "two.b: ",
            "two.thing: "
        ]
    );
    let playbook = book.load().expect("loads");
    assert!(playbook.steps().take(3).all(|step| step.tags == ["web"]));
}

#[test]
fn mistakes_of_included_files_are_told_in_their_own_lines() {
    let cases: [(&str, &[(&str, &str)]); 7] = [
        ("- include: gone.yml", &[]),
        (
            "- include: a.yml",
            &[("a.yml", "- include: b.yml\n"), ("b.yml", "- id: x\n  thing: { name: x }\n- include: a.yml\n")],
        ),
        ("- include: site.yml", &[]),
        ("- include: a.yml\n- include: a.yml", &[("a.yml", "- id: x\n  thing: { name: x }\n")]),
        ("- include: a.yml\n  vasr: {}", &[("a.yml", "steps: []\n")]),
        (
            "- include: a.yml\n- thing: { nam: x }",
            &[("a.yml", "- thing: { name: x }\n  whne: true\n- thing: { name: '{{ nope }}' }\n")],
        ),
        ("- include: [a]", &[]),
    ];
    let told = cases.map(|(steps, files)| {
        let site = format!("{SITE}{}", steps.lines().map(|line| format!("      {line}\n")).collect::<String>());
        let all: Vec<(&str, &str)> = [("site.yml", site.as_str())].into_iter().chain(files.iter().copied()).collect();
        format!("=== {steps}\n{}", Book::new(&all).told())
    });
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn files_of_variables_lie_over_the_variables_beside_them() {
    let site = "vars: { a: 1, b: 1, c: 1, d: 1 }\nvars_files: [one.yml, vars/two.yml, { command: cat three, secret: false }]\nplays:\n  - hosts: all\n    \
                vars: { d: 5 }\n    vars_files: [vars/four.yml]\n    steps: [{ line: '{{ a }}{{ b }}{{ c }}{{ d }}{{ e }}' }]\n";
    let files = [
        ("site.yml", site),
        ("one.yml", "b: 2\nc: 2\n"),
        ("vars/two.yml", "c: 3\nd: 3\n"),
        ("three", "d: 4\ne: '{{ a }}4'\n"),
        ("vars/four.yml", "{}"),
    ];
    assert_eq!(Book::new(&files).jobs(Vault::default())[0].split(' ').nth(1), Some("123514"));
}

#[test]
fn mistakes_in_files_of_variables_are_told_and_no_secret_with_them() {
    let cases: [(&str, &[(&str, &str)]); 7] = [
        ("gone.yml", &[]),
        ("a.yml", &[("a.yml", "- a\n")]),
        ("a.yml", &[("a.yml", "a b: 1\nhost: x\nc: '{{ }'\n")]),
        ("{ command: exit 3 }", &[]),
        ("{ command: 'echo \"a: [hunter22\"' }", &[]),
        ("{ command: 'echo - hunter22' }", &[]),
        ("{ comand: x }", &[]),
    ];
    let told = cases.map(|(file, files)| {
        let site = format!("vars_files:\n  - {file}\nplays: []\n");
        let all: Vec<(&str, &str)> = [("site.yml", site.as_str())].into_iter().chain(files.iter().copied()).collect();
        format!("=== {file}\n{}", Book::new(&all).told())
    });
    assert!(!told.iter().any(|told| {
        told.split_once('\n')
            .is_some_and(|(_, rest)| rest.lines().any(|line| line.contains("hunter22") && !line.contains("echo")))
    }));
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn what_a_program_decrypts_is_masked_by_its_value() {
    let site = "vars_files: [{ command: cat sealed }]\nplays:\n  - hosts: all\n    steps: [{ line: 'log in with {{ password }}' }]\n";
    let book = Book::new(&[("site.yml", site), ("sealed", "password: correct-horse\nport: 7077\n")]);
    let told = book.jobs(Vault::default()).join("\n");
    assert!(told.contains("log in with correct-horse"), "{told}");
    assert!(masked(&told).contains(&format!("log in with {MASK}")), "{}", masked(&told));
}

#[test]
fn a_secret_comes_from_where_it_is_kept() {
    let site = "vars:\n  a: { secret: true, command: echo from-command }\n  b: { secret: true, file: kept }\n  \
                c: { secret: true, prompt: Who goes there }\n  d: 'x{{ a }}'\n  unused: { secret: true, env: NOT_SET_ANYWHERE }\nplays:\n  \
                - hosts: all\n    steps:\n      - id: one\n        line: '{{ d }} {{ b }} {{ c }}'\n      - id: two\n        line: '{{ unused }}'\n";
    let book = Book::new(&[("site.yml", site), ("kept", "from-file\n")]);
    let playbook = book.load().expect("loads");
    let (vault, mut asked) = (Vault::default(), Vec::new());
    for sealed in playbook.sealed(&["one"], &hosts().hosts).expect("sound") {
        let mut ask = |question: &str| {
            asked.push(question.to_owned());
            Some(Secret::new("from-person"))
        };
        vault.keep(&sealed.at, sealed.open(&mut ask).expect("it is there"));
    }
    assert_eq!(asked, ["Who goes there"]);
    let world = Ground::keeping(&playbook, hosts(), Vars::default(), vault.into());
    let scope = Scope::new(&world, &Arc::default(), &world.host("node1").expect("a host").clone(), &playbook.plays[0]);
    let text = |step: usize| playbook.plays[0].steps[step].resolve(&scope).map(|jobs| jobs[0].action.describe());
    assert!(text(0).is_ok_and(|text| text.starts_with("xfrom-command from-file from-person ")));
    assert!(text(1).is_err_and(|why| why.to_string().contains("the secret `unused` was not opened")));
    assert_eq!(masked("xfrom-command from-file from-person"), format!("x{MASK} {MASK} {MASK}"));
}

#[test]
fn secrets_that_cannot_be_had_are_told() {
    let cases = [
        "{ secret: true }",
        "{ secret: true, value: hunter22 }",
        "{ secret: true, env: A, file: b }",
        "{ secret: true, evn: A }",
        "{ secret: true, env: [] }",
    ];
    let told = cases.map(|secret| {
        let site = format!("vars:\n  token: {secret}\nplays: []\n");
        format!("=== {secret}\n{}", Book::new(&[("site.yml", &site)]).told())
    });
    insta::assert_snapshot!(told.join("\n\n"));
    let opened = [
        "{ secret: true, env: NOT_SET_ANYWHERE }",
        "{ secret: true, command: exit 4 }",
        "{ secret: true, command: echo abc }",
        "{ secret: true, file: /no/such }",
        "{ secret: true, prompt: Who }",
    ]
    .map(|secret| {
        let node = yaml::parse("site.yml", format!("token: {secret}\n")).expect("YAML");
        let sealed = crate::vault::Sealed::read(node.get("token").expect("it")).expect("sound");
        sealed.open(&mut |_| None).expect_err("not there").message
    });
    assert_eq!(
        opened,
        [
            "this secret cannot be had: $NOT_SET_ANYWHERE is not set",
            "this secret cannot be had: `exit 4` ended with exit status: 4",
            "this secret cannot be had: it has fewer than 4 characters, which cannot be hidden",
            "this secret cannot be had: cannot read /no/such: No such file or directory (os error 2)",
            "this secret cannot be had: nobody answered",
        ]
    );
}
