//! Who may enter, as types. One middleware loads the visitor with one query; the guards only look at it.

use std::{
    cell::Cell,
    future::{Ready, ready},
    marker::PhantomData,
    net::IpAddr,
    ops::Deref,
    pin::Pin,
    rc::Rc,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
};
use chrono::TimeDelta;

use super::{
    app_of, client, door, forwarded,
    interrupted::{self, HeldBody},
    reply,
};
use crate::{
    accounts::step_up,
    app::App,
    clock::Timestamp,
    error::{Error, Result, StepUp},
    kinds::{StepUpMethod, Strength},
    log,
    model::{
        audit::{Actor, ActorKind},
        device::Device,
        session::{self, Change, Current},
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
    ip: Option<IpAddr>,
    step_up: TimeDelta,
}

impl SignedIn {
    /// Until when the last step-up in this session is good.
    pub fn proved_until(&self) -> Option<Timestamp> {
        let proved_at = self.session.proved_at.filter(|at| *at <= self.now.latest_start())?;
        Some(proved_at + self.step_up)
    }

    /// Whether they confirmed lately that it is them.
    pub fn is_recent(&self) -> bool {
        self.proved_until().is_some_and(|until| until > self.now)
    }

    /// Whether they confirmed it with a second factor.
    fn is_recent_with_second_factor(&self) -> bool {
        self.is_recent() && self.session.stepped_up_with.is_some_and(StepUpMethod::is_second_factor)
    }

    /// Whether what they confirmed it with is as strong as a sign-in.
    async fn is_recent_in_full(&self, app: &App) -> Result<bool> {
        let (user, with) = (self.user.id.clone(), self.session.stepped_up_with);
        Ok(self.is_recent() && app.read(move |conn| step_up::is_full(conn, &user, with)).await?)
    }

    /// The methods by which this person can make a step-up of this strength.
    pub async fn methods(&self, app: &App, strength: Strength) -> Result<Vec<&'static str>> {
        let user = self.user.clone();
        app.read(move |conn| step_up::methods(conn, &user, strength)).await
    }

    async fn stale(&self, app: &App, strength: Strength, resume: Option<String>) -> Result<Error> {
        let methods = self.methods(app, strength).await?;
        Ok(Error::StepUp(Box::new(StepUp { methods, strength, resume })))
    }

    /// This person as an actor in the audit.
    pub fn actor(&self) -> Actor {
        Actor {
            kind: ActorKind::User,
            user: Some(self.user.id.clone()),
            session: Some(self.session.id.clone()),
            ip: Some(self.ip.map(|ip| ip.to_string()).unwrap_or_default()),
        }
    }
}

/// What came of the session that a request presents.
enum Presented {
    /// It is somebody's.
    Live(Rc<SignedIn>),
    /// It is locked, for another device used it. Told only to whoever shows its secret, as this request does.
    Locked,
    /// It has ended, or never was one.
    Dead,
    /// Nobody can tell: the database is away. What needs no database is served all the same, and the cause is told to
    /// the first who asks who the visitor is.
    Unknown(Cell<Option<Error>>),
}

/// The visitor of this request, if signed in; an error where the database did not tell.
pub fn visitor(req: &HttpRequest) -> Result<Option<Rc<SignedIn>>> {
    match req.extensions().get() {
        Some(Presented::Live(visitor)) => Ok(Some(Rc::clone(visitor))),
        Some(Presented::Unknown(cause)) => Err(cause.take().unwrap_or(Error::Busy)),
        Some(Presented::Locked | Presented::Dead) | None => Ok(None),
    }
}

/// Whether the session that this request presents is locked.
pub fn is_locked(req: &HttpRequest) -> bool {
    matches!(req.extensions().get(), Some(Presented::Locked))
}

