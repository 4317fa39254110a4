//! Signing in with a provider of the settings, or of an organisation's connection: to it, and back in the browser that left.

pub(crate) mod authorization_response;
mod browser;
pub(crate) mod complete;
mod connected;
mod exchange;
pub(crate) mod initiate;
pub(crate) mod logout;
pub(crate) mod refused;

use actix_web::{HttpRequest, HttpResponse, Responder, web::Data};
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    config::Provider,
    error::{Error, Errors, Result},
    ids::ConnectionId,
    mail::EmailAddress,
    model::token::OidcIntent,
    web::{
        Client, Input, MaybeUser, Query, Reply,
        input::tick,
        oidc_request::{begin_sso, connected_provider, send_oidc_request},
        origin,
        sso_request::Destination,
    },
};

/// With which provider or connection, and where to go afterwards.
#[derive(Deserialize)]
pub(crate) struct LoginQuery {
    provider: Option<String>,
    connection: Option<ConnectionId>,
    email: Option<String>,
    next: Option<String>,
    #[serde(default, deserialize_with = "tick")]
    remember: bool,
}

/// Who said yes, to which provider or connection.
#[derive(Deserialize)]
pub(crate) struct GoForm {
    #[serde(default)]
    provider: String,
    connection: Option<ConnectionId>,
    /// Who is to sign in there.
    email: Option<String>,
    next: Option<String>,
    #[serde(default, deserialize_with = "tick")]
    remember: bool,
}

/// Somebody is asked whether they want to sign in.
#[derive(Template, Serialize)]
#[template(path = "oidc_ask.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct AskPage {
    provider: String,
    name: String,
    /// Who is to sign in there, for the provider to fill in.
    #[serde(skip)]
    login_hint: Option<String>,
    #[serde(flatten)]
    to: Destination,
    #[serde(skip)]
    signed_in_as: Option<String>,
}

/// `GET /auth/oidc/login?provider=&next=&email=&remember=`, or `?connection=`: to the provider. Whom another site sent here, or who is signed in
/// already, is asked first: else any site could sign its visitors in to an account of its own.
pub(crate) async fn login(
    client: Client,
    visitor: MaybeUser,
    req: HttpRequest,
    query: Query<LoginQuery>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let LoginQuery { provider, connection, email, next, remember } = query.into_inner();
    let to = Destination::new(next.as_deref(), remember);
    let hint = login_hint(email.as_deref());
    if let Some(id) = connection {
        return begin_sso(&app, &client, &visitor, &req, id, to, hint.as_deref()).await;
    }
    let Some(provider) = provider.as_deref().and_then(|key| app.config().provider(key)) else {
        let message = "That way to sign in is not available here. Choose another one.";
        return Ok(Reply::done("/login", message).respond_to(&req).map_into_boxed_body());
    };
    let me = visitor.signed_in();
    if origin::is_foreign(&req) || me.is_some() {
        let signed_in_as = me.map(|me| me.user.email.spelled().to_owned());
        // Another site does not choose how long a device stays signed in.
        let to = Destination { remember: false, ..to };
        let (provider, name) = (provider.key.clone(), provider.name.clone());
        let page = AskPage { provider, name, login_hint: hint, to, signed_in_as };
        return Ok(Reply::page(page).respond_to(&req).map_into_boxed_body());
    }
    send_oidc_request(&app, &client, &req, provider, OidcIntent::SignIn, to, hint.as_deref()).await
}

/// The address that somebody is to sign in with, where it is one.
fn login_hint(typed: Option<&str>) -> Option<String> {
    let email = typed.and_then(|email| EmailAddress::parse(email).ok())?;
    Some(email.spelled().to_owned())
}

/// `POST /auth/oidc/login`: to the provider, for whoever was asked first, and said yes.
pub(crate) async fn go(
    client: Client,
    req: HttpRequest,
    Input(form): Input<GoForm>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (to, hint) =
        (Destination::new(form.next.as_deref(), form.remember), login_hint(form.email.as_deref()));
    if let Some(id) = form.connection {
        let provider = connected_provider(&app, id, true).await?;
        return send_oidc_request(&app, &client, &req, &provider, OidcIntent::SignIn, to, hint.as_deref())
            .await;
    }
    let provider: &Provider = app
        .config()
        .provider(&form.provider)
        .ok_or_else(|| Error::Invalid(Errors::one("provider", "Choose with which provider.")))?;
    send_oidc_request(&app, &client, &req, provider, OidcIntent::SignIn, to, hint.as_deref()).await
}
