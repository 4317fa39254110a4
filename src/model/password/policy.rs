//! Why a new password is refused: NIST SP 800-63B §5.1.1.2. Length and guessability, no rules of composition.
//!
//! Only new passwords are asked these questions; whoever signs in with an old one is let in.

use std::borrow::Cow;
use std::collections::BTreeSet;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use zxcvbn::matching::Match;
use zxcvbn::matching::patterns::MatchPattern;

use super::{LONGEST, Password};
use crate::error::Errors;

/// The fewest characters of a password, counted after normalisation (NFC).
pub(crate) const SHORTEST: usize = 8;

const TOO_SHORT: &str = "Use at least 8 characters.";
const TOO_LONG: &str = "Use at most 256 characters.";
const TOO_COMMON: &str = "This password is too common and easy to guess. Choose another.";
const TOO_NEAR: &str =
    "Your password is mostly your address, your name or our name. Choose something that others cannot guess.";

/// What somebody who knows of the account would try first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Context<'a> {
    /// The account's address as it was spelled, or nothing.
    pub address: &'a str,
    /// The person's name, or nothing.
    pub name: &'a str,
    /// What this installation calls itself.
    pub app: &'a str,
}

/// Why this new password is refused, one sentence each; none where it is fine.
///
/// Any Unicode is taken, NUL and other control characters too. This is work for the processor (about 0.1 ms,
/// a few at most, and 12 ms once), so it belongs outside transactions.
pub(crate) fn weaknesses(password: &str, context: &Context) -> Vec<&'static str> {
    // NFC makes one character of three jamo or a letter and three accents, so of 12 bytes at the very most:
    // what is longer than this is too long whatever it says, and is not worth normalising.
    if password.len() > LONGEST * 12 {
        return vec![TOO_LONG];
    }
    let password = ComposingNormalizerBorrowed::new_nfc().normalize(password);
    match password.chars().count() {
        ..SHORTEST => return vec![TOO_SHORT],
        SHORTEST..=LONGEST => {}
        _ => return vec![TOO_LONG],
    }
    let mut reasons = Vec::new();
    let lower = password.to_lowercase();
    if is_common(&lower) || is_common_with_digits(&lower) {
        reasons.push(TOO_COMMON);
    }
    if is_near(&password, context) {
        reasons.push(TOO_NEAR);
    }
    reasons
}

/// The most characters that the estimator is shown: its longest word has 20, and its work grows steeply.
const SHOWN: usize = 32;
/// Fewer guesses than this are no obstacle, whatever the pattern.
const FEW_GUESSES: u64 = 10_000;
/// How many readings of digits and signs as letters the estimator may try. No listed password needs as many.
const READINGS: usize = 16;
/// How many characters stand before the password when the estimator looks: see [`is_common`].
const MARGIN: usize = 6;
/// Common since the estimator's list was made.
const NEWCOMERS: &[&str] = &[
    "1g2w3e4r",
    "aa12345678",
    "abcd@1234",
    "admin1234",
    "admin@123",
    "changeme123",
    "contraseña",
    "demo1234",
    "guest123",
    "heslo1234",
    "india@123",
    "letmein123",
    "login123",
    "minecraft1",
    "p@ssw0rd1",
    "pass@123",
    "passw0rd!",
    "password1!",
    "password123!",
    "password@123",
    "princess123",
    "qwerty123!",
    "root1234",
    "test@123",
    "user1234",
    "welcome@123",
    "zaq1@wsx",
];

/// Whether a (lower-case) password is a word of the estimator's lists or a pattern of a few guesses.
///
/// Left alone, the estimator prefers two cheap words to one dear one (`password`, `0` to `password0`), so a
/// listed password can hide. Behind a margin the two become three, which it holds for dearer than any one
/// word, and a listed password always comes out whole.
fn is_common(password: &str) -> bool {
    if NEWCOMERS.contains(&password) {
        return true;
    }
    let chars: Vec<char> = password.chars().collect();
    let Some(shown) = shown(&chars) else { return false };
    if readings(shown) > READINGS {
        return false;
    }
    let margin = if shown.starts_with(&['\u{1}']) { '\u{2}' } else { '\u{1}' };
    let behind_margin: String = std::iter::repeat_n(margin, MARGIN).chain(shown.iter().copied()).collect();
    let estimate = zxcvbn::zxcvbn(&behind_margin, &[]);
    match estimate.sequence() {
        [_, whole] if whole.i == MARGIN => is_easy(whole),
        _ => false,
    }
}

