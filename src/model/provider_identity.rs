//! Identities at providers: who somebody is at GitHub, Google or another provider of the settings.
//!
//! An identity is (issuer, subject), never an address or a login, which their owners change and others get after them.

use diesel::prelude::*;
use serde_json::{Value, json};

use super::personal_data::{Erasure, ExportSection, PersonalData};
use crate::{
    clock::Timestamp,
    config::{Config, Provider},
    db::{Conn, Tx, schema::provider_identities},
    error::{Error, Result},
    ids::{Id, ProviderIdentityId, UserId},
};

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "provider_identities",
    title: "Your accounts elsewhere",
    why: "So that you can sign in with them. Each stays until you disconnect it.",
    columns: &[
        ("id", "a number that stands for the connection of the two accounts"),
        ("provider", "which service it is"),
        ("issuer", "that service's address"),
        ("subject", "the number or name that you have there"),
        ("user_id", "that it is you"),
        ("known_as", "your address or login there, as it was told"),
    ],
    erasure: Erasure::Removed,
    afterwards: "Your account there stays; that service may still list this site until you remove it there.",
    export: &[ExportSection { name: "identitiesElsewhere", is_list: true, read: exported }],
    erase: |tx, id, _| forget(tx, id).map(drop),
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<ProviderIdentity> = provider_identities::table
        .filter(provider_identities::user_id.eq(owner))
        .order((provider_identities::created_at, provider_identities::id))
        .offset(skip)
        .limit(most)
        .select(ProviderIdentity::as_select())
        .load(conn)?;
    let told = found.into_iter().map(|one| {
        json!({
            "provider": one.provider,
            "knownAs": one.known_as,
            "createdAt": one.created_at,
            "lastUsedAt": one.last_used_at,
        })
    });
    Ok(told.collect())
}

/// Who somebody is at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = provider_identities)]
pub(crate) struct ProviderIdentity {
    /// Opaque.
    pub id: ProviderIdentityId,
    /// The key that the provider had in the settings when it was connected.
    pub provider: String,
    /// Who vouches for it (OpenID Connect Core §2, `iss`).
    pub issuer: String,
    /// Whom that calls so (`sub`); never given to anybody else there.
    pub subject: String,
    /// Whose account it opens.
    pub user_id: UserId,
    /// An address or login there, to show and nothing else.
    pub known_as: Option<String>,
    /// When it was connected.
    pub created_at: Timestamp,
    /// When it last opened something.
    pub last_used_at: Timestamp,
}

impl ProviderIdentity {
    /// The provider of the settings that it can be used at, where there is one: without, it opens nothing.
    pub(crate) fn provider_in<'a>(&self, config: &'a Config) -> Option<&'a Provider> {
        config.providers.iter().find(|provider| provider.is_of(&self.issuer))
    }

    /// What its provider is called.
    pub(crate) fn provider_name<'a>(&'a self, config: &'a Config) -> &'a str {
        self.provider_in(config).map_or(&self.provider, |provider| &provider.name)
    }
}

/// Who it is that is to be kept: provider, issuer, subject, and what is shown.
pub(crate) type Kept<'a> = (&'a str, &'a str, &'a str, Option<&'a str>);

/// Connects an identity with an account. [`Error::Conflict`] where it is connected with one already.
pub(crate) fn insert(tx: &mut Tx, kept: Kept<'_>, user: &UserId) -> Result<ProviderIdentity> {
    let (provider, issuer, subject, known_as) = kept;
    let identity = ProviderIdentity {
        id: Id::random()?,
        provider: provider.to_owned(),
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        user_id: user.clone(),
        known_as: known_as.map(str::to_owned),
        created_at: tx.now,
        last_used_at: tx.now,
    };
    tx.allow_unique_violation(|conn| {
        diesel::insert_into(provider_identities::table).values(&identity).execute(conn)
    })?
    .ok_or(Error::Conflict)?;
    Ok(identity)
}

/// The identity of this issuer and subject, where it is connected.
pub(crate) fn find(conn: &mut Conn, issuer: &str, subject: &str) -> Result<Option<ProviderIdentity>> {
    let row = provider_identities::table
        .filter(provider_identities::issuer.eq(issuer))
        .filter(provider_identities::subject.eq(subject));
    Ok(row.select(ProviderIdentity::as_select()).first(conn).optional()?)
}

/// Those of an account, the oldest first.
pub(crate) fn list(conn: &mut Conn, owner: &UserId) -> Result<Vec<ProviderIdentity>> {
    let own = provider_identities::table.filter(provider_identities::user_id.eq(owner));
    let own = own.order((provider_identities::created_at, provider_identities::id));
    Ok(own.select(ProviderIdentity::as_select()).load(conn)?)
}

/// One of `owner`'s. [`Error::NotFound`] also where it is somebody else's.
pub(crate) fn owned(conn: &mut Conn, owner: &UserId, id: &ProviderIdentityId) -> Result<ProviderIdentity> {
    let own = provider_identities::table.find(id).filter(provider_identities::user_id.eq(owner));
    Ok(own.select(ProviderIdentity::as_select()).first(conn)?)
}

/// Notes that it opened something, and what its person is called there by now.
pub(crate) fn mark_used(tx: &mut Tx, id: &ProviderIdentityId, known_as: Option<&str>) -> Result<()> {
    let row = provider_identities::table.find(id);
    diesel::update(row).set(provider_identities::last_used_at.eq(tx.now)).execute(tx.conn)?;
    if let Some(known_as) = known_as {
        diesel::update(row).set(provider_identities::known_as.eq(known_as)).execute(tx.conn)?;
    }
    Ok(())
}

/// Forgets these. Returns how many there were.
pub(crate) fn delete(tx: &mut Tx, ids: &[ProviderIdentityId]) -> Result<usize> {
    let gone = provider_identities::table.filter(provider_identities::id.eq_any(ids));
    Ok(diesel::delete(gone).execute(tx.conn)?)
}

/// Forgets every one of an account, and tells nobody. Returns how many there were.
pub(crate) fn forget(tx: &mut Tx, user: &UserId) -> Result<usize> {
    let own = provider_identities::table.filter(provider_identities::user_id.eq(user));
    Ok(diesel::delete(own).execute(tx.conn)?)
}

/// Up to `most` that were connected with a provider of this key, in the order of their accounts.
pub(crate) fn of_provider(conn: &mut Conn, provider: &str, most: i64) -> Result<Vec<ProviderIdentity>> {
    let theirs = provider_identities::table.filter(provider_identities::provider.eq(provider));
    let theirs = theirs.order((provider_identities::user_id, provider_identities::id)).limit(most);
    Ok(theirs.select(ProviderIdentity::as_select()).load(conn)?)
}

/// How many were connected with each provider, by its key.
pub(crate) fn counts(conn: &mut Conn) -> Result<Vec<(String, i64)>> {
    let by_provider = provider_identities::table.group_by(provider_identities::provider);
    let by_provider = by_provider.order(provider_identities::provider);
    Ok(by_provider.select((provider_identities::provider, diesel::dsl::count_star())).load(conn)?)
}
