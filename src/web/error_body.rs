//! What a program reads of a refusal.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use serde_json::json;

use crate::error::Error;

/// The status of an error, as actix knows it.
pub fn status_of(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// `{"error", "code", "fields"?, "requestId"?}`.
pub fn json(answer: &mut HttpResponseBuilder, error: &Error, request_id: Option<String>) -> HttpResponse {
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
    if let Error::SsoRequired(way) = error {
        body["signIn"] = way.as_str().into();
    }
    if let Error::NotReady(reason) = error {
        body["reason"] = reason.name().into();
    }
    if let Error::TooManyAttempts(seconds) = error {
        answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    if let Some(id) = request_id {
        body["requestId"] = id.into();
    }
    answer.content_type("application/json; charset=utf-8").body(body.to_string())
}
