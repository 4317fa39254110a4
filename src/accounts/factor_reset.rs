//! The way back for whoever lost every second factor: an operator asks, the owner is told and can stop it, and after a
//! delay every second factor is taken away.
//!
//! What decides between stop and job is one column, by conditional updates.

use diesel::prelude::*;

use super::{factors, second_factors};
use crate::{
    clock::{Timestamp, span_in_words},
    db::{Conn, Tx, schema::users},
    error::{Error, Result},
    ids::UserId,
    mail::{
        EmailAddress,
        emails::{self, ResetStep},
    },
    model::{
        audit::{self, Actor, Event},
        token::{self, StopFactorReset},
        user::{self, Cursor, User},
    },
};

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
    let Some(user) = user::confirmed(tx.conn, email)? else { return Ok(Asked::Nobody) };
    let factors = factors::of(tx.conn, &user.id)?;
    let delay = tx.config.lifetimes.factors_reset;
    let latest = tx.now.latest_end(delay);
    if let Some(at) = factors.reset_at.filter(|at| *at <= latest) {
        return Ok(Asked::UnderWay(at));
    }
    if !factors.is_second_due() {
        return Ok(Asked::NothingToReset);
    }
    let at = tx.now + delay;
    let is_free = users::factors_reset_at.is_null().or(users::factors_reset_at.gt(latest));
    let free = users::table.find(&user.id).filter(is_free);
    if diesel::update(free).set(users::factors_reset_at.eq(at)).execute(tx.conn)? == 0 {
        return Err(Error::Busy);
    }
    let secret = token::issue::<StopFactorReset>(tx, &user.id, &())?;
    let step = ResetStep::Asked { at: &at.exact(), delay: &span_in_words(delay), token: secret.reveal() };
    tell(tx, &user, step)?;
    audit::record(tx, actor, &user.id, Event::SecondFactorsResetAsked { at })?;
    Ok(Asked::Until(at))
}

/// Stops a reset that is under way. `false` where none is: it was stopped before, or has taken effect.
pub fn stop(tx: &mut Tx, actor: &Actor, user: &User) -> Result<bool> {
    tx.lock(&user.email.normalized())?;
    let under_way = users::table.find(&user.id).filter(users::factors_reset_at.is_not_null());
    let stopped =
        diesel::update(under_way).set(users::factors_reset_at.eq(None::<Timestamp>)).execute(tx.conn)?;
    if stopped == 0 {
        return Ok(false);
    }
    let now = tx.now.exact();
    tell(tx, user, ResetStep::Stopped { when: &now })?;
    audit::record(tx, actor, &user.id, Event::SecondFactorsResetStopped {})?;
    Ok(true)
}

/// Up to `most` people whose reset has waited long enough at `now`, in the order of their times, after `after`.
pub fn due(conn: &mut Conn, now: Timestamp, after: &Cursor, most: i64) -> Result<Vec<Cursor>> {
    let at = users::factors_reset_at.assume_not_null();
    let is_after = at.gt(after.0).or(at.eq(after.0).and(users::id.gt(&after.1)));
    let due = users::table.filter(users::factors_reset_at.le(now)).filter(is_after);
    Ok(due.order((at, users::id)).limit(most).select((at, users::id)).load(conn)?)
}

/// Takes every second factor and every session of `id` away, and tells the owner. `false` where it is no longer due:
/// stopped, or done by another node.
pub fn carry_out(tx: &mut Tx, id: &UserId) -> Result<bool> {
    let Some(user) = user::find_locked(tx, id)? else { return Ok(false) };
    let due = users::table.find(id).filter(users::factors_reset_at.le(tx.now));
    let taken = diesel::update(due).set(users::factors_reset_at.eq(None::<Timestamp>)).execute(tx.conn)?;
    if taken == 0 {
        return Ok(false);
    }
    second_factors::remove_all(tx, &Actor::operator(), id)?;
    let now = tx.now.exact();
    tell(tx, &user, ResetStep::Done { when: &now })?;
    Ok(true)
}

fn tell(tx: &mut Tx, user: &User, step: ResetStep) -> Result<()> {
    let email = emails::factor_reset(&tx.config.site, &user.email, &user.name, step)?;
    tx.mail(Some(&user.id), email)
}
