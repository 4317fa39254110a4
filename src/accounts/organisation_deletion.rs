//! Deleting an organisation: its members lose it at once, its owners can restore it for a while, then it ends.
//!
//! Deleting, restoring and ending are one conditional statement each, while nobody else changes the organisation. Nobody
//! signs in through its connections meanwhile: see [`super::sso_policy::is_out_of_use`].

use chrono::TimeDelta;

use super::{
    containment::occasion::{Occasion, end_access},
    hand_over_offers, members, organisation_names,
};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Result, refusals},
    ids::{OrganisationId, UserId},
    kinds::Role,
    mail::emails::{self, OrganisationNews},
    model::{
        api_key,
        audit::{self, Actor, audit_events},
        connection, domain, membership,
        organisation::{self, Organisation},
        user,
    },
    urls,
};

refusals! {
    /// The people of a domain have no other way in than by the organisation.
    DOMAIN_IN_FORCE = (
        "domain_in_force", 409, "A domain of this organisation requires single sign-on. Stop requiring it first."
    ).at_organisations("That is not possible");
}

audit_events! {
    /// An owner deleted an organisation; it ends after the grace.
    OrganisationDeletionScheduled { organisation: OrganisationId, delete_at: Timestamp }
        => of_organisation("organisation_deletion_scheduled", "Organisation deleted"),
    /// An organisation was restored in time.
    OrganisationRestored { organisation: OrganisationId }
        => of_organisation("organisation_restored", "Organisation restored"),
    /// An organisation ended.
    OrganisationEnded { organisation: OrganisationId }
        => of_organisation("organisation_ended", "Organisation ended"),
}

/// What is deleted with an organisation.
#[derive(Debug)]
pub(crate) struct Extent {
    /// How many people belong to it.
    pub members: i64,
    /// How many identity providers are connected.
    pub connections: usize,
    /// How many API keys it has.
    pub keys: usize,
}

/// What would be deleted with an organisation.
pub(crate) fn extent(conn: &mut Conn, organisation: &OrganisationId) -> Result<Extent> {
    let members = membership::counts(conn, organisation)?.iter().map(|(.., count)| count).sum();
    let connections = connection::of(conn, organisation)?.len();
    let keys = api_key::list(conn, api_key::Of::Organisation(organisation))?.len();
    Ok(Extent { members, connections, keys })
}

/// Deletes an organisation once `grace` is over; asking again does not put it off. Returns when. [`DOMAIN_IN_FORCE`]
/// while a domain of it requires single sign-on: its people would have no way in.
pub(crate) fn schedule(
    tx: &mut Tx,
    actor: &Actor,
    id: &OrganisationId,
    grace: TimeDelta,
) -> Result<Timestamp> {
    organisation::lock(tx, id)?;
    if domain::of(tx.conn, id)?.iter().any(|domain| domain.is_enforced) {
        return Err(DOMAIN_IN_FORCE.error());
    }
    let deletes_at = tx.now + grace;
    if !organisation::schedule_deletion(tx, id, deletes_at)? {
        return organisation::by_id(tx.conn, id)?.deletes_at.ok_or(Error::NotFound);
    }
    hand_over_offers::revoke(tx, id, None)?;
    let event = Event::OrganisationDeletionScheduled { organisation: id.clone(), delete_at: deletes_at };
    audit::record(tx, actor, None, event)?;
    let signs_people_in = !connection::of(tx.conn, id)?.is_empty();
    let found = organisation::by_id(tx.conn, id)?;
    let members = membership::all(tx.conn, id)?;
    let asked_for = actor.user.as_ref();
    let mut owners = members.iter().filter(|(_, role)| *role == Role::Owner).map(|(owner, _)| owner);
    let asker = owners.clone().find(|owner| Some(*owner) == asked_for).or_else(|| owners.next());
    let asker = asker.map(|owner| user::by_id(tx.conn, owner)).transpose()?;
    for (member, role) in members {
        if signs_people_in {
            end_access(tx, actor, &member, Occasion::OrganisationLeaving)?;
        }
        let is_owner = role == Role::Owner;
        if !grace.is_zero() {
            let owner = asker.as_ref().filter(|_| !is_owner).map(|owner| owner.email.spelled());
            tell(tx, &member, &found, OrganisationNews::Leaving { owner, until: deletes_at })?;
        }
    }
    Ok(deletes_at)
}

/// Keeps an organisation that was to be deleted. Says whether it was. [`Error::NotFound`] where it is gone already.
pub(crate) fn restore(tx: &mut Tx, actor: &Actor, id: &OrganisationId) -> Result<bool> {
    organisation::lock(tx, id)?;
    if !organisation::cancel_deletion(tx, id)? {
        return organisation::by_id(tx.conn, id).map(|_| false);
    }
    audit::record(tx, actor, None, Event::OrganisationRestored { organisation: id.clone() })?;
    let found = organisation::by_id(tx.conn, id)?;
    for (member, _) in membership::all(tx.conn, id)? {
        tell(tx, &member, &found, OrganisationNews::Restored)?;
    }
    Ok(true)
}

/// Ends an organisation whose time is up, with everything that is its own. Says whether it did: whoever restores it a moment
/// before wins, and doing it twice does nothing. Its slug stays taken for a while.
pub(crate) fn end(tx: &mut Tx, actor: &Actor, id: &OrganisationId) -> Result<bool> {
    organisation::lock(tx, id)?;
    let found = match organisation::by_id(tx.conn, id) {
        Err(Error::NotFound) => return Ok(false),
        found => found?,
    };
    let owners = members::owners(tx.conn, id)?;
    if !organisation::end_due(tx, id)? {
        return Ok(false);
    }
    organisation_names::keep_back(tx, &found.slug, id)?;
    audit::record(tx, actor, None, Event::OrganisationEnded { organisation: id.clone() })?;
    for owner in owners {
        tell(tx, &owner.id, &found, OrganisationNews::Gone)?;
    }
    Ok(true)
}

fn tell(tx: &mut Tx, member: &UserId, organisation: &Organisation, news: OrganisationNews) -> Result<()> {
    let reader = user::by_id(tx.conn, member)?;
    // Mail goes to people, never to claims.
    if !reader.is_verified() {
        return Ok(());
    }
    let path = match news {
        OrganisationNews::Leaving { owner: None, .. } => {
            urls::organisation_page(&organisation.slug, "restore")
        }
        OrganisationNews::Restored => urls::organisation(&organisation.slug),
        OrganisationNews::Leaving { .. } | OrganisationNews::Gone => "/organisations".to_owned(),
    };
    let (site, to) = (&tx.config.site, (&reader.email, reader.name.as_str()));
    let email = emails::organisation_news(site, to, &organisation.name, news, &path)?;
    tx.mail(Some(&reader.id), email)
}
