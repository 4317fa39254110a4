//! A sign-in that begins at the provider (OpenID Connect Core 1.0 §4), as by a tile in its portal: whoever comes is asked first, for
//! any site can send them here.

use actix_web::{HttpRequest, HttpResponse, Responder, web::Data};
use serde::Deserialize;

use super::{AskPage, login_hint};
use crate::{
    accounts::authn_request::SSO_REFUSED,
    app::App,
    config::ProviderKind,
    error::Result,
    kinds::Protocol,
    model::connection,
    web::{Input, MaybeUser, Query, Reply, oidc_request::ask_first, sso_request::Destination},
};

/// Who wants somebody to sign in (§4).
#[derive(Deserialize)]
pub(crate) struct InitiateForm {
    #[serde(default)]
    iss: String,
    login_hint: Option<String>,
    target_link_uri: Option<String>,
}

/// `GET /auth/oidc/initiate?iss=&login_hint=&target_link_uri=`
pub(crate) async fn by_link(
    visitor: MaybeUser,
    req: HttpRequest,
    query: Query<InitiateForm>,
    app: Data<App>,
) -> Result<HttpResponse> {
    ask(&app, &visitor, &req, query.into_inner()).await
}

/// `POST /auth/oidc/initiate`: the same as a form across sites. It changes nothing.
pub(crate) async fn by_form(
    visitor: MaybeUser,
    req: HttpRequest,
    Input(form): Input<InitiateForm>,
    app: Data<App>,
) -> Result<HttpResponse> {
    ask(&app, &visitor, &req, form).await
}

async fn ask(app: &App, visitor: &MaybeUser, req: &HttpRequest, form: InitiateForm) -> Result<HttpResponse> {
    let InitiateForm { iss, login_hint: hint, target_link_uri } = form;
    let here = app.config().site.link("/");
    let path = target_link_uri.as_deref().and_then(|to| to.strip_prefix(here.trim_end_matches('/')));
    let (to, hint) = (Destination::new(path, false), login_hint(hint.as_deref()));
    let issuer = iss.clone();
    let found = app.read(move |conn| connection::unsolicited_from(conn, Protocol::Oidc, &issuer)).await?;
    if let Some(connection) = found {
        return ask_first(app, visitor, req, connection.id, to, hint.as_deref()).await;
    }
    let of_settings =
        app.config().providers.iter().find(|one| one.kind == ProviderKind::Oidc && one.issuer == iss);
    let provider = of_settings.ok_or(SSO_REFUSED.error())?;
    let page = AskPage {
        provider: provider.key.clone(),
        name: provider.name.clone(),
        login_hint: hint,
        to,
        signed_in_as: visitor.signed_in().map(|me| me.user.email.spelled().to_owned()),
    };
    Ok(Reply::page(page).respond_to(req).map_into_boxed_body())
}
