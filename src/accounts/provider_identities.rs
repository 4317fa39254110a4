//! Identities at providers, as far as more than their own table is concerned: connected with an account, and removed.
//!
//! Nothing is ever connected by an address alone: whoever connects an identity has shown that both are theirs.

use serde::{Deserialize, Serialize};

use super::{
    containment,
    factors::{self, LAST_CREDENTIAL},
    security_changes, sessions,
};
use crate::{
    config::Provider,
    db::Tx,
    error::{Error, Result, refusals},
    ids::{ProviderIdentityId, SessionId, UserId},
    mail::{EmailAddress, emails},
    model::{
        audit::{self, Actor, audit_events},
        provider_identity::{self, ProviderIdentity},
        security_change::Kind,
        session, sso_session,
        token::{self, PendingSignIn},
        user::{self, User},
    },
};

refusals! {
    /// The identity at a provider is connected with another account.
    IDENTITY_TAKEN = (
        "identity_taken", 409, "That {} account is connected with another account here. Disconnect it there first."
    ).page("That account is taken", "/me/providers", "Go to your accounts elsewhere");
}

/// [`IDENTITY_TAKEN`] at the provider of this name.
pub(crate) fn identity_taken(provider: String) -> Error {
    IDENTITY_TAKEN.about(provider)
}

audit_events! {
    /// An identity at a provider was connected with the account.
    ProviderIdentityLinked { provider: String } => of("provider_identity_linked"),
    /// An identity at a provider was disconnected from the account.
    ProviderIdentityUnlinked { provider: String } => of("provider_identity_unlinked"),
    /// A provider ended sessions of the account that began with it.
    SignedOutElsewhere { provider: String, count: usize } => of("signed_out_elsewhere"),
}

/// What a provider tells of a person, after every check on the wire.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ProviderProfile {
    /// Who vouches for it (OpenID Connect Core §2, `iss`).
    pub issuer: String,
    /// Whom that calls so: `sub`, or what never changes there in its place.
    pub subject: String,
    /// Their address, where one is told that mail can reach.
    pub email: Option<EmailAddress>,
    /// Whether the provider counts as having verified it.
    pub is_email_verified: bool,
    /// What they are called, for a new account.
    pub name: Option<String>,
    /// Their address or login there, to show and nothing else.
    pub known_as: Option<String>,
}

impl ProviderProfile {
    /// The name of the lock under which this identity is looked for and connected.
    pub(super) fn lock_name(&self) -> String {
        format!("identity {} {}", self.issuer, self.subject)
    }
}

/// Connects an identity, which is locked, with an account. Tells nobody.
pub(super) fn link(
    tx: &mut Tx,
    actor: &Actor,
    provider: &Provider,
    profile: &ProviderProfile,
    user: &UserId,
) -> Result<ProviderIdentity> {
    let known_as = profile.known_as.as_deref();
    let kept = (provider.key.as_str(), profile.issuer.as_str(), profile.subject.as_str(), known_as);
    let identity = provider_identity::insert(tx, kept, user)?;
    audit::record(tx, actor, user, Event::ProviderIdentityLinked { provider: provider.key.clone() })?;
    Ok(identity)
}

/// Connects an identity that a containment removed again. [`IDENTITY_TAKEN`] where an account has it by now.
pub(super) fn link_again(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    kept: provider_identity::Kept<'_>,
    device: &str,
) -> Result<()> {
    let (key, .., known_as) = kept;
    let name = tx.config.provider(key).map_or(key, |provider| &provider.name);
    // The address is locked, which comes after the identity elsewhere: of two at once, the unique index lets one through.
    let identity = provider_identity::insert(tx, kept, &user.id).map_err(|error| match error {
        Error::Conflict => identity_taken(name.to_owned()),
        error => error,
    })?;
    audit::record(tx, actor, &user.id, Event::ProviderIdentityLinked { provider: key.to_owned() })?;
    security_changes::note(tx, actor, &user.id, Kind::IdentityLinked, Some(identity.id.as_str()))?;
    tell_of_link(tx, actor, user, name, known_as, device)
}

/// Tells the owner of an account that an identity opens it from now on, with the way back.
pub(super) fn tell_of_link(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    provider: &str,
    known_as: Option<&str>,
    device: &str,
) -> Result<()> {
    let what = format!("Sign-in with {provider} was added to your account");
    let not_me = containment::way_back_from(tx, actor, user, &what, device)?;
    let (site, when) = (&tx.config.site, tx.now.exact());
    let provider = (provider, known_as);
    let email =
        emails::identity_added(site, &user.email, &user.name, provider, (&when, device), not_me.reveal())?;
    tx.mail(Some(&user.id), email)
}

