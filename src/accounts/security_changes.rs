//! Noting what changes about how an account is held, with the session that does it, so that it can be judged later.

use chrono::TimeDelta;

use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::Result,
    ids::UserId,
    model::{
        audit::Actor,
        network,
        security_change::{self, Beginning, Kind, NewChange, SecurityChange},
        token::{self, AddressChange, RevertEmailChange},
    },
    secret,
};

/// Notes a change that `actor` makes in their session.
pub(crate) fn note(
    tx: &mut Tx,
    actor: &Actor,
    user: &UserId,
    kind: Kind,
    target: Option<&str>,
) -> Result<()> {
    note_after(tx, actor, user, kind, target, None)
}

/// The same, with what was there before.
pub(crate) fn note_after(
    tx: &mut Tx,
    actor: &Actor,
    user: &UserId,
    kind: Kind,
    target: Option<&str>,
    before: Option<&str>,
) -> Result<()> {
    let by = session_of(tx.conn, actor)?;
    let network = network_of(actor);
    security_change::note(tx, user, NewChange { kind, target, before, by, network })
}

/// Notes that a way in is removed because the account was in doubt, with what it takes to put it back.
pub(crate) fn note_removed(tx: &mut Tx, actor: &Actor, user: &UserId, kept: &str) -> Result<()> {
    let network = network_of(actor);
    let change =
        NewChange { kind: Kind::CredentialRemoved, target: None, before: Some(kept), by: None, network };
    security_change::note(tx, user, change)
}

/// Notes that an account moved from one address to another. Who did it is whoever asked for it: the link is opened
/// anywhere.
pub(crate) fn note_move(tx: &mut Tx, actor: &Actor, user: &UserId, change: &AddressChange) -> Result<()> {
    let by = match asked(&security_change::list(tx.conn, user)?, change) {
        Some(asked) => asked.by.clone(),
        None => session_of(tx.conn, actor)?,
    };
    let (before, key) = (change.old.spelled(), address_key(&change.new.normalized()));
    let network = network_of(actor);
    let left = address_key(&change.old.normalized());
    let new = NewChange {
        kind: Kind::AddressLeft,
        target: Some(&left),
        before: None,
        by: by.clone(),
        network: network.clone(),
    };
    security_change::note(tx, user, new)?;
    let new = NewChange { kind: Kind::EmailChanged, target: Some(&key), before: Some(before), by, network };
    security_change::note(tx, user, new)
}

/// Whether another account than `user` left this address lately and can still take it back: until then nobody else gets it
/// confirmed.
pub(crate) fn is_reserved(
    conn: &mut Conn,
    normalized: &str,
    user: Option<&UserId>,
    now: Timestamp,
    kept: TimeDelta,
) -> Result<bool> {
    for other in security_change::left(conn, &address_key(normalized), now - kept)? {
        if Some(&other) == user {
            continue;
        }
        let ways_back = token::all_outstanding::<RevertEmailChange>(conn, &other, now)?;
        if ways_back.iter().any(|change| change.old.normalized() == normalized) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The last time that a move to this address was asked for.
pub(crate) fn asked<'a>(changes: &'a [SecurityChange], change: &AddressChange) -> Option<&'a SecurityChange> {
    let key = address_key(&change.new.normalized());
    let mut asked = changes.iter().filter(|one| one.kind == Kind::EmailChangeAsked);
    asked.rfind(|one| one.target.as_deref() == Some(&key))
}

/// What stands for an address in [`SecurityChange::target`].
pub(crate) fn address_key(normalized: &str) -> String {
    secret::digest(normalized)
}

fn session_of(conn: &mut Conn, actor: &Actor) -> Result<Option<Beginning>> {
    match &actor.session {
        Some(id) => security_change::session_of(conn, id),
        None => Ok(None),
    }
}

fn network_of(actor: &Actor) -> String {
    actor.ip.as_deref().map(network::network_prefix).unwrap_or_default()
}
