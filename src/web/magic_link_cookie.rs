//! A browser that asks for a link to sign in: what binds the link to it waits in the short-lived cookie.

use std::future::{Ready, ready};

use actix_session::{Session, SessionExt};
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::{Deserialize, Serialize};

use super::app_of;
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    mail::EmailAddress,
    model::token::{MagicLinkBrowser, MagicLinkRequest},
    secret::{Secret, random_text},
};

const KEY: &str = "magic_link";

/// A browser at the pages of links by mail. There is nothing here where they are switched off.
pub(crate) struct MagicLinkRequester {
    session: Session,
    held: Option<MagicLinkState>,
    // Until when a link that is asked for now works, and now, in seconds since the Unix epoch.
    until: i64,
    now: i64,
}

/// What the cookie keeps.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MagicLinkState {
    nonce: String,
    email: EmailAddress,
    until: i64,
}

impl MagicLinkState {
    /// What this browser holds for one normalised address.
    pub(crate) fn secret(&self, address: &str) -> Secret<MagicLinkBrowser> {
        Secret::from_text(format!("{} {address}", self.nonce))
    }

    /// The address that it asked with last, as it was typed.
    pub(crate) fn email(&self) -> &EmailAddress {
        &self.email
    }
}

impl MagicLinkRequester {
    /// Keeps the address, and what binds links to this browser. Asked twice, both links are bound to it.
    pub(crate) fn ask(&self, email: &EmailAddress) -> Result<Secret<MagicLinkBrowser>> {
        let nonce = match self.state() {
            Some(held) => held.nonce.clone(),
            None => random_text(32)?,
        };
        let held = MagicLinkState { nonce, email: email.clone(), until: self.until };
        let secret = held.secret(&email.normalized());
        self.session.insert(KEY, held).map_err(Error::internal)?;
        Ok(secret)
    }

    /// What this browser holds, while what it asked for can still work.
    pub(crate) fn state(&self) -> Option<&MagicLinkState> {
        let latest = Timestamp::from_unix(self.until).latest_start().unix();
        self.held.as_ref().filter(|held| (self.now + 1..=latest).contains(&held.until))
    }

    /// Whether `link` was asked for here.
    pub(crate) fn asked_for(&self, link: &MagicLinkRequest) -> bool {
        self.state().is_some_and(|held| held.secret(&link.address).digest() == link.browser)
    }

    /// Forgets it: the person is in.
    pub(crate) fn forget(&self) {
        self.session.remove(KEY);
    }
}

impl FromRequest for MagicLinkRequester {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let open = || {
            let app = app_of(req)?;
            if !app.config().magic_links {
                return Err(Error::NotFound);
            }
            let session = req.get_session();
            let held = session.get::<MagicLinkState>(KEY).ok().flatten();
            let now = app.now();
            let until = now + app.config().lifetimes.magic_link;
            Ok(Self { session, held, until: until.unix(), now: now.unix() })
        };
        ready(open())
    }
}
