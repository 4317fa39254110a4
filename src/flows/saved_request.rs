//! The form that a step-up interrupted.

mod words;

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use self::words::Words;
use crate::{
    app::App,
    error::Result,
    model::token::ResumeRequest,
    secret::Secret,
    web::{Client, CurrentUser, Query, Reply, request_refused::METHOD_NOT_ALLOWED, saved_request},
};

/// The interrupted form, filled.
#[derive(Template, Serialize)]
#[template(path = "saved_request.html")]
pub(crate) struct SavedRequestPage {
    path: String,
    #[serde(flatten)]
    words: Words,
    fields: Vec<(String, String)>,
}

/// The interrupted form's secret.
#[derive(Deserialize)]
pub(crate) struct Resume {
    #[serde(default)]
    resume: Secret<ResumeRequest>,
}

/// `GET /auth/continue?resume=`: the interrupted form comes back filled, once.
pub(crate) async fn show(
    me: CurrentUser,
    client: Client,
    query: Query<Resume>,
    app: Data<App>,
) -> Result<Reply> {
    if !client.is_navigation {
        return Err(METHOD_NOT_ALLOWED.error());
    }
    let (session, secret) = (me.session.id.clone(), query.into_inner().resume);
    let (browser, user) = (client.binding.clone(), me.user.id.clone());
    let (form, words) = app
        .write(move |tx| {
            let form = saved_request::consume(tx, &session, browser.as_deref(), &secret)?;
            let words = Words::of(tx.conn, &user, &form)?;
            Ok((form, words))
        })
        .await?;
    Ok(Reply::page(SavedRequestPage { words, path: form.path, fields: form.fields }))
}

impl SavedRequestPage {
    /// What says something to a person, with the words for it.
    fn told(&self) -> impl Iterator<Item = (&'static str, String)> {
        let shown = [
            ("email", "Email address"),
            ("emails", "Email addresses"),
            ("name", "Name"),
            ("slug", "Short name"),
            ("domain", "Domain"),
            ("organisation", "Organisation"),
            ("expiresIn", "It works for"),
        ];
        let value =
            |name| self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
        let shown = shown.into_iter().filter_map(move |(name, words)| Some((words, value(name)?)));
        // A field for each box that is ticked, or a list.
        let chosen = self.fields.iter().filter_map(|(name, value)| match name.as_str() {
            "permissions" => Some(value.as_str()).filter(|value| !value.is_empty()),
            name => Some(name).filter(|name| name.contains(':')),
        });
        let chosen: Vec<&str> = chosen.collect();
        let chosen = Some(("Permissions", chosen.join(", "))).filter(|(_, chosen)| !chosen.is_empty());
        shown.chain(chosen)
    }
}
