//! What a command prints may hold a secret that nobody told us of: join tokens are known by their shape.

use crate::secret::MASK;

/// How every join token of a swarm begins (Docker's reference, `docker swarm join-token`).
const TOKEN: &str = "SWMTKN-";

/// The text with every join token masked.
pub fn tokens(text: &str) -> String {
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
