//! What keeps a connection going: its settings, and the identity provider's metadata as it changes with time.

use chrono::TimeDelta;
use diesel::prelude::*;

use super::{
    Connection, Mapping,
    client::{self, ClientSettings},
    last_expiry, owned,
};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{connections, identities},
    },
    error::{Error, Errors, Result},
    ids::{ConnectionId, OrganisationId},
    saml::{NamePolicy, Reason, choose_provider},
};

/// From one reading of metadata behind an address to the next.
pub(crate) const READ_EVERY: TimeDelta = TimeDelta::days(1);

/// From one reading to the next at the least, where a signature does not fit.
const READ_AGAIN_AFTER: TimeDelta = TimeDelta::hours(1);

/// How many days before the last certificate, or the client secret, expires its owners are warned, once each.
pub(crate) const WARNINGS: [i32; 3] = [30, 7, 1];

/// What an owner sets.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// What the connection is called.
    pub name: String,
    /// What the attributes mean.
    pub mapping: Mapping,
    /// Whether our requests go unsigned.
    pub sends_unsigned: bool,
    /// In which format people are to be named.
    pub name_policy: NamePolicy,
    /// The attribute that identifies people; empty where the NameID does.
    pub identifier: String,
    /// Whether a sign-in may begin at the identity provider.
    pub allows_idp_initiated: bool,
    /// Whether the second factor of an account here is asked for after it.
    pub asks_second_factor: bool,
    /// What is set of a connection of OpenID Connect besides.
    pub client: Option<ClientSettings>,
}

impl Settings {
    /// Those of a connection of OpenID Connect of which nothing else is said.
    pub(crate) fn of_client(name: String, mapping: Mapping, client: ClientSettings) -> Self {
        Self {
            name,
            mapping,
            sends_unsigned: false,
            name_policy: NamePolicy::Any,
            identifier: String::new(),
            allows_idp_initiated: false,
            asks_second_factor: true,
            client: Some(client),
        }
    }
}

/// Sets a connection of the organisation, which has to be locked, anew. But for another name, it has to be tested again.
/// [`Error::Invalid`] where people are known by what identified them so far: by anything else they would be other people.
/// Says whether it is set to anything else than before.
pub(crate) fn change(
    tx: &mut Tx,
    organisation: &OrganisationId,
    id: &ConnectionId,
    new: Settings,
) -> Result<bool> {
    let before = owned(tx.conn, organisation, id)?;
    let mapping = serde_json::to_string(&new.mapping)?;
    if before.identifier != new.identifier && is_anyone_known(tx.conn, id)? {
        let sentence =
            "People are known by it already. Make a new connection to identify them by something else.";
        return Err(Error::Invalid(Errors::one("identifier", sentence)));
    }
    let is_same_client = match new.client {
        Some(client) if before.is_oidc() => client::change(tx, &before, client)?,
        _ => true,
    };
    let is_same = is_same_client
        && before.mapping == mapping
        && before.sends_unsigned == new.sends_unsigned
        && before.name_policy == new.name_policy
        && before.identifier == new.identifier
        && before.allows_idp_initiated == new.allows_idp_initiated
        && before.asks_second_factor == new.asks_second_factor;
    diesel::update(connections::table.find(id))
        .set((
            connections::name.eq(new.name),
            connections::mapping.eq(mapping),
            connections::sends_unsigned.eq(new.sends_unsigned),
            connections::name_policy.eq(new.name_policy),
            connections::identifier.eq(new.identifier),
            connections::allows_idp_initiated.eq(new.allows_idp_initiated),
            connections::asks_second_factor.eq(new.asks_second_factor),
            connections::tested_at.eq(before.tested_at.filter(|_| is_same)),
        ))
        .execute(tx.conn)?;
    Ok(!is_same)
}

fn is_anyone_known(conn: &mut Conn, id: &ConnectionId) -> Result<bool> {
    let known = identities::table.filter(identities::connection_id.eq(id)).select(identities::id);
    Ok(diesel::select(diesel::dsl::exists(known)).get_result(conn)?)
}

/// Why metadata cannot take the place of a connection's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// It is not good enough.
    #[error("{0}")]
    Reason(Reason),
    /// It is about another identity provider, whose names mean other people.
    #[error(
        "This is another identity provider, whose names may mean other people. Make a new connection for it."
    )]
    AnotherProvider,
}

/// Replaces the metadata of a connection, whose organisation has to be locked, by what an owner gave. It has to be tested again. Where the connection comes
/// without an issuer, it may be of any identity provider.
pub(crate) fn replace(
    tx: &mut Tx,
    connection: &Connection,
    metadata: &str,
    url: Option<String>,
) -> Result<Result<(), Unfit>> {
    if let Err(unfit) = keep(tx, connection, metadata)? {
        return Ok(Err(unfit));
    }
    let fresh = (
        connections::metadata_url.eq(url),
        connections::read_at.eq(tx.now),
        connections::tested_at.eq(None::<Timestamp>),
    );
    diesel::update(connections::table.find(&connection.id)).set(fresh).execute(tx.conn)?;
    Ok(Ok(()))
}

/// Takes a connection out of use, or back into it.
pub(crate) fn set_paused(tx: &mut Tx, connection: &ConnectionId, is_paused: bool) -> Result<()> {
    diesel::update(connections::table.find(connection))
        .set(connections::is_paused.eq(is_paused))
        .execute(tx.conn)?;
    Ok(())
}

