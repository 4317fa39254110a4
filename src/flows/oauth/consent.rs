//! Somebody says whether an application may know who they are, and which account that is to be.

use actix_session::SessionExt;
use actix_web::{HttpRequest, HttpResponse, Responder, web::Data};
use askama::Template;
use serde::{Deserialize, Serialize};

use super::{
    answer::{self, Way},
    proceed::{self, Waiting, visitor_of},
};
use crate::{
    accounts::{
        authorization::{self, Asking, Step},
        clients::SIGN_IN_OVER,
        grants,
        sessions::Event,
    },
    app::App,
    error::{Error, Errors, Result},
    model::{
        application::client::Client,
        audit, session,
        token::{self, AuthorizeRequest},
    },
    oauth::{Code, Refused, Scopes},
    secret::Secret,
    urls,
    web::{
        Authenticated, Client as Browser, CurrentUser, Input, MaybeUser, Query, Reply, pending_authorization,
    },
};

/// What is asked.
#[derive(Template, Serialize)]
#[template(path = "oauth_consent.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConsentPage {
    application: String,
    /// What it may know, in words.
    allows: Vec<String>,
    email: String,
    /// The address that it expects, where that is another one.
    expects: Option<String>,
    /// Whether it belongs to somebody else.
    third_party: bool,
    /// Whether only the account is in question.
    is_choice: bool,
    #[serde(skip)]
    request: String,
    #[serde(skip)]
    goes_to: String,
}

/// What somebody says.
#[derive(Deserialize)]
pub(crate) struct Form {
    request: Option<Secret<AuthorizeRequest>>,
    #[serde(default)]
    decision: String,
}

impl Form {
    /// The request that is answered.
    fn request(&self) -> Result<Secret<AuthorizeRequest>> {
        let request = self.request.clone().filter(|secret| !secret.reveal().is_empty());
        let missing = || Error::Invalid(Errors::one("request", "Send the request that is to be answered."));
        request.ok_or_else(missing)
    }
}

/// `GET /oauth/consent?request=`
pub(crate) async fn show(me: CurrentUser, query: Query<Waiting>, app: Data<App>) -> Result<Reply> {
    let secret = query.into_inner().request.ok_or_else(|| SIGN_IN_OVER.about("the application"))?;
    let asking = proceed::waiting(&app, &secret).await?;
    let step = step(&me, &asking, &app).await?;
    if !matches!(step, Step::Consent | Step::ChooseAccount) {
        return Ok(Reply::go(proceed::here(&secret)));
    }
    let goes_to = url::Url::parse(&asking.request.redirect_uri).ok().and_then(|url| match url.port() {
        Some(port) => url.host_str().map(|host| format!("{host}:{port}")),
        None => url.host_str().map(str::to_owned),
    });
    Ok(Reply::page(ConsentPage {
        allows: in_words(&asking.scopes(), &asking.client),
        expects: proceed::hint(&asking)
            .filter(|hint| !hint.eq_ignore_ascii_case(me.user.email.spelled()))
            .map(str::to_owned),
        email: me.user.email.spelled().to_owned(),
        third_party: !asking.client.settings.is_first_party,
        is_choice: step == Step::ChooseAccount && asking.client.settings.is_first_party,
        request: secret.reveal().to_owned(),
        goes_to: goes_to.unwrap_or_else(|| "a program on your device".to_owned()),
        application: asking.client.name,
    }))
}

/// In the order of [`Scopes::KNOWN`], with the application's own before the last, which is about all of them.
pub(super) fn in_words(scopes: &Scopes, client: &Client) -> Vec<String> {
    let known = |scope: &str| Scopes::KNOWN.iter().position(|(known, _)| *known == scope);
    let last = Scopes::KNOWN.len() - 1;
    let mut words: Vec<(usize, String)> = scopes
        .iter()
        .map(|scope| match known(scope) {
            Some(place) if place == last => (last + 1, Scopes::KNOWN[place].1.to_owned()),
            Some(place) => (place, Scopes::KNOWN[place].1.to_owned()),
            None => match client.settings.scope_words.get(scope) {
                Some(words) => (last, words.clone()),
                None => {
                    let words = Scopes::words(scope).map(str::to_owned);
                    (last, words.unwrap_or_else(|| format!("its own permission {scope}")))
                }
            },
        })
        .collect();
    words.sort();
    words.into_iter().map(|(_, words)| words).collect()
}

