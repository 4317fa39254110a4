//! Single values of attributes, as they come.

use serde_json::Value;

use super::{
    LONGEST,
    refused::{ScimType, invalid},
};
use crate::error::{Error, Result};

/// [`ScimType::InvalidValue`] of an attribute.
pub(super) fn wrong(name: &str, why: &str) -> Error {
    invalid(ScimType::InvalidValue, format!("{name} {why}."))
}

/// What a list of one has in it; an empty list is null (RFC 7643 §2.5).
pub(super) fn alone(value: &Value) -> &Value {
    match value {
        Value::Array(list) if list.is_empty() => &Value::Null,
        Value::Array(list) if list.len() == 1 => alone(&list[0]),
        value => value,
    }
}

/// The single value that is meant, however it is wrapped: in a list of one, and as `value` of an object.
pub(super) fn single(value: &Value) -> &Value {
    match alone(value) {
        Value::Object(parts) => {
            let found = parts.iter().find(|(part, _)| part.eq_ignore_ascii_case("value"));
            found.map_or(value, |(_, value)| single(value))
        }
        value => value,
    }
}

/// Keeps an optional value where it can be read. Says whether it was.
pub(super) fn keep<T>(place: &mut T, read: Result<T>) -> bool {
    match read {
        Ok(value) => {
            *place = value;
            true
        }
        Err(_) => false,
    }
}

/// A text, or nothing where it is null or blank. A number is taken for its digits.
pub(super) fn text(name: &str, value: &Value) -> Result<Option<String>> {
    let text = match single(value) {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return Err(wrong(name, "is no text")),
    };
    if text.chars().count() > LONGEST {
        return Err(wrong(name, "has more than 256 characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(wrong(name, "has control characters"));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// The same of what must not be blank.
pub(super) fn required(name: &str, value: &Value) -> Result<String> {
    text(name, value)?.ok_or_else(|| wrong(name, "is missing or blank"))
}

/// A boolean, also as a word in any case; nothing where it is null or blank.
pub(super) fn boolean(name: &str, value: &Value) -> Result<Option<bool>> {
    match single(value) {
        Value::Null => Ok(None),
        Value::Bool(is) => Ok(Some(*is)),
        Value::String(word) if word.trim().is_empty() => Ok(None),
        Value::String(word) if word.trim().eq_ignore_ascii_case("true") => Ok(Some(true)),
        Value::String(word) if word.trim().eq_ignore_ascii_case("false") => Ok(Some(false)),
        _ => Err(wrong(name, "is neither true nor false")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_single_value_is_read_however_it_is_wrapped() {
        for value in [
            json!("False"),
            json!(["False"]),
            json!({ "value": "False" }),
            json!([{ "$ref": null, "value": "False" }]),
            json!([{ "Value": "False", "type": "x", "primary": true }]),
        ] {
            assert_eq!(text("x", &value).unwrap().as_deref(), Some("False"), "{value}");
            assert_eq!(boolean("x", &value).unwrap(), Some(false), "{value}");
        }
        for value in [json!(null), json!([]), json!(" "), json!([{ "value": null }]), json!({ "value": "" })]
        {
            assert_eq!(text("x", &value).unwrap(), None, "{value}");
            assert_eq!(boolean("x", &value).unwrap(), None, "{value}");
        }
        for value in [json!(["a", "b"]), json!({ "other": "a" }), json!("a\u{1}b"), json!("x".repeat(257))] {
            assert!(text("x", &value).is_err() && boolean("x", &value).is_err(), "{value}");
        }
    }
}
