//! API keys: what programs of a person, or of an organisation, show instead of a session.

mod expiry;
mod secret;
mod suspension;

use std::collections::BTreeSet;

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};

use super::{
    name::hides_something,
    personal_data::{Erasure, ExportSection, PersonalData},
};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{api_keys, organisations},
    },
    error::{Error, Result},
    ids::{ApiKeyId, OrganisationId, UserId},
};

pub(crate) use self::{
    expiry::{expiring, note_emails, sweep},
    secret::{ApiKeySecret, KeyKind},
    suspension::{Suspension, disown_secret, resume, suspend_own},
};

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "api_keys",
    title: "API keys",
    why: "So that programs of yours can use your account, and programs of your organisations theirs. A key is removed 30 \
          days after it expired.",
    columns: &[
        ("id", "a number that stands for the key"),
        ("user_id", "that it is yours"),
        ("organisation_id", "the organisation that it is for"),
        ("made_by", "that you made it"),
        ("name", "what you called it"),
        ("hint", "how its secret begins"),
        ("secret_hash", "a fingerprint of its secret"),
        ("former_hash", "a fingerprint of the secret that it had before"),
        ("permissions", "what it may do"),
        ("suspended_for", "why it is suspended, where it is"),
        ("last_used_from", "the neighbourhood of the network address that it was used from last"),
    ],
    erasure: Erasure::Removed,
    afterwards: "Keys that you made for an organisation stay with it, under a random number that leads back to nobody.",
    export: &[ExportSection { name: "apiKeys", is_list: true, read: exported }],
    erase: |tx, id, pseudonym| {
        diesel::delete(api_keys::table.filter(api_keys::user_id.eq(id))).execute(tx.conn)?;
        let made = diesel::update(api_keys::table.filter(api_keys::made_by.eq(id)));
        made.set(api_keys::made_by.eq(pseudonym)).execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<(ApiKey, Option<String>)> = api_keys::table
        .left_join(organisations::table)
        .filter(api_keys::user_id.eq(owner).or(api_keys::made_by.eq(owner)))
        .order((api_keys::created_at, api_keys::id))
        .offset(skip)
        .limit(most)
        .select((ApiKey::as_select(), organisations::name.nullable()))
        .load(conn)?;
    let told = found.into_iter().map(|(key, organisation)| {
        // From where an organisation uses its own says nothing about who made it.
        let last_used_from = key.last_used_from.as_ref().filter(|_| key.kind() == KeyKind::Personal);
        json!({
            "name": key.name, "hint": key.shown(), "organisation": organisation, "permissions": key.permissions(),
            "createdAt": key.created_at, "expiresAt": key.expires_at, "suspendedAt": key.suspended_at,
            "lastUsedAt": key.last_used_at, "lastUsedFrom": last_used_from,
        })
    });
    Ok(told.collect())
}

/// How long a key that has expired stays on the list.
const KEPT: TimeDelta = TimeDelta::days(30);

/// How often a use is noted at most.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// An API key.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = api_keys)]
pub(crate) struct ApiKey {
    /// Opaque.
    pub id: ApiKeyId,
    /// Whose it is; an organisation's has nobody.
    pub user_id: Option<UserId>,
    /// The organisation whose it is, or the only one that a person's is for.
    pub organisation_id: Option<OrganisationId>,
    /// Who made it; a pseudonym where they are gone.
    pub made_by: UserId,
    /// What it is called. Somebody's text.
    pub name: String,
    hint: String,
    permissions: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its secret was made.
    pub rolled_at: Timestamp,
    /// Until when the secret before that works.
    pub former_until: Option<Timestamp>,
    /// Until when it works; nothing where it does not expire.
    pub expires_at: Option<Timestamp>,
    /// Since when it waits for its owner to say that it is still wanted.
    pub suspended_at: Option<Timestamp>,
    /// Why it does.
    pub suspended_for: Option<Suspension>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// The network that it was used from then.
    pub last_used_from: Option<String>,
}

impl ApiKey {
    /// Whose it is.
    pub(crate) fn kind(&self) -> KeyKind {
        if self.user_id.is_some() { KeyKind::Personal } else { KeyKind::Organisation }
    }

