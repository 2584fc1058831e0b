//! The tree of groups as it is written, Ansible's forms included, put together from one file or several.

use crate::yaml::{Error, Node, Value};

use super::range::expand;

/// What a key of a host, a group or `vars` is called here, and by Ansible.
const CONNECTION: [(&str, &[&str]); 11] = [
    ("address", &["ansible_host", "ansible_ssh_host"]),
    ("port", &["ansible_port", "ansible_ssh_port"]),
    ("user", &["ansible_user", "ansible_ssh_user"]),
    ("password", &["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"]),
    ("identity_file", &["ansible_ssh_private_key_file", "ansible_private_key_file"]),
    ("jump", &[]),
    ("host_key", &[]),
    ("become", &["ansible_become"]),
    ("become_user", &["ansible_become_user"]),
    ("become_password", &["ansible_become_password", "ansible_become_pass"]),
    ("private_address", &["advertise"]),
];

/// A variable or connection key with its place.
pub(super) type Var = (String, Node);

/// A group as written.
#[derive(Debug)]
pub(super) struct Draft {
    pub name: Node,
    pub vars: Vec<Var>,
    pub hosts: Vec<String>,
    pub children: Vec<Node>,
}

/// Everything as written, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub groups: Vec<Draft>,
    /// Each host where it was first named, with its own variables.
    pub hosts: Vec<(Node, Vec<Var>)>,
    pub errors: Vec<Error>,
}

impl Tree {
    /// Adds one document.
    pub(super) fn add(&mut self, root: &Node) {
        match &root.value {
            Value::Map(groups) => groups.iter().for_each(|(name, body)| self.top(name, body)),
            Value::Null => {}
            _ => self.errors.push(
                Error::at(&root.at, format!("an inventory is a mapping of groups, not {}", root.kind_name()))
                    .with_hint("begin with `all:` and put `hosts:` under it"),
            ),
        }
    }

    fn top(&mut self, name: &Node, body: &Node) {
        match name.as_str() {
            Some("_meta") => body
                .get("hostvars")
                .iter()
                .flat_map(|vars| vars.entries())
                .for_each(|(host, vars)| self.host(host, vars)),
            Some("hosts" | "vars" | "children") => self.errors.push(
                Error::at(&name.at, format!("`{}` cannot stand at the top", name.as_str().unwrap_or_default()))
                    .with_hint("put it under `all:`"),
            ),
            _ => self.group(name, body),
        }
    }

    fn group(&mut self, name: &Node, body: &Node) {
        let index = self.draft(name);
        if body.as_list().is_some() {
            return self.members(index, body);
        }
        if body.as_map().is_none() && !body.is_null() {
            return self.errors.push(Error::at(&body.at, format!("a group is a mapping, not {}", body.told())));
        }
        for (key, value) in body.entries() {
            match key.as_str().unwrap_or_default() {
                "hosts" => self.members(index, value),
                "children" => self.children(index, value),
                "vars" => self.vars(index, value),
                name if canonical(name).is_some() => put(&mut self.groups[index].vars, name, value),
                name => self.errors.push(
                    Error::at(&key.at, format!("unknown key `{name}` in a group")).did_you_mean(name, known_keys()),
                ),
            }
        }
    }

    fn draft(&mut self, name: &Node) -> usize {
        let known = self.groups.iter().position(|group| group.name.as_str() == name.as_str());
        known.unwrap_or_else(|| {
            self.groups.push(Draft { name: name.clone(), vars: Vec::new(), hosts: Vec::new(), children: Vec::new() });
            self.groups.len() - 1
        })
    }

    fn vars(&mut self, index: usize, vars: &Node) {
        if vars.as_map().is_none() && !vars.is_null() {
            self.errors.push(Error::at(&vars.at, format!("`vars` is a mapping, not {}", vars.told())));
        }
        for (key, value) in vars.entries() {
            self.errors.extend(unheeded(key, value).or_else(|| misspelt(key)));
            put(&mut self.groups[index].vars, key.as_str().unwrap_or_default(), value);
        }
    }

    /// Hosts: a mapping with what is said of each, or a list of names.
    fn members(&mut self, index: usize, hosts: &Node) {
        let nothing = |at: &Node| Node::new(Value::Null, at.at.clone());
        let named: Vec<(Node, Node)> = match &hosts.value {
            Value::Map(entries) => entries.clone(),
            Value::List(names) => names.iter().map(|name| (name.clone(), nothing(name))).collect(),
            Value::Null => Vec::new(),
            _ => return self.errors.push(Error::at(&hosts.at, format!("`hosts` is a mapping, not {}", hosts.told()))),
        };
        for (key, vars) in &named {
            match expand(key.scalar_text().unwrap_or_default().as_ref()) {
                Ok(names) => names.iter().for_each(|name| {
                    self.host(&Node::new(Value::Str(name.clone()), key.at.clone()), vars);
                    self.groups[index].hosts.push(name.clone());
                }),
                Err(why) => self.errors.push(Error::at(&key.at, why)),
            }
        }
    }

    fn children(&mut self, index: usize, children: &Node) {
        for (name, body) in children.entries() {
            self.groups[index].children.push(name.clone());
            self.group(name, body);
        }
        for name in children.items() {
            self.groups[index].children.push(name.clone());
            self.draft(name);
        }
    }

