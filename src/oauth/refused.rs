//! What is refused, as the standards call it.

use crate::text_enum;

text_enum! {
    /// An error code of RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, OpenID Connect Core 1.0 §3.1.2.6.
    Code {
        /// A parameter is missing, there twice or cannot be read.
        InvalidRequest => "invalid_request",
        /// The application is unknown, or its secret is wrong.
        InvalidClient => "invalid_client",
        /// A code or refresh token is unknown, late, used, or another's.
        InvalidGrant => "invalid_grant",
        /// The application may not do it so.
        UnauthorizedClient => "unauthorized_client",
        /// There is no such grant here.
        UnsupportedGrantType => "unsupported_grant_type",
        /// Only codes are given out.
        UnsupportedResponseType => "unsupported_response_type",
        /// A scope is unknown, or more than was allowed.
        InvalidScope => "invalid_scope",
        /// A resource is none that the application may ask for (RFC 8707 §2).
        InvalidTarget => "invalid_target",
        /// The person, or what the application asks of people, says no.
        AccessDenied => "access_denied",
        /// Nobody is signed in and nothing may be asked.
        LoginRequired => "login_required",
        /// Something would have to be allowed and nothing may be asked.
        ConsentRequired => "consent_required",
        /// Something else would have to be asked.
        InteractionRequired => "interaction_required",
        /// An access token that is not good.
        InvalidToken => "invalid_token",
        /// An access token without the scope.
        InsufficientScope => "insufficient_scope",
        /// Nobody has let a device in yet (RFC 8628 §3.5).
        AuthorizationPending => "authorization_pending",
        /// It asks too often.
        SlowDown => "slow_down",
        /// Nobody did in time.
        ExpiredToken => "expired_token",
        /// Request objects are not read (OpenID Connect Core 1.0 §6).
        RequestNotSupported => "request_not_supported",
        /// Nor by reference.
        RequestUriNotSupported => "request_uri_not_supported",
    }
}

/// A refusal: its code, and a sentence for the application's developer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The code.
    pub code: Code,
    /// The sentence: ASCII, without quotation marks (RFC 6749 §5.2).
    pub description: &'static str,
}

impl Refused {
    /// With this sentence.
    pub(crate) const fn new(code: Code, description: &'static str) -> Self {
        Self { code, description }
    }
}
