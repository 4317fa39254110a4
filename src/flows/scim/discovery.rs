//! What is said of the service itself.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::Value;

use super::base;
use crate::{
    app::App,
    error::{Error, Result},
    scim::{Discovery, ListQuery, NOT_FILTERED, list},
    web::directory_call::{DirectoryCall, answer},
};

/// `GET /scim/v2/ServiceProviderConfig`
pub(crate) async fn config(_: DirectoryCall, app: Data<App>) -> Result<HttpResponse> {
    let base = base(&app);
    Ok(answer(StatusCode::OK, &Discovery { base: &base }.service_provider_config()))
}

/// `GET /scim/v2/ResourceTypes`
pub(crate) async fn resource_types(
    _: DirectoryCall,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let base = base(&app);
    all(&req, Discovery { base: &base }.resource_types())
}

/// `GET /scim/v2/ResourceTypes/{id}`
pub(crate) async fn resource_type(
    _: DirectoryCall,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let base = base(&app);
    called(&id, Discovery { base: &base }.resource_types())
}

/// `GET /scim/v2/Schemas`
pub(crate) async fn schemas(_: DirectoryCall, req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let base = base(&app);
    all(&req, Discovery { base: &base }.schemas())
}

/// `GET /scim/v2/Schemas/{id}`
pub(crate) async fn schema(_: DirectoryCall, id: Path<String>, app: Data<App>) -> Result<HttpResponse> {
    let base = base(&app);
    called(&id, Discovery { base: &base }.schemas())
}

/// All of them. A filter is refused: it would leave out what a client has to know (RFC 7644 §4).
fn all(req: &HttpRequest, documents: Vec<(&str, Value)>) -> Result<HttpResponse> {
    if super::query_of(req)?.filter.is_some() {
        return Err(NOT_FILTERED.error());
    }
    let documents: Vec<Value> = documents.into_iter().map(|(_, document)| document).collect();
    let total = i64::try_from(documents.len()).unwrap_or_default();
    Ok(answer(StatusCode::OK, &list(&ListQuery::default(), total, documents, None)))
}

fn called(id: &str, documents: Vec<(&str, Value)>) -> Result<HttpResponse> {
    let found = documents.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(id));
    let (_, document) = found.ok_or(Error::NotFound)?;
    Ok(answer(StatusCode::OK, &document))
}
