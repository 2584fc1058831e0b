//! Power that goes in the middle of a command of Docker's.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::cluster::Begun;
use crate::support::lab::Lab;

/// In front of the engine's own command: when it is told something that begins with these words, it does it, says so, and
/// keeps to itself that it has; `before` it does so at all, if that is asked.
const SHIM: &str = r#"cat >/usr/local/bin/docker <<'END'
#!/bin/sh
case "$*" in
"$(cat /run/slow 2>/dev/null || echo none)"*)
    [ -e /run/before ] || /usr/bin/docker "$@"
    touch /run/at-it
    sleep 600 ;;
*) exec /usr/bin/docker "$@" ;;
esac
END
chmod +x /usr/local/bin/docker"#;

/// When it goes.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    /// What Docker's command begins with.
    pub(super) words: &'static str,
    /// Its host.
    pub(super) host: &'static str,
    /// Whether it has done its work by then.
    pub(super) done: bool,
}

impl Moment {
    pub(super) const fn after(words: &'static str, host: &'static str) -> Moment {
        Moment { words, host, done: true }
    }

    pub(super) const fn before(words: &'static str, host: &'static str) -> Moment {
        Moment { words, host, done: false }
    }

    /// Pulls the plug in the middle of what is begun, and powers the host on again: what was said of it.
    pub(super) fn strikes(self, lab: &Lab, begin: impl Fn() -> Begun) -> String {
        let moment = if self.done { "true" } else { "touch /run/before" };
        lab.on(self.host, &format!("{SHIM}\n{moment}; echo '{}' >/run/slow", self.words));
        strikes(lab, self.host, comes(lab, &[self.host], "test -e /run/at-it", begin))
    }
}

/// A run that has come so far on these hosts. One that ended before, since a busy host let nobody in for too long, is followed
/// by another.
pub(super) fn comes(lab: &Lab, hosts: &[&str], so_far: &str, begin: impl Fn() -> Begun) -> Begun {
    let (began, mut run) = (Instant::now(), begin());
    while !hosts.iter().all(|host| lab.try_on(host, so_far).status.success()) {
        assert!(began.elapsed() < Duration::from_secs(600), "never so far: {so_far}");
        if run.is_over() {
            run = begin();
        }
        thread::sleep(Duration::from_millis(200));
    }
    run
}

/// The same for what is under way there now.
pub(super) fn strikes(lab: &Lab, host: &str, run: Begun) -> String {
    lab.unplug(host);
    let (code, said) = run.ended();
    assert!(code.is_some_and(|code| code != 0), "it is no success: {said}");
    assert!(said.contains(&format!("{host}  lost in the middle of ")), "{said}");
    lab.start(host);
    said
}
