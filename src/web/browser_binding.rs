//! A mark that one browser holds in its short-lived cookie, so that only where something began it can end.

use std::future::{Ready, ready};

use actix_session::{Session, SessionExt};
use actix_web::{FromRequest, HttpRequest, dev::Payload};

use crate::{
    error::{Error, Result},
    secret,
};

const KEY: &str = "mark";

/// The mark of the browser at the other end.
pub(crate) struct BrowserBinding(Session);

impl BrowserBinding {
    /// The mark that this browser holds.
    pub(crate) fn get(&self) -> Option<String> {
        self.0.get(KEY).ok().flatten()
    }

    /// The digest of the mark that a browser holds.
    pub(crate) fn digest(session: &Session) -> Option<String> {
        Self(session.clone()).get().map(|mark| secret::digest(&mark))
    }

    /// The same, or a new one where it holds none.
    pub(crate) fn get_or_create(&self) -> Result<String> {
        if let Some(mark) = self.get() {
            return Ok(mark);
        }
        let mark = secret::random_text(32)?;
        self.0.insert(KEY, &mark).map_err(Error::internal)?;
        Ok(mark)
    }
}

impl FromRequest for BrowserBinding {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(req.get_session())))
    }
}
