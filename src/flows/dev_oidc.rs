//! Development only: an OpenID provider that signs anybody in, so that an account elsewhere can be had with one click. Nothing of
//! it is kept: a code and an access token are sealed texts.

mod sign_out;

pub(crate) use self::sign_out::sign_out;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::Data,
};
use askama::Template;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::TimeDelta;
use openssl::sha::sha256;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use url::form_urlencoded;

use crate::{
    app::App,
    clock::Timestamp,
    config::{ClientCredential, DEMONSTRATION, Provider},
    error::{Error, Result},
    ids::ConnectionId,
    model::assertion,
    oidc::dev_provider::{Answered, DevProvider, Known},
    secret,
    urls::{self, with_query},
    web::{Input, Query, Reply, local_visitor, negotiation::header_text},
};

const AUTHORIZE: &str = "/dev/oidc/authorize";

// The longest that a code may be good (RFC 6749 §4.1.2): whoever chooses may take their time.
const CODE_LIFE: TimeDelta = TimeDelta::minutes(10);
const TOKEN_LIFE: TimeDelta = TimeDelta::minutes(1);

const CODE: &str = "dev_oidc_code";
const ACCESS_TOKEN: &str = "dev_oidc_access_token";

/// The people it knows: one of each kind, with what is special about them.
const PEOPLE: [(Known, &str); 4] = [
    (person("gina", "Gina", Some(("gina@example.com", true)), None), "her email address is confirmed there"),
    (
        person("hugo", "Hugo", Some(("hugo@example.com", false)), None),
        "his email address is not confirmed there",
    ),
    (person("iris", "Iris", None, None), "tells no email address"),
    (person("jana", "Jana", Some(("jana@works.example", true)), Some("owners")), "of the owners of Works"),
];

const fn person(
    subject: &'static str,
    name: &'static str,
    email: Option<(&'static str, bool)>,
    group: Option<&'static str>,
) -> Known {
    Known { subject, email, name, group }
}

/// Who one can be.
#[derive(Template, Serialize)]
#[template(path = "dev_oidc.html")]
#[serde(rename_all = "camelCase")]
struct DevOidcPage {
    people: Vec<Choice>,
    /// Who can be signed out everywhere.
    #[serde(skip)]
    everybody: &'static [(Known, &'static str)],
    #[serde(skip)]
    redirect_address: String,
    // Whether the answer is a form that the browser posts.
    #[serde(skip)]
    is_form: bool,
    // The same request with the other kind of answer.
    #[serde(skip)]
    other: String,
}

/// An answer that can be given.
#[derive(Serialize)]
struct Choice {
    name: &'static str,
    note: &'static str,
    location: String,
    #[serde(skip)]
    fields: Vec<(&'static str, String)>,
}

/// An authentication request (OpenID Connect Core 1.0 §3.1.2.1).
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    response_type: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    code_challenge: String,
    #[serde(default)]
    code_challenge_method: String,
    state: Option<String>,
    nonce: Option<String>,
    response_mode: Option<String>,
}

