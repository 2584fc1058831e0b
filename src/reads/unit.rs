//! Units of systemd.

use super::{Part, Read, Readings, Seen, Value, lines};
use crate::remote::quote;

/// A unit that systemd knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// `active`, `inactive`, `failed`, `activating`, …
    pub active: String,
    /// `enabled`, `disabled`, `masked`, `static`, …
    pub enabled: String,
    /// Why it last ended: `success`, `exit-code`, …
    pub result: String,
    /// When its main process started, in whole seconds since 1970 by its host's clock; 0 where it never did.
    pub started: u64,
}

const SCRIPT: &str = r#"export LC_ALL=C TZ=UTC
look() {
  all=$(systemctl show -p LoadState,ActiveState,UnitFileState,Result,ExecMainStartTimestamp -- "$1") || { echo unread; return; }
  get() { printf '%s\n' "$all" | while IFS='=' read -r key value; do [ "$key" = "$1" ] && printf '%s' "$value"; done; }
  at=$(get ExecMainStartTimestamp)
  [ -n "$at" ] && at=$(date -d "$at" +%s)
  printf '%s,%s,%s,%s,%s\n' "$(get LoadState)" "$(get ActiveState)" "$(get UnitFileState)" "$(get Result)" "$at"
}
"#;

pub(super) fn parts(reads: &[Read]) -> Vec<Part> {
    let reads: Vec<Read> = reads.iter().filter(|read| matches!(read, Read::Unit(_))).cloned().collect();
    if reads.is_empty() {
        return Vec::new();
    }
    let calls: String = reads.iter().map(call).collect();
    let understand = |reads: &[Read], output: &_| lines(reads, output, |_, line| parse(line));
    vec![Part { script: format!("{SCRIPT}{calls}"), reads, understand, deadline: 10 }]
}

fn call(read: &Read) -> String {
    match read {
        Read::Unit(name) => format!("look {}\n", quote(name)),
        _ => String::new(),
    }
}

/// A unit is absent only where systemd itself says that it knows none of that name.
fn parse(line: &str) -> Seen<Value> {
    match line.split(',').collect::<Vec<_>>()[..] {
        ["not-found", ..] => Seen::Absent,
        [_, active, enabled, result, started] => Seen::Is(Value::Unit(Unit {
            active: active.into(),
            enabled: enabled.into(),
            result: result.into(),
            started: started.parse().unwrap_or_default(),
        })),
        _ => Seen::Unread("systemd does not answer".into()),
    }
}

impl<'a> Readings<'a> {
    /// A unit: `docker.service`.
    pub fn unit(&self, host: &str, name: &str) -> Seen<&'a Unit> {
        self.value(host, &Read::Unit(name.into()), |value| match value {
            Value::Unit(unit) => Some(unit),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_understood() {
        let unit =
            Unit { active: "active".into(), enabled: "enabled".into(), result: "success".into(), started: 1795403821 };
        assert_eq!(parse("loaded,active,enabled,success,1795403821"), Seen::Is(Value::Unit(unit)));
        assert_eq!(parse("not-found,inactive,,success,"), Seen::Absent);
        assert_eq!(parse(""), Seen::Unread("systemd does not answer".into()));
    }

    #[test]
    fn where_systemd_does_not_answer_nothing_is_known() {
        let parts = crate::reads::parts([Read::Unit("docker.service".into())]);
        let script = format!("systemctl() {{ echo down >&2; return 1; }}\n{}", parts[0].script);
        let seen =
            crate::reads::testing::ran(&Part { script, ..crate::reads::parts(parts[0].reads.clone()).remove(0) });
        assert_eq!(seen, [Seen::Unread("systemd does not answer".into())]);
    }

    #[test]
    fn the_script_reads_what_systemctl_shows() {
        let shown = "ExecMainStartTimestamp=Mon 2026-11-23 03:17:01 UTC\\nResult=success\\nLoadState=loaded\\n\
                     ActiveState=active\\nUnitFileState=enabled\\n";
        let mut parts = crate::reads::parts([Read::Unit("docker.service".into())]);
        parts[0].script = format!("systemctl() {{ printf '{shown}'; }}\n{}", parts[0].script);
        let seen = crate::reads::testing::ran(&parts[0]);
        assert!(matches!(&seen[0], Seen::Is(Value::Unit(unit)) if unit.started == 1_795_403_821), "{seen:?}");
    }
}
