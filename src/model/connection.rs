//! Connections: an organisation's identity provider, what its attributes mean here, and how far it is trusted.

pub mod upkeep;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    audit::{self, Actor, Event},
    organisation::{self, Organisation},
    user::Name,
};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{connections, domains, organisations},
    },
    error::{Error, Errors, Result},
    ids::{ConnectionId, Id, OrganisationId},
    kinds::Role,
    mail::EmailAddress,
    saml::{IdentityProvider, NameFormat, Reason, Statement, read_provider},
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
    /// Its metadata as it was read.
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
    /// Whether our requests are signed.
    pub signs_requests: bool,
    /// Whether a sign-in may begin at the identity provider. It is answered with a fresh request.
    pub allows_idp_initiated: bool,
    /// Whether the second factor of an account here is asked for after it.
    pub asks_second_factor: bool,
    /// The last test sign-in that went through with today's settings.
    pub tested_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What the attributes mean. An empty name stands for those that are usual: see [`Mapping::DEFAULT_ATTRIBUTE_NAMES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mapping {
    /// The attribute with the address.
    #[serde(default)]
    pub email: String,
    /// The attribute with the name.
    #[serde(default)]
    pub name: String,
    /// The attribute with the groups.
    #[serde(default)]
    pub groups: String,
    /// What a group may do. Of several, the most powerful.
    #[serde(default)]
    pub roles: Vec<(String, Role)>,
    /// What everybody else may do.
    pub default_role: Role,
}

impl Default for Mapping {
    fn default() -> Self {
        Self {
            email: String::new(),
            name: String::new(),
            groups: String::new(),
            roles: Vec::new(),
            default_role: Role::Viewer,
        }
    }
}

impl Mapping {
    /// The names that common identity providers use: for the address, the name, and the groups.
    pub const DEFAULT_ATTRIBUTE_NAMES: [&'static [&'static str]; 3] = [
        &[
            "email",
            "mail",
            "emailAddress",
            "user.email",
            "urn:oid:0.9.2342.19200300.100.1.3",
            "urn:oid:1.2.840.113549.1.9.1",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        ],
        &[
            "displayName",
            "name",
            "cn",
            "urn:oid:2.16.840.1.113730.3.1.241",
            "urn:oid:2.5.4.3",
            "http://schemas.microsoft.com/identity/claims/displayname",
        ],
        &[
            "groups",
            "group",
            "member",
            "memberOf",
            "Role",
            "eduPersonAffiliation",
            "urn:oid:1.3.6.1.4.1.5923.1.1.1.1",
            "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
            "http://schemas.xmlsoap.org/claims/Group",
        ],
    ];

    /// The attributes that say who the person is. Each may have one value.
    pub fn identity_attributes(&self) -> Vec<String> {
        [(&self.email, 0), (&self.name, 1)].into_iter().flat_map(|(name, kind)| names(name, kind)).collect()
    }

    /// Who a statement is about, and what they may do.
    pub fn profile(&self, statement: &Statement) -> MappedProfile {
        let first = |name: &str, kind| values(statement, name, kind).into_iter().next();
        let named = (statement.name.format == NameFormat::Email).then(|| statement.name.value.clone());
        let address = first(&self.email, 0).or(named);
        let groups = values(statement, &self.groups, 2);
        let granted = self.roles.iter().filter(|(group, _)| groups.contains(group)).map(|(_, role)| *role);
        MappedProfile {
            email: address.and_then(|address| EmailAddress::parse(&address).ok()),
            name: first(&self.name, 1).and_then(|name| Name::parse(&name).ok()),
            role: most_powerful(granted).unwrap_or(self.default_role),
            groups,
        }
    }
}

/// Who a statement is about, as this house understands it.
#[derive(Debug, Clone, Serialize)]
pub struct MappedProfile {
    /// Their address, where there is a good one.
    pub email: Option<EmailAddress>,
    /// What they want to be called, where that is said.
    #[serde(skip)]
    pub name: Option<Name>,
    /// What they may do.
    pub role: Role,
    /// The groups they are in.
    pub groups: Vec<String>,
}

fn names(name: &str, kind: usize) -> Vec<String> {
    match name.trim() {
        "" => Mapping::DEFAULT_ATTRIBUTE_NAMES[kind].iter().map(|name| (*name).to_owned()).collect(),
        name => vec![name.to_owned()],
    }
}

/// The values of the first attribute that is there, by its name or by its name for people.
fn values(statement: &Statement, name: &str, kind: usize) -> Vec<String> {
    let there = |name: &String| {
        let mut attributes = statement.attributes.iter();
        attributes.find(|one| one.name == *name || one.friendly_name.as_ref() == Some(name))
    };
    names(name, kind).iter().find_map(there).map(|one| one.values.clone()).unwrap_or_default()
}

fn most_powerful(roles: impl Iterator<Item = Role>) -> Option<Role> {
    // Declared from the most powerful down.
    roles.min_by_key(|role| Role::ALL.iter().position(|one| one == role))
}

impl Connection {
    /// What its attributes mean.
    pub fn mapping(&self) -> Result<Mapping> {
        Ok(serde_json::from_str(&self.mapping)?)
    }

    /// The identity provider, from the metadata as it was read. Refused again where it would be refused today.
    pub fn provider(&self, now: Timestamp) -> Result<IdentityProvider, Reason> {
        read_provider(&self.metadata, now)
    }
}

/// What a connection is made of.
#[derive(Debug, Clone)]
pub struct NewConnection {
    /// As its owners call it.
    pub name: String,
    /// The metadata, read.
    pub metadata: String,
    /// Where it came from, if it is to be read anew.
    pub metadata_url: Option<String>,
    /// What the attributes mean.
    pub mapping: Mapping,
}

// Each may be read anew every day.
const MOST: i64 = 10;

/// Connects an identity provider. [`Reason`] where its metadata is not good enough, [`Error::Invalid`] where the
/// organisation has enough of them.
pub fn create(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    new: NewConnection,
) -> Result<Result<Connection, Reason>> {
    let provider = match read_provider(&new.metadata, tx.now) {
        Ok(provider) => provider,
        Err(reason) => return Ok(Err(reason)),
    };
    organisation::lock(tx, organisation)?;
    let held = connections::table.filter(connections::organisation_id.eq(organisation));
    if held.count().get_result::<i64>(tx.conn)? >= MOST {
        let sentence = format!("There are {MOST} connections. Remove one that is no longer used.");
        return Err(Error::Invalid(Errors::one("form", sentence)));
    }
    let connection = Connection {
        id: Id::random()?,
        organisation_id: organisation.clone(),
        name: new.name,
        signs_requests: provider.wants_signed_requests,
        expires_at: last_expiry(&provider, tx.now),
        issuer: provider.entity_id,
        metadata: new.metadata,
        metadata_url: new.metadata_url,
        read_at: tx.now,
        read_error: None,
        warned_days: None,
        mapping: serde_json::to_string(&new.mapping)?,
        allows_idp_initiated: false,
        asks_second_factor: false,
        tested_at: None,
        created_at: tx.now,
    };
    diesel::insert_into(connections::table).values(&connection).execute(tx.conn)?;
    let event =
        Event::ConnectionMade { organisation: organisation.clone(), connection: connection.id.clone() };
    audit::record(tx, actor, None, event)?;
    Ok(Ok(connection))
}

/// When nothing that the identity provider signs is accepted any more.
pub fn last_expiry(provider: &IdentityProvider, now: Timestamp) -> Timestamp {
    provider.certificates.iter().map(|certificate| certificate.not_after).max().unwrap_or(now)
}

/// The connection with this id.
pub fn by_id(conn: &mut Conn, id: &ConnectionId) -> Result<Connection> {
    Ok(connections::table.find(id).select(Connection::as_select()).get_result(conn)?)
}

/// The connection with this id, where the organisation has it.
pub fn owned(conn: &mut Conn, organisation: &OrganisationId, id: &ConnectionId) -> Result<Connection> {
    let own = connections::table.find(id).filter(connections::organisation_id.eq(organisation));
    Ok(own.select(Connection::as_select()).get_result(conn)?)
}

/// An organisation's connections, the oldest first.
pub fn of(conn: &mut Conn, organisation: &OrganisationId) -> Result<Vec<Connection>> {
    let own = connections::table.filter(connections::organisation_id.eq(organisation));
    Ok(own.order((connections::created_at, connections::id)).select(Connection::as_select()).load(conn)?)
}

/// Every connection with its organisation, by the organisation's slug.
pub fn all(conn: &mut Conn) -> Result<Vec<(Connection, Organisation)>> {
    Ok(connections::table
        .inner_join(organisations::table)
        .order((organisations::slug, connections::created_at, connections::id))
        .select((Connection::as_select(), Organisation::as_select()))
        .load(conn)?)
}

/// The one connection of this issuer that takes sign-ins that begin there. Anybody may have copied the metadata, so only
/// a verified domain that leads to the connection tells whose it is. Nothing where that leaves several.
pub fn unsolicited_from(conn: &mut Conn, issuer: &str) -> Result<Option<Connection>> {
    let led = domains::table
        .filter(domains::verified_at.is_not_null())
        .filter(domains::connection_id.is_not_null())
        .select(domains::connection_id.assume_not_null());
    let mut found: Vec<Connection> = connections::table
        .filter(connections::issuer.eq(issuer))
        .filter(connections::allows_idp_initiated)
        .filter(connections::id.eq_any(led))
        .limit(2)
        .select(Connection::as_select())
        .load(conn)?;
    Ok(if found.len() == 1 { found.pop() } else { None })
}

/// Whether any organisation has a connection.
pub fn is_any(conn: &mut Conn) -> Result<bool> {
    Ok(diesel::select(diesel::dsl::exists(connections::table.select(connections::id))).get_result(conn)?)
}

/// Notes a test sign-in that went through, unless the settings have changed since it was judged.
pub fn note_test(tx: &mut Tx, tested: &Connection) -> Result<()> {
    let same = connections::table
        .find(&tested.id)
        .filter(connections::mapping.eq(&tested.mapping))
        .filter(connections::metadata.eq(&tested.metadata))
        .filter(connections::signs_requests.eq(tested.signs_requests))
        .filter(connections::asks_second_factor.eq(tested.asks_second_factor));
    diesel::update(same).set(connections::tested_at.eq(tx.now)).execute(tx.conn)?;
    Ok(())
}
