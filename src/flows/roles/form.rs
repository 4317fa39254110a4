//! What is sent about a role.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{
    error::{Error, Errors, Result},
    model::role::RoleName,
    web::{input, permission_form},
};

/// What a role is called and holds.
#[derive(Default, Deserialize)]
pub(crate) struct RoleForm {
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "permission_form::list")]
    permissions: Option<BTreeSet<String>>,
    #[serde(flatten, deserialize_with = "others")]
    others: BTreeMap<String, Value>,
}

/// A field for each permission that is ticked, and what `GET` says besides.
fn others<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Value>, D::Error> {
    input::others(deserializer, &["name", "permissions"], |name| {
        name.contains(':') || ["id", "members", "builtIn"].contains(&name)
    })
}

/// What takes the place of a role that is removed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Replacement {
    pub(super) replace_with: Option<String>,
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
        permission_form::chosen(self.permissions.as_ref(), &self.others)
    }

    pub(super) fn parsed_name(&self) -> Result<RoleName> {
        RoleName::parse(self.name()).map_err(|problem| Error::Invalid(Errors::one("name", problem)))
    }
}
