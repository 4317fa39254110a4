//! Emails about identities: an account elsewhere that opens the one here.

use super::{credentials::sign_in_changed, plain};
use crate::{
    config::Site,
    mail::{Email, EmailAddress},
};

/// Tells somebody that they sign in through `organisation` from now on, since `when` and from which `device`. `not_me` is
/// the way back.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn identity_linked(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    organisation: &str,
    (when, device): (&str, &str),
    not_me: &str,
) -> askama::Result<Email> {
    let organisation = plain(organisation).unwrap_or("an organisation");
    let what = format!("Single sign-on with {organisation} was linked");
    let event = format!("Single sign-on linked to your {} account", site.name);
    sign_in_changed(site, to, name, (event, &what), (when, device), not_me)
}

/// Tells somebody that an account at `provider` opens theirs from now on, since `when` and from which `device`. `known_as` is
/// what they are called there, and `not_me` the way back.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn identity_added(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    provider: (&str, Option<&str>),
    (when, device): (&str, &str),
    not_me: &str,
) -> askama::Result<Email> {
    let event = format!("{} added to your {} account", provider.0, site.name);
    identity_changed(site, (to, name), event, (provider, "added"), (when, device), not_me)
}

/// Tells somebody that an account at `provider` opens theirs no more. The rest is as with [`identity_added`].
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn identity_removed(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    provider: (&str, Option<&str>),
    (when, device): (&str, &str),
    not_me: &str,
) -> askama::Result<Email> {
    let event = format!("{} removed from your {} account", provider.0, site.name);
    identity_changed(site, (to, name), event, (provider, "removed"), (when, device), not_me)
}

fn identity_changed(
    site: &Site,
    (to, name): (&EmailAddress, &str),
    event: String,
    (provider, done): ((&str, Option<&str>), &str),
    when: (&str, &str),
    not_me: &str,
) -> askama::Result<Email> {
    let what = format!("{} was {done}", sign_in_with(provider));
    sign_in_changed(site, to, name, (event, &what), when, not_me)
}

/// What somebody is called at a provider stands there only where it is a name and nothing else.
fn sign_in_with((provider, known_as): (&str, Option<&str>)) -> String {
    match known_as.and_then(plain) {
        Some(known_as) => format!("Sign-in with {provider} (as {known_as})"),
        None => format!("Sign-in with {provider}"),
    }
}
