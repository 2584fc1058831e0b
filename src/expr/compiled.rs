//! What was compiled for one host need not be compiled for the next.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use minijinja::{Environment, Error as Fault, Expression, Value as Jinja};

use super::{ENGINE, Template};

/// So many expressions are kept: more than a playbook has.
const KEPT: usize = 20_000;

type Kept = Arc<Expression<'static, 'static>>;

static EXPRESSIONS: LazyLock<RwLock<HashMap<String, Kept>>> = LazyLock::new(RwLock::default);

/// The engine with the templates in it that were learned, each under its own text.
static LEARNED: LazyLock<RwLock<Arc<Environment<'static>>>> = LazyLock::new(|| RwLock::new(Arc::new(ENGINE.clone())));

/// Compiles the templates among these texts, which will be rendered for many hosts. What is malformed is left out: whoever
/// renders it hears of it.
pub fn learn<'a>(texts: impl Iterator<Item = &'a str>) {
    let mut engine = ENGINE.clone();
    for text in texts.filter(|text| matches!(Template::of(text), Template::Mixed)) {
        let _ = engine.add_template_owned(text.to_owned(), text.to_owned());
    }
    *LEARNED.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(engine);
}

pub(super) fn expression(text: &str) -> Result<Kept, Fault> {
    if let Some(kept) = EXPRESSIONS.read().unwrap_or_else(PoisonError::into_inner).get(text) {
        return Ok(kept.clone());
    }
    let compiled = Arc::new(ENGINE.compile_expression_owned(text.to_owned())?);
    let mut kept = EXPRESSIONS.write().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= KEPT {
        kept.clear();
    }
    kept.insert(text.to_owned(), compiled.clone());
    Ok(compiled)
}

pub(super) fn render(text: &str, context: &Jinja) -> Result<String, Fault> {
    // A template may render another one: nothing is locked meanwhile.
    let learned = LEARNED.read().unwrap_or_else(PoisonError::into_inner).clone();
    match learned.get_template(text) {
        Ok(template) => template.render(context.clone()),
        Err(_) => ENGINE.template_from_str(text)?.render(context.clone()),
    }
}
