//! The one Error: what went wrong, in a sentence a person can act on, with a stable code.
//!
//! An `Error` knows its code and its status; `web::error_response` turns it into a page or JSON, once.

mod codes;
mod database;
mod inputs;
mod invitation;
mod outage;
mod policy;
mod step_up;

pub(crate) use self::{
    database::{POOLER_ADVICE, READ_ONLY_ADVICE},
    inputs::Errors,
    outage::Outage,
    step_up::StepUp,
};

use self::invitation::dead_invitation;
use crate::{
    clock::Timestamp,
    kinds::{AuthMethod, DeadInvitation},
    log::Panicked,
};

/// What can be refused, or go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody is signed in, or the session has ended.
    #[error("Sign in to continue.")]
    SignIn,
    /// The session was used from another device, and is locked. Told only to whoever holds its secret.
    #[error("You were signed out because this session was used from another device. Sign in again.")]
    SessionLocked,
    /// The address on the account is only a claim yet.
    #[error("Confirm your email address first. Open the link we sent to it, or have it sent again.")]
    EmailUnverified,
    /// The account is waiting to be deleted, and does nothing else meanwhile.
    #[error("This account is going to be deleted. Cancel the deletion to use it again.")]
    DeletionScheduled,
    /// An operator locked the account.
    #[error("This account is locked. Contact support to unlock it.")]
    AccountLocked,
    /// A sensitive act needs a proof that is no older than five minutes.
    #[error("Confirm it's you, then try again.")]
    StepUp(Box<StepUp>),
    /// Too many tries. Holds the seconds until the next one.
    #[error("Too many attempts. Wait {} and try again.", in_minutes(*.0))]
    TooManyAttempts(i64),
    /// The address and password do not belong together.
    #[error("Wrong email or password.")]
    WrongCredentials,
    /// The request was sent by another site.
    #[error("This request came from another site, so nothing was changed. Go back and try again here.")]
    CrossOrigin,
    /// The request came over plain http to a site that has https. Holds the site's address.
    #[error(
        "This came over plain http, where others can read it, so nothing was done. Send it to {0} instead."
    )]
    PlainHttp(String),
    /// A member who may not. Holds the permission that it takes.
    #[error("You may not do that here. An owner can let you.")]
    Forbidden(String),
    /// Somebody who is signed in and may not use an application. Holds its name.
    #[error("You may not use {0}. Ask the people who run it to let you.")]
    ApplicationForbidden(String),
    /// A host that no application in use is at.
    #[error("No application is registered at this address. Its operator can add it.")]
    ApplicationUnknown,
    /// Whoever asked for a host is no trusted proxy, or did not say what it asks about. Holds what is wrong, for the log.
    #[error("Only a proxy that this site trusts may ask that. Its operator finds the reason in the log.")]
    GateUntrusted(&'static str),
    /// An application asks for a stronger sign-in.
    #[error("This application asks for two-step verification. Confirm it's you with a second step.")]
    ApplicationSecondFactor,
    /// An invitation is for another address than one's own. Holds it as `a•••@example.com`.
    #[error("This invitation is for {0}. Sign in with that address, or ask for an invitation to yours.")]
    InvitationForAnother(String),
    /// An invitation that nobody can answer any more.
    /// Holds what became of it, and until when it could have been.
    #[error("{}", dead_invitation(*.0, *.1))]
    DeadInvitation(DeadInvitation, Timestamp),
    /// There are as many API keys as there may be. Holds how many.
    #[error("There are {0} API keys already, as many as there can be. Revoke one that is no longer needed.")]
    KeyLimit(usize),
    /// An API key that does not work.
    #[error("This API key does not work. It is mistyped, expired, suspended or revoked.")]
    InvalidToken,
    /// An API key that may not. Holds the permission that it takes.
    #[error("This API key may not do that. It needs the permission {0}.")]
    KeyForbidden(String),
    /// An API key, where only a person will do.
    #[error("An API key can't do that. Sign in as the person who may.")]
    PersonRequired,
    /// An API key at an application that asks how its visitor signed in (RFC 9470 §3). Holds for what: an authentication context
    /// class, and how many seconds ago at most.
    #[error("An API key is not enough for this application. It asks for a person who signed in.")]
    InsufficientAuthentication(Option<&'static str>, Option<i64>),
    /// Members have the role. Holds how many.
    #[error("{}. Choose another role for them first.", members_have_it(*.0))]
    RoleInUse(i64),
    /// The organisation is to be deleted, and does nothing else meanwhile. Holds its slug. Told to its owners only.
    #[error("This organisation is going to be deleted. Restore it to use it again.")]
    OrganisationLeaving(String),
    /// The organisation has another slug now, which this holds. Told to its members only.
    #[error("This organisation has another short name now: {0}.")]
    OrganisationMoved(String),
    /// An organisation cannot be used from the visitor's network. Holds its name.
    #[error(
        "{0} can't be used from this network. Connect from a network that it allows, or ask one of its owners."
    )]
    NetworkNotAllowed(String),
    /// An organisation takes other ways to sign in than the session began with. Holds its name, and which.
    #[error("{}", policy::sign_in_methods(.0, .1))]
    SignInMethodNotAllowed(String, Vec<AuthMethod>),
    /// The session is too old for an organisation, or was unused for too long. Holds its name.
    #[error("You signed in too long ago for {0}, or were away for too long. Sign in again to use it.")]
    SessionTooOld(String),
    /// An organisation asks for a second factor. Holds its name, and whether the account has one.
    #[error("{}", policy::second_factor(.0, *.1))]
    SecondFactorRequired(String, bool),
    /// An organisation takes no members with an address at this domain. Holds its name.
    #[error("{0} doesn't take members with an email address at this domain. Use another address.")]
    DomainNotInvited(String),
    /// Whoever runs the site creates organisations.
    #[error("New organisations are created by the people who run this site. Ask them for one.")]
    OrganisationsByOperators,
    /// The people of a domain have no other way in than by the organisation.
    #[error("A domain of this organisation requires single sign-on. Stop requiring it first.")]
    DomainInForce,
    /// Somebody else did it first, or it is done already.
    #[error("That is done already, or someone else did it first. Check and try again.")]
    Conflict,
    /// Another organisation has proved the domain.
    #[error("Another organisation has verified this domain. Contact support.")]
    DomainTaken,
    /// What came from a provider was refused. Holds its name.
    #[error("Signing in with {0} did not work. Nothing was changed. Try again, or sign in another way.")]
    ProviderRefused(String),
    /// The identity at a provider is connected with no account, and nobody gets one so. Holds the provider's name.
    #[error("Nobody here is connected with that {0} account. Sign in another way, then connect it.")]
    ProviderUnknown(String),
    /// A provider does not answer. Holds its name.
    #[error("{0} does not answer. Try again in a moment, or sign in another way.")]
    ProviderSilent(String),
    /// The identity at a provider is connected with another account. Holds the provider's name.
    #[error("That {0} account is connected with another account here. Disconnect it there first.")]
    IdentityTaken(String),
    /// A single sign-on that was refused, or that took too long. Its owners see why.
    #[error(
        "Signing in with your organisation didn't work. Try again; if it fails again, tell your administrator."
    )]
    SsoRefused,
    /// This address signs in through its organisation only. Holds the way there.
    #[error("People at this domain sign in with their organisation.")]
    SsoRequired(String),
    /// Nobody could come in any more where an identity provider fails.
    #[error("This is the emergency owner of a domain. Choose another owner there first.")]
    BreakGlassOwner,
    /// Nobody would own an organisation any more.
    #[error("An organisation needs an owner. Make someone else an owner first.")]
    LastOwner,
    /// Nothing here, or it belongs to somebody else.
    #[error("Check the address, or it may have been removed.")]
    NotFound,
    /// The route exists, but not for this method.
    #[error("This address does not take that kind of request.")]
    MethodNotAllowed,
    /// A link was fetched by a program where only a POST may confirm.
    #[error("Nothing was confirmed. Send the token with POST /verify-email as {{\"token\": \"…\"}}.")]
    ConfirmByPost,
    /// The body did not arrive in time.
    #[error("The request took too long to arrive. Try again.")]
    Timeout,
    /// The body or the address could not be read at all.
    #[error("The request could not be read: {0}.")]
    Malformed(String),
    /// The body is larger than any form here needs.
    #[error("That is more than this page accepts.")]
    TooLarge,
    /// The body is neither a form nor JSON.
    #[error("Send the body as application/json or application/x-www-form-urlencoded, in UTF-8.")]
    UnsupportedMedia,
    /// Single inputs are at fault; the sentences are in `Errors`.
    #[error("Please check the fields below.")]
    Invalid(Errors),
    /// A link or token that is unknown, expired, or replaced by a newer one.
    #[error("That link has expired, was used before, or a newer one replaced it.")]
    DeadLink,
    /// Another account left this address lately and can take it back.
    #[error(
        "An account was moved away from this address a few days ago, and its owner can still undo that with a link in an \
         email. Until then nobody else can confirm it."
    )]
    AddressReserved,
    /// The page of a mailed link without its token.
    #[error(
        "This page belongs to a link in an email. Open that link again, in this browser; it needs cookies."
    )]
    LinkMissing,
    /// A reset link that is unknown, used, expired, or replaced by a newer one.
    #[error("That link has expired or was already used. Ask for a new one.")]
    DeadResetLink,
    /// A link to sign in that is unknown, used, expired, or replaced by a newer one.
    #[error("That link has expired, was used before, or a newer one replaced it. Ask for a new one.")]
    DeadMagicLink,
    /// A confirmation link that did its work before.
    #[error("That address is already confirmed. Sign in to continue.")]
    AlreadyConfirmed,
    /// A sign-in that waited too long for its second factor, or got too many wrong codes.
    #[error("That sign-in has ended: it took too long, or too many codes were wrong. Sign in again.")]
    SignInExpired,
    /// A session that ended because one step-up after the other was wrong.
    #[error("You were signed out here, because what you entered was wrong too often. Sign in again.")]
    StepUpsExhausted,
    /// A passkey did not open anything. The same words whatever was wrong with it.
    #[error("This passkey is not known here. It may have been removed.")]
    UnknownPasskey,
    /// What a browser sent as a new passkey was not one.
    #[error("That passkey could not be added. Try again, or choose another device.")]
    PasskeyRefused,
    /// The passkey belongs to an account already.
    #[error("That passkey is in use already. Choose another device to keep a new one on.")]
    PasskeyTaken,
    /// A passkey was asked for too long ago, by another browser, or its answer was used before.
    #[error("That took too long, or was answered before. Try it again.")]
    PasskeyExpired,
    /// What is to be removed is the only way into the account.
    #[error("This is the only way into your account. Set a password or add another passkey first.")]
    LastCredential,
    /// A bounded queue is full.
    #[error("We're having trouble right now. Please try again in a few seconds.")]
    Busy,
    /// The database is away, full, read-only or out of connections. It passes.
    #[error("This site cannot reach its data right now. Wait a few seconds and try again.")]
    Unavailable(Outage),
    /// This node should get no requests now. Holds why.
    #[error("This server is not ready: {}.", .0.says())]
    NotReady(Unready),
    /// Something that is not the visitor's fault. The cause is for the log only.
    #[error("Something went wrong on our side. Nothing was changed; try again in a moment.")]
    Internal(#[source] anyhow::Error),
}