/// Removes one of `user`'s identities, on a device, and tells them. Every session that it opened ends but `keep`, and so does each
/// sign-in that waits for its second factor. [`Error::NotFound`] where it is not theirs, [`LAST_CREDENTIAL`] where nothing
/// else opens the account: no password, no passkey, no identity at a provider that is in the settings.
pub(crate) fn remove(
    tx: &mut Tx,
    actor: &Actor,
    user: &UserId,
    id: &ProviderIdentityId,
    keep: Option<&SessionId>,
    device: &str,
) -> Result<()> {
    let user = user::find_locked(tx, user)?.ok_or(Error::NotFound)?;
    sessions::hold_of(tx, actor)?;
    let identity = provider_identity::owned(tx.conn, &user.id, id)?;
    end(tx, actor, &identity, keep)?;
    if !factors::has_way_in(tx.conn, tx.config, &user.id)? {
        return Err(LAST_CREDENTIAL.error());
    }
    tell_of_removal(tx, actor, &user, &identity, device)
}

fn tell_of_removal(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    identity: &ProviderIdentity,
    device: &str,
) -> Result<()> {
    let provider = identity.provider_name(tx.config).to_owned();
    let what = format!("Sign-in with {provider} was removed from your account");
    let not_me = containment::way_back_from(tx, actor, user, &what, device)?;
    let (site, when) = (&tx.config.site, tx.now.exact());
    let provider = (provider.as_str(), identity.known_as.as_deref());
    let email =
        emails::identity_removed(site, &user.email, &user.name, provider, (&when, device), not_me.reveal())?;
    tx.mail(Some(&user.id), email)
}

/// Removes an identity, with the sessions that it opened but `keep`. Tells nobody.
fn end(tx: &mut Tx, actor: &Actor, identity: &ProviderIdentity, keep: Option<&SessionId>) -> Result<()> {
    provider_identity::delete(tx, std::slice::from_ref(&identity.id))?;
    sessions::revoke_of_identity(tx, actor, &identity.user_id, &identity.id, keep)?;
    let event = Event::ProviderIdentityUnlinked { provider: identity.provider.clone() };
    audit::record(tx, actor, &identity.user_id, event)
}

/// Removes every identity of an account whose person was asked about them and did not keep them. The sessions stay: what becomes
/// of them is for the occasion to say.
pub(crate) fn forget_all(tx: &mut Tx, actor: &Actor, user: &UserId) -> Result<()> {
    for identity in provider_identity::list(tx.conn, user)? {
        let event = Event::ProviderIdentityUnlinked { provider: identity.provider };
        audit::record(tx, actor, user, event)?;
    }
    provider_identity::forget(tx, user).map(drop)
}

/// Removes one identity at a provider that is in the settings no more, by its key, whatever else opens the account: each in a
/// transaction of its own; whoever has confirmed their address is told. Says whether there was one.
pub(crate) fn forget_one_of(tx: &mut Tx, actor: &Actor, provider: &str) -> Result<bool> {
    let Some(identity) = provider_identity::of_provider(tx.conn, provider, 1)?.pop() else {
        return Ok(false);
    };
    if let Some(user) = user::find_locked(tx, &identity.user_id)? {
        end(tx, actor, &identity, None)?;
        // Mail goes to people, never to claims.
        if user.is_verified() {
            tell_of_removal(tx, actor, &user, &identity, "the operator's command line")?;
        }
    }
    Ok(true)
}

/// Ends the sessions here that came from one that a provider says it ended (OpenID Connect Back-Channel Logout §2.7): by its
/// `sid`, else all of the subject's. Returns how many there were.
pub(crate) fn end_sessions(
    tx: &mut Tx,
    actor: &Actor,
    provider: &Provider,
    (issuer, subject): (&str, Option<&str>),
    sid: Option<&str>,
) -> Result<usize> {
    let owner = match subject {
        Some(subject) => provider_identity::find(tx.conn, issuer, subject)?,
        None => None,
    };
    let mut ended = match (sid, &owner) {
        (Some(sid), _) => session::of_sid(tx.conn, &sso_session::sid_hash(issuer, sid))?,
        (None, Some(identity)) => session::of_identity(tx.conn, &identity.id)?,
        (None, None) => Vec::new(),
    };
    // Both, where both are told: a session of another person is not ended.
    if let Some(subject) = &owner {
        ended.retain(|(_, user)| *user == subject.user_id);
        token::revoke::<PendingSignIn>(tx, &subject.user_id)?;
    }
    ended.sort_by(|(_, one), (_, other)| one.as_str().cmp(other.as_str()));
    for of_one in ended.chunk_by(|(_, one), (_, other)| one == other) {
        for (id, user) in of_one {
            token::revoke::<PendingSignIn>(tx, user)?;
            session::end(tx, id)?;
        }
        if let Some((_, user)) = of_one.first() {
            let event = Event::SignedOutElsewhere { provider: provider.key.clone(), count: of_one.len() };
            audit::record(tx, actor, user, event)?;
        }
    }
    Ok(ended.len())
}
