//! Filters (RFC 7644 §3.4.2.2). Their grammar is `scim_v2`'s; what the database can look for is told apart, and the rest is judged on
//! the resource as it would be answered.

use std::borrow::Cow;

use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, Filter as Parsed, ValFilter, ValuePath};
use serde_json::Value;

use super::{
    folded,
    refused::{ScimType, invalid},
    spelling::{quoted, usual, within},
    without_schema,
};
use crate::{clock::Timestamp, error::Result};

/// The longest filter, in bytes.
const LONGEST: usize = 2_000;

/// How deep it may be nested.
const DEEPEST: usize = 8;

/// What is looked for.
#[derive(Debug, Clone)]
pub(crate) struct Filter(Parsed);

/// A condition that the database can look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Term {
    /// Has this id.
    Id(String),
    /// Has this `userName`, folded.
    UserName(String),
    /// Has this `externalId`.
    ExternalId(String),
    /// Has this `displayName`; compared in any case.
    DisplayName(String),
    /// Is active, or is not.
    Active(bool),
    /// Changed at or after this moment; `true`: not at it.
    Since(Timestamp, bool),
    /// Changed at or before this moment; `true`: not at it.
    Until(Timestamp, bool),
    /// Has an email address that may be this one: judged besides.
    Email(String),
}

