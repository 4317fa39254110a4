//! The database cannot do it now.

/// The database cannot do it now. Nobody who asks can help it, and it passes.
#[derive(Debug)]
pub struct Outage {
    /// Whether every connection from before is in doubt: the server or the file went away, or another one answers now.
    pub is_lost: bool,
    /// For the log and for operators.
    pub cause: anyhow::Error,
}

impl Outage {
    /// Something that only an operator sees, in a sentence.
    pub(crate) fn lost(sentence: impl Into<String>) -> Self {
        Self { is_lost: true, cause: anyhow::anyhow!(sentence.into()) }
    }
}
