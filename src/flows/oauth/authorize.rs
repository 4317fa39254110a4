//! Where an application sends a browser (RFC 6749 §3.1).

use actix_web::{HttpRequest, HttpResponse, web::Data};
use url::form_urlencoded;

use super::{
    answer::{self, Way},
    client,
    form::Form,
    proceed::visitor_of,
};
use crate::{
    accounts::{
        authorization::{self, Asking, Step},
        clients::{self, REDIRECT_URI_UNKNOWN},
    },
    app::App,
    error::{Error, Particulars, Result},
    jobs::signing_keys,
    model::{application::client::Client, token::AskedFor},
    oauth::{AuthorizationRequest, Code, Prompt, Refused, ResponseMode, parameters, read_hint},
    urls,
    web::{Client as Browser, MaybeUser, forwarded},
};

/// What a browser brought.
enum Brought {
    /// A request that can be answered.
    Request(Box<Asking>),
    /// One that the application is told is wrong.
    Wrong(Box<(AuthorizationRequest, String)>, Refused),
}

/// `GET /oauth/authorize`
pub(crate) async fn show(
    visitor: MaybeUser,
    browser: Browser,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let pairs = form_urlencoded::parse(req.query_string().as_bytes()).into_owned().collect();
    let asking = match read(pairs, &app).await? {
        Brought::Request(asking) => *asking,
        Brought::Wrong(wrong, refused) => {
            let (request, name) = *wrong;
            return answer::send(&req, &app, &request, answer::refused(refused), (&name, Way::Redirect));
        }
    };
    let is_silent = asking.request.has(Prompt::None);
    let step = match visitor.signed_in() {
        None => None,
        Some(me) => {
            let (asked, who) = (asking.clone(), visitor_of(me));
            Some(app.read(move |conn| authorization::next_step(conn, &asked, &who)).await?)
        }
    };
    let name = asking.client.name.clone();
    let says = match (step, visitor.signed_in()) {
        (Some(Step::Answer), Some(me)) => {
            let (asked, who, device) = (asking.clone(), visitor_of(me), browser.device().name());
            let code = app.write(move |tx| authorization::issue_code(tx, &asked, &who, device)).await?;
            vec![("code", code.reveal().to_owned())]
        }
        // Whoever is meant would have to sign in.
        (Some(Step::ChooseAccount), Some(me)) if is_silent && asking.is_about_other(&me.user.id) => {
            let refused = silence(None);
            client::log_refusal(refused);
            answer::refused(refused)
        }
        (step, _) if is_silent => {
            let refused = silence(step);
            client::log_refusal(refused);
            answer::refused(refused)
        }
        (step, _) => return keep(&app, asking, step.is_none().then_some(browser.ip.as_str())).await,
    };
    answer::send(&req, &app, &asking.request, says, (&name, Way::Redirect))
}

/// What an application is told that asks for silence (OpenID Connect Core 1.0 §3.1.2.6).
fn silence(step: Option<Step>) -> Refused {
    match step {
        None | Some(Step::Reauthenticate(_)) => {
            Refused::new(Code::LoginRequired, "Its user would have to sign in.")
        }
        Some(Step::Consent) => Refused::new(Code::ConsentRequired, "Its user would have to allow it."),
        Some(Step::Forbidden) => Refused::new(Code::AccessDenied, "They may not use this application."),
        Some(_) => Refused::new(Code::InteractionRequired, "Something would have to be asked."),
    }
}

