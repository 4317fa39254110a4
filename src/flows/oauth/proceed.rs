//! Where sign-in, step-up and set-up come back to, with the request that waits, until it is answered.

use actix_session::SessionExt;
use actix_web::{HttpRequest, HttpResponse, Responder, http::StatusCode, web::Data};
use askama::Template;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    answer::{self, Way},
    client,
};
use crate::{
    accounts::{
        applications::{self, APPLICATION_SECOND_FACTOR},
        authorization::{self, Asking, Step, Visitor},
        clients::SIGN_IN_OVER,
        deletion::DELETION_SCHEDULED,
        email_verification::EMAIL_UNVERIFIED,
    },
    app::App,
    clock::Timestamp,
    error::{Error, Particulars, Result},
    model::{
        application,
        token::{self, AuthorizeRequest, Purpose},
    },
    oauth::{Code, Refused},
    secret::Secret,
    urls,
    web::{
        Authenticated, Client as Browser, MaybeUser, Query, Reply, negotiation,
        pending_authorization::{self, PendingAuthorization},
    },
};

/// Which request.
#[derive(Deserialize)]
pub(crate) struct Waiting {
    pub(super) request: Option<Secret<AuthorizeRequest>>,
}

/// Why somebody does not come in.
#[derive(Template, Serialize)]
#[template(path = "oauth_trouble.html")]
pub(crate) struct TroublePage {
    application: String,
    code: &'static str,
    message: String,
    /// Back to the application, with a no.
    location: String,
    #[serde(skip)]
    request: String,
    #[serde(skip)]
    you: String,
}

/// `GET /oauth/continue?request=`
pub(crate) async fn show(
    visitor: MaybeUser,
    browser: Browser,
    query: Query<Waiting>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let secret = query.into_inner().request.ok_or(Error::DeadLink)?;
    let asking = match waiting(&app, &secret).await {
        Ok(asking) => asking,
        Err(error) => {
            pending_authorization::forget(&req.get_session(), secret.reveal());
            return Err(error);
        }
    };
    if browser.is_navigation && negotiation::wants_html(req.headers()) {
        let at = asking.at.unwrap_or_else(|| app.now());
        let until = at + AuthorizeRequest::life(&app.config().lifetimes);
        let pending = PendingAuthorization::new(secret.reveal(), &asking.client.name, until);
        pending.remember(&req.get_session());
    }
    let Some(me) = visitor.signed_in() else {
        return match hint(&asking) {
            Some(hint) if negotiation::wants_html(req.headers()) => {
                let back = here(&secret);
                Ok(answer::see_other(&urls::with_query("/login", [("email", hint), ("next", &back)])))
            }
            _ => Err(Error::Unauthenticated),
        };
    };
    let (asked, who) = (asking.clone(), visitor_of(me));
    let step = app.read(move |conn| authorization::next_step(conn, &asked, &who)).await;
    // The session ended between the visitor and this.
    let step =
        step.map_err(|error| if matches!(error, Error::NotFound) { Error::Unauthenticated } else { error })?;
    match step {
        // A preview of the address uses nothing up.
        Step::Answer if !browser.is_navigation => Ok(HttpResponse::NoContent().finish()),
        Step::Answer => finish(&req, &app, me, asking, secret, &browser).await,
        Step::ChooseAccount | Step::Consent => {
            let to = urls::with_query("/oauth/consent", [("request", secret.reveal())]);
            let told = json!({ "location": to });
            Ok(Reply::data(to, &told)?.respond_to(&req).map_into_boxed_body())
        }
        Step::SetUpSecondFactor | Step::Forbidden => Ok(trouble(&req, &app, me, asking, &secret, step)),
        step => Err(stopped(step, me, &app).await?),
    }
}

/// What keeps somebody who is signed in from going on, as the guards of other pages say it.
pub(super) async fn stopped(step: Step, me: &Authenticated, app: &App) -> Result<Error> {
    Ok(match step {
        Step::Account => DELETION_SCHEDULED.error(),
        Step::VerifyEmail => EMAIL_UNVERIFIED.error(),
        Step::Reauthenticate(strength) => me.step_up_required(app, strength, None).await?,
        Step::Forbidden | Step::SetUpSecondFactor | Step::ChooseAccount | Step::Consent | Step::Answer => {
            Error::Conflict
        }
    })
}

