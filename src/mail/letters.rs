//! The letters, one constructor and one pair of templates each: text first, HTML the same words.
//!
//! Lifetimes and times come in as words, from whoever keeps the rule, so that letter and rule cannot
//! disagree. Names are what somebody typed, perhaps about somebody else: see [`greeting`].

use askama::Template;
use url::form_urlencoded;

use super::{EmailAddress, Letter, LetterKind, address};
use crate::config::Site;

/// The longest name that is repeated to its owner, in characters.
const LONGEST_NAME: usize = 60;

/// What one letter says, in two faces.
trait Words {
    fn text(&self) -> askama::Result<String>;
    fn html(&self) -> askama::Result<String>;
}

/// Ties a letter to its two templates, which know its fields as `letter`.
macro_rules! faces {
    ($words:ident, $text:tt, $html:tt) => {
        impl Words for $words<'_> {
            fn text(&self) -> askama::Result<String> {
                #[derive(Template)]
                #[template(path = $text)]
                struct Text<'a> {
                    letter: &'a $words<'a>,
                }
                Text { letter: self }.render()
            }

            fn html(&self) -> askama::Result<String> {
                #[derive(Template)]
                #[template(path = $html)]
                struct Html<'a> {
                    letter: &'a $words<'a>,
                }
                Html { letter: self }.render()
            }
        }
    };
}

struct VerifyEmail<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    valid_for: &'a str,
}

faces!(VerifyEmail, "mail/verify_email.txt", "mail/verify_email.html");

/// Asks somebody to prove that an address is theirs. `valid_for` is like `24 hours`.
///
/// # Errors
/// When a template cannot be rendered.
pub fn verify_email(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    token: &str,
    valid_for: &str,
) -> askama::Result<Letter> {
    let words = VerifyEmail {
        brand: &site.name,
        home: site.link("/"),
        greeting: greeting(name),
        link: token_link(site, "/verify-email", token),
        valid_for,
    };
    write(LetterKind::VerifyEmail, to, format!("Confirm your address for {}", site.name), &words)
}

struct AlreadyRegistered<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    reset_link: String,
}

faces!(AlreadyRegistered, "mail/already_registered.txt", "mail/already_registered.html");

/// Tells the owner of a confirmed address that somebody signed up with it. `to` and `name` are the owner's
/// own, from their account: never what was typed at the sign-up.
///
/// # Errors
/// When a template cannot be rendered.
pub fn already_registered(site: &Site, to: &EmailAddress, name: &str) -> askama::Result<Letter> {
    let words = AlreadyRegistered {
        brand: &site.name,
        home: site.link("/"),
        greeting: greeting(name),
        link: site.link("/login"),
        reset_link: site.link("/forgot-password"),
    };
    write(LetterKind::AlreadyRegistered, to, format!("You already have an account at {}", site.name), &words)
}

struct ResetPassword<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    valid_for: &'a str,
}

faces!(ResetPassword, "mail/reset_password.txt", "mail/reset_password.html");

/// The way back in for somebody who forgot their password. `valid_for` is like `1 hour`.
///
/// # Errors
/// When a template cannot be rendered.
pub fn reset_password(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    token: &str,
    valid_for: &str,
) -> askama::Result<Letter> {
    let words = ResetPassword {
        brand: &site.name,
        home: site.link("/"),
        greeting: greeting(name),
        link: token_link(site, "/reset-password", token),
        valid_for,
    };
    write(LetterKind::ResetPassword, to, format!("Set a new password for {}", site.name), &words)
}

struct PasswordChanged<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    when: &'a str,
    device: &'a str,
}

faces!(PasswordChanged, "mail/password_changed.txt", "mail/password_changed.html");

/// Tells somebody that their password is a new one, `when` (`21 November 2026, 14:05 UTC`) and from which
/// `device` (`Chrome on macOS`).
///
/// # Errors
/// When a template cannot be rendered.
pub fn password_changed(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    when: &str,
    device: &str,
) -> askama::Result<Letter> {
    let words = PasswordChanged {
        brand: &site.name,
        home: site.link("/"),
        greeting: greeting(name),
        link: site.link("/forgot-password"),
        when,
        // A device's name comes from what a browser says of itself.
        device: plain(device).unwrap_or("an unknown device"),
    };
    write(LetterKind::PasswordChanged, to, format!("Your password for {} was changed", site.name), &words)
}

