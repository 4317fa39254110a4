//! Applications that sign people in here by OpenID Connect, or act for themselves: clients, as the standards call them
//! (RFC 6749 §2).

use std::collections::BTreeMap;

use chrono::TimeDelta;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Kind, Needs};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::applications},
    error::{Error, Result},
    ids::{ApplicationId, Id},
    oauth::{RedirectUri, RedirectUse, Scopes, SigningAlgorithm},
    secret::Secret,
};

pub(crate) use crate::oauth::ClientSecret;

/// How a kind of client differs from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KindTraits {
    /// Whether it keeps a secret.
    pub has_secret: bool,
    /// Who comes back from signing in; nothing where nobody signs in.
    pub signs_in: Option<RedirectUse>,
    /// Whether it may go on without its person's session.
    pub may_be_offline: bool,
}

impl Kind {
    /// How it differs.
    pub(crate) fn traits(self) -> KindTraits {
        let (has_secret, signs_in, may_be_offline) = match self {
            Self::Web => (true, Some(RedirectUse::Site), true),
            Self::Browser => (false, Some(RedirectUse::Site), false),
            Self::Native => (false, Some(RedirectUse::Device), true),
            Self::Service => (true, None, false),
            Self::Gate => (false, None, false),
        };
        KindTraits { has_secret, signs_in, may_be_offline }
    }
}

/// What is registered of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ClientSettings {
    /// Whether it belongs to whoever runs this site: nobody is asked to allow it.
    pub is_first_party: bool,
    /// Where answers go.
    pub redirect_uris: Vec<String>,
    /// Where a browser goes that signed out there.
    pub logout_uris: Vec<String>,
    /// Where it hears that a session ended.
    pub backchannel_uri: Option<String>,
    /// Origins of its scripts (Fetch standard, CORS).
    pub origins: Vec<String>,
    /// What it may ask for besides what this site knows by itself.
    pub scopes: Vec<String>,
    /// What those allow, in words, where that was said.
    pub scope_words: BTreeMap<String, String>,
    /// For whom its access tokens may be, the usual one first; this site where there is none.
    pub audiences: Vec<String>,
    /// How its ID tokens are signed.
    pub sign_with: SigningAlgorithm,
    /// Whether its requests need a code challenge.
    pub asks_pkce: bool,
    /// Whether devices without a browser may ask for it (RFC 8628).
    pub serves_devices: bool,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            is_first_party: true,
            redirect_uris: Vec::new(),
            logout_uris: Vec::new(),
            backchannel_uri: None,
            origins: Vec::new(),
            scopes: Vec::new(),
            scope_words: BTreeMap::new(),
            audiences: Vec::new(),
            sign_with: SigningAlgorithm::Rs256,
            asks_pkce: true,
            serves_devices: false,
        }
    }
}

/// A client.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// Opaque.
    pub id: ApplicationId,
    /// Of which kind.
    pub kind: Kind,
    /// What it calls itself in requests.
    pub client_id: String,
    /// What people call it.
    pub name: String,
    /// What its people need.
    pub needs: Needs,
    /// What is registered of it.
    pub settings: ClientSettings,
    /// When it was added.
    pub created_at: Timestamp,
    /// Since when it is out of use.
    pub disabled_at: Option<Timestamp>,
    secret_hash: Option<String>,
    former: Option<(String, Timestamp)>,
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = applications)]
struct Row {
    id: ApplicationId,
    kind: Kind,
    client_id: Option<String>,
    name: String,
    needs: String,
    settings: String,
    created_at: Timestamp,
    disabled_at: Option<Timestamp>,
    secret_hash: Option<String>,
    former_hash: Option<String>,
    former_until: Option<Timestamp>,
}

impl TryFrom<Row> for Client {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            kind: row.kind,
            client_id: row.client_id.unwrap_or_default(),
            name: row.name,
            needs: serde_json::from_str(&row.needs)?,
            settings: serde_json::from_str(&row.settings)?,
            created_at: row.created_at,
            disabled_at: row.disabled_at,
            secret_hash: row.secret_hash,
            former: row.former_hash.zip(row.former_until),
        })
    }
}

impl Client {
    /// A client that nothing is registered of yet.
    pub(crate) fn new(kind: Kind, name: String, now: Timestamp) -> Result<Self> {
        Ok(Self {
            id: Id::random()?,
            kind,
            client_id: client_id(&name)?,
            name,
            needs: Needs::default(),
            settings: ClientSettings::default(),
            created_at: now,
            disabled_at: None,
            secret_hash: None,
            former: None,
        })
    }

    /// Whether `secret` is its own, or the one before as long as that works.
    pub(crate) fn is_opened_by(&self, secret: &Secret<ClientSecret>, now: Timestamp) -> bool {
        let digest = secret.digest();
        let former = self.former.as_ref().filter(|(_, until)| *until > now).map(|(hash, _)| hash);
        self.secret_hash.iter().chain(former).any(|hash| *hash == digest)
    }

    /// Whether answers may go to `asked`.
    pub(crate) fn comes_back_at(&self, asked: &str) -> bool {
        let Some(used) = self.kind.traits().signs_in else { return false };
        self.settings.redirect_uris.iter().any(|own| RedirectUri::registered(own).is(asked, used))
    }

