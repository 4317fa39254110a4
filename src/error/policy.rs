//! What an organisation asks of whoever acts in it, in words.

use crate::kinds::AuthMethod;

/// What is asked of somebody who signed in by none of these methods.
pub(super) fn sign_in_methods(organisation: &str, methods: &[AuthMethod]) -> String {
    let words = methods.iter().map(|method| match method {
        AuthMethod::Password | AuthMethod::SignUp => "a password",
        AuthMethod::MagicLink => "an email link",
        AuthMethod::Passkey => "a passkey",
        AuthMethod::Sso => "its single sign-on",
        AuthMethod::Provider => "another service",
    });
    let words = words.collect::<Vec<_>>().join(" or ");
    format!("{organisation} asks its members to sign in with {words}. Sign in again that way.")
}

/// What is asked of somebody whose session has one factor only.
pub(super) fn second_factor(organisation: &str, has_one: bool) -> String {
    match has_one {
        true => format!("{organisation} asks for two-step verification. Confirm with your second step."),
        false => format!(
            "{organisation} asks its members for two-step verification. Turn it on for your account to continue."
        ),
    }
}
