//! What organisations are called: which slugs are free, giving an organisation another, and what becomes of the one before.
//!
//! Whoever takes a slug or gives one up holds its name, so that no slug is an organisation's own and kept for another.

use chrono::TimeDelta;
use serde::Serialize;

use super::policy::Membership;
use crate::{
    clock::Timestamp,
    db::Tx,
    error::{Error, Errors, Result},
    ids::OrganisationId,
    model::{
        application::{self, Needs},
        audit::{self, Actor, audit_events},
        former_slug,
        organisation::{self, Organisation, Slug, Title},
        rate_limit,
    },
};

audit_events! {
    /// An organisation got another name, or another short name.
    OrganisationRenamed { organisation: OrganisationId, before: OrganisationState, after: OrganisationState }
        => of_organisation("organisation_renamed", "Organisation renamed"),
}

/// What an organisation is called at one moment.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct OrganisationState {
    /// Its name.
    pub name: String,
    /// Its part of a URL.
    pub slug: String,
}

/// Makes sure that nobody but `organisation` had a slug lately, and that nobody takes it meanwhile. [`Error::Invalid`] where
/// it is kept for another, was one's that is deleted, or has the shape of an id.
pub(crate) fn reserve(tx: &mut Tx, slug: &str, organisation: Option<&OrganisationId>) -> Result<()> {
    // An application may ask about an organisation by either.
    if OrganisationId::parse(slug).is_some() {
        return Err(Error::Invalid(Errors::one("slug", "That looks like an id. Choose another.")));
    }
    lock(tx, slug)?;
    match former_slug::is_kept_from(tx.conn, slug, organisation, tx.now)? {
        true => Err(taken(slug)),
        false => former_slug::release(tx, slug),
    }
}

/// Somebody else has the slug, or had it lately.
pub(crate) fn taken(slug: &str) -> Error {
    let sentence = format!("The short name {slug} is taken. Choose another.");
    Error::Invalid(Errors::one("slug", sentence))
}

/// Gives an organisation another name, another slug, or both. The one before leads to it for a while. The caller holds the
/// organisation's lock. [`Error::Invalid`] where the slug is taken.
pub(crate) fn rename(
    tx: &mut Tx,
    actor: &Actor,
    mine: &Membership,
    title: Option<&Title>,
    slug: Option<&Slug>,
) -> Result<Organisation> {
    let of = &mine.organisation;
    let before = OrganisationState { name: of.name.clone(), slug: of.slug.clone() };
    let after = OrganisationState {
        name: title.map_or(&before.name[..], Title::as_str).to_owned(),
        slug: slug.map_or(&before.slug[..], Slug::as_str).to_owned(),
    };
    if after == before {
        return Ok(of.clone());
    }
    rate_limit::count_change(tx, "organisation-names", of.id.as_str())?;
    if after.slug != before.slug {
        // In one order, so that two organisations that swap theirs take turns.
        let mut both = [&before.slug, &after.slug];
        both.sort();
        both.iter().try_for_each(|slug| lock(tx, slug))?;
        reserve(tx, &after.slug, Some(&of.id))?;
        let until = kept_until(tx, &of.id)?;
        former_slug::keep(tx, &before.slug, Some(&of.id), until)?;
    }
    organisation::rename(tx, &of.id, &after.name, &after.slug)?.ok_or_else(|| taken(&after.slug))?;
    let event = Event::OrganisationRenamed { organisation: of.id.clone(), before, after };
    audit::record(tx, actor, None, event)?;
    organisation::by_id(tx.conn, &of.id)
}

/// Keeps the slug of an organisation that ends back for a while, so that old links lead to nobody else.
pub(crate) fn keep_back(tx: &mut Tx, slug: &str, organisation: &OrganisationId) -> Result<()> {
    lock(tx, slug)?;
    let until = kept_until(tx, organisation)?;
    former_slug::keep(tx, slug, None, until)
}

// Applications read `slug:role` in a header: what they were told of once is nobody else's later.
const FOR_GOOD: TimeDelta = TimeDelta::days(365 * 100);

/// Until when a slug is kept that an organisation gives up now: for good, where an application asks for its members.
fn kept_until(tx: &mut Tx, organisation: &OrganisationId) -> Result<Timestamp> {
    let mut needs = application::all(tx.conn)?.into_iter().flat_map(|one| one.needs.members);
    let is_named = needs.any(|need| need.organisation == *organisation);
    Ok(tx.now + if is_named { FOR_GOOD } else { tx.config.lifetimes.former_slug })
}

/// Keeps the slugs for good that the organisations had before of whose members an application asks something.
pub(crate) fn keep_for_good(tx: &mut Tx, needs: &Needs) -> Result<()> {
    let named: Vec<&OrganisationId> = needs.members.iter().map(|need| &need.organisation).collect();
    let until = tx.now + FOR_GOOD;
    former_slug::keep_longer(tx, &named, until)
}

fn lock(tx: &mut Tx, slug: &str) -> Result<()> {
    tx.lock(&format!("slug {slug}"))
}
