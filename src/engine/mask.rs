//! What a command prints may hold a secret: those that we were told of are known by their value, and join tokens by their
//! shape.

use std::sync::Arc;

use super::Emit;
use crate::secret::{MASK, masked};

/// How every join token of a swarm begins (Docker's reference, `docker swarm join-token`).
const TOKEN: &str = "SWMTKN-";

/// Takes events for `emit`, and masks whatever they say.
pub fn masking(emit: Emit) -> Emit {
    Arc::new(move |mut event| {
        event.texts().into_iter().for_each(|text| *text = tokens(&masked(text)));
        emit(event);
    })
}

/// The text with every join token masked.
fn tokens(text: &str) -> String {
    let mut words = text.split(TOKEN);
    let mut masked = words.next().unwrap_or_default().to_owned();
    for rest in words {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(rest.len());
        masked += MASK;
        masked += &rest[end..];
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_tokens_are_masked_wherever_they_stand() {
        let told = tokens("docker swarm join --token SWMTKN-1-3pu6-abc 10.0.0.1:2377 (SWMTKN-1-x)");
        assert_eq!(told, format!("docker swarm join --token {MASK} 10.0.0.1:2377 ({MASK})"));
        assert_eq!(tokens("nothing here"), "nothing here");
    }
}
