//! The visitor of a request. One middleware loads them with one query; everyone after it only looks.

use std::{cell::Cell, net::IpAddr, rc::Rc};

use actix_web::{
    HttpMessage, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};
use chrono::TimeDelta;

use super::{
    app_of, bearer,
    directory_path::is_of_directory,
    forwarded, gate_paths, key_in_use, negotiation, session_cookie,
    together::{self, FirstFound},
    token_in_use,
};
use crate::{
    accounts::{organisation_policy::SessionTraits, sessions, step_up},
    app::App,
    clock::Timestamp,
    db::Tx,
    error::{Error, Result, StepUp, Way, refusals},
    ids::OrganisationId,
    kinds::{StepUpMethod, Strength},
    log,
    model::{
        audit::{Actor, ActorKind},
        device::Device,
        organisation::CurrentOrganisation,
        session::{self, CurrentSession, UserAgentChange},
        user::User,
    },
};

refusals! {
    /// The session was used from another device, and is locked. Told only to whoever holds its secret.
    SESSION_LOCKED = (
        "session_locked", 401,
        "You were signed out because this session was used from another device. Sign in again."
    ).redirect("/login", Way::RedirectWithNext);
}

// Its body says whether it counts as activity.
const NOTES_ACTIVITY_ITSELF: &str = "/auth/check";

/// Somebody who is signed in, and the session that says so.
#[derive(Debug)]
pub(crate) struct Authenticated {
    /// Who.
    pub user: User,
    /// Through which session.
    pub session: CurrentSession,
    /// The organisation in use: a hint, never a right.
    pub organisation: Option<CurrentOrganisation>,
    /// When this request arrived.
    pub now: Timestamp,
    provider: Option<OrganisationId>,
    /// Where the client is, as far as that is known.
    pub(crate) ip: Option<IpAddr>,
    step_up: TimeDelta,
}

impl Authenticated {
    /// Until when the last step-up in this session is good.
    pub(crate) fn stepped_up_until(&self) -> Option<Timestamp> {
        let stepped_up_at = self.session.stepped_up_at.filter(|at| *at <= self.now.latest_start())?;
        Some(stepped_up_at + self.step_up)
    }

    /// Whether they confirmed lately that it is them.
    pub(crate) fn is_stepped_up(&self) -> bool {
        self.stepped_up_until().is_some_and(|until| until > self.now)
    }

    /// Whether they confirmed it with a second factor.
    pub(crate) fn is_stepped_up_with_second_factor(&self) -> bool {
        self.is_stepped_up() && self.session.stepped_up_with.is_some_and(StepUpMethod::is_second_factor)
    }

    /// Whether what they confirmed it with is as strong as a sign-in.
    pub(crate) async fn is_stepped_up_in_full(&self, app: &App) -> Result<bool> {
        if self.is_stepped_up_with_second_factor() {
            return Ok(true);
        }
        let (user, with) = (self.user.id.clone(), self.session.stepped_up_with);
        Ok(self.is_stepped_up() && app.read(move |conn| step_up::is_full(conn, &user, with)).await?)
    }

    /// The methods by which this person can make a step-up of this strength.
    pub(crate) async fn methods(&self, app: &App, strength: Strength) -> Result<Vec<&'static str>> {
        let (user, config) = (self.user.clone(), app.clone());
        app.read(move |conn| step_up::methods(conn, config.config(), &user, strength)).await
    }

    /// The refusal of what needs a step-up of this strength; `resume` names the form that was kept.
    pub(crate) async fn step_up_required(
        &self,
        app: &App,
        strength: Strength,
        resume: Option<String>,
    ) -> Result<Error> {
        let methods = self.methods(app, strength).await?;
        Ok(Error::StepUp(Box::new(StepUp { methods, strength, resume })))
    }

    /// Notes that the session is used, at most once a minute.
    pub(crate) async fn note_activity(&self, app: &App) {
        if !session::needs_touch(&self.session, self.now) {
            return;
        }
        let touched = self.session.clone();
        app.note("activity", move |tx| session::touch(tx, &touched)).await;
    }

    /// What an organisation may ask of this session.
    pub(crate) fn traits(&self) -> SessionTraits {
        SessionTraits::of(&self.session, self.provider.clone(), self.ip, self.now)
    }

    /// This person as an actor in the audit.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            kind: ActorKind::User,
            user: Some(self.user.id.clone()),
            session: Some(self.session.id.clone()),
            key: None,
            ip: Some(self.ip.map(|ip| ip.to_string()).unwrap_or_default()),
        }
    }
}

/// What came of the session that a request presents.
enum Presented {
    /// It is somebody's.
    Live(Rc<Authenticated>),
    /// It is locked, for another device used it. Told only to whoever shows its secret, as this request does.
    Locked,
    /// It has ended, or never was one.
    Dead,
    /// Nobody can tell: the database is away. What needs no database is served all the same, and the cause is told to
    /// the first who asks who the visitor is.
    Unknown(Cell<Option<Error>>),
}

