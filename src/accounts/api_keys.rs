//! API keys: making, rolling, suspending and ending them.
//!
//! A secret is shown once, and its digest kept. A person's key does what it holds and its person may do now; an organisation's
//! does what it holds, whoever made it. No key signs in, steps up, or makes keys.

pub(crate) mod endings;
mod events;
mod expiry;
mod found;
mod presented;
mod rates;
mod refused;
mod telling;

use std::collections::BTreeSet;

use chrono::TimeDelta;

pub(crate) use self::{
    endings::{revoke_by_operator, suspend},
    events::Event,
    expiry::{SPANS, remind, to_remind},
    found::found,
    presented::{KeyOwner, Presented, authenticate},
    rates::{MISSES_A_MINUTE, Rates, USES_A_MINUTE},
    refused::{INVALID_TOKEN, KEY_LIMIT, REFUSALS},
};
use self::{
    refused::key_limit,
    telling::{tell_owners, tell_person},
};
use super::{
    permissions,
    policy::{self, Membership, ORGANISATION_LEAVING},
    security_changes, sessions,
};
use crate::{
    clock::{Timestamp, span_in_words},
    config::Lifetimes,
    db::{Conn, Tx},
    error::{Error, Errors, Result},
    ids::{ApiKeyId, OrganisationId},
    kinds::Permission,
    mail::emails::KeyNews,
    model::{
        api_key::{self, ApiKey, ApiKeySecret, Fresh, KeyKind, KeyName, NewApiKey, Of, Suspension},
        audit::{self, Actor},
        organisation::Named,
        rate_limit,
        security_change::Kind,
        user::User,
    },
    secret::Secret,
};

/// Keys of one person.
pub(crate) const MOST_OF_A_PERSON: usize = 25;

/// Keys of one organisation.
pub(crate) const MOST_OF_AN_ORGANISATION: usize = 20;

/// What a person's key may hold besides the catalogue: it reads `GET /me`.
pub(crate) const ACCOUNT_READ: &str = "account:read";

/// How long the secret before a roll works on, unless its owner says otherwise.
pub(crate) const OVERLAP: TimeDelta = TimeDelta::hours(24);

/// The longest overlap.
const LONGEST_OVERLAP: TimeDelta = TimeDelta::days(7);

/// A key as its maker wants it.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// What it is called.
    pub name: KeyName,
    /// What it may do, by name.
    pub permissions: BTreeSet<String>,
    /// How long it works.
    pub life: Life,
}

/// How long a key works.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Life {
    /// `KEY_LIFE`.
    Usual,
    /// So long.
    For(TimeDelta),
    /// Until it is ended.
    Unlimited,
}

/// A key and its secret, which nothing shows again.
pub(crate) type Made = (ApiKey, Secret<ApiKeySecret>);

/// Whose keys are changed, and by whom.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Owner<'a> {
    /// A person's own, from this device.
    Person(&'a User, &'a str),
    /// Those of the organisation of this member, who may manage them; its lock is held.
    Organisation(&'a Membership),
}

impl Owner<'_> {
    fn kind(self) -> KeyKind {
        match self {
            Self::Person(..) => KeyKind::Personal,
            Self::Organisation(_) => KeyKind::Organisation,
        }
    }

    fn of(&self) -> (Of<'_>, usize) {
        match self {
            Self::Person(user, _) => (Of::Person(&user.id), MOST_OF_A_PERSON),
            Self::Organisation(by) => (Of::Organisation(&by.organisation.id), MOST_OF_AN_ORGANISATION),
        }
    }

    /// Makes other changes of the same keys wait, and ends where the session that acts has ended.
    fn lock(&self, tx: &mut Tx, actor: &Actor) -> Result<()> {
        match self {
            Self::Person(user, _) => {
                tx.lock(&user.email.normalized())?;
                sessions::hold_of(tx, actor)
            }
            Self::Organisation(_) => Ok(()),
        }
    }

    fn tell(&self, tx: &mut Tx, actor: &Actor, key: &ApiKey, news: KeyNews) -> Result<()> {
        match self {
            Self::Person(user, device) => tell_person(tx, Some(actor), user, key, news, device),
            Self::Organisation(by) => tell_owners(tx, &by.organisation, key, news),
        }
    }
}

