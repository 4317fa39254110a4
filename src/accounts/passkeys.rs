//! Passkeys, as far as more than their own table is concerned: removed, or closed because there is a copy.

use diesel::prelude::*;

use super::{factors, second_factors, sessions};
use crate::{
    db::{Tx, schema::passkeys},
    error::{Error, Result},
    ids::{PasskeyId, UserId},
    kinds::Factor,
    mail::emails::FactorChange,
    model::{
        audit::{self, Actor, Event},
        passkey::{self, PasskeyName},
        session::CurrentSession,
        user::User,
    },
};

/// Closes a passkey that was copied, signs out whoever came in with it, and tells its owner. Harmless twice.
pub fn close(tx: &mut Tx, actor: &Actor, user: &User, id: &PasskeyId, device: &str) -> Result<()> {
    let open = passkeys::table.find(id).filter(passkeys::copied_at.is_null());
    if diesel::update(open).set(passkeys::copied_at.eq(tx.now)).execute(tx.conn)? == 0 {
        return Ok(());
    }
    sessions::revoke_of_passkey(tx, actor, &user.id, id, None)?;
    audit::record(tx, actor, &user.id, Event::PasskeyCopied { passkey: id.clone() })?;
    second_factors::tell(tx, actor, user, FactorChange::PasskeyCopied, device)
}

/// Removes one of `user`'s passkeys, in the session `here`; every other session that it opened ends.
/// [`Error::LastCredential`] where nothing else opens the account, [`Error::BreakGlassOwner`] where an organisation relies on it.
pub fn remove(tx: &mut Tx, actor: &Actor, user: &User, here: &CurrentSession, id: &PasskeyId) -> Result<()> {
    let own = passkeys::table.find(id).filter(passkeys::user_id.eq(&user.id));
    if diesel::delete(own).execute(tx.conn)? == 0 {
        return Err(Error::NotFound);
    }
    let left = factors::of(tx.conn, &user.id)?;
    if !left.can_sign_in() {
        return Err(Error::LastCredential);
    }
    second_factors::keep_break_glass_owner(tx, &user.id, &left)?;
    sessions::revoke_of_passkey(tx, actor, &user.id, id, Some(&here.id))?;
    if left.passkeys == 0 {
        second_factors::removed(tx, actor, &user.id, here, Factor::Passkey)?;
    }
    let removed = Event::SecondFactorRemoved { factor: Factor::Passkey, passkey: Some(id.clone()) };
    audit::record(tx, actor, &user.id, removed)
}

/// Calls one of `owner`'s passkeys something else. Nobody learns whether an id belongs to somebody else.
pub fn rename(tx: &mut Tx, actor: &Actor, owner: &UserId, id: &PasskeyId, name: &PasskeyName) -> Result<()> {
    passkey::rename(tx, owner, id, name)?;
    audit::record(tx, actor, owner, Event::PasskeyRenamed { passkey: id.clone() })
}
