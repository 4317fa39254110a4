//! What is held about people, why, and what becomes of it.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::personal_data,
    app::App,
    clock::span_in_words,
    error::Result,
    model::personal_data::Erasure,
    web::{Query, Reply, VerifiedUser, input::tick, views::PersonalDataView},
};

/// What we hold about people.
#[derive(Template, Serialize)]
#[template(path = "privacy_data.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct PrivacyDataPage {
    #[serde(rename = "holdings")]
    personal_data: Vec<PersonalDataView>,
    /// Whether it is what is held about whoever asks, and no more.
    #[serde(skip)]
    is_own: bool,
    #[serde(skip)]
    grace: String,
}

/// What to show.
#[derive(Deserialize)]
pub(crate) struct Shown {
    #[serde(default, deserialize_with = "tick")]
    mine: bool,
}

/// `GET /privacy/data`. What is held about oneself, as in the export, for whoever has the address confirmed.
pub(crate) async fn show(shown: Query<Shown>, app: Data<App>, me: Result<VerifiedUser>) -> Result<Reply> {
    let entries = match shown.mine {
        true => {
            let id = me?.user.id.clone();
            app.read(move |conn| personal_data::of(conn, &id)).await?
        }
        false => personal_data::ALL.to_vec(),
    };
    let lifetimes = &app.config().lifetimes;
    let personal_data = entries.into_iter().map(|entry| PersonalDataView::new(entry, lifetimes)).collect();
    let grace = span_in_words(lifetimes.deletion_grace);
    Ok(Reply::page(PrivacyDataPage { personal_data, is_own: shown.mine, grace }))
}
