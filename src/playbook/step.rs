//! One step out of its mapping.

use super::forms::{CONDITION, COUNT, DURATION, ENVIRONMENT, ID, ITEMS, LOOKUPS, NAME, TEMPLATE, TEXTS, VARS};
use super::keys::Keys;
use super::{Step, Vars, foreign, include, scope};
use crate::actions::Kind;
use crate::expr;
use crate::schema::{FLAG, Key, TEXT, names};
use crate::yaml::{Error, Node, Spanned, Value, nearest};

/// The keys of a step beside its action.
pub const STEP: &[Key] = &[
    Key::new("id", ID, "what `--step` calls it; its name as a slug by default"),
    Key::new("name", TEXT, "what is shown"),
    Key::new("hosts", TEMPLATE, "other hosts than the play's"),
    Key::new(
        "on",
        TEMPLATE,
        "run and read there (`leader`, a host's name, or a pattern of one host: `managers[0]`) for each of its hosts",
    ),
    Key::new(
        "when",
        CONDITION,
        "a condition: a bare expression that is true or false; a text or a number is a mistake",
    ),
    Key::new("loop", ITEMS, "a list, or a template that yields one: a job for each `item` whose condition holds"),
    Key::new("vars", VARS, "variables of this step"),
    Key::new("lookup", LOOKUPS, "variables of this step that commands define which only look"),
    Key::new(
        "timeout",
        DURATION,
        "`90`, `30s`, `10m`, `1h30m`: how long it may take on a host, waiting included: a command still running then is ended. \
         Without it: 30 min for each command, 10 min for waiting (`systemd`: 1 min), 10 s for what only looks (`changes: false`)",
    ),
    Key::new("tags", TEXTS, "`--tags` chooses by them; the play's are added"),
    Key::new("become", FLAG, "whether it works as root, through sudo; as in the play"),
    Key::new("become_user", TEMPLATE, "who it works as, through sudo; as in the play"),
    Key::new("environment", ENVIRONMENT, "of its commands; what only looks has it with `shell` and `docker`"),
    Key::new(
        "ignore_errors",
        FLAG,
        "a failure is shown, and that is all: the host goes on, `--fail-fast` does not see it, the exit code is as if there \
         were none",
    ),
];

/// Those that only actions with a line of their own know.
pub const LINE: &[Key] = &[
    Key::new(
        "changes",
        FLAG,
        "`false`: it only looks, so it is read with all else, and `plan` shows what it says, too",
    ),
    Key::new("creates", TEMPLATE, "settled where this path exists"),
    Key::new("unless", TEMPLATE, "settled where this line of shell ends well; it has 10 s"),
    Key::new("retries", COUNT, "how often what fails is tried again"),
];

/// Those that only actions know which have something to say.
pub const SAYING: &[Key] = &[Key::new("register", NAME, "the variable that keeps how it ended and what it said")];

