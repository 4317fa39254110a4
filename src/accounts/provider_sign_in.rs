//! Signing in, and signing up, with an account at a provider: what its word comes to here.

use chrono::TimeDelta;

use super::{
    authentication::{self, IssuedSession},
    client_facts::ClientFacts,
    email_verification,
    provider_identities::{self, ProviderProfile},
    provider_linking, registration, security_changes, sso_policy, step_up,
};
use crate::{
    clock::Timestamp,
    config::{Config, Provider},
    db::{Conn, Tx},
    error::{Error, Result, refusals},
    ids::UserId,
    kinds::StepUpMethod,
    mail::{EmailAddress, EmailKind},
    model::{
        audit::{self, Actor, audit_events},
        domain, network,
        provider_identity::{self, ProviderIdentity},
        rate_limit::{self, Limit},
        session::CurrentSession,
        token::{self, CompleteSignUp, LinkIdentity, SignUpState},
        user::{self, Name, ProvisionedUser, User},
    },
    secret::Secret,
    urls,
};

refusals! {
    /// The identity at a provider is connected with no account, and nobody gets one so.
    PROVIDER_UNKNOWN = (
        "provider_refused", 403,
        "Nobody here is connected with that {} account. Sign in another way, then connect it."
    ).page("You are not signed in", "/login", "Back to sign in");
}

/// [`PROVIDER_UNKNOWN`] of this name.
fn provider_unknown(provider: String) -> Error {
    PROVIDER_UNKNOWN.about(provider)
}

audit_events! {
    /// What came from a provider was refused.
    ProviderRefused { provider: String, reason: String } => failure("provider_refused"),
}

/// What the word of a provider comes to.
#[derive(Debug)]
pub(crate) enum Resolution {
    /// The account that the identity opens, perhaps a new one: `authentication::complete_provider` goes on from here.
    Known(User, ProviderIdentity),
    /// An account has the address confirmed. Whoever signs in to it the old way connects the two with this: see
    /// [`provider_linking::link_waiting`].
    Unlinked(User, Secret<LinkIdentity>),
    /// The provider tells no address. It is asked for: see [`ask_for_address`].
    AddressNeeded,
}

/// What is to be done, before anything is.
enum Decision {
    Known(ProviderIdentity),
    Unlinked(User),
    SsoRequired(EmailAddress),
    SignUpsOff,
    AddressNeeded,
    SignUp { email: EmailAddress, is_verified: bool },
}

/// Steps up the session `here`, whose person the browser still has to be, by what a provider says of somebody who signed in
/// there just now. Nothing where it is somebody else, or their domain is led elsewhere by now; nothing changes then.
pub(crate) fn step_up(
    tx: &mut Tx,
    client: &ClientFacts,
    here: Option<&CurrentSession>,
    user: &UserId,
    there: &ProviderProfile,
) -> Result<Option<IssuedSession>> {
    let known = provider_identity::find(tx.conn, &there.issuer, &there.subject)?;
    let (Some(identity), Some(here)) = (known.filter(|known| known.user_id == *user), here) else {
        return Ok(None);
    };
    let owner = user::by_id(tx.conn, user)?;
    if sso_policy::required_connection(tx.conn, &owner)?.is_some() {
        return Ok(None);
    }
    provider_identity::mark_used(tx, &identity.id, there.known_as.as_deref())?;
    step_up::passed(tx, &client.actor(), user, here, StepUpMethod::Provider)?;
    authentication::rotate(tx, here).map(Some)
}

