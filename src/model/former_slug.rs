//! Slugs that are not free: those that an organisation had before lead to it, and those of the deleted lead nowhere.

use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::former_slugs},
    error::Result,
    ids::OrganisationId,
};

/// Keeps a slug until a moment: for the organisation that had it, or (`None`) for nobody.
pub(crate) fn keep(
    tx: &mut Tx,
    slug: &str,
    organisation: Option<&OrganisationId>,
    until: Timestamp,
) -> Result<()> {
    release(tx, slug)?;
    diesel::insert_into(former_slugs::table)
        .values((
            former_slugs::slug.eq(slug),
            former_slugs::organisation_id.eq(organisation),
            former_slugs::until.eq(until),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Keeps the slugs that organisations had before until a later moment.
pub(crate) fn keep_longer(tx: &mut Tx, organisations: &[&OrganisationId], until: Timestamp) -> Result<()> {
    let theirs = former_slugs::table.filter(former_slugs::organisation_id.eq_any(organisations));
    diesel::update(theirs).set(former_slugs::until.eq(until)).execute(tx.conn)?;
    Ok(())
}

/// Keeps a slug no longer. Harmless twice.
pub(crate) fn release(tx: &mut Tx, slug: &str) -> Result<()> {
    diesel::delete(former_slugs::table.find(slug)).execute(tx.conn)?;
    Ok(())
}

/// Whether a slug is kept at `now`, for another than `organisation`.
pub(crate) fn is_kept_from(
    conn: &mut Conn,
    slug: &str,
    organisation: Option<&OrganisationId>,
    now: Timestamp,
) -> Result<bool> {
    let kept = former_slugs::table.find(slug).filter(former_slugs::until.gt(now));
    let by =
        kept.select(former_slugs::organisation_id).get_result::<Option<OrganisationId>>(conn).optional()?;
    Ok(by.is_some_and(|by| by.is_none() || by.as_ref() != organisation))
}

/// The organisation that had a slug before, while that still leads to it.
pub(crate) fn organisation_of(conn: &mut Conn, slug: &str, now: Timestamp) -> Result<Option<OrganisationId>> {
    let kept = former_slugs::table.find(slug).filter(former_slugs::until.gt(now));
    let by = kept.select(former_slugs::organisation_id).get_result::<Option<OrganisationId>>(conn);
    Ok(by.optional()?.flatten())
}

/// Removes up to `most` slugs that are kept no longer. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    let gone = former_slugs::until.le(tx.now);
    let old = former_slugs::table.filter(gone).order(former_slugs::until).limit(most);
    let slugs: Vec<String> = old.select(former_slugs::slug).load(tx.conn)?;
    Ok(diesel::delete(former_slugs::table.filter(former_slugs::slug.eq_any(slugs)).filter(gone))
        .execute(tx.conn)?)
}
