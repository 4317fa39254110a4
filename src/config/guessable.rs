//! Keys that can be guessed.

/// The commonest pairs of letters in English: more than half of those in a sentence, one in ten of those made by chance.
const PAIRS: &str = "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri \
                     ro ic ne ea ra ce li ch ll be ma si om ur el et ta la ss ec ke ey no ot wo us un";

/// Of so many pairs in a hundred a key is made of words. Of keys of 32 random characters one in 100,000 has as many.
const WORDY: usize = 36;

/// Whether a key is made of words, repetitions, sequences or dates rather than by chance.
pub(crate) fn is_guessable(key: &str) -> bool {
    // It counts to the largest number there is, which words in a long row reach as well.
    zxcvbn::zxcvbn(key, &[]).guesses() < u64::MAX || is_made_of_words(key)
}

fn is_made_of_words(key: &str) -> bool {
    let emails: Vec<char> = key.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    let pairs = emails.windows(2).map(|pair| pair.iter().collect::<String>());
    let common = pairs.filter(|pair| PAIRS.split_whitespace().any(|common| common == pair)).count();
    common * 100 >= WORDY * emails.len()
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