/// Keys that only some actions know, and which these are.
pub type OfSome = (&'static [Key], fn(&Kind) -> bool);

/// All of these.
pub const OF_SOME: [OfSome; 2] = [(LINE, |kind| kind.line), (SAYING, |kind| kind.says)];

/// What a play says for all its steps, and an include for those of its file.
#[derive(Default)]
pub(super) struct Inherited {
    /// Put before ids.
    pub(super) prefix: String,
    pub(super) vars: Vars,
    pub(super) hosts: Option<Spanned<String>>,
    pub(super) on: Option<Spanned<String>>,
    pub(super) when: Vec<Spanned<String>>,
    pub(super) tags: Vec<String>,
    pub(super) become_root: Option<bool>,
    pub(super) become_user: Option<Spanned<String>>,
}

/// Takes a step apart; none if it has no action, for then nothing more can be said of it. The id of a step without id and
/// name is left empty.
pub(super) fn load(keys: &mut Keys<'_>, table: &'static [Kind], of_play: &Inherited) -> Option<Step> {
    let (action, params) = action(keys, table)?;
    refuse_keys_of_others(keys, action, table);
    let (id, name) = (keys.text("id"), keys.text("name"));
    let named_at = id.as_ref().or(name.as_ref()).map_or_else(|| keys.head(), |text| text.at.clone());
    let step = Step {
        id: match (id, &name) {
            (Some(id), _) => format!("{}{}", of_play.prefix, checked_id(keys, id)),
            (None, Some(name)) => format!("{}{}", of_play.prefix, slug(&name.value)),
            (None, None) => String::new(),
        },
        within: of_play.prefix.clone(),
        name: name.map_or_else(|| action.name.to_owned(), |name| name.value),
        at: keys.at.clone(),
        named_at,
        action,
        params: params.clone(),
        hosts: keys.template("hosts").or_else(|| of_play.hosts.clone()),
        on: keys.template("on").or_else(|| of_play.on.clone()),
        when: of_play.when.iter().cloned().chain(keys.condition("when")).collect(),
        loop_over: items(keys),
        vars: include::over(&of_play.vars, &keys.vars()),
        timeout: keys.duration("timeout"),
        tags: of_play.tags.iter().cloned().chain(keys.texts("tags")).collect(),
        become_root: keys.flag("become").or(of_play.become_root),
        become_user: keys.template("become_user").or_else(|| of_play.become_user.clone()),
        environment: environment(keys),
        ignore_errors: keys.flag("ignore_errors").unwrap_or_default(),
        changes: keys.flag("changes"),
        creates: keys.template("creates"),
        unless: keys.template("unless"),
        retries: keys.count("retries").unwrap_or_default(),
        register: register(keys),
    };
    keys.unknown(all());
    Some(step)
}

fn all() -> impl Iterator<Item = &'static str> + Clone {
    names(STEP).chain(names(LINE)).chain(names(SAYING))
}

/// The one key that names an action, and its parameters.
fn action<'a>(keys: &mut Keys<'a>, table: &'static [Kind]) -> Option<(&'static Kind, &'a Node)> {
    let find = |name: &str| table.iter().find(|kind| kind.name == name);
    let named: Vec<_> = keys.left().iter().filter_map(|(key, _)| Some((find(key.as_str()?)?, key))).collect();
    let [(kind, first), more @ ..] = named.as_slice() else {
        no_action(keys, table);
        return None;
    };
    for (other, key) in more {
        let message = format!("a step has one action, this one has `{}` and `{}`", kind.name, other.name);
        keys.wrong(Error::at(&key.at, message).also(&first.at, "the first is here").with_hint("make two steps of it"));
        keys.take(other.name);
    }
    let params = keys.take(kind.name)?;
    keys.errors.extend(expr::syntax_within(params));
    Some((kind, params))
}

/// Whether a key is misspelt, or there is none at all.
fn no_action(keys: &mut Keys<'_>, table: &'static [Kind]) {
    if !keys.errors.is_empty() {
        return;
    }
    let actions = || table.iter().map(|kind| kind.name);
    let listed = format!("the actions are: {}", actions().collect::<Vec<_>>().join(", "));
    let strange = keys.left().iter().find(|(key, _)| key.as_str().is_none_or(|key| all().all(|known| known != key)));
    let error = match strange {
        None => Error::at(&keys.head(), "this step has no action").with_hint(listed),
        Some((key, _)) => {
            let written = key.scalar_text().unwrap_or_default();
            let is_key = nearest(&written, actions().chain(all())).is_some_and(|near| all().any(|key| key == near));
            let what = if is_key { "key" } else { "action" };
            let error = Error::at(&key.at, format!("unknown {what} `{written}`")).with_hint(listed);
            match foreign::action(&written, &actions().collect::<Vec<_>>()) {
                Some(hint) => error.with_hint(hint),
                None => error.did_you_mean(&written, actions().chain(all())),
            }
        }
    };
    keys.wrong(error);
}

