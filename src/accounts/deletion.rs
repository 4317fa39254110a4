//! Scheduled account deletion: grace period, cancellation, purge.
//!
//! Asking, keeping and purging are decided by one conditional UPDATE each, in a transaction that holds the address.

use chrono::TimeDelta;
use diesel::prelude::*;

use super::{
    containment::{
        occasion::{Occasion, end_access},
        way_back::{device_of, way_back, way_back_from},
    },
    organisations::{BREAK_GLASS_OWNER, LAST_OWNER},
    personal_data, security_changes, sso_policy,
};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::users},
    error::{Error, Result, Way, refusals},
    ids::{SessionId, UserId},
    mail::emails,
    model::{
        audit::{self, Actor, audit_events},
        membership,
        rate_limit::{self, Limit},
        security_change::{self, Kind},
        token::{self, CancelDeletion},
        user::{self, Cursor, User},
    },
    secret::Secret,
};

refusals! {
    /// The account is waiting to be deleted, and does nothing else meanwhile.
    DELETION_SCHEDULED = (
        "deletion_scheduled", 403, "This account is going to be deleted. Cancel the deletion to use it again."
    ).redirect("/me/delete/status", Way::Redirect);
}

audit_events! {
    /// The account is to be deleted.
    DeletionScheduled { delete_at: Timestamp } => of("deletion_scheduled"),
    /// The account stays.
    DeletionCancelled {} => of("deletion_cancelled"),
    /// An operator keeps the account from being purged.
    DeletionHeld { reason: String } => of("deletion_held"),
    /// An operator lifted that hold.
    DeletionReleased {} => of("deletion_released"),
    /// The account was purged.
    Purged {} => of("purged"),
}

const ASKED: &str = "Your account is to be deleted";

/// The days that are left, as a person counts them: 30 on the day one asks, and 1 on the last day.
pub(crate) fn days_left(deletes_at: Timestamp, now: Timestamp) -> i64 {
    const DAY: i64 = 24 * 60 * 60 * 1_000;
    ((deletes_at - now).num_milliseconds().max(0) + DAY - 1) / DAY
}

/// Asks for an account to be deleted once `grace` is over. Signs out every session but `keep` and kills every link. Asking
/// again does not put it off. Returns when it is deleted.
pub(crate) fn schedule(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    keep: Option<&SessionId>,
    grace: TimeDelta,
) -> Result<Timestamp> {
    tx.lock(&user.email.normalized())?;
    // Whoever else belongs to it would be left with nobody to look after it.
    if !membership::left_without_owner(tx.conn, &user.id)?.is_empty() {
        return Err(LAST_OWNER.error());
    }
    if sso_policy::is_break_glass_owner(tx.conn, &user.id, None)? {
        return Err(BREAK_GLASS_OWNER.error());
    }
    let deletes_at = tx.now + grace;
    let is_later = users::deletes_at.is_null().or(users::deletes_at.gt(deletes_at));
    let asked = diesel::update(users::table.find(&user.id).filter(is_later))
        .set((users::deletes_at.eq(deletes_at), users::warned_at.eq(None::<Timestamp>)))
        .execute(tx.conn)?;
    if asked == 0 {
        return user::by_id(tx.conn, &user.id)?.deletes_at.ok_or(Error::NotFound);
    }
    // Each time an email goes out: this must not become a way to fill a mailbox.
    let most = tx.config.limits.mails_per_hour;
    rate_limit::consume(tx, &Limit::new("deletion", user.id.as_str(), most, TimeDelta::hours(1)))?;
    end_access(tx, actor, &user.id, Occasion::DeletionScheduled(keep))?;
    security_changes::note(tx, actor, &user.id, Kind::DeletionAsked, None)?;
    audit::record(tx, actor, &user.id, Event::DeletionScheduled { delete_at: deletes_at })?;
    // A claim's mailbox is somebody's who may have nothing to do with it.
    if user.is_verified() && !grace.is_zero() {
        let secret = token::issue::<CancelDeletion>(tx, &user.id, &())?;
        let device = device_of(tx.conn, actor)?;
        let not_me = way_back_from(tx, actor, user, ASKED, &device)?;
        let (site, when) = (&tx.config.site, deletes_at.exact());
        let links = (secret.reveal(), not_me.reveal());
        let email = emails::deletion_scheduled(site, &user.email, &user.name, &when, links)?;
        tx.mail(Some(&user.id), email)?;
    }
    Ok(deletes_at)
}

