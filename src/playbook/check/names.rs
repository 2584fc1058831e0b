//! The names that templates need.

use crate::expr;
use crate::playbook::{Scope, Step, Var, Vars, foreign};
use crate::yaml::{At, Error, Node};

/// What is wrong with a name that means nothing.
pub(super) fn undefined<'a>(name: &str, at: &At, names: impl Iterator<Item = &'a str>, scope: &Scope) -> Error {
    let place = expr::place_of_name(at, name);
    let all = scope.host.as_ref().filter(|_| scope.set_for_others(name));
    let message = match all {
        Some(host) => format!("`{name}` is undefined on {}", host.name),
        None => format!("`{name}` is undefined"),
    };
    let error = Error::at(&place, message);
    match foreign::name(name) {
        Some(hint) => error.with_hint(hint),
        None => error.did_you_mean(name, names),
    }
}

/// The names that a step's templates need from outside, each with its template's place.
pub(crate) fn of_step(step: &Step) -> Vec<(String, At)> {
    let texts = [&step.on, &step.creates, &step.unless, &step.become_user].into_iter().flatten();
    let of_texts = texts.flat_map(|text| expr::needs(&text.value).into_iter().map(|name| (name, text.at.clone())));
    let condition =
        step.when.iter().flat_map(|when| expr::condition_needs(&when.value).into_iter().map(|n| (n, when.at.clone())));
    let environment = step.environment.iter().map(|(_, node)| node);
    let nodes = environment.chain(&step.loop_over).chain([&step.params]).flat_map(of_node);
    of_texts.chain(condition).chain(nodes).chain(of_vars(&step.vars)).collect()
}

/// The same of variables.
pub(crate) fn of_vars(vars: &Vars) -> impl Iterator<Item = (String, At)> {
    vars.iter().flat_map(|(_, var)| of_var(var))
}

/// The same of one.
pub(crate) fn of_var(var: &Var) -> Vec<(String, At)> {
    match var {
        Var::Value(node) => of_node(node),
        Var::Lookup(lookup) => {
            let texts = lookup.texts().map(|text| (text, expr::needs(&text.value)));
            texts.flat_map(|(text, names)| names.into_iter().map(|name| (name, text.at.clone()))).collect()
        }
    }
}

/// The same of any value.
pub(crate) fn of_node(node: &Node) -> Vec<(String, At)> {
    let texts = expr::texts(node).into_iter();
    texts.flat_map(|(text, at)| expr::needs(text).into_iter().map(|name| (name, at.clone()))).collect()
}
