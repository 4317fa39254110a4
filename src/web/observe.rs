//! Each request has an id, is counted by its route, and can be found in the log.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use actix_web::{
    HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    middleware::Next,
};

use super::app_of;
use crate::secret;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

#[derive(Clone, Copy)]
struct Number(u64);

/// Counts the request, and gives it an id that its log lines and a 500 page share.
pub async fn observe<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let began = Instant::now();
    req.extensions_mut().insert(Number(NEXT.fetch_add(1, Ordering::Relaxed)));
    let app = app_of(req.request())?.clone();
    let mut res = app.db().in_turns(next.call(req)).await?;
    let request = res.request();
    let (status, seconds) = (res.status().as_u16(), began.elapsed().as_secs_f64());
    let (route, id) = (route(request), request_id(request));
    app.metrics().request(&route, status, seconds);
    tracing::debug!(request.id = id, route, status, seconds, "answered");
    if let Ok(value) = HeaderValue::from_str(&id) {
        res.headers_mut().insert(HEADER, value);
    }
    Ok(res)
}

/// The pattern of the route, such as `/me/sessions/{id}`; never the path, which may carry what is private.
pub fn route(req: &HttpRequest) -> String {
    req.match_pattern().unwrap_or_else(|| "none".to_owned())
}

/// The id of this request: random by process, counted within it.
pub fn request_id(req: &HttpRequest) -> String {
    static PROCESS: OnceLock<String> = OnceLock::new();
    let process = PROCESS.get_or_init(|| secret::random_text(6).unwrap_or_default());
    let number = req.extensions().get::<Number>().map_or(0, |number| number.0);
    format!("{process}-{number}")
}
