//! Who may enter, as types, which only look at the visitor that was loaded.

use std::{
    future::{Ready, ready},
    marker::PhantomData,
    ops::Deref,
    pin::Pin,
    rc::Rc,
};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::Method};

use super::{
    access::{Access, Guard},
    app_of, negotiation,
    saved_request::{self, HeldBody},
    visitor::{self, Authenticated, SESSION_LOCKED},
};
use crate::{
    accounts::{
        access::AccessRequest,
        deletion::DELETION_SCHEDULED,
        email_verification::EMAIL_UNVERIFIED,
        organisation_policy::{
            NETWORK_NOT_ALLOWED, SECOND_FACTOR_MISSING, SESSION_TOO_OLD, SIGN_IN_METHOD_NOT_ALLOWED,
        },
        policy::{FORBIDDEN, ORGANISATION_LEAVING, ORGANISATION_MOVED},
    },
    app::App,
    error::{Error, Result},
    ids::UserId,
    kinds::{Permission, Strength},
};

/// Anybody, signed in or not. Says in a signature that this is meant. Refused where the database does not tell which; a
/// page that needs no database takes an `Option` of a guard, and is then as for a stranger.
#[derive(Debug, Clone)]
pub(crate) struct MaybeUser(Option<Rc<Authenticated>>);

impl MaybeUser {
    /// Who it is, if signed in.
    pub(crate) fn signed_in(&self) -> Option<&Authenticated> {
        self.0.as_deref()
    }

    /// The address of whoever else than `owner` is signed in: the page behind a link to one account says so.
    pub(crate) fn other_than(&self, owner: &UserId) -> Option<String> {
        let other = self.signed_in().filter(|me| me.user.id != *owner)?;
        Some(other.user.email.spelled().to_owned())
    }
}

/// Someone who is signed in, also while their account waits to be deleted: for the pages on that, and the way back.
#[derive(Debug, Clone)]
pub(crate) struct IncludingScheduledDeletion(Rc<Authenticated>);

/// Someone who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct CurrentUser(Rc<Authenticated>);

/// Someone signed in whose address is confirmed.
#[derive(Debug, Clone)]
pub(crate) struct VerifiedUser(CurrentUser);

/// Someone who also confirmed, in this session and within the step-up window, that it is them; as strongly as at a sign-in,
/// or by [`Any`] method.
#[derive(Debug, Clone)]
pub(crate) struct SteppedUp<G, S = Full>(G, PhantomData<S>);

/// Signed in and recently proved; the address may be a claim.
pub(crate) type SteppedUpUser = SteppedUp<CurrentUser>;

/// Confirmed and recently proved: what changes who owns an account asks for.
pub(crate) type SteppedUpVerifiedUser = SteppedUp<VerifiedUser>;

/// The same where the input is looked at before a step-up is asked for: the handler asks for it, by [`StepUpAfterInput::step_up`],
/// when nothing else is wrong.
pub(crate) struct StepUpAfterInput<G> {
    who: G,
    req: HttpRequest,
}

impl<G> StepUpAfterInput<G> {
    /// That its person stepped up in full. Where they did not, the form that a browser sent is kept, to be continued.
    pub(crate) async fn step_up(
        &self,
        fields: impl FnOnce() -> Vec<(String, String)>,
        app: &App,
    ) -> Result<()> {
        let IncludingScheduledDeletion(visitor) = IncludingScheduledDeletion::check(&self.req)?;
        if visitor.is_stepped_up_in_full(app).await? {
            return Ok(());
        }
        let resume = match is_kept(&self.req) {
            true => saved_request::keep(app, &visitor, &self.req, fields()).await?,
            false => None,
        };
        Err(visitor.step_up_required(app, Strength::Full, resume).await?)
    }
}

impl<G> Deref for StepUpAfterInput<G> {
    type Target = G;

    fn deref(&self) -> &G {
        &self.who
    }
}

impl<G> Guard for StepUpAfterInput<G>
where
    SteppedUp<G>: Guard,
{
    const ACCESS: Access = <SteppedUp<G> as Guard>::ACCESS;
    const NEEDS: Option<Permission> = <SteppedUp<G> as Guard>::NEEDS;
}

impl<G: Requirement> FromRequest for StepUpAfterInput<G> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(G::check(req).map(|who| Self { who, req: req.clone() }))
    }
}

/// Whether the form that a request sends is kept over a step-up: a browser's.
fn is_kept(req: &HttpRequest) -> bool {
    let is_form = req.content_type() == "application/x-www-form-urlencoded";
    req.method() == Method::POST && negotiation::wants_html(req.headers()) && is_form
}

/// A step-up by any method is enough.
#[derive(Debug, Clone)]
pub(crate) struct Any;

/// A step-up has to be as strong as a sign-in: see [`crate::accounts::step_up::is_full`].
#[derive(Debug, Clone)]
pub(crate) struct Full;

/// How strong a step-up has to be.
pub(crate) trait Strong {
    /// The strength as a value.
    const STRENGTH: Strength;
}