/// Keeps an account. Says whether it was to be deleted. [`Error::Unauthenticated`] where it is gone already.
pub(crate) fn cancel(tx: &mut Tx, actor: &Actor, user: &User) -> Result<bool> {
    tx.lock(&user.email.normalized())?;
    let kept = diesel::update(users::table.find(&user.id).filter(users::deletes_at.is_not_null()))
        .set((users::deletes_at.eq(None::<Timestamp>), users::warned_at.eq(None::<Timestamp>)))
        .execute(tx.conn)?;
    if kept == 0 {
        return user::find(tx.conn, &user.id)?.map(|_| false).ok_or(Error::Unauthenticated);
    }
    token::revoke::<CancelDeletion>(tx, &user.id)?;
    audit::record(tx, actor, &user.id, Event::DeletionCancelled {})?;
    if user.is_verified() {
        let email = emails::deletion_cancelled(&tx.config.site, &user.email, &user.name, &tx.now.exact())?;
        tx.mail(Some(&user.id), email)?;
    }
    Ok(true)
}

/// Keeps an account by the link in the mail. [`Error::DeadLink`] where it was used, or the account is gone.
pub(crate) fn cancel_by_link(tx: &mut Tx, actor: &Actor, secret: &Secret<CancelDeletion>) -> Result<UserId> {
    let waiting = token::peek(tx.conn, secret)?;
    let user = user::find_locked(tx, &waiting.user_id)?.ok_or(Error::DeadLink)?;
    // Whom their organisation keeps out does not come back by a link from before.
    user::ensure_not_suspended(&user)?;
    let (id, ()) = token::redeem(tx, secret)?;
    match cancel(tx, &actor.known_as(&id), &user)? {
        true => Ok(id),
        false => Err(Error::DeadLink),
    }
}

/// Keeps an account from being purged, for a reason, or (`None`) lets it go on. Says whether that changed anything.
pub(crate) fn hold(tx: &mut Tx, actor: &Actor, user: &User, reason: Option<&str>) -> Result<bool> {
    tx.lock(&user.email.normalized())?;
    let row = users::table.find(&user.id);
    let changed = match reason {
        Some(reason) => {
            diesel::update(row.filter(users::deletion_hold.is_null().or(users::deletion_hold.ne(reason))))
                .set(users::deletion_hold.eq(reason))
                .execute(tx.conn)?
        }
        None => diesel::update(row.filter(users::deletion_hold.is_not_null()))
            .set(users::deletion_hold.eq(None::<String>))
            .execute(tx.conn)?,
    };
    if changed == 0 {
        return Ok(false);
    }
    let event = match reason {
        Some(reason) => Event::DeletionHeld { reason: reason.to_owned() },
        None => Event::DeletionReleased {},
    };
    audit::record(tx, actor, &user.id, event)?;
    Ok(true)
}

/// Why an operator keeps an account from being purged.
pub(crate) fn held_because(conn: &mut Conn, id: &UserId) -> Result<Option<String>> {
    Ok(users::table.find(id).select(users::deletion_hold).first(conn)?)
}

