//! The API key of a request, looked up once by the middleware that loads visitors; guards only look. It counts alone: where there
//! is one, nobody is signed in.

use std::{cell::Cell, net::IpAddr, rc::Rc};

use actix_web::{HttpMessage, HttpRequest};

use super::forwarded;
use crate::{
    accounts::{
        api_keys::{self, ACCOUNT_READ, INVALID_TOKEN, MISSES_A_MINUTE, Presented, USES_A_MINUTE},
        policy,
    },
    app::App,
    clock::Timestamp,
    db::Conn,
    error::{Error, Result},
    log,
    model::{
        api_key::ApiKeySecret,
        audit::{ActingKey, Actor, ActorKind},
        network::client_network,
        user::User,
    },
    secret::Secret,
};

/// A key that works, as a request shows it.
#[derive(Debug, Clone)]
pub(crate) struct KeyInUse {
    /// The key, and whose it is.
    pub presented: Rc<Presented>,
    /// Where the program is, as far as that is known.
    pub ip: Option<IpAddr>,
    /// When this request arrived.
    pub now: Timestamp,
}

impl KeyInUse {
    /// Its person, whose account it may read. [`KEY_FORBIDDEN`] where it may not.
    pub(crate) fn reads_account(&self) -> Result<&User> {
        let user = self.presented.user().filter(|_| self.presented.key.holds(ACCOUNT_READ));
        user.ok_or_else(|| policy::key_forbidden(ACCOUNT_READ.to_owned()))
    }

    /// The program as an actor in the audit.
    pub(crate) fn actor(&self) -> Actor {
        let key = &self.presented.key;
        Actor {
            kind: ActorKind::ApiKey,
            user: self.presented.user_id().cloned(),
            session: None,
            key: Some(ActingKey {
                id: key.id.clone(),
                name: Some(key.name.clone()).filter(|_| self.presented.user().is_none()),
            }),
            ip: Some(text(self.ip)),
        }
    }
}

/// What came of the key of a request; what is wrong is told to the first who asks.
enum Loaded {
    Works(KeyInUse),
    Fails(Cell<Option<Error>>),
}

/// Looks up the key that a request shows, for [`of`].
pub(super) async fn load(req: &HttpRequest, app: &App, secret: Secret<ApiKeySecret>) {
    let asked = Asked { secret, ip: forwarded::ip(req), now: app.now() };
    let loaded = match asked.look_up(app).await {
        Ok(key) => Loaded::Works(key),
        Err(error) => Loaded::Fails(Cell::new(Some(error))),
    };
    req.extensions_mut().insert(loaded);
}

/// The key of this request, where it shows one; an error where that does not work.
pub(crate) fn of(req: &HttpRequest) -> Result<Option<KeyInUse>> {
    match req.extensions().get() {
        Some(Loaded::Works(key)) => Ok(Some(key.clone())),
        Some(Loaded::Fails(cause)) => Err(cause.take().unwrap_or(INVALID_TOKEN.error())),
        None => Ok(None),
    }
}

/// A secret as it came, not looked up yet.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The secret.
    pub secret: Secret<ApiKeySecret>,
    /// From where.
    pub ip: Option<IpAddr>,
    /// When.
    pub now: Timestamp,
}

impl Asked {
    async fn look_up(self, app: &App) -> Result<KeyInUse> {
        self.may_look_up()?;
        let asked = self.clone();
        let found = app.read(move |conn| asked.find(conn)).await?;
        self.use_found(found, app).await
    }

    /// That it may be looked up: [`INVALID_TOKEN`] where its checksum is wrong, which takes no query.
    pub(crate) fn may_look_up(&self) -> Result<()> {
        if self.secret.is_well_formed() { Ok(()) } else { Err(INVALID_TOKEN.error()) }
    }

    /// The key, if it works: one indexed query.
    pub(crate) fn find(&self, conn: &mut Conn) -> Result<Option<Presented>> {
        api_keys::authenticate(conn, &self.secret, self.now)
    }

    /// The key that was found: its use is counted, and noted at most once a minute. [`INVALID_TOKEN`] where none was, and
    /// [`Error::TooManyAttempts`] after many of those from one client: never for a key that works, whoever its neighbours are.
    pub(crate) async fn use_found(self, found: Option<Presented>, app: &App) -> Result<KeyInUse> {
        let (rates, is_limited) = (app.key_rates(), app.config().limits.are_on);
        let Some(presented) = found else {
            if is_limited {
                rates.check(&self.client(), MISSES_A_MINUTE, self.now)?;
                rates.count(&self.client(), MISSES_A_MINUTE, self.now)?;
            }
            return Err(INVALID_TOKEN.error());
        };
        if is_limited {
            rates.count(presented.key.id.as_str(), USES_A_MINUTE, self.now)?;
        }
        if let Some(request) = log::current() {
            request.set_key(presented.key.id.as_str());
            if let Some(user) = presented.user_id() {
                request.set_user(user.as_str());
            }
        }
        if presented.key.needs_noting(self.now) {
            let (used, ip) = (presented.clone(), text(self.ip));
            app.note("the use of an API key", move |tx| used.note_use(tx, &ip)).await;
        }
        Ok(KeyInUse { presented: Rc::new(presented), ip: self.ip, now: self.now })
    }

    fn client(&self) -> String {
        client_network(&text(self.ip))
    }
}

fn text(ip: Option<IpAddr>) -> String {
    ip.map(|ip| ip.to_string()).unwrap_or_default()
}
