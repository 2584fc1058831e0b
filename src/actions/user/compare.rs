//! How a user differs from the one that is asked for.

use super::{Account, Change, Command, Known, Target, User};
use crate::event::Difference;

/// A field that differs, and how usermod is told.
struct Field {
    options: Vec<String>,
    differs: Difference,
    /// Whether a group is left.
    leaves: bool,
}

impl Field {
    fn new(field: &str, option: &str, is: &str, asked: &str) -> Self {
        let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
        let differs = Difference { field: field.into(), is: or_none(is), asked: or_none(asked) };
        Self { options: vec![option.into(), asked.into()], differs, leaves: false }
    }
}

impl User {
    /// All fields that differ, set by one command.
    pub(super) fn changed(&self, account: &Account, known: &Known, on: &Target) -> Option<Change> {
        let fields: Vec<Field> = self.fields(account, known).into_iter().chain(self.group_fields(account)).collect();
        if fields.is_empty() {
            return None;
        }
        let options = fields.iter().flat_map(|field| field.options.clone());
        let command = Command::new("usermod").args(options).arg(&self.0.name);
        let leaves = fields.iter().any(|field| field.leaves);
        let why = format!("the user differs on {}", on.host.name);
        let change = Change::run(why, command).differing(fields.into_iter().map(|field| field.differs).collect());
        Some(if leaves { change.removing() } else { change })
    }

    /// Whether the groups that it is in differ.
    pub(super) fn regroups(&self, account: &Account) -> bool {
        !self.group_fields(account).is_empty()
    }

    fn fields(&self, account: &Account, known: &Known) -> Vec<Field> {
        let gid = self.0.group.as_ref().map(|group| (group, known.group(group)));
        let group = gid.filter(|(_, gid)| *gid != Some(account.gid));
        let own = account.groups.first().map_or("", String::as_str);
        let group = group.map(|(group, _)| Field::new("group", "--gid", own, group));
        let uid = self.0.uid.filter(|uid| *uid != account.uid);
        let uid = uid.map(|uid| Field::new("uid", "--uid", &account.uid.to_string(), &uid.to_string()));
        let text = |field: &str, option: &str, is: &str, asked: &Option<String>| {
            asked.as_ref().filter(|asked| *asked != is).map(|asked| Field::new(field, option, is, asked))
        };
        let shell = text("shell", "--shell", &account.shell, &self.0.shell);
        let home = text("home", "--home", &account.home, &self.0.home);
        let comment = text("comment", "--comment", &account.comment, &self.0.comment);
        [uid, group, shell, home, comment].into_iter().flatten().collect()
    }

    /// The groups that it lacks and, where no others may be, those that it is in beside. The first one is not among them.
    fn group_fields(&self, account: &Account) -> Vec<Field> {
        let Some(asked) = &self.0.groups else { return Vec::new() };
        let lacks: Vec<&str> =
            asked.iter().filter(|group| !account.groups.contains(group)).map(String::as_str).collect();
        let more = account.groups.iter().skip(1).filter(|group| !self.0.append && !asked.contains(group));
        let more: Vec<&str> = more.map(String::as_str).collect();
        if lacks.is_empty() && more.is_empty() {
            return Vec::new();
        }
        let is = account.groups.iter().skip(1).cloned().collect::<Vec<_>>().join(",");
        let all = asked.join(",");
        let mut field = match self.0.append {
            true => Field::new("groups", "--groups", &is, &format!("{} too", lacks.join(","))),
            false => Field::new("groups", "--groups", &is, &all),
        };
        field.options = match self.0.append {
            true => vec!["--append".into(), "--groups".into(), lacks.join(",")],
            false => vec!["--groups".into(), all],
        };
        vec![Field { leaves: !more.is_empty(), ..field }]
    }
}
