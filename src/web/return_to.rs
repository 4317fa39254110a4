//! Where a browser wanted to go before it was sent to confirm its address. Waits in the short-lived cookie.

use std::future::{Ready, ready};

use actix_session::{Session, SessionExt};
use actix_web::{FromRequest, HttpRequest, dev::Payload};

use super::local_path;
use crate::error::{Error, Result};

const KEY: &str = "next";

// A browser keeps 4,096 bytes of a cookie (RFC 6265 §6.1): this, sealed and in base64, leaves room for its neighbours.
const LONGEST: usize = 2_100;

/// The way on, kept from one page to another.
pub(crate) struct ReturnTo(Session);

impl ReturnTo {
    /// Keeps a path on this site; anything else is forgotten, and what would not fit into a cookie with the rest.
    pub(crate) fn remember(&self, next: Option<&str>) {
        if let Some(path) = local_path(next)
            && path.len() <= LONGEST
            && let Err(cause) = self.0.insert(KEY, path)
        {
            tracing::error!(%cause, "the way on could not be kept");
        }
    }

    /// The path that was kept, once.
    pub(crate) fn take(&self) -> Option<String> {
        let path = self.0.get::<String>(KEY).ok().flatten()?;
        self.0.remove(KEY);
        local_path(Some(&path))
    }
}

impl FromRequest for ReturnTo {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(req.get_session())))
    }
}
