//! Accounts are made, on record.

use crate::{
    db::Tx,
    error::Result,
    model::{
        audit::{self, Actor, audit_events},
        user::{self, NewUser, ProvisionedUser, User},
    },
};

audit_events! {
    /// An account was made. Its address is not confirmed.
    SignedUp {} => of("signed_up"),
    /// An account was made for somebody, by an identity provider or an operator.
    Provisioned {} => of("provisioned"),
    /// Demonstration data was made.
    #[cfg_attr(not(feature = "development"), expect(dead_code, reason = "there is none in production"))]
    Seeded {} => of("seeded"),
}

/// Makes an account whose address is a claim.
pub(crate) fn register(tx: &mut Tx, actor: &Actor, new: NewUser) -> Result<User> {
    let user = user::register(tx, new)?;
    audit::record(tx, &actor.known_as(&user.id), &user.id, Event::SignedUp {})?;
    Ok(user)
}

/// Makes an account without a password, whose address is a claim.
pub(crate) fn provision(tx: &mut Tx, actor: &Actor, new: ProvisionedUser) -> Result<User> {
    let user = user::provision(tx, new)?;
    audit::record(tx, &actor.known_as(&user.id), &user.id, Event::Provisioned {})?;
    Ok(user)
}
