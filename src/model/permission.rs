//! The catalogue of the application: permissions of its own, which an operator declares in a file.

use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::permissions},
    error::Result,
    kinds::Role,
};

/// A permission of the application.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = permissions)]
pub(crate) struct CatalogueEntry {
    /// `resource:action`.
    pub name: String,
    /// What it allows, in the operator's words.
    pub title: String,
    roles: String,
    /// Since when it is in the catalogue no more.
    pub retired_at: Option<Timestamp>,
}

impl CatalogueEntry {
    /// The built-in roles that have it.
    pub(crate) fn roles(&self) -> Result<Vec<Role>> {
        Ok(serde_json::from_str(&self.roles)?)
    }

    /// Whether a built-in role has it now.
    pub(crate) fn is_of(&self, role: Role) -> Result<bool> {
        Ok(self.retired_at.is_none() && (role == Role::Owner || self.roles()?.contains(&role)))
    }
}

/// Every one there is or was, by name.
pub(crate) fn all(conn: &mut Conn) -> Result<Vec<CatalogueEntry>> {
    Ok(permissions::table.order(permissions::name).select(CatalogueEntry::as_select()).load(conn)?)
}

/// Those with these names.
pub(crate) fn named(conn: &mut Conn, names: &BTreeSet<String>) -> Result<Vec<CatalogueEntry>> {
    let named = permissions::table.filter(permissions::name.eq_any(names));
    Ok(named.select(CatalogueEntry::as_select()).load(conn)?)
}

/// Puts one into the catalogue, or back, as it is declared now.
pub(crate) fn declare(tx: &mut Tx, name: &str, title: &str, roles: &[Role]) -> Result<()> {
    let row = (
        permissions::title.eq(title),
        permissions::roles.eq(serde_json::to_string(roles)?),
        permissions::retired_at.eq(None::<Timestamp>),
    );
    if diesel::update(permissions::table.find(name)).set(row.clone()).execute(tx.conn)? == 0 {
        diesel::insert_into(permissions::table).values((permissions::name.eq(name), row)).execute(tx.conn)?;
    }
    Ok(())
}

/// Retires what is in the catalogue and not among `declared`. Returns how many there were.
pub(crate) fn retire_others(tx: &mut Tx, declared: &[&str]) -> Result<usize> {
    let others = permissions::table
        .filter(permissions::name.ne_all(declared))
        .filter(permissions::retired_at.is_null());
    Ok(diesel::update(others).set(permissions::retired_at.eq(tx.now)).execute(tx.conn)?)
}
