//! Emails about what opens an account: set, changed, added, removed, or wrong too often.

use askama::Template;

use super::{EmailBody, EmailHeader, device_name, plain, start_link, token_link, write};
use crate::{
    config::Site,
    mail::{Email, EmailAddress, EmailKind},
    urls,
};

/// Why somebody gets a link for a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResetOccasion {
    /// Somebody asked for it.
    Asked,
    /// "This wasn't me" blocked the password.
    Secured,
    /// The same, said from a mailbox that the account has left. The link leads to where one asks for a new password.
    SecuredElsewhere,
    /// An operator made the account.
    AccountMade,
    /// An operator sends it.
    ByOperator,
}

struct ResetPassword<'a> {
    head: EmailHeader<'a>,
    occasion: ResetOccasion,
    link: String,
    start_link: Option<String>,
    valid_for: &'a str,
}

email_templates!(ResetPassword, "mail/reset_password.txt", "mail/reset_password.html");

/// The way back in for somebody who forgot their password, or whose password is blocked. `valid_for` is like `1 hour`.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn reset_password(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    occasion: ResetOccasion,
    token: &str,
    valid_for: &str,
) -> askama::Result<Email> {
    let link = token_link(site, "/reset-password", token);
    reset(site, to, name, occasion, link, None, valid_for)
}

/// Tells the present address of an account that it was secured from a mailbox that it has left: without a token, for the
/// address may be that of whoever moved it.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn secured_elsewhere(site: &Site, to: &EmailAddress, name: &str) -> askama::Result<Email> {
    reset(site, to, name, ResetOccasion::SecuredElsewhere, site.link("/forgot-password"), None, "")
}

/// The same to an address that nobody confirmed, without the name that perhaps a stranger typed: its reader may as well
/// start with the address, by the token `start`.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn reset_password_unconfirmed(
    site: &Site,
    to: &EmailAddress,
    token: &str,
    start: &str,
    valid_for: &str,
) -> askama::Result<Email> {
    let link = token_link(site, "/reset-password", token);
    let start = Some(start_link(site, to, start));
    reset(site, to, "", ResetOccasion::Asked, link, start, valid_for)
}

fn reset(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    occasion: ResetOccasion,
    link: String,
    start_link: Option<String>,
    valid_for: &str,
) -> askama::Result<Email> {
    let words = ResetPassword { head: EmailHeader::of(site, name), occasion, link, start_link, valid_for };
    write(EmailKind::ResetPassword, to, format!("Set a new password for {}", site.name), &words)
}

struct SignInAgain<'a> {
    head: EmailHeader<'a>,
    link: String,
    label: String,
    connection: &'a str,
}

email_templates!(SignInAgain, "mail/sign_in_again.txt", "mail/sign_in_again.html");

/// Tells somebody whose organisation decides how they sign in that they are signed out everywhere, and where to go on: by
/// the connection of this name.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn sign_in_again(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    connection: &str,
) -> askama::Result<Email> {
    let connection = plain(connection).unwrap_or("your organisation");
    let words = SignInAgain {
        head: EmailHeader::of(site, name),
        link: site.link(&urls::sso_login(to.spelled())),
        label: format!("Sign in with {connection}"),
        connection,
    };
    write(EmailKind::SignInAgain, to, format!("Sign in to {} again", site.name), &words)
}

struct PasswordChanged<'a> {
    head: EmailHeader<'a>,
    not_me: String,
    when: &'a str,
    device: &'a str,
    kept: Vec<String>,
    keys: &'a [String],
    keys_link: String,
}

/// What opens an account besides its password, and still does.
#[derive(Debug, Default)]
pub(crate) struct KeptCredentials {
    /// The names of its passkeys.
    pub passkeys: Vec<String>,
    /// The names of connections that it is signed in to through.
    pub organisations: Vec<String>,
    /// The names of providers whose accounts open it.
    pub providers: Vec<String>,
    /// Whether an authenticator app is asked for.
    pub has_app: bool,
    /// Its API keys, in words.
    pub keys: Vec<String>,
}

impl KeptCredentials {
    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.words().is_empty()
    }

    /// In words, one by one. A name that could be more than one is left out.
    pub(super) fn words(&self) -> Vec<String> {
        let passkeys = self.passkeys.iter().map(|name| match plain(name) {
            Some(name) => format!("the passkey {name}"),
            None => "a passkey".to_owned(),
        });
        let organisations = self.organisations.iter().map(|name| match plain(name) {
            Some(name) => format!("single sign-on with {name}"),
            None => "single sign-on with an organisation".to_owned(),
        });
        let ways = passkeys.chain(organisations).chain(self.providers.iter().cloned());
        ways.chain(self.has_app.then(|| "an authenticator app".to_owned())).collect()
    }
}

