//! Secrets: whatever they come into, nothing that is shown or kept has them.

use super::interrupt::OnTerminal;
use super::*;

const SECRETS: [&str; 5] =
    ["hunter22-command", "hunter22-file", "hunter22-prompt", "hunter22-decrypted", "hunter22 \"host\""];

/// Commands that print secrets in one way after another.
const TELLING: &str = r#"
name: Telling
vars:
  a: { secret: true, command: "echo hunter22-command" }
  b: { secret: true, file: kept }
  c: { secret: true, prompt: Who goes there }
  all: "{{ a }} {{ b }} {{ c }} {{ d }} {{ e }}"
vars_files: [{ command: cat sealed.yml }]
plays:
- hosts: all
  steps:
  - id: plain
    shell: echo {{ all | quote }}; echo {{ all | quote }} >&2
  - id: halves
    shell: printf hunter; sleep 0.3; echo 22-command; printf hunter22-; sleep 0.3; printf file
  - id: long
    shell: head -c 70000 /dev/zero | tr '\0' x; printf ' %s %s' {{ a }} {{ c }}
  - id: base64
    shell: printf %s {{ d }} | base64; echo {{ b }} | base64
  - id: json
    shell: "printf '%s' {{ { 'x': e, 'y': a } | to_json | quote }}"
    changes: false
    register: json
  - id: registered
    shell: echo {{ json.json.x | quote }} {{ json.stdout | quote }}
  - id: file
    file: { path: "{{ root }}/secret", content: "{{ all }}\n", mode: "0600" }
  - id: fails
    shell: echo {{ c }} >&2; exit 3
    ignore_errors: true
  - id: unread
    shell: echo {{ a }} >&2; exit 4
    changes: false
    ignore_errors: true
  - id: unless
    shell: "true"
    unless: echo {{ d }}; false
  - id: condition
    when: "a == 'x' or d == 'y'"
    shell: "true"
  - id: last
    shell: test {{ d }} = {{ a }}
"#;

fn ground() -> Ground {
    let ground = Ground::new(&["alpha"]);
    ground.write("playbook.yml", TELLING);
    ground.write("kept", "hunter22-file\n");
    ground.write("sealed.yml", "d: hunter22-decrypted\n");
    let inventory = fs::read_to_string(ground.path("inventory/hosts.yml")).unwrap();
    let secret = "e: { secret: true, command: \"printf 'hunter22 \\\"host\\\"'\" }";
    ground.write("inventory/hosts.yml", &inventory.replace("root: ", &format!("{secret}, root: ")));
    ground
}

/// No secret is in it, in no form; and it is about them at all.
fn silent(what: &str, text: &str, masks: usize) {
    let text = console::strip_ansi_codes(text).replace("\r\n", "\n");
    for secret in SECRETS {
        let base64 = |text: &str| data_encoding::BASE64.encode(text.as_bytes());
        for form in [secret.to_owned(), secret.replace('"', "\\\""), base64(secret), base64(&format!("{secret}\n"))] {
            let found = text.find(&form).map(|at| text[at.saturating_sub(200)..].chars().take(300).collect::<String>());
            assert!(found.is_none(), "{what} has {form}: {}", found.unwrap());
        }
    }
    assert!(text.matches("••••••").count() >= masks, "{what} has {} masks: {text}", text.matches("••••••").count());
}

#[test]
fn no_secret_is_in_anything_that_is_shown_or_kept() {
    let ground = ground();
    for arguments in [
        "plan playbook.yml",
        "run playbook.yml -v",
        "run playbook.yml --output json",
        "plan playbook.yml --output json",
    ] {
        let mut terminal = OnTerminal::start(&ground, arguments);
        terminal.types_at("Who goes there: ", "hunter22-prompt\n");
        let code = terminal.code();
        let told = terminal.told();
        assert_eq!(code, Some(if arguments.starts_with("plan") { 10 } else { 1 }), "{told}");
        silent(arguments, &told, 10);
    }
    let kept: Vec<_> = fs::read_dir(ground.path(".skep/runs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(kept.len() >= 4, "{kept:?}");
    let all: String = kept.iter().map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()).collect();
    silent("what is kept", &all, 30);
    let written = fs::read_to_string(ground.path("alpha/secret")).unwrap();
    assert_eq!(written, SECRETS.join(" ") + "\n", "what is written is the secret itself");
}

/// The environment of a process is its owner's, its arguments are everybody's.
#[test]
fn what_is_read_with_a_secret_is_in_no_list_of_processes() {
    let ground = ground();
    let step = "  - id: reads\n    shell: sleep 1.5; test {{ a }} = x\n    unless: sleep 1.5; test {{ a }} = y\n    ignore_errors: true\n";
    let lookup = "    lookup: { l: { line: \"sleep 1.5; echo {{ b }}\" } }\n    when: l.stdout != ''\n";
    let head = TELLING.split("  steps:").next().unwrap();
    ground.write("playbook.yml", &format!("{head}  steps:\n{step}{lookup}"));
    let mut terminal = OnTerminal::start(&ground, "run playbook.yml");
    let (mut lists, mut reading) = (String::new(), 0);
    while !terminal.told().contains("Done") && reading < 400 {
        let list = crate::support::sshd::must("ps", &["-eo", "args="]);
        reading += 1;
        lists += &list.lines().filter(|line| line.contains("hunter22")).collect::<Vec<_>>().join("\n");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(terminal.code(), Some(0), "{}", terminal.told());
    assert_eq!(lists, "", "in the list of processes");
    assert!(reading > 50, "it was looked at while it ran: {reading}");
}

#[test]
fn a_secret_that_cannot_be_had_is_2_and_nobody_is_contacted() {
    let ground = ground();
    fs::remove_file(ground.path("kept")).unwrap();
    let (code, told) = ground.told(&[]);
    assert!(code == 2 && told.contains("kept: No such file") && told.contains("nobody answered"), "{code}: {told}");
    let (code, told) = ground.told(&["--step", "halves"]);
    assert_eq!(code, 0, "it needs none of them: {told}");
    let before = ground.servers[0].connections();
    let check = ground.skep(&["check", "playbook.yml"]);
    assert!(check.status.success(), "nothing but what names variables is had for a check: {check:?}");
    assert_eq!(ground.servers[0].connections(), before);
}
