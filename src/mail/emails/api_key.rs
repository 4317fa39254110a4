//! Emails about API keys.

use askama::Template;

use super::{EmailBody, EmailHeader, plain, token_link, write};
use crate::{
    config::Site,
    mail::{Email, EmailAddress, EmailKind},
    urls,
};

/// What happened to an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyNews {
    /// It was made.
    Made,
    /// It got another secret.
    Rolled,
    /// It was suspended, and works again.
    Resumed,
    /// An operator ended it.
    Revoked,
    /// Somebody found its secret, and it has ended.
    Found,
    /// Somebody found the secret that it had before it was rolled, and that has ended.
    FormerFound,
    /// It is about to end.
    Expires,
}

impl KeyNews {
    /// What happened, as a sentence without its full stop.
    pub(crate) fn event(self) -> &'static str {
        match self {
            Self::Made => "An API key was created",
            Self::Rolled => "An API key got a new secret",
            Self::Resumed => "An API key was resumed",
            Self::Revoked => "An API key was revoked",
            Self::Found => "An API key was found in public and revoked",
            Self::FormerFound => "The earlier secret of an API key was found in public and revoked",
            Self::Expires => "An API key is about to expire",
        }
    }
}

/// What an email says of a key.
#[derive(Debug)]
pub(crate) struct KeyTold<'a> {
    /// What it is called. Somebody's text.
    pub name: &'a str,
    /// How its secret begins.
    pub hint: &'a str,
    /// The organisation whose own it is. Somebody's text.
    pub organisation: Option<&'a str>,
    /// The page of the keys.
    pub path: &'a str,
    /// Like `21 November 2026, 14:05 UTC`.
    pub when: &'a str,
    /// Until when it works, where it expires.
    pub expires: Option<&'a str>,
    /// The token of the way back, where somebody signed in did it.
    pub not_me: Option<&'a str>,
}

struct ApiKey<'a> {
    head: EmailHeader<'a>,
    news: KeyNews,
    key: String,
    organisation: Option<&'a str>,
    link: String,
    when: &'a str,
    expires: Option<&'a str>,
    not_me: Option<String>,
}

email_templates!(ApiKey, "mail/api_key.txt", "mail/api_key.html");

/// Tells the owner of an API key what happened to it.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn api_key(
    site: &Site,
    (to, name): (&EmailAddress, &str),
    news: KeyNews,
    told: &KeyTold,
) -> askama::Result<Email> {
    let organisation = told.organisation.map(|name| plain(name).unwrap_or("your organisation"));
    let words = ApiKey {
        head: EmailHeader::of(site, name),
        news,
        key: key_in_words(told.name, told.hint),
        organisation,
        link: site.link(told.path),
        when: told.when,
        expires: told.expires,
        not_me: told.not_me.map(|token| token_link(site, "/not-me", token)),
    };
    let whose = match organisation {
        Some(organisation) => organisation.to_owned(),
        None => format!("your {} account", site.name),
    };
    let subject = match news {
        KeyNews::Made => format!("API key created for {whose}"),
        KeyNews::Rolled => format!("New secret for an API key of {whose}"),
        KeyNews::Resumed => format!("API key resumed for {whose}"),
        KeyNews::Revoked => format!("API key revoked for {whose}"),
        KeyNews::Found | KeyNews::FormerFound => format!("API key of {whose} found in public"),
        KeyNews::Expires => format!("API key of {whose} is about to expire"),
    };
    write(EmailKind::ApiKey, to, subject, &words)
}

/// A key in the words of an email, by its name and how its secret begins. A name that could be more than one is left out.
pub(crate) fn key_in_words(name: &str, hint: &str) -> String {
    match plain(name) {
        Some(name) => format!("{name} ({hint})"),
        None => hint.to_owned(),
    }
}

/// Why the owners of an organisation read which keys somebody made for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MakerNews {
    /// They no longer belong to it.
    Left,
    /// Their account may have been in other hands.
    InDoubt,
}

struct KeysOfMaker<'a> {
    head: EmailHeader<'a>,
    news: MakerNews,
    keys: &'a [(String, bool)],
    organisation: &'a str,
    address: &'a str,
    link: String,
}

impl KeysOfMaker<'_> {
    fn has_suspended(&self) -> bool {
        self.keys.iter().any(|(_, is_suspended)| *is_suspended)
    }
}

email_templates!(KeysOfMaker, "mail/keys_of_maker.txt", "mail/keys_of_maker.html");

/// Tells an owner of an organisation (its name and slug) which of its keys, in words and whether suspended, the member with this
/// address made, or made a secret of.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn keys_of_maker(
    site: &Site,
    (to, name): (&EmailAddress, &str),
    (organisation, slug, address): (&str, &str, &str),
    keys: &[(String, bool)],
    news: MakerNews,
) -> askama::Result<Email> {
    let organisation = plain(organisation).unwrap_or("your organisation");
    let words = KeysOfMaker {
        head: EmailHeader::of(site, name),
        news,
        keys,
        organisation,
        address,
        link: site.link(&urls::organisation_page(slug, "keys")),
    };
    write(EmailKind::KeysOfMaker, to, format!("Check the API keys of {organisation}"), &words)
}
