//! What a proved mailbox does to an account that only claimed its address.

use super::{
    containment::occasion::{Occasion, end_access},
    email_verification, factor_removal, factors, organisations,
};
use crate::{
    db::Tx,
    error::Result,
    ids::UserId,
    model::{
        audit::{self, Actor, audit_events},
        identity, provider_identity, sign_in,
        user::{self, User},
    },
};

audit_events! {
    /// What its maker had put there was removed.
    UnverifiedAccountCleared {} => of("unverified_account_cleared"),
}

/// Confirms the address of a claim for whoever reads its mail, and returns the account as it is then.
///
/// Anybody may have made the claim, perhaps to lie in wait for the owner. Whoever reads the mail proves the address and
/// nothing else, so what was put there before goes: the password, sessions, links, known devices, second factors,
/// organisations and their names for it, the history. The owner sets a password of their own by mail when they want one.
/// A reset does the same, but that it brings a new password along; a confirmation link asks for the password instead, and
/// so may leave it.
pub(crate) fn clear(tx: &mut Tx, actor: &Actor, user: &User, normalized: &str) -> Result<User> {
    email_verification::confirm(tx, actor, &user.id, normalized)?;
    if factors::of(tx.conn, &user.id)?.is_second_due() {
        factor_removal::remove_all(tx, actor, &user.id)?;
    }
    detach_from_organisations(tx, actor, &user.id)?;
    end_access(tx, actor, &user.id, Occasion::EmailVerified)?;
    sign_in::forget(tx, &user.id)?;
    audit::record(tx, actor, &user.id, Event::UnverifiedAccountCleared {})?;
    user::by_id(tx.conn, &user.id)
}

/// Takes an account whose address was a claim until now out of every organisation, and forgets its identities: any organisation
/// could have said that it is one of its people, and anybody could have come with an identity.
pub(crate) fn detach_from_organisations(tx: &mut Tx, actor: &Actor, user: &UserId) -> Result<()> {
    identity::forget(tx, user)?;
    provider_identity::forget(tx, user)?;
    organisations::withdraw(tx, actor, user)
}
