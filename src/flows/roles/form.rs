//! What is sent about a role.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{
    error::{Error, Errors, Result},
    model::role::RoleName,
};

/// What a role is called and holds. A form has a field for each permission that is ticked, JSON and curl a list.
#[derive(Default, Deserialize)]
pub(crate) struct RoleForm {
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "list")]
    permissions: Option<BTreeSet<String>>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// What takes the place of a role that is removed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Replacement {
    pub(super) replace_with: Option<String>,
}

/// A list of words, or a text of them with commas or blanks between.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BTreeSet<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum List {
        Words(BTreeSet<String>),
        Text(String),
    }
    Ok(Some(match List::deserialize(deserializer)? {
        List::Words(words) => words,
        List::Text(text) => {
            text.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
        }
    }))
}

impl RoleForm {
    pub(super) fn of(name: &str, permissions: &BTreeSet<String>) -> Self {
        Self { name: Some(name.to_owned()), permissions: Some(permissions.clone()), others: BTreeMap::new() }
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.chosen().is_some_and(|chosen| chosen.contains(name))
    }

    /// Everything that was ticked or listed; nothing where that was left as it is.
    pub(super) fn chosen(&self) -> Option<BTreeSet<String>> {
        let ticked = self.others.keys().filter(|name| name.contains(':'));
        Some(self.permissions.iter().flatten().chain(ticked).cloned().collect())
            .filter(|chosen: &BTreeSet<String>| self.permissions.is_some() || !chosen.is_empty())
    }

    pub(super) fn parsed_name(&self) -> Result<RoleName> {
        RoleName::parse(self.name()).map_err(|problem| Error::Invalid(Errors::one("name", problem)))
    }
}
