//! Whether a downloaded key is the one that is published: its fingerprint is computed here, from its very bytes.
//!
//! apt trusts every key in a keyring, so it must hold exactly one primary key. Packets as in RFC 4880 section 4, the
//! fingerprint of a version 4 key as in section 12.2.

use data_encoding::{BASE64, HEXUPPER};
use sha1::{Digest, Sha1};

const PUBLIC_KEY: u8 = 6;
/// Signature, user id, public subkey, user attribute: what may come with a key.
const BELONGINGS: &[u8] = &[2, 13, 14, 17];

/// The fingerprints of the primary keys in an armored keyring; nothing where it cannot be understood wholly.
pub(super) fn fingerprints(armored: &str) -> Option<Vec<String>> {
    let bytes = dearmored(armored)?;
    let mut rest = &bytes[..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (tag, body, after) = packet(rest)?;
        match tag {
            PUBLIC_KEY => found.push(fingerprint(body)?),
            tag if BELONGINGS.contains(&tag) => {}
            _ => return None,
        }
        rest = after;
    }
    Some(found)
}

/// The bytes of the one armored block that the text must be (RFC 4880 section 6.2): headers end at a blank line, `=`
/// begins the checksum.
fn dearmored(text: &str) -> Option<Vec<u8>> {
    let text = text.replace('\r', "");
    let block = text.trim().strip_prefix("-----BEGIN PGP PUBLIC KEY BLOCK-----\n")?;
    let block = block.strip_suffix("-----END PGP PUBLIC KEY BLOCK-----")?;
    let (headers, body) = block.split_once("\n\n").or_else(|| Some(("", block.strip_prefix('\n')?)))?;
    let headed = headers.lines().all(|line| line.contains(": "));
    let data: String = body.lines().take_while(|line| !line.starts_with('=')).map(str::trim).collect();
    BASE64.decode(data.as_bytes()).ok().filter(|_| headed && !body.contains("-----"))
}

/// The first packet's tag and body, and what follows it.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (tag, (length, rest)) = match first & 0xC0 {
        0x80 => ((first >> 2) & 0x0F, old_length(first & 3, rest)?),
        0xC0 => (first & 0x3F, new_length(rest)?),
        _ => return None,
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

fn old_length(kind: u8, bytes: &[u8]) -> Option<(usize, &[u8])> {
    if kind == 3 { None } else { number(1 << kind, bytes) }
}

/// Partial lengths do not occur in keys.
fn new_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [length @ 0..=191, rest @ ..] => Some((usize::from(*length), rest)),
        [a @ 192..=223, b, rest @ ..] => Some((((usize::from(*a) - 192) << 8) + usize::from(*b) + 192, rest)),
        [255, rest @ ..] => number(4, rest),
        _ => None,
    }
}

fn number(digits: usize, bytes: &[u8]) -> Option<(usize, &[u8])> {
    let number = bytes.get(..digits)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    Some((number, bytes.get(digits..)?))
}

/// Of a version 4 key: SHA-1 over 0x99, its length in two bytes, and the key packet's body.
fn fingerprint(body: &[u8]) -> Option<String> {
    let length = u16::try_from(body.len()).ok().filter(|_| body.first() == Some(&4))?;
    let digest = Sha1::new().chain_update([0x99]).chain_update(length.to_be_bytes()).chain_update(body).finalize();
    Some(HEXUPPER.encode(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = include_str!("testdata/one.asc");
    const TWO: &str = include_str!("testdata/two.asc");

    #[test]
    fn fingerprints_are_those_that_gpg_shows() {
        assert_eq!(fingerprints(ONE).unwrap(), ["6E1E59E35F72FEE5E2B7700FB47FFE220B24339D"]);
    }

    #[test]
    fn a_second_key_in_the_ring_is_seen() {
        let both = ["6E1E59E35F72FEE5E2B7700FB47FFE220B24339D", "31E6B971F9FFB39EE827B3D0F8F7B6E0C23AAB4F"];
        assert_eq!(fingerprints(TWO).unwrap(), both);
    }

    #[test]
    fn what_is_not_one_whole_key_block_is_not_understood() {
        assert_eq!(fingerprints("<html>Sign in to the network</html>"), None);
        assert_eq!(fingerprints(&format!("{ONE}{TWO}")), None);
        assert_eq!(fingerprints(&ONE.replace("mDMEawO2", "mDMEawO")), None);
    }
}
