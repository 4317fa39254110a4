//! The form that a step-up interrupted.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    error::{Error, Result},
    model::token::ResumeRequest,
    secret::Secret,
    web::{Client, CurrentUser, Query, Reply, saved_request},
};

/// The interrupted form, filled.
#[derive(Template, Serialize)]
#[template(path = "saved_request.html")]
pub(crate) struct SavedRequestPage {
    path: String,
    what: &'static str,
    /// Whether it takes something away: then a person presses the button once more.
    #[serde(skip)]
    destroys: bool,
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
        return Err(Error::MethodNotAllowed);
    }
    let (session, secret) = (me.session.id.clone(), query.into_inner().resume);
    let browser = client.binding.clone();
    let form = app.write(move |tx| saved_request::consume(tx, &session, browser.as_deref(), &secret)).await?;
    let (what, destroys) = (what(&form.path), destroys(&form.path));
    Ok(Reply::page(SavedRequestPage { what, destroys, path: form.path, fields: form.fields }))
}

/// Whether a form takes something away: whatever is removed, turned off, replaced, or decided about somebody else.
fn destroys(path: &str) -> bool {
    let harmless = ["/me/email", "/me/2fa/totp", "/organisations", "/me/name"];
    let ends = ["/test", "/metadata/read", "/setup-link", "/check", "/domains", "/put-back"];
    !harmless.contains(&path) && !ends.iter().any(|end| path.ends_with(end))
}

fn what(path: &str) -> &'static str {
    match path {
        "/me/email" => "Change your email address",
        "/me/password" => "Change your password",
        "/me/2fa/totp" => "Set up an authenticator app",
        "/me/2fa/totp/disable" => "Remove authenticator app",
        "/me/2fa/recovery-codes" => "Renew recovery codes",
        path if path.starts_with("/me/passkeys/") && path.ends_with("/remove") => "Remove the passkey",
        "/me/delete" => "Delete your account",
        _ => "Continue",
    }
}

impl SavedRequestPage {
    /// What says something to a person. Which set of codes is to be replaced, and that a list of permissions comes along
    /// with those that are ticked, is for the program.
    fn told(&self) -> Vec<&(String, String)> {
        self.fields.iter().filter(|(name, _)| !["replaces", "permissions"].contains(&name.as_str())).collect()
    }
}
