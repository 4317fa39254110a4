//! Connections: an organisation's identity provider, what its attributes mean here, and how far it is trusted.

pub(crate) mod client;
mod mapping;
pub(crate) mod upkeep;

use diesel::prelude::*;

pub(crate) use self::mapping::MappedProfile;
pub use self::mapping::Mapping;
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{connections, domains, organisations},
    },
    error::{Error, Errors, Result},
    ids::{ConnectionId, Id, OrganisationId},
    kinds::Protocol,
    saml::{IdentityProvider, NamePolicy, Reason, read_provider},
    secret,
};

/// An identity provider that people of an organisation sign in with.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = connections)]
pub struct Connection {
    /// Opaque.
    pub id: ConnectionId,
    /// Whose it is.
    pub organisation_id: OrganisationId,
    /// As its owners call it.
    pub name: String,
    /// The identity provider's entity ID.
    pub issuer: String,
    /// Its metadata, with nothing in it but what is used.
    pub metadata: String,
    /// Where that is read anew every day.
    pub metadata_url: Option<String>,
    /// When it was last asked for.
    pub read_at: Timestamp,
    /// Why it could not be read since.
    pub read_error: Option<String>,
    /// When its last certificate expires.
    pub expires_at: Timestamp,
    /// The last warning about that, in days before it.
    pub warned_days: Option<i32>,
    /// JSON of a [`Mapping`].
    pub mapping: String,
    /// Whether our requests go unsigned although there is a key; an identity provider that wants them signed gets them so.
    pub sends_unsigned: bool,
    /// In which format people are to be named.
    pub name_policy: NamePolicy,
    /// The attribute that identifies people; empty where the NameID does.
    pub identifier: String,
    /// How many responses came that its identity provider had not signed.
    pub unsigned_responses: i32,
    /// Whether a sign-in may begin at the identity provider. It is answered with a fresh request.
    pub allows_idp_initiated: bool,
    /// Whether the second factor of an account here is asked for after it.
    pub asks_second_factor: bool,
    /// The last test sign-in that went through with today's settings.
    pub tested_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether a set-up link changed it, and no owner has switched it on since: it lets nobody in, but can be tested.
    pub is_paused: bool,
    /// How the identity provider is spoken to.
    pub(crate) protocol: Protocol,
    /// What an OpenID provider calls this site.
    pub(crate) client_id: Option<String>,
    pub(crate) secret_sealed: Option<String>,
    /// What an OpenID provider is asked for, with blanks between.
    pub(crate) scopes: Option<String>,
    /// Whether an OpenID provider said at the last test when its person had signed in: it can be asked for a step-up.
    pub(crate) can_step_up: bool,
}

impl Connection {
    /// Stands for what an owner looked at before they turned it on: another one, once anything of it was changed.
    pub(crate) fn fingerprint(&self) -> String {
        let parts =
            [&self.name, &self.metadata, &self.mapping, &self.identifier, &self.name_policy.to_string()];
        let flags = [self.sends_unsigned, self.allows_idp_initiated, self.asks_second_factor];
        let client = [self.known_issuer(), self.client_id.as_deref(), self.scopes.as_deref()];
        secret::digest(&format!("{parts:?} {flags:?} {client:?}"))
    }

    /// Whether the identity provider is still to be named: there is no metadata yet, or no client.
    pub(crate) fn is_blank(&self) -> bool {
        match self.protocol {
            Protocol::Saml => self.metadata.is_empty(),
            Protocol::Oidc => {
                self.issuer.is_empty() || self.client_id.is_none() || self.secret_sealed.is_none()
            }
        }
    }

    /// The identity provider's entity ID, where it is known.
    pub(crate) fn known_issuer(&self) -> Option<&str> {
        Some(self.issuer.as_str()).filter(|issuer| !issuer.is_empty())
    }

    /// What its attributes mean.
    pub(crate) fn mapping(&self) -> Result<Mapping> {
        Ok(serde_json::from_str(&self.mapping)?)
    }

