//! Sessions, as far as more than their own table is concerned: whose they are, and how they end on record.
//!
//! Where sessions of an account end, the sign-ins that wait for a second factor end with them: there may be nothing left to
//! answer with.

use std::slice;

use diesel::prelude::*;

use super::offline_grants;
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{connections, memberships, organisations, sessions as rows, users},
    },
    direct,
    error::{Error, Result},
    ids::{ConnectionId, OrganisationId, PasskeyId, ProviderIdentityId, SessionId, UserId},
    kinds::{AuthMethod, Factor},
    model::{
        audit::{self, Actor, audit_events},
        device::Device,
        identity,
        organisation::CurrentOrganisation,
        session::{self, CurrentSession, SessionSecret},
        sso_session::SsoSession,
        token::{self, PendingSignIn},
        user::User,
    },
    saml::{Name, NameFormat},
};

audit_events! {
    /// A user ended their own session.
    SignedOut {} => of_sign_in("signed_out"),
    /// A session was ended from the list, or by the identity provider.
    SessionRevoked { session: SessionId } => of("session_revoked"),
    /// A session was suddenly used from another device, and is locked.
    SessionLocked { session: SessionId, used_by: String } => of("session_locked"),
    /// Other sessions ended, by their user or with a change.
    OtherSessionsRevoked { count: usize } => of("other_sessions_revoked"),
    /// An operator ended every session there was.
    EverySessionRevoked { count: i64 } => of("every_session_revoked"),
}

/// The organisation whose identity provider a session came by, where it came by one.
pub(crate) fn provider_of(conn: &mut Conn, session: &CurrentSession) -> Result<Option<OrganisationId>> {
    if session.method != AuthMethod::Sso {
        return Ok(None);
    }
    let connection = rows::table
        .find(&session.id)
        .inner_join(connections::table.on(connections::id.nullable().eq(rows::connection_id)));
    Ok(connection.select(connections::organisation_id).first(conn).optional()?)
}

/// Who sends a request, in which session, the organisation in use in it, and the one whose identity provider it came by.
pub(crate) type Visitor = (CurrentSession, User, Option<CurrentOrganisation>, Option<OrganisationId>);

/// The live session with this secret, whose it is, the organisation in use, as long as they belong to it, and the one whose
/// identity provider it came by: one indexed query.
pub(crate) fn visitor(conn: &mut Conn, secret: &SessionSecret, now: Timestamp) -> Result<Option<Visitor>> {
    let is_member = memberships::user_id
        .eq(rows::user_id)
        .and(memberships::organisation_id.nullable().eq(rows::organisation_id));
    let is_in_use =
        organisations::id.eq(memberships::organisation_id).and(organisations::deletes_at.is_null());
    let digest = secret.digest();
    // At most one row has the digest. With a `LIMIT` of its own, as `first` has it, SQLite would plan the query anew
    // each time.
    let found = direct!(conn => rows::table
        .inner_join(users::table)
        .left_join(memberships::table.on(is_member))
        .left_join(organisations::table.on(is_in_use))
        .left_join(connections::table.on(connections::id.nullable().eq(rows::connection_id)))
        .filter(rows::secret_hash.eq(&digest))
        .filter(rows::expires_at.gt(now))
        .filter(rows::idle_expires_at.gt(now))
        .filter(rows::created_at.le(now.latest_start()))
        .filter(rows::locked_at.is_null())
        .filter(users::locked_at.is_null())
        .filter(users::suspended_by.is_null())
        .select((
            CurrentSession::as_select(),
            User::as_select(),
            Option::<CurrentOrganisation>::as_select(),
            connections::organisation_id.nullable(),
        ))
        .get_result(conn));
    Ok(found.optional()?)
}

/// That the session that `actor` acts in is live, and its account neither locked nor leaving, as a request of its own would
/// find it. [`Error::Unauthenticated`] otherwise.
pub(crate) fn require_live(conn: &mut Conn, actor: &Actor, now: Timestamp) -> Result<()> {
    let found = rows::table
        .inner_join(users::table)
        .filter(rows::id.nullable().eq(&actor.session))
        .filter(rows::expires_at.gt(now))
        .filter(rows::idle_expires_at.gt(now))
        .filter(rows::locked_at.is_null())
        .filter(users::locked_at.is_null())
        .filter(users::suspended_by.is_null())
        .filter(users::deletes_at.is_null());
    match found.select(rows::id).first::<SessionId>(conn).optional()? {
        Some(_) => Ok(()),
        None => Err(Error::Unauthenticated),
    }
}

