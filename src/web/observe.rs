//! Each request has an id, is counted by its route, is a line of the log, and is answered also where its handler panics.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use actix_web::{
    HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        StatusCode,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
};
use futures_util::FutureExt;

use super::{
    app_of,
    error_response::AfterPanic,
    forwarded, headers,
    matched::{self, NO_ROUTE},
};
use crate::{app::App, log, secret};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

// As long as the ids that proxies and tracing systems make, and no longer.
const LONGEST_ID: usize = 128;

/// Gives the request its id, which its log lines, its answer and a 500 page share; counts it and logs it.
pub(crate) async fn observe<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    let began = Instant::now();
    let app = app_of(req.request())?.clone();
    let client = forwarded::ip(req.request()).map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
    let request = Arc::new(log::Request::new(id_of(req.request(), &app)?, client));
    let (method, after_panic) = (req.method().clone(), AfterPanic::of(req.request())?);
    let answering = async { next.call(req).await };
    let answering = log::scope(Arc::clone(&request), app.db().with_read_snapshot(answering));
    // What a panic leaves half done is dropped with the request: a transaction is rolled back, a reader is closed.
    let answered = AssertUnwindSafe(answering).catch_unwind().await;
    let seen = |route: &str, status: StatusCode| {
        let seconds = began.elapsed().as_secs_f64();
        app.metrics().request(route, status.as_u16(), seconds);
        if app.config().access_log {
            tracing::info!(
                method = method.as_str(),
                route,
                status = status.as_u16(),
                ms = (seconds * 10_000.0).round() / 10.0,
                client = request.client,
                code = request.code(),
                user.id = request.user(),
                key.id = request.key(),
                client.id = request.application(),
                gate.host = request.asked().map(|asked| asked.host.as_str()),
                gate.path = request.asked().map(|asked| asked.path.as_str()),
                request.id = request.id,
                "request"
            );
        }
    };
    match answered {
        Ok(answered) => {
            let mut res = answered?;
            seen(&matched::route(res.request()), res.status());
            name(res.headers_mut(), &request.id);
            Ok(res)
        }
        Err(_) => {
            let mut answer = after_panic.render(&request.id);
            headers::put_all(answer.headers_mut(), headers::Transport::of(&app));
            name(answer.headers_mut(), &request.id);
            seen(NO_ROUTE, answer.status());
            Err(InternalError::from_response("a panic", answer).into())
        }
    }
}

fn name(headers: &mut HeaderMap, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(HEADER, value);
    }
}

/// The id that a trusted proxy gave, where it has the shape of one; else a new one: random by process, counted within it.
fn id_of(req: &HttpRequest, app: &App) -> crate::error::Result<String> {
    static PROCESS: OnceLock<String> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(1);
    if let Some(given) = given_id(req, app) {
        return Ok(given.to_owned());
    }
    let process = match PROCESS.get() {
        Some(process) => process,
        None => {
            let made = secret::random_text(6)?;
            PROCESS.get_or_init(|| made)
        }
    };
    Ok(format!("{process}-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

fn given_id<'a>(req: &'a HttpRequest, app: &App) -> Option<&'a str> {
    let peer = req.peer_addr()?.ip().to_canonical();
    if !app.config().trusted_proxies.iter().any(|network| network.contains(&peer)) {
        return None;
    }
    let mut given = req.headers().get_all(HEADER);
    let (id, None) = (given.next()?.to_str().ok()?, given.next()) else { return None };
    let is_plain = id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:=+/".contains(c));
    (is_plain && (1..=LONGEST_ID).contains(&id.len())).then_some(id)
}
