//! SCIM 2.0 on the wire (RFC 7643, RFC 7644, RFC 9865), pure: what a client sends is read once, here, with the spellings of the
//! large identity providers; nothing below knows a vendor.

mod attributes;
mod discovery;
mod emails;
mod filter;
mod group;
mod patch;
mod query;
mod refused;
mod spelling;
mod user;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use serde_json::{Map, Value, json};

use crate::{clock::Timestamp, error::Result};

pub(crate) use self::{
    discovery::Discovery,
    emails::EmailValue,
    filter::{Filter, Term},
    group::{GroupChange, MemberChange, group},
    patch::operations,
    query::{ListQuery, Page, list},
    refused::{
        INVALID_DIRECTORY_TOKEN, NOT_FILTERED, REFUSALS, SCIM_TYPE, SCIM_UNSUPPORTED, ScimType,
        UNSUPPORTED_SCIM_MEDIA, VERSION_MISMATCH, closed, invalid, not_unique,
    },
    user::{UserFields, user},
};

/// What every body and answer calls itself.
pub(crate) const MEDIA_TYPE: &str = "application/scim+json";

/// The schema of users.
const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The schema of groups.
const GROUP_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// Entries on one page of a list, unless asked otherwise, and at most.
pub(crate) const PAGE: i64 = 100;
/// The most entries on one page.
pub(crate) const MOST_ON_A_PAGE: i64 = 200;

/// Seconds for which a cursor leads on (RFC 9865 §2.2).
pub(crate) const CURSOR_LIFE: i64 = 3_600;

/// The longest text of an attribute, in characters.
const LONGEST: usize = 256;

/// How deep JSON may be nested.
const DEEPEST: usize = 8;

/// A text as it is compared where case does not count: case folded, NFKC (RFC 7643 §2.2, `caseExact` false).
pub(crate) fn folded(text: &str) -> String {
    let composed = ComposingNormalizerBorrowed::new_nfkc().normalize(text);
    CaseMapper::new().fold_string(&composed).into_owned()
}

/// What a resource is called by, and when it changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meta<'a> {
    /// The address of all resources: `https://HOST/scim/v2`.
    pub base: &'a str,
    /// Its id.
    pub id: &'a str,
    /// How often it was written, from 1.
    pub version: i32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was written last.
    pub changed_at: Timestamp,
}

impl Meta<'_> {
    /// As JSON (RFC 7643 §3.1); `kind` is `User` or `Group`.
    fn json(&self, kind: &str) -> Value {
        json!({
            "resourceType": kind, "created": self.created_at, "lastModified": self.changed_at,
            "version": etag(self.version), "location": self.location(kind),
        })
    }

    /// The address of the resource.
    fn location(&self, kind: &str) -> String {
        format!("{}/{kind}s/{}", self.base, self.id)
    }
}

/// A version as an entity tag (RFC 9110 §8.8.3), weak.
pub(crate) fn etag(version: i32) -> String {
    format!("W/\"{version}\"")
}

/// Whether a header of entity tags, such as `If-Match`, names this version; strong and weak ones are compared alike.
pub(crate) fn names_version(header: &str, version: i32) -> bool {
    let version = version.to_string();
    header.split(',').map(str::trim).any(|one| {
        let tag = one.trim_start_matches(['W', 'w']).trim_start_matches('/').trim_matches('"');
        // A proxy that compresses says so in the tag.
        one == "*" || (one.ends_with('"') && tag.split('-').next() == Some(version.as_str()))
    })
}

/// A name without the schema of ours before it, if there is one; nothing is left of the schema itself.
fn without_schema(name: &str) -> Option<&str> {
    let rest = |schema: &str| {
        let (start, rest) = name.split_at_checked(schema.len())?;
        start.eq_ignore_ascii_case(schema).then_some(rest)
    };
    let rest = [USER_SCHEMA, GROUP_SCHEMA].into_iter().find_map(rest)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(':') }
}

/// An object with the attributes of our own schemas among the others, however they stand under their schema (RFC 7644 §3.10).
fn opened(fields: Map<String, Value>) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in fields {
        match (without_schema(&name), value) {
            (Some(""), Value::Object(inner)) => all.extend(inner),
            (Some(rest), value) if !rest.is_empty() => drop(all.insert(rest.to_owned(), value)),
            (_, value) => drop(all.insert(name, value)),
        }
    }
    all
}

/// A body as it came: an object, its names in lower case at the top, without the schemas of ours before them.
///
/// # Errors
/// `invalidSyntax` where it is no JSON object, or is nested too deep.
pub(crate) fn read(body: &[u8]) -> Result<Map<String, Value>> {
    let refused = |sentence: &str| invalid(ScimType::InvalidSyntax, sentence);
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let value: Value = serde_json::from_slice(body).map_err(|_| refused("The body is no JSON in UTF-8."))?;
    if depth(&value) > DEEPEST {
        return Err(refused("The JSON is nested too deep."));
    }
    match value {
        Value::Object(fields) => Ok(lowered(opened(fields))),
        _ => Err(refused("The body is no JSON object.")),
    }
}

/// An object with its names in lower case (RFC 7643 §2.1).
fn lowered(fields: Map<String, Value>) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

// Not deep itself: `serde_json` refuses what is nested deeper than 128.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_named_by_itself_in_a_list_and_by_a_star() {
        for header in ["W/\"3\"", "\"3\"", "*", "W/\"1\", W/\"3\"", "w/\"3\"", "W/\"3-gzip\"", "\"3-br\""] {
            assert!(names_version(header, 3), "{header}");
        }
        for header in ["W/\"33\"", "3", "", "W/\"2\"", "W/\"33-gzip\"", "\"\""] {
            assert!(!names_version(header, 3), "{header}");
        }
    }

    #[test]
    fn a_name_is_the_same_in_any_case() {
        assert_eq!(folded("ADA"), folded("ada"));
        // The Kelvin sign is a K.
        assert_eq!(folded("\u{212a}ate"), folded("kate"));
        assert_ne!(folded("ada"), folded("adà"));
    }
}
