//! PATCH as it comes (RFC 7644 §3.5.2), with what Entra and Okta write, made the same once: a kind, a place and a value.

use scim_v2::filter::{AttrExp, CompValue, CompareOp, PatchPath, ValFilter};
use serde_json::{Map, Value};

use super::{
    lowered, opened,
    refused::{ScimType, invalid},
    spelling::usual,
    without_schema,
};
use crate::error::Result;

/// The longest path, in bytes: what is nested in it is read by recursion.
const LONGEST: usize = 2_000;

/// The most operations in one request.
const MOST: usize = 100;

// What is kept: a path that cannot be read is wrong where it begins with one of these, and else none of ours.
const KEPT: [&str; 8] = ["", "username", "active", "externalid", "displayname", "name", "emails", "members"];

// What no client writes: it is passed over.
const READ_ONLY: [&str; 4] = ["id", "schemas", "meta", "groups"];

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpKind {
    Add,
    Replace,
    Remove,
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Op {
    pub(super) kind: OpKind,
    pub(super) target: Target,
    pub(super) value: Value,
}

/// Where; names in lower case.
#[derive(Debug)]
pub(super) enum Target {
    /// An attribute, or a part of it.
    Attribute(String, Option<String>),
    /// Elements of a list that a filter chooses, or a part of them.
    Filtered(String, ValFilter, Option<String>),
    /// Something that is not kept.
    Foreign,
}

impl Target {
    /// Reads a path, or a name in an object that stands for one.
    fn read(path: &str) -> Option<Self> {
        let path = path.trim();
        let path = match without_schema(path) {
            Some(path) => path,
            None if path.to_ascii_lowercase().starts_with("urn:") => return Some(Self::Foreign),
            None => path,
        };
        let parsed = if path.len() > LONGEST { None } else { usual(path).parse::<PatchPath>().ok() };
        let Some(parsed) = parsed else {
            let name = path.split(['.', '[', ' ']).next().unwrap_or_default().to_ascii_lowercase();
            return (!KEPT.contains(&name.as_str())).then_some(Self::Foreign);
        };
        let lower = |text: Option<String>| text.map(|text| text.to_ascii_lowercase());
        let target = match parsed {
            PatchPath::Attr(attribute) if attribute.uri.is_some() => Self::Foreign,
            PatchPath::Attr(attribute) => {
                Self::Attribute(attribute.name.to_ascii_lowercase(), lower(attribute.sub_attr))
            }
            PatchPath::Value(value) => {
                Self::Filtered(value.attr.name.to_ascii_lowercase(), value.filter, lower(value.sub_attr))
            }
        };
        Some(if target.is_read_only() { Self::Foreign } else { target })
    }

    fn is_read_only(&self) -> bool {
        match self {
            Self::Attribute(name, _) | Self::Filtered(name, ..) => READ_ONLY.contains(&name.as_str()),
            Self::Foreign => false,
        }
    }
}

/// The operations of a request. Each name in an object without a path is one of its own.
///
/// # Errors
/// `invalidSyntax`, `tooMany`, `invalidPath`, and `noTarget` where a removal says nothing of what.
pub(crate) fn operations(mut body: Map<String, Value>) -> Result<Vec<Op>> {
    let Some(Value::Array(list)) = body.remove("operations") else {
        return Err(invalid(ScimType::InvalidSyntax, "Operations are missing."));
    };
    if list.len() > MOST {
        return Err(invalid(ScimType::TooMany, "A request has at most 100 operations."));
    }
    let mut operations = Vec::new();
    for one in list {
        let Value::Object(fields) = one else {
            return Err(invalid(ScimType::InvalidSyntax, "An operation is no object."));
        };
        read(lowered(fields), &mut operations)?;
    }
    Ok(operations)
}

fn read(mut fields: Map<String, Value>, operations: &mut Vec<Op>) -> Result<()> {
    let op = fields.get("op").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let kind = match op.as_str() {
        "add" => OpKind::Add,
        "replace" => OpKind::Replace,
        "remove" => OpKind::Remove,
        _ => return Err(invalid(ScimType::InvalidSyntax, "An op is neither add, replace nor remove.")),
    };
    let value = fields.remove("value").unwrap_or(Value::Null);
    let path = match fields.remove("path") {
        None | Some(Value::Null) => None,
        // Our schema as a path stands for none.
        Some(Value::String(path)) => {
            Some(path).filter(|path| !without_schema(path.trim()).unwrap_or(path).trim().is_empty())
        }
        Some(_) => return Err(invalid(ScimType::InvalidPath, "A path is no text.")),
    };
    match (path, value) {
        (Some(path), value) => {
            let target = Target::read(&path);
            let target = target.ok_or_else(|| invalid(ScimType::InvalidPath, "A path cannot be read."))?;
            operations.push(Op { kind, target, value });
        }
        (None, _) if kind == OpKind::Remove => {
            return Err(invalid(ScimType::NoTarget, "A removal has no path."));
        }
        (None, Value::Object(value)) => {
            for (name, value) in opened(value) {
                // What nobody knows is passed over here, whatever its spelling.
                let target = Target::read(&name);
                operations.push(Op { kind, target: target.unwrap_or(Target::Foreign), value });
            }
        }
        (None, _) => return Err(invalid(ScimType::InvalidSyntax, "A value without a path is no object.")),
    }
    Ok(())
}

/// The one comparison that a filter is, if it is `attribute eq "value"`: both as they are, the name in lower case.
pub(super) fn plain_equality(filter: &ValFilter) -> Option<(String, &CompValue)> {
    match filter {
        ValFilter::Attr(AttrExp::Comparison(path, CompareOp::Eq, value)) if path.sub_attr.is_none() => {
            Some((path.name.to_ascii_lowercase(), value))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<Vec<Op>> {
        match body {
            Value::Object(fields) => operations(lowered(fields)),
            _ => unreachable!(),
        }
    }

    #[test]
    fn a_path_is_read_in_any_spelling_or_refused() {
        for path in ["userName", "USERNAME", "urn:ietf:params:scim:schemas:core:2.0:User:userName"] {
            let ops = read(json!({"Operations": [{"op": "Replace", "path": path, "value": "x"}]})).unwrap();
            assert!(
                matches!(&ops[0].target, Target::Attribute(name, None) if name == "username"),
                "{path}: {ops:?}"
            );
        }
        let long = format!("emails[{}type pr{}]", "not (".repeat(100_000), ")".repeat(100_000));
        for path in [&*long, "name.", ".", "emails[", "emails[type eq", "active[]"] {
            let refused =
                read(json!({"operations": [{"op": "add", "path": path, "value": "x"}]})).unwrap_err();
            assert_eq!(refused.code(), "scim_invalid", "{path}");
        }
    }

    #[test]
    fn what_belongs_to_others_and_what_no_client_writes_is_passed_over() {
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let ops = read(json!({"Operations": [
            {"op": "add", "path": format!("{enterprise}:manager"), "value": "x"},
            {"op": "replace", "value": {enterprise: {"manager": "x"}, "id": "x", "meta": {}, "a b": 1}},
        ]}));
        assert!(ops.unwrap().iter().all(|op| matches!(op.target, Target::Foreign)));
        for path in ["id", "meta.version", "groups[value eq \"x\"]", "schemas", "a b c"] {
            let ops = read(json!({"Operations": [{"op": "replace", "path": path, "value": "x"}]})).unwrap();
            assert!(matches!(ops[0].target, Target::Foreign), "{path}");
        }
    }

    #[test]
    fn our_own_schema_is_opened_wherever_it_stands() {
        let urn = "urn:ietf:params:scim:schemas:core:2.0:User";
        for op in [
            json!({"op": "replace", "value": {urn: {"active": false}}}),
            json!({"op": "replace", "value": {format!("{urn}:active"): false}}),
            json!({"op": "replace", "path": urn, "value": {"active": false}}),
            json!({"op": "replace", "path": format!("{urn}:active"), "value": false}),
        ] {
            let ops = read(json!({"Operations": [op]})).unwrap();
            assert!(matches!(&ops[0].target, Target::Attribute(name, None) if name == "active"), "{ops:?}");
            assert_eq!(ops[0].value, false);
        }
    }
}
