//! Scripts of applications ask from their own origins (Fetch standard, CORS protocol): those that are registered, on errors as
//! well.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderValue},
    web::Data,
};

use crate::{app::App, error::Result, model::application::client, web::negotiation::header_text};

/// The answer, for the script that asked.
pub(super) async fn allow(req: &HttpRequest, app: &App, mut answer: HttpResponse) -> Result<HttpResponse> {
    answer.headers_mut().insert(header::VARY, HeaderValue::from_static("origin"));
    let Some(origin) = header_text(req, header::ORIGIN) else { return Ok(answer) };
    let asked = origin.clone();
    if app.read(move |conn| client::is_origin_of_any(conn, &asked)).await?
        && let Ok(value) = HeaderValue::from_str(&origin)
    {
        answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
        let exposed = HeaderValue::from_static("www-authenticate");
        answer.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    Ok(answer)
}

/// `OPTIONS` of what scripts may ask.
pub(crate) async fn preflight(req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let answer = HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, "7200"))
        .finish();
    allow(&req, &app, answer).await
}
