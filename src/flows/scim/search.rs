//! A search over users and groups together.

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use serde_json::Value;

use super::{base, groups, users};
use crate::{
    app::App,
    error::Result,
    scim::{ListQuery, Page, ScimType, invalid, list},
    web::directory_call::{DirectoryBody, DirectoryCall, answer},
};

/// `POST /scim/v2/.search`: users first, then groups (RFC 7644 §3.4.3). Its pages are counted; a cursor is of one kind of resource.
pub(crate) async fn create(
    call: DirectoryCall,
    DirectoryBody(body): DirectoryBody,
    app: Data<App>,
) -> Result<HttpResponse> {
    let query = ListQuery::of_fields(&body)?;
    let Page::Index(start) = query.page else {
        return Err(invalid(ScimType::InvalidCursor, "A search over everything has no cursors."));
    };
    let (place, base, now) = (call.place().clone(), base(&app), app.now());
    let keys = app.config().keys.clone();
    let read = app.read(move |conn| {
        let total = |page: &Value| page["totalResults"].as_i64().unwrap_or_default();
        let some = |page: &Value| page["Resources"].as_array().cloned().unwrap_or_default();
        let people = users::found(conn, &place, &base, &query, &keys, now)?;
        let mut found = some(&people);
        let rest = query.count - i64::try_from(found.len()).unwrap_or_default();
        let mut after = query.clone();
        (after.page, after.count) = (Page::Index((start - total(&people)).max(1)), rest);
        let groups = groups::found(conn, &place, &base, &after, &keys, now)?;
        found.extend(some(&groups));
        Ok(list(&query, total(&people) + total(&groups), found, None))
    });
    Ok(answer(StatusCode::OK, &read.await?))
}
