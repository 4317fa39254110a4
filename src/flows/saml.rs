//! Signing in through one's organisation (SAML 2.0 web browser single sign-on, saml-profiles §4.1).
//!
//! The callback is a cross-site POST: it reads nothing from the Lax cookies and signs nobody in. It leaves what was
//! proved under a one-time secret, and the browser comes for it by itself, with its cookies.

mod acs;
mod authn_request;
mod complete;
mod linking;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    db::Tx,
    error::{Error, Result},
    ids::{AttemptId, ConnectionId, UserId},
    kinds::Role,
    model::{
        audit::{self, Event},
        connection::Connection,
        organisation, service_key,
        sso_attempt::{self, Detail},
        token::AuthnRequestState,
    },
    saml::{self, Refusal},
    secret,
    web::{Client, cookies::Own},
};

pub use acs::{assertion_consumer_service, say_refused};
pub use authn_request::{go, login, step_up, test};
pub use complete::complete;
pub use linking::{link, link_form};

const SEAL: &str = "saml_arrival";

const REFUSED: &str = "/auth/saml/refused";

/// A response that passed, while its browser comes for it.
#[derive(Serialize, Deserialize)]
struct Handoff {
    asked: AuthnRequestState,
    attempt: AttemptId,
    format: String,
    name: String,
    email: Option<String>,
    shown: Option<String>,
    role: Role,
    session_ends_at: Option<i64>,
}

/// An identity that waits for its person to sign in the old way.
#[derive(Serialize, Deserialize)]
struct Linking {
    connection: ConnectionId,
    format: String,
    name: String,
    role: Role,
}

/// Why a response lets nobody in, for the owners of its connection.
struct Fault {
    code: &'static str,
    detail: Detail,
}

impl Fault {
    fn new(code: &'static str, sentence: &str) -> Self {
        Self { code, detail: Detail { reason: Some(sentence.to_owned()), ..Detail::default() } }
    }

    fn another_browser() -> Self {
        Self::new("another_browser", "Another browser brought the response than the one that asked for it.")
    }
}

impl From<Box<Refusal>> for Fault {
    fn from(refusal: Box<Refusal>) -> Self {
        let detail = Detail {
            reason: Some(refusal.reason.sentence().to_owned()),
            checks: checks(&refusal.checks),
            attributes: attributes(&refusal.attributes),
            ..Detail::default()
        };
        Self { code: refusal.reason.code(), detail }
    }
}

/// `GET /auth/saml/metadata`
pub async fn metadata(app: Data<App>) -> Result<HttpResponse> {
    let config = app.config().clone();
    let service = app.read(move |conn| service_key::service(conn, &config)).await?;
    let document = tokio::task::spawn_blocking(move || saml::metadata(&service)).await;
    let document = document.map_err(Error::internal)??;
    Ok(HttpResponse::Ok().content_type("application/samlmetadata+xml").body(document))
}

/// Notes a response; a test is shown to its owner, anything else is told in general words.
fn note(
    tx: &mut Tx,
    client: &Client,
    connection: &Connection,
    test: Option<UserId>,
    outcome: &str,
    detail: &Detail,
) -> Result<String> {
    let id = sso_attempt::note(tx, &connection.id, test.as_ref(), test.is_some(), outcome, detail)?;
    if outcome != "success" {
        tracing::warn!(connection.id = %connection.id, reason = outcome, "a SAML response is refused");
        let event = Event::SsoRefused { connection: connection.id.clone(), reason: outcome.to_owned() };
        audit::record(tx, &client.actor(), None, event)?;
    }
    Ok(match test {
        Some(_) => {
            let slug = organisation::slug_of(tx.conn, &connection.organisation_id)?;
            format!("/organisations/{slug}/sso/{}/attempts/{id}", connection.id)
        }
        None => REFUSED.to_owned(),
    })
}

fn checks(checks: &[saml::Check]) -> Vec<(String, Option<String>)> {
    let failed = |check: &saml::Check| check.failed.map(|reason| reason.sentence().to_owned());
    checks.iter().map(|check| (check.says.to_owned(), failed(check))).collect()
}

fn attributes(attributes: &[saml::Attribute]) -> Vec<(String, Vec<String>)> {
    attributes.iter().map(|one| (one.name.clone(), one.values.clone())).collect()
}

fn name_of(format: &str, value: &str) -> Result<saml::Name> {
    let format = saml::NameFormat::from_uri(format).ok_or(Error::SsoRefused)?;
    Ok(saml::Name { format, value: value.to_owned() })
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
