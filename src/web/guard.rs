//! Who may enter, as types. One middleware loads the visitor with one query; the guards only look at it.

use std::{
    future::{Ready, ready},
    ops::Deref,
    rc::Rc,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};

use super::{client, door};
use crate::{
    app::App,
    clock::Timestamp,
    error::{Error, Result},
    model::{
        audit::{Actor, ActorKind},
        session::{self, Current},
        user::User,
    },
};

/// Somebody who is signed in, and the session that says so.
#[derive(Debug)]
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// Through which session.
    pub session: Current,
    /// When this request arrived.
    pub now: Timestamp,
    ip: String,
}

impl SignedIn {
    /// This person as an actor in the audit.
    pub fn actor(&self) -> Actor {
        Actor {
            kind: ActorKind::User,
            user: Some(self.user.id.clone()),
            session: Some(self.session.id.clone()),
            ip: Some(self.ip.clone()),
        }
    }
}

/// The visitor of this request, if signed in.
pub fn visitor(req: &HttpRequest) -> Option<Rc<SignedIn>> {
    req.extensions().get::<Rc<SignedIn>>().cloned()
}

/// Loads the visitor once, for everyone after it, and notes the activity at most once a minute.
pub async fn load_visitor(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> actix_web::Result<ServiceResponse<BoxBody>> {
    if let Some(secret) = door::presented(req.request()) {
        match load(&req, secret).await {
            Ok(Some(visitor)) => {
                req.extensions_mut().insert(Rc::new(visitor));
            }
            Ok(None) => {}
            // An answer, not an `Err`: the middlewares outside still have to see it.
            Err(error) => return Ok(refuse(req, &error)),
        }
    }
    next.call(req).await.map(ServiceResponse::map_into_boxed_body)
}

fn refuse(req: ServiceRequest, error: &Error) -> ServiceResponse<BoxBody> {
    let answer = super::refuse::answer(req.request(), error);
    req.into_response(answer)
}

async fn load(req: &ServiceRequest, secret: session::SessionSecret) -> Result<Option<SignedIn>> {
    let app = req.app_data::<Data<App>>().ok_or_else(|| anyhow::anyhow!("no App in this service"))?;
    let now = app.now();
    let Some((current, user)) = app.read(move |conn| session::visitor(conn, &secret, now)).await? else {
        return Ok(None);
    };
    if session::needs_touch(&current, now) {
        let touched = current.clone();
        // A full disk must not sign anybody out.
        if let Err(error) = app.write(move |tx| session::touch(tx, &touched)).await {
            tracing::warn!(?error, "activity was not noted");
        }
    }
    let ip = client::ip(req.request()).map(|ip| ip.to_string()).unwrap_or_default();
    Ok(Some(SignedIn { user, session: current, now, ip }))
}

/// Anybody, signed in or not. Says in a signature that this is meant.
#[derive(Debug, Clone)]
pub struct Anybody(Option<Rc<SignedIn>>);

impl Anybody {
    /// Who it is, if signed in.
    pub fn signed_in(&self) -> Option<&SignedIn> {
        self.0.as_deref()
    }
}

/// Someone who is signed in.
#[derive(Debug, Clone)]
pub struct CurrentUser(Rc<SignedIn>);

impl Deref for CurrentUser {
    type Target = SignedIn;

    fn deref(&self) -> &SignedIn {
        &self.0
    }
}

impl FromRequest for Anybody {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(visitor(req))))
    }
}

impl FromRequest for CurrentUser {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(visitor(req).map(Self).ok_or(Error::SignIn))
    }
}
