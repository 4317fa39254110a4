//! What an organisation's policy asks of whoever acts in it, in words.

use serde_json::json;

use crate::{
    error::{Error, Particulars, Way, refusals},
    kinds::AuthMethod,
};

refusals! {
    /// It cannot be used from the visitor's network.
    NETWORK_NOT_ALLOWED = (
        "network_not_allowed", 403,
        "{} can't be used from this network. Connect from a network that it allows, or ask one of its owners."
    ).at_organisations("Not from this network");
    /// It takes other ways to sign in than the session began with.
    SIGN_IN_METHOD_NOT_ALLOWED = (
        "sign_in_method_not_allowed", 403, "{} asks its members to sign in with {}. Sign in again that way."
    ).page("Sign in another way", "/logout", "Sign in again").way(Way::FormWithNext).listing_organisations();
    /// The session is too old, or was unused for too long.
    SESSION_TOO_OLD = (
        "session_too_old", 403,
        "You signed in too long ago for {}, or were away for too long. Sign in again to use it."
    ).page("Sign in again", "/logout", "Sign in again").way(Way::FormWithNext).listing_organisations();
    /// It asks for a second factor, which the account has and the session not.
    SECOND_FACTOR_UNCONFIRMED = (
        "second_factor_required", 403, "{} asks for two-step verification. Confirm with your second step."
    ).page("Confirm it's you", "/auth/confirm", "Continue").way(Way::LinkWithNext).listing_organisations();
    /// It asks for a second factor, and the account has none.
    SECOND_FACTOR_MISSING = (
        "second_factor_required", 403,
        "{} asks its members for two-step verification. Turn it on for your account to continue."
    ).page("Two-step verification is needed", "/me/2fa", "Turn on two-step verification").listing_organisations();
}

/// [`NETWORK_NOT_ALLOWED`] by the organisation of this name.
pub(super) fn network_not_allowed(organisation: String) -> Error {
    NETWORK_NOT_ALLOWED.about(organisation)
}

/// [`SIGN_IN_METHOD_NOT_ALLOWED`] by the organisation of this name, which takes these.
pub(super) fn sign_in_method_not_allowed(organisation: String, methods: Vec<AuthMethod>) -> Error {
    let words = methods.iter().map(|method| match method {
        AuthMethod::Password | AuthMethod::SignUp => "a password",
        AuthMethod::MagicLink => "an email link",
        AuthMethod::Passkey => "a passkey",
        AuthMethod::Sso => "its single sign-on",
        AuthMethod::Provider => "another service",
    });
    let words = words.collect::<Vec<_>>().join(" or ");
    let own = Particulars::named(organisation).and(words).detail("signIn", "/login");
    SIGN_IN_METHOD_NOT_ALLOWED.with(own.detail("signInMethods", json!(methods)))
}

/// [`SESSION_TOO_OLD`] for the organisation of this name.
pub(super) fn session_too_old(organisation: String) -> Error {
    SESSION_TOO_OLD.with(Particulars::named(organisation).detail("signIn", "/login"))
}

/// What the organisation of this name says for want of a second factor, which the account has or not.
pub(super) fn second_factor_required(organisation: String, has_one: bool) -> Error {
    let named = Particulars::named(organisation);
    match has_one {
        true => SECOND_FACTOR_UNCONFIRMED.with(named.detail("confirm", "/auth/confirm")),
        false => SECOND_FACTOR_MISSING.with(named.detail("setUp", "/me/2fa")),
    }
}
