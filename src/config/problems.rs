//! What is wrong with the settings.

use std::fmt;

/// Everything that is wrong with the settings, a sentence each, with what to write instead.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Problems(pub(super) Vec<String>);

impl Problems {
    /// The sentences.
    pub(crate) fn sentences(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "Please check the settings:")?;
        self.0.iter().try_for_each(|problem| writeln!(out, "  - {problem}"))
    }
}

impl std::error::Error for Problems {}
