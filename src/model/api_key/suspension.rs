//! API keys that wait for their owner, and why.

use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    db::{Tx, schema::api_keys},
    error::Result,
    ids::{ApiKeyId, UserId},
    text_enum,
};

text_enum! {
    /// Why a key is suspended.
    Suspension {
        /// Its owner wanted it.
        Asked => "asked",
        /// The password was set by a link in the mailbox.
        PasswordReset => "password_reset",
        /// Its owner said that somebody else was in the account.
        AccountSecured => "account_secured",
        /// An operator locked the account.
        AccountLocked => "account_locked",
        /// Whoever made its secret was somebody else: only another secret takes it up again.
        SecretDisowned => "secret_disowned",
    }
}

/// Suspends a person's own keys. Returns how many were not suspended before.
pub(crate) fn suspend_own(tx: &mut Tx, user: &UserId, why: Suspension) -> Result<usize> {
    let own = api_keys::table.filter(api_keys::user_id.eq(user)).filter(api_keys::suspended_at.is_null());
    let suspended = (api_keys::suspended_at.eq(tx.now), api_keys::suspended_for.eq(why));
    Ok(diesel::update(own).set(suspended).execute(tx.conn)?)
}

/// Suspends a key whose present secret was made at a moment, until it gets another. `false` where it has another already.
pub(crate) fn disown_secret(tx: &mut Tx, id: &ApiKeyId, made_at: Timestamp) -> Result<bool> {
    let key = api_keys::table.find(id).filter(api_keys::rolled_at.eq(made_at));
    let suspended =
        (api_keys::suspended_at.eq(tx.now), api_keys::suspended_for.eq(Suspension::SecretDisowned));
    Ok(diesel::update(key).set(suspended).execute(tx.conn)? == 1)
}

/// Takes a key up again. `false` where it was not suspended, or only another secret does.
pub(crate) fn resume(tx: &mut Tx, id: &ApiKeyId) -> Result<bool> {
    let why = api_keys::suspended_for;
    let suspended = api_keys::table
        .find(id)
        .filter(api_keys::suspended_at.is_not_null())
        .filter(why.is_null().or(why.assume_not_null().ne(Suspension::SecretDisowned)));
    let nothing = (api_keys::suspended_at.eq(None::<Timestamp>), why.eq(None::<Suspension>));
    Ok(diesel::update(suspended).set(nothing).execute(tx.conn)? == 1)
}
