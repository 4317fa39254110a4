//! What was checked, and what came of it, for the list of attempts and for a test sign-in.

use serde::Serialize;

use super::{Reason, claims::Claims};

/// One check, in plain words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Check {
    /// What should be so.
    pub says: &'static str,
    /// Why it is not so; none where it is.
    pub failed: Option<Reason>,
    /// What should have come, where that is one thing.
    pub expected: Option<String>,
    /// What came. Text of the provider's.
    pub found: Option<String>,
}

/// Something of a provider's that is refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    /// Why: the first check that failed.
    pub reason: Reason,
    /// What came instead, where that helps: the issuer of a document, an error of the provider's and its description. Text of
    /// a stranger's, without control characters and at most 1,024 characters.
    pub found: Option<String>,
    /// The checks that were made.
    pub checks: Vec<Check>,
    /// What the provider said and signed, for a test sign-in; never to be acted on. None: anybody can have written it.
    pub claims: Option<Claims>,
}

impl Refusal {
    /// One that has something to show.
    pub(super) fn with(reason: Reason, found: &str) -> Box<Self> {
        Box::new(Self { found: Some(shown(found)), ..Self::from(reason) })
    }

    /// What is wrong, in one or two sentences, with what came.
    pub(crate) fn sentence(&self) -> String {
        match &self.found {
            Some(found) => format!("{} It sent: {found}", self.reason.sentence()),
            None => self.reason.sentence().to_owned(),
        }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, found: None, checks: Vec::new(), claims: None }
    }
}

impl From<Reason> for Box<Refusal> {
    fn from(reason: Reason) -> Self {
        Box::new(reason.into())
    }
}

/// A text of a stranger's as it can be shown.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(1024).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The checks so far.
#[derive(Default)]
pub(super) struct Checks(pub Vec<Check>);

impl Checks {
    /// Notes one check, and passes on what it found.
    pub(super) fn note<T>(
        &mut self,
        says: &'static str,
        outcome: Result<T, Reason>,
        expected: Option<&str>,
        found: Option<String>,
    ) -> Option<T> {
        let found = found.as_deref().map(shown);
        let failed = outcome.as_ref().err().copied();
        self.0.push(Check { says, failed, expected: expected.map(str::to_owned), found });
        outcome.ok()
    }

    /// The refusal by the first check that failed, if one did.
    pub(super) fn refusal(&self) -> Option<Reason> {
        self.0.iter().find_map(|check| check.failed)
    }
}
