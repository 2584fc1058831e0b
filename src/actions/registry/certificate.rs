//! The key and the certificate of a registry: made on its host, and the certificate alone handed on.

use super::Registry;
use crate::actions::{Change, Does, Plan, Target};
use crate::reads::{Probe, Read, Readings, Seen};
use crate::remote::{Command, quote};

/// How much longer a certificate must last to be left alone, in seconds: 30 days.
const ENOUGH: u32 = 30 * 24 * 3600;
/// How `sh` says that the machine lacks what a certificate is made with.
const NO_OPENSSL: i32 = 3;

impl Registry {
    /// Prints the certificate, never the key; nothing where there is none that will do.
    pub(super) fn certificate_look(&self) -> Probe {
        let (pem, ip) = (self.asked.pem(), self.address.ip());
        let pem = quote(&pem);
        Probe::new(format!(
            "command -v openssl >/dev/null || exit {NO_OPENSSL}\n[ -e {pem} ] || exit 0\n\
             [ -r {pem} ] || {{ echo \"it is not for $(id -un) to read\" >&2; exit 1; }}\n\
             openssl x509 -in {pem} -noout -checkend {ENOUGH} >/dev/null 2>&1 || exit 0\n\
             openssl x509 -in {pem} -noout -checkip {ip} 2>/dev/null | grep -q 'does match' || exit 0\n\
             openssl x509 -in {pem}"
        ))
    }

    /// The certificate, where there is one that will do.
    pub(super) fn certificate(&self, keeper: &str, seen: &Readings<'_>) -> Result<Option<String>, Plan> {
        let what = format!("the certificate of the registry on {keeper}");
        match seen.probe(keeper, &self.certificate_look()) {
            Seen::Is(output) if output.ok() => Ok(Some(output.text()).filter(|text| !text.is_empty())),
            Seen::Is(output) if output.code == NO_OPENSSL => Err(Plan::refused(
                format!("{keeper} has no `openssl` to make a certificate with"),
                "install it by a step before: `package: { name: openssl }`",
            )),
            Seen::Is(output) => Err(Plan::unread(&what, &output.errors())),
            Seen::Absent => Err(Plan::unread(&what, "the host gave no answer")),
            Seen::Unread(why) => Err(Plan::unread(&what, &why)),
        }
    }

    /// A certificate that signs itself is all the authority that it needs: who has it trusts this registry, and nobody else.
    pub(super) fn make(&self) -> Change {
        let (folder, ip) = (self.asked.folder(), self.address.ip());
        let line = format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days 3650 -subj /CN={ip} -addext subjectAltName=IP:{ip}"
        );
        let (new, pem) = (format!("{folder}/tls.new"), self.asked.pem());
        let script = format!(
            "set -e\numask 077\nmkdir -p {folder}\n{line} -keyout {new} -out {new}\n\
             [ \"$(grep -c BEGIN {new})\" = 2 ] || {{ echo 'openssl has made no key and certificate' >&2; exit 1; }}\nmv -f {new} {pem}"
        );
        let why = "there is no certificate for its address that is good for another 30 days";
        Change::run(why, Command::sh(script).shown_as(format!("{line} -keyout {pem} -out {pem}")))
    }

    /// From the one host to the other, through memory.
    pub(super) fn give(&self, keeper: &str, why: &str) -> Change {
        let path = self.trust_path();
        let folder = path.trim_end_matches("/ca.crt");
        let script = format!(
            "set -e\numask 022\nmkdir -p {folder}\ncat >{folder}/.ca.crt.skep\n[ -s {folder}/.ca.crt.skep ]\nmv -f {folder}/.ca.crt.skep {path}"
        );
        let source = Command::new("openssl").args(["x509", "-in", &self.asked.pem()]);
        let to = Command::sh(script).shown_as(format!("cat >{path}"));
        Change::new(why, Does::Pipe { from: keeper.to_owned(), source, to, bytes: 0 })
    }

    /// What Docker trusts, and for that registry alone.
    pub(super) fn trust(&self) -> Read {
        Read::File { path: self.trust_path(), content: self.asked.state == super::Presence::Present }
    }

    /// Whether the key is there; never what is in it.
    pub(super) fn key(&self) -> Read {
        Read::File { path: self.asked.pem(), content: false }
    }

    pub(super) fn trust_path(&self) -> String {
        format!("/etc/docker/certs.d/{}/ca.crt", self.address)
    }

    /// Whether a host trusts the certificate.
    pub(super) fn trusts(&self, certificate: &str, on: &Target, seen: &Readings<'_>) -> Result<bool, String> {
        match seen.content(&on.host.name, &self.trust_path()) {
            Seen::Is(file) => {
                let content = file.content.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
                Ok(content.trim() == certificate.trim())
            }
            Seen::Absent => Ok(false),
            Seen::Unread(why) => Err(why),
        }
    }
}

/// Removes a file, and its folder if nothing else is in it.
pub(super) fn forget(path: &str, why: &str) -> Change {
    let (path, folder) = (quote(path), quote(path.rsplit_once('/').map_or("/", |(folder, _)| folder)).into_owned());
    let line = format!("rm -f {path} && rmdir --ignore-fail-on-non-empty {folder}");
    Change::run(why, Command::sh(line)).removing()
}
