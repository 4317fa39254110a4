//! Signing in with a provider of the settings: to it, and back in the browser that left.

pub(crate) mod authorization_response;
pub(crate) mod complete;
mod exchange;
pub(crate) mod refused;

use actix_web::{HttpRequest, HttpResponse, Responder, web::Data};
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    config::Provider,
    error::{Error, Errors, Result},
    mail::EmailAddress,
    model::token::OidcIntent,
    web::{
        Client, Input, MaybeUser, Query, Reply, input::tick, oidc_request::send_oidc_request, origin,
        sso_request::Destination,
    },
};

/// With which provider, and where to go afterwards.
#[derive(Deserialize)]
pub(crate) struct LoginQuery {
    provider: Option<String>,
    email: Option<String>,
    next: Option<String>,
    #[serde(default, deserialize_with = "tick")]
    remember: bool,
}

/// Who said yes, to which provider.
#[derive(Deserialize)]
pub(crate) struct GoForm {
    #[serde(default)]
    provider: String,
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
    #[serde(flatten)]
    to: Destination,
    #[serde(skip)]
    signed_in_as: Option<String>,
}

/// `GET /auth/oidc/login?provider=&next=&email=&remember=`: to the provider. Whom another site sent here, or who is signed in
/// already, is asked first: else any site could sign its visitors in to an account of its own.
pub(crate) async fn login(
    client: Client,
    visitor: Option<MaybeUser>,
    req: HttpRequest,
    query: Query<LoginQuery>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let LoginQuery { provider, email, next, remember } = query.into_inner();
    let to = Destination::new(next.as_deref(), remember);
    let Some(provider) = provider.as_deref().and_then(|key| app.config().provider(key)) else {
        let message = "That way to sign in is not available here. Choose another one.";
        return Ok(Reply::done("/login", message).respond_to(&req).map_into_boxed_body());
    };
    let me = visitor.as_ref().and_then(MaybeUser::signed_in);
    if origin::is_foreign(&req) || me.is_some() {
        let signed_in_as = me.map(|me| me.user.email.spelled().to_owned());
        // Another site does not choose how long a device stays signed in.
        let to = Destination { remember: false, ..to };
        let page = AskPage { provider: provider.key.clone(), name: provider.name.clone(), to, signed_in_as };
        return Ok(Reply::page(page).respond_to(&req).map_into_boxed_body());
    }
    let hint = email.as_deref().and_then(|email| EmailAddress::parse(email).ok());
    let hint = hint.as_ref().map(EmailAddress::spelled);
    send_oidc_request(&app, &client, &req, provider, OidcIntent::SignIn, to, hint).await
}

/// `POST /auth/oidc/login`: to the provider, for whoever was asked first, and said yes.
pub(crate) async fn go(
    client: Client,
    req: HttpRequest,
    Input(form): Input<GoForm>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let provider: &Provider = app
        .config()
        .provider(&form.provider)
        .ok_or_else(|| Error::Invalid(Errors::one("provider", "Choose with which provider.")))?;
    let to = Destination::new(form.next.as_deref(), form.remember);
    send_oidc_request(&app, &client, &req, provider, OidcIntent::SignIn, to, None).await
}
