//! An identity at a provider is connected with an account that is there, by whoever has shown that both are theirs.

use serde::{Deserialize, Serialize};

use super::{
    email_verification::{self, EMAIL_UNVERIFIED},
    factors,
    provider_identities::{self, ProviderProfile, link, tell_of_link},
    security_changes, sessions,
};
use crate::{
    config::Provider,
    db::Tx,
    error::{Error, Result},
    ids::UserId,
    model::{
        audit::Actor,
        membership,
        provider_identity::{self, ProviderIdentity},
        security_change::Kind,
        token::{self, LinkIdentity, PendingLink},
        user::{self, User},
    },
    secret::{Keys, Secret},
};

/// What came of connecting an identity.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Connected {
    /// It opens the account from now on, and its owner was told.
    Now,
    /// It did before.
    Already,
}

/// Connects an identity with the account of whoever is signed in as `actor`, on a device, and tells them. The address that the
/// provider tells plays no part.
///
/// [`IDENTITY_TAKEN`] where another account has it, [`EMAIL_UNVERIFIED`] where the account's address is not
/// confirmed, [`Error::Unauthenticated`] where the session is over by now.
pub(crate) fn connect(
    tx: &mut Tx,
    actor: &Actor,
    user: &UserId,
    provider: &Provider,
    profile: &ProviderProfile,
    device: &str,
) -> Result<Connected> {
    tx.lock(&profile.lock_name())?;
    let before = provider_identity::find(tx.conn, &profile.issuer, &profile.subject)?;
    let user = lock_owners(tx, user, before.map(|held| held.user_id))?;
    sessions::hold_of(tx, actor)?;
    if !user.is_verified() {
        return Err(EMAIL_UNVERIFIED.error());
    }
    // Again: it may have been removed while the addresses were waited for.
    match provider_identity::find(tx.conn, &profile.issuer, &profile.subject)? {
        Some(held) if held.user_id == user.id => return Ok(Connected::Already),
        Some(held) => end_empty_account(tx, actor, provider, &held)?,
        None => {}
    }
    let identity = link(tx, actor, provider, profile, &user.id)?;
    security_changes::note(tx, actor, &user.id, Kind::IdentityLinked, Some(identity.id.as_str()))?;
    tell_of_link(tx, actor, &user, &provider.name, profile.known_as.as_deref(), device)?;
    Ok(Connected::Now)
}

/// Locks the addresses of an account and of the one that has the identity now, in the order of their names. Returns the first.
fn lock_owners(tx: &mut Tx, user: &UserId, holder: Option<UserId>) -> Result<User> {
    let mut names = vec![user::by_id(tx.conn, user)?.email.normalized()];
    if let Some(holder) = holder {
        names.extend(user::find(tx.conn, &holder)?.map(|holder| holder.email.normalized()));
    }
    names.sort();
    names.dedup();
    names.iter().try_for_each(|name| tx.lock(name))?;
    user::by_id(tx.conn, user)
}

/// Whoever came by a provider that told no address, typed one that is theirs, and then signed in to the account that has it, is
/// not kept from connecting it by the unverified account that was made meanwhile: that ends, where nothing else opens it.
/// [`IDENTITY_TAKEN`] where anything does.
fn end_empty_account(
    tx: &mut Tx,
    actor: &Actor,
    provider: &Provider,
    identity: &ProviderIdentity,
) -> Result<()> {
    let holder = user::by_id(tx.conn, &identity.user_id)?;
    let is_its_only_way_in = !factors::of(tx.conn, &holder.id)?.can_sign_in()
        && provider_identity::list(tx.conn, &holder.id)?.len() == 1;
    let is_empty = !holder.is_verified()
        && holder.locked_at.is_none()
        && is_its_only_way_in
        && membership::left_without_owner(tx.conn, &holder.id)?.is_empty();
    match is_empty {
        true => email_verification::remove_unverified(tx, actor, &holder.id, false),
        false => Err(provider_identities::identity_taken(provider.name.clone())),
    }
}

/// What is sealed in a [`PendingLink`].
#[derive(Serialize, Deserialize)]
struct WaitingIdentity {
    provider: String,
    profile: ProviderProfile,
}

const SEAL: &str = "pending_link";

/// Keeps an identity until its person has signed in to `owner`, their account, the old way: then [`link_waiting`] connects the two.
pub(super) fn keep_waiting(
    tx: &mut Tx,
    provider: &Provider,
    profile: &ProviderProfile,
    owner: &UserId,
) -> Result<Secret<LinkIdentity>> {
    let waiting = WaitingIdentity { provider: provider.key.clone(), profile: profile.clone() };
    let sealed = tx.config.keys.seal(SEAL, &serde_json::to_string(&waiting)?)?;
    token::issue::<LinkIdentity>(tx, owner, &PendingLink::Provider { provider: sealed })
}

/// The provider of an identity that waits to be connected, by its key, and what its person is called there; for the page that
/// asks.
pub(crate) fn waiting(keys: &Keys, sealed: &str) -> Result<(String, Option<String>)> {
    let waiting: WaitingIdentity = serde_json::from_str(&keys.open(SEAL, sealed)?)?;
    Ok((waiting.provider, waiting.profile.known_as))
}

/// Connects an identity that waited with the account of whoever is signed in as `actor` by now, as [`connect`] does. Returns the
/// provider's name. [`Error::DeadLink`] where it waits no more, is another account's to connect, or its provider is gone from
/// the settings. A sign-in in this browser after it was asked for is as good as a step-up; that is the caller's to look at.
pub(crate) fn link_waiting(
    tx: &mut Tx,
    actor: &Actor,
    user: &UserId,
    secret: &Secret<LinkIdentity>,
    device: &str,
) -> Result<String> {
    let (owner, claim) = token::redeem(tx, secret)?;
    let PendingLink::Provider { provider: sealed } = claim else { return Err(Error::DeadLink) };
    let waiting: WaitingIdentity = serde_json::from_str(&tx.config.keys.open(SEAL, &sealed)?)?;
    let config = tx.config;
    let provider = config.provider(&waiting.provider).filter(|_| owner == *user).ok_or(Error::DeadLink)?;
    connect(tx, actor, user, provider, &waiting.profile, device)?;
    Ok(provider.name.clone())
}
