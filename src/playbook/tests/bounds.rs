//! A few lines must not ask for more than any machine has.

use super::*;

/// `v0` holds `v1` twice, and so on; the last holds `end`.
fn doubled(form: &str, end: &str) -> String {
    let level = |at: usize| format!("  v{at}: {}\n", form.replace("V", &format!("v{}", at + 1)));
    format!("vars:\n{}  v35: {end}\n", (0..35).map(level).collect::<String>())
}

fn told(vars: &str, step: &str) -> String {
    jobs(&format!("{vars}{}", with_steps(step)), Known::default(), "node1").join("\n")
}

#[test]
fn variables_made_of_one_another_twice_over_end_at_once() {
    let text = doubled("\"{{ V }}{{ V }}\"", "x");
    assert!(told(&text, "- line: '{{ v0 }}'").contains("more than 16 MiB"));
    assert!(told(&doubled("\"{{ V }}{{ V }}\"", "\"\""), "- line: 'x{{ v0 }}'").starts_with("x "));
    let list = doubled("[\"{{ V }}\", \"{{ V }}\"]", "x");
    assert!(told(&list, "- thing: { name: x, tags: '{{ v0 }}' }").contains("more than 16 MiB"));
    assert!(told(&list, "- line: 'x{{ v0 }}'").contains("longer than any step needs"));
}

#[test]
fn one_template_asks_for_so_many_variables() {
    let ask = "{% for i in range(99999) %}{{ hostvars.node2.a }}{% endfor %}";
    let told = told("vars: { a: x }\n", &format!("- line: \"{ask}\""));
    assert!(told.contains("one too many") && told.contains("10000 variables"), "{told}");
}
