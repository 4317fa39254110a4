//! What people want to be called.

use crate::mail::address::is_invisible;

/// What a person wants to be called: 1 to 80 characters, without line breaks. Attackers' text: escaped in pages,
/// left out of mails where it could be more than a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    /// The most characters in a name.
    pub(crate) const MAX_CHARS: usize = 80;

    /// The name as typed, without the blanks around it, or a sentence about what is wrong with it.
    pub(crate) fn parse(typed: &str) -> Result<Self, String> {
        let name = typed.trim();
        if name.is_empty() {
            return Err("Enter a name.".to_owned());
        }
        if name.chars().count() > Self::MAX_CHARS {
            return Err(format!("Use at most {} characters.", Self::MAX_CHARS));
        }
        if name.chars().any(turns_text) {
            return Err("Use letters, without line breaks or control characters.".to_owned());
        }
        if name.chars().all(is_invisible) {
            return Err("Enter a name that can be seen.".to_owned());
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as text of its own.
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// Whether a name has characters that nobody sees, or that turn what stands around them. Joiners belong to words and to
/// emoji, between two characters that are seen (UTS 39 §3.1.1, UTS 51 §2.3), and so does what chooses how one is drawn.
pub(crate) fn hides_something(name: &str) -> bool {
    let chars: Vec<char> = name.chars().collect();
    let is_seen = |at: usize| chars.get(at).is_some_and(|c| *c != ' ' && !is_invisible(*c));
    let is_drawing = |c: char| matches!(c, '\u{fe0e}' | '\u{fe0f}');
    // What is before, but for how it is drawn.
    let follows = |at: usize| match at.checked_sub(1) {
        Some(before) if is_drawing(chars[before]) => before.checked_sub(1).is_some_and(is_seen),
        Some(before) => is_seen(before),
        None => false,
    };
    chars.iter().enumerate().any(|(at, c)| match c {
        ' ' => false,
        '\u{200c}' | '\u{200d}' => !follows(at) || !is_seen(at + 1),
        c if is_drawing(*c) => !at.checked_sub(1).is_some_and(is_seen),
        // The letters of the flags of England, Scotland and Wales (UTS 51 §2.2), after theirs.
        '\u{e0020}'..='\u{e007f}' => {
            let base = chars[..at].iter().rev().find(|c| !matches!(c, '\u{e0020}'..='\u{e007f}'));
            base != Some(&'\u{1f3f4}')
        }
        c => is_invisible(*c),
    })
}

/// Whether a character breaks the line, or turns what stands around it (UAX 9 §2, UTS 36 §3.4). Joiners belong to names.
fn turns_text(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_hides_nothing() {
        for name in [
            "a\u{202e}b",
            "a\u{200b}b",
            "\u{200d}a",
            "a\u{200d}",
            "a \u{200d}b",
            "a\u{fe0f}\u{fe0f}",
            "\u{feff}a",
            "a\u{2800}",
            "a\u{e0061}",
            "a\u{2066}b",
            "a\u{200c}\u{200d}b",
        ] {
            assert!(hides_something(name), "{name:?}");
        }
        for name in [
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "👩\u{200d}🚀 Crew",
            "🏳\u{fe0f}\u{200d}🌈",
            "❤\u{fe0f}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "Acme  Ltd",
        ] {
            assert!(!hides_something(name), "{name:?}");
        }
    }
}
