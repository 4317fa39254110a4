//! Somebody signs out at the demonstration provider, which tells this site.

use actix_web::{HttpRequest, web::Data};
use serde::Deserialize;

use super::{AUTHORIZE, demonstration, known, of};
use crate::{
    app::App,
    config::DEMONSTRATION,
    error::{Error, Errors, Result},
    model::connection,
    outbound::guard::NamedBy,
    secret, urls,
    web::{Input, Reply},
};

/// Who signs out there.
#[derive(Deserialize)]
pub(crate) struct SignOutForm {
    #[serde(default)]
    person: String,
}

/// `POST /dev/oidc/sign-out`: somebody signs out of everything, and everybody who knows them by it is told (OpenID Connect
/// Back-Channel Logout 1.0 §2.5).
pub(crate) async fn sign_out(
    req: HttpRequest,
    Input(form): Input<SignOutForm>,
    app: Data<App>,
) -> Result<Reply> {
    let provider = demonstration(&req, &app)?;
    let person =
        known(&form.person).ok_or_else(|| Error::Invalid(Errors::one("person", "Choose who signs out.")))?;
    let issuer = provider.issuer.clone();
    let connected = app.read(connection::all).await?;
    let connected = connected.into_iter().filter(|one| one.is_oidc() && one.issuer == issuer);
    let keys = connected.map(|one| one.id.as_str().to_owned()).chain([DEMONSTRATION.to_owned()]);
    for key in keys {
        let token_id = secret::random_text(16)?;
        let token = of(&app)?.logout_token(person, &provider.client_id, &token_id, app.now())?;
        let address = app.config().site.link(&urls::oidc_logout(&key));
        let form = [("logout_token", token.as_str())];
        let sent = app.outbound().post_form(NamedBy::Operator, &address, &form, None);
        if let Err(unreadable) = sent.await {
            tracing::warn!(%unreadable, "the demonstration provider could not say that someone signed out");
        }
    }
    Ok(Reply::done(AUTHORIZE, format!("{} is signed out everywhere.", person.name)))
}
