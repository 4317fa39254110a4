//! Directories of organisations: what an identity provider says of people by SCIM. An entry is no account; it stands for one, or
//! waits for one.

pub(crate) mod group;
pub(crate) mod person;
pub(crate) mod token;

use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::directories},
    error::Result,
    ids::{DirectoryId, Id, OrganisationId},
};

/// The directory of an organisation.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = directories)]
pub(crate) struct Directory {
    /// Opaque.
    pub id: DirectoryId,
    /// Whose.
    pub organisation_id: OrganisationId,
    /// What its people are where no group says otherwise: a built-in role's word, or the id of one of the organisation's own.
    pub default_role: String,
    /// Whether only people with an entry come in by single sign-on.
    pub is_required: bool,
    /// Whether calls are refused.
    pub is_paused: bool,
    /// When its identity provider called last.
    pub last_call_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Makes other changes of what an organisation's identity providers say of people wait.
pub(crate) fn lock(tx: &mut Tx, organisation: &OrganisationId) -> Result<()> {
    tx.lock(&format!("directory {organisation}"))
}

/// The directory of an organisation, if it has one.
pub(crate) fn of(conn: &mut Conn, organisation: &OrganisationId) -> Result<Option<Directory>> {
    let own = directories::table.filter(directories::organisation_id.eq(organisation));
    Ok(own.select(Directory::as_select()).first(conn).optional()?)
}

/// Makes one. Its people are `default_role` there.
pub(crate) fn insert(tx: &mut Tx, organisation: &OrganisationId, default_role: &str) -> Result<Directory> {
    let directory = Directory {
        id: Id::random()?,
        organisation_id: organisation.clone(),
        default_role: default_role.to_owned(),
        is_required: false,
        is_paused: false,
        last_call_at: None,
        created_at: tx.now,
    };
    diesel::insert_into(directories::table).values(&directory).execute(tx.conn)?;
    Ok(directory)
}

/// Keeps what its owners decide of it.
pub(crate) fn update(tx: &mut Tx, directory: &Directory) -> Result<()> {
    diesel::update(directories::table.find(&directory.id))
        .set((
            directories::default_role.eq(&directory.default_role),
            directories::is_required.eq(directory.is_required),
            directories::is_paused.eq(directory.is_paused),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Ends one with its tokens, entries and groups.
pub(crate) fn remove(tx: &mut Tx, id: &DirectoryId) -> Result<()> {
    diesel::delete(directories::table.find(id)).execute(tx.conn)?;
    Ok(())
}

/// Every directory, in the order in which they were made.
pub(crate) fn all(conn: &mut Conn) -> Result<Vec<Directory>> {
    Ok(directories::table
        .order((directories::created_at, directories::id))
        .select(Directory::as_select())
        .load(conn)?)
}