/// The visitor of this request, if signed in; an error where the database did not tell.
pub(crate) fn of(req: &HttpRequest) -> Result<Option<Rc<Authenticated>>> {
    match req.extensions().get() {
        Some(Presented::Live(visitor)) => Ok(Some(Rc::clone(visitor))),
        Some(Presented::Unknown(cause)) => Err(cause.take().unwrap_or(Error::Busy)),
        Some(Presented::Locked | Presented::Dead) | None => Ok(None),
    }
}

/// Whether the session that this request presents is locked.
pub(crate) fn is_locked(req: &HttpRequest) -> bool {
    matches!(req.extensions().get(), Some(Presented::Locked))
}

/// Loads the visitor once, for everyone after it, and notes the activity at most once a minute.
pub(crate) async fn load(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> actix_web::Result<ServiceResponse<BoxBody>> {
    // What a proxy passes on is of another host, and may have another user agent.
    // Nor does a directory's caller have a cookie that counts.
    if gate_paths::is_for_proxies(req.path()) || is_of_directory(req.path()) {
        return next.call(req).await.map(ServiceResponse::map_into_boxed_body);
    }
    // An API key counts alone.
    if let Some(secret) = bearer::presented(req.request()) {
        key_in_use::load(req.request(), app_of(req.request())?, secret).await;
        return next.call(req).await.map(ServiceResponse::map_into_boxed_body);
    }
    // And so does an access token; what applications ask reads its own.
    if !req.path().starts_with("/oauth")
        && let Some(token) = bearer::access_token(req.request())
    {
        token_in_use::load(req.request(), app_of(req.request())?, token).await;
        return next.call(req).await.map(ServiceResponse::map_into_boxed_body);
    }
    let secrets = session_cookie::presented(req.request());
    if !secrets.is_empty() {
        let presented = find(&req, secrets).await;
        let presented = presented.unwrap_or_else(|error| Presented::Unknown(Cell::new(Some(error))));
        if let (Presented::Live(visitor), Some(request)) = (&presented, log::current()) {
            request.set_user(visitor.user.id.as_str());
        }
        req.extensions_mut().insert(presented);
    }
    next.call(req).await.map(ServiceResponse::map_into_boxed_body)
}

async fn find(req: &ServiceRequest, secrets: Vec<session::SessionSecret>) -> Result<Presented> {
    let app = app_of(req.request())?;
    let (now, first_read) = (app.now(), together::of(req));
    let (found, is_locked, mut first_found) = app
        .read(move |conn| {
            let mut found = secrets.iter().map(|secret| sessions::visitor(conn, secret, now));
            let found = found.find_map(Result::transpose).transpose()?;
            // Looked at only where nobody is signed in: whoever is pays nothing for it.
            let is_locked = found.is_none() && session::is_locked(conn, &secrets, now)?;
            let first_found = match (&found, first_read) {
                (Some((_, user, ..)), Some(read)) => Some(read(conn, &user.id, now)?),
                _ => None,
            };
            Ok((found, is_locked, first_found))
        })
        .await?;
    let Some((session, user, organisation, provider)) = found else {
        return Ok(if is_locked { Presented::Locked } else { Presented::Dead });
    };
    let ip = forwarded::ip(req.request());
    let step_up = app.config().lifetimes.step_up;
    let visitor = Authenticated { user, session, organisation, now, provider, ip, step_up };
    let user_agent = negotiation::user_agent(req.request());
    if visitor.session.user_agent != user_agent && !is_same_device(app, &visitor, user_agent).await? {
        return Ok(Presented::Locked);
    }
    if session::needs_touch(&visitor.session, now) && req.path() != NOTES_ACTIVITY_ITSELF {
        // What was read is from before that.
        first_found = None;
        visitor.note_activity(app).await;
    }
    if let Some(found) = first_found {
        req.extensions_mut().insert(FirstFound(found));
    }
    Ok(Presented::Live(Rc::new(visitor)))
}

/// A newer version of a browser is noted, and another name that its device may give is let pass. What cannot be one device
/// means that the secret is in other hands: the session is locked, for whoever stole it and for its owner alike.
async fn is_same_device(app: &App, visitor: &Authenticated, user_agent: String) -> Result<bool> {
    let (id, owner, actor) = (visitor.session.id.clone(), visitor.user.id.clone(), visitor.actor());
    match session::classify(&visitor.session, &user_agent) {
        UserAgentChange::Version => {
            // Together with the activity, and like it.
            if session::needs_touch(&visitor.session, visitor.now) {
                let note = move |tx: &mut Tx| session::note_version(tx, &id, &user_agent);
                app.note("a newer version of a browser", note).await;
            }
            Ok(true)
        }
        UserAgentChange::Name => Ok(true),
        UserAgentChange::Device => {
            tracing::warn!(
                session.id = %id,
                user.id = %owner,
                client = actor.ip,
                "a session is used from another device and is locked"
            );
            app.write(move |tx| sessions::lock(tx, &actor, &owner, &id, &Device::of(&user_agent))).await?;
            Ok(false)
        }
    }
}
