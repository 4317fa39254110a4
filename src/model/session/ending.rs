//! How a session ends before its time: given up, signed out, or no longer good enough.

use chrono::TimeDelta;
use diesel::prelude::*;

use super::SessionSecret;
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{provider_identities, sessions},
    },
    error::{Error, Result},
    ids::{ConnectionId, Id, PasskeyId, ProviderIdentityId, SessionId, UserId},
    kinds::{AuthMethod, Factor},
    model::sso_session::SsoSession,
};

/// Ends one of `owner`'s sessions. Nobody learns whether an id belongs to somebody else.
pub(crate) fn revoke(tx: &mut Tx, owner: &UserId, id: &SessionId) -> Result<()> {
    let gone =
        diesel::delete(sessions::table.find(id).filter(sessions::user_id.eq(owner))).execute(tx.conn)?;
    if gone == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// Ends every session of `owner` but `keep`. Returns how many there were, as all of these do.
pub(crate) fn revoke_others(tx: &mut Tx, owner: &UserId, keep: Option<&SessionId>) -> Result<usize> {
    let others = sessions::table.filter(sessions::user_id.eq(owner)).filter(sessions::id.ne(kept(keep)));
    Ok(diesel::delete(others).execute(tx.conn)?)
}

// An id that nobody has, where nothing is kept.
fn kept(keep: Option<&SessionId>) -> SessionId {
    keep.cloned().unwrap_or_else(|| Id::from_text(""))
}

/// Ends every session of `owner` but `keep` that did not begin by single sign-on.
pub(crate) fn revoke_non_sso(tx: &mut Tx, owner: &UserId, keep: Option<&SessionId>) -> Result<usize> {
    let others = sessions::table.filter(sessions::user_id.eq(owner)).filter(sessions::id.ne(kept(keep)));
    Ok(diesel::delete(others.filter(sessions::method.ne(AuthMethod::Sso))).execute(tx.conn)?)
}

/// Ends every session of `owner` that began by single sign-on.
pub(crate) fn revoke_sso(tx: &mut Tx, owner: &UserId) -> Result<usize> {
    let own = sessions::table.filter(sessions::user_id.eq(owner));
    Ok(diesel::delete(own.filter(sessions::method.eq(AuthMethod::Sso))).execute(tx.conn)?)
}

/// Holds a session while a transaction relies on it: whatever ends it waits, or has ended it. [`Error::Unauthenticated`] where
/// it is over by now.
pub(crate) fn hold(tx: &mut Tx, here: &SessionId) -> Result<()> {
    let live = sessions::table.find(here).filter(sessions::locked_at.is_null());
    match diesel::update(live).set(sessions::id.eq(here)).execute(tx.conn)? {
        0 => Err(Error::Unauthenticated),
        _ => Ok(()),
    }
}

/// Ends every session of `owner` but `keep` that began with one factor only.
pub(crate) fn revoke_single_factor(tx: &mut Tx, owner: &UserId, keep: &SessionId) -> Result<usize> {
    let others = sessions::table.filter(sessions::user_id.eq(owner)).filter(sessions::id.ne(keep));
    Ok(diesel::delete(others.filter(sessions::second_factor.is_null())).execute(tx.conn)?)
}

/// Ends every session of `owner` but `keep` that relied on one of `factors`; `keep` no longer relies on it.
pub(crate) fn revoke_relying_on(
    tx: &mut Tx,
    owner: &UserId,
    keep: &SessionId,
    factors: &[Factor],
) -> Result<usize> {
    let relying = || {
        sessions::table.filter(sessions::user_id.eq(owner)).filter(sessions::second_factor.eq_any(factors))
    };
    let count = diesel::delete(relying().filter(sessions::id.ne(keep))).execute(tx.conn)?;
    diesel::update(relying().filter(sessions::id.eq(keep)))
        .set(sessions::second_factor.eq(None::<Factor>))
        .execute(tx.conn)?;
    Ok(count)
}

/// Ends every session of `owner` that began with this passkey, but `keep`. Returns which.
pub(crate) fn revoke_of_passkey(
    tx: &mut Tx,
    owner: &UserId,
    passkey: &PasskeyId,
    keep: Option<&SessionId>,
) -> Result<Vec<SessionId>> {
    let relying =
        sessions::table.filter(sessions::user_id.eq(owner)).filter(sessions::passkey_id.eq(passkey));
    let ended = diesel::delete(relying.filter(sessions::id.ne(kept(keep))));
    Ok(ended.returning(sessions::id).load(tx.conn)?)
}

/// Ends every session of `owner` that began with this identity at a provider, but `keep`. Returns which.
pub(crate) fn revoke_of_identity(
    tx: &mut Tx,
    owner: &UserId,
    identity: &ProviderIdentityId,
    keep: Option<&SessionId>,
) -> Result<Vec<SessionId>> {
    let came = sessions::table
        .filter(sessions::user_id.eq(owner))
        .filter(sessions::connection_id.eq(identity.as_str()))
        .filter(sessions::id.ne(kept(keep)));
    Ok(diesel::delete(came).returning(sessions::id).load(tx.conn)?)
}

/// How many sessions are live.
pub(crate) fn count(conn: &mut Conn, now: Timestamp) -> Result<i64> {
    let live = sessions::table.filter(sessions::expires_at.gt(now)).filter(sessions::idle_expires_at.gt(now));
    Ok(live.count().get_result(conn)?)
}

/// Ends the sessions of everybody. Returns how many were live.
pub(crate) fn revoke_everybody(tx: &mut Tx) -> Result<i64> {
    let count = count(tx.conn, tx.now)?;
    diesel::delete(sessions::table).execute(tx.conn)?;
    Ok(count)
}

/// Ends the session that a browser presents, locked or not: it is about to get another.
pub(crate) fn end_by_secret(tx: &mut Tx, secret: &SessionSecret) -> Result<()> {
    diesel::delete(sessions::table.filter(sessions::secret_hash.eq(secret.digest()))).execute(tx.conn)?;
    Ok(())
}

// As long as somebody who pressed twice waits for the first answer.
const TWICE: TimeDelta = TimeDelta::seconds(10);

/// Ends the session that the same form, sent twice, began in the same browser just now: its cookie is about to be
/// overwritten.
pub(crate) fn end_twin(tx: &mut Tx, owner: &UserId, binding: &str) -> Result<()> {
    let twin = sessions::table
        .filter(sessions::user_id.eq(owner))
        .filter(sessions::binding.eq(binding))
        .filter(sessions::created_at.ge(tx.now - TWICE));
    diesel::delete(twin).execute(tx.conn)?;
    Ok(())
}

/// The sessions that came from this one at an identity provider, and whose they are; of one without an index, all that came
/// of its name.
pub(crate) fn of_sso(conn: &mut Conn, there: &SsoSession) -> Result<Vec<(SessionId, UserId)>> {
    let theirs = sessions::table.filter(sessions::name_id_hash.eq(&there.name_id_hash));
    Ok(match &there.sid_hash {
        Some(sid) => {
            theirs.filter(sessions::sid_hash.eq(sid)).select((sessions::id, sessions::user_id)).load(conn)?
        }
        None => theirs.select((sessions::id, sessions::user_id)).load(conn)?,
    })
}

/// The sessions that came from this one at a provider, and whose they are.
pub(crate) fn of_sid(conn: &mut Conn, sid_hash: &str) -> Result<Vec<(SessionId, UserId)>> {
    let theirs = sessions::table.filter(sessions::sid_hash.eq(sid_hash));
    Ok(theirs.select((sessions::id, sessions::user_id)).load(conn)?)
}

/// The sessions that came by a connection of OpenID Connect from this one at its provider, and whose they are: what is not told of
/// it may be anything.
pub(crate) fn of_oidc(
    conn: &mut Conn,
    connection: &ConnectionId,
    subject_hash: Option<&str>,
    sid_hash: Option<&str>,
) -> Result<Vec<(SessionId, UserId)>> {
    let found = (sessions::id, sessions::user_id);
    let theirs = sessions::table.filter(sessions::connection_id.eq(connection));
    Ok(match (subject_hash, sid_hash) {
        (Some(subject), Some(sid)) => theirs
            .filter(sessions::name_id_hash.eq(subject))
            .filter(sessions::sid_hash.eq(sid))
            .select(found)
            .load(conn)?,
        (None, Some(sid)) => theirs.filter(sessions::sid_hash.eq(sid)).select(found).load(conn)?,
        (Some(subject), None) => {
            theirs.filter(sessions::name_id_hash.eq(subject)).select(found).load(conn)?
        }
        (None, None) => Vec::new(),
    })
}

/// The sessions that came by this identity at a provider, and whose they are.
pub(crate) fn of_identity(
    conn: &mut Conn,
    identity: &ProviderIdentityId,
) -> Result<Vec<(SessionId, UserId)>> {
    let theirs = provider_identities::table
        .find(identity)
        .inner_join(sessions::table.on(sessions::user_id.eq(provider_identities::user_id)))
        .filter(sessions::connection_id.eq(identity.as_str()));
    Ok(theirs.select((sessions::id, sessions::user_id)).load(conn)?)
}

/// The sessions that came by a connection since a moment, and whose they are.
pub(crate) fn of_connection(
    conn: &mut Conn,
    connection: &ConnectionId,
    since: Timestamp,
) -> Result<Vec<(SessionId, UserId)>> {
    let theirs =
        sessions::table.filter(sessions::connection_id.eq(connection)).filter(sessions::created_at.ge(since));
    Ok(theirs.select((sessions::id, sessions::user_id)).load(conn)?)
}

/// The connection that a session came by, and what the identity provider calls its own session, sealed; where it came by one.
pub(crate) fn provider_session_of(conn: &mut Conn, id: &SessionId) -> Result<Option<(ConnectionId, String)>> {
    type Row = (Option<ConnectionId>, Option<String>);
    let row = sessions::table.find(id).select((sessions::connection_id, sessions::provider_session));
    let row: Option<Row> = row.get_result(conn).optional()?;
    Ok(row.and_then(|(connection, there)| Some((connection?, there?))))
}

/// Ends a session that its own browser gives up, or guesses in.
pub(crate) fn end(tx: &mut Tx, id: &SessionId) -> Result<()> {
    diesel::delete(sessions::table.find(id)).execute(tx.conn)?;
    Ok(())
}
