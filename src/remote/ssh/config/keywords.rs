//! What becomes of each keyword of ssh_config(5).

/// What `skep` makes of a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds here as it does for `ssh`.
    Honoured,
    /// It says nothing about what `skep` does.
    Idle,
    /// It would matter, and is not known here: where it is set, a warning names it.
    Named,
    /// To go on without it would be less safe than `ssh`: where it is set, the host is not connected to.
    Refused,
}

/// A keyword of ssh_config(5), of OpenSSH 10 and of Debian's.
#[derive(Clone, Copy, Debug)]
pub struct Keyword {
    /// As the manual page writes it.
    pub name: &'static str,
    /// What becomes of it.
    pub standing: Standing,
    /// More, where there is more to say.
    pub note: &'static str,
}

const fn honoured(name: &'static str, note: &'static str) -> Keyword {
    Keyword { name, standing: Standing::Honoured, note }
}

const fn idle(name: &'static str, note: &'static str) -> Keyword {
    Keyword { name, standing: Standing::Idle, note }
}

const fn named(name: &'static str) -> Keyword {
    Keyword { name, standing: Standing::Named, note: "" }
}

const fn refused(name: &'static str, note: &'static str) -> Keyword {
    Keyword { name, standing: Standing::Refused, note }
}

const BY_SSH: &str = "by `ssh` itself, which is asked";
const ONCE: &str = "a question is asked once";
const NO_FORWARDS: &str = "nothing is forwarded but what `skep forward` says";
const NO_TERMINAL: &str = "commands have no terminal";
const OWN_CONNECTION: &str = "each host has one connection of the run's own";
const OWN_WORDS: &str = "for what `ssh` itself writes";
const OWN_COMMANDS: &str = "the commands are those of the playbook";

