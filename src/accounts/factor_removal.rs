//! A second factor goes: the sessions that it let in end, recovery codes go with the last one, the owner is told, and it is on
//! record.

use diesel::prelude::*;

use super::{
    containment::occasion::{Occasion, end_access},
    factors::{self, Event, Factors, LAST_CREDENTIAL},
    organisations::BREAK_GLASS_OWNER,
    put_back, second_factors, sessions, sso_policy,
};
use crate::{
    db::{Tx, schema::passkeys},
    error::{Error, Result},
    ids::{PasskeyId, UserId},
    kinds::Factor,
    mail::emails::FactorChange,
    model::{
        audit::{self, Actor},
        passkey, recovery_code,
        session::CurrentSession,
        totp,
        user::User,
    },
};

/// Removes the authenticator app of `user`, in the session `here` on a device. Returns what is left then; nothing where there
/// is no app. [`BREAK_GLASS_OWNER`] where an organisation relies on it.
pub(crate) fn remove_app(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    here: &CurrentSession,
    device: &str,
) -> Result<Option<Factors>> {
    tx.lock(&user.email.normalized())?;
    if !totp::forget(tx, &user.id)? {
        return Ok(None);
    }
    let left = factors::of(tx.conn, &user.id)?;
    follow(tx, actor, user, here, &left, None, device)?;
    factors::of(tx.conn, &user.id).map(Some)
}

/// Removes one of `user`'s passkeys, in the session `here` on a device; every other session that it opened ends.
/// [`Error::NotFound`] where it is not theirs, [`LAST_CREDENTIAL`] where nothing else opens the account,
/// [`BREAK_GLASS_OWNER`] where an organisation relies on it.
pub(crate) fn remove_passkey(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    here: &CurrentSession,
    id: &PasskeyId,
    device: &str,
) -> Result<()> {
    tx.lock(&user.email.normalized())?;
    let own = passkeys::table.find(id).filter(passkeys::user_id.eq(&user.id));
    if diesel::delete(own).execute(tx.conn)? == 0 {
        return Err(Error::NotFound);
    }
    let left = factors::of(tx.conn, &user.id)?;
    if !factors::has_way_in(tx.conn, tx.config, &user.id)? {
        return Err(LAST_CREDENTIAL.error());
    }
    follow(tx, actor, user, here, &left, Some(id), device)
}

/// What follows from the removal of a passkey, or of the app (`None`), after which these factors are `left`.
fn follow(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    here: &CurrentSession,
    left: &Factors,
    passkey: Option<&PasskeyId>,
    device: &str,
) -> Result<()> {
    if !left.has_usable_second() && sso_policy::is_break_glass_owner(tx.conn, &user.id, None)? {
        return Err(BREAK_GLASS_OWNER.error());
    }
    let (factor, change) = match passkey {
        Some(_) => (Factor::Passkey, FactorChange::PasskeyRemoved),
        None => (Factor::Totp, FactorChange::AppRemoved),
    };
    if let Some(passkey) = passkey {
        sessions::revoke_of_passkey(tx, actor, &user.id, passkey, Some(&here.id))?;
    }
    if factor == Factor::Totp || left.passkeys == 0 {
        let gone: &[Factor] = match forget_codes_after_last(tx, &user.id, left)? {
            true => &[Factor::Totp, Factor::RecoveryCode, Factor::Passkey],
            false => &[factor],
        };
        end_access(tx, actor, &user.id, Occasion::SecondFactorGone(&here.id, gone))?;
    }
    audit::record(tx, actor, &user.id, Event::SecondFactorRemoved { factor, passkey: passkey.cloned() })?;
    second_factors::tell(tx, actor, user, change, device)
}

/// Recovery codes go with the last second factor, there being nothing left to recover. Whether it was the last.
fn forget_codes_after_last(tx: &mut Tx, user: &UserId, left: &Factors) -> Result<bool> {
    if left.is_second_due() {
        return Ok(false);
    }
    recovery_code::forget(tx, user)?;
    Ok(true)
}

/// Takes every second factor away, and every session. What an operator's reset comes to.
pub fn remove_all(tx: &mut Tx, actor: &Actor, user: &UserId) -> Result<()> {
    passkey::forget(tx, user)?;
    totp::forget(tx, user)?;
    recovery_code::forget(tx, user)?;
    end_access(tx, actor, user, Occasion::SecondFactorsReset)?;
    audit::record(tx, actor, user, Event::SecondFactorsReset {})
}

/// Takes some second factors away, and every session.
pub(crate) fn remove_some(
    tx: &mut Tx,
    actor: &Actor,
    user: &UserId,
    gone: &[PasskeyId],
    removes_app: bool,
) -> Result<()> {
    take_away(tx, actor, user, gone, removes_app)?;
    end_access(tx, actor, user, Occasion::SecondFactorsReset)?;
    audit::record(tx, actor, user, Event::SecondFactorsReset {})
}

/// Takes some second factors away, which can be put back for a while, and nothing else than the recovery codes that go with the
/// last one. Returns how many there were. Neither noted nor told: whoever calls it ends sessions, and does both.
pub(crate) fn take_away(
    tx: &mut Tx,
    actor: &Actor,
    user: &UserId,
    gone: &[PasskeyId],
    removes_app: bool,
) -> Result<usize> {
    for passkey in passkey::list(tx.conn, user)?.iter().filter(|one| gone.contains(&one.id)) {
        put_back::keep_passkey(tx, actor, passkey)?;
    }
    let own = passkeys::table.filter(passkeys::user_id.eq(user));
    let mut count = diesel::delete(own.filter(passkeys::id.eq_any(gone))).execute(tx.conn)?;
    if removes_app {
        put_back::keep_app(tx, actor, user)?;
        count += usize::from(totp::forget(tx, user)?);
    }
    let left = factors::of(tx.conn, user)?;
    forget_codes_after_last(tx, user, &left)?;
    Ok(count)
}
