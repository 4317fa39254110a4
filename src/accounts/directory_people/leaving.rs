//! What becomes of an account whose person a directory lists no more.

use diesel::prelude::*;

use crate::{
    accounts::{deletion, directories::Place, personal_data, suspensions},
    clock::Timestamp,
    db::{Tx, schema::users},
    error::Result,
    ids::{OrganisationId, UserId},
    model::{
        audit::{self, Actor},
        directory::person::Person,
        membership, sign_in,
        user::{self, User},
    },
};

/// Ends an account that the directory made: at once where nobody ever came in, else after the grace, unless its person or an
/// operator asked for that before. One that was there before is open again; the membership does not come back.
pub(super) fn end_account(tx: &mut Tx, actor: &Actor, place: &Place, person: &Person) -> Result<()> {
    let organisation = &place.organisation.id;
    let Some(id) = &person.user_id else { return Ok(()) };
    let Some(user) = user::find(tx.conn, id)? else { return Ok(()) };
    if !person.made_account || user.suspended_by.as_ref() != Some(organisation) {
        return suspensions::end(tx, actor, organisation, id).map(drop);
    }
    // Others would be left with nobody to look after what they share.
    let is_needed = !membership::left_without_owner(tx.conn, id)?.is_empty();
    // Sign-ins are forgotten after a while: only of a younger account their list is whole.
    let is_young = user.created_at > tx.now - tx.config.lifetimes.history;
    let is_unused = is_young && !sign_in::has_any(tx.conn, id)?;
    if !is_needed && is_unused && deletion::held_because(tx.conn, id)?.is_none() {
        audit::record(tx, actor, id, deletion::Event::Purged {})?;
        return personal_data::erase(tx, id);
    }
    schedule(tx, actor, organisation, &user)
}

/// Schedules the deletion for an organisation. Nobody is reminded: the person cannot come in to stop it.
fn schedule(tx: &mut Tx, actor: &Actor, organisation: &OrganisationId, user: &User) -> Result<()> {
    let delete_at = tx.now + tx.config.lifetimes.deletion_grace;
    let staying = users::table.find(&user.id).filter(users::deletes_at.is_null());
    let columns =
        (users::deletes_at.eq(delete_at), users::deletes_for.eq(organisation), users::warned_at.eq(tx.now));
    match diesel::update(staying).set(columns).execute(tx.conn)? {
        0 => Ok(()),
        _ => audit::record(tx, actor, &user.id, deletion::Event::DeletionScheduled { delete_at }),
    }
}

/// Keeps an account that was to be deleted for an organisation, which lists its person again. Says whether it was.
pub(super) fn keep_account(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
) -> Result<bool> {
    let theirs = users::table.find(user).filter(users::deletes_for.eq(organisation));
    let columns = (
        users::deletes_at.eq(None::<Timestamp>),
        users::deletes_for.eq(None::<OrganisationId>),
        users::warned_at.eq(None::<Timestamp>),
    );
    match diesel::update(theirs).set(columns).execute(tx.conn)? {
        0 => Ok(false),
        _ => audit::record(tx, actor, user, deletion::Event::DeletionCancelled {}).map(|()| true),
    }
}
