//! What was looked at, and how it is.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Health {
    Fine,
    Warning,
    Problem,
}

#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub what: &'static str,
    pub health: Health,
    pub says: String,
}

pub(crate) fn finding(what: &'static str, health: Health, says: impl Into<String>) -> Finding {
    Finding { what, health, says: says.into() }
}