/// A token request (RFC 6749 §4.1.3, RFC 7636 §4.5).
#[derive(Deserialize)]
pub(crate) struct TokenForm {
    #[serde(default)]
    grant_type: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    code_verifier: String,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// What is sealed in a code.
#[derive(Serialize, Deserialize)]
struct Grant {
    subject: String,
    nonce: Option<String>,
    challenge: String,
    redirect_uri: String,
    session_id: String,
    at: i64,
}

/// What is sealed in an access token.
#[derive(Serialize, Deserialize)]
struct Access {
    subject: String,
    at: i64,
}

/// `GET /dev/oidc/.well-known/openid-configuration` (OpenID Connect Discovery 1.0 §4)
pub(crate) async fn metadata(req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    demonstration(&req, &app)?;
    Ok(HttpResponse::Ok().json(of(&app)?.metadata()))
}

/// `GET /dev/oidc/jwks` (RFC 7517 §5)
pub(crate) async fn keys(req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    demonstration(&req, &app)?;
    Ok(HttpResponse::Ok().json(of(&app)?.keys()))
}

/// `GET /dev/oidc/authorize`: whoever comes with a request chooses who to be. Each time they sign in anew, as `prompt=login` asks.
pub(crate) async fn authorize(req: HttpRequest, query: Query<Asked>, app: Data<App>) -> Result<Reply> {
    let provider = demonstration(&req, &app)?;
    let asked = query.into_inner();
    let redirect_address = asked.redirect_uri.clone();
    let is_form = asked.response_mode.as_deref() == Some("form_post");
    let mode = if is_form { "query" } else { "form_post" };
    let mut page = DevOidcPage {
        people: Vec::new(),
        everybody: &PEOPLE,
        // Of a parameter that is there twice the first counts.
        other: format!("{AUTHORIZE}?response_mode={mode}&{}", req.query_string()),
        is_form,
        redirect_address,
    };
    // To nowhere but the addresses that are registered (RFC 6749 §4.1.2.1).
    if asked.client_id != provider.client_id || !is_registered(&app, &asked.redirect_uri) {
        return Ok(Reply::page(page));
    }
    if let Some(error) = asked.problem() {
        let location = with_query(&page.redirect_address, asked.answer(&app, ("error", error.to_owned())));
        return Reply::go(location.as_str()).with("location", location);
    }
    for (person, note) in &PEOPLE {
        let grant = Grant {
            subject: person.subject.to_owned(),
            nonce: asked.nonce.clone(),
            challenge: asked.code_challenge.clone(),
            redirect_uri: asked.redirect_uri.clone(),
            session_id: secret::random_text(16)?,
            at: app.now().unix(),
        };
        let fields = asked.answer(&app, ("code", seal(&app, CODE, &grant)?));
        page.add(person.name, note, fields);
    }
    page.add(
        "Say no",
        "as if one pressed Cancel there",
        asked.answer(&app, ("error", "access_denied".to_owned())),
    );
    Ok(Reply::page(page))
}

/// `POST /dev/oidc/token` (RFC 6749 §4.1.3): errors are those of its §5.2.
pub(crate) async fn token(req: HttpRequest, form: Input<TokenForm>, app: Data<App>) -> Result<HttpResponse> {
    let provider = demonstration(&req, &app)?;
    let Input(form) = form;
    let client = basic(&req).or_else(|| Some((form.client_id?, form.client_secret?)));
    if !client.is_some_and(|(id, secret)| is_client(provider, &id, &secret)) {
        return Ok(refused(StatusCode::UNAUTHORIZED, "invalid_client"));
    }
    if form.grant_type != "authorization_code" {
        return Ok(refused(StatusCode::BAD_REQUEST, "unsupported_grant_type"));
    }
    let now = app.now();
    let grant = open::<Grant>(&app, CODE, &form.code).filter(|grant| {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(sha256(form.code_verifier.as_bytes()));
        Timestamp::from_unix(grant.at) + CODE_LIFE > now
            && grant.challenge == challenge
            && form.redirect_uri == grant.redirect_uri
    });
    let Some((grant, person)) =
        grant.and_then(|grant| Some((known(&grant.subject)?, grant))).map(|(p, g)| (g, p))
    else {
        return Ok(refused(StatusCode::BAD_REQUEST, "invalid_grant"));
    };
    // A code is good once (RFC 6749 §4.1.2).
    let (own, code, until) = (ConnectionId::from_text(DEMONSTRATION), form.code, now + CODE_LIFE);
    if !app.write(move |tx| assertion::spend(tx, &own, &code, until)).await? {
        return Ok(refused(StatusCode::BAD_REQUEST, "invalid_grant"));
    }
    let access = Access { subject: grant.subject, at: now.unix() };
    let access_token = seal(&app, ACCESS_TOKEN, &access)?;
    let answered = Answered {
        client_id: &provider.client_id,
        nonce: grant.nonce.as_deref(),
        access_token: &access_token,
        session_id: &grant.session_id,
        authenticated_at: Timestamp::from_unix(grant.at),
    };
    let id_token = of(&app)?.id_token(person, &answered, now)?;
    Ok(HttpResponse::Ok().json(json!({
        "access_token": access_token, "token_type": "Bearer", "expires_in": TOKEN_LIFE.num_seconds(), "id_token": id_token,
    })))
}

/// `GET /dev/oidc/userinfo` (OpenID Connect Core 1.0 §5.3)
pub(crate) async fn userinfo(req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    demonstration(&req, &app)?;
    let presented = header_text(&req, header::AUTHORIZATION).unwrap_or_default();
    let access =
        presented.strip_prefix("Bearer ").and_then(|token| open::<Access>(&app, ACCESS_TOKEN, token));
    let access = access.filter(|access| Timestamp::from_unix(access.at) + TOKEN_LIFE > app.now());
    match access.and_then(|access| known(&access.subject)) {
        Some(person) => Ok(HttpResponse::Ok().json(DevProvider::userinfo(person))),
        None => Ok(refused(StatusCode::UNAUTHORIZED, "invalid_token")),
    }
}

impl Asked {
    /// What is wrong with it, as RFC 6749 §4.1.2.1 says it.
    fn problem(&self) -> Option<&'static str> {
        let has_openid = self.scope.split(' ').any(|word| word == "openid");
        let is_bound = self.code_challenge.len() == 43 && self.code_challenge_method == "S256";
        match (self.response_type.as_str(), has_openid, is_bound) {
            ("code", true, true) => None,
            ("code", false, _) => Some("invalid_scope"),
            ("code", true, false) => Some("invalid_request"),
            _ => Some("unsupported_response_type"),
        }
    }

