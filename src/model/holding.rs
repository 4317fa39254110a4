//! What the house holds about people: every noun says it beside its table, and this is the list.
//!
//! The export, the purge and the public page are all made from [`ALL`], so none of them can forget a table. A table
//! that is in neither list fails a test, and so does a column of text that its holding does not name.

use serde::Serialize;
use serde_json::Value;

use super::{
    attempt, audit, domain, identity, membership, outbox, passkey, recovery_code, session, sign_in, throttle,
    token, totp, user, user::User,
};
use crate::{
    db::{Conn, Id, Tx},
    error::Result,
};

/// What becomes of something when its person's account is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Nothing is left.
    Removed,
    /// It stays, and leads back to nobody.
    Anonymised,
    /// It ends by itself soon after.
    Expires,
}

/// What one table holds about a person.
#[derive(Debug)]
pub struct Holding {
    /// The table.
    pub table: &'static str,
    /// What it is to its person, as a heading.
    pub title: &'static str,
    /// Why it is held, and how long: whole sentences.
    pub why: &'static str,
    /// Every column of text, and what it says of its person. Times and counts say nothing without them.
    pub columns: &'static [(&'static str, &'static str)],
    /// What becomes of it.
    pub fate: Fate,
    /// What there is to say on that besides; may be empty.
    pub afterwards: &'static str,
    /// Its parts of the export.
    pub export: &'static [Section],
    /// Ends it.
    pub erase: Erase,
}

/// A part of the export.
#[derive(Debug)]
pub struct Section {
    /// Its key in the document.
    pub name: &'static str,
    /// Whether it is a list, of as many as there are; else one object.
    pub is_list: bool,
    /// Reads it.
    pub read: Read,
}

/// Removes the rows of a user, or puts a pseudonym (the second id) in their place. Doing it twice does no harm.
pub type Erase = fn(&mut Tx, &Id<User>, &Id<User>) -> Result<()>;

/// Reads entries about a user, oldest first: how many to skip, and how many to read at the most. Secrets stay out.
pub type Read = fn(&mut Conn, &Id<User>, i64, i64) -> Result<Vec<Value>>;

/// Every table that holds something about people, as its person would look for it. A row of `users` goes last.
pub const ALL: &[&Holding] = &[
    &user::HOLDING,
    &session::HOLDING,
    &sign_in::HOLDING,
    &totp::HOLDING,
    &totp::SETUP_HOLDING,
    &recovery_code::HOLDING,
    &passkey::HOLDING,
    &membership::HOLDING,
    &domain::HOLDING,
    &identity::HOLDING,
    &attempt::HOLDING,
    &token::HOLDING,
    &outbox::HOLDING,
    &audit::HOLDING,
    &throttle::HOLDING,
];

/// Every other table, and what is in it.
pub const ABOUT_NOBODY: &[(&str, &str)] = &[
    ("jobs", "when which job ran, and on which node"),
    ("organisations", "what organisations are called"),
    ("connections", "the identity providers of organisations"),
    ("service_keys", "the keys of this site towards them"),
    ("key_checks", "whether the secret key of this site is the right one"),
    ("schema_versions", "which version of the program made which table"),
    ("assertions", "fingerprints of what they said, each good once"),
];

/// Ends everything that is held about `id`, at once: afterwards nothing says that there was such a person.
pub fn erase(tx: &mut Tx, id: &Id<User>) -> Result<()> {
    let pseudonym = Id::random()?;
    // Others refer to the row of `users`, which is first on the list.
    ALL.iter().rev().try_for_each(|holding| (holding.erase)(tx, id, &pseudonym))
}
