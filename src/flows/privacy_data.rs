//! What is held about people, why, and what becomes of it.

use actix_web::web::Data;
use askama::Template;
use serde::Serialize;

use crate::{
    app::App,
    clock::span_in_words,
    error::Result,
    model::personal_data::Erasure,
    web::{Reply, views::PersonalDataView},
};

/// What we hold about people.
#[derive(Template, Serialize)]
#[template(path = "privacy_data.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct PrivacyDataPage {
    #[serde(rename = "holdings")]
    personal_data: Vec<PersonalDataView>,
    #[serde(skip)]
    grace: String,
}

/// `GET /privacy/data`
pub(crate) async fn show(app: Data<App>) -> Result<Reply> {
    let grace = span_in_words(app.config().lifetimes.deletion_grace);
    Ok(Reply::page(PrivacyDataPage { personal_data: PersonalDataView::all(), grace }))
}
