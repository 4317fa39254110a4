//! Sessions: one row for each browser or program that is signed in. The row is the truth; nothing is cached.

use chrono::TimeDelta;
use diesel::prelude::*;

use super::{
    audit::{self, Actor, Event},
    device::Device,
    user::User,
};
use crate::{
    clock::Timestamp,
    config::Lifetimes,
    db::{
        Conn, Id, Tx,
        schema::{sessions, users},
    },
    error::{Error, Result},
    secret::Secret,
    text_enum,
};

text_enum! {
    /// How a session began.
    Method {
        /// With a password.
        Password => "password",
        /// By making the account.
        SignUp => "sign_up",
        /// With a link to a new password.
        PasswordReset => "password_reset",
    }
}

impl Method {
    /// The method in words.
    pub fn words(&self) -> &'static str {
        match self {
            Method::Password => "Password",
            Method::SignUp => "New account",
            Method::PasswordReset => "New password by mail",
        }
    }
}

/// A browser or program that is signed in.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
pub struct Session {
    /// Public, for the list.
    pub id: Id<Session>,
    /// Whose it is.
    pub user_id: Id<User>,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
    /// How it began.
    pub method: Method,
    /// The browser's family.
    pub browser: String,
    /// The platform.
    pub os: String,
    /// `computer`, `phone`, `tablet`, `program` or `unknown`.
    pub device_type: String,
    /// The address on the network it began at.
    pub ip: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_active_at: Timestamp,
    /// When it ends unless it is used.
    pub idle_expires_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The visitor's own session, with as little as a page needs.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub struct Current {
    /// Public.
    pub id: Id<Session>,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
    /// When it was last used, to the minute.
    pub last_active_at: Timestamp,
}

/// What a session is started with.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// How the person proved who they are.
    pub method: Method,
    /// Whether to remember the device.
    pub remembered: bool,
    /// The device.
    pub device: Device,
    /// Its address on the network.
    pub ip: String,
}

/// A session's secret, as the cookie carries it.
pub type SessionSecret = Secret<Session>;

// Activity is written at most this often.
const ACTIVITY_STEP: TimeDelta = TimeDelta::minutes(1);

/// How long a session may go unused, and how long it lasts at the most.
pub fn life(lifetimes: &Lifetimes, remembered: bool) -> (TimeDelta, TimeDelta) {
    match remembered {
        true => (lifetimes.remembered_idle, lifetimes.remembered),
        false => (lifetimes.session_idle, lifetimes.session),
    }
}

/// Starts a session and returns it with its secret, of which only the digest is kept.
pub fn start(tx: &mut Tx, user: &Id<User>, new: NewSession) -> Result<(Session, SessionSecret)> {
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
        ip: new.ip,
        created_at: tx.now,
        last_active_at: tx.now,
        idle_expires_at: tx.now + idle.min(absolute),
        expires_at: tx.now + absolute,
    };
    diesel::insert_into(sessions::table)
        .values((&session, sessions::secret_hash.eq(secret.digest())))
        .execute(tx.conn)?;
    Ok((session, secret))
}

/// The live session with this secret, and whose it is: one indexed query.
pub fn visitor(conn: &mut Conn, secret: &SessionSecret, now: Timestamp) -> Result<Option<(Current, User)>> {
    let found = sessions::table
        .inner_join(users::table)
        .filter(sessions::secret_hash.eq(secret.digest()))
        .filter(sessions::expires_at.gt(now))
        .filter(sessions::idle_expires_at.gt(now))
        .select((Current::as_select(), User::as_select()))
        .first(conn);
    Ok(found.optional()?)
}

/// Whether `session` was last noted as used long enough ago to note it again.
pub fn needs_touch(session: &Current, now: Timestamp) -> bool {
    now - session.last_active_at >= ACTIVITY_STEP
}

/// Notes that a session is used; of many at once, one writes.
pub fn touch(tx: &mut Tx, session: &Current) -> Result<()> {
    let (idle, _) = life(&tx.config.lifetimes, session.remembered);
    diesel::update(
        sessions::table.find(&session.id).filter(sessions::last_active_at.le(tx.now - ACTIVITY_STEP)),
    )
    .set((sessions::last_active_at.eq(tx.now), sessions::idle_expires_at.eq(tx.now + idle)))
    .execute(tx.conn)?;
    Ok(())
}

/// `owner`'s live sessions, the most recently used first.
pub fn list(conn: &mut Conn, owner: &Id<User>, now: Timestamp) -> Result<Vec<Session>> {
    Ok(sessions::table
        .filter(sessions::user_id.eq(owner))
        .filter(sessions::expires_at.gt(now))
        .filter(sessions::idle_expires_at.gt(now))
        .order((sessions::last_active_at.desc(), sessions::created_at.desc(), sessions::id))
        .select(Session::as_select())
        .load(conn)?)
}

/// Signs one of `owner`'s devices out. Nobody learns whether an id belongs to somebody else.
pub fn revoke(tx: &mut Tx, actor: &Actor, owner: &Id<User>, id: &Id<Session>) -> Result<()> {
    let gone =
        diesel::delete(sessions::table.find(id).filter(sessions::user_id.eq(owner))).execute(tx.conn)?;
    if gone == 0 {
        return Err(Error::NotFound);
    }
    audit::record(tx, actor, owner, Event::SessionRevoked { session: id.clone() })
}

/// Signs every device of `owner` out but `keep`. Returns how many there were.
pub fn revoke_others(
    tx: &mut Tx,
    actor: &Actor,
    owner: &Id<User>,
    keep: Option<&Id<Session>>,
) -> Result<usize> {
    let kept = keep.cloned().unwrap_or_else(|| Id::from_text(""));
    let count =
        diesel::delete(sessions::table.filter(sessions::user_id.eq(owner)).filter(sessions::id.ne(kept)))
            .execute(tx.conn)?;
    audit::record(tx, actor, owner, Event::OtherSessionsRevoked { count })?;
    Ok(count)
}

/// Ends a session that its own browser gives up.
pub fn end(tx: &mut Tx, id: &Id<Session>) -> Result<()> {
    diesel::delete(sessions::table.find(id)).execute(tx.conn)?;
    Ok(())
}
