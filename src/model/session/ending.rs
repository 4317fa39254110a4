//! How a session ends before its time: given up, signed out, or no longer good enough.

use chrono::TimeDelta;
use diesel::prelude::*;

use super::SessionSecret;
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::sessions},
    error::{Error, Result},
    ids::{ConnectionId, Id, PasskeyId, SessionId, UserId},
    kinds::{AuthMethod, Factor},
    model::{
        audit::{self, Actor, Event},
        sso_session::SsoSession,
        token::{self, PendingSignIn},
    },
};

/// Signs one of `owner`'s devices out. Nobody learns whether an id belongs to somebody else.
pub fn revoke(tx: &mut Tx, actor: &Actor, owner: &UserId, id: &SessionId) -> Result<()> {
    let gone =
        diesel::delete(sessions::table.find(id).filter(sessions::user_id.eq(owner))).execute(tx.conn)?;
    if gone == 0 {
        return Err(Error::NotFound);
    }
    audit::record(tx, actor, owner, Event::SessionRevoked { session: id.clone() })
}

/// Signs every device of `owner` out but `keep`, and ends the sign-ins that wait for a second factor. Returns how many
/// devices there were, as all of these do.
pub fn revoke_others(tx: &mut Tx, actor: &Actor, owner: &UserId, keep: Option<&SessionId>) -> Result<usize> {
    token::revoke::<PendingSignIn>(tx, owner)?;
    let count = diesel::delete(
        sessions::table.filter(sessions::user_id.eq(owner)).filter(sessions::id.ne(kept(keep))),
    )
    .execute(tx.conn)?;
    audit::record(tx, actor, owner, Event::OtherSessionsRevoked { count })?;
    Ok(count)
}

// An id that nobody has, where nothing is kept.
fn kept(keep: Option<&SessionId>) -> SessionId {
    keep.cloned().unwrap_or_else(|| Id::from_text(""))
}

/// Signs out every device of `owner` but `keep` that did not come in through an organisation, and ends the sign-ins that
/// wait for a second factor.
pub fn revoke_non_sso(tx: &mut Tx, actor: &Actor, owner: &UserId, keep: Option<&SessionId>) -> Result<usize> {
    token::revoke::<PendingSignIn>(tx, owner)?;
    let others = sessions::table.filter(sessions::user_id.eq(owner)).filter(sessions::id.ne(kept(keep)));
    let count = diesel::delete(others.filter(sessions::method.ne(AuthMethod::Sso))).execute(tx.conn)?;
    if count > 0 {
        audit::record(tx, actor, owner, Event::OtherSessionsRevoked { count })?;
    }
    Ok(count)
}

/// Signs out every device of `owner` that came in through an organisation.
pub fn revoke_sso(tx: &mut Tx, actor: &Actor, owner: &UserId) -> Result<usize> {
    let own = sessions::table.filter(sessions::user_id.eq(owner));
    let count = diesel::delete(own.filter(sessions::method.eq(AuthMethod::Sso))).execute(tx.conn)?;
    if count > 0 {
        audit::record(tx, actor, owner, Event::OtherSessionsRevoked { count })?;
    }
    Ok(count)
}

/// Holds a session while a transaction relies on it: whatever ends it waits, or has ended it. [`Error::SignIn`] where it is
/// over by now.
pub fn hold(tx: &mut Tx, here: &SessionId) -> Result<()> {
    let live = sessions::table.find(here).filter(sessions::locked_at.is_null());
    match diesel::update(live).set(sessions::id.eq(here)).execute(tx.conn)? {
        0 => Err(Error::SignIn),
        _ => Ok(()),
    }
}

/// The same for the session that `actor` acts in, where there is one.
pub fn hold_of(tx: &mut Tx, actor: &Actor) -> Result<()> {
    actor.session.as_ref().map_or(Ok(()), |here| hold(tx, here))
}

/// Signs out every device of `owner` but `keep` that came in with one proof only.
pub fn revoke_single_factor(tx: &mut Tx, actor: &Actor, owner: &UserId, keep: &SessionId) -> Result<usize> {
    token::revoke::<PendingSignIn>(tx, owner)?;
    let others = sessions::table.filter(sessions::user_id.eq(owner)).filter(sessions::id.ne(keep));
    let count = diesel::delete(others.filter(sessions::second_factor.is_null())).execute(tx.conn)?;
    audit::record(tx, actor, owner, Event::OtherSessionsRevoked { count })?;
    Ok(count)
}

