//! What a program reads of a refusal, and what every refusal has: its status, its line in the log, when to come back.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use serde_json::{Map, Value, json};

use super::matched;
use crate::{
    error::Error,
    log,
    scim::{MEDIA_TYPE, SCIM_TYPE},
};

/// The status of an error, as actix knows it.
pub(crate) fn status_of(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// `{"error", "code", "fields"?, "requestId"?}`.
pub(crate) fn json(
    answer: &mut HttpResponseBuilder,
    error: &Error,
    request_id: Option<String>,
) -> HttpResponse {
    let more = request_id.map(|id| ("requestId".to_owned(), id.into())).into_iter().collect();
    json_with(answer, error, more)
}

/// The same for an application that asks by OAuth (RFC 6749 §5.2): `{"error", "error_description"}`.
pub(crate) fn oauth(answer: &mut HttpResponseBuilder, error: &Error) -> HttpResponse {
    let code = if error.status() >= 500 { "server_error" } else { "invalid_request" };
    let description = match error.code() {
        "unsupported_media" => "Send the body as application/x-www-form-urlencoded.".to_owned(),
        _ => error.to_string().replace('"', "'"),
    };
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    let body = json!({ "error": code, "error_description": description });
    answer.content_type("application/json; charset=utf-8").body(body.to_string())
}

/// The same for the identity provider of an organisation (RFC 7644 §3.12): `{"schemas", "status", "scimType"?, "detail"}`.
pub(crate) fn scim(answer: &mut HttpResponseBuilder, error: &Error) -> HttpResponse {
    // What is wrong with what was sent is 400 there, whatever it is.
    let status = if matches!(error, Error::Invalid(_)) { 400 } else { error.status() };
    let detail = match error {
        Error::Invalid(errors) => errors.first().map_or_else(|| error.to_string(), str::to_owned),
        error => error.to_string(),
    };
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string(), "detail": detail,
    });
    let told = error.particulars().and_then(|own| own.details.iter().find(|(key, _)| *key == SCIM_TYPE));
    let kind = match (told, error) {
        (Some((_, kind)), _) => Some(kind.clone()),
        (None, Error::Malformed(_)) => Some("invalidSyntax".into()),
        (None, Error::Invalid(_)) => Some("invalidValue".into()),
        _ => None,
    };
    if let Some(kind) = kind {
        body[SCIM_TYPE] = kind;
    }
    answer.status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.content_type(MEDIA_TYPE).body(body.to_string())
}

/// The same with `more` keys.
pub(crate) fn json_with(
    answer: &mut HttpResponseBuilder,
    error: &Error,
    more: Map<String, Value>,
) -> HttpResponse {
    let mut body = json!({ "error": error.to_string(), "code": error.code() });
    if let Error::Invalid(errors) = error {
        if let Some(first) = errors.first() {
            body["error"] = first.into();
        }
        body["fields"] = json!(errors);
    }
    if let Error::StepUp(step_up) = error {
        body["confirm"] = "/auth/confirm".into();
        body["methods"] = json!(step_up.methods);
    }
    for (key, value) in error.particulars().iter().flat_map(|own| &own.details) {
        body[key] = value.clone();
    }
    if let Error::NotReady(reason) = error {
        body["reason"] = reason.name().into();
    }
    for (key, value) in more {
        body[key] = value;
    }
    answer.content_type("application/json; charset=utf-8").body(body.to_string())
}

/// Says when a request may be sent again, or with what, where that is what is wrong.
pub(crate) fn put_headers(answer: &mut HttpResponseBuilder, error: &Error) {
    if let Error::TooManyAttempts(seconds) = error {
        answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    if let Some(header) = error.refusal().header {
        answer.insert_header(header);
    }
    if let Some((name, value)) = error.particulars().and_then(|own| own.header.as_ref()) {
        answer.insert_header((*name, value.as_str()));
    }
}

/// Refused access is told at `info`, with who it was: 403, and 404 at a route, which is what somebody else's things are.
pub(crate) fn log(req: &HttpRequest, error: &Error) {
    let (route, code) = (matched::route(req), error.code());
    let request = log::current();
    let client = request.as_ref().map(|request| request.client.as_str());
    let user = request.as_ref().and_then(|request| request.user());
    let key = request.as_ref().and_then(|request| request.key());
    let asked = request.as_ref().and_then(|request| request.asked());
    let (host, path) = (asked.map(|asked| asked.host.as_str()), asked.map(|asked| asked.path.as_str()));
    request.iter().for_each(|request| request.set_code(code));
    match error {
        // Said where it happened.
        Error::Internal(cause) if cause.is::<log::Panicked>() => {}
        Error::Internal(_) => {
            tracing::error!(route, user.id = user, client, cause = error.cause(), "request failed")
        }
        Error::Unavailable(_) => {
            tracing::error!(route, user.id = user, client, cause = error.cause(), "database unavailable");
        }
        error if error.refusal().is_warned => {
            tracing::warn!(
                route,
                code,
                user.id = user,
                key.id = key,
                gate.host = host,
                gate.path = path,
                client,
                "refused"
            );
        }
        error if error.status() == 403 || (error.status() == 404 && matched::has_route(req)) => {
            tracing::info!(
                route,
                code,
                user.id = user,
                key.id = key,
                gate.host = host,
                gate.path = path,
                client,
                "refused"
            );
        }
        _ => tracing::debug!(route, code, user.id = user, client, "refused"),
    }
}
