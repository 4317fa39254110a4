//! Entries of directories, written by the identity provider of an organisation. What comes of one for an account is decided in
//! `settling`, in the same transaction.
//!
//! Locks: the directory, the addresses in order, the organisation.

mod asking;
mod events;
mod leaving;
mod settling;

use std::collections::BTreeSet;

pub(crate) use self::{
    events::Event,
    settling::{follow, join},
};
use self::{events::Told, settling::settle};
use super::directories::Place;
use crate::{
    db::{Conn, Tx},
    error::{Error, Result},
    ids::DirectoryPersonId,
    model::{
        audit::{self, Actor},
        directory::{
            self,
            person::{self, Person, Search},
        },
        user,
    },
    scim::{UserFields, VERSION_MISMATCH, closed, names_version, not_unique},
};

/// The most entries of one directory.
const MOST: i64 = 20_000;

/// An entry after a write.
#[derive(Debug)]
pub(crate) struct Written {
    /// As it is.
    pub person: Person,
    /// Whether an owner stays a member whom the directory wants out, or less powerful.
    pub is_kept: bool,
}

/// Lists somebody. One that was deactivated comes back where the same `userName` or `externalId` is listed again.
///
/// # Errors
/// `NOT_UNIQUE` where an active entry has one of these, `DIRECTORY_CLOSED` where the directory is full.
pub(crate) fn create(tx: &mut Tx, actor: &Actor, place: &Place, fields: &UserFields) -> Result<Written> {
    directory::lock(tx, &place.organisation.id)?;
    let mut like = person::like(tx.conn, &place.directory.id, fields)?;
    match (like.pop(), like.is_empty()) {
        (None, _) => {}
        (Some(former), true) if !former.is_active => {
            return write(tx, actor, place, former, fields, true);
        }
        _ => return Err(taken()),
    }
    if person::count(tx.conn, &place.directory.id, &Search::default())? >= MOST {
        return Err(closed("The directory lists 20,000 people, and takes no more."));
    }
    let mut made = Person::new(&place.directory.id, fields, tx.now)?;
    lock_addresses(tx, [&made])?;
    if !person::insert(tx, &made)? {
        return Err(taken());
    }
    let event = Event::DirectoryPersonAdded {
        organisation: place.organisation.id.clone(),
        person: made.id.clone(),
        user_name: fields.user_name.clone(),
        external_id: fields.external_id.clone(),
    };
    audit::record(tx, actor, None, event)?;
    let is_kept = settle(tx, actor, place, &mut made, false)?;
    person::update(tx, &made)?;
    Ok(Written { person: made, is_kept })
}

fn taken() -> Error {
    not_unique("Another person in this directory has that userName or externalId.")
}

/// Changes an entry, as `change` does with its fields, which returns how many attributes it passed over. `expected`: the
/// versions that it may have. Returns that number as well.
///
/// # Errors
/// [`Error::NotFound`], [`VERSION_MISMATCH`], `NOT_UNIQUE`, and those of `change`.
pub(crate) fn change(
    tx: &mut Tx,
    actor: &Actor,
    place: &Place,
    (id, expected): (&DirectoryPersonId, Option<&str>),
    change: impl FnOnce(&mut UserFields) -> Result<usize>,
) -> Result<(Written, usize)> {
    directory::lock(tx, &place.organisation.id)?;
    let found = owned(tx.conn, place, id)?;
    require_version(expected, found.version)?;
    let mut fields = found.fields()?;
    let passed_over = change(&mut fields)?;
    write(tx, actor, place, found, &fields, false).map(|written| (written, passed_over))
}

/// The entry of a directory with this id. [`Error::NotFound`] for any other.
pub(crate) fn owned(conn: &mut Conn, place: &Place, id: &DirectoryPersonId) -> Result<Person> {
    person::find(conn, &place.directory.id, id)?.ok_or(Error::NotFound)
}

/// [`VERSION_MISMATCH`] where a version is expected, and is not this one.
pub(crate) fn require_version(expected: Option<&str>, version: i32) -> Result<()> {
    match expected.is_none_or(|expected| names_version(expected, version)) {
        true => Ok(()),
        false => Err(VERSION_MISMATCH.error()),
    }
}

