//! Which steps need what other steps register: a step that is picked alone must find it, too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::texts::{Text, of_node};
use super::{Play, Playbook, Step, Var, Vars};
use crate::expr;
use crate::inventory::Host;
use crate::yaml::{At, Error, Errors, Node, Source};

/// A step that needs what others register.
#[derive(Clone, Debug)]
pub struct Need<'a> {
    step: &'a Step,
    /// The variable, and where the step asks for it.
    name: String,
    at: At,
    /// The steps before it that register it, in their order; never empty.
    by: Vec<&'a Step>,
}

/// What every step needs of others, in the order of the playbook: through its variables and its template, too. A text that
/// asks whether something is defined can do without, and what is set elsewhere is no need.
pub fn needs<'a>(playbook: &'a Playbook, hosts: &[Arc<Host>], extra: &Vars) -> Vec<Need<'a>> {
    if playbook.steps().all(|step| step.register.is_none()) {
        return Vec::new();
    }
    let (weak, mut before, mut needs) = (weak(playbook, hosts), Vec::<&Step>::new(), Vec::new());
    for (play, step) in playbook.plays.iter().flat_map(|play| play.steps.iter().map(move |step| (play, step))) {
        let layers = Layers { playbook, play, step, weak: &weak, extra };
        for (name, at) in layers.names() {
            let by: Vec<_> = before.iter().filter(|other| other.register.as_ref() == Some(&name)).copied().collect();
            if !by.is_empty() {
                needs.push(Need { step, name, at, by });
            }
        }
        before.push(step);
    }
    needs
}

/// What is wrong with taking these steps only: some need what others register that are not taken.
///
/// # Errors
/// Each such step, at the place where it asks, with the names of both.
pub fn met(needs: &[Need<'_>], taken: &[&str]) -> Result<(), Errors> {
    let mut told = BTreeSet::new();
    let unmet = needs.iter().filter(|need| need.is_unmet(taken));
    let once = unmet.filter(|need| told.insert((&need.step.id, &need.name)));
    Errors(once.map(|need| need.refused(taken)).collect()).or(())
}

/// Where to begin, so that a step and those of `taken` after it have what they need: for each step that cannot begin itself.
pub fn beginnings(needs: &[Need<'_>], taken: &[&str]) -> BTreeMap<String, String> {
    let places: HashMap<&str, usize> = taken.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let place = |step: &Step| places.get(step.id.as_str()).copied();
    let span = |need: &Need<'_>| Some((need.by.iter().filter_map(|step| place(step)).max()?, place(need.step)?));
    let spans: Vec<(usize, usize)> = needs.iter().filter_map(span).collect();
    let torn = |from: usize| spans.iter().filter(move |(by, at)| *by < from && from <= *at).map(|(by, _)| *by).min();
    let begin = |at: usize| std::iter::successors(Some(at), |from| torn(*from)).last().unwrap_or(at);
    let begins = taken.iter().enumerate().map(|(at, id)| ((*id).to_owned(), taken[begin(at)].to_owned()));
    begins.filter(|(id, from)| id != from).collect()
}

impl Need<'_> {
    fn is_unmet(&self, taken: &[&str]) -> bool {
        let takes = |step: &Step| taken.contains(&step.id.as_str());
        takes(self.step) && !self.by.iter().any(|step| takes(step))
    }

    fn refused(&self, taken: &[&str]) -> Error {
        let Self { step, name, at, by } = self;
        let Some(other) = by.last() else { return Error::at(at, format!("nobody registers `{name}`")) };
        let message = format!("`{}` needs `{name}`, which `{}` registers, and that is not taken", step.id, other.id);
        let place = expr::place_of_name(at, name);
        let error = Error::at(&place, message).also(&other.named_at, format!("`{name}` is registered here"));
        let first = taken.first() == Some(&step.id.as_str());
        let from = if first { format!(", or all from there on: `--from {}`", other.id) } else { String::new() };
        error.with_hint(format!("take both: `--step {},{}`{from}", other.id, step.id))
    }
}

/// What every variable of the playbook and of the hosts needs itself.
fn weak<'a>(playbook: &'a Playbook, hosts: &'a [Arc<Host>]) -> HashMap<&'a str, Vec<(String, At)>> {
    let mut nodes: HashMap<&str, Vec<&Node>> = HashMap::new();
    for (name, node) in hosts.iter().flat_map(|host| &host.vars) {
        let known = nodes.entry(name).or_default();
        // What a group says is each of its hosts' own: once is enough.
        let same = |other: &&Node| Arc::ptr_eq(&other.at.source, &node.at.source) && other.at.start == node.at.start;
        if !known.iter().any(same) {
            known.push(node);
        }
    }
    let of_nodes = |(name, nodes): (&'a str, Vec<&Node>)| {
        (name, nodes.into_iter().flat_map(of_node).flat_map(Text::needs).collect())
    };
    let mut weak: HashMap<&str, Vec<(String, At)>> = nodes.into_iter().map(of_nodes).collect();
    for (name, var) in playbook.vars.iter() {
        weak.entry(name).or_default().extend(var.texts().flat_map(Text::needs));
    }
    weak
}

/// Where a step's variables may be set.
struct Layers<'a> {
    playbook: &'a Playbook,
    play: &'a Play,
    step: &'a Step,
    weak: &'a HashMap<&'a str, Vec<(String, At)>>,
    extra: &'a Vars,
}

