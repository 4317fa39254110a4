//! Invitations to organisations, and what whoever sent one hears of it.

use askama::Template;

use super::{EmailBody, EmailHeader, plain, token_link, write};
use crate::{
    config::Site,
    mail::{Email, EmailAddress, EmailKind},
    urls,
};

struct Invitation<'a> {
    head: EmailHeader<'a>,
    link: String,
    inviter: &'a str,
    organisation: &'a str,
    role: &'a str,
    until: &'a str,
    to: &'a str,
}

email_templates!(Invitation, "mail/invitation.txt", "mail/invitation.html");

/// Invites somebody, who may have no account: `inviter` and `organisation` are somebody's text. `until`:
/// `21 November 2026, 14:05 UTC`.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn invitation(
    site: &Site,
    to: &EmailAddress,
    (inviter, organisation): (&str, &str),
    role: &str,
    until: &str,
    token: &str,
) -> askama::Result<Email> {
    let words = Invitation {
        head: EmailHeader::of(site, ""),
        link: token_link(site, "/invitations/accept", token),
        inviter: plain(inviter).unwrap_or("A member"),
        organisation: plain(organisation).unwrap_or("an organisation"),
        role: plain(role).unwrap_or("a role of its own"),
        until,
        to: to.spelled(),
    };
    let subject = format!("{} invites you to {} on {}", words.inviter, words.organisation, site.name);
    write(EmailKind::Invitation, to, subject, &words)
}

/// What became of an invitation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum InvitationAnswer {
    /// Its reader joined.
    Accepted,
    /// Its reader did not want to.
    Declined,
    /// It ran out, and its reader asks for another.
    AskedAgain,
}

struct InvitationAnswered<'a> {
    head: EmailHeader<'a>,
    link: String,
    organisation: &'a str,
    invited: &'a str,
    answer: InvitationAnswer,
}

email_templates!(InvitationAnswered, "mail/invitation_answered.txt", "mail/invitation_answered.html");

/// Tells whoever invited the address `invited` what became of it. The organisation: its name, which is somebody's text, and
/// its slug.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn invitation_answered(
    site: &Site,
    (to, name): (&EmailAddress, &str),
    (organisation, slug): (&str, &str),
    invited: &str,
    answer: InvitationAnswer,
) -> askama::Result<Email> {
    let organisation = plain(organisation).unwrap_or("your organisation");
    let subject = match answer {
        InvitationAnswer::Accepted => format!("{invited} joined {organisation}"),
        InvitationAnswer::Declined => format!("{invited} declined your invitation to {organisation}"),
        InvitationAnswer::AskedAgain => format!("{invited} asks for a new invitation to {organisation}"),
    };
    let path = match answer {
        InvitationAnswer::Accepted => urls::organisation(slug),
        _ => urls::organisation_page(slug, "invitations"),
    };
    let (head, link) = (EmailHeader::of(site, name), site.link(&path));
    let words = InvitationAnswered { head, link, organisation, invited, answer };
    write(EmailKind::InvitationAnswered, to, subject, &words)
}
