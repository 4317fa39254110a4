//! Sessions: one row for each browser or program that is signed in. The row is the truth; nothing is cached.

mod authentication;
mod current;
mod ending;
mod list;
mod user_agent_change;

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};

use super::{
    device::Device,
    personal_data::{Erasure, ExportSection, PersonalData},
    sso_session::SsoSession,
};
use crate::{
    clock::Timestamp,
    config::Lifetimes,
    db::{Conn, Tx, schema::sessions},
    error::Result,
    ids::{Id, OrganisationId, PasskeyId, SessionId, UserId},
    kinds::{AuthMethod, Factor, StepUpMethod},
    secret::Secret,
};

pub(crate) use self::{
    authentication::{Acr, Authentication},
    current::{CurrentSession, is_locked, needs_touch, rotate, touch},
    ending::{
        count, end, end_by_secret, end_twin, hold, of_connection, of_identity, of_oidc, of_sid, of_sso,
        provider_session_of, revoke, revoke_everybody, revoke_non_sso, revoke_of_identity, revoke_of_passkey,
        revoke_others, revoke_relying_on, revoke_single_factor, revoke_sso,
    },
    list::{Listed, providers},
    user_agent_change::{UserAgentChange, classify, lock, note_version},
};
pub use list::list;

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "sessions",
    title: "Where you are signed in",
    why: "So that you stay signed in, see your devices, and spot someone else using your session. A session that has \
          ended is removed within the hour.",
    columns: &[
        ("id", "a number that stands for the device"),
        ("user_id", "that it is yours"),
        ("secret_hash", "a fingerprint of the secret in your browser's cookie"),
        ("method", "how you signed in"),
        ("browser", "the browser"),
        ("os", "the system it runs on"),
        ("device_type", "the kind of device"),
        ("user_agent", "what the browser calls itself"),
        ("language", "the language it asks for"),
        ("time_zone", "its time zone"),
        ("screen", "the size of its screen"),
        ("ip", "the network address you signed in from"),
        ("second_factor", "the second step"),
        ("passkey_id", "the passkey you used"),
        ("locked_by", "the device that a session was suddenly used from, in words"),
        ("binding", "a fingerprint of a mark that your browser holds while it is open"),
        (
            "connection_id",
            "a number that stands for the organisation's sign-in, or your account elsewhere, that you came by",
        ),
        ("name_id_hash", "a fingerprint of what your organisation, or another service, calls you"),
        ("sid_hash", "a fingerprint of your session there"),
        ("provider_session", "what your organisation calls you and that session, encrypted"),
        ("organisation_id", "the organisation that you use there"),
        ("stepped_up_with", "what you last confirmed with that it is you"),
    ],
    erasure: Erasure::Removed,
    afterwards: "Every device is signed out as soon as you ask to be deleted.",
    export: &[ExportSection { name: "sessions", is_list: true, read: exported }],
    erase: |tx, id, _| {
        diesel::delete(sessions::table.filter(sessions::user_id.eq(id))).execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<Session> = sessions::table
        .filter(sessions::user_id.eq(owner))
        .order((sessions::created_at, sessions::id))
        .offset(skip)
        .limit(most)
        .select(Session::as_select())
        .load(conn)?;
    let told = found.into_iter().map(|session| {
        json!({
            "id": session.id,
            "method": session.method,
            "remembered": session.remembered,
            "browser": session.browser,
            "os": session.os,
            "deviceType": session.device_type,
            "userAgent": session.user_agent,
            "language": session.language,
            "timeZone": session.time_zone,
            "screen": session.screen,
            "ip": session.ip,
            "secondFactor": session.second_factor,
            "passkey": session.passkey_id,
            "createdAt": session.created_at,
            "lastActiveAt": session.last_active_at,
            "expiresAt": session.expires_at,
            "confirmedAt": session.stepped_up_at,
            "confirmedWith": session.stepped_up_with,
            "lockedAt": session.locked_at,
            "lockedBy": session.locked_by,
        })
    });
    Ok(told.collect())
}

