//! Emails about a change of address, to the new one and to the old one.

use askama::Template;

use super::{EmailBody, EmailHeader, token_link, write};
use crate::{
    config::Site,
    mail::{Email, EmailAddress, EmailKind},
};

struct ConfirmNewAddress<'a> {
    head: EmailHeader<'a>,
    link: String,
    valid_for: &'a str,
}

email_templates!(ConfirmNewAddress, "mail/confirm_new_address.txt", "mail/confirm_new_address.html");

/// Asks the reader of a new address to move an account to it, without its name: the address may be a stranger's.
/// `valid_for` is like `24 hours`.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn confirm_new_address(
    site: &Site,
    to: &EmailAddress,
    token: &str,
    valid_for: &str,
) -> askama::Result<Email> {
    let words = ConfirmNewAddress {
        head: EmailHeader::of(site, ""),
        link: token_link(site, "/me/email/confirm", token),
        valid_for,
    };
    write(
        EmailKind::ConfirmNewAddress,
        to,
        format!("Confirm your new email address for {}", site.name),
        &words,
    )
}

/// An email to an old address, before the change and after it.
struct AddressMove<'a> {
    head: EmailHeader<'a>,
    link: String,
    new: &'a str,
    valid_for: &'a str,
    is_done: bool,
}

impl<'a> AddressMove<'a> {
    fn new(site: &'a Site, name: &str, new: &'a str, token: &str, valid_for: &'a str, is_done: bool) -> Self {
        let link = token_link(site, "/me/email/undo", token);
        Self { head: EmailHeader::of(site, name), link, new, valid_for, is_done }
    }
}

email_templates!(AddressMove, "mail/address_move.txt", "mail/address_move.html");

/// Tells the old address that another was asked for, and how to stop it.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn address_change_asked(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    new: &str,
    token: &str,
    valid_for: &str,
) -> askama::Result<Email> {
    let words = AddressMove::new(site, name, new, token, valid_for, false);
    let subject = format!("Someone asked to change your email address for {}", site.name);
    write(EmailKind::AddressChangeAsked, to, subject, &words)
}

/// Tells the old address that it is replaced, and how to take it back.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn address_changed(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    new: &str,
    token: &str,
    valid_for: &str,
) -> askama::Result<Email> {
    let words = AddressMove::new(site, name, new, token, valid_for, true);
    write(EmailKind::AddressChanged, to, format!("Your email address for {} was changed", site.name), &words)
}
