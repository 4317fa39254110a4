//! Changing what an organisation asks of whoever acts in it, so that nobody locks themselves out.
//!
//! The last change counts, and is on record as a whole. No session ends by it: what is asked for is looked at with each
//! request, and who does not meet it is told so then.

use chrono::TimeDelta;

use super::{
    members,
    organisation_policy::{SessionTraits, Unmet, is_excused},
    policy::Membership,
    policy_effects::without_second_factor,
};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Errors, Result},
    ids::OrganisationId,
    mail::emails,
    model::{
        audit::{self, Actor, audit_events},
        domain,
        organisation::{self, Organisation},
        organisation_policy::OrganisationPolicy,
        rate_limit::{self, Limit},
        user::{self, User},
    },
    urls,
};

audit_events! {
    /// What an organisation asks of whoever acts in it changed.
    OrganisationPolicyChanged {
        organisation: OrganisationId,
        before: OrganisationPolicy,
        after: OrganisationPolicy,
    } => of_organisation("organisation_policy_changed", "Policy changed"),
}

/// The fewest minutes that a session may go unused, and that it lasts.
pub(crate) const LEAST_MINUTES: (i32, i32) = (15, 60);

/// The most minutes for either: thirty days.
pub(crate) const MOST_MINUTES: i32 = 43_200;

/// The most networks, and the most domains.
pub(crate) const MOST_LISTED: usize = 50;

/// Sets the whole policy of an organisation, as `by` wants it in `session`, and returns it. The caller holds the
/// organisation's lock. [`Error::Invalid`] where it would lock its author out, [`Error::TooManyAttempts`] where that was done
/// often enough. Where it asks for more, all owners hear of it; where a second factor is asked for newly, or sooner, members
/// without one.
pub(crate) fn set(
    tx: &mut Tx,
    actor: &Actor,
    by: &Membership,
    session: &SessionTraits,
    wanted: OrganisationPolicy,
) -> Result<OrganisationPolicy> {
    let wanted = checked(tx.conn, by, session, wanted, tx.now)?;
    if wanted == by.organisation.policy {
        return Ok(wanted);
    }
    rate_limit::count_change(tx, "policy", by.organisation.id.as_str())?;
    replace(tx, actor, &by.organisation, wanted.clone())?;
    if wanted.asks_more_than(&by.organisation.policy) {
        tell_owners(tx, by)?;
    }
    Ok(wanted)
}

/// What would be set, or [`Error::Invalid`] where that would lock its author out.
pub(crate) fn checked(
    conn: &mut Conn,
    by: &Membership,
    session: &SessionTraits,
    mut wanted: OrganisationPolicy,
    now: Timestamp,
) -> Result<OrganisationPolicy> {
    let before = by.organisation.policy.clone();
    let mut errors = Errors::default();
    // A form has the day only: the day that is set already changes nothing.
    if let (Some(wanted_from), Some(from)) = (wanted.second_factor_from, before.second_factor_from)
        && Timestamp::from_text(&from.iso_day()) == Some(wanted_from)
    {
        wanted.second_factor_from = before.second_factor_from;
    }
    let meets = |what, wanted: &OrganisationPolicy, at| session.meets(wanted, what, &by.organisation.id, at);
    if let Some(from) = wanted.second_factor_from
        && wanted.second_factor_from != before.second_factor_from
    {
        if from.day() != now.day() && from < now {
            errors.add("secondFactorFrom", "Choose today or a later day.");
        } else if !meets(Unmet::SecondFactor, &wanted, from.max(now)) {
            let sentence = "You have one step yourself in this session. Turn on two-step verification for your account, or \
                            confirm with it, before you ask others for it.";
            errors.add("secondFactorFrom", sentence);
        }
        wanted.second_factor_from = Some(from.max(now));
    }
    let is_older = |field: OrganisationPolicy| !meets(Unmet::SessionTooOld, &field, now);
    let (idle, life) = (wanted.session_idle, wanted.session_life);
    if idle != before.session_idle
        && is_older(OrganisationPolicy { session_idle: idle, ..Default::default() })
    {
        let sentence = "You were away for longer than that in this session. Sign in again, then set it.";
        errors.add("sessionIdle", sentence);
    }
    if life != before.session_life
        && is_older(OrganisationPolicy { session_life: life, ..Default::default() })
    {
        errors.add("sessionLife", "You signed in longer ago than that. Sign in again, then set it.");
    }
    if wanted.sign_in_methods != before.sign_in_methods {
        if wanted.is_sso_only() && !has_emergency_owner(conn, &by.organisation)? {
            let sentence = "Require single sign-on for a verified domain first. Its emergency owner can still sign in when \
                            your identity provider doesn't work.";
            errors.add("signInMethods", sentence);
        } else if !meets(Unmet::SignInMethod, &wanted, now)
            && !is_excused(conn, by.who(), session, Unmet::SignInMethod)?
        {
            errors
                .add("signInMethods", "You signed in with another method. Sign in with one of these first.");
        }
    }
    if wanted.networks != before.networks && !meets(Unmet::Network, &wanted, now) {
        let own = session.ip.map_or_else(|| "which is not known".to_owned(), |ip| ip.to_string());
        errors.add("networks", format!("Your own address, {own}, is in none of these networks."));
    }
    if errors.is_empty() { Ok(wanted) } else { Err(Error::Invalid(errors)) }
}