/// The house's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Something that nobody outside can mend, with its cause for the log.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        let cause = cause.into();
        let has_panicked = cause.downcast_ref().is_some_and(tokio::task::JoinError::is_panic);
        Error::Internal(if has_panicked { Panicked.into() } else { cause })
    }

    /// What happened, for an operator: more than a visitor is told.
    pub(crate) fn cause(&self) -> String {
        match self {
            Error::Internal(cause) => format!("{cause:#}"),
            Error::Unavailable(outage) => format!("{:#}", outage.cause),
            Error::Invalid(errors) => {
                errors.iter().flat_map(|(_, sentences)| sentences).cloned().collect::<Vec<_>>().join(" ")
            }
            error => error.to_string(),
        }
    }
}

impl Errors {
    /// About the whole form: it was sent too often, or at a bad moment. Nothing where `error` is no matter of waiting.
    pub(crate) fn of_waiting(error: &Error) -> Option<Self> {
        let seconds = match error {
            Error::TooManyAttempts(seconds) => Some(*seconds),
            Error::Busy | Error::Unavailable(_) | Error::Timeout => None,
            _ => return None,
        };
        Some(Self::waiting(error.to_string(), seconds))
    }
}

impl From<anyhow::Error> for Error {
    fn from(cause: anyhow::Error) -> Self {
        Error::Internal(cause)
    }
}

impl From<serde_json::Error> for Error {
    fn from(cause: serde_json::Error) -> Self {
        Error::internal(cause)
    }
}

impl From<askama::Error> for Error {
    fn from(cause: askama::Error) -> Self {
        Error::internal(cause)
    }
}

/// What keeps a node from being ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unready {
    /// The database cannot be written to.
    Database,
    /// The database has not all the tables that this program needs.
    Migrations,
    /// The outbox cannot be read.
    Outbox,
}

impl Unready {
    /// The stable name of it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Unready::Database => "database",
            Unready::Migrations => "migrations",
            Unready::Outbox => "outbox",
        }
    }

    fn says(self) -> &'static str {
        match self {
            Unready::Database => "its database cannot be written to",
            Unready::Migrations => "its database waits for `vestibule migrate`",
            Unready::Outbox => "its outbox cannot be read",
        }
    }
}

/// "a minute", "15 minutes": rounded up, so that trying again then works.
fn in_minutes(seconds: i64) -> String {
    match (seconds + 59) / 60 {
        0 | 1 => "a minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}

fn members_have_it(count: i64) -> String {
    match count {
        1 => "One member has this role".to_owned(),
        count => format!("{count} members have this role"),
    }
}
