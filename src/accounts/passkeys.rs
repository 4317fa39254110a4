//! Passkeys, as far as more than their own table is concerned: named, or closed because there is a copy.

use diesel::prelude::*;

use super::{second_factors, sessions};
use crate::{
    db::{Tx, schema::passkeys},
    error::{Result, refusals},
    ids::{PasskeyId, UserId},
    mail::emails::FactorChange,
    model::{
        audit::{self, Actor, audit_events},
        passkey::{self, PasskeyName},
        user::User,
    },
};

refusals! {
    /// A passkey did not open anything. The same words whatever was wrong with it.
    UNKNOWN_PASSKEY = ("unknown_passkey", 401, "This passkey is not known here. It may have been removed.")
        .page("That passkey didn't work", "/login", "Sign in another way");
}

audit_events! {
    /// A passkey got another name.
    PasskeyRenamed { passkey: PasskeyId } => of("passkey_renamed"),
    /// A passkey's counter went back: there is a copy of it, and it opens nothing from now on.
    PasskeyCopied { passkey: PasskeyId } => of("passkey_copied"),
}

/// Closes a passkey that was copied, signs out whoever came in with it, and tells its owner. Harmless twice.
pub(crate) fn close(tx: &mut Tx, actor: &Actor, user: &User, id: &PasskeyId, device: &str) -> Result<()> {
    let open = passkeys::table.find(id).filter(passkeys::copied_at.is_null());
    if diesel::update(open).set(passkeys::copied_at.eq(tx.now)).execute(tx.conn)? == 0 {
        return Ok(());
    }
    sessions::revoke_of_passkey(tx, actor, &user.id, id, None)?;
    audit::record(tx, actor, &user.id, Event::PasskeyCopied { passkey: id.clone() })?;
    second_factors::tell(tx, actor, user, FactorChange::PasskeyCopied, device)
}

/// Calls one of `owner`'s passkeys something else. Nobody learns whether an id belongs to somebody else.
pub(crate) fn rename(
    tx: &mut Tx,
    actor: &Actor,
    owner: &UserId,
    id: &PasskeyId,
    name: &PasskeyName,
) -> Result<()> {
    passkey::rename(tx, owner, id, name)?;
    audit::record(tx, actor, owner, Event::PasskeyRenamed { passkey: id.clone() })
}
