//! One object, one step.

use std::collections::{HashMap, HashSet};

use crate::actions::Object;
use crate::playbook::Step;
use crate::yaml::Error;

/// Which steps own what, where.
#[derive(Default)]
pub(super) struct Owners<'a>(HashMap<Object, Vec<Owner<'a>>>);

struct Owner<'a> {
    step: &'a Step,
    /// What is asked for.
    asked: u64,
    places: HashSet<String>,
}

impl<'a> Owners<'a> {
    /// A step owns something on a host; that another one asks for it differently there is a mistake.
    pub fn take(&mut self, step: &'a Step, place: &str, object: &Object, asked: u64, errors: &mut Vec<Error>) {
        if !self.0.contains_key(object) {
            self.0.insert(object.clone(), Vec::new());
        }
        let Some(owners) = self.0.get_mut(object) else { return };
        // The first one holds it: with whom all that come after are compared.
        if let Some(first) = owners.iter().find(|owner| owner.step.id != step.id && owner.places.contains(place)) {
            errors.extend((first.asked != asked).then(|| conflict(object, first.step, step)));
            return;
        }
        match owners.iter_mut().find(|owner| owner.step.id == step.id && owner.asked == asked) {
            Some(owner) => drop(owner.places.insert(place.to_owned())),
            None => owners.push(Owner { step, asked, places: HashSet::from([place.to_owned()]) }),
        }
    }
}

fn conflict(object: &Object, first: &Step, step: &Step) -> Error {
    let told = match object.name.as_str() {
        "" => object.kind.to_owned(),
        name => format!("{} `{name}`", object.kind),
    };
    let message = format!("two steps own {told} on the same host and ask for different things");
    let error = Error::at(&step.named_at, message).also(&first.named_at, "the first is here");
    error.with_hint("each run would change it twice: make one step of them, or let each have its own hosts")
}
