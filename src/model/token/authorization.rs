//! What stands between an application's request and its tokens.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Purpose;
use crate::{
    config::Lifetimes,
    ids::{ApplicationId, GrantId, SessionId},
    oauth::AuthorizationRequest,
};

/// A request of an application that waits for its person. It is nobody's: who it will be turns out at the end.
#[derive(Debug)]
pub(crate) struct AuthorizeRequest;

/// The request, and when it was made: a sign-in or step-up since then is one for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AskedFor {
    /// What is asked for.
    pub request: AuthorizationRequest,
    /// When, in seconds since the Unix epoch.
    pub at: i64,
}

impl AuthorizeRequest {
    /// As long as somebody may take to sign in, set something up or confirm an address.
    const LIFE: TimeDelta = TimeDelta::minutes(30);
}

impl Purpose for AuthorizeRequest {
    const NAME: &'static str = "authorize_request";
    type Claim = AskedFor;

    fn life(_: &Lifetimes) -> TimeDelta {
        Self::LIFE
    }
}

/// What an application exchanges for tokens, once (RFC 6749 §4.1.2).
#[derive(Debug)]
pub(crate) struct AuthorizationCode;

/// What a code stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CodeGrant {
    /// Of which application.
    pub application: ApplicationId,
    /// Through which session.
    pub session: SessionId,
    /// What its person lets it do there.
    pub grant: GrantId,
    /// What it is called that goes on without the session, where that was allowed.
    pub offline: Option<GrantId>,
    /// Where the code went.
    pub redirect_uri: String,
    /// What it was bound to.
    pub code_challenge: Option<String>,
    /// What the ID token brings back.
    pub nonce: Option<String>,
    /// What was allowed, between blanks.
    pub scopes: String,
    /// For whom the access tokens are.
    pub audience: String,
    /// How strongly its person showed who they are.
    pub acr: String,
    /// With what, between blanks.
    pub amr: String,
    /// When, in seconds since the Unix epoch.
    pub auth_time: i64,
}

impl Purpose for AuthorizationCode {
    const NAME: &'static str = "authorization_code";
    type Claim = CodeGrant;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.code
    }
}
