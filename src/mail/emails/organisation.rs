//! Emails to the owners of an organisation.

use askama::Template;

use super::{EmailBody, EmailHeader, plain, write};
use crate::{
    config::Site,
    mail::{Email, EmailAddress, EmailKind},
};

struct CertificateExpires<'a> {
    head: EmailHeader<'a>,
    link: String,
    organisation: &'a str,
    connection: &'a str,
    when: &'a str,
    is_over: bool,
    is_secret: bool,
}

email_templates!(CertificateExpires, "mail/certificate_expires.txt", "mail/certificate_expires.html");

/// Tells an owner that people cannot sign in through a connection from `when` (`21 November 2026, 14:05 UTC`) on, or since
/// then: its last certificate expires, or its client secret. `path` leads to the connection.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn certificate_expires(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    (organisation, connection): (&str, &str),
    (when, is_over, is_secret): (&str, bool, bool),
    path: &str,
) -> askama::Result<Email> {
    let words = CertificateExpires {
        is_secret,
        head: EmailHeader::of(site, name),
        link: site.link(path),
        organisation: plain(organisation).unwrap_or("your organisation"),
        connection: plain(connection).unwrap_or("your identity provider"),
        when,
        is_over,
    };
    let subject = match is_over {
        true => format!("Single sign-on with your organisation at {} has stopped", site.name),
        false => format!("Single sign-on with your organisation at {} will stop", site.name),
    };
    write(EmailKind::CertificateExpires, to, subject, &words)
}

struct DomainRecordGone<'a> {
    head: EmailHeader<'a>,
    link: String,
    organisation: &'a str,
    domain: &'a str,
    record: &'a str,
    when: &'a str,
    is_lost: bool,
}

email_templates!(DomainRecordGone, "mail/domain_record_gone.txt", "mail/domain_record_gone.html");

/// Tells an owner that the TXT record of a proved domain is gone: the proof ends `when`, or has ended. `path` leads to the
/// list of domains.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn domain_record_gone(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    organisation: &str,
    (domain, record): (&str, &str),
    (when, is_lost): (&str, bool),
    path: &str,
) -> askama::Result<Email> {
    let words = DomainRecordGone {
        head: EmailHeader::of(site, name),
        link: site.link(path),
        organisation: plain(organisation).unwrap_or("your organisation"),
        domain,
        record,
        when,
        is_lost,
    };
    let subject = match is_lost {
        true => format!("{domain} is no longer verified at {}", site.name),
        false => format!("The record that verifies {domain} at {} is gone", site.name),
    };
    write(EmailKind::DomainRecordGone, to, subject, &words)
}

/// What became of a membership.
#[derive(Debug, Clone, Copy)]
pub(crate) enum MembershipChange<'a> {
    /// Whoever reads it owns the organisation now.
    MadeOwner,
    /// They may do less in it: their role, in words, is `to` now.
    Demoted {
        /// Like `Editor`.
        to: &'a str,
    },
    /// They no longer belong to it.
    Removed,
    /// Another person owns it now, whose address this is.
    AnotherOwner {
        /// The address.
        address: &'a str,
    },
}

struct MembershipChanged<'a> {
    head: EmailHeader<'a>,
    link: String,
    organisation: &'a str,
    change: MembershipChange<'a>,
    when: &'a str,
}

email_templates!(MembershipChanged, "mail/membership_changed.txt", "mail/membership_changed.html");

/// Tells a member, or an owner about another, what became of a membership, and `when`. `path` leads to the organisation.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn membership_changed(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    organisation: &str,
    change: MembershipChange,
    when: &str,
    path: &str,
) -> askama::Result<Email> {
    let organisation = plain(organisation).unwrap_or("your organisation");
    let subject = match change {
        MembershipChange::MadeOwner => format!("You are now an owner of {organisation}"),
        MembershipChange::Demoted { .. } => format!("Your role in {organisation} has changed"),
        MembershipChange::Removed => format!("You no longer belong to {organisation}"),
        MembershipChange::AnotherOwner { .. } => format!("There is a new owner of {organisation}"),
    };
    let change = match change {
        // What an organisation calls a role of its own is somebody's text.
        MembershipChange::Demoted { to } => {
            MembershipChange::Demoted { to: plain(to).unwrap_or("another one") }
        }
        change => change,
    };
    let words = MembershipChanged {
        head: EmailHeader::of(site, name),
        link: site.link(path),
        organisation,
        change,
        when,
    };
    write(EmailKind::MembershipChanged, to, subject, &words)
}

/// Something that was done in an organisation by a session that its account disowned.
#[derive(Debug)]
pub(crate) struct DisownedChange {
    /// Like `21 November 2026, 14:05 UTC`.
    pub when: String,
    /// What happened, like `member removed`.
    pub event: String,
    /// The address or domain that it was done to, where it was not to the account itself.
    pub about: Option<String>,
}

