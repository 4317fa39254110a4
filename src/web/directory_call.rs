//! A call of an identity provider into the directory of an organisation (SCIM): the token in `Authorization: Bearer` says which, and
//! nothing else counts, no cookie either.

use std::{future::Future, net::IpAddr, pin::Pin};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, HttpResponse,
    dev::Payload,
    http::{StatusCode, header},
};
use serde_json::{Map, Value};

use super::{
    access::{Access, Guard},
    app_of, forwarded, input,
    negotiation::header_text,
    request_refused::TIMEOUT,
};
use crate::{
    accounts::directories::{self, Caller, Place},
    app::App,
    clock::Timestamp,
    error::{Error, Result},
    log,
    model::{
        audit::Actor,
        directory::token::{DirectorySecret, DirectoryToken},
        network::client_network,
    },
    scim::{INVALID_DIRECTORY_TOKEN, MEDIA_TYPE, UNSUPPORTED_SCIM_MEDIA, closed, read},
    secret::Secret,
};

/// Tokens that do not work, a minute from one network.
const MISSES_A_MINUTE: u32 = 20;

/// A call by a token that works.
#[derive(Debug)]
pub(crate) struct DirectoryCall {
    /// Who calls, and where.
    pub caller: Caller,
    /// From where, as far as that is known.
    pub ip: Option<IpAddr>,
}

impl DirectoryCall {
    /// The identity provider as an actor in the audit.
    pub(crate) fn actor(&self) -> Actor {
        self.caller.actor(text(self.ip))
    }

    /// Where it acts.
    pub(crate) fn place(&self) -> &Place {
        &self.caller.place
    }
}

impl Guard for DirectoryCall {
    const ACCESS: Access = Access::Directory;
}

impl FromRequest for DirectoryCall {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            let app = app_of(&req)?;
            if !app.config().scim {
                return Err(Error::NotFound);
            }
            let (secret, ip, now) = (presented(&req), forwarded::ip(&req), app.now());
            let found = match secret {
                Some(secret) => app.read(move |conn| directories::authenticate(conn, &secret, now)).await?,
                None => None,
            };
            let caller = use_found(app, found, ip, now)?;
            note_use(app, &caller.token, ip, now).await;
            if caller.place.directory.is_paused {
                let sentence = "An owner of the organisation has paused its directory.";
                return Err(closed(sentence));
            }
            Ok(Self { caller, ip })
        })
    }
}

/// The token that a request presents, where there is one of that kind, once.
fn presented(req: &HttpRequest) -> Option<Secret<DirectorySecret>> {
    let mut lines = req.headers().get_all(header::AUTHORIZATION);
    let line = String::from_utf8_lossy(lines.next()?.as_bytes()).into_owned();
    let (scheme, token) = line.trim().split_once([' ', '\t'])?;
    let is_one = scheme.eq_ignore_ascii_case("bearer") && lines.next().is_none();
    is_one.then(|| Secret::from_text(token.trim()))
}

/// The caller that was found, counted. [`INVALID_DIRECTORY_TOKEN`] where there is none, and [`Error::TooManyAttempts`] after many of
/// those from one network, or too many calls of one directory.
fn use_found(app: &App, found: Option<Caller>, ip: Option<IpAddr>, now: Timestamp) -> Result<Caller> {
    let (rates, is_limited) = (app.key_rates(), app.config().limits.are_on);
    let Some(caller) = found else {
        if is_limited {
            let network = format!("scim {}", client_network(&text(ip)));
            rates.count(&network, MISSES_A_MINUTE, now)?;
        }
        return Err(INVALID_DIRECTORY_TOKEN.error());
    };
    if is_limited {
        let directory = caller.place.directory.id.as_str();
        rates.count(directory, app.config().limits.scim_per_minute, now)?;
    }
    if let Some(request) = log::current() {
        request.set_key(caller.token.id.as_str());
    }
    Ok(caller)
}

async fn note_use(app: &App, token: &DirectoryToken, ip: Option<IpAddr>, now: Timestamp) {
    if token.needs_noting(now) {
        let (token, ip) = (token.clone(), text(ip));
        app.note("the use of a directory's token", move |tx| directories::note_use(tx, &token, &ip)).await;
    }
}

fn text(ip: Option<IpAddr>) -> String {
    ip.map(|ip| ip.to_string()).unwrap_or_default()
}

/// The body of a call: an object, its names in lower case.
#[derive(Debug)]
pub(crate) struct DirectoryBody(pub Map<String, Value>);

impl FromRequest for DirectoryBody {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = req.content_type().to_ascii_lowercase();
        let is_packed = req.headers().contains_key(header::CONTENT_ENCODING);
        let (app, payload) = (app_of(req).cloned(), payload.take());
        Box::pin(async move {
            let app = app?;
            // Some name an older type of JSON, or none.
            let is_json = [MEDIA_TYPE, "application/json", "text/json", ""].contains(&kind.as_str());
            if is_packed || !is_json {
                return Err(UNSUPPORTED_SCIM_MEDIA.error());
            }
            let whole = input::collect(payload, app.config().scim_body_limit);
            let bytes = tokio::time::timeout(app.config().body_timeout, whole)
                .await
                .map_err(|_| TIMEOUT.error())??;
            read(&bytes).map(Self)
        })
    }
}

/// The versions that a write may find (`If-Match`), where it says any.
pub(crate) fn expected(req: &HttpRequest) -> Option<String> {
    header_text(req, header::IF_MATCH)
}

/// An answer in the form of SCIM.
pub(crate) fn answer(status: StatusCode, body: &Value) -> HttpResponse {
    HttpResponse::build(status).content_type(MEDIA_TYPE).body(body.to_string())
}