/// Loads the visitor once, for everyone after it, and notes the activity at most once a minute.
pub async fn load_visitor(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> actix_web::Result<ServiceResponse<BoxBody>> {
    let secrets = door::presented(req.request());
    if !secrets.is_empty() {
        let presented = load(&req, secrets).await;
        let presented = presented.unwrap_or_else(|error| Presented::Unknown(Cell::new(Some(error))));
        if let (Presented::Live(visitor), Some(request)) = (&presented, log::current()) {
            request.set_user(visitor.user.id.as_str());
        }
        req.extensions_mut().insert(presented);
    }
    next.call(req).await.map(ServiceResponse::map_into_boxed_body)
}

async fn load(req: &ServiceRequest, secrets: Vec<session::SessionSecret>) -> Result<Presented> {
    let app = app_of(req.request())?;
    let now = app.now();
    let (found, is_locked) = app
        .read(move |conn| {
            let mut found = secrets.iter().map(|secret| session::visitor(conn, secret, now));
            let found = found.find_map(Result::transpose).transpose()?;
            // Looked at only where nobody is signed in: whoever is pays nothing for it.
            let is_locked = found.is_none() && session::is_locked(conn, &secrets, now)?;
            Ok((found, is_locked))
        })
        .await?;
    let Some((session, user)) = found else {
        return Ok(if is_locked { Presented::Locked } else { Presented::Dead });
    };
    let ip = forwarded::ip(req.request());
    let visitor = SignedIn { user, session, now, ip, step_up: app.config().lifetimes.step_up };
    let user_agent = client::user_agent(req.request());
    if visitor.session.user_agent != user_agent && !is_same_device(app, &visitor, user_agent).await? {
        return Ok(Presented::Locked);
    }
    if session::needs_touch(&visitor.session, now) {
        let touched = visitor.session.clone();
        // A full disk must not sign anybody out.
        if let Err(error) = app.write(move |tx| session::touch(tx, &touched)).await {
            tracing::warn!(cause = error.cause(), "activity was not noted");
        }
    }
    Ok(Presented::Live(Rc::new(visitor)))
}

/// A newer version of a browser is noted, and another name that its device may give is let pass. What cannot be one device
/// means that the secret is in other hands: the session is locked, for whoever stole it and for its owner alike.
async fn is_same_device(app: &App, visitor: &SignedIn, user_agent: String) -> Result<bool> {
    let (id, owner, actor) = (visitor.session.id.clone(), visitor.user.id.clone(), visitor.actor());
    match session::judge(&visitor.session, &user_agent) {
        Change::Version => {
            // Together with the activity, and like it: a full disk must not sign anybody out.
            if session::needs_touch(&visitor.session, visitor.now)
                && let Err(error) = app.write(move |tx| session::note_version(tx, &id, &user_agent)).await
            {
                tracing::warn!(cause = error.cause(), "a newer version of a browser was not noted");
            }
            Ok(true)
        }
        Change::Name => Ok(true),
        Change::Device => {
            tracing::warn!(
                session.id = %id,
                user.id = %owner,
                client = actor.ip,
                "a session is used from another device and is locked"
            );
            app.write(move |tx| session::lock(tx, &actor, &owner, &id, &Device::of(&user_agent))).await?;
            Ok(false)
        }
    }
}

/// Anybody, signed in or not. Says in a signature that this is meant. Refused where the database does not tell which; a
/// page that needs no database takes an `Option` of a guard, and is then as for a stranger.
#[derive(Debug, Clone)]
pub struct Anybody(Option<Rc<SignedIn>>);

impl Anybody {
    /// Who it is, if signed in.
    pub fn signed_in(&self) -> Option<&SignedIn> {
        self.0.as_deref()
    }
}

/// Someone who is signed in, also while their account waits to be deleted: for the pages on that, and the way back.
#[derive(Debug, Clone)]
pub struct EvenLeaving(Rc<SignedIn>);

/// Someone who is signed in.
#[derive(Debug, Clone)]
pub struct CurrentUser(Rc<SignedIn>);

/// Someone signed in whose address is confirmed.
#[derive(Debug, Clone)]
pub struct VerifiedUser(CurrentUser);

/// Someone who also confirmed, in this session and within the step-up window, that it is them; as strongly as at a sign-in,
/// or by [`Any`] method.
#[derive(Debug, Clone)]
pub struct Recent<G, S = Full>(G, PhantomData<S>);

/// Signed in and recently proved; the address may be a claim.
pub type RecentUser = Recent<CurrentUser>;

/// Confirmed and recently proved: what changes who owns an account asks for.
pub type RecentAuth = Recent<VerifiedUser>;

/// A step-up by any method is enough.
#[derive(Debug, Clone)]
pub struct Any;

/// A step-up has to be as strong as a sign-in: see [`step_up::is_full`].
#[derive(Debug, Clone)]
pub struct Full;

/// How strong a step-up has to be.
pub trait Strong {
    /// The strength as a value.
    const STRENGTH: Strength;
}

impl Strong for Any {
    const STRENGTH: Strength = Strength::Any;
}

impl Strong for Full {
    const STRENGTH: Strength = Strength::Full;
}

impl Deref for EvenLeaving {
    type Target = SignedIn;

    fn deref(&self) -> &SignedIn {
        &self.0
    }
}

impl Deref for CurrentUser {
    type Target = SignedIn;

    fn deref(&self) -> &SignedIn {
        &self.0
    }
}

impl Deref for VerifiedUser {
    type Target = CurrentUser;

    fn deref(&self) -> &CurrentUser {
        &self.0
    }
}

impl<G, S> Deref for Recent<G, S> {
    type Target = G;

    fn deref(&self) -> &G {
        &self.0
    }
}

/// A requirement that can be looked up without waiting.
trait Guard: Sized {
    fn admit(req: &HttpRequest) -> Result<Self>;
}

impl Guard for EvenLeaving {
    fn admit(req: &HttpRequest) -> Result<Self> {
        visitor(req)?.map(Self).ok_or(if is_locked(req) { Error::SessionLocked } else { Error::SignIn })
    }
}

impl Guard for CurrentUser {
    fn admit(req: &HttpRequest) -> Result<Self> {
        let EvenLeaving(who) = EvenLeaving::admit(req)?;
        if who.user.is_leaving() { Err(Error::DeletionScheduled) } else { Ok(Self(who)) }
    }
}

impl Guard for VerifiedUser {
    fn admit(req: &HttpRequest) -> Result<Self> {
        let who = CurrentUser::admit(req)?;
        if who.user.is_verified() { Ok(Self(who)) } else { Err(Error::EmailUnverified) }
    }
}

impl FromRequest for Anybody {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(visitor(req).map(Self))
    }
}

