//! What a list is asked for (RFC 7644 §3.4.2, RFC 9865), from a query or from the body of a search, and how it is answered.

use serde_json::{Map, Value, json};

use super::{
    Filter, MOST_ON_A_PAGE, PAGE,
    refused::{ScimType, invalid},
};
use crate::error::Result;

/// What a list is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListQuery {
    /// What is looked for, and as it came.
    pub filter: Option<(Filter, String)>,
    /// Which page.
    pub page: Page,
    /// The most entries on it; none where only their number is asked for.
    pub count: i64,
    /// The attributes that are told, in lower case; nothing: all of them.
    attributes: Option<Vec<String>>,
    /// Those that are not.
    excluded: Vec<String>,
}

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Page {
    /// From this entry on, from 1.
    Index(i64),
    /// After this cursor; empty for the first page.
    Cursor(String),
}

impl Default for Page {
    fn default() -> Self {
        Self::Index(1)
    }
}

impl ListQuery {
    /// Reads the parameters of a query, names in any case; the first of each counts.
    ///
    /// # Errors
    /// `invalidFilter`, `invalidCount`, and `invalidValue` for a `startIndex` that is no number.
    pub(crate) fn of_pairs(pairs: impl Iterator<Item = (String, String)>) -> Result<Self> {
        let mut fields = Map::new();
        for (name, value) in pairs {
            fields.entry(name.to_ascii_lowercase()).or_insert(value.into());
        }
        Self::of_fields(&fields)
    }

    /// The same of the body of a search (RFC 7644 §3.4.3), names in lower case.
    pub(crate) fn of_fields(fields: &Map<String, Value>) -> Result<Self> {
        let text = |name: &str| match fields.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let names = |name: &str| match fields.get(name) {
            Some(Value::Array(list)) => {
                Some(list.iter().filter_map(Value::as_str).map(spelled).collect::<Vec<_>>())
            }
            Some(Value::String(list)) if !list.trim().is_empty() => {
                Some(list.split(',').map(spelled).collect())
            }
            _ => None,
        };
        let number = |name: &str, kind: ScimType| {
            let wrong = |_| invalid(kind, format!("{name} is no whole number."));
            let found = text(name).filter(|text| !text.trim().is_empty());
            found.map(|text| text.trim().parse::<i64>().map_err(wrong)).transpose()
        };
        let count = number("count", ScimType::InvalidCount)?.unwrap_or(PAGE);
        let index = number("startindex", ScimType::InvalidValue)?.unwrap_or(1).max(1);
        let filter = text("filter").filter(|text| !text.trim().is_empty());
        let filter = filter.map(|text| Filter::parse(&text).map(|filter| (filter, text))).transpose()?;
        Ok(Self {
            filter,
            page: text("cursor").map_or(Page::Index(index), Page::Cursor),
            count: count.clamp(0, MOST_ON_A_PAGE),
            attributes: names("attributes"),
            excluded: names("excludedattributes").unwrap_or_default(),
        })
    }

    /// How many entries a page leaves out before it, where it is asked for by its number.
    pub(crate) fn skip(&self) -> i64 {
        match self.page {
            Page::Index(index) => index - 1,
            Page::Cursor(_) => 0,
        }
    }

    /// Whether an attribute is asked for, by its name in lower case.
    pub(crate) fn asks_for(&self, name: &str) -> bool {
        let is_it = |asked: &String| asked == name || asked.split('.').next() == Some(name);
        self.attributes.as_ref().is_none_or(|asked| asked.iter().any(is_it))
            && !self.excluded.iter().any(|excluded| excluded == name)
    }

    /// The resource with the attributes that are asked for; its `id` and `schemas`, and `active` of a user, always.
    pub(crate) fn project(&self, resource: Value) -> Value {
        let Value::Object(fields) = resource else { return resource };
        let kept = fields.into_iter().filter_map(|(key, value)| {
            let name = key.to_ascii_lowercase();
            if ["id", "schemas", "active"].contains(&name.as_str()) {
                return Some((key, value));
            }
            self.asks_for(&name).then(|| (key, self.parts(&name, value)))
        });
        Value::Object(kept.collect())
    }

    /// The parts of a complex attribute that are asked for.
    fn parts(&self, name: &str, value: Value) -> Value {
        let part_of = |asked: &String| {
            asked.split_once('.').filter(|(of, _)| *of == name).map(|(_, part)| part.to_owned())
        };
        let excluded: Vec<String> = self.excluded.iter().filter_map(part_of).collect();
        let asked = self.attributes.as_ref().filter(|asked| !asked.iter().any(|one| one == name));
        let asked: Option<Vec<String>> = asked.map(|asked| asked.iter().filter_map(part_of).collect());
        if excluded.is_empty() && asked.is_none() {
            return value;
        }
        let is_kept = |part: &String| {
            let part = part.to_ascii_lowercase();
            !excluded.contains(&part) && asked.as_ref().is_none_or(|asked| asked.contains(&part))
        };
        let narrow = |value: Value| match value {
            Value::Object(parts) => {
                Value::Object(parts.into_iter().filter(|(part, _)| is_kept(part)).collect())
            }
            value => value,
        };
        match value {
            Value::Array(list) => Value::Array(list.into_iter().map(narrow).collect()),
            value => narrow(value),
        }
    }
}

/// A name of an attribute as it is compared, without the schema of its own before it.
fn spelled(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    name.rsplit_once(':').map(|(_, name)| name.to_owned()).unwrap_or(name)
}

/// A list as JSON (RFC 7644 §3.4.2). `next`: the cursor of the next page, where pages are asked for by cursor.
pub(crate) fn list(query: &ListQuery, total: i64, resources: Vec<Value>, next: Option<String>) -> Value {
    let mut told = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total, "itemsPerPage": resources.len(), "Resources": resources,
    });
    match &query.page {
        Page::Index(index) => told["startIndex"] = (*index).into(),
        Page::Cursor(_) => {
            if let Some(next) = next {
                told["nextCursor"] = next.into();
            }
        }
    }
    told
}