/// A change of the ways to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorChange {
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
    /// A passkey's counter went back: there is a copy of it.
    PasskeyCopied,
    /// New recovery codes were made.
    CodesMade,
}

impl FactorChange {
    fn words(self) -> &'static str {
        match self {
            Self::AppAdded => "An authenticator app was added",
            Self::AppReplaced => "Your authenticator app was replaced by another",
            Self::AppRemoved => "The authenticator app was removed",
            Self::PasskeyAdded => "A passkey was added",
            Self::PasskeyRemoved => "A passkey was removed",
            Self::PasskeyCopied => "Somebody used a copy of one of your passkeys, so it no longer works",
            Self::CodesMade => "New recovery codes were made, and the older ones no longer work",
        }
    }
}

struct FactorChanged<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    what: &'a str,
    when: &'a str,
    device: &'a str,
}

faces!(FactorChanged, "mail/factor_changed.txt", "mail/factor_changed.html");

/// Tells somebody that a way to sign in was added or removed, `when` and from which `device`.
///
/// # Errors
/// When a template cannot be rendered.
pub fn factor_changed(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    change: FactorChange,
    when: &str,
    device: &str,
) -> askama::Result<Letter> {
    let words = FactorChanged {
        brand: &site.name,
        home: site.link("/"),
        greeting: greeting(name),
        link: site.link("/me/security"),
        what: change.words(),
        when,
        device: plain(device).unwrap_or("an unknown device"),
    };
    write(LetterKind::FactorChanged, to, format!("How you sign in to {} has changed", site.name), &words)
}

struct RecoveryCodeUsed<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    when: &'a str,
    left: i64,
}

faces!(RecoveryCodeUsed, "mail/recovery_code_used.txt", "mail/recovery_code_used.html");

/// Tells somebody that one of their recovery codes was used, and how many are left.
///
/// # Errors
/// When a template cannot be rendered.
pub fn recovery_code_used(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    when: &str,
    left: i64,
) -> askama::Result<Letter> {
    let words = RecoveryCodeUsed {
        brand: &site.name,
        home: site.link("/"),
        greeting: greeting(name),
        link: site.link("/me/security"),
        when,
        left,
    };
    write(LetterKind::RecoveryCodeUsed, to, format!("A recovery code for {} was used", site.name), &words)
}

struct WrongCodes<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    when: &'a str,
    device: &'a str,
}

faces!(WrongCodes, "mail/wrong_codes.txt", "mail/wrong_codes.html");

/// Tells somebody that a sign-in ended at its second proof: whoever it was knew the first.
///
/// # Errors
/// When a template cannot be rendered.
pub fn wrong_codes(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    when: &str,
    device: &str,
) -> askama::Result<Letter> {
    let words = WrongCodes {
        brand: &site.name,
        home: site.link("/"),
        greeting: greeting(name),
        link: site.link("/forgot-password"),
        when,
        device: plain(device).unwrap_or("an unknown device"),
    };
    write(LetterKind::WrongCodes, to, format!("A sign-in to {} was stopped", site.name), &words)
}

/// From where a link to sign in was asked for.
#[derive(Debug, Clone, Copy)]
pub struct AskedFrom<'a> {
    /// The device, like `Chrome on macOS`.
    pub device: &'a str,
    /// When, like `21 November 2026, 14:05 UTC`.
    pub when: &'a str,
    /// Where, like `the network 203.0.113.0/24`.
    pub place: &'a str,
}

struct MagicLink<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    device: &'a str,
    when: &'a str,
    place: &'a str,
    valid_for: &'a str,
}

faces!(MagicLink, "mail/magic_link.txt", "mail/magic_link.html");

/// Signs somebody in who asked for it. `valid_for` is like `10 minutes`.
///
/// # Errors
/// When a template cannot be rendered.
pub fn magic_link(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    asked: AskedFrom,
    token: &str,
    valid_for: &str,
) -> askama::Result<Letter> {
    let words = MagicLink {
        brand: &site.name,
        home: site.link("/"),
        greeting: greeting(name),
        link: token_link(site, "/login/magic-link/verify", token),
        device: plain(asked.device).unwrap_or("an unknown device"),
        when: asked.when,
        place: asked.place,
        valid_for,
    };
    write(LetterKind::MagicLink, to, format!("Your link to sign in to {}", site.name), &words)
}