/// Removes up to `most` sessions that have ended. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    // One that reached its end is not used any more, so the other end comes as well.
    let ended = sessions::table.filter(sessions::idle_expires_at.le(tx.now)).order(sessions::idle_expires_at);
    let ids: Vec<SessionId> = ended.limit(most).select(sessions::id).load(tx.conn)?;
    Ok(diesel::delete(
        sessions::table.filter(sessions::id.eq_any(ids)).filter(sessions::idle_expires_at.le(tx.now)),
    )
    .execute(tx.conn)?)
}

/// A browser or program that is signed in.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
pub(crate) struct Session {
    /// Public, for the list.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
    /// How it began.
    pub method: AuthMethod,
    /// The browser's family.
    pub browser: String,
    /// The platform.
    pub os: String,
    /// `computer`, `phone`, `tablet`, `program` or `unknown`.
    pub device_type: String,
    /// What it called itself, in full.
    pub user_agent: String,
    /// What language it asked for.
    pub language: String,
    /// Its time zone, where a script told.
    pub time_zone: String,
    /// The size of its screen, where a script told.
    pub screen: String,
    /// The address on the network it began at.
    pub ip: String,
    /// The last step-up in it.
    pub stepped_up_at: Option<Timestamp>,
    /// When it was suddenly used from another device, and has to sign in again.
    pub locked_at: Option<Timestamp>,
    /// That device, in words.
    pub locked_by: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_active_at: Timestamp,
    /// When it ends unless it is used.
    pub idle_expires_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// What was proved besides the first, if anything was.
    pub second_factor: Option<Factor>,
    /// The passkey that it relies on.
    pub passkey_id: Option<PasskeyId>,
    /// The digest of the mark of the browser that it began in, where that held one.
    pub binding: Option<String>,
    /// What the last step-up in it was made with.
    pub stepped_up_with: Option<StepUpMethod>,
    /// Since when the account had known the browser then.
    pub browser_known_since: Option<Timestamp>,
    /// The same, also where the account has forgotten its browsers since.
    pub browser_seen_since: Option<Timestamp>,
}

/// What a session is started with.
#[derive(Debug, Clone)]
pub(crate) struct NewSession {
    /// How the person proved who they are.
    pub method: AuthMethod,
    /// Whether to remember the device.
    pub remembered: bool,
    /// The device.
    pub device: Device,
    /// What it calls itself, and what else it tells of itself.
    pub fingerprint: Fingerprint,
    /// Its address on the network.
    pub ip: String,
    /// What was proved besides the first.
    pub second_factor: Option<Factor>,
    /// The passkey that was used, if one was.
    pub passkey: Option<PasskeyId>,
    /// Whether the sign-in is a step-up as well, and with what.
    pub stepped_up_with: Option<StepUpMethod>,
    /// When it has to end at the latest, where somebody else says so.
    pub ends_at: Option<Timestamp>,
    /// The session at an identity provider that it came from.
    pub sso: Option<SsoSession>,
    /// The digest of its browser's mark.
    pub binding: Option<String>,
    /// Since when the account has known the browser, this sign-in aside.
    pub browser_known_since: Option<Timestamp>,
    /// The same, also where the account has forgotten its browsers since.
    pub browser_seen_since: Option<Timestamp>,
}

/// What a browser tells of itself. Every part may be empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fingerprint {
    /// `User-Agent`, at most [`Fingerprint::MAX`] bytes of it.
    pub user_agent: String,
    /// The first language of `Accept-Language`.
    pub language: String,
    /// From a script: the time zone's name.
    pub time_zone: String,
    /// From a script: the size of the screen.
    pub screen: String,
}

impl Fingerprint {
    /// The most bytes of a user agent that are kept.
    pub(crate) const MAX: usize = 400;
}

/// A session's secret, as the cookie carries it.
pub(crate) type SessionSecret = Secret<Session>;

/// How long a session may go unused, and how long it lasts at the most.
pub(crate) fn life(lifetimes: &Lifetimes, remembered: bool) -> (TimeDelta, TimeDelta) {
    match remembered {
        true => (lifetimes.remembered_idle, lifetimes.remembered),
        false => (lifetimes.session_idle, lifetimes.session),
    }
}