impl Filter {
    /// Reads one. The value of a single `eq` may stand without its quotes.
    ///
    /// # Errors
    /// `invalidFilter`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let refused = |sentence: &str| invalid(ScimType::InvalidFilter, sentence);
        if text.len() > LONGEST {
            return Err(refused("The filter is longer than 2,000 characters."));
        }
        let text = &usual(text);
        // As it was written: a number that is read as one has lost its spelling.
        let parsed = quoted(text).and_then(|text| text.parse::<Parsed>().ok());
        let parsed = parsed.or_else(|| text.parse().ok()).or_else(|| within(text)?.parse().ok());
        let parsed = parsed.ok_or_else(|| refused("The filter cannot be read."))?;
        match depth(&parsed) > DEEPEST {
            true => Err(refused("The filter is nested too deep.")),
            false => Ok(Self(parsed)),
        }
    }

    /// What of it the database can look for, and whether that is all of it.
    pub(crate) fn terms(&self) -> (Vec<Term>, bool) {
        let all = match &self.0 {
            Parsed::And(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        let terms: Vec<Option<Term>> = all.iter().map(term).collect();
        let is_all = terms.iter().all(|term| term.as_ref().is_some_and(|one| !matches!(one, Term::Email(_))));
        (terms.into_iter().flatten().collect(), is_all)
    }

    /// Whether a resource, as it would be answered, is among those that are looked for.
    pub(crate) fn matches(&self, resource: &Value) -> bool {
        matches(&self.0, resource)
    }
}

fn depth(filter: &Parsed) -> usize {
    match filter {
        Parsed::Attr(_) => 1,
        Parsed::ValuePath(path) => 1 + depth_within(&path.filter),
        Parsed::Not(inner) => 1 + depth(inner),
        Parsed::And(all) | Parsed::Or(all) => 1 + all.iter().map(depth).max().unwrap_or_default(),
    }
}

fn depth_within(filter: &ValFilter) -> usize {
    match filter {
        ValFilter::Attr(_) => 1,
        ValFilter::Not(inner) => 1 + depth_within(inner),
        ValFilter::And(all) | ValFilter::Or(all) => {
            1 + all.iter().map(depth_within).max().unwrap_or_default()
        }
    }
}

fn term(filter: &Parsed) -> Option<Term> {
    let (path, op, value) = match filter {
        Parsed::Attr(AttrExp::Comparison(path, op, value)) => (path, op, value),
        _ => return None,
    };
    if is_foreign(path) {
        return None;
    }
    let name = path.name.to_ascii_lowercase();
    let part = path.sub_attr.as_deref().map(str::to_ascii_lowercase);
    let text = &*as_text(value)?;
    Some(match (name.as_str(), part.as_deref(), op) {
        ("id", None, CompareOp::Eq) => Term::Id(text.to_owned()),
        ("username", None, CompareOp::Eq) => Term::UserName(folded(text)),
        ("externalid", None, CompareOp::Eq) => Term::ExternalId(text.to_owned()),
        ("displayname", None, CompareOp::Eq) => Term::DisplayName(folded(text)),
        ("active", None, CompareOp::Eq) => Term::Active(text.to_ascii_lowercase().parse().ok()?),
        ("emails", None | Some("value"), CompareOp::Eq) => Term::Email(text.to_owned()),
        ("meta", Some("lastmodified"), op) => {
            let at = Timestamp::from_text(text)?;
            match op {
                CompareOp::Gt => Term::Since(at, true),
                CompareOp::Ge => Term::Since(at, false),
                CompareOp::Lt => Term::Until(at, true),
                CompareOp::Le => Term::Until(at, false),
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// What is compared with, as a text.
pub(super) fn as_text(value: &CompValue) -> Option<Cow<'_, str>> {
    Some(match value {
        CompValue::Str(text) => text.as_str().into(),
        CompValue::Number(number) => number.to_string().into(),
        CompValue::True => "true".into(),
        CompValue::False => "false".into(),
        CompValue::Null => return None,
    })
}

/// Whether an attribute is another schema's than those that are kept.
fn is_foreign(path: &AttrPath) -> bool {
    path.uri.as_ref().is_some_and(|uri| without_schema(uri).is_none())
}

fn matches(filter: &Parsed, resource: &Value) -> bool {
    match filter {
        Parsed::Attr(expression) => holds(expression, resource),
        Parsed::ValuePath(ValuePath { attr, filter }) => {
            !is_foreign(attr)
                && member(resource, &attr.name)
                    .and_then(Value::as_array)
                    .is_some_and(|list| list.iter().any(|element| chooses(filter, element)))
        }
        Parsed::Not(inner) => !matches(inner, resource),
        Parsed::And(all) => all.iter().all(|one| matches(one, resource)),
        Parsed::Or(all) => all.iter().any(|one| matches(one, resource)),
    }
}

/// Whether a filter in brackets chooses an element of a list.
pub(super) fn chooses(filter: &ValFilter, element: &Value) -> bool {
    match filter {
        ValFilter::Attr(expression) => holds(expression, element),
        ValFilter::Not(inner) => !chooses(inner, element),
        ValFilter::And(all) => all.iter().all(|one| chooses(one, element)),
        ValFilter::Or(all) => all.iter().any(|one| chooses(one, element)),
    }
}

fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The single values at a path; of objects without a named part, their `value`.
fn values<'a>(resource: &'a Value, path: &AttrPath) -> Vec<&'a Value> {
    let Some(found) = member(resource, &path.name).filter(|_| !is_foreign(path)) else { return Vec::new() };
    let all = match found {
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    let part = path.sub_attr.as_deref().unwrap_or("value");
    let single = |one: &'a Value| match one {
        Value::Object(_) => member(one, part),
        one => path.sub_attr.is_none().then_some(one),
    };
    all.into_iter().filter_map(single).filter(|value| !value.is_null()).collect()
}

fn holds(expression: &AttrExp, resource: &Value) -> bool {
    match expression {
        AttrExp::Present(path) => match member(resource, &path.name) {
            _ if is_foreign(path) => false,
            Some(Value::Array(list)) if path.sub_attr.is_none() => !list.is_empty(),
            Some(Value::Object(_)) if path.sub_attr.is_none() => true,
            _ => !values(resource, path).is_empty(),
        },
        AttrExp::Comparison(path, op, value) => {
            let found = values(resource, path);
            match (op, value) {
                (CompareOp::Eq, CompValue::Null) => found.is_empty(),
                (CompareOp::Ne, CompValue::Null) => !found.is_empty(),
                (CompareOp::Ne, _) => !found.iter().any(|one| compares(path, one, &CompareOp::Eq, value)),
                _ => found.iter().any(|one| compares(path, one, op, value)),
            }
        }
    }
}

fn compares(path: &AttrPath, found: &Value, op: &CompareOp, value: &CompValue) -> bool {
    match (found, value) {
        (Value::Bool(found), CompValue::True) => *op == CompareOp::Eq && *found,
        (Value::Bool(found), CompValue::False) => *op == CompareOp::Eq && !found,
        (Value::Bool(found), CompValue::Str(word)) => {
            *op == CompareOp::Eq && word.eq_ignore_ascii_case(&found.to_string())
        }
        (Value::String(found), value) => {
            let Some(text) = as_text(value) else { return false };
            if path.name.eq_ignore_ascii_case("meta")
                && let (Some(one), Some(other)) = (Timestamp::from_text(found), Timestamp::from_text(&text))
            {
                return ordered(op, &one, &other);
            }
            let is_exact = ["id", "externalid"].contains(&path.name.to_ascii_lowercase().as_str());
            match is_exact {
                true => texts(op, found, &text),
                false => texts(op, &folded(found), &folded(&text)),
            }
        }
        _ => false,
    }
}

fn texts(op: &CompareOp, found: &str, text: &str) -> bool {
    match op {
        CompareOp::Co => found.contains(text),
        CompareOp::Sw => found.starts_with(text),
        CompareOp::Ew => found.ends_with(text),
        op => ordered(op, &found, &text),
    }
}

fn ordered<T: PartialOrd>(op: &CompareOp, found: &T, other: &T) -> bool {
    match op {
        CompareOp::Eq => found == other,
        CompareOp::Gt => found > other,
        CompareOp::Ge => found >= other,
        CompareOp::Lt => found < other,
        CompareOp::Le => found <= other,
        CompareOp::Ne | CompareOp::Co | CompareOp::Sw | CompareOp::Ew => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_filter_chooses_what_it_says() {
        let ada = json!({
            "id": "1", "externalId": "Ex1", "userName": "Ada@corp.example", "active": true, "displayName": "Ada",
            "nickName": "4711", "department": "DOM\\joe", "name": {"familyName": "Lovelace"}, "meta": {"lastModified": "2026-11-21T14:05:00Z"},
            "emails": [{"value": "ada@corp.example", "type": "work"}, {"value": "ada@home.example", "type": "home"}],
        });
        for (text, is_hers) in [
            ("userName eq \"ada@CORP.example\"", true),
            ("USERNAME Eq \"ada@corp.example\"", true),
            ("externalId eq \"ex1\"", false),
            ("externalId eq Ex1", true),
            ("active eq \"True\"", true),
            ("userName eq 'ada@corp.example' and active eq true", true),
            ("nickName eq 4711", true),
            ("nickName eq 4711 and active eq true", true),
            ("nickName eq 99", false),
            ("department eq \"DOM\\joe\"", true),
            ("department eq \"DOM\\\\joe\"", true),
            ("active eq false", false),
            ("name.familyName sw \"love\"", true),
            ("emails.value ew \"home.example\"", true),
            ("emails eq \"ada@home.example\"", true),
            ("emails[type eq \"work\" and value co \"home\"]", false),
            ("emails[type eq \"home\"] and not (active eq false)", true),
            ("title pr", false),
            ("emails pr", true),
            ("emails[type eq \"home\"].value eq \"ada@home.example\"", true),
            ("emails[type eq \"work\"].value eq \"ada@home.example\"", false),
            ("title eq null", true),
            ("userName ne \"ben\"", true),
            ("meta.lastModified gt \"2026-11-21T14:04:59Z\"", true),
            ("meta.lastModified le \"2026-11-21T15:05:00+02:00\"", false),
            ("urn:ietf:params:scim:schemas:core:2.0:User:userName sw \"a\"", true),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:userName pr", false),
        ] {
            assert_eq!(Filter::parse(text).unwrap().matches(&ada), is_hers, "{text}");
        }
    }

    #[test]
    fn what_is_no_filter_or_too_much_is_refused() {
        let deep = format!("{}title pr{}", "not (".repeat(9), ")".repeat(9));
        let brackets = "(".repeat(1_999);
        for text in ["", "userName", "userName eq", "userName is \"x\"", "a eq \"b", &deep, &brackets] {
            assert_eq!(Filter::parse(text).unwrap_err().code(), "scim_invalid", "{text}");
        }
    }

    #[test]
    fn the_database_looks_for_what_it_can() {
        let terms = |text: &str| Filter::parse(text).unwrap().terms();
        assert_eq!(terms("userName eq \"ADA\""), (vec![Term::UserName("ada".to_owned())], true));
        assert_eq!(terms("id eq \"1\" and title pr"), (vec![Term::Id("1".to_owned())], false));
        assert!(!terms("userName eq \"a\" or id eq \"b\"").1);
    }
}