/// Decides whose account an identity opens, and makes one for somebody new.
///
/// An address leads nobody into an account that is there, however well it is verified. One that is not verified makes an account
/// of its own, also where somebody has the address confirmed: strangers learn nothing.
///
/// [`SSO_REQUIRED`] where people of the domain sign in through their organisation, [`PROVIDER_UNKNOWN`] where nobody
/// gets an account so, [`Error::TooManyAttempts`] where the client's network signs up too often.
pub(crate) fn resolve(
    tx: &mut Tx,
    client: &ClientFacts,
    provider: &Provider,
    profile: &ProviderProfile,
) -> Result<Resolution> {
    // Two first arrivals of one person take turns.
    tx.lock(&profile.lock_name())?;
    let known = provider_identity::find(tx.conn, &profile.issuer, &profile.subject)?;
    lock_addresses(tx, known.map(|known| known.user_id), profile)?;
    // Read again: it may have been removed, or its account may have ended, while the addresses were waited for.
    match decide(tx.conn, tx.config, tx.now, profile)? {
        Decision::Known(identity) => {
            let user = user::by_id(tx.conn, &identity.user_id)?;
            if user::ensure_not_locked(&user).is_ok() && !user.is_leaving() {
                provider_identity::mark_used(tx, &identity.id, profile.known_as.as_deref())?;
            }
            Ok(Resolution::Known(user, identity))
        }
        Decision::Unlinked(owner) => {
            let link = provider_linking::keep_waiting(tx, provider, profile, &owner.id)?;
            Ok(Resolution::Unlinked(owner, link))
        }
        Decision::SsoRequired(email) => Err(sso_policy::sso_required(urls::sso_login(email.spelled()))),
        Decision::SignUpsOff => Err(provider_unknown(provider.name.clone())),
        Decision::AddressNeeded => Ok(Resolution::AddressNeeded),
        Decision::SignUp { email, is_verified } => {
            let (user, identity) = sign_up(tx, client, provider, profile, email, is_verified)?;
            Ok(Resolution::Known(user, identity))
        }
    }
}

fn decide(conn: &mut Conn, config: &Config, now: Timestamp, profile: &ProviderProfile) -> Result<Decision> {
    if let Some(identity) = provider_identity::find(conn, &profile.issuer, &profile.subject)? {
        return Ok(Decision::Known(identity));
    }
    let Some(email) = profile.email.clone() else {
        return Ok(if config.provider_sign_ups { Decision::AddressNeeded } else { Decision::SignUpsOff });
    };
    let owner = if profile.is_email_verified { user::confirmed(conn, &email)? } else { None };
    if let Some(owner) = owner {
        // The emergency owner of a domain may come in otherwise than by its organisation, and so connect what they like.
        return Ok(match sso_policy::required_connection(conn, &owner)? {
            None => Decision::Unlinked(owner),
            Some(_) => Decision::SsoRequired(email),
        });
    }
    if sso_policy::enforced(conn, &email)?.is_some() {
        return Ok(Decision::SsoRequired(email));
    }
    if !config.provider_sign_ups {
        return Ok(Decision::SignUpsOff);
    }
    // At a domain that an organisation has proved, and where another account can still take the address back, its mailbox decides.
    let (normalized, undo) = (email.normalized(), config.lifetimes.email_undo);
    let is_verified = profile.is_email_verified
        && domain::verified(conn, &email.domain())?.is_none()
        && !security_changes::is_reserved(conn, &normalized, None, now, undo)?;
    Ok(Decision::SignUp { email, is_verified })
}

/// The addresses in the order of their names, as everywhere.
fn lock_addresses(tx: &mut Tx, known: Option<UserId>, profile: &ProviderProfile) -> Result<()> {
    let mut names: Vec<String> = profile.email.iter().map(EmailAddress::normalized).collect();
    if let Some(known) = known {
        names.extend(user::find(tx.conn, &known)?.map(|user| user.email.normalized()));
    }
    names.sort();
    names.dedup();
    names.iter().try_for_each(|name| tx.lock(name))
}