/// Keeps an entry as it is said to be now, and what comes of it.
fn write(
    tx: &mut Tx,
    actor: &Actor,
    place: &Place,
    before: Person,
    fields: &UserFields,
    is_again: bool,
) -> Result<Written> {
    let mut after = before.clone();
    let is_same = !is_again && *fields == before.fields()?;
    if !is_same {
        after.take(fields)?;
        after.version += 1;
        after.changed_at = tx.now;
    }
    lock_addresses(tx, [&before, &after])?;
    if !person::update(tx, &after)? {
        return Err(taken());
    }
    let organisation = &place.organisation.id;
    let (from, to) = (Told::of(&before)?, Told::of(&after)?);
    if from != to {
        let (organisation, person) = (organisation.clone(), after.id.clone());
        audit::record(tx, actor, None, Event::DirectoryPersonChanged { organisation, person, from, to })?;
    }
    let is_kept = settle(tx, actor, place, &mut after, before.is_active)?;
    let (organisation, person) = (organisation.clone(), after.id.clone());
    match (before.is_active, after.is_active) {
        (true, false) => {
            let event = Event::DirectoryPersonDeactivated { organisation, person, is_kept };
            audit::record(tx, actor, after.user_id.as_ref(), event)?;
        }
        (false, true) => {
            let event = Event::DirectoryPersonReactivated { organisation, person };
            audit::record(tx, actor, after.user_id.as_ref(), event)?;
        }
        _ => {}
    }
    person::update(tx, &after)?;
    Ok(Written { person: after, is_kept })
}

/// Lists somebody no more: the same as to deactivate them, and the entry is gone. An account that the directory made ends: at once
/// where nobody ever came in, else after the grace.
pub(crate) fn remove(
    tx: &mut Tx,
    actor: &Actor,
    place: &Place,
    (id, expected): (&DirectoryPersonId, Option<&str>),
) -> Result<bool> {
    directory::lock(tx, &place.organisation.id)?;
    let mut found = owned(tx.conn, place, id)?;
    require_version(expected, found.version)?;
    lock_addresses(tx, [&found])?;
    let was_active = found.is_active;
    found.is_active = false;
    let is_kept = settle(tx, actor, place, &mut found, was_active)?;
    person::remove(tx, id)?;
    let event = Event::DirectoryPersonRemoved {
        organisation: place.organisation.id.clone(),
        person: id.clone(),
        user_name: found.user_name.clone(),
    };
    audit::record(tx, actor, found.user_id.as_ref(), event)?;
    if !is_kept {
        leaving::end_account(tx, actor, place, &found)?;
    }
    Ok(is_kept)
}

/// Asks somebody again to join for whom an entry waits, as an owner wants it. [`Error::Conflict`] where nobody can be asked.
pub(crate) fn ask(tx: &mut Tx, actor: &Actor, place: &Place, id: &DirectoryPersonId) -> Result<()> {
    directory::lock(tx, &place.organisation.id)?;
    let mut found = owned(tx.conn, place, id)?;
    if !found.is_active || found.user_id.is_some() {
        return Err(Error::Conflict);
    }
    found.asked_at = None;
    lock_addresses(tx, [&found])?;
    asking::withdraw(tx, actor, &found)?;
    let Some(email) = found.email()? else { return Err(Error::Conflict) };
    asking::ask(tx, actor, place, &mut found, &email)?;
    let is_asked = found.asked_at.is_some();
    person::update(tx, &found)?;
    if is_asked { Ok(()) } else { Err(Error::TooManyAttempts(3_600)) }
}

/// Locks the addresses of entries, and of the accounts that they stand for, in the order of their names.
fn lock_addresses<'a>(tx: &mut Tx, people: impl IntoIterator<Item = &'a Person>) -> Result<()> {
    let mut names = BTreeSet::new();
    for person in people {
        names.extend(person.address.clone());
        if let Some(user) = &person.user_id {
            names.extend(user::find(tx.conn, user)?.map(|user| user.email.normalized()));
        }
    }
    names.iter().try_for_each(|name| tx.lock(name))
}
