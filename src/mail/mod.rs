//! Emails and how they leave: over SMTP, into a folder, or into memory for tests.
//!
//! An email is written by [`emails`], kept by the outbox in the transaction that caused it, and handed to
//! the [`Mailer`] by a worker after the commit. Flows never send.

pub(crate) mod address;
#[cfg(feature = "development")]
pub(crate) mod catcher;
pub(crate) mod emails;
pub(crate) mod listener;
mod mailer;
mod smtp;

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

pub(crate) use self::listener::somebody_listens;
pub use self::{address::EmailAddress, mailer::Mailer};
#[cfg(feature = "development")]
pub use catcher::{Catcher, Caught};

/// An email, written and addressed. It may carry a secret link: sealed while it waits, and `Debug` shows
/// neither the text nor the person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// Which email it is.
    pub kind: EmailKind,
    /// Who gets it.
    pub to: EmailAddress,
    /// The subject line, in one line.
    pub subject: String,
    /// The words.
    pub text: String,
    /// The same words as a page.
    pub html: String,
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter").field("kind", &self.kind).field("to", &self.to).finish_non_exhaustive()
    }
}

/// The kinds of email, for throttles, metrics and mail threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailKind {
    /// Confirm your address.
    VerifyEmail,
    /// Somebody signed up with an address that already has an account.
    AlreadyRegistered,
    /// Set a new password.
    ResetPassword,
    /// Signed out everywhere; the way in is the organisation's.
    SignInAgain,
    /// The password was changed.
    PasswordChanged,
    /// Somebody signed in from a new device.
    NewSignIn,
    /// Confirm your new address.
    ConfirmNewAddress,
    /// Another address was asked for.
    AddressChangeAsked,
    /// The address changed.
    AddressChanged,
    /// A way to sign in was added or removed.
    FactorChanged,
    /// A recovery code was used.
    RecoveryCodeUsed,
    /// Somebody gave the right first factor and wrong codes after it.
    WrongCodes,
    /// A session ended because one step-up after the other was wrong.
    WrongStepUps,
    /// A link to sign in.
    MagicLink,
    /// An operator's reset of the second factors: asked for, stopped, or done.
    FactorReset,
    /// The account is to be deleted.
    DeletionScheduled,
    /// The account is about to be deleted.
    DeletionReminder,
    /// The account stays.
    DeletionCancelled,
    /// The account is deleted.
    DeletionDone,
    /// Nobody confirmed the address, and the account is about to end.
    #[serde(alias = "claim_ends")]
    UnverifiedAccountEnds,
    /// The certificate of an organisation's identity provider expires.
    CertificateExpires,
    /// The record that proves an organisation's domain is gone.
    DomainRecordGone,
    /// Somebody owns an organisation now, may do less in it, or no longer belongs to it.
    MembershipChanged,
    /// An owner offers an organisation to a member.
    HandOver,
    /// An organisation was deleted, and can be restored for a while.
    OrganisationLeaving,
    /// It was restored.
    OrganisationRestored,
    /// It is gone for good.
    OrganisationGone,
    /// An organisation asks for a second factor from a moment on.
    PolicyAhead,
    /// An organisation asks for more of whoever uses it.
    PolicyChanged,
    /// What somebody else changed in an organisation from a member's account.
    DisownedChanges,
    /// A link by which somebody without an account sets single sign-on up was made or used.
    SetupLinkUsed,
    /// An owner changed an organisation's single sign-on.
    SsoChanged,
    /// Somebody is invited to an organisation.
    Invitation,
    /// What became of an invitation that its reader sent.
    InvitationAnswered,
    /// An API key was made, got another secret, was found or is about to end.
    ApiKey,
    /// Which keys of an organisation somebody made who left, or whose account was in doubt.
    KeysOfMaker,
    /// A copy of what an application stays signed in with was used.
    CopiedSignIn,
    /// An application may act for somebody while they are signed out.
    OfflineAccess,
    /// Sent by `vestibule doctor` to see that mail arrives.
    Test,
}

impl EmailKind {
    /// The name in the database and in metrics; also its name in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::AlreadyRegistered => "already_registered",
            Self::ResetPassword => "reset_password",
            Self::SignInAgain => "sign_in_again",
            Self::PasswordChanged => "password_changed",
            Self::NewSignIn => "new_sign_in",
            Self::ConfirmNewAddress => "confirm_new_address",
            Self::AddressChangeAsked => "address_change_asked",
            Self::AddressChanged => "address_changed",
            Self::FactorChanged => "factor_changed",
            Self::RecoveryCodeUsed => "recovery_code_used",
            Self::WrongCodes => "wrong_codes",
            Self::WrongStepUps => "wrong_step_ups",
            Self::MagicLink => "magic_link",
            Self::FactorReset => "factor_reset",
            Self::DeletionScheduled => "deletion_scheduled",
            Self::DeletionReminder => "deletion_reminder",
            Self::DeletionCancelled => "deletion_cancelled",
            Self::DeletionDone => "deletion_done",
            Self::UnverifiedAccountEnds => "unverified_account_ends",
            Self::CertificateExpires => "certificate_expires",
            Self::DomainRecordGone => "domain_record_gone",
            Self::MembershipChanged => "membership_changed",
            Self::HandOver => "hand_over",
            Self::OrganisationLeaving => "organisation_leaving",
            Self::OrganisationRestored => "organisation_restored",
            Self::OrganisationGone => "organisation_gone",
            Self::PolicyAhead => "policy_ahead",
            Self::PolicyChanged => "policy_changed",
            Self::DisownedChanges => "disowned_changes",
            Self::SetupLinkUsed => "setup_link_used",
            Self::SsoChanged => "sso_changed",
            Self::Invitation => "invitation",
            Self::InvitationAnswered => "invitation_answered",
            Self::ApiKey => "api_key",
            Self::KeysOfMaker => "keys_of_maker",
            Self::CopiedSignIn => "copied_sign_in",
            Self::OfflineAccess => "offline_access",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for EmailKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whom a refusal is about: that decides what becomes of the email.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The email itself, which nobody will ever take. It is given up.
    Email,
    /// This recipient at this moment. The email is tried again.
    Moment,
    /// Us, as far as this recipient goes: our right to send, our name, or nothing that is said for certain. The email is kept
    /// and tried again.
    Us,
    /// The mail server, or us as a whole: no email leaves, and all wait for one that does.
    Server,
}

/// An email did not leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// Whom it is about.
    pub about: About,
    /// Why, for the operator and the log, without the address or the server's own words about it.
    pub reason: String,
}

impl Refusal {
    fn of_email(reason: impl Into<String>) -> Self {
        Self { about: About::Email, reason: reason.into() }
    }

    fn of_server(reason: impl Into<String>) -> Self {
        Self { about: About::Server, reason: reason.into() }
    }
}

/// The lock, also when a thread that held it has panicked: each change here is a single step.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a future to its end on a small runtime of its own.
    pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    pub(crate) fn an_email() -> Email {
        Email {
            kind: EmailKind::VerifyEmail,
            to: EmailAddress::parse("ada@example.com").unwrap(),
            subject: "Confirm your address for Acme".into(),
            text: "Hello Ada,\n".into(),
            html: "<p>Hello Ada,</p>\n".into(),
        }
    }

    #[test]
    fn a_log_shows_neither_the_person_nor_the_words() {
        let shown = format!("{:?}", an_email());

        assert!(shown.contains("***@example.com") && !shown.contains("ada") && !shown.contains("Ada"));
    }
}
