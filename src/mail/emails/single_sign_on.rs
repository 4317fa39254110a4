//! Emails about an organisation's single sign-on: what an owner changed of it.

use askama::Template;

use super::{EmailBody, EmailHeader, device_name, plain, token_link, write};
use crate::{
    config::Site,
    mail::{Email, EmailAddress, EmailKind},
};

/// What was changed. Each says who may sign in as whom.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SsoChange<'a> {
    /// A connection was made.
    Made {
        /// Its name.
        connection: &'a str,
    },
    /// A connection was set anew.
    Settings {
        /// Its name.
        connection: &'a str,
    },
    /// A connection no longer asks for the second factor that people have here.
    SecondFactorDropped {
        /// Its name.
        connection: &'a str,
    },
    /// A connection has other metadata.
    Metadata {
        /// Its name.
        connection: &'a str,
    },
    /// A connection was put into use.
    SwitchedOn {
        /// Its name.
        connection: &'a str,
    },
    /// People of a domain are led to a connection, or to none.
    Led {
        /// The domain.
        domain: &'a str,
        /// The connection's name.
        connection: Option<&'a str>,
    },
    /// People of a domain sign in there only.
    Required {
        /// The domain.
        domain: &'a str,
        /// The address of the one who may sign in otherwise.
        emergency_owner: &'a str,
    },
    /// People of a domain may sign in otherwise again.
    Released {
        /// The domain.
        domain: &'a str,
    },
}

impl SsoChange<'_> {
    fn sentence(self) -> String {
        match self {
            Self::Made { connection } => format!("{} was added", called(connection)),
            Self::Settings { connection } => format!("the settings of {} were changed", called(connection)),
            Self::SecondFactorDropped { connection } => {
                format!("{} no longer asks for the second step that people have set up", called(connection))
            }
            Self::Metadata { connection } => format!("the metadata of {} was replaced", called(connection)),
            Self::SwitchedOn { connection } => format!("{} was turned on", called(connection)),
            Self::Led { domain, connection: Some(connection) } => {
                format!("people at {domain} now sign in with {}", called(connection))
            }
            Self::Led { domain, connection: None } => {
                format!("people at {domain} no longer sign in with single sign-on")
            }
            Self::Required { domain, emergency_owner } => {
                format!("it is now required for {domain}, and the emergency owner is {emergency_owner}")
            }
            Self::Released { domain } => format!("it is no longer required for {domain}"),
        }
    }
}

/// A connection, in words.
fn called(connection: &str) -> &str {
    plain(connection).unwrap_or("an identity provider")
}

/// Who changed it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SsoChangedBy<'a> {
    /// The owner's name.
    pub name: &'a str,
    /// Their address.
    pub address: &'a str,
    /// Like `21 November 2026, 14:05 UTC`.
    pub when: &'a str,
    /// The device they used.
    pub device: &'a str,
}

struct SsoChanged<'a> {
    head: EmailHeader<'a>,
    link: String,
    not_me: Option<String>,
    organisation: &'a str,
    what: String,
    by: String,
    when: &'a str,
    device: &'a str,
}

email_templates!(SsoChanged, "mail/sso_changed.txt", "mail/sso_changed.html");

/// Tells an owner that single sign-on of an organisation was changed. `not_me` is the way back, where it was this owner
/// who changed it. `path` leads to what was changed.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn sso_changed(
    site: &Site,
    (to, name): (&EmailAddress, &str),
    organisation: &str,
    change: SsoChange,
    by: SsoChangedBy,
    not_me: Option<&str>,
    path: &str,
) -> askama::Result<Email> {
    let organisation = plain(organisation).unwrap_or("your organisation");
    let words = SsoChanged {
        head: EmailHeader::of(site, name),
        link: site.link(path),
        not_me: not_me.map(|token| token_link(site, "/not-me", token)),
        organisation,
        what: change.sentence(),
        by: match plain(by.name) {
            Some(name) => format!("{name} ({})", by.address),
            None => by.address.to_owned(),
        },
        when: by.when,
        device: device_name(by.device),
    };
    write(EmailKind::SsoChanged, to, format!("Single sign-on of {organisation} was changed"), &words)
}
