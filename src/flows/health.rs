//! For machines: alive, and ready.

use actix_web::web::Data;
use askama::Template;
use serde::Serialize;

use crate::{
    app::App,
    error::{Error, Result},
    model::outbox,
    web::Reply,
};

/// A word on how it is.
#[derive(Template, Serialize)]
#[template(path = "health.html")]
struct HealthPage {
    status: &'static str,
}

/// `GET /healthz`: the process answers.
pub(crate) async fn alive() -> Result<Reply> {
    Ok(Reply::page(HealthPage { status: "ok" }))
}

/// `GET /readyz`: a row can be written, the schema is up, the outbox can be read. Else 503 and the `reason`.
pub(crate) async fn ready(app: Data<App>) -> Result<Reply> {
    match app.db().unready(|conn| outbox::depth(conn).map(drop)).await {
        None => Ok(Reply::page(HealthPage { status: "ready" })),
        Some(reason) => Err(Error::NotReady(reason)),
    }
}
