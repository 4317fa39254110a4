//! Emails about the life of an organisation: who owns it, what it asks of its members, and its end.

use askama::Template;

use super::{EmailBody, EmailHeader, plain, token_link, write};
use crate::{
    clock::Timestamp,
    config::Site,
    kinds::AfterHandOver,
    mail::{Email, EmailAddress, EmailKind},
};

struct HandOverOffered<'a> {
    head: EmailHeader<'a>,
    link: String,
    organisation: &'a str,
    name: &'a str,
    address: &'a str,
    then: AfterHandOver,
    until: &'a str,
}

email_templates!(HandOverOffered, "mail/hand_over.txt", "mail/hand_over.html");

/// Offers an organisation to one of its members, by the owner with this name and address, `until`
/// (`21 November 2026, 14:05 UTC`). `then`: what the owner becomes.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn hand_over(
    site: &Site,
    (to, name): (&EmailAddress, &str),
    (organisation, then): (&str, AfterHandOver),
    (by, address): (&str, &str),
    until: &str,
    token: &str,
) -> askama::Result<Email> {
    let organisation = plain(organisation).unwrap_or("your organisation");
    let words = HandOverOffered {
        head: EmailHeader::of(site, name),
        link: token_link(site, "/hand-over", token),
        organisation,
        name: plain(by).unwrap_or("An owner"),
        address,
        then,
        until,
    };
    write(EmailKind::HandOver, to, format!("Become an owner of {organisation}"), &words)
}

/// What happens to an organisation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OrganisationNews<'a> {
    /// It was deleted, and ends for good at a moment, until when its owners can restore it.
    Leaving {
        /// The address of one of them, for whoever is none.
        owner: Option<&'a str>,
        /// That moment.
        until: Timestamp,
    },
    /// It was restored.
    Restored,
    /// It is gone for good.
    Gone,
}

struct News<'a> {
    head: EmailHeader<'a>,
    link: String,
    organisation: &'a str,
    news: OrganisationNews<'a>,
}

email_templates!(News, "mail/organisation_news.txt", "mail/organisation_news.html");

/// Tells a member what happens to an organisation. `path` leads to where they can do something about it.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn organisation_news(
    site: &Site,
    (to, name): (&EmailAddress, &str),
    organisation: &str,
    news: OrganisationNews,
    path: &str,
) -> askama::Result<Email> {
    let organisation = plain(organisation).unwrap_or("Your organisation");
    let (kind, subject) = match news {
        OrganisationNews::Leaving { .. } => {
            (EmailKind::OrganisationLeaving, format!("{organisation} at {} will be deleted", site.name))
        }
        OrganisationNews::Restored => {
            (EmailKind::OrganisationRestored, format!("{organisation} at {} is back", site.name))
        }
        OrganisationNews::Gone => {
            (EmailKind::OrganisationGone, format!("{organisation} at {} is deleted", site.name))
        }
    };
    let words = News { head: EmailHeader::of(site, name), link: site.link(path), organisation, news };
    write(kind, to, subject, &words)
}

struct PolicyAhead<'a> {
    head: EmailHeader<'a>,
    link: String,
    organisation: &'a str,
    from: Option<&'a str>,
}

email_templates!(PolicyAhead, "mail/policy_ahead.txt", "mail/policy_ahead.html");

/// Tells a member without a second factor that an organisation asks for one: `from` a moment on
/// (`21 November 2026, 14:05 UTC`), or now.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn policy_ahead(
    site: &Site,
    (to, name): (&EmailAddress, &str),
    organisation: &str,
    from: Option<&str>,
) -> askama::Result<Email> {
    let organisation = plain(organisation).unwrap_or("Your organisation");
    let words =
        PolicyAhead { head: EmailHeader::of(site, name), link: site.link("/me/2fa"), organisation, from };
    let subject = format!("{organisation} at {} asks for two-step verification", site.name);
    write(EmailKind::PolicyAhead, to, subject, &words)
}

struct PolicyChanged<'a> {
    head: EmailHeader<'a>,
    link: String,
    organisation: &'a str,
    by: &'a str,
    when: &'a str,
}

email_templates!(PolicyChanged, "mail/policy_changed.txt", "mail/policy_changed.html");

/// Tells an owner that an organisation asks for more of whoever uses it, since the owner with the address `by` changed its
/// policy, and `when`. `path` leads to the policy.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn policy_changed(
    site: &Site,
    (to, name): (&EmailAddress, &str),
    organisation: &str,
    (by, when): (&str, &str),
    path: &str,
) -> askama::Result<Email> {
    let organisation = plain(organisation).unwrap_or("Your organisation");
    let words =
        PolicyChanged { head: EmailHeader::of(site, name), link: site.link(path), organisation, by, when };
    let subject = format!("{organisation} at {} has a stricter policy", site.name);
    write(EmailKind::PolicyChanged, to, subject, &words)
}