    /// How its secret begins: `vstp_4Kx2…`.
    pub(crate) fn shown(&self) -> String {
        match self.hint.contains('_') {
            true => format!("{}…", self.hint),
            // From before `TOKEN_PREFIX` was a setting.
            false => format!("vst{}{}…", self.kind().suffix(), self.hint),
        }
    }

    /// What it may do, by name.
    pub(crate) fn permissions(&self) -> BTreeSet<&str> {
        self.permissions.split(' ').collect()
    }

    /// Whether it may do this. What may be done to everybody's may be done to one's own.
    pub(crate) fn holds(&self, permission: &str) -> bool {
        let of_all = permission.strip_suffix("-own");
        self.permissions.split(' ').any(|held| held == permission || Some(held) == of_all)
    }

    /// Whether its time is over.
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Whether a use is to be noted: it was not in the last minute.
    pub(crate) fn needs_noting(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|at| at + NOTED_EVERY <= now || at > now.latest_start())
    }
}

/// What a key is called: 1 to 60 characters, without line breaks.
#[derive(Debug, Clone)]
pub(crate) struct KeyName(String);

impl KeyName {
    /// The most characters in a name.
    const MAX_CHARS: usize = 60;

    /// The name as typed, without the blanks around it, or a sentence about what is wrong with it.
    pub(crate) fn parse(typed: &str) -> Result<Self, String> {
        let name = typed.trim();
        match name.chars().count() {
            0 => Err("Give this key a name.".to_owned()),
            count if count > Self::MAX_CHARS => Err(format!("Use at most {} characters.", Self::MAX_CHARS)),
            _ if name.chars().any(char::is_control) || hides_something(name) => {
                Err("Use letters, without line breaks or control characters.".to_owned())
            }
            _ => Ok(Self(name.to_owned())),
        }
    }
}

/// A key to be kept.
#[derive(Debug)]
pub(crate) struct NewApiKey<'a> {
    /// Whose; nobody's where it is an organisation's.
    pub user_id: Option<&'a UserId>,
    /// Of or for which organisation.
    pub organisation_id: Option<&'a OrganisationId>,
    /// Who makes it.
    pub made_by: &'a UserId,
    /// What it is called.
    pub name: &'a KeyName,
    /// What it may do.
    pub permissions: &'a BTreeSet<String>,
    /// The digest of its secret, how that begins, and until when it works.
    pub fresh: Fresh<'a>,
}

/// A secret just made.
#[derive(Debug)]
pub(crate) struct Fresh<'a> {
    /// Its digest.
    pub digest: &'a str,
    /// How it begins.
    pub hint: &'a str,
    /// Until when it works.
    pub expires_at: Option<Timestamp>,
    /// Which emails about its end are not to go out: 1 that of a week before, 2 that of the day as well.
    pub expiry_emails: i32,
}

/// Keeps a new key.
pub(crate) fn add(tx: &mut Tx, new: &NewApiKey) -> Result<ApiKey> {
    let id = ApiKeyId::random()?;
    let permissions: Vec<&str> = new.permissions.iter().map(String::as_str).collect();
    let row = (
        api_keys::id.eq(&id),
        api_keys::user_id.eq(new.user_id),
        api_keys::organisation_id.eq(new.organisation_id),
        api_keys::made_by.eq(new.made_by),
        api_keys::name.eq(&new.name.0),
        api_keys::permissions.eq(permissions.join(" ")),
        api_keys::created_at.eq(tx.now),
        api_keys::rolled_at.eq(tx.now),
        api_keys::secret_hash.eq(new.fresh.digest),
        api_keys::hint.eq(new.fresh.hint),
        api_keys::expires_at.eq(new.fresh.expires_at),
        api_keys::expiry_emails.eq(new.fresh.expiry_emails),
    );
    diesel::insert_into(api_keys::table).values(row).execute(tx.conn)?;
    find(tx.conn, &id)?.ok_or(Error::NotFound)
}