    /// The attribute that identifies people, where one does.
    pub(crate) fn identifier(&self) -> Option<String> {
        Some(self.identifier.clone()).filter(|name| !name.is_empty())
    }

    /// The SAML identity provider, from the metadata as it was read. Refused again where it would be refused today.
    pub(crate) fn provider(&self, now: Timestamp) -> Result<IdentityProvider, Reason> {
        if self.metadata.is_empty() { Err(Reason::NoMetadata) } else { read_provider(&self.metadata, now) }
    }
}

/// What a connection is made of.
#[derive(Debug, Clone)]
pub struct NewConnection {
    /// As its owners call it.
    pub name: String,
    /// The metadata, read; empty where it is to come later.
    pub metadata: String,
    /// Where it came from, if it is to be read anew.
    pub metadata_url: Option<String>,
    /// What the attributes mean.
    pub mapping: Mapping,
}

// Each may be read anew every day.
const MOST: i64 = 10;

/// Connects an identity provider; the organisation has to be locked. [`Reason`] where its metadata is not good enough,
/// [`Error::Invalid`] where the organisation has enough of them.
pub(crate) fn create(
    tx: &mut Tx,
    organisation: &OrganisationId,
    new: NewConnection,
) -> Result<Result<Connection, Reason>> {
    let provider = match new.metadata.as_str() {
        "" => None,
        metadata => match read_provider(metadata, tx.now) {
            Ok(provider) => Some(provider),
            Err(reason) => return Ok(Err(reason)),
        },
    };
    let connection = Connection {
        expires_at: provider.as_ref().map_or(tx.now, |provider| last_expiry(provider, tx.now)),
        metadata: provider.as_ref().map(IdentityProvider::metadata).unwrap_or_default(),
        issuer: provider.map(|provider| provider.entity_id).unwrap_or_default(),
        metadata_url: new.metadata_url,
        mapping: serde_json::to_string(&new.mapping)?,
        ..blank(tx, organisation, Id::random()?, new.name)?
    };
    insert(tx, &connection)?;
    Ok(Ok(connection))
}

pub(super) fn blank(
    tx: &mut Tx,
    organisation: &OrganisationId,
    id: ConnectionId,
    name: String,
) -> Result<Connection> {
    let held = connections::table.filter(connections::organisation_id.eq(organisation));
    if held.count().get_result::<i64>(tx.conn)? >= MOST {
        let sentence = format!("There are {MOST} connections. Remove one that is no longer used.");
        return Err(Error::Invalid(Errors::one("form", sentence)));
    }
    Ok(Connection {
        id,
        organisation_id: organisation.clone(),
        name,
        issuer: String::new(),
        metadata: String::new(),
        metadata_url: None,
        read_at: tx.now,
        read_error: None,
        expires_at: tx.now,
        warned_days: None,
        mapping: serde_json::to_string(&Mapping::default())?,
        sends_unsigned: false,
        name_policy: NamePolicy::Any,
        identifier: String::new(),
        unsigned_responses: 0,
        allows_idp_initiated: false,
        asks_second_factor: true,
        tested_at: None,
        created_at: tx.now,
        is_paused: false,
        protocol: Protocol::Saml,
        client_id: None,
        secret_sealed: None,
        scopes: None,
        can_step_up: false,
    })
}

pub(super) fn insert(tx: &mut Tx, connection: &Connection) -> Result<()> {
    let made = tx.allow_unique_violation(|conn| {
        diesel::insert_into(connections::table).values(connection).execute(conn)
    })?;
    made.map(drop).ok_or(Error::Conflict)
}

/// When nothing that the identity provider signs is accepted any more.
pub(crate) fn last_expiry(provider: &IdentityProvider, now: Timestamp) -> Timestamp {
    provider.certificates.iter().map(|certificate| certificate.not_after).max().unwrap_or(now)
}

/// The connection with this id.
pub fn by_id(conn: &mut Conn, id: &ConnectionId) -> Result<Connection> {
    Ok(connections::table.find(id).select(Connection::as_select()).get_result(conn)?)
}

