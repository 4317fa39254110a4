//! Which application asks, and whether it is the one that it says.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, http::header};
use serde_json::json;

use crate::{
    accounts::clients,
    app::App,
    error::Result,
    log,
    model::application::client::{self, Client},
    oauth::{Code, Credentials, Refused},
    web::negotiation::header_text,
};

/// What comes of a question of an application: an answer, or a refusal that it is told.
pub(super) type Told<T> = std::result::Result<T, Refused>;

const UNKNOWN: Refused = Refused::new(Code::InvalidClient, "No application in use has this id and secret.");

/// The application that a browser is sent from. [`clients::CLIENT_UNKNOWN`], or [`clients::CLIENT_DISABLED`].
pub(super) async fn named(app: &App, client_id: &str) -> Result<Client> {
    let named = client_id.to_owned();
    let found = app.read(move |conn| client::called(conn, &named)).await?;
    let found = found.ok_or_else(|| clients::unknown(client_id))?;
    match found.disabled_at {
        Some(_) => Err(clients::CLIENT_DISABLED.about(found.name)),
        None => {
            note(&found);
            Ok(found)
        }
    }
}

/// The lines of this request tell of it.
fn note(found: &Client) {
    log::current().iter().for_each(|request| request.set_application(&found.client_id));
}

/// What an application is told is wrong, for whoever looks into it at night.
pub(super) fn log_refusal(refused: Refused) {
    let request = log::current();
    request.iter().for_each(|request| request.set_code(refused.code.as_str()));
    let client_id = request.as_ref().and_then(|request| request.application());
    tracing::info!(
        code = refused.code.as_str(),
        reason = refused.description,
        client.id = client_id,
        "application refused"
    );
}

/// The application in use that calls itself so.
pub(super) async fn in_use(app: &App, client_id: &str) -> Result<Option<Client>> {
    let named = client_id.to_owned();
    let found = app.read(move |conn| client::called(conn, &named)).await?;
    Ok(found.filter(|found| found.disabled_at.is_none()))
}

/// The application that a request is from (RFC 6749 §3.2.1): its secret is right, where it has one.
pub(super) async fn authenticated(
    app: &App,
    req: &HttpRequest,
    form: &BTreeMap<String, String>,
) -> Result<Told<Client>> {
    let authorization = header_text(req, header::AUTHORIZATION);
    let credentials = match Credentials::read(authorization.as_deref(), form) {
        Ok(credentials) => credentials,
        Err(refused) => return Ok(Err(refused)),
    };
    let Some(found) = in_use(app, &credentials.client_id).await? else { return Ok(Err(UNKNOWN)) };
    note(&found);
    let is_right = match (found.kind.traits().has_secret, &credentials.secret) {
        (true, Some(secret)) => found.is_opened_by(secret, app.now()),
        (false, None) => true,
        _ => false,
    };
    Ok(if is_right { Ok(found) } else { Err(UNKNOWN) })
}

/// Nothing was sent that could be refused: no code in the challenge (RFC 6750 §3.1).
pub(super) fn token_missing() -> HttpResponse {
    let refused = Refused::new(Code::InvalidToken, "No access token was sent.");
    let mut answer = refusal(refused);
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    answer
}

/// A refusal as JSON (RFC 6749 §5.2).
pub(super) fn refusal(refused: Refused) -> HttpResponse {
    log_refusal(refused);
    let mut answer = match refused.code {
        Code::InvalidClient => HttpResponse::Unauthorized(),
        Code::InvalidToken => HttpResponse::Unauthorized(),
        Code::InsufficientScope => HttpResponse::Forbidden(),
        _ => HttpResponse::BadRequest(),
    };
    match refused.code {
        Code::InvalidClient => {
            answer.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"applications\""));
        }
        Code::InvalidToken | Code::InsufficientScope => {
            let challenge = format!("Bearer error=\"{}\"", refused.code);
            answer.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        _ => {}
    }
    answer.json(json!({ "error": refused.code, "error_description": refused.description }))
}
