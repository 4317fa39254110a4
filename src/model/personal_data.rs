//! What a table holds about people: each declares it beside itself, and `accounts::personal_data` is the list.

use serde::Serialize;
use serde_json::Value;

use crate::{
    db::{Conn, Tx},
    error::Result,
    ids::UserId,
};

/// What becomes of something when its person's account is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Erasure {
    /// Nothing is left.
    Removed,
    /// It stays, and leads back to nobody.
    Anonymised,
    /// It ends by itself soon after.
    Expires,
}

/// What one table holds about a person.
#[derive(Debug)]
pub struct PersonalData {
    /// The table.
    pub table: &'static str,
    /// What it is to its person, as a heading.
    pub title: &'static str,
    /// Why it is held, and how long: whole sentences. `{history}` stands for the span of `HISTORY_LIFE`.
    pub why: &'static str,
    /// Every column of text, and what it says of its person. Times and counts say nothing without them.
    pub columns: &'static [(&'static str, &'static str)],
    /// What becomes of it.
    pub erasure: Erasure,
    /// What there is to say on that besides; may be empty.
    pub afterwards: &'static str,
    /// Its parts of the export.
    pub export: &'static [ExportSection],
    /// Ends it.
    pub erase: Erase,
}

/// A part of the export.
#[derive(Debug)]
pub struct ExportSection {
    /// Its key in the document.
    pub name: &'static str,
    /// Whether it is a list, of as many as there are; else one object.
    pub is_list: bool,
    /// Reads it.
    pub read: Read,
}

/// Removes the rows of a user, or puts a pseudonym (the second id) in their place. Doing it twice does no harm.
pub(crate) type Erase = fn(&mut Tx, &UserId, &UserId) -> Result<()>;

/// Reads entries about a user, oldest first: how many to skip, and how many to read at the most. Secrets stay out.
pub(crate) type Read = fn(&mut Conn, &UserId, i64, i64) -> Result<Vec<Value>>;
