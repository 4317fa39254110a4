//! Development only: every route, for a developer on this machine.

use actix_web::{HttpRequest, web::Data};
use askama::Template;
use serde::Serialize;

use crate::{
    app::App,
    error::{Error, Result},
    web::{
        Reply,
        listed_routes::{ListedRoute, ListedRoutes},
        local_visitor,
    },
};

/// Every route, in the order of `docs/routes.md`.
#[derive(Template, Serialize)]
#[template(path = "dev_routes.html")]
struct DevRoutesPage {
    routes: Vec<ListedRoute>,
}

/// `GET /dev/routes`
pub(crate) async fn show(req: HttpRequest, app: Data<App>) -> Result<Reply> {
    local_visitor::only_here(&req, &app)?;
    let listed = req.app_data::<Data<ListedRoutes>>().ok_or(Error::NotFound)?;
    Ok(Reply::page(DevRoutesPage { routes: listed.0.clone() }))
}
