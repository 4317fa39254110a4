//! The front page. People who are signed in go on to their account; a developer sees what runs here.

#[cfg(feature = "development")]
mod development;

use actix_web::{HttpRequest, web::Data};
use askama::Template;
use serde::Serialize;

use crate::{
    app::App,
    error::Result,
    web::{IncludingScheduledDeletion, Reply},
};

/// The front page has nothing of its own to say.
#[derive(Template, Serialize)]
#[template(path = "front.html")]
struct FrontPage {}

/// `GET /`
pub(crate) async fn show(
    me: Option<IncludingScheduledDeletion>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<Reply> {
    if me.is_some() {
        return Ok(Reply::go("/me"));
    }
    #[cfg(feature = "development")]
    if let Some(page) = development::page(&req, &app).await {
        return Ok(page);
    }
    // Only a developer's page looks at them.
    let (_, _) = (req, app);
    Ok(Reply::page(FrontPage {}))
}
