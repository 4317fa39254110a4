//! Where a request came to, and what it is called in the log.

use actix_web::HttpRequest;

use crate::log;

/// In place of a route where there is none.
pub(crate) const NO_ROUTE: &str = "none";

/// The pattern of the route, such as `/me/sessions/{id}`; never the path, which may carry what is private.
pub(crate) fn route(req: &HttpRequest) -> String {
    req.match_pattern().unwrap_or_else(|| NO_ROUTE.to_owned())
}

/// Whether the request came to a route of the house, or to none at all.
pub(crate) fn has_route(req: &HttpRequest) -> bool {
    req.match_pattern().is_some()
}

/// The id of the request that is being answered.
pub(crate) fn request_id() -> String {
    log::current().map_or_else(String::new, |request| request.id.clone())
}
