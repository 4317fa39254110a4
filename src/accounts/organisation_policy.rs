//! What an organisation asks of the session of whoever acts in it, or of the API key, besides a permission.
//!
//! It binds acting in the organisation and never the account: whoever does not meet it stays a member, sees why and what to
//! do, can leave, and uses their other organisations as before.

mod refused;

use std::net::IpAddr;

use chrono::TimeDelta;

pub(crate) use self::refused::{
    NETWORK_NOT_ALLOWED, REFUSALS, SECOND_FACTOR_MISSING, SECOND_FACTOR_UNCONFIRMED, SESSION_TOO_OLD,
    SIGN_IN_METHOD_NOT_ALLOWED,
};
use self::refused::{
    network_not_allowed, second_factor_required, session_too_old, sign_in_method_not_allowed,
};
use super::factors;
use crate::{
    clock::Timestamp,
    db::Conn,
    error::{Error, Result},
    ids::{OrganisationId, UserId},
    kinds::AuthMethod,
    model::{
        domain,
        held_role::HeldRole,
        organisation::{self, Organisation},
        organisation_policy::OrganisationPolicy,
        session::CurrentSession,
    },
};

/// A session, as far as an organisation may ask something of it.
#[derive(Debug, Clone)]
pub(crate) struct SessionTraits {
    /// How it began.
    pub method: AuthMethod,
    /// Whether something was proved besides the first factor.
    pub has_second_factor: bool,
    /// Whose identity provider it came by, where it came by one.
    pub provider: Option<OrganisationId>,
    /// When it began.
    pub created_at: Timestamp,
    /// The longest time that it went unused by now.
    pub longest_idle: TimeDelta,
    /// Where its client is; nothing where that is not known.
    pub ip: Option<IpAddr>,
}

/// By what somebody acts in an organisation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Credential<'a> {
    /// In a session.
    Session(&'a SessionTraits),
    /// By an API key, from there. Nobody signs in with one, and it has no age that counts; a person's shows one factor, and says
    /// nothing of how they sign in, so it does not do where a second factor or a way to sign in is asked for.
    ApiKey {
        /// From where.
        ip: Option<IpAddr>,
        /// Whether it is a person's, and not the organisation's own.
        is_personal: bool,
    },
    /// By what an application has of its person without a session. How they signed in is not known any more, so it does not do
    /// where a way to sign in is asked for; and it has no more right to last than their sign-in had.
    Offline {
        /// From where they allowed it.
        ip: Option<IpAddr>,
        /// Whether they proved something besides the first factor.
        has_second_factor: bool,
        /// When they last showed who they are.
        at: Timestamp,
    },
}

/// The same of a grant, as it is read.
#[derive(Debug, Clone)]
pub(crate) enum GrantTraits {
    /// That rests on a session.
    Session(SessionTraits),
    /// That rests on none: [`Credential::Offline`].
    Offline {
        /// From where it was allowed.
        ip: Option<IpAddr>,
        /// Whether something was proved besides the first factor.
        has_second_factor: bool,
        /// When they last showed who they are.
        at: Timestamp,
    },
}

impl<'a> From<&'a GrantTraits> for Credential<'a> {
    fn from(by: &'a GrantTraits) -> Self {
        match by {
            GrantTraits::Session(session) => Self::Session(session),
            GrantTraits::Offline { ip, has_second_factor, at } => {
                Self::Offline { ip: *ip, has_second_factor: *has_second_factor, at: *at }
            }
        }
    }
}

impl<'a> From<&'a SessionTraits> for Credential<'a> {
    fn from(session: &'a SessionTraits) -> Self {
        Self::Session(session)
    }
}

impl Credential<'_> {
    fn meets(
        self,
        policy: &OrganisationPolicy,
        what: Unmet,
        organisation: &OrganisationId,
        now: Timestamp,
    ) -> bool {
        match self {
            Self::Session(session) => session.meets(policy, what, organisation, now),
            Self::ApiKey { ip, is_personal } => match what {
                Unmet::Network => is_from(policy, ip),
                Unmet::SessionTooOld => true,
                Unmet::SignInMethod => !is_personal || policy.sign_in_methods.is_none(),
                Unmet::SecondFactor => {
                    !is_personal || policy.second_factor_from.is_none_or(|from| now < from)
                }
            },
            Self::Offline { ip, has_second_factor, at } => match what {
                Unmet::Network => is_from(policy, ip),
                Unmet::SessionTooOld => policy.life().is_none_or(|life| now - at < life),
                Unmet::SignInMethod => policy.sign_in_methods.is_none(),
                Unmet::SecondFactor => {
                    has_second_factor || policy.second_factor_from.is_none_or(|from| now < from)
                }
            },
        }
    }
}

fn is_from(policy: &OrganisationPolicy, ip: Option<IpAddr>) -> bool {
    let networks = policy.networks.as_ref();
    networks.is_none_or(|all| ip.is_some_and(|ip| all.iter().any(|network| network.contains(&ip))))
}

/// What a session lacks for an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unmet {
    /// Its client is in none of the networks.
    Network,
    /// It began in another way than the organisation takes.
    SignInMethod,
    /// It began too long ago, or went unused for too long.
    SessionTooOld,
    /// It has one factor only.
    SecondFactor,
}

impl Unmet {
    /// Each, in the order in which it is told: what cannot be helped first, then what signing in again may bring along.
    const ALL: [Self; 4] = [Self::Network, Self::SignInMethod, Self::SessionTooOld, Self::SecondFactor];