impl FromRequest for EvenLeaving {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::admit(req))
    }
}

impl FromRequest for CurrentUser {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::admit(req))
    }
}

impl FromRequest for VerifiedUser {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::admit(req))
    }
}

impl<G, S> FromRequest for Recent<G, S>
where
    G: Guard + 'static,
    S: Strong + 'static,
{
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    /// Where the step-up is too old or too weak, a form that a browser sent is kept, to be continued after the next one.
    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let who = match G::admit(req) {
            Ok(who) => Self(who, PhantomData),
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let visitor = match EvenLeaving::admit(req) {
            Ok(EvenLeaving(visitor)) => visitor,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let is_enough = match S::STRENGTH {
            Strength::Any => visitor.is_recent(),
            Strength::Full => visitor.is_recent_with_second_factor(),
        };
        if is_enough {
            return Box::pin(ready(Ok(who)));
        }
        let is_form = req.content_type() == "application/x-www-form-urlencoded";
        let keeps = req.method() == Method::POST && reply::wants_html(req.headers()) && is_form;
        let (body, req) = (HeldBody::take(payload), req.clone());
        Box::pin(async move {
            let app = app_of(&req)?;
            if S::STRENGTH == Strength::Full && visitor.is_recent_in_full(app).await? {
                body.hand_on();
                return Ok(who);
            }
            let resume = match keeps {
                true => interrupted::keep(app, &visitor, req.path(), body.keep()).await?,
                false => None,
            };
            Err(visitor.stale(app, S::STRENGTH, resume).await?)
        })
    }
}