/// How far an operator's reset of the second factors is.
#[derive(Debug, Clone, Copy)]
pub enum ResetStep<'a> {
    /// Asked for; it takes effect `at` this time, after this `delay`, unless the link with the `token` stops it.
    Asked {
        /// Like `21 November 2026, 14:05 UTC`.
        at: &'a str,
        /// Like `24 hours`.
        delay: &'a str,
        /// The secret of the link.
        token: &'a str,
    },
    /// Stopped.
    Stopped {
        /// Like `21 November 2026, 14:05 UTC`.
        when: &'a str,
    },
    /// Done: the second factors are gone.
    Done {
        /// Like `21 November 2026, 14:05 UTC`.
        when: &'a str,
    },
}

struct FactorReset<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    step: ResetStep<'a>,
}

faces!(FactorReset, "mail/factor_reset.txt", "mail/factor_reset.html");

/// Tells somebody that an operator takes their second factors away, that this was stopped, or that it was done.
///
/// # Errors
/// When a template cannot be rendered.
pub fn factor_reset(site: &Site, to: &EmailAddress, name: &str, step: ResetStep) -> askama::Result<Letter> {
    let (link, subject) = match step {
        ResetStep::Asked { token, .. } => (
            token_link(site, "/factor-reset/stop", token),
            format!("Somebody asked to reset how you sign in to {}", site.name),
        ),
        ResetStep::Stopped { .. } => {
            (site.link("/me/security"), format!("How you sign in to {} stays as it is", site.name))
        }
        ResetStep::Done { .. } => {
            (site.link("/login"), format!("Your second proofs for {} are removed", site.name))
        }
    };
    let words = FactorReset { brand: &site.name, home: site.link("/"), greeting: greeting(name), link, step };
    write(LetterKind::FactorReset, to, subject, &words)
}

struct CertificateExpires<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    organisation: &'a str,
    connection: &'a str,
    when: &'a str,
    is_over: bool,
}

faces!(CertificateExpires, "mail/certificate_expires.txt", "mail/certificate_expires.html");

/// Tells an owner that people cannot sign in through a connection from `when` (`21 November 2026, 14:05 UTC`) on, or since
/// then. `path` leads to the connection.
///
/// # Errors
/// When a template cannot be rendered.
pub fn certificate_expires(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    (organisation, connection): (&str, &str),
    (when, is_over): (&str, bool),
    path: &str,
) -> askama::Result<Letter> {
    let words = CertificateExpires {
        brand: &site.name,
        home: site.link("/"),
        greeting: greeting(name),
        link: site.link(path),
        organisation: plain(organisation).unwrap_or("your organisation"),
        connection: plain(connection).unwrap_or("your identity provider"),
        when,
        is_over,
    };
    let subject = match is_over {
        true => format!("Sign-in through your organisation at {} has stopped", site.name),
        false => format!("Sign-in through your organisation at {} will stop", site.name),
    };
    write(LetterKind::CertificateExpires, to, subject, &words)
}

struct DomainRecordGone<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    organisation: &'a str,
    domain: &'a str,
    record: &'a str,
    when: &'a str,
    is_lost: bool,
}

faces!(DomainRecordGone, "mail/domain_record_gone.txt", "mail/domain_record_gone.html");

/// Tells an owner that the TXT record of a proved domain is gone: the proof ends `when`, or has ended. `path` leads to the
/// list of domains.
///
/// # Errors
/// When a template cannot be rendered.
pub fn domain_record_gone(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    organisation: &str,
    (domain, record): (&str, &str),
    (when, is_lost): (&str, bool),
    path: &str,
) -> askama::Result<Letter> {
    let words = DomainRecordGone {
        brand: &site.name,
        home: site.link("/"),
        greeting: greeting(name),
        link: site.link(path),
        organisation: plain(organisation).unwrap_or("your organisation"),
        domain,
        record,
        when,
        is_lost,
    };
    let subject = match is_lost {
        true => format!("{domain} is no longer proved at {}", site.name),
        false => format!("The record that proves {domain} at {} is gone", site.name),
    };
    write(LetterKind::DomainRecordGone, to, subject, &words)
}

struct NewSignIn<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    device: &'a str,
    when: &'a str,
    place: &'a str,
}

faces!(NewSignIn, "mail/new_sign_in.txt", "mail/new_sign_in.html");