impl Layers<'_> {
    /// The names that the step needs and nobody but a step can give it, each with its place.
    fn names(&self) -> Vec<(String, At)> {
        let mut asked: Vec<_> = self.step.all_texts().flat_map(Text::needs).collect();
        asked.extend(template_needs(self.playbook, self.step));
        asked.reverse();
        let mut known = BTreeSet::new();
        let mut open = Vec::new();
        while let Some((name, at)) = asked.pop() {
            if !known.insert(name.clone()) {
                continue;
            }
            match self.set(&name) {
                None => open.push((name, at)),
                Some(needs) => asked.extend(needs),
            }
        }
        open.extend(others_needs(self.step));
        open
    }

    /// What a variable needs itself, whatever it is set to on any host; none where nothing sets it.
    fn set(&self, name: &str) -> Option<Vec<(String, At)>> {
        let strong = [self.extra, &self.step.vars, &self.play.vars].into_iter().find_map(|vars| find(vars, name));
        strong.map(|var| var.texts().flat_map(Text::needs).collect()).or_else(|| self.weak.get(name).cloned())
    }
}

fn find<'a>(vars: &'a Vars, name: &str) -> Option<&'a Var> {
    vars.iter().find(|(var, _)| var == name).map(|(_, value)| value)
}

/// What the file asks for that a step renders, where its name is known already and it can be read.
fn template_needs(playbook: &Playbook, step: &Step) -> Vec<(String, At)> {
    let renders = ["file", "secret", "config", "stack"].contains(&step.action.name);
    let file = step.params.get("template").and_then(Node::as_str).filter(|_| renders);
    let path = file.map(|file| playbook.folder.join(file));
    let Some((path, text)) = path.and_then(|path| Some((path.clone(), std::fs::read_to_string(path).ok()?))) else {
        return Vec::new();
    };
    let (end, names) = (text.len(), expr::needs(&text));
    let at = At { source: Arc::new(Source { path, text }), start: 0, end };
    names.into_iter().map(|name| (name, at.clone())).collect()
}

/// What is asked of other hosts: `hostvars.node1.out`, `hostvars['node1'].out`, `host('node1').out`.
fn others_needs(step: &Step) -> Vec<(String, At)> {
    let sure = |text: &str| !(text.contains("default") || text.contains("defined"));
    let asking = step.all_texts().filter(|Text { text, .. }| sure(text));
    asking.flat_map(|Text { text, at, .. }| of_others(text).map(move |name| (name.to_owned(), at.clone()))).collect()
}

fn of_others(text: &str) -> impl Iterator<Item = &str> {
    let starts = ["hostvars", "host("].into_iter().flat_map(move |word| {
        text.match_indices(word).filter_map(move |(at, _)| text.get(at + word.trim_end_matches('(').len()..))
    });
    starts.filter_map(|rest| name_of(after_host(rest)?))
}

/// What comes after `.node1`, `['node1']`, `[groups.managers[0]]` or `('node1')`; in a filter, after `, 'out'` or what is
/// mapped next: then it is what is asked for itself.
fn after_host(text: &str) -> Option<&str> {
    match text.chars().next()? {
        '.' => text[1..].find(|c: char| !(c.is_alphanumeric() || c == '_')).map(|end| &text[1 + end..]),
        '[' | '(' => closing(text).map(|end| &text[end + 1..]),
        ',' => Some(text[1..].trim_start()),
        ')' => {
            let mapped = text[1..].trim_start().strip_prefix('|')?.trim_start().strip_prefix("map(")?;
            mapped.trim_start().strip_prefix("attribute").map(|rest| rest.trim_start_matches([' ', '=']))
        }
        _ => None,
    }
}

/// Where the bracket is closed that a text begins with: those in it, and those in quotes, are passed over.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    let is_end = |letter: char| {
        match (quote, letter) {
            (Some(open), letter) => quote = Some(open).filter(|open| *open != letter),
            (None, '\'' | '"') => quote = Some(letter),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth -= 1,
            _ => {}
        }
        depth == 0
    };
    text.find(is_end)
}

