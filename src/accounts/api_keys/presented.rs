//! A key that a request shows: whose it is, and whether it works.

use diesel::prelude::*;

use super::INVALID_TOKEN;
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{api_keys, organisations, users},
    },
    direct,
    error::Result,
    ids::UserId,
    model::{
        api_key::{self, ApiKey, ApiKeySecret, KeyKind},
        network::network_prefix,
        organisation::Organisation,
        user::{self, User},
    },
    secret::Secret,
};

/// A key that works, and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    /// The key.
    pub key: ApiKey,
    /// Whose.
    pub owner: KeyOwner,
}

/// Whose a key is.
#[derive(Debug, Clone)]
pub(crate) enum KeyOwner {
    /// A person's, whose rights bound it.
    Person(Box<User>),
    /// An organisation's.
    Organisation(Organisation),
}

impl Presented {
    /// Its person, where it has one.
    pub(crate) fn user(&self) -> Option<&User> {
        match &self.owner {
            KeyOwner::Person(user) => Some(user),
            KeyOwner::Organisation(_) => None,
        }
    }

    /// The id of its person, where it has one.
    pub(crate) fn user_id(&self) -> Option<&UserId> {
        self.user().map(|user| &user.id)
    }

    /// That it still works. [`INVALID_TOKEN`] otherwise.
    pub(crate) fn require_live(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        let key = api_key::find(conn, &self.key.id)?;
        let is_live = key.is_some_and(|key| key.suspended_at.is_none() && !key.has_expired(now));
        let is_open = match self.user_id() {
            Some(user) => !user::by_id(conn, user)?.is_leaving(),
            None => true,
        };
        if is_live && is_open { Ok(()) } else { Err(INVALID_TOKEN.error()) }
    }

    /// Notes that it is used from a network address.
    pub(crate) fn note_use(&self, tx: &mut Tx, ip: &str) -> Result<()> {
        api_key::note_use(tx, &self.key.id, &network_prefix(ip))
    }
}

/// The key with this secret, if it works at `now`: neither expired nor suspended, and its owner neither locked nor about to be
/// deleted. One indexed query, and none where the secret is of the wrong shape or its checksum is wrong.
pub(crate) fn authenticate(
    conn: &mut Conn,
    secret: &Secret<ApiKeySecret>,
    now: Timestamp,
) -> Result<Option<Presented>> {
    let Some(kind) = secret.kind().filter(|_| secret.is_well_formed()) else { return Ok(None) };
    let digest = secret.digest();
    match kind {
        KeyKind::Personal => {
            let found: Option<(ApiKey, User)> = direct!(conn => api_keys::table
                .inner_join(users::table)
                .filter(works(&digest, now))
                .filter(users::locked_at.is_null())
                .filter(users::suspended_by.is_null())
                .filter(users::deletes_at.is_null())
                .filter(users::email_verified_at.is_not_null())
                .select((ApiKey::as_select(), User::as_select()))
                .get_result(conn))
            .optional()?;
            Ok(found.map(|(key, user)| Presented { key, owner: KeyOwner::Person(Box::new(user)) }))
        }
        KeyKind::Organisation => {
            let found: Option<(ApiKey, Organisation)> = direct!(conn => api_keys::table
                .inner_join(organisations::table)
                .filter(works(&digest, now))
                .filter(api_keys::user_id.is_null())
                .filter(organisations::deletes_at.is_null())
                .select((ApiKey::as_select(), Organisation::as_select()))
                .get_result(conn))
            .optional()?;
            Ok(found.map(|(key, own)| Presented { key, owner: KeyOwner::Organisation(own) }))
        }
    }
}

#[diesel::dsl::auto_type(no_type_alias)]
fn works<'a>(digest: &'a str, now: Timestamp) -> _ {
    let is_former = api_keys::former_hash
        .assume_not_null()
        .eq(digest)
        .and(api_keys::former_until.assume_not_null().gt(now));
    let is_secret = api_keys::secret_hash.eq(digest).or(is_former);
    let is_live = api_keys::expires_at.is_null().or(api_keys::expires_at.assume_not_null().gt(now));
    is_secret.and(is_live).and(api_keys::suspended_at.is_null())
}