/// Up to `most` accounts whose time is up by `by` and that nobody holds, in the order of their times, after `after`.
pub(crate) fn due(conn: &mut Conn, by: Timestamp, after: &Cursor, most: i64) -> Result<Vec<Cursor>> {
    Ok(users::table
        .filter(users::deletes_at.assume_not_null().le(by))
        .filter(is_after(after))
        .filter(users::deletion_hold.is_null())
        .order((users::deletes_at, users::id))
        .limit(most)
        .select((users::deletes_at.assume_not_null(), users::id))
        .load(conn)?)
}

/// The same of those who were not reminded yet.
pub(crate) fn to_remind(conn: &mut Conn, by: Timestamp, after: &Cursor, most: i64) -> Result<Vec<Cursor>> {
    Ok(users::table
        .filter(users::deletes_at.assume_not_null().le(by))
        .filter(is_after(after))
        .filter(users::deletion_hold.is_null())
        .filter(users::warned_at.is_null())
        .order((users::deletes_at, users::id))
        .limit(most)
        .select((users::deletes_at.assume_not_null(), users::id))
        .load(conn)?)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn is_after<'a>(cursor: &'a Cursor) -> _ {
    let time: Timestamp = cursor.0;
    let id: &'a UserId = &cursor.1;
    let later = users::deletes_at.assume_not_null().gt(time);
    later.or(users::deletes_at.assume_not_null().eq(time).and(users::id.gt(id)))
}

/// Reminds somebody, once, that their account is about to be deleted. Says whether it did.
pub(crate) fn remind(tx: &mut Tx, id: &UserId) -> Result<bool> {
    let Some(user) = user::find_locked(tx, id)? else { return Ok(false) };
    // Perhaps the last owner of something by now: it waits for a successor.
    if !membership::left_without_owner(tx.conn, id)?.is_empty() {
        return Ok(false);
    }
    let waiting = users::table
        .find(id)
        .filter(users::deletes_at.gt(tx.now))
        .filter(users::deletion_hold.is_null())
        .filter(users::warned_at.is_null());
    let told: Option<Option<Timestamp>> = diesel::update(waiting)
        .set(users::warned_at.eq(tx.now))
        .returning(users::deletes_at)
        .get_result(tx.conn)
        .optional()?;
    let Some(deletes_at) = told.flatten().filter(|_| user.is_verified()) else { return Ok(false) };
    // The first link is only with its reader, and still works.
    let secret = token::issue_with::<CancelDeletion>(tx, id, &(), deletes_at - tx.now)?;
    let asked = security_change::list(tx.conn, id)?.into_iter().rfind(|one| one.kind == Kind::DeletionAsked);
    let session = asked.and_then(|one| one.by).map(|by| by.id);
    let not_me = way_back(tx, &user, session, Some(ASKED), "", "")?;
    let (site, days) = (&tx.config.site, days_left(deletes_at, tx.now));
    let (when, links) = (deletes_at.exact(), (secret.reveal(), not_me.reveal()));
    let email = emails::deletion_reminder(site, &user.email, &user.name, days, &when, links)?;
    tx.mail(Some(id), email)?;
    Ok(true)
}

/// Deletes an account whose time is up, with everything that is held about it. Says whether it did: whoever keeps the
/// account, or holds it, a moment before wins, and doing it twice does nothing.
pub(crate) fn purge(tx: &mut Tx, actor: &Actor, id: &UserId) -> Result<bool> {
    let Some(user) = user::find_locked(tx, id)? else { return Ok(false) };
    let due =
        users::table.find(id).filter(users::deletes_at.le(tx.now)).filter(users::deletion_hold.is_null());
    if diesel::update(due).set(users::locked_at.eq(tx.now)).execute(tx.conn)? == 0 {
        return Ok(false);
    }
    if user.is_verified() {
        let email = emails::deletion_done(&tx.config.site, &user.email, &user.name)?;
        // To nobody that we know of: the row outlives the person.
        tx.mail(None, email)?;
    }
    audit::record(tx, actor, id, Event::Purged {})?;
    personal_data::erase(tx, id)?;
    Ok(true)
}