/// `POST /oauth/consent`: `decision` is `allow`, `deny` or `switch`, which signs out here to come back as someone else.
pub(crate) async fn create(
    me: CurrentUser,
    browser: Browser,
    Input(form): Input<Form>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let secret = form.request()?;
    let asking = proceed::waiting(&app, &secret).await?;
    match form.decision.as_str() {
        "allow" => allow(&req, &app, &me, asking, secret, &browser).await,
        "deny" => deny(&req, &app, asking, secret).await,
        "switch" => {
            let (actor, user, id) = (me.actor(), me.user.id.clone(), me.session.id.clone());
            app.write(move |tx| {
                session::end(tx, &id)?;
                audit::record(tx, &actor, &user, Event::SignedOut {})
            })
            .await?;
            let hint = proceed::hint(&asking).map(|hint| ("email", hint.to_owned()));
            let to = urls::with_query("/login", hint.into_iter().chain([("next", proceed::here(&secret))]));
            Ok(Reply::go(to).signed_out().respond_to(&req).map_into_boxed_body())
        }
        _ => Err(Error::Invalid(Errors::one("decision", "Write allow, deny or switch."))),
    }
}

/// `POST /oauth/cancel`: whoever is on the way to an application, signed in or not, goes back to it with a no.
pub(crate) async fn cancel(
    _: MaybeUser,
    Input(form): Input<Form>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let secret = form.request()?;
    match proceed::waiting(&app, &secret).await {
        Ok(asking) => deny(&req, &app, asking, secret).await,
        Err(error) => {
            pending_authorization::forget(&req.get_session(), secret.reveal());
            Err(error)
        }
    }
}

async fn deny(
    req: &HttpRequest,
    app: &App,
    asking: Asking,
    secret: Secret<AuthorizeRequest>,
) -> Result<HttpResponse> {
    pending_authorization::forget(&req.get_session(), secret.reveal());
    app.write(move |tx| token::redeem_unowned(tx, &secret)).await?;
    let denied = Refused::new(Code::AccessDenied, "They said no.");
    let name = asking.client.name.clone();
    answer::send(req, app, &asking.request, answer::refused(denied), (&name, Way::Back))
}

async fn allow(
    req: &HttpRequest,
    app: &App,
    me: &Authenticated,
    asking: Asking,
    secret: Secret<AuthorizeRequest>,
    browser: &Browser,
) -> Result<HttpResponse> {
    match step(me, &asking, app).await? {
        Step::Answer | Step::Consent | Step::ChooseAccount => {}
        Step::Forbidden | Step::SetUpSecondFactor => return Ok(answer::see_other(&proceed::here(&secret))),
        step => return Err(proceed::stopped(step, me, app).await?),
    }
    if !asking.client.settings.is_first_party {
        let (actor, user) = (me.actor(), me.user.id.clone());
        let (application, scopes) = (asking.client.id.clone(), asking.scopes());
        app.write(move |tx| grants::allow(tx, &actor, &user, &application, &scopes)).await?;
    }
    proceed::finish(req, app, me, asking, secret, browser).await
}

async fn step(me: &Authenticated, asking: &Asking, app: &App) -> Result<Step> {
    let (asked, who) = (asking.clone(), visitor_of(me));
    let step = app.read(move |conn| authorization::next_step(conn, &asked, &who)).await;
    step.map_err(|error| if matches!(error, Error::NotFound) { Error::Unauthenticated } else { error })
}