/// Holds the session that `actor` acts in, where there is one, as [`session::hold`] does.
pub(crate) fn hold_of(tx: &mut Tx, actor: &Actor) -> Result<()> {
    actor.session.as_ref().map_or(Ok(()), |here| session::hold(tx, here))
}

/// Locks a session that is suddenly used from another device.
pub(crate) fn lock(
    tx: &mut Tx,
    actor: &Actor,
    owner: &UserId,
    id: &SessionId,
    used_by: &Device,
) -> Result<()> {
    match session::lock(tx, id, used_by)? {
        false => Ok(()),
        true => {
            let event = Event::SessionLocked { session: id.clone(), used_by: used_by.name() };
            audit::record(tx, actor, owner, event)
        }
    }
}

/// Signs one of `owner`'s devices out, with what applications got through it. Nobody learns whether an id belongs to somebody
/// else.
pub(crate) fn revoke(tx: &mut Tx, actor: &Actor, owner: &UserId, id: &SessionId) -> Result<()> {
    let ended = offline_grants::end_made_in(tx, actor, owner, slice::from_ref(id))?;
    match session::revoke(tx, owner, id) {
        // A device that has tokens and no session.
        Err(Error::NotFound) if ended > 0 => return Ok(()),
        revoked => revoked?,
    }
    audit::record(tx, actor, owner, Event::SessionRevoked { session: id.clone() })
}

/// Signs every device of `owner` out but `keep`. Returns how many devices there were, as all of these do.
pub(crate) fn revoke_others(
    tx: &mut Tx,
    actor: &Actor,
    owner: &UserId,
    keep: Option<&SessionId>,
) -> Result<usize> {
    token::revoke::<PendingSignIn>(tx, owner)?;
    let count = session::revoke_others(tx, owner, keep)?;
    note_ended(tx, actor, owner, count)
}

/// Signs out every device of `owner` but `keep` that did not come in through an organisation.
pub(crate) fn revoke_non_sso(
    tx: &mut Tx,
    actor: &Actor,
    owner: &UserId,
    keep: Option<&SessionId>,
) -> Result<usize> {
    token::revoke::<PendingSignIn>(tx, owner)?;
    match session::revoke_non_sso(tx, owner, keep)? {
        0 => Ok(0),
        count => note_ended(tx, actor, owner, count),
    }
}

/// Signs out every device of `owner` that came in through an organisation. Sign-ins that wait for a second factor go on.
pub(crate) fn revoke_sso(tx: &mut Tx, actor: &Actor, owner: &UserId) -> Result<usize> {
    match session::revoke_sso(tx, owner)? {
        0 => Ok(0),
        count => note_ended(tx, actor, owner, count),
    }
}

/// Signs out every device of `owner` but `keep` that came in with one factor only.
pub(crate) fn revoke_single_factor(
    tx: &mut Tx,
    actor: &Actor,
    owner: &UserId,
    keep: &SessionId,
) -> Result<usize> {
    token::revoke::<PendingSignIn>(tx, owner)?;
    let count = session::revoke_single_factor(tx, owner, keep)?;
    note_ended(tx, actor, owner, count)
}

/// Signs out every device of `owner` but `keep` that relied on one of `factors`; `keep` no longer relies on it.
pub(crate) fn revoke_relying_on(
    tx: &mut Tx,
    actor: &Actor,
    owner: &UserId,
    keep: &SessionId,
    factors: &[Factor],
) -> Result<usize> {
    token::revoke::<PendingSignIn>(tx, owner)?;
    let count = session::revoke_relying_on(tx, owner, keep, factors)?;
    note_ended(tx, actor, owner, count)
}

