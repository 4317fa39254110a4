//! What people hear of roles in organisations.

use super::members;
use crate::{
    db::Tx,
    error::Result,
    ids::{OrganisationId, UserId},
    mail::emails::{self, MembershipChange},
    model::{
        organisation::{self, Organisation},
        session,
        user::{self, User},
    },
    urls,
};

/// What a role had been stepped up for is no longer what it was; and people hear of it.
pub(crate) fn follow_role(
    tx: &mut Tx,
    organisation: &OrganisationId,
    user: &UserId,
    change: MembershipChange,
) -> Result<()> {
    session::drop_step_ups(tx, user)?;
    let (organisation, member) = (organisation::by_id(tx.conn, organisation)?, user::by_id(tx.conn, user)?);
    tell(tx, &member, &organisation, change)?;
    if !matches!(change, MembershipChange::MadeOwner) {
        return Ok(());
    }
    let owners = members::owners(tx.conn, &organisation.id)?;
    let address = member.email.spelled();
    owners
        .iter()
        .filter(|owner| owner.id != member.id)
        .try_for_each(|owner| tell(tx, owner, &organisation, MembershipChange::AnotherOwner { address }))
}

/// Tells a person what they are in an organisation from now on, or that somebody else owns it.
pub(crate) fn tell(
    tx: &mut Tx,
    reader: &User,
    organisation: &Organisation,
    change: MembershipChange,
) -> Result<()> {
    // Mail goes to people, never to claims.
    if !reader.is_verified() {
        return Ok(());
    }
    let path = match change {
        MembershipChange::Removed => "/organisations".to_owned(),
        _ => urls::organisation(&organisation.slug),
    };
    let (site, when) = (&tx.config.site, tx.now.exact());
    let (to, name) = (&reader.email, &reader.name);
    let email = emails::membership_changed(site, to, name, &organisation.name, change, &when, &path)?;
    tx.mail(Some(&reader.id), email)
}
