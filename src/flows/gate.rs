//! The gate: what a proxy before the host of an application is told, at every request.

mod answer;
pub(crate) mod by_key;
pub(crate) mod enter;
pub(crate) mod host;
mod outcome;
mod query;
pub(crate) mod trouble;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::Data,
};
use chrono::TimeDelta;

pub(crate) use self::answer::header_names;

use self::{
    answer::{Told, header_pairs},
    outcome::{Outcome, note},
};
use crate::{
    accounts::{
        applications::{self, APPLICATION_SECOND_FACTOR, APPLICATION_UNKNOWN},
        deletion::DELETION_SCHEDULED,
        email_verification::EMAIL_UNVERIFIED,
        gate_needs::{Missing, Raised},
        gates::{self, GateVisitor, Identity, Judgement},
    },
    app::App,
    error::{Error, Result, StepUp},
    jobs::signing_keys,
    kinds::Strength,
    log,
    model::{application::Application, device, gate_session},
    oauth::{GateClaims, SigningAlgorithm},
    web::{GateHost, GateRequest, origin::CROSS_ORIGIN},
};

/// `GET /gate/verify`: 200, 401 or 403 and nothing else, for nginx and whatever else knows no other answer.
pub(crate) async fn verify(asked: GateRequest, req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let (application, outcome) = judge(&asked, &app).await?;
    Ok(match outcome {
        Outcome::Through(identity) => pass(&application, identity.as_deref(), &asked, &app).await?,
        // Proxies make 500 of every other status; `/gate/refused` tells it.
        Outcome::Refused(error @ Error::TooManyAttempts(_)) => {
            let mut answer = Told::new(&application, &asked, &app).refusal(&req, &error);
            *answer.status_mut() = StatusCode::FORBIDDEN;
            answer
        }
        Outcome::Refused(error) => Told::new(&application, &asked, &app).refusal(&req, &error),
    })
}

/// `GET /gate/refused`: what a visitor sees whom `/gate/verify` turned away. It judges again by itself.
pub(crate) async fn refused(asked: GateRequest, req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let (application, outcome) = judge(&asked, &app).await?;
    let error = match outcome {
        // They came in meanwhile, and come back by themselves.
        Outcome::Through(_) => Error::Unauthenticated,
        Outcome::Refused(error) => error,
    };
    Ok(Told::new(&application, &asked, &app).to_visitor(&req, &error))
}

/// `GET /gate/check`: both in one, for proxies that pass every answer on but 200. Envoy asks by its visitor's own method.
pub(crate) async fn check(asked: GateRequest, req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let (application, outcome) = judge(&asked, &app).await?;
    Ok(match outcome {
        Outcome::Through(identity) => pass(&application, identity.as_deref(), &asked, &app).await?,
        Outcome::Refused(error) => Told::new(&application, &asked, &app).to_visitor(&req, &error),
    })
}

async fn pass(
    application: &Application,
    identity: Option<&Identity>,
    asked: &GateRequest,
    app: &App,
) -> Result<HttpResponse> {
    let mut answer = HttpResponse::Ok();
    let known = match identity {
        Some(identity) => Some((identity, assertion(application, identity, app).await?)),
        None => None,
    };
    for header in header_pairs(&application.settings, known) {
        answer.insert_header(header);
    }
    let seconds = app.config().lifetimes.gate_cache.num_seconds();
    if seconds > 0 && identity.is_some() && !asked.is_unsafe() {
        answer.insert_header((header::CACHE_CONTROL, format!("max-age={seconds}")));
        answer.insert_header((header::VARY, LOOKED_AT));
    }
    Ok(answer.finish())
}

// Any answer is older than this only where a proxy holds it back.
const ASSERTION_LIFE: TimeDelta = TimeDelta::seconds(60);

/// What the application can check by itself, where it wants that.
async fn assertion(application: &Application, identity: &Identity, app: &App) -> Result<Option<String>> {
    if !application.settings.signs {
        return Ok(None);
    }
    let (site, now) = (&app.config().site, app.now());
    let claims = GateClaims {
        iss: site.origin(),
        aud: application.origin(site.base_url.scheme()),
        iat: now.unix(),
        exp: (now + ASSERTION_LIFE).unix(),
        sub: identity.sub.clone(),
        email: identity.email.clone(),
        name: identity.name.clone(),
        acr: identity.acr.map(|acr| acr.to_string()),
        auth_time: identity.authenticated_at.map(|at| at.unix()),
    };
    let ring = signing_keys::ring(app).await?;
    claims.sign(ring.key(SigningAlgorithm::Es256)?).map(Some)
}

// What the answer to a request that changes nothing rests on (RFC 9111 §4.1). nginx keeps nothing whose list is longer than 128
// bytes.
const LOOKED_AT: &str = "Cookie, Authorization, User-Agent, Sec-WebSocket-Key, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Method, X-Forwarded-Uri";