/// Whether somebody could still come in where the organisation's identity provider does not work.
fn has_emergency_owner(conn: &mut Conn, organisation: &Organisation) -> Result<bool> {
    let domains = domain::of(conn, &organisation.id)?;
    Ok(domains.iter().any(|domain| domain.is_enforced && domain.break_glass_id.is_some()))
}

/// Asks for some settings no more, as an operator does for owners who are locked out. Says whether that changed anything.
pub(crate) fn clear(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &Organisation,
    settings: &[String],
) -> Result<bool> {
    organisation::lock(tx, &organisation.id)?;
    let organisation = organisation::by_id(tx.conn, &organisation.id)?;
    let before = organisation.policy.clone();
    let mut after = before.clone();
    settings.iter().for_each(|setting| _ = after.clear(setting));
    replace(tx, actor, &organisation, after.clone())?;
    Ok(before != after)
}

fn tell_owners(tx: &mut Tx, by: &Membership) -> Result<()> {
    let (organisation, author) = (&by.organisation, user::by_id(tx.conn, by.person()?)?);
    let (path, when) = (urls::organisation_page(&organisation.slug, "policy"), tx.now.exact());
    for owner in members::owners(tx.conn, &organisation.id)?.into_iter().filter(User::is_verified) {
        let (to, by) = ((&owner.email, owner.name.as_str()), (author.email.spelled(), when.as_str()));
        let email = emails::policy_changed(&tx.config.site, to, &organisation.name, by, &path)?;
        tx.mail(Some(&owner.id), email)?;
    }
    Ok(())
}

/// Puts the policy back to what it was. The caller holds the organisation's lock.
pub(crate) fn put_back(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    before: OrganisationPolicy,
) -> Result<()> {
    let organisation = organisation::by_id(tx.conn, organisation)?;
    replace(tx, actor, &organisation, before)
}

fn replace(tx: &mut Tx, actor: &Actor, organisation: &Organisation, after: OrganisationPolicy) -> Result<()> {
    let before = organisation.policy.clone();
    if before == after {
        return Ok(());
    }
    organisation::set_policy(tx, &organisation.id, &after)?;
    if let Some(from) = after.second_factor_from
        && before.second_factor_from.is_none_or(|before| from < before)
    {
        announce(tx, organisation, from)?;
    }
    let event = Event::OrganisationPolicyChanged { organisation: organisation.id.clone(), before, after };
    audit::record(tx, actor, None, event)
}

/// Tells the members who have no second factor from when they need one.
fn announce(tx: &mut Tx, organisation: &Organisation, from: Timestamp) -> Result<()> {
    let from = (from > tx.now).then(|| from.exact());
    for member in without_second_factor(tx.conn, &organisation.id)? {
        let reader = user::by_id(tx.conn, &member)?;
        // Mail goes to people, never to claims.
        if !reader.is_verified() {
            continue;
        }
        // Nobody hears of it more than once a day, however often it changes.
        let whom = format!("{} {member}", organisation.id);
        if !rate_limit::try_consume(tx, &Limit::new("policy-ahead-to", &whom, 1, TimeDelta::days(1)))? {
            continue;
        }
        let to = (&reader.email, reader.name.as_str());
        let email = emails::policy_ahead(&tx.config.site, to, &organisation.name, from.as_deref())?;
        tx.mail(Some(&reader.id), email)?;
    }
    Ok(())
}
