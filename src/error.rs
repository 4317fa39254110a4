//! The one Error: what went wrong, in a sentence a person can act on, with a stable code.
//!
//! An `Error` knows its code and its status; `web::error_response` turns it into a page or JSON, once. What only one use case
//! refuses is declared beside it, with `refusals!`.

mod codes;
mod database;
mod inputs;
mod outage;
mod refusal;
mod step_up;

pub(crate) use self::{
    codes::REFUSALS,
    database::{POOLER_ADVICE, READ_ONLY_ADVICE},
    inputs::Errors,
    outage::Outage,
    refusal::{Particulars, Refusal, Way, refusals},
    step_up::StepUp,
};

use crate::log::Panicked;

/// What can be refused, or go wrong: the kinds that every floor knows, and [`Error::Refused`] for what a use case declares.
#[expect(
    private_interfaces,
    reason = "an application matches the kinds; what is refused besides is read from its answer"
)]
#[derive(Debug)]
pub enum Error {
    /// Nobody is signed in, or the session has ended.
    Unauthenticated,
    /// A sensitive act needs a proof that is no older than five minutes.
    StepUp(Box<StepUp>),
    /// Too many tries. Holds the seconds until the next one.
    TooManyAttempts(i64),
    /// Somebody else did it first, or it is done already.
    Conflict,
    /// Nothing here, or it belongs to somebody else.
    NotFound,
    /// The body or the address could not be read at all. Holds why, without its full stop.
    Malformed(String),
    /// Single inputs are at fault; the sentences are in `Errors`.
    Invalid(Errors),
    /// A link or token that is unknown, expired, or replaced by a newer one.
    DeadLink,
    /// A bounded queue is full.
    Busy,
    /// The database is away, full, read-only or out of connections. It passes.
    Unavailable(Outage),
    /// This node should get no requests now. Holds why.
    NotReady(Unready),
    /// Something that is not the visitor's fault. The cause is for the log only.
    Internal(anyhow::Error),
    /// What one use case refuses. Holds which refusal, and what its sentence names.
    Refused(&'static Refusal, Option<Box<Particulars>>),
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
            error if error.refusal().way == Way::Again => None,
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
