//! Emails to whoever comes in, or wants to.

use askama::Template;

use super::{EmailBody, EmailHeader, device_name, start_link, token_link, write};
use crate::{
    config::Site,
    mail::{Email, EmailAddress, EmailKind},
};

struct VerifyEmail<'a> {
    head: EmailHeader<'a>,
    link: String,
    start_link: String,
    valid_for: &'a str,
}

email_templates!(VerifyEmail, "mail/verify_email.txt", "mail/verify_email.html");

/// Asks somebody to prove that an address is theirs, without the name that perhaps a stranger typed; or to start with it,
/// by the token `start`. `valid_for` is like `24 hours`.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn verify_email(
    site: &Site,
    to: &EmailAddress,
    token: &str,
    start: &str,
    valid_for: &str,
) -> askama::Result<Email> {
    let words = VerifyEmail {
        head: EmailHeader::of(site, ""),
        link: token_link(site, "/verify-email", token),
        start_link: start_link(site, to, start),
        valid_for,
    };
    write(EmailKind::VerifyEmail, to, format!("Confirm your email address for {}", site.name), &words)
}

struct AlreadyRegistered<'a> {
    head: EmailHeader<'a>,
    link: String,
    reset_link: String,
}

email_templates!(AlreadyRegistered, "mail/already_registered.txt", "mail/already_registered.html");

/// Tells the owner of a confirmed address that somebody signed up with it. `to` and `name` are the owner's
/// own, from their account: never what was typed at the sign-up.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn already_registered(site: &Site, to: &EmailAddress, name: &str) -> askama::Result<Email> {
    let words = AlreadyRegistered {
        head: EmailHeader::of(site, name),
        link: site.link("/login"),
        reset_link: site.link("/forgot-password"),
    };
    write(EmailKind::AlreadyRegistered, to, format!("You already have an account at {}", site.name), &words)
}

/// From where a link to sign in was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AskedFrom<'a> {
    /// The device, like `Chrome on macOS`.
    pub device: &'a str,
    /// When, like `21 November 2026, 14:05 UTC`.
    pub when: &'a str,
    /// Where, like `the network 203.0.113.0/24`.
    pub place: &'a str,
}

struct MagicLink<'a> {
    head: EmailHeader<'a>,
    link: String,
    start_link: Option<String>,
    device: &'a str,
    when: &'a str,
    place: &'a str,
    valid_for: &'a str,
}

email_templates!(MagicLink, "mail/magic_link.txt", "mail/magic_link.html");

/// Signs somebody in who asked for it. Where nobody confirmed the address, its reader may start with it by the token
/// `start`. `valid_for` is like `10 minutes`.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn magic_link(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    asked: AskedFrom,
    token: &str,
    start: Option<&str>,
    valid_for: &str,
) -> askama::Result<Email> {
    let words = MagicLink {
        head: EmailHeader::of(site, name),
        link: token_link(site, "/login/magic-link/verify", token),
        start_link: start.map(|start| start_link(site, to, start)),
        device: device_name(asked.device),
        when: asked.when,
        place: asked.place,
        valid_for,
    };
    write(EmailKind::MagicLink, to, format!("Your sign-in link for {}", site.name), &words)
}

struct NewSignIn<'a> {
    head: EmailHeader<'a>,
    link: String,
    device: &'a str,
    when: &'a str,
    place: &'a str,
}

email_templates!(NewSignIn, "mail/new_sign_in.txt", "mail/new_sign_in.html");

/// Asks somebody whether a sign-in was theirs: from which `device` (`Chrome on macOS`), `when` (`21 November 2026,
/// 14:05 UTC`) and from what `place` (`the network 203.0.113.0/24`).
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn new_sign_in(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    device: &str,
    when: &str,
    place: &str,
    token: &str,
) -> askama::Result<Email> {
    let device = device_name(device);
    let words = NewSignIn {
        head: EmailHeader::of(site, name),
        link: token_link(site, "/not-me", token),
        device,
        when,
        place,
    };
    write(EmailKind::NewSignIn, to, format!("New sign-in to {} from {device}", site.name), &words)
}
