//! Whoever had an account before joins by their own act: an entry that waits for that is an invitation in the organisation's name.

use chrono::TimeDelta;

use super::events::Event;
use crate::{
    accounts::{directories::Place, directory_roles, open_invitations},
    db::Tx,
    error::{Error, Result},
    mail::{EmailAddress, EmailKind, emails},
    model::{
        audit::{self, Actor},
        directory::person::Person,
        invitation::{self, Inviter},
        rate_limit,
        token::{self, Invite, Invited},
    },
};

/// How long after an email the next one is sent by itself.
const AGAIN_AFTER: TimeDelta = TimeDelta::days(7);

/// Asks the reader of an address to join, by an email with a link, unless that was done lately or the address got as many emails as it
/// may. The role is what the directory says now.
pub(super) fn ask(
    tx: &mut Tx,
    actor: &Actor,
    place: &Place,
    person: &mut Person,
    email: &EmailAddress,
) -> Result<()> {
    let was_asked_lately = person.asked_at.is_some_and(|at| tx.now - at < AGAIN_AFTER);
    if was_asked_lately || !rate_limit::try_consume_mail(tx, EmailKind::Invitation, email)? {
        return Ok(());
    }
    let role = match directory_roles::by_groups(tx.conn, &place.directory, &person.id)? {
        Some(role) => role,
        None => directory_roles::default(tx.conn, &place.directory)?,
    };
    let until = tx.now + tx.config.lifetimes.invitation;
    let organisation = &place.organisation;
    invitation::expire(tx)?;
    // A member may have invited them: that invitation leads here as well.
    let Some(id) =
        invitation::insert(tx, &organisation.id, email, &role, Inviter::Directory(&person.id), until)?
    else {
        return Ok(());
    };
    person.asked_at = Some(tx.now);
    let secret = token::issue_unowned::<Invite>(tx, &Invited { invitation: id, email: 1 })?;
    let (site, names) = (&tx.config.site, (&*organisation.name, &*organisation.name));
    let email = emails::invitation(site, email, names, role.words(), &until.exact(), secret.reveal())?;
    tx.mail(None, email)?;
    let event =
        Event::DirectoryPersonAsked { organisation: organisation.id.clone(), person: person.id.clone() };
    audit::record(tx, actor, None, event)
}

/// Takes back what an entry's person was asked.
pub(super) fn withdraw(tx: &mut Tx, actor: &Actor, person: &Person) -> Result<()> {
    for id in invitation::entry::of_person(tx.conn, &person.id)? {
        let Some(found) = invitation::find(tx.conn, &id)? else { continue };
        match open_invitations::revoke(tx, actor, &found) {
            Ok(()) | Err(Error::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
