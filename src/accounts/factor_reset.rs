//! Second factors that are taken away after a delay, which whoever is signed in or reads the account's mail can stop: all of
//! them, where an operator asks for whoever lost them; some, where somebody says that these were never theirs.
//!
//! What decides between stop and job is one column, by conditional updates.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::{factor_removal, factors};
use crate::{
    clock::{Timestamp, span_in_words},
    db::{
        Conn, Tx,
        schema::{passkeys, sessions, totp, users},
    },
    error::Result,
    ids::{PasskeyId, SessionId, UserId},
    kinds::Factor,
    mail::{
        EmailAddress,
        emails::{self, KeptCredentials, ResetStep},
    },
    model::{
        audit::{self, Actor, audit_events},
        passkey,
        security_change::{self, Kind},
        token::{self, StopFactorReset},
        user::{self, Cursor, User},
    },
};

audit_events! {
    /// An operator asked to have every second factor removed, after a delay.
    SecondFactorsResetAsked { at: Timestamp } => of("second_factors_reset_asked"),
    /// The reset was stopped.
    SecondFactorsResetStopped {} => of("second_factors_reset_stopped"),
}

// The columns of a removal that does not wait any more.
type Over = (
    diesel::dsl::Eq<users::factors_reset_at, Option<Timestamp>>,
    diesel::dsl::Eq<users::factors_reset_only, Option<String>>,
);

fn over() -> Over {
    (users::factors_reset_at.eq(None), users::factors_reset_only.eq(None))
}

/// A second factor of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// The authenticator app.
    Totp,
    /// A passkey.
    Passkey(PasskeyId),
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It takes effect at this moment, unless the owner stops it.
    Until(Timestamp),
    /// One is under way already, until this moment.
    UnderWay(Timestamp),
    /// The account has no second factor.
    NothingToReset,
    /// Nobody has this address confirmed.
    Nobody,
}

/// Starts a reset of the account that has `email` confirmed, and tells its owner.
pub fn ask(tx: &mut Tx, actor: &Actor, email: &EmailAddress) -> Result<Asked> {
    tx.lock(&email.normalized())?;
    match user::confirmed(tx.conn, email)? {
        Some(user) => ask_for(tx, actor, &user, None),
        None => Ok(Asked::Nobody),
    }
}

/// Starts the removal of some second factors of an account whose address is locked, or of all (`None`), and tells its
/// owner. Some join those that wait already, and all of them wait as long as the last.
pub(crate) fn ask_for(tx: &mut Tx, actor: &Actor, user: &User, only: Option<Vec<Target>>) -> Result<Asked> {
    let factors = factors::of(tx.conn, &user.id)?;
    let delay = tx.config.lifetimes.factors_reset;
    let waiting = factors.reset_at.filter(|at| *at <= tx.now.latest_end(delay));
    let mut only = only;
    // Whatever else waits: until they are removed, or that is stopped, these open nothing alone.
    if let Some(only) = &only {
        let disputed: Vec<PasskeyId> = only.iter().filter_map(passkey_of).collect();
        let disputed =
            passkeys::table.filter(passkeys::id.eq_any(disputed)).filter(passkeys::user_id.eq(&user.id));
        diesel::update(disputed).set(passkeys::disputed_at.eq(tx.now)).execute(tx.conn)?;
    }
    if let Some(at) = waiting {
        match (targets(tx.conn, &user.id)?, &mut only) {
            (None, _) => return Ok(Asked::UnderWay(at)),
            (Some(before), Some(new)) if new.iter().all(|one| before.contains(one)) => {
                return Ok(Asked::UnderWay(at));
            }
            (Some(before), Some(new)) => {
                let others: Vec<Target> = before.into_iter().filter(|one| !new.contains(one)).collect();
                new.extend(others);
            }
            (Some(_), None) => {}
        }
    }
    let names = only.as_deref().map(|only| names(tx.conn, &user.id, only)).transpose()?;
    if !factors.is_second_due() || names.as_ref().is_some_and(KeptCredentials::is_empty) {
        return Ok(Asked::NothingToReset);
    }
    let at = tx.now + delay;
    let kept = only.as_ref().map(serde_json::to_string).transpose()?;
    // Whoever stops it, or the job, takes turns with this by the lock on the address.
    diesel::update(users::table.find(&user.id))
        .set((users::factors_reset_at.eq(at), users::factors_reset_only.eq(kept)))
        .execute(tx.conn)?;
    let secret = token::issue::<StopFactorReset>(tx, &user.id, &())?;
    let (at_words, delay, token) = (at.exact(), span_in_words(delay), secret.reveal());
    let step = match &names {
        Some(what) => ResetStep::SomeAsked { what, at: &at_words, delay: &delay, token },
        None => ResetStep::Asked { at: &at_words, delay: &delay, token },
    };
    tell(tx, user, step)?;
    audit::record(tx, actor, &user.id, Event::SecondFactorsResetAsked { at })?;
    Ok(Asked::Until(at))
}