/// `changes` and the like say nothing where the state decides.
fn refuse_keys_of_others(keys: &mut Keys<'_>, action: &Kind, table: &'static [Kind]) {
    for (theirs, has) in OF_SOME.into_iter().filter(|(_, has)| !has(action)) {
        let having: Vec<_> = table.iter().filter(|kind| has(kind)).map(|kind| format!("`{}`", kind.name)).collect();
        refuse(keys, theirs, action, &format!("only these have it: {}", having.join(", ")));
    }
}

fn refuse(keys: &mut Keys<'_>, theirs: &'static [Key], action: &Kind, hint: &str) {
    let wrong = |key: &Node| {
        let name = key.as_str().filter(|written| names(theirs).any(|name| name == *written))?;
        let error = Error::at(&key.at, format!("`{name}` means nothing to `{}`", action.name));
        Some((name.to_owned(), error.with_hint(hint)))
    };
    for (name, error) in keys.left().iter().filter_map(|(key, _)| wrong(key)).collect::<Vec<_>>() {
        keys.take(&name);
        keys.wrong(error);
    }
}

/// What is wrong with parameters, in the words of whoever may have written them for Ansible.
pub(super) fn told(errors: Vec<Error>, step: &Step) -> Vec<Error> {
    let renamed = |error: &Error| errors.iter().any(|other| foreign::is_renamed(&error.message, &other.message));
    let left = errors.iter().filter(|error| !renamed(error)).cloned();
    let hinted = |error: Error| match foreign::parameter(&error.message, step.action.name) {
        Some(hint) => error.with_hint(hint),
        None => misplaced(error, step),
    };
    left.map(hinted).collect()
}

/// A parameter that there is not, but that is a key of the step itself.
fn misplaced(error: Error, step: &Step) -> Error {
    let written = error.at.as_ref().map(|at| at.text()).unwrap_or_default();
    let has = |keys: &[Key]| keys.iter().any(|key| key.name == written);
    let is_key = has(STEP) || OF_SOME.iter().any(|(keys, known)| known(step.action) && has(keys));
    if !is_key || !error.message.starts_with("unknown key") {
        return error;
    }
    let hint = format!("`{written}` is a key of the step: put it beside `{}`, not under it", step.action.name);
    error.with_hint(hint)
}

/// A name in the form of an id: small letters, digits and `-`.
fn slug(name: &str) -> String {
    let dashed: String = name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    dashed.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

fn checked_id(keys: &mut Keys<'_>, id: Spanned<String>) -> String {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !id.value.chars().all(fits) {
        let error = Error::at(&id.at, format!("`{}` cannot be an id", id.value));
        keys.wrong(error.with_hint("an id is made of letters, digits, `-`, `_` and `.`: it is typed after `--step`"));
    }
    id.value
}

/// `loop: [a, b]` or a template that yields a list.
fn items(keys: &mut Keys<'_>) -> Option<Node> {
    let node = keys.take("loop")?;
    let templated = node.as_str().is_some_and(|text| crate::yaml::Hole::of(text).is_some());
    if node.as_list().is_none() && !templated {
        let error =
            Error::at(&node.at, format!("`loop` is a list, or a template that yields one, this is {}", node.told()));
        keys.wrong(error);
        return None;
    }
    keys.errors.extend(expr::syntax_within(node));
    Some(node.clone())
}

fn environment(keys: &mut Keys<'_>) -> Vec<(String, Node)> {
    let pairs = keys.mapping("environment");
    for (_, node) in &pairs {
        keys.errors.extend(expr::syntax_within(node));
        if matches!(node.value, Value::List(_) | Value::Map(_)) {
            keys.wrong(Error::at(&node.at, format!("a value of `environment` is a text, this is {}", node.told())));
        }
    }
    pairs
}

fn register(keys: &mut Keys<'_>) -> Option<String> {
    let name = keys.text("register")?;
    let key = Node::new(Value::Str(name.value.clone()), name.at);
    keys.errors.extend(scope::misnamed(&key));
    Some(name.value)
}
