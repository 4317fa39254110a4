//! Emails about applications that somebody uses with their account.

use askama::Template;

use super::{EmailBody, EmailHeader, plain, token_link, write};
use crate::{
    config::Site,
    mail::{Email, EmailAddress, EmailKind},
};

struct CopiedSignIn<'a> {
    head: EmailHeader<'a>,
    application: &'a str,
    when: &'a str,
    not_me: String,
}

email_templates!(CopiedSignIn, "mail/copied_sign_in.txt", "mail/copied_sign_in.html");

struct OfflineAccess<'a> {
    head: EmailHeader<'a>,
    application: &'a str,
    when: &'a str,
    device: &'a str,
    end: String,
    not_me: String,
}

email_templates!(OfflineAccess, "mail/offline_access.txt", "mail/offline_access.html");

/// Tells somebody that `application` can act for them from now on, also while they are signed out, and where that is ended.
/// `not_me` is the way back.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn offline_access(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    (application, when, device): (&str, &str, &str),
    not_me: &str,
) -> askama::Result<Email> {
    let application = plain(application).unwrap_or("An application");
    let words = OfflineAccess {
        head: EmailHeader::of(site, name),
        application,
        when,
        device,
        end: site.link("/me/applications"),
        not_me: token_link(site, "/not-me", not_me),
    };
    let subject = format!("{application} can act for you while you are away");
    write(EmailKind::OfflineAccess, to, subject, &words)
}

/// Tells somebody that a copy of what `application` stays signed in with was used, and that its access has ended. `not_me` is the
/// way back.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn copied_sign_in(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    (application, when): (&str, &str),
    not_me: &str,
) -> askama::Result<Email> {
    let application = plain(application).unwrap_or("an application");
    let words = CopiedSignIn {
        head: EmailHeader::of(site, name),
        application,
        when,
        not_me: token_link(site, "/not-me", not_me),
    };
    write(EmailKind::CopiedSignIn, to, format!("A copy of your sign-in to {application} was used"), &words)
}