/// Whether what waits may be stopped from this session. A factor that is to be removed has no vote on that: a session which
/// it opened only counts where the account knew the browser before the sign-in in which that factor was added, though it has
/// forgotten all of them since.
pub(crate) fn may_stop(conn: &mut Conn, user: &UserId, session: &SessionId) -> Result<bool> {
    type Row = (Option<Factor>, Option<PasskeyId>, Option<Timestamp>);
    let columns = (sessions::second_factor, sessions::passkey_id, sessions::browser_seen_since);
    let (used, passkey, seen_since): Row = sessions::table.find(session).select(columns).first(conn)?;
    let opened = match (used, passkey) {
        (None, _) => return Ok(true),
        (Some(Factor::Totp), _) => Some(Target::Totp),
        (Some(Factor::Passkey), Some(passkey)) => Some(Target::Passkey(passkey)),
        (Some(Factor::Passkey | Factor::RecoveryCode), _) => None,
    };
    let only = targets(conn, user)?;
    let is_target = |one: &Target| only.as_ref().is_none_or(|only| only.contains(one));
    if opened.as_ref().is_some_and(|opened| !is_target(opened)) {
        return Ok(true);
    }
    Ok(seen_since.is_some() && seen_since < added_from(conn, user, opened.as_ref())?)
}

/// When the session began in which a factor was added, or the newest of all (`None`). What nobody noted counts from itself.
fn added_from(conn: &mut Conn, user: &UserId, factor: Option<&Target>) -> Result<Option<Timestamp>> {
    let app: Option<Timestamp> = totp::table.find(user).select(totp::created_at).first(conn).optional()?;
    let own = passkeys::table.filter(passkeys::user_id.eq(user));
    let own: Vec<(PasskeyId, Timestamp)> = own.select((passkeys::id, passkeys::created_at)).load(conn)?;
    let own = own.into_iter().map(|(id, at)| (Target::Passkey(id), at));
    let all = own.chain(app.map(|at| (Target::Totp, at)));
    let newest = all.filter(|(one, _)| factor.is_none_or(|factor| factor == one)).max_by_key(|(_, at)| *at);
    let Some((factor, at)) = newest else { return Ok(None) };
    let changes = security_change::list(conn, user)?;
    let added = changes.iter().rfind(|one| match &factor {
        Target::Totp => one.kind == Kind::AppAdded,
        Target::Passkey(id) => one.kind == Kind::PasskeyAdded && one.target.as_deref() == Some(id.as_str()),
    });
    let from = added.and_then(|added| added.by.as_ref()).map_or(at, |by| by.began_at);
    // Cookies tell whole seconds.
    Ok(Some(Timestamp::from_unix(from.unix())))
}

/// Stops a reset that is under way. `false` where none is: it was stopped before, or has taken effect.
pub(crate) fn stop(tx: &mut Tx, actor: &Actor, user: &User) -> Result<bool> {
    tx.lock(&user.email.normalized())?;
    let under_way = users::table.find(&user.id).filter(users::factors_reset_at.is_not_null());
    let stopped = diesel::update(under_way).set(over()).execute(tx.conn)?;
    if stopped == 0 {
        return Ok(false);
    }
    diesel::update(passkeys::table.filter(passkeys::user_id.eq(&user.id)))
        .set(passkeys::disputed_at.eq(None::<Timestamp>))
        .execute(tx.conn)?;
    let now = tx.now.exact();
    tell(tx, user, ResetStep::Stopped { when: &now })?;
    audit::record(tx, actor, &user.id, Event::SecondFactorsResetStopped {})?;
    Ok(true)
}

