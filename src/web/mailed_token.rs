//! The token of a mailed link, for the page that it leads to.

use actix_web::{HttpMessage, HttpRequest};

/// The token of the link that led to the page that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct MailedToken(pub String);

impl MailedToken {
    /// That of this request, where it waited in the cookie.
    pub(crate) fn of(req: &HttpRequest) -> Option<Self> {
        req.extensions().get::<Self>().cloned()
    }
}
