//! Signing in through one's organisation (SAML 2.0 web browser single sign-on, saml-profiles §4.1).
//!
//! The callback is a cross-site POST: it reads nothing from the Lax cookies and signs nobody in. It leaves what was
//! proved under a one-time secret, and the browser comes for it by itself, with its cookies.

mod acs;
mod authn_request;
mod complete;
mod linking;
mod logout;
mod sign_out;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    db::Tx,
    error::{Error, Result},
    ids::{AttemptId, ConnectionId, UserId},
    kinds::Role,
    model::{
        audit::{self, Event},
        connection::{self, Connection},
        organisation, service_key,
        sso_attempt::{self, CheckDetail, Detail},
        sso_session::SsoSession,
        token::{AuthnRequestState, SsoIntent},
    },
    saml::{self, Reason, Refusal},
    secret,
    web::{Client, Reply, cookies::Own, local_path},
};

pub(crate) use self::{
    acs::{assertion_consumer_service, say_refused},
    authn_request::{go, login, step_up, test, test_by_link},
    complete::complete,
    linking::{link, link_form},
    logout::{logout, logout_by_post},
    sign_out::{offer_sign_out, sign_out},
};

const SEAL: &str = "saml_arrival";

// The page of set-up links.
const SETUP: &str = "/sso/setup";

const REFUSED: &str = "/auth/saml/refused";

/// Where a sign-in goes that comes back, and whether its device is remembered.
#[derive(Default, Serialize)]
pub(crate) struct Destination {
    next: Option<String>,
    remember: bool,
}

impl Destination {
    /// `next` where it is a path of this site.
    pub(crate) fn new(next: Option<&str>, remember: bool) -> Self {
        Self { next: local_path(next), remember }
    }
}

/// A response that passed, while its browser comes for it.
#[derive(Serialize, Deserialize)]
struct Handoff {
    asked: AuthnRequestState,
    attempt: AttemptId,
    /// What identified people at the connection when this came.
    identifier: String,
    name: saml::Name,
    email: Option<String>,
    shown: Option<String>,
    role: Role,
    session_ends_at: Option<i64>,
    sso: Option<SsoSession>,
}

/// An identity that waits for its person to sign in the old way.
#[derive(Serialize, Deserialize)]
struct Linking {
    connection: ConnectionId,
    name: saml::Name,
    role: Role,
}

/// Somebody could not be signed in; why is for their administrator.
#[derive(Template, Serialize)]
#[template(path = "saml_refused.html")]
pub(crate) struct RefusedPage {
    reference: Option<String>,
}

impl RefusedPage {
    fn reply(reference: Option<String>) -> Reply {
        Reply::refused(Self { reference }, Error::SsoRefused)
    }
}

/// Why a response lets nobody in, for the owners of its connection.
struct Fault {
    code: &'static str,
    is_signed: bool,
    detail: Detail,
}

impl Fault {
    /// One that says nothing of what came.
    fn new(code: &'static str, is_signed: bool, sentence: &str) -> Self {
        let detail = Detail { reason: Some(sentence.to_owned()), ..Detail::default() };
        Self { code, is_signed, detail }
    }

    /// Whether the identity provider may have changed its keys.
    fn may_be_of_another_key(&self) -> bool {
        let reasons = [Reason::BadSignature, Reason::KeyKind, Reason::CertificateExpired];
        reasons.iter().any(|reason| reason.code() == self.code)
    }
}

const ANOTHER_BROWSER: (&str, &str) =
    ("another_browser", "Another browser brought the response than the one that asked for it.");

impl From<Box<Refusal>> for Fault {
    fn from(refusal: Box<Refusal>) -> Self {
        let Refusal { reason, checks, is_signed, name_id, attributes } = *refusal;
        let came = match (reason, &name_id) {
            (Reason::NameFormat, Some(name)) => Some(format!("It came as {}.", name.format)),
            (Reason::StatusFailed, _) => {
                let failed = checks.iter().find(|check| check.failed == Some(reason));
                failed.and_then(|check| Some(format!("It says: {}", check.found.as_ref()?)))
            }
            _ => None,
        };
        let sentence = [Some(reason.sentence().to_owned()), came].into_iter().flatten();
        let (name_id, name_format) = name_id.map(|name| (name.value, name.format)).unzip();
        let detail = Detail {
            reason: Some(sentence.collect::<Vec<_>>().join(" ")),
            name_id,
            name_format,
            checks: self::checks(&checks),
            attributes: self::attributes(&attributes),
            ..Detail::default()
        };
        Self { code: reason.code(), is_signed, detail }
    }
}

