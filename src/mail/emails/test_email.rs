//! The email that `vestibule doctor` sends.

use askama::Template;

use super::{EmailBody, EmailHeader, write};
use crate::{
    config::Site,
    mail::{Email, EmailAddress, EmailKind},
};

struct Test<'a> {
    head: EmailHeader<'a>,
    link: String,
}

email_templates!(Test, "mail/test.txt", "mail/test.html");

/// An email that only shows that emails arrive.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn test_email(site: &Site, to: &EmailAddress) -> askama::Result<Email> {
    let words = Test { head: EmailHeader::of(site, ""), link: site.link("/") };
    write(EmailKind::Test, to, format!("Test email from {}", site.name), &words)
}