/// Makes a key. A person's is for one organisation only where `only_for` has its slug. [`KEY_LIMIT`] where there are as
/// many as may be; [`FORBIDDEN`] where an organisation's would do what its maker may not.
pub(crate) fn make(
    tx: &mut Tx,
    actor: &Actor,
    owner: Owner,
    only_for: Option<&str>,
    wanted: &Wanted,
) -> Result<Made> {
    owner.lock(tx, actor)?;
    let lifetimes = &tx.config.lifetimes;
    let (organisation, life) = check(tx.conn, actor, owner, only_for, wanted, lifetimes)?;
    let (user, made_by) = match owner {
        Owner::Person(user, _) => (Some(&user.id), &user.id),
        Owner::Organisation(by) => (None, by.person()?),
    };
    rate_limit::count_change(tx, "api-keys", made_by.as_str())?;
    let secret = Secret::of_kind(owner.kind(), &tx.config.token_prefix)?;
    let digest = secret.digest();
    let expires_at = life.map(|life| tx.now + life);
    let fresh = fresh(&secret, &digest, tx.now, expires_at);
    let key = api_key::add(
        tx,
        &NewApiKey {
            user_id: user,
            organisation_id: organisation.as_ref(),
            made_by,
            name: &wanted.name,
            permissions: &wanted.permissions,
            fresh,
        },
    )?;
    security_changes::note(tx, actor, made_by, Kind::ApiKeyMade, Some(key.id.as_str()))?;
    let event = Event::ApiKeyMade {
        key: key.id.clone(),
        organisation,
        name: key.name.clone(),
        permissions: wanted.permissions.clone(),
    };
    audit::record(tx, actor, user, event)?;
    owner.tell(tx, actor, &key, KeyNews::Made)?;
    Ok((key, secret))
}

/// Whether [`make`] would make it: the organisation that it is of or for, and how long it works.
pub(crate) fn check(
    conn: &mut Conn,
    actor: &Actor,
    owner: Owner,
    only_for: Option<&str>,
    wanted: &Wanted,
    lifetimes: &Lifetimes,
) -> Result<(Option<OrganisationId>, Option<TimeDelta>)> {
    ensure_known(conn, owner.kind(), &wanted.permissions)?;
    let (of, most) = owner.of();
    if api_key::list(conn, of)?.len() >= most {
        return Err(key_limit(most));
    }
    let organisation = match owner {
        Owner::Person(..) => only_for_id(conn, actor, only_for)?,
        Owner::Organisation(by) => {
            by.require_all(conn, &wanted.permissions)?;
            Some(by.organisation.id.clone())
        }
    };
    Ok((organisation, span_of(lifetimes, wanted.life)?))
}

/// The organisation that a person's key is for, which they have to belong to.
fn only_for_id(conn: &mut Conn, actor: &Actor, slug: Option<&str>) -> Result<Option<OrganisationId>> {
    let Some(slug) = slug else { return Ok(None) };
    match policy::require(conn, actor, Named::Slug(slug), Permission::OrganisationRead) {
        Ok(by) => Ok(Some(by.organisation.id)),
        Err(Error::NotFound | Error::Refused(ORGANISATION_LEAVING, _)) => {
            let sentence = "Choose an organisation that you belong to, by its short name.";
            Err(Error::Invalid(Errors::one("organisation", sentence)))
        }
        Err(error) => Err(error),
    }
}

/// That a key may hold these: permissions of the program and of the catalogue, none of an owner's own, none for keys
/// themselves; a person's [`ACCOUNT_READ`] besides.
fn ensure_known(conn: &mut Conn, kind: KeyKind, names: &BTreeSet<String>) -> Result<()> {
    let refused = |sentence: String| Err(Error::Invalid(Errors::one("permissions", sentence)));
    if names.is_empty() {
        return refused("Choose at least one permission.".to_owned());
    }
    if names.contains(Permission::KeysManage.as_str()) {
        return refused(format!("{} cannot be given to an API key.", Permission::KeysManage));
    }
    let is_of_person = |name: &&String| kind == KeyKind::Personal && *name == ACCOUNT_READ;
    let of_catalogue = names.iter().filter(|name| !is_of_person(name)).cloned().collect();
    permissions::chosen(conn, &of_catalogue, &BTreeSet::new()).map(drop)
}

/// What is kept of a new secret.
fn fresh<'a>(
    secret: &'a Secret<ApiKeySecret>,
    digest: &'a str,
    now: Timestamp,
    expires_at: Option<Timestamp>,
) -> Fresh<'a> {
    // One that ends soon anyway is not told of at once.
    let is_over = |span: &TimeDelta| expires_at.is_some_and(|end| end <= now + *span);
    let expiry_emails = SPANS.iter().filter(|span| is_over(span)).count() as i32;
    Fresh { digest, hint: secret.hint(), expires_at, expiry_emails }
}

/// How long a key of this life works. [`Error::Invalid`] where that is longer than `KEY_MAX_LIFE` allows.
fn span_of(lifetimes: &Lifetimes, life: Life) -> Result<Option<TimeDelta>> {
    Ok(match (life, lifetimes.key_longest) {
        (Life::Usual, longest) => Some(longest.map_or(lifetimes.key, |longest| longest.min(lifetimes.key))),
        (Life::For(span), longest) if longest.is_none_or(|longest| span <= longest) => Some(span),
        (Life::Unlimited, None) => None,
        (_, longest) => {
            let longest = span_in_words(longest.unwrap_or(lifetimes.key));
            let sentence = format!("An API key works for {longest} at most.");
            return Err(Error::Invalid(Errors::one("expiresIn", sentence)));
        }
    })
}