/// Puts another secret into a key's place, which is suspended no more. The one before works until `former_until`; the one
/// before that no longer.
pub(crate) fn roll(
    tx: &mut Tx,
    id: &ApiKeyId,
    fresh: &Fresh,
    former_until: Option<Timestamp>,
) -> Result<ApiKey> {
    let key = api_keys::table.find(id);
    let former: String = key.select(api_keys::secret_hash).first(tx.conn)?;
    diesel::update(key)
        .set((
            api_keys::secret_hash.eq(fresh.digest),
            api_keys::hint.eq(fresh.hint),
            api_keys::expires_at.eq(fresh.expires_at),
            api_keys::expiry_emails.eq(fresh.expiry_emails),
            api_keys::rolled_at.eq(tx.now),
            api_keys::suspended_at.eq(None::<Timestamp>),
            api_keys::suspended_for.eq(None::<Suspension>),
            api_keys::former_hash.eq(former_until.map(|_| former)),
            api_keys::former_until.eq(former_until),
        ))
        .execute(tx.conn)?;
    find(tx.conn, id)?.ok_or(Error::NotFound)
}

/// Which keys are looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of<'a> {
    /// A person's own.
    Person(&'a UserId),
    /// An organisation's own.
    Organisation(&'a OrganisationId),
    /// Those that a person made for organisations.
    Maker(&'a UserId),
}

/// Keys, in the order in which they were made.
pub(crate) fn list(conn: &mut Conn, of: Of) -> Result<Vec<ApiKey>> {
    let mut query = api_keys::table.into_boxed();
    query = match of {
        Of::Person(user) => query.filter(api_keys::user_id.eq(user)),
        Of::Organisation(organisation) => {
            query.filter(api_keys::organisation_id.eq(organisation)).filter(api_keys::user_id.is_null())
        }
        Of::Maker(maker) => query.filter(api_keys::made_by.eq(maker)).filter(api_keys::user_id.is_null()),
    };
    Ok(query.order((api_keys::created_at, api_keys::id)).select(ApiKey::as_select()).load(conn)?)
}

/// The key with this id.
pub(crate) fn find(conn: &mut Conn, id: &ApiKeyId) -> Result<Option<ApiKey>> {
    Ok(api_keys::table.find(id).select(ApiKey::as_select()).first(conn).optional()?)
}

/// The key with a secret of this digest, whether it works or not, and whether that is the one before its last roll.
pub(crate) fn with_digest(conn: &mut Conn, digest: &str, now: Timestamp) -> Result<Option<(ApiKey, bool)>> {
    let is_former = api_keys::former_hash.eq(digest).and(api_keys::former_until.gt(now));
    let found: Option<(ApiKey, String)> = api_keys::table
        .filter(api_keys::secret_hash.eq(digest).or(is_former.assume_not_null()))
        .select((ApiKey::as_select(), api_keys::secret_hash))
        .first(conn)
        .optional()?;
    Ok(found.map(|(key, hash)| {
        let is_former = hash != digest;
        (key, is_former)
    }))
}

/// Ends the secret before a key's last roll. `false` where it has ended already.
pub(crate) fn end_former(tx: &mut Tx, id: &ApiKeyId) -> Result<bool> {
    let former = api_keys::table.find(id).filter(api_keys::former_hash.is_not_null());
    let nothing = (api_keys::former_hash.eq(None::<String>), api_keys::former_until.eq(None::<Timestamp>));
    Ok(diesel::update(former).set(nothing).execute(tx.conn)? == 1)
}

/// Ends a key. `false` where it has ended already.
pub(crate) fn remove(tx: &mut Tx, id: &ApiKeyId) -> Result<bool> {
    Ok(diesel::delete(api_keys::table.find(id)).execute(tx.conn)? == 1)
}

/// Ends a person's own keys: those for this organisation, or all. Returns how many there were.
pub(crate) fn remove_own(tx: &mut Tx, user: &UserId, only: Option<&OrganisationId>) -> Result<usize> {
    let own = api_keys::table.filter(api_keys::user_id.eq(user));
    Ok(match only {
        Some(organisation) => {
            diesel::delete(own.filter(api_keys::organisation_id.eq(organisation))).execute(tx.conn)?
        }
        None => diesel::delete(own).execute(tx.conn)?,
    })
}

/// Notes that a key is used, and from which network.
pub(crate) fn note_use(tx: &mut Tx, id: &ApiKeyId, network: &str) -> Result<()> {
    let used = (api_keys::last_used_at.eq(tx.now), api_keys::last_used_from.eq(network));
    diesel::update(api_keys::table.find(id)).set(used).execute(tx.conn)?;
    Ok(())
}