/// Up to `most` people whose reset has waited long enough at `now`, in the order of their times, after `after`.
pub(crate) fn due(conn: &mut Conn, now: Timestamp, after: &Cursor, most: i64) -> Result<Vec<Cursor>> {
    let at = users::factors_reset_at.assume_not_null();
    let is_after = at.gt(after.0).or(at.eq(after.0).and(users::id.gt(&after.1)));
    let due = users::table.filter(users::factors_reset_at.le(now)).filter(is_after);
    Ok(due.order((at, users::id)).limit(most).select((at, users::id)).load(conn)?)
}

/// Takes the second factors and every session of `id` away, and tells the owner. `false` where it is no longer due:
/// stopped, or done by another node.
pub(crate) fn carry_out(tx: &mut Tx, id: &UserId) -> Result<bool> {
    let Some(user) = user::find_locked(tx, id)? else { return Ok(false) };
    let only = targets(tx.conn, id)?;
    let due = users::table.find(id).filter(users::factors_reset_at.le(tx.now));
    if diesel::update(due).set(over()).execute(tx.conn)? == 0 {
        return Ok(false);
    }
    let Some(only) = only else {
        let now = tx.now.exact();
        factor_removal::remove_all(tx, &Actor::operator(), id)?;
        tell(tx, &user, ResetStep::Done { when: &now })?;
        return Ok(true);
    };
    let names = names(tx.conn, id, &only)?;
    let passkeys: Vec<PasskeyId> = only.iter().filter_map(passkey_of).collect();
    // They can be put back for a while.
    factor_removal::remove_some(tx, &Actor::job(), id, &passkeys, only.contains(&Target::Totp))?;
    let now = tx.now.exact();
    tell(tx, &user, ResetStep::SomeDone { when: &now, what: &names })?;
    Ok(true)
}

fn passkey_of(target: &Target) -> Option<PasskeyId> {
    match target {
        Target::Passkey(passkey) => Some(passkey.clone()),
        Target::Totp => None,
    }
}

/// Whether somebody said that this passkey was never theirs. Until it is removed, or that is stopped, it lets nobody in by
/// itself, whatever else is to be removed meanwhile; beside a password it is still asked for, or whoever reads the mailbox
/// would be rid of it at once.
pub(crate) fn is_disputed(conn: &mut Conn, passkey: &PasskeyId) -> Result<bool> {
    let row = passkeys::table.find(passkey).select(passkeys::disputed_at.is_not_null());
    Ok(row.first(conn).optional()?.unwrap_or(false))
}

/// What a removal that waits takes away, where it is not all.
fn targets(conn: &mut Conn, id: &UserId) -> Result<Option<Vec<Target>>> {
    let kept: Option<String> = users::table.find(id).select(users::factors_reset_only).first(conn)?;
    Ok(kept.map(|kept| serde_json::from_str(&kept)).transpose()?)
}

/// Those of these that are still there, by their names.
fn names(conn: &mut Conn, id: &UserId, only: &[Target]) -> Result<KeptCredentials> {
    let own = passkey::list(conn, id)?.into_iter();
    let passkeys = own.filter(|one| only.contains(&Target::Passkey(one.id.clone())));
    let passkeys = passkeys.map(|one| one.name).collect();
    let has_app = only.contains(&Target::Totp) && factors::of(conn, id)?.has_totp;
    Ok(KeptCredentials { passkeys, has_app, ..KeptCredentials::default() })
}

fn tell(tx: &mut Tx, user: &User, step: ResetStep) -> Result<()> {
    let email = emails::factor_reset(&tx.config.site, &user.email, &user.name, step)?;
    tx.mail(Some(&user.id), email)
}
