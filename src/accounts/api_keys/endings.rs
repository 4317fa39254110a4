//! What becomes of API keys when access to an account ends.

use super::{events::Event, telling::tell_owners_of_maker};
use crate::{
    db::Tx,
    error::Result,
    ids::{OrganisationId, UserId},
    mail::emails::MakerNews,
    model::{
        api_key,
        audit::{self, Actor},
        user::User,
    },
};

/// Suspends a person's own keys because the account may be in other hands; the owners of organisations read which keys it made
/// for them. Returns how many were suspended.
pub(crate) fn suspend_all(tx: &mut Tx, actor: &Actor, user: &UserId) -> Result<usize> {
    tell_owners_of_maker(tx, user, None, MakerNews::InDoubt)?;
    note_suspended(tx, actor, user)
}

/// Suspends a person's own keys because they want it.
pub(crate) fn suspend(tx: &mut Tx, actor: &Actor, user: &User) -> Result<usize> {
    tx.lock(&user.email.normalized())?;
    note_suspended(tx, actor, &user.id)
}

fn note_suspended(tx: &mut Tx, actor: &Actor, user: &UserId) -> Result<usize> {
    let count = api_key::suspend_own(tx, user)?;
    if count > 0 {
        audit::record(tx, actor, user, Event::ApiKeysSuspended { count })?;
    }
    Ok(count)
}

/// Ends a person's own keys for good.
pub(crate) fn end_all(tx: &mut Tx, actor: &Actor, user: &UserId) -> Result<()> {
    end(tx, actor, user, None)
}

/// Ends those of somebody's own keys that are for an organisation which they left, for good: they do not come back with them.
/// Keys that they made for it stay, and its owners read which.
pub(crate) fn end_at(tx: &mut Tx, actor: &Actor, organisation: &OrganisationId, user: &UserId) -> Result<()> {
    tell_owners_of_maker(tx, user, Some(organisation), MakerNews::Left)?;
    end(tx, actor, user, Some(organisation))
}

fn end(tx: &mut Tx, actor: &Actor, user: &UserId, only: Option<&OrganisationId>) -> Result<()> {
    match api_key::remove_own(tx, user, only)? {
        0 => Ok(()),
        count => audit::record(tx, actor, user, Event::ApiKeysEnded { count }),
    }
}
