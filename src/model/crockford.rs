//! Codes that people copy by hand, in Crockford's base 32: without i, l, o and u, which are read as others or make words.

use zeroize::Zeroizing;

use crate::error::{Error, Result};

const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// `length` random letters, of 5 bits each.
pub fn random(length: usize) -> Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    // 256 is a multiple of 32, so every letter is as likely.
    Ok(Zeroizing::new(bytes.iter().map(|byte| LETTERS[usize::from(byte % 32)] as char).collect()))
}

/// The letter that was typed, small; one that is easily mistaken is what it was mistaken for. `None` where it is none.
pub fn read(typed: char) -> Option<char> {
    match typed.to_ascii_lowercase() {
        'o' => Some('0'),
        'i' | 'l' => Some('1'),
        c => (c.is_ascii() && LETTERS.contains(&(c as u8))).then_some(c),
    }
}
