//! The keys that tokens are signed with, for whoever checks one.

use actix_web::{HttpResponse, http::header, web::Data};
use serde_json::json;

use crate::{app::App, error::Result, jobs::signing_keys};

/// `GET /oauth/jwks` (RFC 7517 §5): for any site, and for an hour.
pub(crate) async fn show(app: Data<App>) -> Result<HttpResponse> {
    let ring = signing_keys::ring(&app).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .json(json!({ "keys": ring.published })))
}
