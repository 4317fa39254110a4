//! Emails about second factors: a recovery code that was used, codes that were wrong, and an operator's reset.

use askama::Template;

use super::{EmailBody, EmailHeader, KeptCredentials, device_name, token_link, write};
use crate::{
    config::Site,
    mail::{Email, EmailAddress, EmailKind},
};

struct RecoveryCodeUsed<'a> {
    head: EmailHeader<'a>,
    not_me: String,
    when: &'a str,
    left: i64,
}

email_templates!(RecoveryCodeUsed, "mail/recovery_code_used.txt", "mail/recovery_code_used.html");

/// Tells somebody that one of their recovery codes was used, and how many are left. `not_me` is the way back.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn recovery_code_used(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    when: &str,
    left: i64,
    not_me: &str,
) -> askama::Result<Email> {
    let not_me = token_link(site, "/not-me", not_me);
    let words = RecoveryCodeUsed { head: EmailHeader::of(site, name), not_me, when, left };
    write(EmailKind::RecoveryCodeUsed, to, format!("A recovery code for {} was used", site.name), &words)
}

struct WrongCodes<'a> {
    head: EmailHeader<'a>,
    link: String,
    when: &'a str,
    device: &'a str,
}

email_templates!(WrongCodes, "mail/wrong_codes.txt", "mail/wrong_codes.html");

/// Tells somebody that a sign-in ended at its second factor: whoever it was knew the first.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn wrong_codes(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    when: &str,
    device: &str,
) -> askama::Result<Email> {
    let words = WrongCodes {
        head: EmailHeader::of(site, name),
        link: site.link("/forgot-password"),
        when,
        device: device_name(device),
    };
    write(EmailKind::WrongCodes, to, format!("A sign-in to {} was stopped", site.name), &words)
}

/// How far an operator's reset of the second factors is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ResetStep<'a> {
    /// Asked for; it takes effect `at` this time, after this `delay`, unless the link with the `token` stops it.
    Asked {
        /// Like `21 November 2026, 14:05 UTC`.
        at: &'a str,
        /// Like `24 hours`.
        delay: &'a str,
        /// The secret of the link.
        token: &'a str,
    },
    /// The same for some of them, where somebody who reads the account's mail says that they are not its owner's.
    SomeAsked {
        /// Which.
        what: &'a KeptCredentials,
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
    /// Done: these are gone.
    SomeDone {
        /// Which.
        what: &'a KeptCredentials,
        /// Like `21 November 2026, 14:05 UTC`.
        when: &'a str,
    },
}

struct FactorReset<'a> {
    head: EmailHeader<'a>,
    link: String,
    step: ResetStep<'a>,
    what: String,
}

email_templates!(FactorReset, "mail/factor_reset.txt", "mail/factor_reset.html");

/// Tells somebody that second factors of theirs are taken away after a while, that this was stopped, or that it was done.
///
/// # Errors
/// When a template cannot be rendered.
pub(crate) fn factor_reset(
    site: &Site,
    to: &EmailAddress,
    name: &str,
    step: ResetStep,
) -> askama::Result<Email> {
    let (link, subject) = match step {
        ResetStep::Asked { token, .. } | ResetStep::SomeAsked { token, .. } => (
            token_link(site, "/factor-reset/stop", token),
            format!("A reset of your two-step verification at {} was requested", site.name),
        ),
        ResetStep::Stopped { .. } => (
            site.link("/me/security"),
            format!("The reset of your two-step verification at {} was cancelled", site.name),
        ),
        ResetStep::Done { .. } | ResetStep::SomeDone { .. } => {
            (site.link("/login"), format!("Your two-step verification at {} was reset", site.name))
        }
    };
    let what = match step {
        ResetStep::SomeAsked { what, .. } | ResetStep::SomeDone { what, .. } => what.words().join(", "),
        _ => String::new(),
    };
    let words = FactorReset { head: EmailHeader::of(site, name), link, step, what };
    write(EmailKind::FactorReset, to, subject, &words)
}