/// `GET /auth/saml/metadata`
pub(crate) async fn metadata(app: Data<App>) -> Result<HttpResponse> {
    let config = app.config().clone();
    let (service, are_all_signed) = app
        .read(move |conn| Ok((service_key::service(conn, &config)?, !connection::is_any_unsigned(conn)?)))
        .await?;
    let document = tokio::task::spawn_blocking(move || saml::metadata(&service, are_all_signed)).await;
    let document = document.map_err(Error::internal)??;
    Ok(HttpResponse::Ok().content_type("application/samlmetadata+xml").body(document))
}

/// `GET /auth/saml/certificate`: the certificate of the key in use, as a file, where an identity provider asks for that.
pub(crate) async fn certificate(app: Data<App>) -> Result<HttpResponse> {
    let config = app.config().clone();
    let service = app.read(move |conn| service_key::service(conn, &config)).await?;
    let key = service.keys.first().ok_or(Error::NotFound)?;
    Ok(HttpResponse::Ok()
        .content_type("application/x-pem-file")
        .insert_header(("content-disposition", "attachment; filename=\"saml-certificate.pem\""))
        .body(key.certificate_pem()?))
}

/// Who tries a connection.
#[derive(Clone)]
enum Tester {
    /// One of its owners.
    Owner(UserId),
    /// The bearer of a set-up link.
    LinkBearer,
}

impl Tester {
    fn of(purpose: &SsoIntent) -> Option<Self> {
        match purpose {
            SsoIntent::Test { user } => Some(Self::Owner(user.clone())),
            SsoIntent::TestByLink => Some(Self::LinkBearer),
            SsoIntent::SignIn | SsoIntent::StepUp { .. } => None,
        }
    }
}

/// Notes a response that was refused, or a test; where its browser goes on. A test is shown to its owner, anything else is
/// told in general words, with a number to read out.
fn note(
    tx: &mut Tx,
    client: &Client,
    connection: &Connection,
    test: Option<Tester>,
    (outcome, is_signed): (&str, bool),
    detail: &Detail,
) -> Result<String> {
    let id = match &test {
        Some(Tester::LinkBearer) => {
            sso_attempt::note_by_link(tx, &connection.id, is_signed, outcome, detail)?
        }
        Some(Tester::Owner(owner)) => {
            sso_attempt::note(tx, &connection.id, Some(owner), is_signed, outcome, detail)?
        }
        None => sso_attempt::note(tx, &connection.id, None, is_signed, outcome, detail)?,
    };
    if outcome != "success" {
        record_refusal(tx, client, connection, outcome)?;
    }
    Ok(match test {
        Some(Tester::LinkBearer) => format!("{SETUP}?attempt={id}"),
        Some(Tester::Owner(_)) => {
            let slug = organisation::slug_of(tx.conn, &connection.organisation_id)?;
            format!("/organisations/{slug}/sso/{}/attempts/{id}", connection.id)
        }
        None => format!("{REFUSED}?reference={}", sso_attempt::reference(&id)),
    })
}

fn record_refusal(tx: &mut Tx, client: &Client, connection: &Connection, reason: &str) -> Result<()> {
    tracing::warn!(connection.id = %connection.id, reason, "a SAML response is refused");
    let event = Event::SsoRefused { connection: connection.id.clone(), reason: reason.to_owned() };
    audit::record(tx, &client.actor(), None, event)
}

fn checks(checks: &[saml::Check]) -> Vec<CheckDetail> {
    let detail = |check: &saml::Check| CheckDetail {
        says: check.says.to_owned(),
        failed: check.failed.map(|reason| reason.sentence().to_owned()),
        expected: check.expected.clone(),
        found: check.found.clone(),
    };
    checks.iter().map(detail).collect()
}

fn attributes(attributes: &[saml::Attribute]) -> Vec<(String, Vec<String>)> {
    attributes.iter().map(|one| (one.name.clone(), one.values.clone())).collect()
}

fn refused(error: Error) -> Error {
    match error {
        Error::DeadLink | Error::NotFound => Error::SsoRefused,
        other => other,
    }
}

/// What this browser may hold that binds a request to it.
fn nonces_of(req: &HttpRequest) -> Vec<String> {
    Own::Saml.values(req, |value| value.len() == 43).map(str::to_owned).collect()
}

/// Whether one of its `nonces` makes this the browser that `asked`.
fn is_asking_browser(nonces: &[String], asked: &AuthnRequestState) -> bool {
    nonces.iter().any(|nonce| secret::digest(nonce) == asked.browser)
}