    /// An answer to it, which says whose it is (RFC 9207).
    fn answer(&self, app: &App, answered: (&'static str, String)) -> Vec<(&'static str, String)> {
        let state = self.state.clone().map(|state| ("state", state));
        [answered].into_iter().chain(state).chain([("iss", issuer(app))]).collect()
    }
}

impl DevOidcPage {
    fn add(&mut self, name: &'static str, note: &'static str, fields: Vec<(&'static str, String)>) {
        let location = with_query(&self.redirect_address, fields.iter().map(|(name, value)| (*name, value)));
        self.people.push(Choice { name, note, location, fields });
    }
}

/// The provider as the settings have it, for a developer at this machine; [`Error::NotFound`] otherwise.
fn demonstration<'a>(req: &HttpRequest, app: &'a App) -> Result<&'a Provider> {
    local_visitor::only_here(req, app)?;
    app.config().provider(DEMONSTRATION).ok_or(Error::NotFound)
}

fn of(app: &App) -> Result<DevProvider> {
    DevProvider::of(&app.config().keys, issuer(app))
}

fn issuer(app: &App) -> String {
    app.config().provider(DEMONSTRATION).map(|provider| provider.issuer.clone()).unwrap_or_default()
}

/// Whether answers are sent to an address: that of this provider in the settings, or of any connection.
fn is_registered(app: &App, address: &str) -> bool {
    let start = app.config().site.link(&urls::oidc_redirect(""));
    address
        .strip_prefix(&start)
        .is_some_and(|key| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn known(subject: &str) -> Option<&'static Known> {
    PEOPLE.iter().map(|(person, _)| person).find(|person| person.subject == subject)
}

fn seal(app: &App, purpose: &str, what: &impl Serialize) -> Result<String> {
    app.config().keys.seal(purpose, &serde_json::to_string(what)?)
}

fn open<T: DeserializeOwned>(app: &App, purpose: &str, sealed: &str) -> Option<T> {
    serde_json::from_str(&app.config().keys.open(purpose, sealed).ok()?).ok()
}

fn is_client(provider: &Provider, id: &str, secret: &str) -> bool {
    match &provider.credential {
        ClientCredential::Secret(own) => id == provider.client_id && secret == own.reveal(),
        ClientCredential::Apple { .. } => false,
    }
}

/// Id and secret in HTTP Basic, both form-encoded (RFC 6749 §2.3.1).
fn basic(req: &HttpRequest) -> Option<(String, String)> {
    let text = header_text(req, header::AUTHORIZATION)?;
    let text = String::from_utf8(BASE64_STANDARD.decode(text.strip_prefix("Basic ")?).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |text: &str| Some(form_urlencoded::parse(text.as_bytes()).next()?.0.into_owned());
    Some((decoded(id)?, decoded(secret)?))
}

fn refused(status: StatusCode, error: &str) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    if status == StatusCode::UNAUTHORIZED {
        let scheme = if error == "invalid_client" { "Basic" } else { "Bearer" };
        answer.insert_header((header::WWW_AUTHENTICATE, scheme));
    }
    answer.json(json!({ "error": error }))
}
