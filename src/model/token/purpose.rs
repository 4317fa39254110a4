//! What a link or a step under way may prove: one thing each.

mod oidc;
mod sso;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    config::Lifetimes,
    ids::{ConnectionId, PasskeyId, SessionId},
    kinds::{AuthMethod, Factor},
    mail::EmailAddress,
    model::sso_session::SsoSession,
};

pub(crate) use oidc::{
    CompleteSignUp, OidcIntent, OidcParked, OidcRequest, OidcRequestState, OidcVia, ParkedResponse,
    SignUpState,
};
pub use sso::{AuthnRequestState, SamlRequest, SsoIntent};
pub(crate) use sso::{
    LinkIdentity, LogoutOffer, LogoutSent, PendingLink, SetUpConnection, SetupLinkState, SignOutThere,
    SsoHandoff,
};

/// What a token is for. A token of one purpose cannot be redeemed as another.
pub trait Purpose: 'static {
    /// Its name in the table.
    const NAME: &'static str;
    /// What it says besides whose it is.
    type Claim: Serialize + DeserializeOwned;
    /// How long it works.
    fn life(lifetimes: &Lifetimes) -> TimeDelta;
}

/// Proves the address of an account. Claims the normalised address that the link was sent to.
#[derive(Debug)]
pub(crate) struct VerifyEmail;

impl Purpose for VerifyEmail {
    const NAME: &'static str = "verify_email";
    type Claim = String;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.verify_link
    }
}

/// Opens the page for a new password. Claims the normalised address that the link was sent to.
#[derive(Debug)]
pub(crate) struct ResetPassword;

impl Purpose for ResetPassword {
    const NAME: &'static str = "reset_password";
    type Claim = String;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.reset_link
    }
}

/// Moves an account to a new address. The link goes to the new address.
#[derive(Debug)]
pub(crate) struct ChangeEmail;

impl Purpose for ChangeEmail {
    const NAME: &'static str = "change_email";
    type Claim = AddressChange;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.email_change
    }
}

/// Stops a change of address, or takes the old one back. The link goes to the old address.
#[derive(Debug)]
pub(crate) struct RevertEmailChange;

impl Purpose for RevertEmailChange {
    const NAME: &'static str = "undo_email";
    type Claim = AddressChange;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.email_change
    }
}

/// From which address to which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AddressChange {
    /// The address before.
    pub old: EmailAddress,
    /// The address after.
    pub new: EmailAddress,
}

/// Keeps an account that was to be deleted. Works until then.
#[derive(Debug)]
pub(crate) struct CancelDeletion;

impl Purpose for CancelDeletion {
    const NAME: &'static str = "cancel_deletion";
    type Claim = ();

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.deletion_grace
    }
}

/// "This wasn't me": secures the account after what somebody else may have done. Claims what was told of it.
#[derive(Debug)]
pub(crate) struct ReportSignIn;

impl ReportSignIn {
    /// How long it works: as long as somebody may be away from their mail.
    pub(crate) const LIFE: TimeDelta = TimeDelta::days(7);
}

impl Purpose for ReportSignIn {
    const NAME: &'static str = "not_me";
    type Claim = ReportedEvent;

    fn life(_: &Lifetimes) -> TimeDelta {
        Self::LIFE
    }
}

/// A sign-in or a change, as its email told of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ReportedEvent {
    /// When, in seconds since the Unix epoch.
    pub at: i64,
    /// From which device.
    pub device: String,
    /// From which address on the network.
    pub ip: String,
    /// What changed, in a sentence without its full stop; nothing where somebody signed in.
    #[serde(default)]
    pub what: Option<String>,
    /// The session that it was, or that did it.
    #[serde(default)]
    pub session: Option<SessionId>,
    /// The address that was told of it, normalised.
    #[serde(default)]
    pub told_to: Option<String>,
    /// Of a sign-in, with what it began. Nothing in links from before this was kept.
    #[serde(default)]
    pub began_with: Option<BeganWith>,
}

