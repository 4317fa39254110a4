//! What becomes of API keys when access to an account ends.

use super::{
    events::Event,
    telling::{tell_owner, tell_owners_of_maker},
};
use crate::{
    clock::Timestamp,
    db::Tx,
    error::Result,
    ids::{ApiKeyId, OrganisationId, UserId},
    mail::emails::{KeyNews, MakerNews},
    model::{
        api_key::{self, ApiKey, Suspension},
        audit::{self, Actor},
        user::User,
    },
};

/// Suspends a person's own keys because the account may be in other hands.
pub(crate) fn suspend_all(tx: &mut Tx, actor: &Actor, user: &UserId, why: Suspension) -> Result<()> {
    note_suspended(tx, actor, user, why).map(drop)
}

/// Tells the owners of organisations which keys an account made for them that may have been in other hands.
pub(crate) fn tell_in_doubt(tx: &mut Tx, user: &UserId) -> Result<()> {
    tell_owners_of_maker(tx, user, None, MakerNews::InDoubt)
}

/// Takes secrets out of use that disowned sessions made (of which key, and when), of a person's own keys and of organisations':
/// whoever was in such a session knows them, whatever becomes of it.
pub(crate) fn disown_secrets(tx: &mut Tx, actor: &Actor, made: &[(ApiKeyId, Timestamp)]) -> Result<()> {
    for (id, at) in made {
        let Some(key) = api_key::find(tx.conn, id)? else { continue };
        if api_key::disown_secret(tx, id, *at)? {
            let event = Event::ApiKeySecretDisowned {
                key: key.id,
                organisation: key.organisation_id,
                name: key.name,
            };
            audit::record(tx, actor, key.user_id.as_ref(), event)?;
        } else {
            // It may be the one before.
            api_key::end_former(tx, id)?;
        }
    }
    Ok(())
}

/// Suspends a person's own keys because they want it.
pub(crate) fn suspend(tx: &mut Tx, actor: &Actor, user: &User) -> Result<usize> {
    tx.lock(&user.email.normalized())?;
    note_suspended(tx, actor, &user.id, Suspension::Asked)
}

fn note_suspended(tx: &mut Tx, actor: &Actor, user: &UserId, why: Suspension) -> Result<usize> {
    let count = api_key::suspend_own(tx, user, why)?;
    if count > 0 {
        audit::record(tx, actor, user, Event::ApiKeysSuspended { count })?;
    }
    Ok(count)
}

/// Ends a key at an operator's word, and tells its owner. `false` where it has ended already.
pub(crate) fn revoke_by_operator(tx: &mut Tx, actor: &Actor, key: &ApiKey) -> Result<bool> {
    if !api_key::remove(tx, &key.id)? {
        return Ok(false);
    }
    let event = Event::ApiKeyRevoked {
        key: key.id.clone(),
        organisation: key.organisation_id.clone(),
        name: key.name.clone(),
    };
    audit::record(tx, actor, key.user_id.as_ref(), event)?;
    tell_owner(tx, key, KeyNews::Revoked)?;
    Ok(true)
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
