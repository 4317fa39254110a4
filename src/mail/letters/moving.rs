//! Letters about a change of address, to the new one and to the old one.

use askama::Template;

use super::{Letterhead, Words, token_link, write};
use crate::{
    config::Site,
    mail::{EmailAddress, Letter, LetterKind},
};

struct ConfirmNewAddress<'a> {
    head: Letterhead<'a>,
    link: String,
    valid_for: &'a str,
}

faces!(ConfirmNewAddress, "mail/confirm_new_address.txt", "mail/confirm_new_address.html");

/// Asks the reader of a new address to move an account to it, without its name: the address may be a stranger's.
/// `valid_for` is like `24 hours`.
///
/// # Errors
/// When a template cannot be rendered.
pub fn confirm_new_address(
    site: &Site,
    to: &EmailAddress,
    token: &str,
    valid_for: &str,
) -> askama::Result<Letter> {
    let words = ConfirmNewAddress {
        head: Letterhead::of(site, ""),
        link: token_link(site, "/me/email/confirm", token),
        valid_for,
    };
    write(LetterKind::ConfirmNewAddress, to, format!("Confirm your new address for {}", site.name), &words)
}

/// A letter to an old address, before the change and after it.
struct AddressMove<'a> {
    head: Letterhead<'a>,
    link: String,
    new: &'a str,
    valid_for: &'a str,
    is_done: bool,
}

impl<'a> AddressMove<'a> {
    fn new(site: &'a Site, name: &str, new: &'a str, token: &str, valid_for: &'a str, is_done: bool) -> Self {
        let link = token_link(site, "/me/email/undo", token);
        Self { head: Letterhead::of(site, name), link, new, valid_for, is_done }
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
