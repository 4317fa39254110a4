//! What people want to be called.

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
        if name.chars().any(char::is_control) {
            return Err("Use letters, without line breaks or control characters.".to_owned());
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
