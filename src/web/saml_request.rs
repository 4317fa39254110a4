//! To a SAML identity provider: by a redirect or by a form (saml-bindings §3.4, §3.5), and bound to this browser.

use actix_web::{HttpRequest, HttpResponse, Responder, cookie::SameSite, http::header};
use askama::Template;
use chrono::TimeDelta;
use serde::Serialize;

use super::{
    Client, MaybeUser, Reply,
    cookies::Own,
    headers::policy_with_form_elsewhere,
    request_binding::{self, RequestBinding},
    sso_request::{AskPage, Destination, Errand, redirect},
};
use crate::{
    accounts::authn_request::{self, NewAuthnRequest},
    app::App,
    error::{Error, Result},
    ids::ConnectionId,
    model::{connection, organisation, token::SsoIntent},
    saml::BindingMessage,
    secret,
};

/// Somebody leaves for their identity provider by a form.
#[derive(Template, Serialize)]
#[template(path = "saml_post_binding.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct PostBindingPage {
    action: String,
    /// `SAMLRequest` or `SAMLResponse`.
    field: &'static str,
    message: String,
    relay_state: String,
    #[serde(skip)]
    errand: Errand,
}

/// Another site brought the browser here, or it is signed in already: its person says whether they want to sign in, and
/// where, before they do. Else any site could sign its visitors in to an account of its own.
pub(crate) async fn confirm_sso(
    app: &App,
    visitor: &MaybeUser,
    req: &HttpRequest,
    connection: ConnectionId,
    to: Destination,
) -> Result<HttpResponse> {
    let id = connection.clone();
    let now = app.now();
    let (organisation, host) = app
        .read(move |conn| {
            let connection = connection::by_id(conn, &id)?;
            let organisation = organisation::by_id(conn, &connection.organisation_id)?;
            Ok((organisation.name, connection.provider(now).ok().and_then(|provider| provider.host())))
        })
        .await?;
    let action = "/auth/saml/login";
    let signed_in_as = AskPage::signed_in_as(visitor);
    let page = AskPage { action, organisation, connection, host, login_hint: None, to, signed_in_as };
    Ok(Reply::page(page).respond_to(req).map_into_boxed_body())
}

/// Sends the browser to the identity provider, bound to this browser by a nonce in a cookie.
pub(crate) async fn send_authn_request(
    app: &App,
    client: &Client,
    req: &HttpRequest,
    connection: ConnectionId,
    intent: SsoIntent,
    to: Destination,
) -> Result<HttpResponse> {
    let nonce = RequestBinding::of(req, Own::Saml).nonce()?;
    let browser = secret::digest(&nonce);
    let Destination { next, remember: remembered } = to;
    let (client, new) = (client.clone(), NewAuthnRequest { connection, intent, browser, next, remembered });
    let message = app.write(move |tx| authn_request::create(tx, &client, new)).await?;
    let mut answer = send_message(req, message, Errand::SignIn)?;
    // Over https it has to come along with the cross-site POST of the callback; browsers take `None` over https only. It
    // outlives the request a little, so that a late answer is told to be late.
    let same_site = if app.config().site.is_https() { SameSite::None } else { SameSite::Lax };
    let life = app.config().lifetimes.saml_request + TimeDelta::minutes(5);
    let cookie = request_binding::cookie(app, Own::Saml, same_site, life, nonce);
    answer.add_cookie(&cookie).map_err(Error::internal)?;
    Ok(answer)
}

/// Sends the browser to the identity provider with a message.
pub(crate) fn send_message(
    req: &HttpRequest,
    message: BindingMessage,
    errand: Errand,
) -> Result<HttpResponse> {
    let (action, field, message, relay_state) = match message {
        BindingMessage::Redirect(location) => return redirect(req, location, errand),
        BindingMessage::Post { action, field, message, relay_state } => (action, field, message, relay_state),
    };
    let page = PostBindingPage { action, field, message, relay_state, errand };
    let mut answer = Reply::page(page).respond_to(req).map_into_boxed_body();
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy_with_form_elsewhere());
    Ok(answer)
}
