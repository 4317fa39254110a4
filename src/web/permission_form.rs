//! Permissions as pages offer them, and as forms and JSON choose them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{accounts::policy::Membership, db::Conn, error::Result, kinds::Permission, model::permission};

/// A list of words, or a text of them with commas or blanks between.
pub(crate) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BTreeSet<String>>, D::Error> {
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

/// The permissions that were chosen: a form has a field for each that is ticked, JSON and curl a list. Nothing where that was left
/// as it is.
pub(crate) fn chosen(
    listed: Option<&BTreeSet<String>>,
    fields: &BTreeMap<String, Value>,
) -> Option<BTreeSet<String>> {
    let ticked = fields.keys().filter(|name| name.contains(':'));
    Some(listed.into_iter().flatten().chain(ticked).cloned().collect())
        .filter(|chosen: &BTreeSet<String>| listed.is_some() || !chosen.is_empty())
}

/// A permission that a role or a key can hold.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PermissionView {
    /// `resource:action`.
    pub name: String,
    /// What it allows, in words.
    pub title: String,
    /// Its resource.
    pub group: String,
    /// Whether the reader may give it.
    pub can_give: bool,
    /// Whether it is the first of its group.
    #[serde(skip)]
    pub begins_group: bool,
    /// Whether whoever holds any holds this.
    #[serde(skip)]
    pub is_always_held: bool,
}

/// What a role of an organisation can be made of, as one of its members sees it: the program's own permissions, and those of
/// the application.
pub(crate) fn of_roles(conn: &mut Conn, mine: &Membership) -> Result<Vec<PermissionView>> {
    let held = mine.permissions(conn)?;
    let mut views = catalogue(conn, |name| held.contains(name))?;
    for view in &mut views {
        view.is_always_held = view.name == Permission::OrganisationRead.as_str();
    }
    Ok(views)
}

/// What a key can hold: all of that, but for keys themselves. `may_give` says which the reader may give.
pub(crate) fn of_keys(conn: &mut Conn, may_give: impl Fn(&str) -> bool) -> Result<Vec<PermissionView>> {
    let mut views = catalogue(conn, may_give)?;
    views.retain(|view| view.name != Permission::KeysManage.as_str());
    Ok(views)
}

fn catalogue(conn: &mut Conn, may_give: impl Fn(&str) -> bool) -> Result<Vec<PermissionView>> {
    let own = Permission::ALL.iter().filter(|permission| permission.fits_custom_roles());
    let own = own.map(|permission| (permission.to_string(), permission.title().to_owned()));
    let application = permission::all(conn)?.into_iter().filter(|entry| entry.retired_at.is_none());
    let mut views: Vec<PermissionView> = Vec::new();
    for (name, title) in own.chain(application.map(|entry| (entry.name, entry.title))) {
        let group = name.split(':').next().unwrap_or_default().to_owned();
        let (begins_group, can_give) = (views.last().is_none_or(|last| last.group != group), may_give(&name));
        views.push(PermissionView { can_give, begins_group, is_always_held: false, group, name, title });
    }
    Ok(views)
}
