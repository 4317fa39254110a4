//! The example of what an application does: notes of an organisation, for those whose role has the permissions.

use super::{access::AccessRequest, checks, policy::Membership};
use crate::{
    db::{Conn, Tx},
    error::{Error, Errors, Result},
    ids::NoteId,
    model::note::{self, Note},
};

/// A note, and what its reader may do with it.
pub(crate) struct Readable {
    /// The note.
    pub note: Note,
    /// Whether they may change it.
    pub can_update: bool,
    /// Whether they may delete it.
    pub can_delete: bool,
}

fn readable(conn: &mut Conn, mine: &Membership, found: Vec<Note>) -> Result<Vec<Readable>> {
    // To anybody's notes, and to one's own.
    let mut reach = |permission| -> Result<(bool, bool)> {
        let everybodys = checks::may(conn, mine, permission, None)?;
        Ok((everybodys, checks::may(conn, mine, permission, mine.user.as_ref())?))
    };
    let (update, delete) = (reach("notes:update")?, reach("notes:delete")?);
    let told = found.into_iter().map(|note| {
        let is_own = mine.user.is_some() && note.author == mine.user;
        let may = |(everybodys, own): (bool, bool)| everybodys || (own && is_own);
        Readable { can_update: may(update), can_delete: may(delete), note }
    });
    Ok(told.collect())
}

/// Whether they may write one.
pub(crate) fn may_create(conn: &mut Conn, mine: &Membership) -> Result<bool> {
    checks::may(conn, mine, "notes:create", None)
}

/// Up to `most` notes before `cursor`, the newest first.
pub(crate) fn list(
    conn: &mut Conn,
    mine: &Membership,
    cursor: Option<&NoteId>,
    most: i64,
) -> Result<Vec<Readable>> {
    checks::require(conn, mine, "notes:read", None)?;
    let found = note::list(conn, &mine.organisation.id, cursor, None, most)?;
    readable(conn, mine, found)
}

/// Writes one.
pub(crate) fn create(tx: &mut Tx, access: &AccessRequest, typed: &str) -> Result<Readable> {
    let mine = access.decide_locked(tx)?;
    checks::require(tx.conn, &mine, "notes:create", None)?;
    let id = note::add(tx, &mine.organisation.id, mine.user.as_ref(), &parse(typed)?)?;
    find(tx.conn, &mine, &id)
}

/// Gives one another text.
pub(crate) fn update(tx: &mut Tx, access: &AccessRequest, id: &NoteId, typed: &str) -> Result<Readable> {
    let mine = access.decide_locked(tx)?;
    let found = note::find(tx.conn, &mine.organisation.id, id)?;
    checks::require(tx.conn, &mine, "notes:update", found.author.as_ref())?;
    note::change(tx, &mine.organisation.id, id, &parse(typed)?)?;
    find(tx.conn, &mine, id)
}

/// Removes one.
pub(crate) fn remove(tx: &mut Tx, access: &AccessRequest, id: &NoteId) -> Result<()> {
    let mine = access.decide_locked(tx)?;
    let found = note::find(tx.conn, &mine.organisation.id, id)?;
    checks::require(tx.conn, &mine, "notes:delete", found.author.as_ref())?;
    note::remove(tx, &mine.organisation.id, id)
}

fn find(conn: &mut Conn, mine: &Membership, id: &NoteId) -> Result<Readable> {
    let found = note::find(conn, &mine.organisation.id, id)?;
    readable(conn, mine, vec![found])?.pop().ok_or(Error::NotFound)
}

fn parse(typed: &str) -> Result<String> {
    note::parse(typed).map_err(|problem| Error::Invalid(Errors::one("text", problem)))
}
