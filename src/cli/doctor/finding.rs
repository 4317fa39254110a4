//! What was looked at, and how it is.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Fine,
    Warning,
    Problem,
}

#[derive(Debug, Serialize)]
pub struct Finding {
    pub what: &'static str,
    pub health: Health,
    pub says: String,
}

pub fn finding(what: &'static str, health: Health, says: impl Into<String>) -> Finding {
    Finding { what, health, says: says.into() }
}
