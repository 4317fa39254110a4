//! Addresses that programs know beforehand (RFC 8615): where password managers send people.

use actix_web::{HttpResponse, http::header, web::Data};
use serde_json::json;

use crate::{app::App, error::Result};

/// `GET /.well-known/change-password`: for people whose password is known to others (W3C, A Well-Known URL for Changing
/// Passwords).
pub(crate) async fn change_password() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/me/password")).finish()
}

/// `GET /.well-known/passkey-endpoints`: for people who add or remove a passkey (W3C, Passkey Endpoints).
pub(crate) async fn passkey_endpoints(app: Data<App>) -> Result<HttpResponse> {
    app.relying_party().id()?;
    let page = app.config().site.link("/me/passkeys");
    Ok(HttpResponse::Ok().json(json!({ "enroll": page, "manage": page })))
}