/// The connection with this id, where the organisation has it.
pub(crate) fn owned(conn: &mut Conn, organisation: &OrganisationId, id: &ConnectionId) -> Result<Connection> {
    let own = connections::table.find(id).filter(connections::organisation_id.eq(organisation));
    Ok(own.select(Connection::as_select()).get_result(conn)?)
}

/// An organisation's connections, the oldest first.
pub(crate) fn of(conn: &mut Conn, organisation: &OrganisationId) -> Result<Vec<Connection>> {
    let own = connections::table.filter(connections::organisation_id.eq(organisation));
    Ok(own.order((connections::created_at, connections::id)).select(Connection::as_select()).load(conn)?)
}

/// The SAML connections of an issuer, the oldest first.
pub(crate) fn by_issuer(conn: &mut Conn, issuer: &str, most: i64) -> Result<Vec<Connection>> {
    let own = connections::table
        .filter(connections::issuer.eq(issuer))
        .filter(connections::protocol.eq(Protocol::Saml));
    let own = own.order((connections::created_at, connections::id)).limit(most);
    Ok(own.select(Connection::as_select()).load(conn)?)
}

/// Every connection, by its organisation's slug.
pub(crate) fn all(conn: &mut Conn) -> Result<Vec<Connection>> {
    Ok(connections::table
        .inner_join(organisations::table)
        .order((organisations::slug, connections::created_at, connections::id))
        .select(Connection::as_select())
        .load(conn)?)
}

/// The one connection of this issuer that takes sign-ins that begin there. Anybody may have copied the metadata, so only
/// a verified domain that leads to the connection tells whose it is. Nothing where that leaves several.
pub(crate) fn unsolicited_from(
    conn: &mut Conn,
    protocol: Protocol,
    issuer: &str,
) -> Result<Option<Connection>> {
    let led = domains::table
        .filter(domains::verified_at.is_not_null())
        .filter(domains::connection_id.is_not_null())
        .select(domains::connection_id.assume_not_null());
    let mut found: Vec<Connection> = connections::table
        .filter(connections::issuer.eq(issuer))
        .filter(connections::protocol.eq(protocol))
        .filter(connections::allows_idp_initiated)
        .inner_join(organisations::table)
        .filter(connections::is_paused.eq(false))
        .filter(organisations::deletes_at.is_null())
        .filter(connections::id.eq_any(led))
        .limit(2)
        .select(Connection::as_select())
        .load(conn)?;
    Ok(if found.len() == 1 { found.pop() } else { None })
}

/// Whether any organisation has a connection.
pub(crate) fn is_any(conn: &mut Conn) -> Result<bool> {
    Ok(diesel::select(diesel::dsl::exists(connections::table.select(connections::id))).get_result(conn)?)
}

/// Whether the requests of any connection go unsigned.
pub(crate) fn is_any_unsigned(conn: &mut Conn) -> Result<bool> {
    let unsigned = connections::table.filter(connections::sends_unsigned).select(connections::id);
    Ok(diesel::select(diesel::dsl::exists(unsigned)).get_result(conn)?)
}

/// Notes a test sign-in that went through, unless the settings have changed since it was judged.
pub fn note_test(tx: &mut Tx, tested: &Connection) -> Result<()> {
    let same = connections::table
        .find(&tested.id)
        .filter(connections::mapping.eq(&tested.mapping))
        .filter(connections::metadata.eq(&tested.metadata))
        .filter(connections::sends_unsigned.eq(tested.sends_unsigned))
        .filter(connections::name_policy.eq(tested.name_policy))
        .filter(connections::identifier.eq(&tested.identifier))
        .filter(connections::issuer.eq(&tested.issuer))
        .filter(connections::client_id.is_null().or(connections::client_id.eq(&tested.client_id)))
        .filter(connections::secret_sealed.is_null().or(connections::secret_sealed.eq(&tested.secret_sealed)))
        .filter(connections::scopes.is_null().or(connections::scopes.eq(&tested.scopes)))
        .filter(connections::asks_second_factor.eq(tested.asks_second_factor));
    diesel::update(same).set(connections::tested_at.eq(tx.now)).execute(tx.conn)?;
    Ok(())
}