/// Starts a session and returns it with its secret, of which only the digest is kept.
pub(crate) fn start(tx: &mut Tx, user: &UserId, new: NewSession) -> Result<(Session, SessionSecret)> {
    let secret = SessionSecret::random()?;
    let (idle, absolute) = life(&tx.config.lifetimes, new.remembered);
    let session = Session {
        id: Id::random()?,
        user_id: user.clone(),
        remembered: new.remembered,
        method: new.method,
        browser: new.device.browser,
        os: new.device.os,
        device_type: new.device.kind.as_str().to_owned(),
        user_agent: new.fingerprint.user_agent,
        language: new.fingerprint.language,
        time_zone: new.fingerprint.time_zone,
        screen: new.fingerprint.screen,
        stepped_up_at: new.stepped_up_with.map(|_| tx.now),
        locked_at: None,
        locked_by: None,
        ip: new.ip,
        created_at: tx.now,
        last_active_at: tx.now,
        idle_expires_at: tx.now + idle.min(absolute),
        expires_at: new.ends_at.map_or(tx.now + absolute, |ends_at| ends_at.min(tx.now + absolute)),
        second_factor: new.second_factor,
        passkey_id: new.passkey,
        binding: new.binding,
        stepped_up_with: new.stepped_up_with,
        browser_known_since: new.browser_known_since,
        browser_seen_since: new.browser_seen_since,
    };
    let (connection, name_id_hash, sid_hash, there) = match new.sso {
        Some(sso) => (Some(sso.connection), Some(sso.name_id_hash), sso.sid_hash, sso.sealed),
        None => (None, None, None, None),
    };
    diesel::insert_into(sessions::table)
        .values((
            &session,
            sessions::secret_hash.eq(secret.digest()),
            sessions::connection_id.eq(connection),
            sessions::name_id_hash.eq(name_id_hash),
            sessions::sid_hash.eq(sid_hash),
            sessions::provider_session.eq(there),
        ))
        .execute(tx.conn)?;
    Ok((session, secret))
}

/// Notes a step-up, from which its window counts. Made with a second factor, it is that of a session that began without.
pub(crate) fn mark_stepped_up(tx: &mut Tx, id: &SessionId, with: StepUpMethod) -> Result<()> {
    diesel::update(sessions::table.find(id))
        .set((sessions::stepped_up_at.eq(tx.now), sessions::stepped_up_with.eq(with)))
        .execute(tx.conn)?;
    if let Some(factor) = Factor::from_word(with.as_str()) {
        diesel::update(sessions::table.find(id).filter(sessions::second_factor.is_null()))
            .set(sessions::second_factor.eq(factor))
            .execute(tx.conn)?;
    }
    Ok(())
}

/// Drops the step-ups in every session of `user`.
pub(crate) fn drop_step_ups(tx: &mut Tx, user: &UserId) -> Result<()> {
    diesel::update(sessions::table.filter(sessions::user_id.eq(user)))
        .set((
            sessions::stepped_up_at.eq(None::<Timestamp>),
            sessions::stepped_up_with.eq(None::<StepUpMethod>),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Notes a second factor that was just set up in a session. It was shown to work, so the step-up behind which it was set up
/// counts as one with it: its window stays as it is.
pub(crate) fn set_factor(tx: &mut Tx, id: &SessionId, factor: Factor) -> Result<()> {
    diesel::update(sessions::table.find(id))
        .set((sessions::second_factor.eq(factor), sessions::stepped_up_with.eq(StepUpMethod::from(factor))))
        .execute(tx.conn)?;
    Ok(())
}

/// Sets the organisation in use in a session, or none.
pub(crate) fn set_organisation(
    tx: &mut Tx,
    id: &SessionId,
    organisation: Option<&OrganisationId>,
) -> Result<()> {
    diesel::update(sessions::table.find(id))
        .set(sessions::organisation_id.eq(organisation))
        .execute(tx.conn)?;
    Ok(())
}

/// When a session began.
pub(crate) fn began_at(conn: &mut Conn, id: &SessionId) -> Result<Timestamp> {
    Ok(sessions::table.find(id).select(sessions::created_at).first(conn)?)
}
