//! The user's SSH agent. It is a program like any other, and may hang; or it waits for a person.

use std::path::{Path, PathBuf};

use russh::keys::HashAlg;
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use tokio::net::UnixStream;
use tokio::time::{Duration, timeout};

/// How long an agent may take to say which keys it holds.
const LIST: Duration = Duration::from_secs(5);

/// How long it may take to sign: a person may have to nod, or to touch a key.
const SIGN: Duration = Duration::from_secs(20);

/// What an agent holds; nothing where there is none.
#[derive(Default)]
pub(super) struct Held {
    pub socket: PathBuf,
    pub keys: Vec<AgentIdentity>,
    /// That it takes connections and does not answer, for people.
    pub silence: Option<String>,
}

impl Held {
    /// Asks the agent at that socket.
    pub async fn by(socket: &Path) -> Self {
        let asked = timeout(LIST, async { connect(socket).await?.request_identities().await.ok() }).await;
        let silence = asked.is_err().then(|| format!("the agent at {} does not answer", socket.display()));
        if let Some(silence) = &silence {
            tracing::warn!("{silence}; its keys are not offered");
        }
        Self { socket: socket.into(), keys: asked.ok().flatten().unwrap_or_default(), silence }
    }
}

/// Has the agent sign.
pub(super) async fn sign(
    socket: &Path,
    identity: &AgentIdentity,
    hash: Option<HashAlg>,
    data: Vec<u8>,
) -> Result<Vec<u8>, String> {
    let signing = timeout(SIGN, async {
        let mut agent = connect(socket).await.ok_or("does not answer any more")?;
        agent.sign_request(identity, hash, data).await.map_err(|error| format!("did not sign: {error}"))
    });
    let signed = signing.await.unwrap_or_else(|_| Err(format!("did not sign within {SIGN:.0?}")));
    signed.map_err(|why| format!("the agent at {} {why}", socket.display()))
}

async fn connect(socket: &Path) -> Option<AgentClient<UnixStream>> {
    AgentClient::connect_uds(socket).await.ok()
}
