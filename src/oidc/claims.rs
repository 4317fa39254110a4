//! What a provider says about a person (OpenID Connect Core 1.0 §5.1), by name and type.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;

// The end of the year 9999, in seconds since 1970.
const LATEST: i64 = 253_402_300_799;

// What says of the claim `email` that it is verified.
const VERIFIES: [&str; 2] = ["email_verified", "xms_edov"];

/// Claims as they came. What is of another type than asked for is as good as not there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Claims(pub(super) Map<String, Value>);

impl Claims {
    /// What an object says. A claim that is null or blank says that nothing is told (OpenID Connect Core §5.3.2).
    pub(super) fn read(mut object: Map<String, Value>) -> Self {
        object
            .retain(|_, value| !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty()));
        Self(object)
    }

    /// A claim as it came.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text that is not blank.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str().filter(|text| !text.trim().is_empty())
    }

    /// The texts of a list, or the one text that stands for a list.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        match self.get(name) {
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(text)) => vec![text],
            _ => Vec::new(),
        }
    }

    /// Whether a claim is `true`, as JSON or, as some write it, as text. `"false"` is false.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| *value == Value::Bool(true) || value.as_str() == Some("true"))
    }

    /// A text that can identify somebody: 1 to 255 characters, no control characters, no blanks around it.
    pub(crate) fn identifier(&self, name: &str) -> Option<&str> {
        let text = self.text(name)?;
        let is_plain = text.trim() == text && !text.contains(char::is_control);
        (is_plain && text.chars().count() <= 255).then_some(text)
    }

    /// A NumericDate (RFC 7519 §2), to the second; none outside of the years 1970 to 9999.
    pub(super) fn moment(&self, name: &str) -> Option<Timestamp> {
        let number = self.get(name)?;
        #[expect(clippy::cast_possible_truncation, reason = "what is out of range saturates, and is refused")]
        let seconds = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64))?;
        (0..=LATEST).contains(&seconds).then(|| Timestamp::from_unix(seconds))
    }

    /// Whether somebody's groups are too many to be told: Entra names where they could be asked for instead, or says so.
    pub(crate) fn has_left_groups_out(&self) -> bool {
        let elsewhere = self.get("_claim_names").and_then(|names| names.get("groups"));
        elsewhere.is_some() || self.is_true("hasgroups")
    }

    /// Every claim with its values, as text.
    pub(crate) fn listed(&self) -> Vec<(String, Vec<String>)> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let values = |value: &Value| match value {
            Value::Array(values) => values.iter().map(text).collect(),
            value => vec![text(value)],
        };
        self.0.iter().map(|(name, value)| (name.clone(), values(value))).collect()
    }

    /// Adds what user information says besides (OpenID Connect Core §5.3.2). What the signed token says stays, and an address
    /// is verified only by what is said beside it.
    pub(crate) fn add_userinfo(&mut self, mut userinfo: Claims) {
        match (self.get("email"), userinfo.get("email")) {
            (None, Some(_)) => self.0.retain(|name, _| !VERIFIES.contains(&name.as_str())),
            (Some(ours), theirs) if Some(ours) != theirs => {
                userinfo.0.retain(|name, _| !VERIFIES.contains(&name.as_str()));
            }
            _ => {}
        }
        for (name, value) in userinfo.0 {
            self.0.entry(name).or_insert(value);
        }
    }
}
