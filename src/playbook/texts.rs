//! The texts that may be templates, of steps and of variables: one walk for all that look into them.

use super::{Step, Var, Vars};
use crate::expr;
use crate::yaml::{At, Node, Spanned};

/// A text that may ask for variables.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
    pub(super) at: &'a At,
    /// Whether it is code without braces around it.
    is_condition: bool,
}

impl<'a> Text<'a> {
    fn template(text: &'a Spanned<String>) -> Self {
        Self { text: &text.value, at: &text.at, is_condition: false }
    }

    fn condition(text: &'a Spanned<String>) -> Self {
        Self { is_condition: true, ..Self::template(text) }
    }

    /// The names that it needs, each with its place.
    pub(super) fn needs(self) -> impl Iterator<Item = (String, At)> {
        let names = if self.is_condition { expr::condition_needs(self.text) } else { expr::needs(self.text) };
        names.into_iter().map(move |name| (name, self.at.clone()))
    }

    /// The same with the parts that are asked for by name: `facts.cores`.
    pub(super) fn paths(self) -> impl Iterator<Item = (String, At)> {
        expr::paths(self.text, self.is_condition).into_iter().map(move |path| (path, self.at.clone()))
    }
}

impl Step {
    /// Its own, but for its pattern of hosts, which is rendered for no host.
    pub(super) fn texts(&self) -> impl Iterator<Item = Text<'_>> {
        let templates = [&self.on, &self.creates, &self.unless, &self.become_user].into_iter().flatten();
        let nodes = self.environment.iter().map(|(_, node)| node).chain(&self.loop_over).chain([&self.params]);
        let conditions = self.when.iter().map(Text::condition);
        templates.map(Text::template).chain(conditions).chain(nodes.flat_map(of_node))
    }

    /// The same with those of its variables.
    pub(super) fn all_texts(&self) -> impl Iterator<Item = Text<'_>> {
        self.texts().chain(of_vars(&self.vars))
    }
}

impl Var {
    /// Those of its value, or of the lookup that has it.
    pub(super) fn texts(&self) -> impl Iterator<Item = Text<'_>> {
        let lookup = self.lookup().into_iter().flat_map(|lookup| lookup.texts().map(Text::template));
        self.node().into_iter().flat_map(of_node).chain(lookup)
    }
}

/// Whether a text has a word in it, as a name or as a part of another one's.
pub(super) fn mentions(text: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let whole = |at: usize| !text[..at].ends_with(inside) && !text[at + word.len()..].starts_with(inside);
    text.match_indices(word).any(|(at, _)| whole(at))
}

/// Those of variables.
pub(super) fn of_vars(vars: &Vars) -> impl Iterator<Item = Text<'_>> {
    vars.iter().flat_map(|(_, var)| var.texts())
}

/// Those of any value.
pub(super) fn of_node(node: &Node) -> impl Iterator<Item = Text<'_>> {
    expr::texts(node).into_iter().map(|(text, at)| Text { text, at, is_condition: false })
}