    /// What of `asked` it may have; what it may not is left out (RFC 6749 §3.3).
    pub(crate) fn allowed(&self, asked: Scopes) -> Scopes {
        let traits = self.kind.traits();
        asked.only(|scope| {
            let is_known =
                Scopes::KNOWN.iter().any(|(known, _)| *known == scope) && traits.signs_in.is_some();
            let is_own = self.settings.scopes.iter().any(|own| own == scope);
            let is_of_site = self.settings.is_first_party
                && traits.signs_in.is_some()
                && Scopes::OF_SITE.iter().any(|(known, _)| *known == scope);
            (is_known || is_own || is_of_site) && (scope != "offline_access" || traits.may_be_offline)
        })
    }

    /// For whom its access tokens are: `resource`, where it may ask for that (RFC 8707 §2), or the usual one, or `site`. Nothing
    /// where it may not.
    pub(crate) fn audience(&self, resource: Option<&str>, site: &str) -> Option<String> {
        let own = &self.settings.audiences;
        match resource {
            None => Some(own.first().map_or(site, String::as_str).to_owned()),
            Some(asked) => own
                .iter()
                .map(String::as_str)
                .chain([site])
                .find(|own| is_same(own, asked))
                .map(str::to_owned),
        }
    }
}

/// Whether two resources are one: an address without a path is one with `/` (RFC 3986 §6.2.3).
fn is_same(own: &str, asked: &str) -> bool {
    own == asked
        || asked.strip_suffix('/') == Some(own) && url::Url::parse(own).is_ok_and(|own| own.path() == "/")
}

/// The name in small letters and dashes, and six random characters: nothing in it is ever escaped.
fn client_id(name: &str) -> Result<String> {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        match c.is_ascii_alphanumeric() {
            true => slug.push(c),
            false if slug.ends_with('-') || slug.is_empty() => {}
            false => slug.push('-'),
        }
    }
    slug.truncate(30);
    let slug = slug.trim_matches('-');
    let id: Id<Client> = Id::random()?;
    Ok(format!("{}-{}", if slug.is_empty() { "app" } else { slug }, &id.as_str()[..6]))
}

/// Adds a client; its secret, where its kind has one.
pub(crate) fn insert(tx: &mut Tx, new: &Client) -> Result<Option<Secret<ClientSecret>>> {
    let secret = if new.kind.traits().has_secret { Some(Secret::random()?) } else { None };
    diesel::insert_into(applications::table)
        .values((
            applications::id.eq(&new.id),
            applications::kind.eq(new.kind),
            applications::name.eq(&new.name),
            applications::client_id.eq(&new.client_id),
            applications::secret_hash.eq(secret.as_ref().map(Secret::digest)),
            applications::needs.eq(serde_json::to_string(&new.needs)?),
            applications::settings.eq(serde_json::to_string(&new.settings)?),
            applications::created_at.eq(new.created_at),
        ))
        .execute(tx.conn)?;
    Ok(secret)
}

/// Keeps another name, other needs and other settings.
pub(crate) fn update(tx: &mut Tx, changed: &Client) -> Result<()> {
    diesel::update(applications::table.find(&changed.id))
        .set((
            applications::name.eq(&changed.name),
            applications::needs.eq(serde_json::to_string(&changed.needs)?),
            applications::settings.eq(serde_json::to_string(&changed.settings)?),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Another secret; the one before works for `overlap` more.
pub(crate) fn rotate_secret(
    tx: &mut Tx,
    client: &Client,
    overlap: TimeDelta,
) -> Result<Secret<ClientSecret>> {
    let secret = Secret::random()?;
    diesel::update(applications::table.find(&client.id))
        .set((
            applications::secret_hash.eq(secret.digest()),
            applications::former_hash.eq(&client.secret_hash),
            applications::former_until.eq(tx.now + overlap),
        ))
        .execute(tx.conn)?;
    Ok(secret)
}

/// Every client, by what it calls itself.
pub(crate) fn all(conn: &mut Conn) -> Result<Vec<Client>> {
    let rows: Vec<Row> = applications::table
        .filter(applications::kind.ne(Kind::Gate))
        .order(applications::client_id)
        .select(Row::as_select())
        .load(conn)?;
    rows.into_iter().map(Client::try_from).collect()
}

/// The client that calls itself so, in use or not.
pub(crate) fn called(conn: &mut Conn, client_id: &str) -> Result<Option<Client>> {
    // PostgreSQL would fail on a NUL instead of finding nothing.
    if client_id.is_empty() || client_id.contains('\0') {
        return Ok(None);
    }
    let found = applications::table.filter(applications::client_id.eq(client_id)).select(Row::as_select());
    found.get_result(conn).optional()?.map(Client::try_from).transpose()
}

/// The client with this id, in use or not.
pub(crate) fn by_id(conn: &mut Conn, id: &ApplicationId) -> Result<Option<Client>> {
    let found =
        applications::table.find(id).filter(applications::kind.ne(Kind::Gate)).select(Row::as_select());
    found.get_result(conn).optional()?.map(Client::try_from).transpose()
}

/// Whether scripts of this origin belong to a client in use.
pub(crate) fn is_origin_of_any(conn: &mut Conn, origin: &str) -> Result<bool> {
    let in_use = |client: &Client| client.disabled_at.is_none();
    let own = |client: &Client| client.settings.origins.iter().any(|own| own == origin);
    Ok(all(conn)?.iter().any(|client| in_use(client) && own(client)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_has_nothing_that_would_be_escaped() {
        for (name, slug) in [("Ada's Notes & Co.", "ada-s-notes-co"), ("日本", "app"), ("a--B", "a-b")] {
            let id = client_id(name).unwrap();
            let (found, random) = id.rsplit_once('-').unwrap();
            assert_eq!((found, random.len()), (slug, 6), "{id}");
        }
    }
}