/// What a session began with, so that it can be judged after it has ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct BeganWith {
    /// Since when its browser was known before, in seconds since the Unix epoch.
    pub browser_known_since: Option<i64>,
    /// The passkey.
    pub passkey: Option<PasskeyId>,
    /// The first factor.
    pub method: Option<AuthMethod>,
    /// The second factor.
    pub second_factor: Option<Factor>,
    /// The connection that it came through, or the id of the identity at a provider.
    pub connection: Option<ConnectionId>,
}

/// A form that a step-up interrupted. Claims it sealed.
#[derive(Debug)]
pub(crate) struct ResumeRequest;

impl Purpose for ResumeRequest {
    const NAME: &'static str = "interrupted";
    type Claim = String;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.step_up
    }
}

/// A sign-in between its first factor and its second. It opens `/login/2fa` and nothing else.
#[derive(Debug)]
pub(crate) struct PendingSignIn;

/// The first factor of a sign-in that waits for its second.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FirstFactor {
    /// What was proved.
    pub method: AuthMethod,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
    /// When the session has to end at the latest, where somebody else says so: seconds since the Unix epoch.
    #[serde(default)]
    pub ends_at: Option<i64>,
    /// The session at an identity provider that this one comes from.
    #[serde(default)]
    pub sso: Option<SsoSession>,
}

impl Purpose for PendingSignIn {
    const NAME: &'static str = "pending_sign_in";
    type Claim = FirstFactor;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.pending_sign_in
    }
}

/// Signs somebody in. The link goes to the address that it claims.
#[derive(Debug)]
pub(crate) struct MagicLink;

/// How a link to sign in was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MagicLinkRequest {
    /// The normalised address that it was sent to.
    pub address: String,
    /// The digest of what the browser that asked holds.
    pub browser: String,
    /// The short code that the link shows elsewhere, sealed.
    pub code: String,
    /// From which device, in words.
    pub device: String,
    /// From which address on the network.
    pub ip: String,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
    /// Where to go afterwards: a path on this site.
    pub next: Option<String>,
}

impl Purpose for MagicLink {
    const NAME: &'static str = "magic_link";
    type Claim = MagicLinkRequest;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.magic_link
    }
}

/// A browser that asked for a link to sign in and may be told its short code. It is nobody's, so that it is the same
/// whether or not there is an account.
#[derive(Debug)]
pub(crate) struct MagicLinkBrowser;

/// Which link a short code stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MagicLinkCode {
    /// The digest of the link's secret.
    pub link: String,
    /// The short code, sealed.
    pub code: String,
}

impl Purpose for MagicLinkBrowser {
    const NAME: &'static str = "magic_code";
    type Claim = MagicLinkCode;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.magic_link
    }
}

/// Stops an operator's reset of the second factors. Outlives the delay, so that a late reader learns what happened.
#[derive(Debug)]
pub(crate) struct StopFactorReset;

impl Purpose for StopFactorReset {
    const NAME: &'static str = "stop_factor_reset";
    type Claim = ();

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.factors_reset + TimeDelta::days(7)
    }
}

/// The challenge to make a passkey (WebAuthn §7.1), which is the secret itself. Claims its ceremony, sealed.
#[derive(Debug)]
pub(crate) struct RegisterPasskey;

/// The challenge to use a passkey (WebAuthn §7.2), which is the secret itself. Claims its ceremony, sealed.
#[derive(Debug)]
pub(crate) struct UsePasskey;

impl Purpose for RegisterPasskey {
    const NAME: &'static str = "register_passkey";
    type Claim = String;

    fn life(_: &Lifetimes) -> TimeDelta {
        PASSKEY_CEREMONY
    }
}

impl Purpose for UsePasskey {
    const NAME: &'static str = "use_passkey";
    type Claim = String;

    fn life(_: &Lifetimes) -> TimeDelta {
        PASSKEY_CEREMONY
    }
}

/// How long a browser may take to answer a challenge (WebAuthn §15.1).
pub(crate) const PASSKEY_CEREMONY: TimeDelta = TimeDelta::minutes(5);