/// Asks somebody whether a sign-in was theirs: from which `device` (`Chrome on macOS`), `when` (`21 November 2026,
/// 14:05 UTC`) and from what `place` (`the network 203.0.113.0/24`).
///
/// # Errors
/// When a template cannot be rendered.
pub fn new_sign_in(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    device: &str,
    when: &str,
    place: &str,
    token: &str,
) -> askama::Result<Letter> {
    let device = plain(device).unwrap_or("an unknown device");
    let words = NewSignIn {
        brand: &site.name,
        home: site.link("/"),
        greeting: greeting(name),
        link: token_link(site, "/not-me", token),
        device,
        when,
        place,
    };
    write(LetterKind::NewSignIn, to, format!("New sign-in to {} from {device}", site.name), &words)
}

struct ConfirmNewAddress<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    valid_for: &'a str,
}

faces!(ConfirmNewAddress, "mail/confirm_new_address.txt", "mail/confirm_new_address.html");

/// Asks the reader of a new address to move an account to it. `valid_for` is like `24 hours`.
///
/// # Errors
/// When a template cannot be rendered.
pub fn confirm_new_address(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    token: &str,
    valid_for: &str,
) -> askama::Result<Letter> {
    let words = ConfirmNewAddress {
        brand: &site.name,
        home: site.link("/"),
        greeting: greeting(name),
        link: token_link(site, "/me/email/confirm", token),
        valid_for,
    };
    write(LetterKind::ConfirmNewAddress, to, format!("Confirm your new address for {}", site.name), &words)
}

/// A letter to an old address, before the change and after it.
struct AddressMove<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    new: &'a str,
    valid_for: &'a str,
    is_done: bool,
}

impl<'a> AddressMove<'a> {
    fn new(site: &'a Site, name: &str, new: &'a str, token: &str, valid_for: &'a str, is_done: bool) -> Self {
        let link = token_link(site, "/me/email/undo", token);
        Self {
            brand: &site.name,
            home: site.link("/"),
            greeting: greeting(name),
            link,
            new,
            valid_for,
            is_done,
        }
    }
}

faces!(AddressMove, "mail/address_move.txt", "mail/address_move.html");

/// Tells the old address that another was asked for, and how to stop it.
///
/// # Errors
/// When a template cannot be rendered.
pub fn address_change_asked(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    new: &str,
    token: &str,
    valid_for: &str,
) -> askama::Result<Letter> {
    let words = AddressMove::new(site, name, new, token, valid_for, false);
    let subject = format!("Somebody asked to change your address for {}", site.name);
    write(LetterKind::AddressChangeAsked, to, subject, &words)
}

/// Tells the old address that it is replaced, and how to take it back.
///
/// # Errors
/// When a template cannot be rendered.
pub fn address_changed(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    new: &str,
    token: &str,
    valid_for: &str,
) -> askama::Result<Letter> {
    let words = AddressMove::new(site, name, new, token, valid_for, true);
    write(LetterKind::AddressChanged, to, format!("Your address for {} was changed", site.name), &words)
}

/// A letter about an account that is to be deleted: at once (no days), and shortly before.
struct Deletion<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    reset_link: String,
    when: &'a str,
    days: Option<&'a str>,
}

faces!(Deletion, "mail/deletion.txt", "mail/deletion.html");

impl<'a> Deletion<'a> {
    fn new(site: &'a Site, name: &str, when: &'a str, days: Option<&'a str>, token: &str) -> Self {
        Self {
            brand: &site.name,
            home: site.link("/"),
            greeting: greeting(name),
            link: token_link(site, "/cancel-deletion", token),
            reset_link: site.link("/forgot-password"),
            when,
            days,
        }
    }
}

/// Tells somebody `when` (`21 December 2026, 14:05 UTC`) their account is deleted, and how to keep it.
///
/// # Errors
/// When a template cannot be rendered.
pub fn deletion_scheduled(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    when: &str,
    token: &str,
) -> askama::Result<Letter> {
    let words = Deletion::new(site, name, when, None, token);
    write(LetterKind::DeletionScheduled, to, format!("Your account at {} will be deleted", site.name), &words)
}

/// The same shortly before: in how many `days`.
///
/// # Errors
/// When a template cannot be rendered.
pub fn deletion_reminder(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    days: i64,
    when: &str,
    token: &str,
) -> askama::Result<Letter> {
    let days = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
    let words = Deletion::new(site, name, when, Some(&days), token);
    let subject = format!("Your account at {} will be deleted in {days}", site.name);
    write(LetterKind::DeletionReminder, to, subject, &words)
}

