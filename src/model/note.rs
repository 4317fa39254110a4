//! Notes of an organisation: the example of a table that an application has. Each WHERE names the organisation.

use diesel::prelude::*;
use serde_json::{Value, json};

use super::personal_data::{Erasure, ExportSection, PersonalData};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{memberships, notes, organisations, users},
    },
    error::{Error, Result},
    ids::{NoteId, OrganisationId, UserId},
};

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "notes",
    title: "Notes in your organisations",
    why: "So that you and the others in an organisation can read what you wrote. They stay until one of you deletes them.",
    columns: &[
        ("id", "a number that stands for the note"),
        ("organisation_id", "the organisation"),
        ("author_id", "that you wrote it"),
        ("text", "what you wrote"),
    ],
    erasure: Erasure::Anonymised,
    afterwards: "The text stays with the organisation, by someone who left.",
    export: &[ExportSection { name: "notes", is_list: true, read: exported }],
    erase: |tx, id, _| {
        let own = notes::table.filter(notes::author_id.eq(id));
        diesel::update(own).set(notes::author_id.eq(None::<UserId>)).execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<(String, String, Timestamp, Timestamp)> = notes::table
        .inner_join(organisations::table)
        .filter(notes::author_id.eq(owner))
        .order((notes::created_at, notes::id))
        .offset(skip)
        .limit(most)
        .select((organisations::name, notes::text, notes::created_at, notes::changed_at))
        .load(conn)?;
    let told = |(organisation, text, created, changed)| json!({ "organisation": organisation, "text": text, "createdAt": created, "changedAt": changed });
    Ok(found.into_iter().map(told).collect())
}

/// Characters of a note.
const LONGEST: usize = 4_000;

/// A note, with its author's name while they belong to the organisation.
#[derive(Debug, Clone, Queryable)]
pub(crate) struct Note {
    /// Opaque.
    pub id: NoteId,
    /// Who wrote it; nothing where they are gone.
    pub author: Option<UserId>,
    /// What a member wants to be called.
    pub author_name: Option<String>,
    /// What it says.
    pub text: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub changed_at: Timestamp,
}

/// What a note says: 1 to 4,000 characters, without control characters but for tabs and line breaks.
pub(crate) fn parse(typed: &str) -> Result<String, String> {
    let text = typed.trim().replace("\r\n", "\n");
    let is_plain = !text.chars().any(|c| c.is_control() && !['\n', '\t'].contains(&c));
    match text.chars().count() {
        0 => Err("Write something.".to_owned()),
        1..=LONGEST if is_plain => Ok(text),
        1..=LONGEST => Err("Leave control characters out.".to_owned()),
        _ => Err("Use at most 4,000 characters.".to_owned()),
    }
}

/// Up to `most` notes of an organisation before `cursor`, the newest first; or the one with the id `only`.
pub(crate) fn list(
    conn: &mut Conn,
    organisation: &OrganisationId,
    cursor: Option<&NoteId>,
    only: Option<&NoteId>,
    most: i64,
) -> Result<Vec<Note>> {
    let is_member = memberships::user_id
        .nullable()
        .eq(notes::author_id)
        .and(memberships::organisation_id.eq(notes::organisation_id));
    let mut query = notes::table
        .left_join(memberships::table.on(is_member))
        .left_join(users::table.on(users::id.eq(memberships::user_id)))
        .filter(notes::organisation_id.eq(organisation))
        .into_boxed();
    if let Some(id) = cursor {
        let row =
            notes::table.find(id).filter(notes::organisation_id.eq(organisation)).select(notes::created_at);
        let at: Timestamp = row.first(conn).optional()?.ok_or(Error::NotFound)?;
        query = query.filter(notes::created_at.le(at)).filter(notes::created_at.lt(at).or(notes::id.lt(id)));
    }
    if let Some(id) = only {
        query = query.filter(notes::id.eq(id));
    }
    Ok(query
        .order((notes::created_at.desc(), notes::id.desc()))
        .limit(most)
        .select((
            notes::id,
            notes::author_id,
            users::name.nullable(),
            notes::text,
            notes::created_at,
            notes::changed_at,
        ))
        .load(conn)?)
}

/// One note of an organisation. [`Error::NotFound`] where it has none with this id.
pub(crate) fn find(conn: &mut Conn, organisation: &OrganisationId, id: &NoteId) -> Result<Note> {
    list(conn, organisation, None, Some(id), 1)?.pop().ok_or(Error::NotFound)
}

/// Writes one.
pub(crate) fn add(
    tx: &mut Tx,
    organisation: &OrganisationId,
    author: Option<&UserId>,
    text: &str,
) -> Result<NoteId> {
    let id = NoteId::random()?;
    diesel::insert_into(notes::table)
        .values((
            notes::id.eq(&id),
            notes::organisation_id.eq(organisation),
            notes::author_id.eq(author),
            notes::text.eq(text),
            notes::created_at.eq(tx.now),
            notes::changed_at.eq(tx.now),
        ))
        .execute(tx.conn)?;
    Ok(id)
}

/// Gives one another text.
pub(crate) fn change(tx: &mut Tx, organisation: &OrganisationId, id: &NoteId, text: &str) -> Result<()> {
    let one = notes::table.find(id).filter(notes::organisation_id.eq(organisation));
    diesel::update(one).set((notes::text.eq(text), notes::changed_at.eq(tx.now))).execute(tx.conn)?;
    Ok(())
}

/// Removes one.
pub(crate) fn remove(tx: &mut Tx, organisation: &OrganisationId, id: &NoteId) -> Result<()> {
    let one = notes::table.find(id).filter(notes::organisation_id.eq(organisation));
    diesel::delete(one).execute(tx.conn)?;
    Ok(())
}
