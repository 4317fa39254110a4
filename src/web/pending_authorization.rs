//! The application that a browser is on the way to: kept in the short-lived cookie from its request until the answer, so that every
//! page between the two leads on to it, names it, and leads back to it with a no.

use actix_session::Session;
use serde::{Deserialize, Serialize};

use crate::{clock::Timestamp, urls};

const KEY: &str = "authorization";

// The cookie has neighbours.
const LONGEST_NAME: usize = 100;

/// The request of an application that waits for this browser.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PendingAuthorization {
    /// The secret of the request.
    pub request: String,
    /// What the application is called.
    pub application: String,
    // When it is over, in seconds since the Unix epoch.
    until: i64,
}

impl PendingAuthorization {
    /// Of `application`, waiting until then.
    pub(crate) fn new(request: &str, application: &str, until: Timestamp) -> Self {
        let application = application.chars().take(LONGEST_NAME).collect();
        Self { request: request.to_owned(), application, until: until.unix() }
    }

    /// Keeps it, in place of one before.
    pub(crate) fn remember(&self, session: &Session) {
        if let Err(cause) = session.insert(KEY, self) {
            tracing::error!(%cause, "what an application asks for could not be kept");
        }
    }

    /// The one that is kept, as long as it leads anywhere.
    pub(crate) fn of(session: &Session, now: Timestamp) -> Option<Self> {
        session.get::<Self>(KEY).ok().flatten().filter(|kept| kept.until > now.unix())
    }

    /// The path that goes on with it.
    pub(crate) fn path(&self) -> String {
        urls::with_query("/oauth/continue", [("request", self.request.as_str())])
    }
}

/// Forgets this request: it is answered, or over.
pub(crate) fn forget(session: &Session, request: &str) {
    if session.get::<PendingAuthorization>(KEY).ok().flatten().is_some_and(|kept| kept.request == request) {
        session.remove(KEY);
    }
}