fn sign_up(
    tx: &mut Tx,
    client: &ClientFacts,
    provider: &Provider,
    profile: &ProviderProfile,
    email: EmailAddress,
    is_verified: bool,
) -> Result<(User, ProviderIdentity)> {
    let (network, most) = (network::client_network(&client.ip), tx.config.limits.signups_per_network);
    rate_limit::consume(tx, &Limit::new("sign-up", &network, most, TimeDelta::hours(1)))?;
    let actor = client.actor();
    if !is_verified {
        email_verification::make_room(tx, &actor, &email)?;
    }
    let local_part = email.spelled().split('@').next().unwrap_or_default().to_owned();
    let name = profile.name.as_deref().and_then(|name| Name::parse(name).ok());
    let name = name.or_else(|| Name::parse(&local_part).ok());
    let normalized = email.normalized();
    let new = ProvisionedUser { email, name, created_from: client.device().name() };
    let user = registration::provision(tx, &actor, new)?;
    let actor = actor.known_as(&user.id);
    let identity = provider_identities::link(tx, &actor, provider, profile, &user.id)?;
    if is_verified {
        email_verification::confirm(tx, &actor, &user.id, &normalized)?;
    } else {
        // The first email of an account waits for none before it; it is counted, so that the next one has to wait.
        rate_limit::try_consume_mail(tx, EmailKind::VerifyEmail, &user.email)?;
        email_verification::send_link(tx, &actor, &user)?;
    }
    Ok((user::by_id(tx.conn, &user.id)?, identity))
}

const SEAL: &str = "complete_sign_up";

/// Keeps what a provider told without an address until that was typed. `next` is where to go afterwards.
pub(crate) fn ask_for_address(
    tx: &mut Tx,
    provider: &Provider,
    profile: &ProviderProfile,
    next: Option<&str>,
    remembered: bool,
) -> Result<Secret<CompleteSignUp>> {
    let keys = &tx.config.keys;
    let state = SignUpState {
        provider: provider.key.clone(),
        profile: keys.seal(SEAL, &serde_json::to_string(profile)?)?,
        next: next.map(|next| keys.seal(SEAL, next)).transpose()?,
        remembered,
    };
    token::issue_unowned::<CompleteSignUp>(tx, &state)
}

/// A sign-up that got its address.
#[derive(Debug)]
pub(crate) struct CompletedSignUp {
    /// The account, and what opens it.
    pub account: (User, ProviderIdentity),
    /// Where to go afterwards.
    pub next: Option<String>,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
}

/// Goes on with the address that somebody typed, which is not verified. [`Error::DeadLink`] where it took too long, was done
/// before, or its provider is gone from the settings; the other errors are those of [`resolve`].
pub(crate) fn complete_sign_up(
    tx: &mut Tx,
    client: &ClientFacts,
    secret: &Secret<CompleteSignUp>,
    email: EmailAddress,
) -> Result<CompletedSignUp> {
    let state = token::redeem_unowned(tx, secret)?;
    let (config, keys) = (tx.config, &tx.config.keys);
    let provider = config.provider(&state.provider).ok_or(Error::DeadLink)?;
    let profile: ProviderProfile = serde_json::from_str(&keys.open(SEAL, &state.profile)?)?;
    let next = state.next.map(|next| keys.open(SEAL, &next)).transpose()?;
    let profile = ProviderProfile { email: Some(email), is_email_verified: false, ..profile };
    match resolve(tx, client, provider, &profile)? {
        Resolution::Known(user, identity) => {
            Ok(CompletedSignUp { account: (user, identity), next, remembered: state.remembered })
        }
        // Neither is asked again where there is an address that is not verified.
        Resolution::Unlinked(..) | Resolution::AddressNeeded => Err(Error::DeadLink),
    }
}

/// Puts on record that what came from a provider was refused, and why, in a word.
pub(crate) fn note_refused(tx: &mut Tx, actor: &Actor, provider: &Provider, reason: &str) -> Result<()> {
    let event = Event::ProviderRefused { provider: provider.key.clone(), reason: reason.to_owned() };
    audit::record(tx, actor, None, event)
}

#[cfg(test)]
mod tests;
