//! Emails about the end of an account.

use askama::Template;

use super::{EmailBody, EmailHeader, start_link, token_link, write};
use crate::{
    config::Site,
    mail::{Email, EmailAddress, EmailKind},
};

/// An email about an account that is to be deleted: at once (no days), and shortly before.
struct Deletion<'a> {
    head: EmailHeader<'a>,
    link: String,
    not_me: String,
    when: &'a str,
    days: Option<&'a str>,
}

email_templates!(Deletion, "mail/deletion.txt", "mail/deletion.html");

impl<'a> Deletion<'a> {
    fn new(site: &'a Site, name: &str, when: &'a str, days: Option<&'a str>, links: (&str, &str)) -> Self {
        Self {
            head: EmailHeader::of(site, name),
            link: token_link(site, "/cancel-deletion", links.0),
            not_me: token_link(site, "/not-me", links.1),
            when,
            days,
        }
    }
}

/// Tells somebody `when` (`21 December 2026, 14:05 UTC`) their account is deleted. `links`: to keep it, and "this wasn't me".
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn deletion_scheduled(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    when: &str,
    links: (&str, &str),
) -> askama::Result<Email> {
    let words = Deletion::new(site, name, when, None, links);
    write(EmailKind::DeletionScheduled, to, format!("Your account at {} will be deleted", site.name), &words)
}

/// The same shortly before: in how many `days`.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn deletion_reminder(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    days: i64,
    when: &str,
    links: (&str, &str),
) -> askama::Result<Email> {
    let days = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
    let words = Deletion::new(site, name, when, Some(&days), links);
    let subject = format!("Your account at {} will be deleted in {days}", site.name);
    write(EmailKind::DeletionReminder, to, subject, &words)
}

struct DeletionCancelled<'a> {
    head: EmailHeader<'a>,
    link: String,
    when: &'a str,
}

email_templates!(DeletionCancelled, "mail/deletion_cancelled.txt", "mail/deletion_cancelled.html");

/// Tells somebody that their account stays, since `when`.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn deletion_cancelled(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    when: &str,
) -> askama::Result<Email> {
    let words =
        DeletionCancelled { head: EmailHeader::of(site, name), link: site.link("/forgot-password"), when };
    write(EmailKind::DeletionCancelled, to, format!("Your account at {} won't be deleted", site.name), &words)
}

struct DeletionDone<'a> {
    head: EmailHeader<'a>,
    link: String,
}

email_templates!(DeletionDone, "mail/deletion_done.txt", "mail/deletion_done.html");

/// Tells somebody that their account is deleted. The last email.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn deletion_done(site: &Site, to: &EmailAddress, name: &str) -> askama::Result<Email> {
    let words = DeletionDone { head: EmailHeader::of(site, name), link: site.link("/privacy/data") };
    write(EmailKind::DeletionDone, to, format!("Your account at {} is deleted", site.name), &words)
}

struct UnverifiedAccountEnds<'a> {
    head: EmailHeader<'a>,
    link: String,
    start_link: String,
    when: &'a str,
}

email_templates!(
    UnverifiedAccountEnds,
    "mail/unverified_account_ends.txt",
    "mail/unverified_account_ends.html"
);

/// Tells whoever an address belongs to that an account with it ends, `when`, unless the address is confirmed; without the
/// name that perhaps a stranger typed. Its reader may start with the address, by the token `start`.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn unverified_account_ends(
    site: &Site,
    to: &EmailAddress,
    when: &str,
    token: &str,
    start: &str,
) -> askama::Result<Email> {
    let words = UnverifiedAccountEnds {
        head: EmailHeader::of(site, ""),
        link: token_link(site, "/verify-email", token),
        start_link: start_link(site, to, start),
        when,
    };
    write(
        EmailKind::UnverifiedAccountEnds,
        to,
        format!("Last chance to confirm your email address for {}", site.name),
        &words,
    )
}