    /// The code of the error, which is also the `why` of a check.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Network => "network_not_allowed",
            Self::SignInMethod => "sign_in_method_not_allowed",
            Self::SessionTooOld => "session_too_old",
            Self::SecondFactor => "second_factor_required",
        }
    }

    /// The same in a few words, for a list.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Network => "Not from this network",
            Self::SignInMethod => "Needs another sign-in method",
            Self::SessionTooOld => "Sign in again to use it",
            Self::SecondFactor => "Needs two-step verification",
        }
    }
}

impl SessionTraits {
    /// Those of the visitor's own session. `provider`: whose identity provider it came by.
    pub(crate) fn of(
        session: &CurrentSession,
        provider: Option<OrganisationId>,
        ip: Option<IpAddr>,
        now: Timestamp,
    ) -> Self {
        Self {
            method: session.method,
            has_second_factor: session.second_factor.is_some(),
            provider,
            created_at: session.created_at,
            longest_idle: session.longest_idle_at(now),
            ip,
        }
    }

    /// Whether the session has what `policy`, that of `organisation`, asks for in this respect.
    pub(crate) fn meets(
        &self,
        policy: &OrganisationPolicy,
        what: Unmet,
        organisation: &OrganisationId,
        now: Timestamp,
    ) -> bool {
        // Another organisation's identity provider says nothing here.
        let is_own_sso = self.provider.as_ref() == Some(organisation);
        match what {
            Unmet::Network => is_from(policy, self.ip),
            Unmet::SignInMethod => policy.sign_in_methods.as_ref().is_none_or(|methods| match self.method {
                AuthMethod::Sso => is_own_sso && methods.contains(&AuthMethod::Sso),
                // An account begins with a password.
                AuthMethod::SignUp => methods.contains(&AuthMethod::Password),
                method => methods.contains(&method),
            }),
            Unmet::SessionTooOld => {
                policy.idle().is_none_or(|idle| self.longest_idle < idle)
                    && policy.life().is_none_or(|life| now - self.created_at < life)
            }
            Unmet::SecondFactor => {
                policy.second_factor_from.is_none_or(|from| now < from)
                    || self.has_second_factor
                    || is_own_sso
            }
        }
    }
}

/// A member as a policy looks at them: where, in which role, and who, which nobody is where an organisation's own key acts.
pub(crate) type Who<'a> = (&'a Organisation, &'a HeldRole, Option<&'a UserId>);

/// What the session of a member lacks, or their key, the first of it; nothing where it has what the organisation asks for.
pub(crate) fn unmet<'a>(
    conn: &mut Conn,
    who: Who,
    credential: impl Into<Credential<'a>>,
    now: Timestamp,
) -> Result<Option<Unmet>> {
    let (credential, (organisation, ..)) = (credential.into(), who);
    for what in Unmet::ALL {
        if credential.meets(&organisation.policy, what, &organisation.id, now) {
            continue;
        }
        let is_excused = match credential {
            Credential::Session(session) => is_excused(conn, who, session, what)?,
            Credential::ApiKey { .. } | Credential::Offline { .. } => false,
        };
        if !is_excused {
            return Ok(Some(what));
        }
    }
    Ok(None)
}

/// Where the identity provider fails, the emergency owner comes in with password and second factor, to mend it.
pub(crate) fn is_excused(
    conn: &mut Conn,
    (organisation, role, user): Who,
    session: &SessionTraits,
    what: Unmet,
) -> Result<bool> {
    let comes_so = what == Unmet::SignInMethod
        && role.is_owner()
        && session.method == AuthMethod::Password
        && session.has_second_factor;
    Ok(comes_so
        && domain::of(conn, &organisation.id)?
            .iter()
            .any(|domain| domain.is_enforced && user.is_some() && domain.break_glass_id.as_ref() == user))
}

/// What somebody should know who has no second factor, or removes the last: the organisations that ask for one.
pub(crate) fn asked_second_factor(conn: &mut Conn, user: &UserId) -> Result<Option<String>> {
    let mine = organisation::of(conn, user)?.into_iter().map(|(organisation, _)| organisation);
    let asks = |one: &Organisation| one.policy.second_factor_from.is_some();
    let names: Vec<String> = mine.filter(asks).map(|organisation| organisation.name).collect();
    Ok(match names.as_slice() {
        [] => None,
        [one] => Some(format!("{one} asks for two-step verification: without it you can't use {one}.")),
        several => {
            let names = several.join(", ");
            Some(format!(
                "These organisations ask for two-step verification, and can't be used without it: {names}."
            ))
        }
    })
}

/// That a session or a key has what the organisation asks for; else the error that says what it lacks.
pub(crate) fn require<'a>(
    conn: &mut Conn,
    member: Who,
    credential: impl Into<Credential<'a>>,
    now: Timestamp,
) -> Result<()> {
    match unmet(conn, member, credential, now)? {
        None => Ok(()),
        Some(what) => Err(refusal(conn, member, what)?),
    }
}

/// What a member is told whose session lacks something.
pub(crate) fn refusal(conn: &mut Conn, (organisation, _, user): Who, what: Unmet) -> Result<Error> {
    let name = organisation.name.clone();
    Ok(match what {
        Unmet::Network => network_not_allowed(name),
        Unmet::SignInMethod => {
            let methods = organisation.policy.sign_in_methods.clone();
            sign_in_method_not_allowed(name, methods.unwrap_or_default())
        }
        Unmet::SessionTooOld => session_too_old(name),
        Unmet::SecondFactor => {
            let has_second = match user {
                Some(user) => factors::of(conn, user)?.has_usable_second(),
                None => false,
            };
            second_factor_required(name, has_second)
        }
    })
}