/// The fewest letters of a word that digits behind it do not make any better: `pass12345` is let through.
const WORD: usize = 5;
/// As many digits as a date has. More are no obstacle only where they are a pattern themselves.
const DATE: usize = 8;

/// Whether a (lower-case) password is a common word with a year or other digits behind it, and perhaps a sign behind them:
/// `winter2024!`. Whoever has to have another every season chooses so, and attackers know it.
fn is_common_with_digits(password: &str) -> bool {
    let without_signs = password.trim_end_matches(|c: char| !c.is_alphanumeric());
    let word = without_signs.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &without_signs[word.len()..];
    let is_followed = !digits.is_empty() && (digits.len() <= DATE || is_common(digits));
    is_followed && word.chars().filter(|c| c.is_alphabetic()).count() >= WORD && is_common(word)
}

/// Whether one pattern is no obstacle: a listed word, that word repeated, or anything of a few guesses.
fn is_easy(pattern: &Match) -> bool {
    match &pattern.pattern {
        MatchPattern::Dictionary(_) => true,
        MatchPattern::Repeat(repeat) if matches!(repeat.base_matches.as_slice(), [base] if is_easy(base)) => {
            true
        }
        _ => pattern.guesses.is_some_and(|guesses| guesses < FEW_GUESSES),
    }
}

/// The part of a password that stands for the whole: all of a short one, a few rounds of one that repeats
/// itself, and nothing of any other, which is too long to be a word.
fn shown(password: &[char]) -> Option<&[char]> {
    if password.len() <= SHOWN {
        return Some(password);
    }
    let period = (1..=SHOWN).find(|&period| password[period..] == password[..password.len() - period])?;
    Some(&password[..SHOWN / period * period])
}

/// How many ways there are to read the signs of a password as letters (`p4$$w0rd`). The estimator tries them
/// all, so a password of nothing but such signs would keep it busy for half a second.
fn readings(password: &[char]) -> usize {
    ["4@", "({[<", "69", "1!|", "1|7", "$5", "+7"]
        .iter()
        .map(|signs| signs.chars().filter(|sign| password.contains(sign)).count().max(1))
        .product()
}

/// Whether a password is made of the context's words, with or without digits and signs around them.
fn is_near(password: &str, context: &Context) -> bool {
    let words = words(context);
    let password = alphanumerics(password);
    [password.as_str(), bare(&password)].iter().any(|password| match password.chars().count() {
        ..3 => false,
        3 => words.iter().any(|word| word == password),
        _ => is_made_of(password, &words),
    })
}

/// Whether `text` is one of `words` or several of them in a row.
fn is_made_of(text: &str, words: &BTreeSet<String>) -> bool {
    let mut ends = BTreeSet::from([0]);
    while let Some(start) = ends.pop_first() {
        let rest = &text[start..];
        if rest.is_empty() {
            return true;
        }
        ends.extend(
            words.iter().filter(|word| rest.starts_with(word.as_str())).map(|word| start + word.len()),
        );
    }
    false
}

/// The context's words of two letters and more, each as it stands and bare.
fn words(context: &Context) -> BTreeSet<String> {
    let (local, domain) = context.address.rsplit_once('@').unwrap_or((context.address, ""));
    let label = domain.split('.').next().unwrap_or_default();
    let wholes = [context.app, context.address, local, domain, label, context.name];
    let parts = [context.app, context.name, local]
        .into_iter()
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    let mut words = BTreeSet::new();
    // An account has a handful of words. A name that is a book is not worth reading to the end.
    for word in wholes.into_iter().chain(parts.take(24)) {
        let word = alphanumerics(word);
        words.insert(bare(&word).to_owned());
        words.insert(word);
    }
    words.retain(|word| word.chars().nth(1).is_some());
    words
}

/// Letters and digits alone, without regard to case.
fn alphanumerics(text: &str) -> String {
    let text = ComposingNormalizerBorrowed::new_nfc().normalize(text);
    let folded: Cow<str> = CaseMapper::new().fold_string(&text);
    folded.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Without the digits at both ends.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| !c.is_alphabetic())
}

/// Judges a new password, typed twice where `repeat` is there; `field` is the input that its weaknesses belong to.
pub(crate) fn judge(
    field: &'static str,
    password: &Password,
    repeat: Option<&Password>,
    context: &Context,
) -> Result<(), Errors> {
    let mut errors = Errors::default();
    for weakness in weaknesses(password.reveal(), context) {
        errors.add(field, weakness);
    }
    if repeat.is_some_and(|repeat| repeat.reveal() != password.reveal()) {
        errors.add("repeat", "The two are not the same. Type the new password again.");
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

#[cfg(test)]
mod tests;
