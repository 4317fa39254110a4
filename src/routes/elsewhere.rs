//! What is answered where no route is.

use actix_web::{HttpRequest, HttpResponse, http::header};
use serde_json::json;

use crate::{
    error::Error,
    web::{local_path, negotiation::wants_html},
};

// Pages that moved: what links to the old address still arrives (RFC 9110 §15.4.9).
const MOVED: [(&str, &str); 1] = [("/what-we-hold", "/privacy/data")];

/// 404; but the address of a page that moved leads to the new one, and one with a slash too many at its end to the one
/// without, for every method and with its query.
pub(super) async fn nothing_here(req: HttpRequest) -> Result<HttpResponse, Error> {
    let moved = MOVED.iter().find(|(from, _)| *from == req.path()).map(|(_, to)| *to);
    let is_there = |path: &&str| !["", "/"].contains(path) && req.resource_map().has_resource(path);
    let path = moved.or_else(|| req.path().strip_suffix('/').filter(is_there)).ok_or(Error::NotFound)?;
    let whole = if req.query_string().is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", req.query_string())
    };
    let location = local_path(Some(&whole)).ok_or(Error::NotFound)?;
    let mut answer = HttpResponse::PermanentRedirect();
    answer.insert_header((header::LOCATION, location.as_str()));
    match wants_html(req.headers()) {
        true => Ok(answer.finish()),
        false => {
            let body = json!({ "location": location }).to_string();
            Ok(answer.content_type("application/json; charset=utf-8").body(body))
        }
    }
}
