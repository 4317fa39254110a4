//! Where a browser comes from the host of an application: what that needs is met here, and the browser handed over.

use actix_web::{HttpRequest, HttpResponse, Responder, http::header, web::Data};
use askama::Template;
use serde::Serialize;

use super::query::{self, Way};
use crate::{
    accounts::{
        applications::{self, APPLICATION_SECOND_FACTOR, APPLICATION_UNKNOWN},
        deletion::DELETION_SCHEDULED,
        email_verification::EMAIL_UNVERIFIED,
        factors,
        gate_handover::{self, Destination},
        gate_needs::{self, Candidate, Missing, Raised},
    },
    app::App,
    error::{Error, Result},
    kinds::Strength,
    model::{
        application::{self, Application, parse_host},
        session::{Acr, Authentication},
    },
    web::{Authenticated, CurrentUser, Reply, negotiation},
};

/// The last page here.
#[derive(Template, Serialize)]
#[template(path = "gate_enter.html")]
pub(crate) struct EnterPage {
    location: String,
    #[serde(skip)]
    name: String,
}

/// `GET /gate/enter?host=&nonce=&to=`
pub(crate) async fn show(me: CurrentUser, req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let way = Way::of(&req)?;
    let application = of_host(way.host.as_deref(), &app).await?;
    let site = &app.config().site;
    let Some(nonce) = way.nonce.clone().filter(|nonce| nonce.len() <= 64) else {
        // The way in begins there.
        let start = query::start(&application, site.base_url.scheme(), &way.to, &way.raised, way.is_retry);
        return Ok(lead_on(&req, start, application.name));
    };
    if let Some(missing) = missing(&me, &application, &way.raised, &app).await? {
        return match missing {
            Missing::Account => Err(DELETION_SCHEDULED.error()),
            Missing::VerifiedEmail => Err(EMAIL_UNVERIFIED.error()),
            Missing::Freshness => Err(me.step_up_required(&app, Strength::Any, None).await?),
            Missing::Acr(Acr::TwoFactors) if has_second_factor(&me, &app).await? => {
                Err(me.step_up_required(&app, Strength::Full, None).await?)
            }
            Missing::Acr(_) => Ok(trouble(&req, &way, APPLICATION_SECOND_FACTOR.error())),
            Missing::Membership => {
                Ok(trouble(&req, &way, applications::application_forbidden(application.name)))
            }
        };
    }
    let (user, session) = (me.user.id.clone(), me.session.id.clone());
    let destination =
        Destination { application: application.id.clone(), nonce, to: way.to, is_retry: way.is_retry };
    let code = app.write(move |tx| gate_handover::issue(tx, &user, &session, &destination)).await?;
    let query = query::text([("code", code.reveal())].into_iter());
    let back = application.link(site.base_url.scheme(), &format!("/callback?{query}"));
    Ok(lead_on(&req, back, application.name))
}

/// The application in use at a host. [`APPLICATION_UNKNOWN`] where there is none.
pub(super) async fn of_host(host: Option<&str>, app: &App) -> Result<Application> {
    let scheme = app.config().site.base_url.scheme();
    let host = host.and_then(|host| parse_host(host, scheme)).ok_or(APPLICATION_UNKNOWN.error())?;
    let found = app.read(move |conn| application::of_host(conn, &host)).await?;
    found.filter(|found| found.disabled_at.is_none()).ok_or(APPLICATION_UNKNOWN.error())
}

async fn missing(
    me: &Authenticated,
    application: &Application,
    raised: &Raised,
    app: &App,
) -> Result<Option<Missing>> {
    let (needs, raised, now) = (application.needs.clone(), raised.clone(), me.now);
    let (user, session, ip) = (me.user.clone(), me.session.clone(), me.ip);
    app.read(move |conn| {
        let authentication = Authentication::of(conn, &session.id)?;
        let candidate = Candidate {
            user: &user.id,
            is_verified: user.is_verified(),
            is_leaving: user.is_leaving(),
            authentication: &authentication,
            through: (&session, ip),
        };
        gate_needs::missing(conn, &needs, &raised, candidate, now)
    })
    .await
    // The session ended between the visitor and this.
    .map_err(|error| if matches!(error, Error::NotFound) { Error::Unauthenticated } else { error })
}

async fn has_second_factor(me: &Authenticated, app: &App) -> Result<bool> {
    let user = me.user.id.clone();
    app.read(move |conn| Ok(factors::of(conn, &user)?.is_second_due())).await
}

fn trouble(req: &HttpRequest, way: &Way, error: Error) -> HttpResponse {
    if !negotiation::wants_html(req.headers()) {
        return HttpResponse::from_error(error);
    }
    let host = way.host.as_deref().unwrap_or_default();
    let raised = way.raised.to_query();
    let raised = raised.iter().map(|(name, value)| (*name, value.as_str()));
    let own = [("host", host), ("code", error.code()), ("to", way.to.as_str())];
    let to = format!("/gate/trouble?{}", query::text(own.into_iter().chain(raised)));
    HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
}

/// On to another site. Behind a form, a redirect there would be held against the policy for forms of its page (CSP 3
/// §6.4.1): unless the browser says that it comes from another site, a page leads on.
fn lead_on(req: &HttpRequest, location: String, name: String) -> HttpResponse {
    let from = req.headers().get("sec-fetch-site").map(|value| value.as_bytes());
    let is_from_elsewhere = matches!(from, Some(b"cross-site" | b"same-site"));
    match is_from_elsewhere && negotiation::wants_html(req.headers()) {
        true => HttpResponse::SeeOther().insert_header((header::LOCATION, location)).finish(),
        false => Reply::page(EnterPage { location, name }).respond_to(req).map_into_boxed_body(),
    }
}
