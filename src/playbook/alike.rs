//! Hosts that a step cannot tell apart: what it comes to is worked out once for all of them.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use super::Scope;
use super::scope::Asked;
use crate::inventory::Host;

/// So many different forms of a step are remembered: one that is another on each host is not looked for.
const FORMS: usize = 8;

/// What a step has come to, from host to host.
pub struct Alike<T>(Vec<Form<T>>);

struct Form<T> {
    host: Arc<Host>,
    /// The names that were asked for: where they mean the same, all is the same.
    names: BTreeSet<String>,
    value: Arc<T>,
}

impl<T> Default for Alike<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Alike<T> {
    /// What `work` makes of the scope of a host, or has made of that of a host that is like it in all that was asked for.
    pub fn on(&mut self, scope: Scope, work: impl FnOnce(&Scope) -> T) -> Arc<T> {
        let Some(host) = scope.host.clone() else { return Arc::new(work(&scope)) };
        let is_like = |form: &&Form<T>| form.names.iter().all(|name| scope.means_the_same(name, &form.host, &host));
        if let Some(form) = self.0.iter().find(is_like) {
            return form.value.clone();
        }
        let asked = Asked::default();
        let value = Arc::new(work(&Scope { asked: Some(asked.clone()), ..scope }));
        let names = std::mem::take(&mut *asked.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.push(Form { host, names, value: value.clone() });
        if self.0.len() > FORMS {
            self.0.remove(0);
        }
        value
    }
}
