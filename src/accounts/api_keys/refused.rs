//! Keys that do not work, or are one too many.

use crate::error::{Error, refusals};

refusals! {
    /// A key or an access token that does not work (RFC 6750 §3).
    INVALID_TOKEN = (
        "invalid_token", 401, "This API key or access token does not work. It is mistyped, expired, suspended or revoked."
    ).header("www-authenticate", "Bearer error=\"invalid_token\"");
    /// There are as many as there may be.
    KEY_LIMIT = (
        "key_limit", 409, "There are {} API keys already, as many as there can be. Revoke one that is no longer needed."
    );
}

/// [`KEY_LIMIT`]: so many may be.
pub(super) fn key_limit(most: usize) -> Error {
    KEY_LIMIT.about(most.to_string())
}