/// What of it was taken out of use.
#[derive(Debug)]
pub(crate) enum Withdrawn {
    /// Nobody signs in by a connection until an owner turns it on.
    Paused {
        /// Its name.
        connection: String,
        /// How many people came by it since it was changed.
        people: usize,
    },
    /// People of a domain may sign in otherwise again.
    Released {
        /// The domain.
        domain: String,
    },
    /// People of a domain are led where they were before.
    LedBack {
        /// The domain.
        domain: String,
        /// The connection, if there was one.
        connection: Option<String>,
    },
    /// An organisation that was to be deleted stays.
    Restored,
    /// It asks for what it asked for before.
    PolicyBack,
    /// Somebody is no longer a member.
    TakenOut {
        /// Their address.
        address: String,
    },
    /// Somebody has the role again that they had.
    RoleBack {
        /// Their address.
        address: String,
        /// What people call it.
        role: String,
    },
}

impl Withdrawn {
    fn is_sso(&self) -> bool {
        matches!(self, Self::Paused { .. } | Self::Released { .. } | Self::LedBack { .. })
    }

    fn sentence(&self) -> String {
        let called = |name: &str| plain(name).unwrap_or("An identity provider").to_owned();
        match self {
            Self::Paused { connection, people: 0 } => format!("{} is turned off.", called(connection)),
            Self::Paused { connection, people } => {
                let who = if *people == 1 { "one person" } else { "people" };
                let count = if *people == 1 { String::new() } else { format!("{people} ") };
                format!(
                    "{} is turned off. Since the change, {count}{who} signed in with it.",
                    called(connection)
                )
            }
            Self::Released { domain } => format!("Single sign-on is no longer required for {domain}."),
            Self::LedBack { domain, connection: Some(connection) } => {
                format!("People at {domain} sign in with {} again.", called(connection))
            }
            Self::LedBack { domain, connection: None } => {
                format!("People at {domain} no longer sign in with single sign-on.")
            }
            Self::Restored => "The organisation is not deleted.".to_owned(),
            Self::PolicyBack => "The policy is what it was before.".to_owned(),
            Self::TakenOut { address } => format!("{address} is no longer a member."),
            Self::RoleBack { address, role } => {
                format!("{address} is {} again.", plain(role).unwrap_or("in an earlier role"))
            }
        }
    }
}

struct DisownedChanges<'a> {
    head: EmailHeader<'a>,
    link: String,
    organisation: &'a str,
    address: &'a str,
    changes: Vec<String>,
    withdrawn: Vec<String>,
    // Whether any of that is single sign-on.
    is_about_sso: bool,
}

email_templates!(DisownedChanges, "mail/disowned_changes.txt", "mail/disowned_changes.html");

/// Tells an owner of an organisation what was changed there from the account of the member with this address, while
/// somebody else was signed in to it, and what of it was taken out of use. `path` leads to the organisation.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn disowned_changes(
    site: &Site,
    (to, name): (&EmailAddress, &str),
    (organisation, address): (&str, &str),
    changes: &[DisownedChange],
    withdrawn: &[Withdrawn],
    path: &str,
) -> askama::Result<Email> {
    let organisation = plain(organisation).unwrap_or("your organisation");
    let told = |change: &DisownedChange| match &change.about {
        Some(about) => format!("{}: {}, {about}", change.when, change.event),
        None => format!("{}: {}", change.when, change.event),
    };
    let words = DisownedChanges {
        head: EmailHeader::of(site, name),
        link: site.link(path),
        organisation,
        address,
        changes: changes.iter().map(told).collect(),
        withdrawn: withdrawn.iter().map(Withdrawn::sentence).collect(),
        is_about_sso: withdrawn.iter().any(Withdrawn::is_sso),
    };
    write(EmailKind::DisownedChanges, to, format!("Someone else made changes in {organisation}"), &words)
}

/// What became of a set-up link of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetupLinkUse {
    /// An owner made it.
    Made,
    /// Its bearer changed the connection.
    Changed,
    /// Its bearer tested the connection.
    Tested,
}

impl SetupLinkUse {
    /// The word for it, in the audit.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Made => "making",
            Self::Changed => "change",
            Self::Tested => "test",
        }
    }
}

struct SetupLinkUsed<'a> {
    head: EmailHeader<'a>,
    link: String,
    organisation: &'a str,
    connection: &'a str,
    used: SetupLinkUse,
    when: &'a str,
}

email_templates!(SetupLinkUsed, "mail/setup_link_used.txt", "mail/setup_link_used.html");

/// Tells an owner that a link by which somebody without an account sets a connection up was made or used, and `when`. `path`
/// leads to the connection.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn setup_link_used(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    (organisation, connection): (&str, &str),
    used: SetupLinkUse,
    when: &str,
    path: &str,
) -> askama::Result<Email> {
    let words = SetupLinkUsed {
        head: EmailHeader::of(site, name),
        link: site.link(path),
        organisation: plain(organisation).unwrap_or("your organisation"),
        connection: plain(connection).unwrap_or("your identity provider"),
        used,
        when,
    };
    let subject = match used {
        SetupLinkUse::Made => format!("A set-up link for single sign-on at {} was created", site.name),
        SetupLinkUse::Changed | SetupLinkUse::Tested => {
            format!("A set-up link for single sign-on at {} was used", site.name)
        }
    };
    write(EmailKind::SetupLinkUsed, to, subject, &words)
}
