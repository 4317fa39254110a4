//! For machines: the counters.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use crate::{
    app::App,
    error::{Error, Result},
    model::outbox,
    web::forwarded,
};

/// `GET /metrics`, for the networks that the settings name.
pub(crate) async fn show(req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    // What counts them may stand beside the proxy: then nobody says who it is.
    let ip = forwarded::ip(&req).or_else(|| forwarded::direct_peer(&req));
    let may_read = ip.is_some_and(|ip| app.config().metrics_from.iter().any(|network| network.contains(&ip)));
    // A proxy on this machine that the settings do not name must not open the metrics to everybody.
    let is_vouched_for = forwarded::is_direct(req.headers()) || !app.config().trusted_proxies.is_empty();
    if !may_read || !is_vouched_for {
        return Err(Error::NotFound);
    }
    let depth = app.read(outbox::depth).await.inspect_err(|error| {
        tracing::warn!(cause = error.cause(), "the metrics leave the outbox out");
    });
    let text = app.metrics().text(depth.ok().as_ref(), app.now())?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}
