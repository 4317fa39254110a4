//! What is undone when an account may be in other hands.

use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    db::{Tx, schema::users},
    error::Result,
    model::{
        audit::{self, Actor, Event},
        session, token,
        user::User,
    },
};

/// Keeps everybody out of an account and ends its sessions and links, or lets its person in again. Says whether that
/// changed anything.
pub fn set_locked(tx: &mut Tx, actor: &Actor, user: &User, is_locked: bool) -> Result<bool> {
    tx.lock(&user.email.normalized())?;
    let changed = match is_locked {
        true => diesel::update(users::table.find(&user.id).filter(users::locked_at.is_null()))
            .set(users::locked_at.eq(tx.now))
            .execute(tx.conn)?,
        false => diesel::update(users::table.find(&user.id).filter(users::locked_at.is_not_null()))
            .set(users::locked_at.eq(None::<Timestamp>))
            .execute(tx.conn)?,
    };
    if changed == 0 {
        return Ok(false);
    }
    if is_locked {
        session::revoke_others(tx, actor, &user.id, None)?;
        token::revoke_all(tx, &user.id)?;
    }
    audit::record(
        tx,
        actor,
        &user.id,
        if is_locked { Event::UserLocked {} } else { Event::UserUnlocked {} },
    )?;
    Ok(true)
}