struct DeletionCancelled<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    when: &'a str,
}

faces!(DeletionCancelled, "mail/deletion_cancelled.txt", "mail/deletion_cancelled.html");

/// Tells somebody that their account stays, since `when`.
///
/// # Errors
/// When a template cannot be rendered.
pub fn deletion_cancelled(site: &Site, to: &EmailAddress, name: &str, when: &str) -> askama::Result<Letter> {
    let words = DeletionCancelled {
        brand: &site.name,
        home: site.link("/"),
        greeting: greeting(name),
        link: site.link("/forgot-password"),
        when,
    };
    write(LetterKind::DeletionCancelled, to, format!("Your account at {} stays", site.name), &words)
}

struct DeletionDone<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
}

faces!(DeletionDone, "mail/deletion_done.txt", "mail/deletion_done.html");

/// Tells somebody that their account is deleted. The last letter.
///
/// # Errors
/// When a template cannot be rendered.
pub fn deletion_done(site: &Site, to: &EmailAddress, name: &str) -> askama::Result<Letter> {
    let words = DeletionDone {
        brand: &site.name,
        home: site.link("/"),
        greeting: greeting(name),
        link: site.link("/what-we-hold"),
    };
    write(LetterKind::DeletionDone, to, format!("Your account at {} is deleted", site.name), &words)
}

struct ClaimEnds<'a> {
    brand: &'a str,
    home: String,
    greeting: String,
    link: String,
    when: &'a str,
}

faces!(ClaimEnds, "mail/claim_ends.txt", "mail/claim_ends.html");

/// Tells whoever an address belongs to that an account with it ends, `when`, unless the address is confirmed.
///
/// # Errors
/// When a template cannot be rendered.
pub fn claim_ends(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    when: &str,
    token: &str,
) -> askama::Result<Letter> {
    let words = ClaimEnds {
        brand: &site.name,
        home: site.link("/"),
        greeting: greeting(name),
        link: token_link(site, "/verify-email", token),
        when,
    };
    write(LetterKind::ClaimEnds, to, format!("Last chance to confirm your address for {}", site.name), &words)
}

struct Test<'a> {
    brand: &'a str,
    home: String,
    link: String,
}

faces!(Test, "mail/test.txt", "mail/test.html");

/// A letter that only shows that letters arrive.
///
/// # Errors
/// When a template cannot be rendered.
pub fn test_letter(site: &Site, to: &EmailAddress) -> askama::Result<Letter> {
    let words = Test { brand: &site.name, home: site.link("/"), link: site.link("/") };
    write(LetterKind::Test, to, format!("Test letter from {}", site.name), &words)
}

fn write(kind: LetterKind, to: &EmailAddress, subject: String, words: &impl Words) -> askama::Result<Letter> {
    Ok(Letter { kind, to: to.clone(), subject, text: words.text()?, html: words.html()? })
}

fn token_link(site: &Site, path: &str, token: &str) -> String {
    let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    site.link(&format!("{path}?token={token}"))
}

/// `Hello Ada,`, or `Hello,` where the name could be more than a name.
///
/// Anybody can sign up with somebody else's address and a "name" of their choice, so a name is either
/// repeated as it is or left out whole; nothing is repaired. Left out is what is empty, longer than
/// [`LONGEST_NAME`], what hides or reorders characters, and whatever a mail program might turn into a link
/// of its own: web and mail addresses, paths, numbers that could be dialled.
fn greeting(name: &str) -> String {
    plain(name).map_or_else(|| "Hello,".into(), |name| format!("Hello {name},"))
}

/// The words, when they are only words.
fn plain(typed: &str) -> Option<&str> {
    // Joiners belong to the spelling of names in Persian and several Indian languages.
    let is_hidden = |c: char| c != ' ' && !"\u{200c}\u{200d}".contains(c) && address::is_invisible(c);
    let typed = typed.trim();
    let is_plain = !typed.is_empty()
        && typed.chars().count() <= LONGEST_NAME
        && !typed.chars().any(is_hidden)
        && !typed.contains(['@', '＠', '/', '\\', ':', '：', '<', '>', '[', ']', '#'])
        && typed.chars().filter(|c| c.is_numeric()).count() <= 4
        && !typed.split(' ').any(has_domain);
    is_plain.then_some(typed)
}

