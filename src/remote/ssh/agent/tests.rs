use std::sync::Arc;

use async_trait::async_trait;
use russh::keys::PrivateKey;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode as _;
use russh::keys::ssh_key::private::Ed25519Keypair;
use tokio::io::duplex;

use super::wire::string;
use super::*;
use crate::remote::Proof;

/// Signs by saying what it was to sign.
struct Says(Vec<u8>);

#[async_trait]
impl Proof for Says {
    fn public(&self) -> Vec<u8> {
        self.0.clone()
    }

    async fn sign(&self, data: Vec<u8>, _: u32) -> Result<Vec<u8>, String> {
        Ok(string(&data))
    }
}

fn key() -> PrivateKey {
    Ed25519Keypair::from_seed(&rand::random()).into()
}

fn door(host: &PrivateKey, user: &str) -> Door {
    let host_key = host.public_key().to_openssh().expect("text");
    Door { address: "b".into(), port: 22, user: user.into(), host_key, proof: Arc::new(Says(b"ours".to_vec())) }
}

/// Says that `session` is the connection to `host`.
fn bind(host: &PrivateKey, session: &[u8], forwarding: u8) -> Vec<u8> {
    let signature = host.try_sign(session).expect("signed");
    let mut signed = Vec::new();
    signature.encode(&mut signed).expect("encoded");
    let public = host.public_key().to_bytes().expect("bytes");
    let name = string(b"session-bind@openssh.com");
    [vec![27], name, string(&public), string(session), string(&signed), vec![forwarding]].concat()
}

/// What is signed to log in as `user` on the connection `session`.
fn login(session: &[u8], user: &str, method: &str, behind: &[u8]) -> Vec<u8> {
    let words = [string(user.as_bytes()), string(b"ssh-connection"), string(method.as_bytes())].concat();
    [string(session), vec![50], words, vec![1], string(b"ssh-ed25519"), string(b"ours"), behind.to_vec()].concat()
}

fn sign(data: &[u8]) -> Vec<u8> {
    [vec![13], string(b"ours"), string(data), vec![0; 4]].concat()
}

/// What it answers to these, one after the other, on one connection.
async fn asked(agent: &Agent, requests: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let (mut near, far) = duplex(1 << 20);
    let talk = async {
        let mut answers = Vec::new();
        for request in requests {
            near.write_all(&string(request)).await.expect("written");
            answers.push(read(&mut near).await.expect("an answer"));
        }
        drop(near);
        answers
    };
    tokio::join!(talk, agent.serve(far)).0
}

fn kinds(answers: &[Vec<u8>]) -> Vec<u8> {
    answers.iter().map(|answer| answer[0]).collect()
}

#[tokio::test]
async fn it_signs_one_login_on_a_connection_that_its_host_has_proven() {
    let host = key();
    let agent = Agent::new(vec![door(&host, "ann")]);
    let data = login(b"session", "ann", "publickey", b"");
    let answers = asked(&agent, &[bind(&host, b"session", 0), vec![11], sign(&data), sign(&data)]).await;
    assert_eq!(kinds(&answers), [6, 12, 14, 5], "a second time is one too many");
    assert_eq!(answers[1], [&[12, 0, 0, 0, 1][..], &string(b"ours"), &string(b"")].concat());
    assert_eq!(answers[2], [vec![14], string(&data)].concat());
}

#[tokio::test]
async fn who_proves_nothing_sees_no_key_and_gets_no_signature() {
    let (host, other) = (key(), key());
    let data = login(b"session", "ann", "publickey", b"");
    let agent = || Agent::new(vec![door(&host, "ann")]);
    let none = vec![12, 0, 0, 0, 0];
    for (first, kind) in [(vec![11], 12), (bind(&other, b"session", 0), 6)] {
        let answers = asked(&agent(), &[first, vec![11], sign(&data)]).await;
        assert_eq!((answers[0][0], &answers[1], answers[2][0]), (kind, &none, 5));
    }
    // Signed by another than it says, for another connection, or for one on which the agent is handed on.
    let mut forged = bind(&other, b"session", 0);
    let public = host.public_key().to_bytes().expect("bytes");
    let at = 1 + 4 + 24 + 4;
    forged.splice(at..at + public.len(), public);
    for refused in [forged, bind(&host, b"session", 1), bind(&host, b"session", 0)[..40].to_vec()] {
        assert_eq!(kinds(&asked(&agent(), &[refused, sign(&data)]).await), [5, 5]);
    }
    assert_eq!(kinds(&asked(&agent(), &[bind(&host, b"another", 0), sign(&data)]).await), [6, 5]);
    // Once it is told to whom the connection leads, that stands.
    let twice = [bind(&host, b"session", 0), bind(&other, b"session", 0), sign(&data)];
    assert_eq!(kinds(&asked(&agent(), &twice).await), [6, 5, 14]);
}

#[tokio::test]
async fn nothing_but_the_login_it_was_lent_for_is_signed() {
    let host = key();
    let public = host.public_key().to_bytes().expect("bytes");
    let right = login(b"session", "ann", "publickey-hostbound-v00@openssh.com", &string(&public));
    let wrong = [
        login(b"session", "root", "publickey", b""),
        login(b"session", "ann", "hostbased", b""),
        login(b"session", "ann", "publickey", b"more"),
        login(b"session", "ann", "publickey-hostbound-v00@openssh.com", &string(b"another's key")),
        b"any text".to_vec(),
    ];
    let agent = Agent::new(vec![door(&host, "ann")]);
    let requests: Vec<_> = std::iter::once(bind(&host, b"session", 0))
        .chain(wrong.iter().map(|data| sign(data)))
        .chain([[vec![13], string(b"another"), string(&right), vec![0; 4]].concat(), vec![1, 2, 3], Vec::new()])
        .chain([sign(&right)])
        .collect();
    assert_eq!(kinds(&asked(&agent, &requests).await), [6, 5, 5, 5, 5, 5, 5, 5, 5, 14]);
}
