//! Who asks: a person in a session, or a program with an API key.

use std::{pin::Pin, rc::Rc};

use actix_web::{FromRequest, HttpRequest, dev::Payload};

use super::{
    CurrentUser,
    access::{Access, Guard},
    app_of, bearer, forwarded,
    guard::Requirement,
};
use crate::{
    accounts::api_keys::{self, MISSES_A_MINUTE, Presented, USES_A_MINUTE},
    app::App,
    clock::Timestamp,
    error::{Error, Result},
    log,
    model::{api_key::ApiKeySecret, network::client_network},
    secret::Secret,
};

/// A user who is signed in, or an API key that works. A route that takes one asks the key what it holds; it never signs in, steps
/// up, or makes keys.
#[derive(Debug, Clone)]
pub(crate) enum Principal {
    /// Somebody signed in.
    User(CurrentUser),
    /// A program.
    ApiKey(KeyInUse),
}

/// A key that a request shows.
#[derive(Debug, Clone)]
pub(crate) struct KeyInUse {
    /// The key, and whose it is.
    pub presented: Rc<Presented>,
    /// When this request arrived.
    pub now: Timestamp,
}

impl KeyInUse {
    /// [`Error::KeyForbidden`] where it does not hold this permission.
    pub(crate) fn require(&self, permission: &str) -> Result<()> {
        match self.presented.key.holds(permission) {
            true => Ok(()),
            false => Err(Error::KeyForbidden(permission.to_owned())),
        }
    }
}

impl Guard for Principal {
    const ACCESS: Access = Access::SignedInOrApiKey;
}

impl FromRequest for Principal {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(secret) = bearer::presented(req) else {
            return Box::pin(std::future::ready(CurrentUser::check(req).map(Self::User)));
        };
        let req = req.clone();
        Box::pin(async move {
            let ip = forwarded::ip(&req).map(|ip| ip.to_string()).unwrap_or_default();
            key_in_use(app_of(&req)?, secret, &ip).await.map(Self::ApiKey)
        })
    }
}

/// The key with this secret, whose use is counted, and noted at most once a minute. [`Error::InvalidToken`] where it does not
/// work: without a query where its checksum is wrong, and [`Error::TooManyAttempts`] after many of them from one client.
async fn key_in_use(app: &App, secret: Secret<ApiKeySecret>, ip: &str) -> Result<KeyInUse> {
    if !secret.is_well_formed() {
        return Err(Error::InvalidToken);
    }
    let (now, rates, is_limited) = (app.now(), app.key_rates(), app.config().limits.are_on);
    let client = client_network(ip);
    if is_limited {
        rates.check(&client, MISSES_A_MINUTE, now)?;
    }
    let Some(presented) = app.read(move |conn| api_keys::authenticate(conn, &secret, now)).await? else {
        if is_limited {
            rates.count(&client, MISSES_A_MINUTE, now)?;
        }
        return Err(Error::InvalidToken);
    };
    if is_limited {
        rates.count(presented.key.id.as_str(), USES_A_MINUTE, now)?;
    }
    if let (Some(request), Some(user)) = (log::current(), presented.user_id()) {
        request.set_user(user.as_str());
    }
    if presented.key.needs_noting(now) {
        let (used, ip) = (presented.clone(), ip.to_owned());
        // A full disk must not keep a program out.
        if let Err(error) = app.write(move |tx| used.note_use(tx, &ip)).await {
            tracing::warn!(cause = error.cause(), "the use of an API key was not noted");
        }
    }
    Ok(KeyInUse { presented: Rc::new(presented), now })
}
