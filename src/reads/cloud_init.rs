//! Whether cloud-init, which sets a fresh cloud machine up, is done with it.

use serde::Deserialize;

use super::{Part, Read, Readings, Seen, Value};
use crate::remote::Output;

/// How far cloud-init is. Absent where it is not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloudInit {
    /// It will not run, or has nothing to do.
    Disabled,
    /// It is still setting the machine up.
    Running,
    /// It is done, with these errors.
    Done(Vec<String>),
}

// Its files are its interface (docs: "Instance data and status files"); asking the program takes a Python start of 300 ms.
const SCRIPT: &str = "\
if ! command -v cloud-init >/dev/null && [ ! -e /run/cloud-init ]; then echo absent
elif [ -e /etc/cloud/cloud-init.disabled ] || [ -e /run/cloud-init/disabled ]; then echo disabled
elif [ -e /run/cloud-init/result.json ]; then cat /run/cloud-init/result.json
elif [ -e /run/cloud-init/enabled ]; then echo running
elif [ \"$(systemctl is-system-running)\" = starting ] || [ \"$(systemctl is-system-running)\" = initializing ]; then echo running
else echo disabled
fi
";

pub(super) fn parts(reads: &[Read]) -> Vec<Part> {
    let part = || Part {
        script: SCRIPT.into(),
        reads: vec![Read::CloudInit],
        understand: |_, output| vec![understand(output)],
        deadline: 10,
    };
    reads.contains(&Read::CloudInit).then(part).into_iter().collect()
}

#[derive(Deserialize)]
struct ResultFile {
    v1: V1,
}

#[derive(Deserialize)]
struct V1 {
    #[serde(default)]
    errors: Vec<String>,
}

fn understand(output: &Output) -> Seen<Value> {
    match output.text().as_str() {
        "absent" => Seen::Absent,
        "disabled" => Seen::Is(Value::CloudInit(CloudInit::Disabled)),
        "running" => Seen::Is(Value::CloudInit(CloudInit::Running)),
        json => match serde_json::from_str::<ResultFile>(json) {
            Ok(result) => Seen::Is(Value::CloudInit(CloudInit::Done(result.v1.errors))),
            Err(e) => Seen::Unread(format!("/run/cloud-init/result.json: {e}")),
        },
    }
}

impl<'a> Readings<'a> {
    /// How far cloud-init is.
    pub fn cloud_init(&self, host: &str) -> Seen<&'a CloudInit> {
        self.value(host, &Read::CloudInit, |value| match value {
            Value::CloudInit(state) => Some(state),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_file_means_done_with_its_errors() {
        let answer = |text: &str| understand(&Output { stdout: text.into(), ..Output::default() });
        let done = |errors: &[&str]| {
            Seen::Is(Value::CloudInit(CloudInit::Done(errors.iter().map(|e| (*e).to_owned()).collect())))
        };
        assert_eq!(answer(r#"{"v1": {"datasource": "DataSourceNoCloud", "errors": []}}"#), done(&[]));
        assert_eq!(answer(r#"{"v1": {"errors": ["no network"]}}"#), done(&["no network"]));
        assert_eq!(answer("running\n"), Seen::Is(Value::CloudInit(CloudInit::Running)));
        assert_eq!(answer("absent\n"), Seen::Absent);
        assert!(matches!(answer(""), Seen::Unread(_)));
    }
}