email_templates!(PasswordChanged, "mail/password_changed.txt", "mail/password_changed.html");

/// Tells somebody that their password is a new one, `when` (`21 November 2026, 14:05 UTC`) and from which
/// `device` (`Chrome on macOS`), and what still opens the account. `not_me` is the way back.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn password_changed(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    (when, device): (&str, &str),
    kept: &KeptCredentials,
    not_me: &str,
) -> askama::Result<Email> {
    let words = PasswordChanged {
        head: EmailHeader::of(site, name),
        not_me: token_link(site, "/not-me", not_me),
        when,
        device: device_name(device),
        kept: kept.words(),
        keys: &kept.keys,
        keys_link: site.link("/me/keys"),
    };
    write(EmailKind::PasswordChanged, to, format!("Your password for {} was changed", site.name), &words)
}

/// A change of the ways to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FactorChange {
    /// An authenticator app was set up.
    AppAdded,
    /// Another authenticator app took the place of the one before.
    AppReplaced,
    /// The authenticator app was removed.
    AppRemoved,
    /// A passkey was added.
    PasskeyAdded,
    /// A passkey was removed.
    PasskeyRemoved,
    /// The authenticator app that was removed is in use again.
    AppPutBack,
    /// A passkey that was removed is in use again.
    PasskeyPutBack,
    /// A passkey's counter went back: there is a copy of it.
    PasskeyCopied,
    /// New recovery codes were made.
    CodesMade,
}

impl FactorChange {
    /// What happened, as a sentence without its full stop.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::AppAdded => "An authenticator app was added",
            Self::AppReplaced => "Your authenticator app was replaced by another",
            Self::AppRemoved => "The authenticator app was removed",
            Self::PasskeyAdded => "A passkey was added",
            Self::PasskeyRemoved => "A passkey was removed",
            Self::AppPutBack => "The authenticator app that was removed was put back",
            Self::PasskeyPutBack => "A passkey that was removed was put back",
            Self::PasskeyCopied => "Someone used a copy of one of your passkeys, so it no longer works",
            Self::CodesMade => "New recovery codes were made, and the older ones no longer work",
        }
    }

    /// What happened, as a subject.
    fn event(self, brand: &str) -> String {
        match self {
            Self::AppAdded => format!("Authenticator app added to your {brand} account"),
            Self::AppReplaced => format!("Authenticator app replaced on your {brand} account"),
            Self::AppRemoved => format!("Authenticator app removed from your {brand} account"),
            Self::PasskeyAdded => format!("Passkey added to your {brand} account"),
            Self::PasskeyRemoved => format!("Passkey removed from your {brand} account"),
            Self::AppPutBack => format!("Authenticator app put back on your {brand} account"),
            Self::PasskeyPutBack => format!("Passkey put back on your {brand} account"),
            Self::PasskeyCopied => format!("Passkey blocked on your {brand} account"),
            Self::CodesMade => format!("New recovery codes for your {brand} account"),
        }
    }
}

struct FactorChanged<'a> {
    head: EmailHeader<'a>,
    not_me: String,
    what: &'a str,
    when: &'a str,
    device: &'a str,
}

email_templates!(FactorChanged, "mail/factor_changed.txt", "mail/factor_changed.html");

/// Tells somebody that a way to sign in was added or removed, `when` and from which `device`. `not_me` is the way back.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn factor_changed(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    change: FactorChange,
    when: &str,
    device: &str,
    not_me: &str,
) -> askama::Result<Email> {
    sign_in_changed(site, to, name, (change.event(&site.name), change.words()), (when, device), not_me)
}

/// Tells somebody of an `event` (a subject), and `what` it was (a sentence without its full stop).
pub(super) fn sign_in_changed(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    (event, what): (String, &str),
    (when, device): (&str, &str),
    not_me: &str,
) -> askama::Result<Email> {
    let words = FactorChanged {
        head: EmailHeader::of(site, name),
        not_me: token_link(site, "/not-me", not_me),
        what,
        when,
        device: device_name(device),
    };
    write(EmailKind::FactorChanged, to, event, &words)
}

struct WrongStepUps<'a> {
    head: EmailHeader<'a>,
    link: String,
    when: &'a str,
    device: &'a str,
}

email_templates!(WrongStepUps, "mail/wrong_step_ups.txt", "mail/wrong_step_ups.html");

/// Tells somebody that a session ended, `when` and on which `device`, because one step-up after the other was wrong in it.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn wrong_step_ups(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    when: &str,
    device: &str,
) -> askama::Result<Email> {
    let words = WrongStepUps {
        head: EmailHeader::of(site, name),
        link: site.link("/me/sessions"),
        when,
        device: device_name(device),
    };
    write(EmailKind::WrongStepUps, to, format!("A device was signed out of {}", site.name), &words)
}
