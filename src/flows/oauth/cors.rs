//! What scripts of applications may ask. From where they may is said by [`crate::web::cors`].

use actix_web::{HttpRequest, HttpResponse, http::header};

/// `OPTIONS` of what scripts may ask. No cookie counts there, so they may send whatever headers they like: tracing and the like add
/// their own.
pub(crate) async fn preflight(req: HttpRequest) -> HttpResponse {
    let asked = req.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let usual = header::HeaderValue::from_static("authorization, content-type");
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, asked.cloned().unwrap_or(usual)))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, "7200"))
        .finish()
}
