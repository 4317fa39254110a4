//! The front page: in for those who are signed in, two doors for everybody else.

use askama::Template;
use serde::Serialize;

use crate::{
    error::Result,
    web::{IncludingScheduledDeletion, Reply},
};

/// The front page has nothing of its own to say.
#[derive(Template, Serialize)]
#[template(path = "front.html")]
struct FrontPage {}

/// `GET /`
pub async fn show(me: Option<IncludingScheduledDeletion>) -> Result<Reply> {
    Ok(match me {
        Some(_) => Reply::go("/me"),
        None => Reply::page(FrontPage {}),
    })
}