/// `.out`, `['out']` or `'out.stdout'`
fn name_of(text: &str) -> Option<&str> {
    let quoted = text.strip_prefix('[').unwrap_or(text);
    let name = text.strip_prefix('.').or_else(|| quoted.strip_prefix(['\'', '"']))?;
    let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(name.len());
    Some(&name[..end]).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const STEPS: &str = "vars: { size: '{{ big.stdout }}', kept: 1 }\nplays:\n- hosts: all\n  steps:\n\
        \x20 - { id: look, shell: nproc, changes: false, register: out }\n\
        \x20 - { id: other, shell: nproc, changes: false, register: big }\n\
        \x20 - { id: use, shell: 'echo {{ out.stdout }}' }\n\
        \x20 - { id: deep, shell: 'echo {{ size }}' }\n\
        \x20 - { id: perhaps, shell: \"echo {{ out.stdout | default('') }}\" }\n\
        \x20 - { id: again, shell: nproc, changes: false, register: out }\n\
        \x20 - { id: last, shell: 'echo', when: \"host('node1').out.code == 0\" }\n\
        \x20 - { id: set, shell: 'echo {{ kept }}', register: kept }\n\
        \x20 - { id: free, shell: 'echo {{ kept }}' }\n";

    fn told(taken: &[&str], extra: &[&str]) -> String {
        let playbook = Playbook::parse(Path::new("p.yml"), STEPS.into()).expect("a playbook");
        let one = || Var::Value(crate::yaml::parse("-e", "1".into()).expect("a value"));
        let value = |name: &&str| ((*name).to_owned(), one());
        let extra = Arc::new(extra.iter().map(value).collect());
        let needs = needs(&playbook, &[], &extra);
        met(&needs, taken).map_or_else(|errors| errors.to_string(), |()| "met".into())
    }

    #[test]
    fn a_step_that_lacks_what_another_registers_is_refused_with_both_names() {
        insta::assert_snapshot!(
            [told(&["use"], &[]), told(&["other", "use"], &[]), told(&["deep", "last"], &[])].join("\n\n")
        );
    }

    #[test]
    fn what_is_taken_given_set_or_not_needed_is_no_lack() {
        for taken in [
            &["look", "use"][..],
            &["other", "deep"],
            &["again", "last"],
            &["look", "last"],
            &["perhaps"],
            &["free"],
            &["look", "other", "use", "deep", "perhaps", "again", "last", "set", "free"],
        ] {
            assert_eq!(told(taken, &[]), "met", "{taken:?}");
        }
        assert_eq!(told(&["use"], &["out"]), "met");
        assert_eq!(told(&["deep"], &["size"]), "met");
    }

    #[test]
    fn the_way_on_begins_early_enough() {
        let playbook = Playbook::parse(Path::new("p.yml"), STEPS.into()).expect("a playbook");
        let extra = Vars::default();
        let needs = needs(&playbook, &[], &extra);
        let all: Vec<&str> = playbook.steps().map(|step| step.id.as_str()).collect();
        let from = |taken: &[&str]| {
            let begins = beginnings(&needs, taken).into_iter();
            begins.map(|(id, from)| format!("{id} from {from}")).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(from(&all), "deep from look, last from again, other from look, use from look");
        assert_eq!(from(&["other", "deep", "free"]), "deep from other");
        assert_eq!(from(&["look", "other", "use", "deep"]), "deep from look, other from look, use from look");
    }

    #[test]
    fn what_is_asked_of_others_is_found_however_it_is_written() {
        let found = |text: &'static str| of_others(text).collect::<Vec<_>>();
        assert_eq!(found("{{ hostvars.node1.out.code }}{{ hostvars['a.b'].big }}"), ["out", "big"]);
        assert_eq!(found("host('node1').out and host(item)['big']"), ["out", "big"]);
        assert_eq!(
            found(
                "{{ hostvars[item].out }}{{ hostvars[groups.managers[0]].big.code }}{{ host(groups['a)'][1])['far'] }}"
            ),
            ["out", "big", "far"]
        );
        assert_eq!(
            found(
                "groups.all | map('extract', hostvars, 'out') + groups.x | map('extract', hostvars, [\"big\", 'code'])"
            ),
            ["out", "big"]
        );
        assert_eq!(found("groups.all | map('extract', hostvars) | map(attribute='out.stdout') | join"), ["out"]);
        assert_eq!(found("host.name and hostvars and groups.all | map('extract', hostvars) | first"), [] as [&str; 0]);
        assert_eq!(found("hostvars[item"), [] as [&str; 0]);
    }
}
