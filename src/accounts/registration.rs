//! Accounts are made, on record.

use crate::{
    db::Tx,
    error::Result,
    model::{
        audit::{self, Actor, Event},
        user::{self, NewUser, ProvisionedUser, User},
    },
};

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
