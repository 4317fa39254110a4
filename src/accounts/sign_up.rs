//! Accounts that an operator makes for somebody.

use super::{containment, registration};
use crate::{
    db::Tx,
    error::Result,
    mail::{EmailAddress, emails::ResetOccasion},
    model::{
        audit::{self, Actor, Event},
        user::{self, Name, ProvisionedUser, User},
    },
};

/// Makes an account without a password and sends its person a link with which they choose one, which proves the address.
/// Nothing where there is an account with the address, confirmed or not.
pub(crate) fn create(
    tx: &mut Tx,
    actor: &Actor,
    email: EmailAddress,
    name: Option<Name>,
) -> Result<Option<User>> {
    tx.lock(&email.normalized())?;
    if !user::all_with(tx.conn, &email)?.is_empty() {
        return Ok(None);
    }
    let user = registration::provision(
        tx,
        actor,
        ProvisionedUser { email, name, created_from: "an operator".to_owned() },
    )?;
    containment::send_reset(tx, &user, ResetOccasion::AccountMade)?;
    Ok(Some(user))
}

/// Sends a link for a new password to an account's address, as its person may ask for one.
pub(crate) fn send_reset(tx: &mut Tx, actor: &Actor, user: &User) -> Result<()> {
    tx.lock(&user.email.normalized())?;
    audit::record(tx, actor, &user.id, Event::ResetRequested {})?;
    containment::send_reset(tx, user, ResetOccasion::ByOperator)
}
