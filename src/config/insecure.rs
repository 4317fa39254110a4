//! What production does not start with unless `ALLOW_INSECURE` names it, and what development does not serve.

use super::{Site, values::Reader};

/// Something that is not safe, and that an operator may want all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insecurity {
    /// Confirming an address by GET.
    VerifyOnGet,
    /// A secret key that can be guessed.
    WeakKey,
    /// Emails that travel unencrypted.
    Smtp,
    /// Rows that travel unencrypted, or to a server that did not prove its name.
    Postgres,
    /// Development mode that others can reach.
    Development,
}

impl Insecurity {
    /// Each with its word in `ALLOW_INSECURE`.
    pub const WORDS: [(&str, Insecurity); 5] = [
        ("verify_on_get", Insecurity::VerifyOnGet),
        ("weak_key", Insecurity::WeakKey),
        ("smtp", Insecurity::Smtp),
        ("postgres", Insecurity::Postgres),
        ("development", Insecurity::Development),
    ];

    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, what)| *what == self).map_or("", |(word, _)| word)
    }
}

impl Reader {
    /// Reads `ALLOW_INSECURE`.
    pub fn read_allowed(&mut self) {
        for word in self.list("ALLOW_INSECURE") {
            match Insecurity::WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&word)) {
                Some((_, what)) => self.allowed.push(*what),
                None if word.eq_ignore_ascii_case("none") => {}
                None => {
                    let words = Insecurity::WORDS.map(|(word, _)| word).join(", ");
                    self.problem("ALLOW_INSECURE", &word, &format!("some of {words}, or leave it out"));
                }
            }
        }
    }

    /// Refuses what `is` unsafe, or only warns of it where `ALLOW_INSECURE` names it. `instead` is what to write.
    pub fn refuse_insecure(&mut self, what: Insecurity, is: &str, instead: &str) {
        let refusal = self.unless_allowed(what, is, instead, "where that is meant");
        self.problems.extend(refusal);
    }

    /// Why `serve` does not start where development mode could be reached by others: it is for the machine it runs on.
    pub fn exposed_development(&mut self, site: &Site, is_set: bool) -> Option<String> {
        if site.is_loopback() {
            return None;
        }
        let name = if is_set { "BASE_URL" } else { "LISTEN (which BASE_URL follows)" };
        let is = format!(
            "{name} is `{}`, which is not this machine, and development mode is safe on one machine only",
            site.origin()
        );
        self.unless_allowed(
            Insecurity::Development,
            &is,
            "http://localhost:3000, MODE=production for real accounts",
            "to try it on a phone in your own network",
        )
    }

    /// The refusal, unless `ALLOW_INSECURE` turns it into a warning.
    fn unless_allowed(&mut self, what: Insecurity, is: &str, instead: &str, when: &str) -> Option<String> {
        let word = what.word();
        if self.allowed.contains(&what) {
            self.warnings.push(format!("{is}. ALLOW_INSECURE={word} allows it."));
            return None;
        }
        Some(format!("{is}. Write {instead}, or ALLOW_INSECURE={word} {when}."))
    }
}

/// The commonest pairs of letters in English: more than half of those in a sentence, one in ten of those made by chance.
const PAIRS: &str = "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri \
                     ro ic ne ea ra ce li ch ll be ma si om ur el et ta la ss ec ke ey no ot wo us un";

/// Of so many pairs in a hundred a key is made of words. Of keys of 32 random characters one in 100,000 has as many.
const WORDY: usize = 36;

/// Whether a key is made of words, repetitions, sequences or dates rather than by chance.
pub fn is_guessable(key: &str) -> bool {
    // It counts to the largest number there is, which words in a long row reach as well.
    zxcvbn::zxcvbn(key, &[]).guesses() < u64::MAX || is_made_of_words(key)
}

fn is_made_of_words(key: &str) -> bool {
    let letters: Vec<char> = key.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    let pairs = letters.windows(2).map(|pair| pair.iter().collect::<String>());
    let common = pairs.filter(|pair| PAIRS.split_whitespace().any(|common| common == pair)).count();
    common * 100 >= WORDY * letters.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_from_chance() {
        for (key, expected) in [
            ("the key of a house that stands for one test", true),
            ("change-me-please-this-is-not-a-secret-key", true),
            ("thisisaverylongsecretkeyforproduction", true),
            ("replace this with 32 characters or more", true),
            ("super-secret-key-that-nobody-will-guess-2026", true),
            ("ThisIsTheSecretKeyOfOurCompanyServer", true),
            ("VestibuleSecretKey2026VestibuleSecretKey", true),
            ("your-256-bit-secret-your-256-bit-secret", true),
            ("correct horse battery staple correct horse", true),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true),
            ("11111111111111112222222222222222", true),
            ("00000000-0000-0000-0000-000000000000", true),
            ("01010110101010111010101010101010", true),
            ("qwertyuiopasdfghjklzxcvbnm1234567890", true),
            ("9f86d081884c7d659a2feaa0c55ad015", false),
            ("d41d8cd98f00b204e9800998ecf8427e", false),
            ("3q2+7wAAAACrze8BI0VniavN7wEjRWeJ", false),
            ("550e8400-e29b-41d4-a716-446655440000", false),
            ("jvqkzmwpxhrbtlfgycndsaoeiuxwqzkv", false),
            ("83920174650192837465564738291029", false),
        ] {
            assert_eq!(is_guessable(key), expected, "{key}");
        }
    }
}
