//! Organisations and accounts whose time is up: those whose people asked for it, and those whose address nobody confirmed.

use super::{
    run::{Run, Stop},
    schedule::Job,
};
use crate::{
    accounts::{api_keys, deletion, email_verification, factor_reset, organisation_deletion},
    db::Tx,
    error::Result,
    model::{audit::Actor, job, organisation, user},
};

// Ids looked up at a time.
const PAGE: i64 = 200;

/// Ends organisations, then reminds people and purges their accounts: the last owner of one that ends may wait for that.
pub(crate) async fn deletions(run: &mut Run<'_>) -> Result<(), Stop> {
    let (now, reminder) = (run.app.now(), run.app.config().lifetimes.deletion_reminder);
    run.for_each(
        "organisations",
        move |conn, after| organisation::due(conn, now, after, PAGE),
        |tx, id| organisation_deletion::end(tx, &Actor::job(), id),
    )
    .await?;
    run.for_each(
        "reminders",
        move |conn, after| deletion::to_remind(conn, now + reminder, after, PAGE),
        deletion::remind,
    )
    .await?;
    run.for_each(
        "accounts",
        move |conn, after| deletion::due(conn, now, after, PAGE),
        |tx, id| Ok(deletion::purge(tx, &Actor::job(), id)? && vacuum_soon(tx)?),
    )
    .await
}

/// Warns, then ends.
pub(crate) async fn unconfirmed(run: &mut Run<'_>) -> Result<(), Stop> {
    let (now, lifetimes) = (run.app.now(), run.app.config().lifetimes);
    run.for_each(
        "warnings",
        move |conn, after| {
            user::stale_unverified(conn, now - lifetimes.unconfirmed_warning, None, after, PAGE)
        },
        email_verification::warn_before_removal,
    )
    .await?;
    // Nobody ends unwarned, however long no job ran.
    let warned_by = now - (lifetimes.unconfirmed - lifetimes.unconfirmed_warning);
    let made_by = now - lifetimes.unconfirmed;
    run.for_each(
        "unverified",
        move |conn, after| user::stale_unverified(conn, made_by, Some(warned_by), after, PAGE),
        |tx, id| Ok(email_verification::expire_unverified(tx, &Actor::job(), id)? && vacuum_soon(tx)?),
    )
    .await
}

/// Takes the second factors away from everybody whose reset has waited long enough and was not stopped.
pub(crate) async fn factor_resets(run: &mut Run<'_>) -> Result<(), Stop> {
    let now = run.app.now();
    run.for_each(
        "factor_resets",
        move |conn, after| factor_reset::due(conn, now, after, PAGE),
        factor_reset::carry_out,
    )
    .await
}

/// Tells the owners of API keys that are about to end: first of those whose last day it is, who need no other email.
pub(crate) async fn api_keys(run: &mut Run<'_>) -> Result<(), Stop> {
    let now = run.app.now();
    for is_last_day in [true, false] {
        run.for_each(
            "expiring_api_keys",
            move |conn, after| api_keys::to_remind(conn, now, is_last_day, after, PAGE),
            move |tx, id| api_keys::remind(tx, id, is_last_day),
        )
        .await?;
    }
    Ok(())
}

/// Has the file written anew, in the same transaction: a kill right after it forgets nothing.
fn vacuum_soon(tx: &mut Tx) -> Result<bool> {
    job::ask_for(tx, Job::Vacuum.name()).map(|()| true)
}