/// Signs out every device of `owner` that came in with this passkey, but `keep`. Sign-ins that wait for a second factor go on.
pub(crate) fn revoke_of_passkey(
    tx: &mut Tx,
    actor: &Actor,
    owner: &UserId,
    passkey: &PasskeyId,
    keep: Option<&SessionId>,
) -> Result<usize> {
    let ended = session::revoke_of_passkey(tx, owner, passkey, keep)?;
    offline_grants::end_made_in(tx, actor, owner, &ended)?;
    note_ended(tx, actor, owner, ended.len())
}

/// Signs out every device of `owner` that came in by this identity at a provider, but `keep`, and ends what waits for a second
/// factor.
pub(crate) fn revoke_of_identity(
    tx: &mut Tx,
    actor: &Actor,
    owner: &UserId,
    identity: &ProviderIdentityId,
    keep: Option<&SessionId>,
) -> Result<usize> {
    token::revoke::<PendingSignIn>(tx, owner)?;
    let ended = session::revoke_of_identity(tx, owner, identity, keep)?;
    offline_grants::end_made_in(tx, actor, owner, &ended)?;
    note_ended(tx, actor, owner, ended.len())
}

fn note_ended(tx: &mut Tx, actor: &Actor, owner: &UserId, count: usize) -> Result<usize> {
    audit::record(tx, actor, owner, Event::OtherSessionsRevoked { count })?;
    Ok(count)
}

/// Ends the sessions of everybody, and what applications may do without one. Returns how many sessions were live.
pub(crate) fn revoke_everybody(tx: &mut Tx, actor: &Actor) -> Result<i64> {
    token::revoke_for_all::<PendingSignIn>(tx)?;
    let count = session::revoke_everybody(tx)?;
    offline_grants::end_everybodys(tx, actor)?;
    if count > 0 {
        audit::record(tx, actor, None, Event::EverySessionRevoked { count })?;
    }
    Ok(count)
}

/// Ends the sessions that came by a connection since a moment.
pub(crate) fn end_of_connection(
    tx: &mut Tx,
    actor: &Actor,
    connection: &ConnectionId,
    since: Timestamp,
) -> Result<()> {
    for (id, owner) in session::of_connection(tx.conn, connection, since)? {
        session::end(tx, &id)?;
        offline_grants::end_made_in(tx, actor, &owner, slice::from_ref(&id))?;
        audit::record(tx, actor, &owner, Event::SessionRevoked { session: id })?;
    }
    Ok(())
}

/// Ends the sessions that came from these at an identity provider, where it ended them. Returns how many there were.
pub(crate) fn end_sso(tx: &mut Tx, actor: &Actor, ended: &[SsoSession]) -> Result<usize> {
    let mut count = 0;
    for there in ended {
        let found = session::of_sso(tx.conn, there)?;
        count += end_found(tx, actor, found)?;
    }
    Ok(count)
}

/// The same for a connection of OpenID Connect (Back-Channel Logout §2.7): by the `sid` of its provider, else all of the subject's.
pub(crate) fn end_at_connection(
    tx: &mut Tx,
    actor: &Actor,
    connection: &ConnectionId,
    (issuer, subject): (&str, Option<&str>),
    sid: Option<&str>,
) -> Result<usize> {
    if let Some(subject) = subject {
        let name = Name { format: NameFormat::Subject, value: subject.to_owned() };
        if let Some(owner) = identity::owner_of(tx.conn, connection, &name)? {
            token::revoke::<PendingSignIn>(tx, &owner)?;
        }
    }
    let there = SsoSession::of_subject(connection, (issuer, subject.unwrap_or_default()), sid);
    let subject_hash = subject.map(|_| there.name_id_hash.as_str());
    let found = session::of_oidc(tx.conn, connection, subject_hash, there.sid_hash.as_deref())?;
    end_found(tx, actor, found)
}

fn end_found(tx: &mut Tx, actor: &Actor, found: Vec<(SessionId, UserId)>) -> Result<usize> {
    let count = found.len();
    for (id, owner) in found {
        token::revoke::<PendingSignIn>(tx, &owner)?;
        session::end(tx, &id)?;
        audit::record(tx, actor, &owner, Event::SessionRevoked { session: id })?;
    }
    Ok(count)
}
