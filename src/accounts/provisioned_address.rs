//! The address of an account as the organisation says it that speaks for it: at a sign-in, or by its directory.

use super::{
    containment::occasion::{Occasion, end_access},
    email_change::{self, Event},
    email_verification, sso_policy,
};
use crate::{
    db::{Conn, Tx},
    error::Result,
    ids::OrganisationId,
    mail::EmailAddress,
    model::{
        audit::{self, Actor},
        domain,
        token::AddressChange,
        user::{self, User},
    },
};

/// Moves the account to the address that its organisation says now, where that speaks for the domain of either and nobody else
/// has the address. An address elsewhere that its person has confirmed is their own affair.
pub(crate) fn follow(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &User,
    new: &EmailAddress,
) -> Result<()> {
    let is_same = new.normalized() == user.email.normalized();
    if !speaks_for(tx.conn, organisation, &new.domain())? || (is_same && user.is_verified()) {
        return Ok(());
    }
    if user::confirmed(tx.conn, new)?.is_some_and(|owner| owner.id != user.id) {
        return Ok(());
    }
    if is_same {
        return email_verification::confirm(tx, actor, &user.id, &new.normalized());
    }
    if user.is_verified() && !speaks_for(tx.conn, organisation, &user.email.domain())? {
        return Ok(());
    }
    let change = AddressChange { old: user.email.clone(), new: new.clone() };
    email_change::move_address(tx, actor, &user.id, &change)?;
    end_access(tx, actor, &user.id, Occasion::EmailChangedByProvider)?;
    // Whose address a claim named is not to be bothered with it.
    if user.is_verified() {
        email_change::notify_previous_address(tx, user, &change)?;
    }
    if sso_policy::enforced(tx.conn, &change.new)?.is_some() {
        end_access(tx, actor, &user.id, Occasion::SsoRequired(None))?;
    }
    let (from, to) = (change.old.spelled().to_owned(), change.new.spelled().to_owned());
    audit::record(tx, actor, &user.id, Event::EmailChanged { from, to })
}

/// Whether an organisation has proved the domain.
pub(crate) fn speaks_for(conn: &mut Conn, organisation: &OrganisationId, name: &str) -> Result<bool> {
    let verified = domain::verified(conn, name)?;
    Ok(verified.is_some_and(|domain| domain.organisation_id == *organisation))
}
