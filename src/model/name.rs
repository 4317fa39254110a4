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

/// Whether a character breaks the line, or turns what stands around it (UAX 9 §2, UTS 36 §3.4). Joiners belong to names.
fn turns_text(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