/// All of them, in alphabetical order. docs/ssh.md is made from this.
pub const KEYWORDS: &[Keyword] = &[
    idle("AddKeysToAgent", "a passphrase is asked for once a run"),
    honoured("AddressFamily", ""),
    honoured("BatchMode", "nothing is asked; without a terminal nothing is, anyway"),
    named("BindAddress"),
    named("BindInterface"),
    honoured("CanonicalDomains", BY_SSH),
    honoured("CanonicalizeFallbackLocal", BY_SSH),
    honoured("CanonicalizeHostname", BY_SSH),
    honoured("CanonicalizeMaxDots", BY_SSH),
    honoured("CanonicalizePermittedCNAMEs", BY_SSH),
    named("CASignatureAlgorithms"),
    honoured("CertificateFile", ""),
    idle("ChannelTimeout", "each command has a deadline of its own"),
    idle("CheckHostIP", "a host is known by one name"),
    named("Ciphers"),
    idle("ClearAllForwardings", NO_FORWARDS),
    idle("Compression", ""),
    honoured("ConnectionAttempts", "at least so many, and for as long as `--wait` says"),
    honoured("ConnectTimeout", "for each of connection, handshake and login"),
    idle("ControlMaster", OWN_CONNECTION),
    idle("ControlPath", OWN_CONNECTION),
    idle("ControlPersist", OWN_CONNECTION),
    idle("DynamicForward", NO_FORWARDS),
    idle("EnableEscapeCommandline", NO_TERMINAL),
    named("EnableSSHKeysign"),
    idle("EscapeChar", NO_TERMINAL),
    idle("ExitOnForwardFailure", NO_FORWARDS),
    idle("FingerprintHash", "fingerprints are shown as SHA256"),
    idle("ForkAfterAuthentication", OWN_COMMANDS),
    named("ForwardAgent"),
    idle("ForwardX11", NO_FORWARDS),
    idle("ForwardX11Timeout", NO_FORWARDS),
    idle("ForwardX11Trusted", NO_FORWARDS),
    idle("GatewayPorts", NO_FORWARDS),
    honoured("GlobalKnownHostsFile", ""),
    idle("GSSAPIAuthentication", "a further way to log in, which is not offered"),
    idle("GSSAPIClientIdentity", "see GSSAPIAuthentication"),
    idle("GSSAPIDelegateCredentials", "see GSSAPIAuthentication"),
    idle("GSSAPIKexAlgorithms", "see GSSAPIAuthentication"),
    idle("GSSAPIKeyExchange", "see GSSAPIAuthentication"),
    idle("GSSAPIRenewalForcesRekey", "see GSSAPIAuthentication"),
    idle("GSSAPIServerIdentity", "see GSSAPIAuthentication"),
    idle("GSSAPITrustDns", "see GSSAPIAuthentication"),
    honoured("HashKnownHosts", ""),
    honoured("Host", BY_SSH),
    named("HostbasedAcceptedAlgorithms"),
    named("HostbasedAuthentication"),
    named("HostKeyAlgorithms"),
    honoured("HostKeyAlias", ""),
    honoured("Hostname", ""),
    honoured("IdentitiesOnly", ""),
    honoured("IdentityAgent", ""),
    honoured("IdentityFile", "with its tokens, and with the certificate beside it"),
    honoured("IgnoreUnknown", BY_SSH),
    honoured("Include", BY_SSH),
    idle("IPQoS", ""),
    honoured("KbdInteractiveAuthentication", ""),
    named("KbdInteractiveDevices"),
    named("KexAlgorithms"),
    named("KnownHostsCommand"),
    idle("LocalCommand", OWN_COMMANDS),
    idle("LocalForward", NO_FORWARDS),
    idle("LogLevel", OWN_WORDS),
    idle("LogVerbose", OWN_WORDS),
    named("MACs"),
    honoured("Match", BY_SSH),
    named("NoHostAuthenticationForLocalhost"),
    idle("NumberOfPasswordPrompts", ONCE),
    idle("ObscureKeystrokeTiming", NO_TERMINAL),
    honoured("PasswordAuthentication", ""),
    idle("PermitLocalCommand", OWN_COMMANDS),
    idle("PermitRemoteOpen", NO_FORWARDS),
    named("PKCS11Provider"),
    honoured("Port", ""),
    honoured("PreferredAuthentications", ""),
    honoured("ProxyCommand", ""),
    honoured("ProxyJump", "any number of hosts through one connection"),
    named("ProxyUseFdpass"),
    named("PubkeyAcceptedAlgorithms"),
    honoured("PubkeyAuthentication", ""),
    refused("RefuseConnection", "with its words"),
    idle("RekeyLimit", "keys are made anew as RFC 4253 says"),
    idle("RemoteCommand", OWN_COMMANDS),
    idle("RemoteForward", NO_FORWARDS),
    idle("RequestTTY", NO_TERMINAL),
    named("RequiredRSASize"),
    refused("RevokedHostKeys", "write `@revoked` into known_hosts instead"),
    named("SecurityKeyProvider"),
    honoured("SendEnv", "but for LANG and LC_*: commands speak C.UTF-8"),
    honoured("ServerAliveCountMax", ""),
    honoured("ServerAliveInterval", "15 s where it is 0"),
    idle("SessionType", OWN_COMMANDS),
    honoured("SetEnv", ""),
    idle("StdinNull", OWN_COMMANDS),
    idle("StreamLocalBindMask", NO_FORWARDS),
    idle("StreamLocalBindUnlink", NO_FORWARDS),
    honoured("StrictHostKeyChecking", "`no` and `off` as `accept-new`: a changed key is never accepted"),
    idle("SyslogFacility", OWN_WORDS),
    honoured("Tag", BY_SSH),
    idle("TCPKeepAlive", "dead connections are noticed by ServerAliveInterval"),
    idle("Tunnel", NO_FORWARDS),
    idle("TunnelDevice", NO_FORWARDS),
    idle("UpdateHostKeys", "keys are recorded when they are accepted"),
    honoured("User", ""),
    honoured("UserKnownHostsFile", "new keys go to the first"),
    idle("VerifyHostKeyDNS", "a key that only DNS knows is asked about"),
    idle("VersionAddendum", ""),
    idle("VisualHostKey", OWN_WORDS),
    idle("WarnWeakCrypto", OWN_WORDS),
    idle("XAuthLocation", NO_FORWARDS),
];

/// A keyword by its name, in whatever case.
pub fn keyword(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_stand_in_order_and_once_each() {
        let names: Vec<String> = KEYWORDS.iter().map(|keyword| keyword.name.to_lowercase()).collect();
        assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
    }
}