async fn judge(asked: &GateRequest, app: &App) -> Result<(Application, Outcome)> {
    if let Some(secret) = &asked.visitor.key
        && let Some(judged) = by_key::judge(asked, secret.clone(), app).await?
    {
        return Ok(judged);
    }
    let scheme = app.config().site.base_url.scheme();
    let (application, visitor, judgement) = look_up(&asked.visitor, asked.raised.clone(), app).await?;
    let used = visitor.filter(|_| matches!(judgement, Judgement::Allowed(_)));
    if let (Some(request), Some(used)) = (log::current(), &used) {
        request.set_user(used.user.id.as_str());
    }
    note(&application, &asked.visitor, used.as_ref(), app).await;
    let settings = &application.settings;
    let is_open = asked.is_open(&settings.open);
    let is_preflight = asked.is_preflight && settings.passes_preflight;
    let is_foreign = || asked.visitor.is_foreign(&application.origin(scheme), &settings.origins);
    let outcome = match judgement {
        _ if is_preflight => Outcome::Through(None),
        // The cookie is what lets in, and another site made the browser send it.
        Judgement::Allowed(_) if asked.is_unsafe() && is_foreign() => match is_open {
            true => Outcome::Through(None),
            false => Outcome::Refused(CROSS_ORIGIN.error()),
        },
        Judgement::Allowed(identity) => Outcome::Through(Some(identity)),
        Judgement::SignedOut | Judgement::Refused(_) if is_open => Outcome::Through(None),
        Judgement::SignedOut => Outcome::Refused(Error::Unauthenticated),
        Judgement::Refused(missing) => Outcome::Refused(refusal(missing, &application)),
    };
    Ok((application, outcome))
}

/// The application of a host, its live visitor, and what comes of them.
async fn look_up(
    visitor: &GateHost,
    raised: Raised,
    app: &App,
) -> Result<(Application, Option<GateVisitor>, Judgement)> {
    let (host, secrets, now) = (visitor.host.clone(), visitor.secrets.clone(), app.now());
    let (user_agent, ip) = (visitor.user_agent.clone(), visitor.ip);
    let found = app
        .read(move |conn| {
            let Some((application, visitor)) = gates::at_host(conn, &host, &secrets, now)? else {
                return Ok(None);
            };
            // Whoever has another browser has the cookie of somebody else.
            let visitor = visitor.filter(|visitor| is_same_browser(visitor, &user_agent));
            let judgement = gates::judge(conn, &application, (visitor.as_ref(), ip), &raised, now)?;
            Ok(Some((application, visitor, judgement)))
        })
        .await?;
    let Some(found) = found else {
        tracing::warn!(host = visitor.host, "a proxy asked for a host at which no application is registered");
        return Err(APPLICATION_UNKNOWN.error());
    };
    if found.1.is_none() && visitor.user_agent.starts_with(BROWSER) && !visitor.secrets.is_empty() {
        end_in_other_hands(&found.0, visitor, app).await?;
    }
    Ok(found)
}

// How every browser begins, and no proxy that gives its own name does.
const BROWSER: &str = "Mozilla/";

fn is_same_browser(visitor: &GateVisitor, user_agent: &str) -> bool {
    !user_agent.starts_with(BROWSER) || device::can_be_one(&visitor.session.user_agent, user_agent)
}

/// Ends what a cookie opens that came from another browser. The session that it came from stays: its own cookie is safe.
async fn end_in_other_hands(application: &Application, visitor: &GateHost, app: &App) -> Result<()> {
    let (host, secrets, now) = (application.host.clone(), visitor.secrets.clone(), app.now());
    let live =
        app.read(move |conn| Ok(gates::at_host(conn, &host, &secrets, now)?.and_then(|(_, live)| live)));
    let Some(live) = live.await? else { return Ok(()) };
    tracing::warn!(
        session.id = %live.session.id,
        user.id = %live.user.id,
        application.id = %application.id,
        "a cookie of an application was used from another device and ends"
    );
    app.write(move |tx| gate_session::end(tx, &live.secret)).await
}

/// What is missing, as a refusal.
fn refusal(missing: Missing, application: &Application) -> Error {
    match missing {
        Missing::Account => DELETION_SCHEDULED.error(),
        Missing::VerifiedEmail => EMAIL_UNVERIFIED.error(),
        Missing::Membership => applications::application_forbidden(application.name.clone()),
        Missing::Acr(_) => APPLICATION_SECOND_FACTOR.error(),
        Missing::Freshness => {
            Error::StepUp(Box::new(StepUp { methods: Vec::new(), strength: Strength::Any, resume: None }))
        }
    }
}
