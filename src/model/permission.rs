//! The catalogue of the application: permissions of its own, which an operator declares in a file.

use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{permissions, role_permissions},
    },
    direct,
    error::Result,
    ids::RoleId,
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
    /// Whether a built-in role has it now.
    pub(crate) fn is_of(&self, role: Role) -> Result<bool> {
        is_of(&self.roles, self.retired_at, role)
    }
}

fn is_of(roles: &str, retired_at: Option<Timestamp>, role: Role) -> Result<bool> {
    let has = || -> Result<bool> { Ok(serde_json::from_str::<Vec<Role>>(roles)?.contains(&role)) };
    Ok(retired_at.is_none() && (role == Role::Owner || has()?))
}

/// A permission of the application beside a role of an organisation's own.
#[derive(Debug, Queryable)]
pub(crate) struct CheckedEntry {
    /// `resource:action`.
    pub name: String,
    roles: String,
    /// Since when it is in the catalogue no more.
    pub retired_at: Option<Timestamp>,
    /// Whether the role of the organisation's own has it, retired or not.
    pub is_held: bool,
}

impl CheckedEntry {
    /// Whether a built-in role has it now.
    pub(crate) fn is_of(&self, role: Role) -> Result<bool> {
        is_of(&self.roles, self.retired_at, role)
    }
}

/// How a permission is called that counts for one's own things only: `notes:update-own`.
pub(crate) const OWN: &str = "-own";

// The catalogue beside what a role of an organisation's own holds. Each statement is the same whatever is asked for, so that it
// is prepared once.
macro_rules! beside {
    ($role:expr) => {
        permissions::table
            .left_join(
                role_permissions::table.on(role_permissions::permission
                    .eq(permissions::name)
                    .and(role_permissions::role_id.nullable().eq($role))),
            )
            .select((
                permissions::name,
                permissions::roles,
                permissions::retired_at,
                role_permissions::role_id.nullable().is_not_null(),
            ))
    };
}

/// One permission and its counterpart for one's own things, by name, and whether this role has them. For a question that is
/// asked at every request of an application.
pub(crate) fn checked(conn: &mut Conn, name: &str, role: Option<&RoleId>) -> Result<Vec<CheckedEntry>> {
    let own = format!("{name}{OWN}");
    let is_asked = permissions::name.eq(name).or(permissions::name.eq(&own));
    Ok(by_name(direct!(conn => beside!(role).filter(is_asked).load(conn))?))
}

/// The same of every permission.
pub(crate) fn all_checked(conn: &mut Conn, role: Option<&RoleId>) -> Result<Vec<CheckedEntry>> {
    Ok(by_name(direct!(conn => beside!(role).load(conn))?))
}

// As Rust compares texts, which a database may do otherwise.
fn by_name(mut found: Vec<CheckedEntry>) -> Vec<CheckedEntry> {
    found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    found
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
