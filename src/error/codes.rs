//! The kinds that every floor knows, as refusals: and with them code, status and sentence of each error.

use std::fmt;

use super::{
    Error,
    refusal::{Particulars, Refusal, Way, refusals},
};

refusals! {
    UNAUTHENTICATED = ("sign_in_required", 401, "Sign in to continue.").redirect("/login", Way::RedirectWithNext);
    STEP_UP = ("reauthentication_required", 403, "Confirm it's you, then try again.");
    TOO_MANY_ATTEMPTS = ("too_many_attempts", 429, "Too many attempts. Wait {} and try again.").passing().warned();
    CONFLICT = ("conflict", 409, "That is done already, or someone else did it first. Check and try again.");
    NOT_FOUND = ("not_found", 404, "Check the address, or it may have been removed.").titled("Page not found");
    MALFORMED = ("malformed", 400, "The request could not be read: {}.");
    INVALID = ("invalid", 422, "Please check the fields below.");
    DEAD_LINK = ("dead_link", 422, "That link has expired, was used before, or a newer one replaced it.")
        .titled("This link no longer works");
    BUSY = ("busy", 503, "We're having trouble right now. Please try again in a few seconds.")
        .passing().header("retry-after", "5").warned();
    UNAVAILABLE = ("unavailable", 503, "This site cannot reach its data right now. Wait a few seconds and try again.")
        .passing().header("retry-after", "5");
    NOT_READY = ("not_ready", 503, "This server is not ready: {}.")
        .page("Not ready", "/readyz", "Look again").header("retry-after", "5");
    INTERNAL = ("internal", 500, "Something went wrong on our side. Nothing was changed; try again in a moment.")
        .titled("Something went wrong");
}

impl Error {
    /// What it is, in data.
    pub(crate) fn refusal(&self) -> &'static Refusal {
        match self {
            Error::Unauthenticated => UNAUTHENTICATED,
            Error::StepUp(_) => STEP_UP,
            Error::TooManyAttempts(_) => TOO_MANY_ATTEMPTS,
            Error::Conflict => CONFLICT,
            Error::NotFound => NOT_FOUND,
            Error::Malformed(_) => MALFORMED,
            Error::Invalid(_) => INVALID,
            Error::DeadLink => DEAD_LINK,
            Error::Busy => BUSY,
            Error::Unavailable(_) => UNAVAILABLE,
            Error::NotReady(_) => NOT_READY,
            Error::Internal(_) => INTERNAL,
            Error::Refused(refusal, _) => refusal,
        }
    }

    /// What it has beside its kind, where it is no kind that every floor knows.
    pub(crate) fn particulars(&self) -> Option<&Particulars> {
        match self {
            Error::Refused(_, particulars) => particulars.as_deref(),
            _ => None,
        }
    }

    /// The stable name of this error.
    pub(crate) fn code(&self) -> &'static str {
        self.refusal().code
    }

    /// The HTTP status of this error (RFC 9110 §15).
    pub(crate) fn status(&self) -> u16 {
        self.refusal().status
    }
}

impl Refusal {
    /// As an error.
    pub(crate) const fn error(&'static self) -> Error {
        Error::Refused(self, None)
    }

    /// As an error whose sentence has this name in it.
    pub(crate) fn about(&'static self, name: impl Into<String>) -> Error {
        self.with(Particulars::named(name))
    }

    /// As an error with more than its kind.
    pub(crate) fn with(&'static self, particulars: Particulars) -> Error {
        Error::Refused(self, Some(Box::new(particulars)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refusal = self.refusal();
        let names = match self {
            Error::TooManyAttempts(seconds) => vec![in_minutes(*seconds)],
            Error::Malformed(problem) => vec![problem.clone()],
            Error::NotReady(reason) => vec![reason.says().to_owned()],
            error => error.particulars().map(|own| own.names.clone()).unwrap_or_default(),
        };
        f.write_str(&refusal.says(&names))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Internal(cause) => Some(cause.as_ref()),
            _ => None,
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
