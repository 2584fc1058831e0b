//! Units of systemd.

use super::{Part, Read, Readings, Seen, Value, lines};
use crate::remote::quote;

/// A unit that systemd knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its own name: the one that was asked for may be an alias.
    pub name: String,
    /// `active`, `inactive`, `failed`, `activating`, …
    pub active: String,
    /// `enabled`, `disabled`, `masked`, `static`, … Of a service that has only an init script: whether that is enabled.
    pub enabled: String,
    /// Why it last ended: `success`, `exit-code`, …
    pub result: String,
    /// When its main process started (of a unit without one: when it became active), in whole seconds since 1970 by its
    /// host's clock; 0 where it never did.
    pub started: u64,
    /// How many seconds ago that was.
    pub up: u64,
    /// How often it ended and systemd started it again by itself.
    pub restarts: u32,
    /// Whether its files have changed since systemd read them.
    pub stale: bool,
    /// Whether it does its work and is inactive again: a oneshot that does not remain.
    pub passing: bool,
}

impl Unit {
    /// Whether it was started before a file was last changed, at that second. systemd tells whole seconds. Within one second
    /// the file came first: it is written before a unit is started.
    pub fn older_than(&self, modified: f64) -> bool {
        self.started > 0 && modified >= (self.started + 1) as f64
    }
}

const SCRIPT: &str = r#"export LC_ALL=C TZ=UTC
asked=Id,LoadState,ActiveState,UnitFileState,Result,ExecMainStartTimestamp,ActiveEnterTimestamp,NRestarts,NeedDaemonReload,Type,RemainAfterExit
look() {
  all=$(systemctl show -p "$asked" -- "$1") || { echo unread; return; }
  id= load= active= enabled= result= main= entered= restarts= stale= type= remains= at= up=
  while IFS='=' read -r key value; do
    case $key in
      Id) id=$value ;; LoadState) load=$value ;; ActiveState) active=$value ;; UnitFileState) enabled=$value ;;
      Result) result=$value ;; ExecMainStartTimestamp) main=$value ;; ActiveEnterTimestamp) entered=$value ;;
      NRestarts) restarts=$value ;; NeedDaemonReload) stale=$value ;; Type) type=$value ;; RemainAfterExit) remains=$value ;;
    esac
  done <<END
$all
END
  # So it is called where a generator made it: of an init script's only is-enabled says more, for it asks who enables those.
  if [ "$enabled" = generated ]; then
    enabled=$(systemctl is-enabled -- "$id" 2>/dev/null | tail -n 1)
    enabled=${enabled:-generated}
  fi
  at=${main:-$entered}
  [ -n "$at" ] && at=$(date -d "$at" +%s) && up=$(($(date +%s) - at))
  echo "$load,$active,$enabled,$result,$at,$id,$stale,$type,$remains,$restarts,$up"
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
        [_, active, enabled, result, started, name, stale, kind, remains, restarts, up] => {
            Seen::Is(Value::Unit(Unit {
                name: name.into(),
                active: active.into(),
                enabled: enabled.into(),
                result: result.into(),
                started: started.parse().unwrap_or_default(),
                // A clock that was set back makes it negative.
                up: up.parse().unwrap_or_default(),
                restarts: restarts.parse().unwrap_or_default(),
                stale: stale == "yes",
                passing: kind == "oneshot" && remains == "no",
            }))
        }
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

    fn active() -> Unit {
        Unit {
            name: "ssh.service".into(),
            active: "active".into(),
            enabled: "enabled".into(),
            result: "success".into(),
            started: 1_795_403_821,
            up: 7,
            restarts: 2,
            stale: true,
            passing: false,
        }
    }

    #[test]
    fn units_are_understood() {
        let line = "loaded,active,enabled,success,1795403821,ssh.service,yes,oneshot,yes,2,7";
        assert_eq!(parse(line), Seen::Is(Value::Unit(active())));
        let passing = Unit { passing: true, ..active() };
        assert_eq!(parse(&line.replace("oneshot,yes", "oneshot,no")), Seen::Is(Value::Unit(passing)));
        assert_eq!(parse("not-found,inactive,,success,,nope.service,no,,no,0,"), Seen::Absent);
        assert_eq!(parse(""), Seen::Unread("systemd does not answer".into()));
    }

    #[test]
    fn a_file_of_the_second_of_its_start_came_first_and_what_never_started_is_not_older() {
        let of = |modified| active().older_than(modified);
        assert!(!of(1_795_403_820.0) && !of(1_795_403_821.9) && of(1_795_403_822.0));
        assert!(!Unit { started: 0, ..active() }.older_than(1_795_403_822.0));
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
    fn of_what_has_only_an_init_script_is_asked_whether_that_is_enabled() {
        let enabled = |says: &str| {
            let mut parts = crate::reads::parts([Read::Unit("old.service".into())]);
            let shown = "printf 'Id=old.service\\nLoadState=loaded\\nUnitFileState=generated\\n'";
            let cases = format!("case $1 in show) {shown} ;; is-enabled) {says} ;; esac");
            parts[0].script = format!("systemctl() {{ {cases}; }}\n{}", parts[0].script);
            match crate::reads::testing::ran(&parts[0]).remove(0) {
                Seen::Is(Value::Unit(unit)) => unit.enabled,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(enabled("echo disabled; return 1"), "disabled");
        assert_eq!(enabled("echo asks another >&2; echo enabled"), "enabled");
        assert_eq!(enabled("echo generated"), "generated");
        assert_eq!(enabled("return 1"), "generated", "where nobody knows more");
    }

    #[test]
    fn the_script_reads_what_systemctl_shows() {
        let read = |shown: &str| {
            let mut parts = crate::reads::parts([Read::Unit("sshd.service".into())]);
            parts[0].script = format!("systemctl() {{ printf '{shown}'; }}\n{}", parts[0].script);
            crate::reads::testing::ran(&parts[0]).remove(0)
        };
        let shown = "ExecMainStartTimestamp=Mon 2026-11-23 03:17:01 UTC\\nResult=success\\nLoadState=loaded\\n\
                     ActiveState=active\\nUnitFileState=enabled\\nId=ssh.service\\nNeedDaemonReload=yes\\nNRestarts=2\\n\
                     Type=notify\\nRemainAfterExit=no\\nActiveEnterTimestamp=Mon 2026-11-23 03:17:09 UTC\\n";
        let Seen::Is(Value::Unit(unit)) = read(shown) else { panic!() };
        assert!(unit.up > 0 || unit.started > 1_800_000_000, "{unit:?}");
        assert_eq!(Unit { up: 7, ..unit }, active());
        let socket = "Id=dbus.socket\\nLoadState=loaded\\nActiveEnterTimestamp=Mon 2026-11-23 03:17:01 UTC\\n";
        assert!(matches!(read(socket), Seen::Is(Value::Unit(unit)) if unit.started == 1_795_403_821));
    }
}