    fn host(&mut self, name: &Node, vars: &Node) {
        if vars.as_map().is_none() && !vars.is_null() {
            let message = format!("what is said of a host is a mapping, not {}", vars.told());
            return self.errors.push(Error::at(&vars.at, message));
        }
        let known = self.hosts.iter().position(|(known, _)| known.as_str() == name.as_str());
        let index = known.unwrap_or_else(|| {
            self.hosts.push((name.clone(), Vec::new()));
            self.hosts.len() - 1
        });
        for (key, value) in vars.entries() {
            self.errors.extend(unheeded(key, value).or_else(|| misspelt(key)));
            let key = key.as_str().unwrap_or_default();
            if let Some(error) = differs(&self.hosts[index].1, key, value) {
                self.errors.push(error);
            }
            put(&mut self.hosts[index].1, key, value);
        }
    }
}

/// What Ansible would reach the host by, and nobody does here, but for values that change nothing: to pass over it would be
/// to go another way.
const UNHEEDED: [(&str, &[&str], &str); 6] = [
    ("ansible_ssh_common_args", &[""], SSH_CONFIG),
    ("ansible_ssh_extra_args", &[""], SSH_CONFIG),
    ("ansible_ssh_args", &[""], SSH_CONFIG),
    ("ansible_ssh_executable", &["ssh"], "leave it out: skep speaks SSH itself"),
    ("ansible_connection", &["ssh", "smart", "paramiko"], "leave it out: hosts are reached by SSH"),
    ("ansible_become_method", &["sudo"], "leave it out: root is become through sudo"),
];

const SSH_CONFIG: &str = "put it into ~/.ssh/config, which holds here too; for `-J` there is the key `jump`";

fn unheeded(key: &Node, value: &Node) -> Option<Error> {
    let (name, harmless, hint) = UNHEEDED.iter().find(|(name, ..)| key.as_str() == Some(name))?;
    let harmless = harmless.contains(&value.as_str().unwrap_or_default());
    (!harmless).then(|| Error::at(&key.at, format!("`{name}` is not heeded here")).with_hint(*hint))
}

/// What others call a connection key.
const OTHERWISE: [(&str, &str); 14] = [
    ("username", "user"),
    ("ssh_user", "user"),
    ("ssh_port", "port"),
    ("ssh_host", "address"),
    ("passwd", "password"),
    ("ssh_password", "password"),
    ("keyfile", "identity_file"),
    ("key_file", "identity_file"),
    ("ssh_key", "identity_file"),
    ("private_key", "identity_file"),
    ("proxy_jump", "jump"),
    ("proxyjump", "jump"),
    ("sudo", "become"),
    ("sudo_password", "become_password"),
];

/// The key that another tool's name means, or a short one whose letters were swapped: `prot`.
fn meant(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase().replace('-', "_");
    let letters = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    let swapped = |ours: &&str| ours.len() <= 5 && letters(ours) == letters(&lower);
    let ours = CONNECTION.iter().map(|(ours, _)| *ours).find(swapped);
    ours.or_else(|| OTHERWISE.iter().find(|(theirs, _)| *theirs == lower).map(|(_, ours)| *ours))
}

/// A variable that is all but called like a connection key is meant to be one: `adress` would connect to the host's name
/// and say nothing. Short keys are left out (`users` and `ports` are fine variables), and so is what differs more than a slip
/// of the fingers does: `addresses`.
fn misspelt(key: &Node) -> Option<Error> {
    let name = key.as_str().filter(|name| canonical(name).is_none())?;
    if let Some(near) = meant(name) {
        let error = Error::at(&key.at, format!("unknown key `{name}`"));
        return Some(
            error.with_hint(format!("did you mean `{near}`? A variable needs a name that cannot be taken for it")),
        );
    }
    let long = CONNECTION.iter().flat_map(|(ours, theirs)| theirs.iter().chain([ours])).filter(|known| known.len() > 5);
    let slips = |known: &str| strsim::damerau_levenshtein(&name.to_lowercase().replace('-', "_"), known);
    let near = long.into_iter().find(|known| slips(known) < 2)?;
    let error = Error::at(&key.at, format!("unknown key `{name}`"));
    Some(error.with_hint(format!("did you mean `{near}`? A variable needs a name that cannot be taken for it")))
}

/// A host may be named in several groups, but what is said of it must not differ.
fn differs(vars: &[Var], key: &str, value: &Node) -> Option<Error> {
    let name = canonical(key).unwrap_or(key);
    let (_, first) = vars.iter().find(|(known, other)| known == name && other.value != value.value)?;
    (first.at != value.at).then(|| {
        Error::at(&value.at, format!("`{name}` of this host was given differently before"))
            .also(&first.at, "first given here")
            .with_hint("say it in one place; in the other groups the host's name is enough")
    })
}

/// Sets a variable under the name that it has here.
pub(super) fn put(vars: &mut Vec<Var>, key: &str, value: &Node) {
    let name = canonical(key).unwrap_or(key);
    match vars.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value.clone(),
        None => vars.push((name.to_owned(), value.clone())),
    }
}

/// The connection key that a name means, ours or Ansible's.
pub(super) fn canonical(name: &str) -> Option<&'static str> {
    CONNECTION.iter().find(|(ours, theirs)| *ours == name || theirs.contains(&name)).map(|(ours, _)| *ours)
}

fn known_keys() -> impl Iterator<Item = &'static str> {
    ["hosts", "children", "vars"].into_iter().chain(CONNECTION.iter().map(|(ours, _)| *ours))
}