/// Signs out every device of `owner` but `keep` that relied on one of `factors`; `keep` no longer relies on it. Ends the
/// sign-ins that wait for a second factor as well: there may be nothing left to answer with.
pub fn revoke_relying_on(
    tx: &mut Tx,
    actor: &Actor,
    owner: &UserId,
    keep: &SessionId,
    factors: &[Factor],
) -> Result<usize> {
    token::revoke::<PendingSignIn>(tx, owner)?;
    let relying = || {
        sessions::table.filter(sessions::user_id.eq(owner)).filter(sessions::second_factor.eq_any(factors))
    };
    let count = diesel::delete(relying().filter(sessions::id.ne(keep))).execute(tx.conn)?;
    diesel::update(relying().filter(sessions::id.eq(keep)))
        .set(sessions::second_factor.eq(None::<Factor>))
        .execute(tx.conn)?;
    audit::record(tx, actor, owner, Event::OtherSessionsRevoked { count })?;
    Ok(count)
}

/// Signs out every device of `owner` that came in with this passkey, but `keep`.
pub fn revoke_of_passkey(
    tx: &mut Tx,
    actor: &Actor,
    owner: &UserId,
    passkey: &PasskeyId,
    keep: Option<&SessionId>,
) -> Result<()> {
    let relying =
        sessions::table.filter(sessions::user_id.eq(owner)).filter(sessions::passkey_id.eq(passkey));
    let count = diesel::delete(relying.filter(sessions::id.ne(kept(keep)))).execute(tx.conn)?;
    audit::record(tx, actor, owner, Event::OtherSessionsRevoked { count })
}

/// How many sessions are live.
pub fn count(conn: &mut Conn, now: Timestamp) -> Result<i64> {
    let live = sessions::table.filter(sessions::expires_at.gt(now)).filter(sessions::idle_expires_at.gt(now));
    Ok(live.count().get_result(conn)?)
}

/// Ends the sessions of everybody, and the sign-ins that wait for a second factor. Returns how many sessions were live.
pub fn revoke_everybody(tx: &mut Tx, actor: &Actor) -> Result<i64> {
    let count = count(tx.conn, tx.now)?;
    token::revoke_for_all::<PendingSignIn>(tx)?;
    diesel::delete(sessions::table).execute(tx.conn)?;
    if count > 0 {
        audit::record(tx, actor, None, Event::EverySessionRevoked { count })?;
    }
    Ok(count)
}

/// Ends the session that a browser presents, locked or not: it is about to get another.
pub fn end_by_secret(tx: &mut Tx, secret: &SessionSecret) -> Result<()> {
    diesel::delete(sessions::table.filter(sessions::secret_hash.eq(secret.digest()))).execute(tx.conn)?;
    Ok(())
}

// As long as somebody who pressed twice waits for the first answer.
const TWICE: TimeDelta = TimeDelta::seconds(10);

/// Ends the session that the same form, sent twice, began in the same browser just now: its cookie is about to be
/// overwritten.
pub fn end_twin(tx: &mut Tx, owner: &UserId, binding: &str) -> Result<()> {
    let twin = sessions::table
        .filter(sessions::user_id.eq(owner))
        .filter(sessions::binding.eq(binding))
        .filter(sessions::created_at.ge(tx.now - TWICE));
    diesel::delete(twin).execute(tx.conn)?;
    Ok(())
}

/// Ends the sessions that came from these at an identity provider, where it ended them; of one without an index, all that
/// came of its name. The sign-ins of their owners that wait for a second factor end as well. Returns how many there were.
pub fn end_sso(tx: &mut Tx, actor: &Actor, ended: &[SsoSession]) -> Result<usize> {
    let mut count = 0;
    for one in ended {
        let theirs = sessions::table.filter(sessions::name_id_hash.eq(&one.name_id_hash));
        let theirs: Vec<(SessionId, UserId)> = match &one.sid_hash {
            Some(sid) => theirs
                .filter(sessions::sid_hash.eq(sid))
                .select((sessions::id, sessions::user_id))
                .load(tx.conn)?,
            None => theirs.select((sessions::id, sessions::user_id)).load(tx.conn)?,
        };
        for (id, owner) in theirs {
            token::revoke::<PendingSignIn>(tx, &owner)?;
            end(tx, &id)?;
            audit::record(tx, actor, &owner, Event::SessionRevoked { session: id })?;
            count += 1;
        }
    }
    Ok(count)
}

/// The connection that a session came by, and what the identity provider calls its own session, sealed; where it came by one.
pub fn provider_session_of(conn: &mut Conn, id: &SessionId) -> Result<Option<(ConnectionId, String)>> {
    type Row = (Option<ConnectionId>, Option<String>);
    let row = sessions::table.find(id).select((sessions::connection_id, sessions::provider_session));
    let row: Option<Row> = row.get_result(conn).optional()?;
    Ok(row.and_then(|(connection, there)| Some((connection?, there?))))
}

/// Ends a session that its own browser gives up, or guesses in.
pub fn end(tx: &mut Tx, id: &SessionId) -> Result<()> {
    diesel::delete(sessions::table.find(id)).execute(tx.conn)?;
    Ok(())
}