/// Takes a connection out of use that may lead to somebody else's identity provider: it has to be tested again as well.
pub(crate) fn withdraw(tx: &mut Tx, connection: &ConnectionId) -> Result<()> {
    diesel::update(connections::table.find(connection))
        .set((connections::is_paused.eq(true), connections::tested_at.eq(None::<Timestamp>)))
        .execute(tx.conn)?;
    Ok(())
}

/// Keeps what was read at a connection's address. Whether it says anything else than what was there. Where it is not fit, the
/// metadata from before stays, with the reason.
pub(crate) fn take_in(tx: &mut Tx, connection: &Connection, metadata: &str) -> Result<Result<bool, Unfit>> {
    match keep(tx, connection, metadata)? {
        Ok(is_new) => Ok(Ok(is_new)),
        Err(unfit) => note_unread(tx, &connection.id, &unfit.to_string()).map(|()| Err(unfit)),
    }
}

/// Keeps metadata that is fit. Whether it says anything else than what was there.
fn keep(tx: &mut Tx, connection: &Connection, metadata: &str) -> Result<Result<bool, Unfit>> {
    let known = connection.known_issuer();
    let provider = match choose_provider(metadata, known, tx.now) {
        Ok(provider) => provider,
        Err(reason) => return Ok(Err(Unfit::Reason(reason))),
    };
    if known.is_some_and(|issuer| issuer != provider.entity_id) {
        return Ok(Err(Unfit::AnotherProvider));
    }
    let expires_at = last_expiry(&provider, tx.now);
    let warned = connection.warned_days.filter(|_| expires_at == connection.expires_at);
    let metadata = provider.metadata();
    let is_new = metadata != connection.metadata;
    // Its owners may have given it other metadata while this was read.
    let same = connections::table.find(&connection.id).filter(connections::metadata.eq(&connection.metadata));
    let kept = diesel::update(same)
        .set((
            connections::issuer.eq(provider.entity_id),
            connections::metadata.eq(metadata),
            connections::read_error.eq(None::<String>),
            connections::expires_at.eq(expires_at),
            connections::warned_days.eq(warned),
        ))
        .execute(tx.conn)?;
    if kept == 0 { Err(Error::Conflict) } else { Ok(Ok(is_new)) }
}

/// Notes why the metadata could not be read; what was read before stays.
pub(crate) fn note_unread(tx: &mut Tx, id: &ConnectionId, why: &str) -> Result<()> {
    diesel::update(connections::table.find(id)).set(connections::read_error.eq(why)).execute(tx.conn)?;
    Ok(())
}

/// Connections whose metadata it is time to read again.
pub(crate) fn due(conn: &mut Conn, now: Timestamp, most: i64) -> Result<Vec<Connection>> {
    Ok(connections::table
        .filter(connections::metadata_url.is_not_null())
        .filter(connections::read_at.le(now - READ_EVERY).or(connections::read_at.gt(now.latest_start())))
        .order((connections::read_at, connections::id))
        .limit(most)
        .select(Connection::as_select())
        .load(conn)?)
}

/// Whether the metadata may be read again because a signature does not fit it.
pub(crate) fn may_be_read_again(connection: &Connection, now: Timestamp) -> bool {
    connection.read_at <= now - READ_AGAIN_AFTER || connection.read_at > now.latest_start()
}

/// Takes the turn to read a connection's metadata. Of many nodes at once, one does.
pub(crate) fn take_turn(tx: &mut Tx, connection: &Connection) -> Result<bool> {
    let unread = connections::table.find(&connection.id).filter(connections::read_at.eq(connection.read_at));
    let taken = diesel::update(unread).set(connections::read_at.eq(tx.now)).execute(tx.conn)?;
    Ok(taken == 1)
}

/// Connections whose last certificate, or whose client secret, expires soon.
pub(crate) fn expiring(conn: &mut Conn, now: Timestamp) -> Result<Vec<Connection>> {
    let soon = now + TimeDelta::days(i64::from(WARNINGS[0]));
    let unwarned = connections::warned_days.is_null().or(connections::warned_days.gt(WARNINGS[2]));
    Ok(connections::table
        .filter(connections::expires_at.le(soon))
        .filter(connections::metadata.ne("").or(connections::client_id.is_not_null()))
        .filter(unwarned)
        .order((connections::expires_at, connections::id))
        .select(Connection::as_select())
        .load(conn)?)
}

/// The warning that is due, in days before the last certificate expires; the last one where several are.
pub(crate) fn warning(connection: &Connection, now: Timestamp) -> Option<i32> {
    let left = connection.expires_at - now;
    let due = WARNINGS.into_iter().filter(|days| left <= TimeDelta::days(i64::from(*days))).min()?;
    (connection.warned_days.is_none_or(|warned| warned > due)).then_some(due)
}

/// Notes that owners are warned. Of many nodes at once, one does.
pub(crate) fn note_warning(tx: &mut Tx, connection: &Connection, days: i32) -> Result<bool> {
    let unwarned = connections::table
        .find(&connection.id)
        .filter(connections::expires_at.eq(connection.expires_at))
        .filter(connections::warned_days.is_null().or(connections::warned_days.gt(days)));
    let noted = diesel::update(unwarned).set(connections::warned_days.eq(days)).execute(tx.conn)?;
    Ok(noted == 1)
}
