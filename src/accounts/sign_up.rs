//! Accounts that somebody else asked for: an operator, or whoever invited their person.

use super::{
    containment,
    email_verification::{self, ALREADY_CONFIRMED},
    invitations,
    passwords::Event,
    registration,
};
use crate::{
    db::Tx,
    error::{Errors, Result},
    mail::{EmailAddress, emails::ResetOccasion},
    model::{
        audit::{self, Actor},
        password::{
            Password,
            policy::{Context, weaknesses},
        },
        token::Invite,
        user::{self, Name, NewUser, ProvisionedUser, User},
    },
    secret::Secret,
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

/// Makes an account for whoever reads the email of an invitation, which proves the address: every other account that waits for
/// it ends. [`SSO_REQUIRED`] where people of its domain sign in through their organisation, [`ALREADY_CONFIRMED`]
/// where somebody has it confirmed, what [`invitations::open`] says where the link is dead.
pub(crate) fn by_invitation(tx: &mut Tx, actor: &Actor, link: &Secret<Invite>, new: NewUser) -> Result<User> {
    let normalized = new.email.normalized();
    tx.lock(&normalized)?;
    invitations::open(tx.conn, link, tx.now)?;
    if user::confirmed(tx.conn, &new.email)?.is_some() {
        return Err(ALREADY_CONFIRMED.error());
    }
    let user = registration::register(tx, actor, new)?;
    email_verification::confirm(tx, &actor.known_as(&user.id), &user.id, &normalized)?;
    user::by_id(tx.conn, &user.id)
}

/// Looks at the name and the password of somebody who makes an account by a link to `address`, at both at once. Not for a thread
/// that answers requests: judging a password takes milliseconds.
pub(crate) fn check(
    name: &str,
    password: &Password,
    address: &EmailAddress,
    app: &str,
) -> Result<Name, Errors> {
    let context = Context { address: address.spelled(), name, app };
    let mut errors = Errors::default();
    let name = Name::parse(name).map_err(|problem| errors.add("name", problem)).ok();
    for weakness in weaknesses(password.reveal(), &context) {
        errors.add("password", weakness);
    }
    name.filter(|_| errors.is_empty()).ok_or(errors)
}