/// A key of this owner's. [`Error::NotFound`] for any other.
fn owned(conn: &mut Conn, owner: &Owner, id: &ApiKeyId) -> Result<ApiKey> {
    let found = api_key::find(conn, id)?.ok_or(Error::NotFound)?;
    let is_theirs = match owner {
        Owner::Person(user, _) => found.user_id.as_ref() == Some(&user.id),
        Owner::Organisation(by) => {
            found.user_id.is_none() && found.organisation_id.as_ref() == Some(&by.organisation.id)
        }
    };
    if is_theirs { Ok(found) } else { Err(Error::NotFound) }
}

/// Gives a key another secret, which works as long as the one before was to. That one works on for `overlap`, unless the key
/// was suspended; and the one before it no longer. [`FORBIDDEN`] where an organisation's does what its roller may not.
pub(crate) fn roll(
    tx: &mut Tx,
    actor: &Actor,
    owner: Owner,
    id: &ApiKeyId,
    overlap: TimeDelta,
) -> Result<Made> {
    if overlap > LONGEST_OVERLAP {
        let sentence = format!("The earlier secret works on for {} at most.", span_in_words(LONGEST_OVERLAP));
        return Err(Error::Invalid(Errors::one("overlap", sentence)));
    }
    owner.lock(tx, actor)?;
    let before = owned(tx.conn, &owner, id)?;
    if let Owner::Organisation(by) = owner {
        by.require_all(tx.conn, &before.permissions().into_iter().map(str::to_owned).collect())?;
    }
    let by = actor.user.as_ref().ok_or(Error::NotFound)?;
    rate_limit::count_change(tx, "api-keys", by.as_str())?;
    let longest = tx.config.lifetimes.key_longest;
    let life = before.expires_at.map(|end| end - before.rolled_at).or(longest);
    let expires_at = life.map(|life| tx.now + longest.map_or(life, |longest| longest.min(life)));
    let until = tx.now + overlap;
    let former_until = Some(before.expires_at.map_or(until, |end| end.min(until)));
    let former_until = former_until.filter(|end| before.suspended_at.is_none() && *end > tx.now);
    let secret = Secret::of_kind(owner.kind(), &tx.config.token_prefix)?;
    let digest = secret.digest();
    let fresh = fresh(&secret, &digest, tx.now, expires_at);
    let key = api_key::roll(tx, id, &fresh, former_until)?;
    security_changes::note(tx, actor, by, Kind::ApiKeyMade, Some(key.id.as_str()))?;
    let event = Event::ApiKeyRolled {
        key: key.id.clone(),
        organisation: key.organisation_id.clone(),
        name: key.name.clone(),
    };
    audit::record(tx, actor, key.user_id.as_ref(), event)?;
    owner.tell(tx, actor, &key, KeyNews::Rolled)?;
    Ok((key, secret))
}

/// Ends a key at once.
pub(crate) fn revoke(tx: &mut Tx, actor: &Actor, owner: Owner, id: &ApiKeyId) -> Result<ApiKey> {
    owner.lock(tx, actor)?;
    let key = owned(tx.conn, &owner, id)?;
    if !api_key::remove(tx, id)? {
        return Err(Error::NotFound);
    }
    let event = Event::ApiKeyRevoked {
        key: key.id.clone(),
        organisation: key.organisation_id.clone(),
        name: key.name.clone(),
    };
    audit::record(tx, actor, key.user_id.as_ref(), event)?;
    Ok(key)
}

/// Takes a key of a person's up again that was suspended. [`Error::Conflict`] where it was not; [`Error::Invalid`] where somebody
/// else made its secret.
pub(crate) fn resume(tx: &mut Tx, actor: &Actor, owner: Owner, id: &ApiKeyId) -> Result<ApiKey> {
    owner.lock(tx, actor)?;
    let key = owned(tx.conn, &owner, id)?;
    if key.suspended_for == Some(Suspension::SecretDisowned) {
        let sentence =
            "Someone else may know the secret of this key. Make a new secret; then it works again.";
        return Err(Error::Invalid(Errors::one("key", sentence)));
    }
    if !api_key::resume(tx, id)? {
        return Err(Error::Conflict);
    }
    let event = Event::ApiKeyResumed { key: key.id.clone(), name: key.name.clone() };
    audit::record(tx, actor, key.user_id.as_ref(), event)?;
    owner.tell(tx, actor, &key, KeyNews::Resumed)?;
    Ok(key)
}