impl Strong for Any {
    const STRENGTH: Strength = Strength::Any;
}

impl Strong for Full {
    const STRENGTH: Strength = Strength::Full;
}

impl Deref for IncludingScheduledDeletion {
    type Target = Authenticated;

    fn deref(&self) -> &Authenticated {
        &self.0
    }
}

impl Deref for CurrentUser {
    type Target = Authenticated;

    fn deref(&self) -> &Authenticated {
        &self.0
    }
}

impl Deref for VerifiedUser {
    type Target = CurrentUser;

    fn deref(&self) -> &CurrentUser {
        &self.0
    }
}

impl<G, S> Deref for SteppedUp<G, S> {
    type Target = G;

    fn deref(&self) -> &G {
        &self.0
    }
}

impl Guard for MaybeUser {
    const ACCESS: Access = Access::Anyone;
}

impl Guard for IncludingScheduledDeletion {
    const ACCESS: Access = Access::IncludingScheduledDeletion;
}

impl Guard for CurrentUser {
    const ACCESS: Access = Access::SignedIn;
}

impl Guard for VerifiedUser {
    const ACCESS: Access = Access::Verified;
}

impl Guard for SteppedUp<CurrentUser, Full> {
    const ACCESS: Access = Access::SteppedUp;
}

impl Guard for SteppedUp<VerifiedUser, Full> {
    const ACCESS: Access = Access::VerifiedSteppedUp;
}

impl Guard for SteppedUp<VerifiedUser, Any> {
    const ACCESS: Access = Access::VerifiedSteppedUpByAny;
}

/// A requirement that can be looked up without waiting.
pub(super) trait Requirement: Sized {
    /// Looks it up.
    fn check(req: &HttpRequest) -> Result<Self>;

    /// What is asked in an organisation besides, once there is a connection to ask with.
    fn access(&self) -> Option<AccessRequest> {
        None
    }
}

impl Requirement for IncludingScheduledDeletion {
    fn check(req: &HttpRequest) -> Result<Self> {
        visitor::of(req)?.map(Self).ok_or(if visitor::is_locked(req) {
            SESSION_LOCKED.error()
        } else {
            Error::Unauthenticated
        })
    }
}

impl Requirement for CurrentUser {
    fn check(req: &HttpRequest) -> Result<Self> {
        let IncludingScheduledDeletion(who) = IncludingScheduledDeletion::check(req)?;
        if who.user.is_leaving() { Err(DELETION_SCHEDULED.error()) } else { Ok(Self(who)) }
    }
}

impl Requirement for VerifiedUser {
    fn check(req: &HttpRequest) -> Result<Self> {
        let who = CurrentUser::check(req)?;
        if who.user.is_verified() { Ok(Self(who)) } else { Err(EMAIL_UNVERIFIED.error()) }
    }
}

impl FromRequest for MaybeUser {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(visitor::of(req).map(Self))
    }
}

impl FromRequest for IncludingScheduledDeletion {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::check(req))
    }
}

impl FromRequest for CurrentUser {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::check(req))
    }
}

impl FromRequest for VerifiedUser {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::check(req))
    }
}

impl<G, S> FromRequest for SteppedUp<G, S>
where
    G: Requirement + 'static,
    S: Strong + 'static,
{
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    /// Where the step-up is too old or too weak, a form that a browser sent is kept, to be continued after the next one.
    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let who = match G::check(req) {
            Ok(who) => Self(who, PhantomData),
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let visitor = match IncludingScheduledDeletion::check(req) {
            Ok(IncludingScheduledDeletion(visitor)) => visitor,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let is_enough = match S::STRENGTH {
            Strength::Any => visitor.is_stepped_up(),
            Strength::Full => visitor.is_stepped_up_with_second_factor(),
        };
        if is_enough {
            return Box::pin(ready(Ok(who)));
        }
        let keeps = is_kept(req);
        let (body, req) = (HeldBody::take(payload), req.clone());
        Box::pin(async move {
            let app = app_of(&req)?;
            if S::STRENGTH == Strength::Full && visitor.is_stepped_up_in_full(app).await? {
                body.hand_on();
                return Ok(who);
            }
            // A member who may not do it, or not there, is told so before anything is asked of them.
            if let Some(access) = who.0.access()
                && let Err(
                    error @ Error::Refused(
                        FORBIDDEN
                        | NETWORK_NOT_ALLOWED
                        | SIGN_IN_METHOD_NOT_ALLOWED
                        | SESSION_TOO_OLD
                        | SECOND_FACTOR_MISSING
                        | ORGANISATION_LEAVING
                        | ORGANISATION_MOVED,
                        _,
                    ),
                ) = app.read(move |conn| access.decide(conn)).await
            {
                return Err(error);
            }
            let resume = match keeps {
                true => saved_request::save(app, &visitor, &req, body.keep()).await?,
                false => None,
            };
            Err(visitor.step_up_required(app, S::STRENGTH, resume).await?)
        })
    }
}
