//! What tokens of single sign-on prove: requests on their way, responses that wait, and set-up links.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Purpose;
use crate::{
    config::Lifetimes,
    ids::{ConnectionId, SessionId, UserId},
};

/// A request to an identity provider. Its secret is the RelayState: opaque, one use.
#[derive(Debug)]
pub struct SamlRequest;

/// What was asked of an identity provider, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuthnRequestState {
    /// Which connection.
    pub connection: ConnectionId,
    /// The ID of the request (saml-core §3.2.1).
    pub request: String,
    /// When it was sent, in seconds since the Unix epoch.
    pub at: i64,
    /// The digest of the nonce that the browser holds which asked.
    pub browser: String,
    /// What for.
    pub purpose: SsoIntent,
    /// Where to go afterwards, sealed.
    pub next: Option<String>,
    /// Whether "remember this device" was chosen.
    #[serde(default)]
    pub remembered: bool,
}

/// What somebody is asked to sign in for at an identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SsoIntent {
    /// To come in.
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
}

/// Sets a connection up that is not in use, for whoever has the link. It is used as often as needed.
#[derive(Debug)]
pub(crate) struct SetUpConnection;

/// What a set-up link opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SetupLinkState {
    /// Which connection.
    pub connection: ConnectionId,
    /// Until when, in seconds since the Unix epoch.
    pub until: i64,
}

impl Purpose for SetUpConnection {
    const NAME: &'static str = "set_up_connection";
    type Claim = SetupLinkState;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.sso_setup_link
    }
}

/// Offers whoever signed out here to sign out at the identity provider as well.
#[derive(Debug)]
pub(crate) struct SignOutThere;

/// The session at an identity provider that a session here came from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LogoutOffer {
    /// At which connection.
    pub connection: ConnectionId,
    /// What the identity provider calls it, sealed.
    pub session: String,
}

impl Purpose for SignOutThere {
    const NAME: &'static str = "sign_out_there";
    type Claim = LogoutOffer;

    fn life(_: &Lifetimes) -> TimeDelta {
        TimeDelta::minutes(10)
    }
}

/// A request for a logout on its way to an identity provider. Its secret is the RelayState; it claims the ID.
#[derive(Debug)]
pub(crate) struct LogoutSent;

impl Purpose for LogoutSent {
    const NAME: &'static str = "logout_sent";
    type Claim = String;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.saml_request
    }
}

impl Purpose for SamlRequest {
    const NAME: &'static str = "saml_request";
    type Claim = AuthnRequestState;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.saml_request
    }
}

/// A response that passed every check and waits for its browser to come by itself, out of the cross-site POST. Claims it
/// sealed.
#[derive(Debug)]
pub(crate) struct SsoHandoff;

impl Purpose for SsoHandoff {
    const NAME: &'static str = "saml_arrival";
    type Claim = String;

    fn life(_: &Lifetimes) -> TimeDelta {
        TimeDelta::minutes(2)
    }
}

/// Connects an identity with the account of whoever signs in to it once the old way.
#[derive(Debug)]
pub(crate) struct LinkIdentity;

/// The identity that is to be connected, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum PendingLink {
    /// At an organisation's connection.
    Connection(String),
    /// At a provider of the settings.
    Provider {
        /// The identity.
        provider: String,
    },
}

impl Purpose for LinkIdentity {
    const NAME: &'static str = "link_identity";
    type Claim = PendingLink;

    fn life(_: &Lifetimes) -> TimeDelta {
        TimeDelta::minutes(15)
    }
}
