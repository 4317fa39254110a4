//! The emails, one constructor and one pair of templates each: text first, HTML the same words.
//!
//! Lifetimes and times come in as words, from whoever keeps the rule, so that email and rule cannot
//! disagree. Names are what somebody typed, perhaps about somebody else: see `greeting`.

use super::{Email, EmailAddress, EmailKind, address};
use crate::{config::Site, urls};

/// The longest name that is repeated to its owner, in characters.
const LONGEST_NAME: usize = 60;

/// What one email says, in two faces.
trait EmailBody {
    fn text(&self) -> askama::Result<String>;
    fn html(&self, subject: &str) -> askama::Result<String>;
}

#[macro_use]
mod templates;

mod api_key;
mod applications;
mod credentials;
mod deletion;
mod email_change;
mod identities;
mod invitation;
mod organisation;
mod organisation_life;
mod second_factors;
mod sign_in;
mod single_sign_on;
mod test_email;

pub(crate) use self::{
    api_key::{KeyNews, KeyTold, MakerNews, api_key, key_in_words, keys_of_maker},
    applications::{copied_sign_in, offline_access},
    credentials::{
        FactorChange, KeptCredentials, ResetOccasion, factor_changed, password_changed, reset_password,
        reset_password_unconfirmed, secured_elsewhere, sign_in_again, wrong_step_ups,
    },
    deletion::{
        deletion_cancelled, deletion_done, deletion_reminder, deletion_scheduled, unverified_account_ends,
    },
    email_change::{address_change_asked, address_changed, confirm_new_address},
    identities::{identity_added, identity_linked, identity_removed},
    invitation::{InvitationAnswer, invitation, invitation_answered},
    organisation::{
        DisownedChange, MembershipChange, SetupLinkUse, Withdrawn, certificate_expires, disowned_changes,
        domain_record_gone, membership_changed, setup_link_used,
    },
    organisation_life::{OrganisationNews, hand_over, organisation_news, policy_ahead, policy_changed},
    second_factors::{ResetStep, factor_reset, recovery_code_used, wrong_codes},
    sign_in::{AskedFrom, already_registered, magic_link, new_sign_in, verify_email},
    single_sign_on::{SsoChange, SsoChangedBy, sso_changed},
    test_email::test_email,
};

// The accent where the operator has none: `--fill` of the stylesheet.
const ACCENT: &str = "#13695f";

/// How an email begins, who signs it, and in which colour.
struct EmailHeader<'a> {
    brand: &'a str,
    initial: String,
    fill: &'a str,
    on_fill: &'static str,
    home: String,
    greeting: String,
}

impl<'a> EmailHeader<'a> {
    fn of(site: &'a Site, name: &str) -> Self {
        let fill = site.accent.as_deref().unwrap_or(ACCENT);
        Self {
            brand: &site.name,
            initial: site.name.trim().chars().take(1).flat_map(char::to_uppercase).collect(),
            fill,
            on_fill: on_fill(fill),
            home: site.link("/"),
            greeting: greeting(name),
        }
    }
}

/// The colour of text on `fill` (`#rrggbb`), black or white, whichever stands out more (WCAG 2.2, contrast ratio).
fn on_fill(fill: &str) -> &'static str {
    let channel = |at: usize| {
        let value = fill.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or(0);
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    let luminance = 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
    // Where both have the same contrast: (L + 0.05)² = 0.05 × 1.05.
    if luminance > 0.179 { "#000000" } else { "#ffffff" }
}

fn write(
    kind: EmailKind,
    to: &EmailAddress,
    subject: String,
    words: &impl EmailBody,
) -> askama::Result<Email> {
    let (text, html) = (words.text()?, words.html(&subject)?);
    Ok(Email { kind, to: to.clone(), subject, text, html })
}

fn token_link(site: &Site, path: &str, token: &str) -> String {
    site.link(&urls::with_query(path, [("token", token)]))
}

/// Where the reader of an email to an address that nobody confirmed starts with it.
fn start_link(site: &Site, to: &EmailAddress, token: &str) -> String {
    site.link(&urls::with_query("/use-address", [("token", token), ("email", to.spelled())]))
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

/// What an email calls a device. Its name comes from what a browser says of itself.
fn device_name(device: &str) -> &str {
    plain(device).unwrap_or("an unknown device")
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
mod tests;
