//! Single sign-on of people whom the organisation's directory lists: it gets the first word.

use super::{directories::Place, directory_people};
use crate::{
    db::{Conn, Tx},
    error::Result,
    ids::OrganisationId,
    mail::EmailAddress,
    model::{
        audit::Actor,
        directory::{
            self,
            person::{self, Person},
        },
        membership,
        user::{self, User},
    },
    saml,
};

/// What a directory has to say of whoever signs in.
#[derive(Debug)]
pub(crate) enum Listed {
    /// Nothing: there is none, or it does not list them and that is no reason to refuse anybody.
    Nothing,
    /// It lists them, and their entry waits: whatever comes of the sign-in is what it stands for.
    Waiting(Box<Person>),
    /// It lists them, and this is their account.
    Linked(Box<Person>, Box<User>),
    /// It says that they have left.
    Left,
    /// It does not list them, and only people whom it lists come in.
    Missing,
    /// More than one entry may be theirs.
    Several,
}

/// Makes other changes of the organisation's directory wait, where it has one.
pub(crate) fn lock(tx: &mut Tx, organisation: &OrganisationId) -> Result<()> {
    match directory::of(tx.conn, organisation)? {
        Some(_) => directory::lock(tx, organisation),
        None => Ok(()),
    }
}

/// Looks whoever signs in up: by their account, where it is known already, else by name or address.
pub(crate) fn look_up(
    conn: &mut Conn,
    organisation: &OrganisationId,
    known: Option<&User>,
    name: &saml::Name,
    email: Option<&EmailAddress>,
) -> Result<Listed> {
    if known.is_some_and(|user| user.suspended_by.as_ref() == Some(organisation)) {
        return Ok(Listed::Left);
    }
    let Some(directory) = directory::of(conn, organisation)? else { return Ok(Listed::Nothing) };
    let by_account = match known {
        Some(user) => person::of_user(conn, &directory.id, &user.id)?,
        None => None,
    };
    let address = email.map(EmailAddress::normalized);
    let mut found = match by_account {
        Some(entry) => vec![entry],
        None => person::called(conn, &directory.id, &name.value, address.as_deref())?,
    };
    let Some(entry) = found.pop() else {
        return Ok(if directory.is_required { Listed::Missing } else { Listed::Nothing });
    };
    if !found.is_empty() {
        return Ok(Listed::Several);
    }
    if !entry.is_active {
        return Ok(Listed::Left);
    }
    let linked = match &entry.user_id {
        Some(id) => user::find(conn, id)?,
        None => None,
    };
    Ok(match linked {
        Some(user) => Listed::Linked(Box::new(entry), Box::new(user)),
        None => Listed::Waiting(Box::new(entry)),
    })
}

/// After a sign-in: the entry that waited stands for the account from now on, where that is a member; and what the directory says of
/// a listed person's role, name and address holds. Says whether it lists them.
pub(crate) fn follow(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    listed: Listed,
    user: &User,
) -> Result<bool> {
    let mut entry = match listed {
        Listed::Linked(entry, _) | Listed::Waiting(entry) => *entry,
        _ => return Ok(false),
    };
    // As it is now: becoming a member may have linked it.
    if let Some(found) = person::find(tx.conn, &entry.directory_id, &entry.id)? {
        entry = found;
    }
    let place = Place::of(tx.conn, organisation)?;
    let is_member = membership::role_of(tx.conn, organisation, &user.id)?.is_some();
    match &entry.user_id {
        Some(linked) if *linked == user.id && is_member => {
            directory_people::follow(tx, actor, &place, &entry, user)?;
            Ok(true)
        }
        None if is_member => {
            directory_people::join(tx, actor, &place, &mut entry, user)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}
