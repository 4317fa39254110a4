//! The visitor's own session: what each request reads of it and notes in it.

use chrono::TimeDelta;
use diesel::prelude::*;

use super::{SessionSecret, life};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::sessions},
    error::{Error, Result},
    ids::SessionId,
    kinds::{AuthMethod, Factor, StepUpMethod},
    secret::Secret,
};

/// The visitor's own session, with as little as a page needs.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub(crate) struct CurrentSession {
    /// Public.
    pub id: SessionId,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
    /// When it was last used, to the minute.
    pub last_active_at: Timestamp,
    /// The last step-up in it.
    pub stepped_up_at: Option<Timestamp>,
    /// What that was made with.
    pub stepped_up_with: Option<StepUpMethod>,
    /// What its browser called itself.
    pub user_agent: String,
    /// The digest of the secret that was presented.
    pub secret_hash: String,
    /// How it began.
    pub method: AuthMethod,
    /// What was proved besides the first, if anything was.
    pub second_factor: Option<Factor>,
    /// When it began.
    pub created_at: Timestamp,
    /// The longest time that it went unused before it was used again, in seconds.
    pub longest_idle: i32,
}

impl CurrentSession {
    /// The longest time that it went unused by `now`.
    pub(crate) fn longest_idle_at(&self, now: Timestamp) -> TimeDelta {
        (now - self.last_active_at).max(TimeDelta::seconds(self.longest_idle.into()))
    }
}

// Activity is written at most this often.
const ACTIVITY_STEP: TimeDelta = TimeDelta::minutes(1);

/// Whether one of these secrets, none of which is of a live session, is of one that was locked and has not ended.
pub(crate) fn is_locked(conn: &mut Conn, secrets: &[SessionSecret], now: Timestamp) -> Result<bool> {
    let locked = sessions::table
        .filter(sessions::secret_hash.eq_any(secrets.iter().map(Secret::digest)))
        .filter(sessions::expires_at.gt(now))
        .filter(sessions::idle_expires_at.gt(now))
        .filter(sessions::locked_at.is_not_null());
    Ok(diesel::select(diesel::dsl::exists(locked)).get_result(conn)?)
}

/// Whether `session` was last noted as used long enough ago to note it again.
pub(crate) fn needs_touch(session: &CurrentSession, now: Timestamp) -> bool {
    now - session.last_active_at >= ACTIVITY_STEP || session.last_active_at > now.latest_start()
}

/// Notes that a session is used; of many at once, one writes.
pub(crate) fn touch(tx: &mut Tx, session: &CurrentSession) -> Result<()> {
    let (idle, _) = life(&tx.config.lifetimes, session.remembered);
    let longest = i32::try_from(session.longest_idle_at(tx.now).num_seconds()).unwrap_or(i32::MAX);
    let is_stale = sessions::last_active_at
        .le(tx.now - ACTIVITY_STEP)
        .or(sessions::last_active_at.gt(tx.now.latest_start()));
    diesel::update(sessions::table.find(&session.id).filter(is_stale))
        .set((
            sessions::last_active_at.eq(tx.now),
            sessions::idle_expires_at.eq(tx.now + idle),
            sessions::longest_idle.eq(longest),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Gives a session a new secret; the old one is dead at once. [`Error::Unauthenticated`] where the session has ended, or the
/// secret that was presented is no longer its own: whoever holds an old one must not be handed the new one.
pub(crate) fn rotate(tx: &mut Tx, session: &CurrentSession) -> Result<SessionSecret> {
    let secret = SessionSecret::random()?;
    let turned = diesel::update(
        sessions::table.find(&session.id).filter(sessions::secret_hash.eq(&session.secret_hash)),
    )
    .set(sessions::secret_hash.eq(secret.digest()))
    .execute(tx.conn)?;
    if turned == 0 { Err(Error::Unauthenticated) } else { Ok(secret) }
}
