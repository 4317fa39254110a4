//! Email addresses of users (RFC 7643 §4.1.2).

use scim_v2::filter::{CompValue, ValFilter};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    attributes::{alone, boolean, keep, text},
    lowered,
    patch::plain_equality,
    refused::{ScimType, invalid},
};
use crate::error::Result;

/// One email address of a user.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct EmailValue {
    /// The address, as it was sent.
    #[serde(default)]
    pub value: String,
    /// What it is for.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether it is the one that counts, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
}

/// The most email addresses of one user.
const MOST: usize = 8;

/// A list of addresses, as objects or as texts, or a single one, and whether all of it could be read.
pub(super) fn emails(value: &Value) -> (Vec<EmailValue>, bool) {
    let list = match value {
        Value::Null => return (Vec::new(), true),
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let (mut emails, mut is_all): (Vec<EmailValue>, bool) = (Vec::new(), true);
    for one in list {
        let mut email = EmailValue::default();
        is_all &= write_email(&mut email, one);
        if email.primary == Some(true) && emails.iter().any(|known| known.primary == Some(true)) {
            email.primary = Some(false);
        }
        emails.push(email);
    }
    emails.retain(|email| !email.value.is_empty());
    (emails, is_all)
}

/// Leaves out what is too many, never the one that counts. Says whether all could stay.
pub(super) fn keep_few(emails: &mut Vec<EmailValue>) -> bool {
    let are_few = emails.len() <= MOST;
    while emails.len() > MOST {
        let last = emails.iter().rposition(|email| email.primary != Some(true));
        emails.remove(last.unwrap_or(MOST));
    }
    are_few
}

/// An address as an object with the parts that change, or as a text; null and an empty list empty it. Says whether all of it could be
/// read.
pub(super) fn write_email(email: &mut EmailValue, value: &Value) -> bool {
    let mut is_all = true;
    match alone(value) {
        Value::Object(parts) => {
            for (part, value) in lowered(parts.clone()) {
                is_all &= match part.as_str() {
                    "primary" if value.is_null() => true,
                    "value" | "type" | "primary" => write_part(email, &part, &value),
                    _ => true,
                };
            }
        }
        value => is_all = write_part(email, "value", value),
    }
    is_all
}

/// A part of an address. Says whether it could be read, and is one that is kept.
pub(super) fn write_part(email: &mut EmailValue, part: &str, value: &Value) -> bool {
    match part {
        "value" => keep(&mut email.value, text("emails", value).map(Option::unwrap_or_default)),
        "type" => keep(&mut email.kind, text("emails", value)),
        "primary" => keep(&mut email.primary, boolean("primary", value)),
        _ => false,
    }
}

/// An address that a filter would choose. `noTarget` where it does not say plainly which that is.
pub(super) fn as_filtered(chosen: &ValFilter) -> Result<EmailValue> {
    let email = EmailValue::default();
    match plain_equality(chosen) {
        Some((name, CompValue::Str(text))) if name == "type" => {
            Ok(EmailValue { kind: Some(text.clone()), ..email })
        }
        Some((name, CompValue::Str(text))) if name == "value" => {
            Ok(EmailValue { value: text.clone(), ..email })
        }
        Some((name, CompValue::True)) if name == "primary" => Ok(EmailValue { primary: Some(true), ..email }),
        _ => Err(invalid(ScimType::NoTarget, "A filter chooses no address.")),
    }
}