fn trouble(
    req: &HttpRequest,
    app: &App,
    me: &Authenticated,
    asking: Asking,
    secret: &Secret<AuthorizeRequest>,
    step: Step,
) -> HttpResponse {
    let name = asking.client.name.clone();
    let error = match step {
        Step::Forbidden => applications::application_forbidden(name.clone()),
        _ => APPLICATION_SECOND_FACTOR.error(),
    };
    let message = match step {
        Step::Forbidden => error.to_string(),
        _ => format!("{name} asks for two-step verification. Turn it on, then come back."),
    };
    let denied = Refused::new(Code::AccessDenied, "They do not have what this application asks of people.");
    let page = TroublePage {
        code: error.code(),
        message,
        location: answer::location(app, &asking.request, answer::refused(denied)),
        request: secret.reveal().to_owned(),
        you: me.user.email.spelled().to_owned(),
        application: name,
    };
    let mut answer = Reply::refused(page, error).respond_to(req).map_into_boxed_body();
    *answer.status_mut() = StatusCode::FORBIDDEN;
    answer
}

/// Answers a request, once.
pub(super) async fn finish(
    req: &HttpRequest,
    app: &App,
    me: &Authenticated,
    asking: Asking,
    secret: Secret<AuthorizeRequest>,
    browser: &Browser,
) -> Result<HttpResponse> {
    let (asked, who, device) = (asking.clone(), visitor_of(me), browser.device().name());
    let redeemed = secret.clone();
    let code = app
        .write(move |tx| {
            token::redeem_unowned(tx, &redeemed)?;
            authorization::issue_code(tx, &asked, &who, device)
        })
        .await;
    let code = match code {
        Err(Error::DeadLink) => return Err(over(app, &secret).await?),
        code => code?,
    };
    pending_authorization::forget(&req.get_session(), secret.reveal());
    let says = vec![("code", code.reveal().to_owned())];
    answer::send(req, app, &asking.request, says, (&asking.client.name, Way::Page))
}

/// [`SIGN_IN_OVER`], with the way back to its application while it is known which one that was.
pub(super) async fn over(app: &App, secret: &Secret<AuthorizeRequest>) -> Result<Error> {
    let asked = secret.clone();
    let known = app.read(move |conn| {
        let Some(kept) = token::claim(conn, &asked)? else { return Ok(None) };
        Ok(application::client::called(conn, &kept.request.client_id)?.map(|found| (found, kept.request)))
    });
    let Some((client, request)) = known.await? else { return Ok(SIGN_IN_OVER.about("the application")) };
    let named = Particulars::named(client.name);
    let site =
        url::Url::parse(&request.redirect_uri).ok().filter(|uri| matches!(uri.scheme(), "http" | "https"));
    Ok(SIGN_IN_OVER.with(match site {
        Some(uri) => named.href(format!("{}/", uri.origin().ascii_serialization())),
        None => named,
    }))
}

/// The request that waits. [`SIGN_IN_OVER`] where it was answered or waited for too long.
pub(super) async fn waiting(app: &App, secret: &Secret<AuthorizeRequest>) -> Result<Asking> {
    let (asked, now) = (secret.clone(), app.now());
    let kept = match app.read(move |conn| token::peek_unowned(conn, &asked, now)).await {
        Err(Error::DeadLink) => return Err(over(app, secret).await?),
        kept => kept?,
    };
    let client = client::named(app, &kept.request.client_id).await?;
    if !client.comes_back_at(&kept.request.redirect_uri) {
        return Err(Error::DeadLink);
    }
    Ok(Asking { client, request: kept.request, at: Some(Timestamp::from_unix(kept.at)) })
}

/// The address that the application expects.
pub(super) fn hint(asking: &Asking) -> Option<&str> {
    asking.request.login_hint.as_deref().filter(|hint| hint.contains('@'))
}

/// The page of a request that waits.
pub(super) fn here(secret: &Secret<AuthorizeRequest>) -> String {
    urls::with_query("/oauth/continue", [("request", secret.reveal())])
}

/// Who is signed in, as use cases look at them.
pub(super) fn visitor_of(me: &Authenticated) -> Visitor {
    Visitor { user: me.user.clone(), session: me.session.clone(), ip: me.ip, now: me.now }
}
