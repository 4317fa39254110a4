//! What tokens of sign-in with a provider prove: requests on their way, answers that wait for their browser, and sign-ups that
//! wait for an address.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{Purpose, SsoIntent};
use crate::{
    config::Lifetimes,
    ids::{ConnectionId, SessionId, UserId},
};

/// A request to a provider. Its secret is the `state` (RFC 6749 §4.1.1): opaque, one use.
#[derive(Debug)]
pub(crate) struct OidcRequest;

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OidcVia {
    /// A provider of the settings, by its key.
    Provider(String),
    /// An organisation's connection.
    Connection(ConnectionId),
}

/// What was asked of a provider, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OidcRequestState {
    /// Who was asked. The answer has to come to the address that was given there.
    pub via: OidcVia,
    /// What its `iss` has to be; with [`TENANT`](crate::config::TENANT) in it where each tenant has its own.
    pub issuer: String,
    /// The `nonce` (OpenID Connect Core §3.1.2.1) and the code verifier (RFC 7636 §4.1), sealed.
    pub sealed: String,
    /// The digest of the nonce that the browser holds which asked.
    pub browser: String,
    /// When it was sent, in seconds since the Unix epoch.
    pub at: i64,
    /// What for.
    pub purpose: OidcIntent,
    /// Where to go afterwards, sealed.
    pub next: Option<String>,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
}

/// What somebody is asked to sign in for at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OidcIntent {
    /// To come in, or to get an account.
    SignIn,
    /// To confirm, in this session, that it is them.
    StepUp {
        /// Whose session.
        user: UserId,
        /// Which one.
        session: SessionId,
    },
    /// To try the connection. Nobody is let in.
    Test {
        /// Which owner tries it.
        user: UserId,
    },
    /// The same by the bearer of a set-up link.
    TestByLink,
    /// To connect the identity with the account of this session.
    Link {
        /// Whose session.
        user: UserId,
        /// Which one.
        session: SessionId,
    },
}

impl OidcIntent {
    /// The same at an organisation's connection; nothing where it is asked of providers of the settings only.
    pub(crate) fn at_connection(&self) -> Option<SsoIntent> {
        Some(match self.clone() {
            Self::SignIn => SsoIntent::SignIn,
            Self::StepUp { user, session } => SsoIntent::StepUp { user, session },
            Self::Test { user } => SsoIntent::Test { user },
            Self::TestByLink => SsoIntent::TestByLink,
            Self::Link { .. } => return None,
        })
    }
}

impl Purpose for OidcRequest {
    const NAME: &'static str = "oidc_request";
    type Claim = OidcRequestState;

    fn life(_: &Lifetimes) -> TimeDelta {
        TimeDelta::minutes(10)
    }
}

/// An answer that a provider had posted across sites, unjudged, until its browser comes by itself. Claims it as JSON of a
/// [`ParkedResponse`], sealed.
#[derive(Debug)]
pub(crate) struct OidcParked;

/// Such an answer (OAuth 2.0 Form Post Response Mode §2), as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ParkedResponse {
    /// The last part of the address that it came to: a provider's key, or a connection's id.
    pub key: String,
    /// Which request it answers.
    pub state: String,
    /// The authorization code.
    pub code: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
    /// Why there is no code (RFC 6749 §4.1.2.1).
    pub error: Option<String>,
    /// JSON that Apple sends with somebody's first answer: unsigned, so good for a name and nothing else.
    pub user: Option<String>,
}

impl Purpose for OidcParked {
    const NAME: &'static str = "oidc_parked";
    type Claim = String;

    fn life(_: &Lifetimes) -> TimeDelta {
        TimeDelta::minutes(2)
    }
}

/// A sign-up that waits for an address, which its provider did not tell. It is nobody's yet.
#[derive(Debug)]
pub(crate) struct CompleteSignUp;

/// What is known without the address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SignUpState {
    /// The provider's key.
    pub provider: String,
    /// What the provider told, sealed.
    pub profile: String,
    /// Where to go afterwards: a path on this site, sealed.
    pub next: Option<String>,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
}

impl Purpose for CompleteSignUp {
    const NAME: &'static str = "complete_sign_up";
    type Claim = SignUpState;

    fn life(_: &Lifetimes) -> TimeDelta {
        TimeDelta::minutes(15)
    }
}