/// Whether a word has a dot with two letters or more behind it, like `evil.example`, but not `J.R.R.`.
fn has_domain(word: &str) -> bool {
    // The dots that IDNA reads as dots, and one that looks like one.
    let mut parts = word.split(['.', '。', '．', '｡', '․']);
    let _before_the_first_dot = parts.next();
    parts.any(|part| part.chars().filter(|c| c.is_alphanumeric()).count() >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site {
            name: "Acme & Sons".into(),
            base_url: "https://acme.example".parse().unwrap(),
            accent: None,
            logo: None,
            stylesheet: None,
        }
    }

    fn ada() -> EmailAddress {
        EmailAddress::parse("Ada@example.com").unwrap()
    }

    fn all() -> Vec<Letter> {
        let (site, ada) = (site(), ada());
        let asked =
            AskedFrom { device: "Chrome on macOS", when: "today", place: "the network 203.0.113.0/24" };
        vec![
            verify_email(&site, &ada, "Ada", "t0ken", "24 hours").unwrap(),
            already_registered(&site, &ada, "Ada").unwrap(),
            reset_password(&site, &ada, "Ada", "t0ken", "1 hour").unwrap(),
            password_changed(&site, &ada, "Ada", "21 November 2026, 14:05 UTC", "Chrome on macOS").unwrap(),
            new_sign_in(
                &site,
                &ada,
                "Ada",
                "Chrome on macOS",
                "today",
                "the network 203.0.113.0/24",
                "t0ken",
            )
            .unwrap(),
            confirm_new_address(&site, &ada, "Ada", "t0ken", "24 hours").unwrap(),
            address_change_asked(&site, &ada, "Ada", "new@example.com", "t0ken", "24 hours").unwrap(),
            address_changed(&site, &ada, "Ada", "new@example.com", "t0ken", "7 days").unwrap(),
            factor_changed(&site, &ada, "Ada", FactorChange::AppAdded, "today", "Chrome on macOS").unwrap(),
            recovery_code_used(&site, &ada, "Ada", "today", 3).unwrap(),
            wrong_codes(&site, &ada, "Ada", "today", "Chrome on macOS").unwrap(),
            magic_link(&site, &ada, "Ada", asked, "t0ken", "10 minutes").unwrap(),
            factor_reset(
                &site,
                &ada,
                "Ada",
                ResetStep::Asked { at: "tomorrow", delay: "24 hours", token: "t0ken" },
            )
            .unwrap(),
            factor_reset(&site, &ada, "Ada", ResetStep::Stopped { when: "today" }).unwrap(),
            factor_reset(&site, &ada, "Ada", ResetStep::Done { when: "today" }).unwrap(),
            deletion_scheduled(&site, &ada, "Ada", "21 December 2026, 14:05 UTC", "t0ken").unwrap(),
            deletion_reminder(&site, &ada, "Ada", 3, "21 December 2026, 14:05 UTC", "t0ken").unwrap(),
            deletion_cancelled(&site, &ada, "Ada", "21 November 2026, 14:05 UTC").unwrap(),
            deletion_done(&site, &ada, "Ada").unwrap(),
            claim_ends(&site, &ada, "Ada", "28 November 2026, 14:05 UTC", "t0ken").unwrap(),
            certificate_expires(
                &site,
                &ada,
                "Ada",
                ("Acme", "Okta"),
                ("today", false),
                "/organisations/acme/sso",
            )
            .unwrap(),
            certificate_expires(
                &site,
                &ada,
                "Ada",
                ("Acme", "Okta"),
                ("today", true),
                "/organisations/acme/sso",
            )
            .unwrap(),
            domain_record_gone(
                &site,
                &ada,
                "Ada",
                "Acme",
                ("acme.example", "_vestibule.acme.example"),
                ("today", false),
                "/organisations/acme/sso",
            )
            .unwrap(),
            domain_record_gone(
                &site,
                &ada,
                "Ada",
                "Acme",
                ("acme.example", "_vestibule.acme.example"),
                ("today", true),
                "/organisations/acme/sso",
            )
            .unwrap(),
            test_letter(&site, &ada).unwrap(),
        ]
    }

    /// What a person reads on the page, word by word.
    fn read_aloud(html: &str) -> Vec<String> {
        let body = html.split_once("<body").unwrap().1;
        let mut words = String::new();
        let mut is_in_tag = true;
        for c in body.chars() {
            match c {
                '<' => is_in_tag = true,
                '>' => {
                    is_in_tag = false;
                    words.push(' ');
                }
                c if !is_in_tag => words.push(c),
                _ => {}
            }
        }
        spoken(&words.replace("&#38;", "&").replace("&#39;", "'").replace("&#34;", "\""))
    }

    /// The words of a text, without the marks that lay it out.
    fn spoken(text: &str) -> Vec<String> {
        let words = text.split_whitespace().map(|word| word.trim_end_matches([':', ',']).to_owned());
        let mut words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        // On the page the button's link is written out below it, as it is in the text.
        words.dedup();
        words
    }

    #[test]
    fn both_faces_of_a_letter_say_the_same_in_the_same_order() {
        for letter in all() {
            assert_eq!(read_aloud(&letter.html), spoken(&letter.text), "{}", letter.kind);
        }
    }

    #[test]
    fn a_letter_has_one_button_and_its_link_in_full_and_no_pictures() {
        for letter in all() {
            assert_eq!(letter.html.matches("background-color").count(), 1, "{}", letter.kind);
            assert!(
                letter.text.lines().any(|line| line.starts_with("https://acme.example/")),
                "{}",
                letter.kind
            );
            for tracker in ["<img", "url(", "<link", "<script", "@import"] {
                assert!(!letter.html.contains(tracker), "{}: {tracker}", letter.kind);
            }
        }
    }

    #[test]
    fn every_address_in_a_letter_is_on_this_site() {
        for letter in all() {
            for face in [&letter.text, &letter.html] {
                let elsewhere = face.replace("https://acme.example", "");
                assert!(!elsewhere.contains("://"), "{}", letter.kind);
            }
        }
    }

    #[test]
    fn a_letter_is_readable_in_a_narrow_window() {
        for letter in all() {
            for line in letter.text.lines().filter(|line| !line.contains("://")) {
                assert!(line.chars().count() <= 100, "{}: {line}", letter.kind);
            }
        }
    }

    #[test]
    fn a_confirmation_says_where_and_how_long_and_keeps_its_token_whole() {
        let letter = verify_email(&site(), &ada(), "Ada", "a+b/c=&d", "24 hours").unwrap();

        assert_eq!(letter.subject, "Confirm your address for Acme & Sons");
        assert_eq!(letter.to.spelled(), "Ada@example.com");
        assert!(letter.text.contains("\nhttps://acme.example/verify-email?token=a%2Bb%2Fc%3D%26d\n"));
        assert!(letter.text.contains("works for 24 hours."));
        assert!(letter.text.starts_with("Hello Ada,\n"));
        assert!(letter.html.contains("Acme &#38; Sons"));
    }

    #[test]
    fn edge_122_names_are_repeated_as_they_are_or_not_at_all() {
        for name in [
            "Ada",
            "Ada Lovelace",
            "J. R. R. Tolkien",
            "J.R.R. Tolkien",
            "Martin Luther King Jr.",
            "O'Brien",
            "Ludwig van Beethoven 2",
            "用户",
            "علی\u{200c}رضا",
            "Łukasz 🦀",
        ] {
            assert_eq!(greeting(&format!(" {name} ")), format!("Hello {name},"));
        }
        for name in [
            "",
            "  ",
            "evil.example",
            "www.evil.example",
            "Ada www.evil.example",
            "http://evil.example",
            "javascript:alert(1)",
            "mailto:eve@evil.example",
            "eve@evil",
            "evil。example",
            "evil․example",
            "evil.\u{200c}example",
            "evil/path",
            "call +1 555 0100 99",
            "Ada\nYou have won",
            "Ada\u{202e}lla",
            "e\u{200b}vil",
            "[click](here)",
            "<b>Ada</b>",
            &"a".repeat(61),
        ] {
            assert_eq!(greeting(name), "Hello,", "{name:?}");
        }
    }

    #[test]
    fn edge_122_markup_in_what_people_typed_stays_text() {
        let letter = verify_email(&site(), &ada(), "Tom & \"Jerry\"", "t", "24 hours").unwrap();

        assert!(letter.text.contains("Hello Tom & \"Jerry\","));
        assert!(letter.html.contains("Hello Tom &#38; &#34;Jerry&#34;,"));
    }

    #[test]
    fn a_device_that_lies_about_itself_is_an_unknown_device() {
        let letter = password_changed(&site(), &ada(), "Ada", "today", "Evil.example/1 on <b>").unwrap();

        assert!(letter.text.contains("from an unknown device."));
    }
}
