//! What is said to an agent and by it: draft-ietf-sshm-ssh-agent, and OpenSSH's PROTOCOL.agent.

use russh::keys::ssh_encoding::{Decode, Encode};

const FAILURE: u8 = 5;
const SUCCESS: u8 = 6;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const EXTENSION: u8 = 27;
const BIND: &str = "session-bind@openssh.com";

/// `SSH_MSG_USERAUTH_REQUEST` (RFC 4252 section 6).
const USERAUTH_REQUEST: u8 = 50;
/// The method that says to whom one logs in (OpenSSH's PROTOCOL, section 3.1).
const HOSTBOUND: &str = "publickey-hostbound-v00@openssh.com";

/// What is asked of an agent, as far as it is understood here.
pub(super) enum Request {
    Identities,
    Bind(Bind),
    Sign(Sign),
}

/// That a connection is another host's, signed by that.
pub(super) struct Bind {
    pub host_key: Vec<u8>,
    pub session: Vec<u8>,
    pub signature: Vec<u8>,
    /// Whether the agent itself is handed on over that connection.
    pub forwarding: bool,
}

/// A signature by `key` is wanted.
pub(super) struct Sign {
    pub key: Vec<u8>,
    pub data: Vec<u8>,
    pub flags: u32,
}

/// What is signed to log in (RFC 4252 section 7).
pub(super) struct Login {
    pub session: Vec<u8>,
    pub user: String,
    pub key: Vec<u8>,
    pub host_key: Option<Vec<u8>>,
}

/// What a request is, if it is whole, and nothing is behind it.
pub(super) fn request(mut bytes: &[u8]) -> Option<Request> {
    let from = &mut bytes;
    let request = match get::<u8>(from)? {
        REQUEST_IDENTITIES => Request::Identities,
        SIGN_REQUEST => Request::Sign(Sign { key: get(from)?, data: get(from)?, flags: get(from)? }),
        EXTENSION if get::<String>(from)? == BIND => Request::Bind(Bind {
            host_key: get(from)?,
            session: get(from)?,
            signature: get(from)?,
            forwarding: get::<u8>(from)? != 0,
        }),
        _ => return None,
    };
    from.is_empty().then_some(request)
}

/// The login that is to be signed, if it is one by a key.
pub(super) fn login(mut bytes: &[u8]) -> Option<Login> {
    let from = &mut bytes;
    let session = get(from)?;
    let request = get::<u8>(from)? == USERAUTH_REQUEST;
    let (user, service, method) = (get(from)?, get::<String>(from)?, get::<String>(from)?);
    let signs = get::<u8>(from)? != 0;
    let (_algorithm, key) = (get::<String>(from)?, get(from)?);
    let host_key = if method == HOSTBOUND { Some(get(from)?) } else { None };
    let is = request && service == "ssh-connection" && (host_key.is_some() || method == "publickey") && signs;
    (is && from.is_empty()).then_some(Login { session, user, key, host_key })
}

fn get<T: Decode>(from: &mut &[u8]) -> Option<T> {
    T::decode(from).ok()
}

/// With its length before it (RFC 4251 section 5).
pub(super) fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 4);
    // A vector takes all that is written to it.
    let _ = bytes.encode(&mut out);
    out
}

pub(super) fn success() -> Vec<u8> {
    vec![SUCCESS]
}

pub(super) fn failure() -> Vec<u8> {
    vec![FAILURE]
}

/// These keys are there; nobody reads their comments.
pub(super) fn identities(keys: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![IDENTITIES_ANSWER];
    out.extend((keys.len() as u32).to_be_bytes());
    keys.iter().for_each(|key| out.extend([string(key), string(b"")].concat()));
    out
}

/// A signature, with its length before it.
pub(super) fn signed(signature: Vec<u8>) -> Vec<u8> {
    [vec![SIGN_RESPONSE], signature].concat()
}
