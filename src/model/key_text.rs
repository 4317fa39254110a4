//! How the secrets of keys are written: `TOKEN_PREFIX` and what tells the kind, as in `vstp_`, 32 random characters of `0–9A–Za–z`
//! (190 bits), and the CRC-32 of all that in six more. So scanners find one, and a mistyped one costs no query.

use crate::error::{Error, Result};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM: usize = 32;
const CHECKSUM: usize = 6;

/// How long `TOKEN_PREFIX` is, and a secret's whole beginning.
pub(super) const OWN: usize = 3;
pub(super) const PREFIX: usize = OWN + 2;

/// A new one that begins so.
pub(super) fn random(prefix: &str) -> Result<String> {
    let mut text = prefix.to_owned();
    while text.len() < PREFIX + RANDOM {
        let mut bytes = [0; RANDOM];
        getrandom::fill(&mut bytes).map_err(Error::internal)?;
        // Of 256 values the last eight would make some digits likelier than others.
        let digits = bytes.iter().filter(|byte| **byte < 248).map(|byte| digit(u32::from(*byte)));
        text.extend(digits.take(PREFIX + RANDOM - text.len()));
    }
    text.push_str(&checksum(&text));
    Ok(text)
}

/// What tells its kind, such as `p_`, where it can be a key: its length, its characters and its checksum are right.
pub(super) fn suffix_of(text: &str) -> Option<&str> {
    let end = PREFIX + RANDOM;
    let is_key = text.len() == end + CHECKSUM
        && text.is_ascii()
        && text.bytes().take(OWN).all(|byte| byte.is_ascii_lowercase())
        && checksum(&text[..end]) == text[end..];
    is_key.then(|| &text[OWN..PREFIX])
}

fn digit(number: u32) -> char {
    char::from(DIGITS[number as usize % DIGITS.len()])
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = ['0'; CHECKSUM];
    for place in digits.iter_mut().rev() {
        *place = digit(rest);
        rest /= DIGITS.len() as u32;
    }
    digits.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_that_others_can_compute() {
        // By Python's `binascii.crc32`, in base 62.
        assert_eq!(checksum(&format!("vstp_{}", "0".repeat(32))), "3sK7nd");
    }
}