/// `POST /oauth/authorize`: kept, and gone on with by a GET, to which the browser brings its cookie.
pub(crate) async fn park(req: HttpRequest, form: Form, app: Data<App>) -> Result<HttpResponse> {
    let again =
        urls::with_query("/oauth/authorize", form.0.iter().map(|(name, value)| (name.as_str(), value)));
    match read(form.0, &app).await? {
        // Who is there is looked at where the cookie is.
        Brought::Request(asking) if asking.request.has(Prompt::None) => Ok(answer::see_other(&again)),
        Brought::Request(asking) => {
            let ip = forwarded::ip(&req).map(|ip| ip.to_string()).unwrap_or_default();
            keep(&app, *asking, Some(&ip)).await
        }
        Brought::Wrong(wrong, refused) => {
            let (request, name) = *wrong;
            answer::send(&req, &app, &request, answer::refused(refused), (&name, Way::Redirect))
        }
    }
}

/// Keeps a request while something is asked; of a `stranger` at this address so many.
async fn keep(app: &App, asking: Asking, stranger: Option<&str>) -> Result<HttpResponse> {
    let at = app.now().unix();
    let (kept, stranger) = (AskedFor { request: asking.request, at }, stranger.map(str::to_owned));
    let secret = app.write(move |tx| authorization::keep_request(tx, &kept, stranger.as_deref())).await?;
    Ok(answer::see_other(&urls::with_query("/oauth/continue", [("request", secret.reveal())])))
}

/// Reads a request. Where nobody can be told what is wrong, the person is:
/// [`clients::CLIENT_UNKNOWN`], [`REDIRECT_URI_UNKNOWN`], [`Error::Malformed`].
async fn read(pairs: Vec<(String, String)>, app: &App) -> Result<Brought> {
    let first = |name: &str| {
        let mut found = pairs.iter().filter(|(one, value)| one == name && !value.is_empty());
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value.clone()),
            _ => None,
        }
    };
    let missing = |name: &str| Error::Malformed(format!("{name} is missing, or there more than once"));
    let client_id = first("client_id").ok_or_else(|| missing("client_id"))?;
    let found = client::named(app, &client_id).await?;
    let redirect_uri = first("redirect_uri").ok_or_else(|| missing("redirect_uri"))?;
    if !found.comes_back_at(&redirect_uri) {
        let named = Particulars::named(clients::shown(&redirect_uri)).and(&found.name).and(&found.client_id);
        return Err(REDIRECT_URI_UNKNOWN.with(named));
    }
    let response_mode =
        first("response_mode").and_then(|word| ResponseMode::from_word(&word)).unwrap_or(ResponseMode::Query);
    let state = first("state").filter(|state| state.len() <= 8_192);
    let hint = first("id_token_hint");
    let subject = match &hint {
        Some(hint) => {
            let ring = signing_keys::ring(app).await?;
            let hint = read_hint(hint, &ring.known, &app.config().site.origin());
            hint.filter(|hint| hint.aud == client_id).map(|hint| hint.sub)
        }
        None => None,
    };
    let read = parameters(pairs).and_then(|parameters| {
        let request = AuthorizationRequest::read(&parameters, found.settings.asks_pkce)?;
        may_ask(&found, &request, &app.config().site.origin())?;
        if hint.is_some() && subject.is_none() {
            return Err(Refused::new(
                Code::InvalidRequest,
                "id_token_hint is no ID token of this application.",
            ));
        }
        Ok(AuthorizationRequest { subject, ..request })
    });
    Ok(match read {
        Ok(request) => Brought::Request(Box::new(Asking { client: found, request, at: None })),
        Err(refused) => {
            client::log_refusal(refused);
            let request = AuthorizationRequest::to_answer(client_id, redirect_uri, response_mode, state);
            Brought::Wrong(Box::new((request, found.name)), refused)
        }
    })
}

fn may_ask(client: &Client, request: &AuthorizationRequest, site: &str) -> std::result::Result<(), Refused> {
    if client.allowed(request.scopes()).iter().next().is_none() {
        return Err(Refused::new(Code::InvalidScope, "No scope that this application may ask for is there."));
    }
    if client.audience(request.resource.as_deref(), site).is_none() {
        return Err(Refused::new(Code::InvalidTarget, "This application may not ask for that resource."));
    }
    Ok(())
}
