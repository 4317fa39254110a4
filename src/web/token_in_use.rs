//! The access token of a request, one of this site's own, looked up once by the middleware that loads visitors; guards only look. It
//! counts alone, as an API key does: where there is one, nobody is signed in, and nothing that takes a step-up is open to it.

use std::{cell::Cell, net::IpAddr, rc::Rc, sync::Arc};

use actix_web::{HttpMessage, HttpRequest};

use super::forwarded;
use crate::{
    accounts::{api_keys::INVALID_TOKEN, grants, organisation_policy::GrantTraits, signing_keys::Ring},
    app::App,
    clock::Timestamp,
    db::Conn,
    error::{Error, Result, refusals},
    log,
    model::{
        audit::{Actor, ActorKind},
        grant::Grant,
        user::User,
    },
    oauth::{ACCOUNT_READ, read_access_token},
};

refusals! {
    /// An access token is good, and not for this (RFC 6750 §3.1).
    INSUFFICIENT_SCOPE = ("insufficient_scope", 403, "This access token lacks the scope {}.")
        .header("www-authenticate", "Bearer error=\"insufficient_scope\"");
}

/// An access token that is good.
#[derive(Debug, Clone)]
pub(crate) struct TokenInUse {
    /// Whose it is.
    pub user: User,
    /// What it rests on, as the token says it.
    pub grant: Grant,
    /// What organisations may ask something of.
    pub by: GrantTraits,
    /// Where the program is, as far as that is known.
    pub ip: Option<IpAddr>,
    /// When this request arrived.
    pub now: Timestamp,
}

impl TokenInUse {
    /// That it has a scope. [`INSUFFICIENT_SCOPE`] otherwise.
    pub(crate) fn require(&self, scope: &str) -> Result<()> {
        if self.grant.scopes().has(scope) { Ok(()) } else { Err(INSUFFICIENT_SCOPE.about(scope)) }
    }

    /// Its person, whose account it may read.
    pub(crate) fn reads_account(&self) -> Result<&User> {
        self.require(ACCOUNT_READ).map(|()| &self.user)
    }

    /// Its person as an actor in the audit.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            kind: ActorKind::User,
            user: Some(self.user.id.clone()),
            session: self.grant.session_id.clone(),
            key: None,
            ip: Some(self.ip.map(|ip| ip.to_string()).unwrap_or_default()),
        }
    }
}

/// What came of the token of a request; what is wrong is told to the first who asks.
enum Loaded {
    Works(Rc<TokenInUse>),
    Fails(Cell<Option<Error>>),
}

/// Looks up the token that a request shows, for [`of`].
pub(super) async fn load(req: &HttpRequest, app: &App, token: String) {
    let loaded = match look_up(req, app, token).await {
        Ok(found) => Loaded::Works(Rc::new(found)),
        Err(error) => Loaded::Fails(Cell::new(Some(error))),
    };
    req.extensions_mut().insert(loaded);
}

/// The token of this request, where it shows one; an error where that does not work.
pub(crate) fn of(req: &HttpRequest) -> Result<Option<Rc<TokenInUse>>> {
    match req.extensions().get() {
        Some(Loaded::Works(found)) => Ok(Some(Rc::clone(found))),
        Some(Loaded::Fails(cause)) => Err(cause.take().unwrap_or(INVALID_TOKEN.error())),
        None => Ok(None),
    }
}

/// The row is looked at, and not only the signature: what was ended opens nothing from then on.
async fn look_up(req: &HttpRequest, app: &App, token: String) -> Result<TokenInUse> {
    let (now, ip, site) = (app.now(), forwarded::ip(req), app.config().site.origin());
    let ring = match app.signing_keys().get(now) {
        Some(ring) => ring,
        None => {
            let keys = app.config().keys.clone();
            let ring = app.read(move |conn| Ring::load(conn, &keys, now)).await?;
            let ring = Arc::new(ring.ok_or_else(|| INVALID_TOKEN.error())?);
            app.signing_keys().keep(now, Arc::clone(&ring));
            ring
        }
    };
    let claims = read_access_token(&token, &ring.known, &site, now.unix());
    // One for another resource is not for this one (RFC 9068 §4).
    let claims = claims.filter(|claims| claims.aud.contains(&site)).ok_or_else(|| INVALID_TOKEN.error())?;
    let find = move |conn: &mut Conn| -> Result<Option<TokenInUse>> {
        let Some((grant, user)) = grants::of_token(conn, &claims, &site, now)? else { return Ok(None) };
        let by = grants::credential_of(conn, &grant, ip, now)?;
        Ok(Some(TokenInUse { user, grant, by, ip, now }))
    };
    let found = app.read(find).await?.ok_or_else(|| INVALID_TOKEN.error())?;
    if let Some(request) = log::current() {
        request.set_user(found.user.id.as_str());
    }
    Ok(found)
}
