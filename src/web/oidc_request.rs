//! To a provider that people sign in with (OpenID Connect Core §3.1.2.1; OAuth 2.0 for GitHub), bound to this browser.

use actix_web::{HttpRequest, HttpResponse, Responder, cookie::SameSite};
use chrono::TimeDelta;
use url::Url;

use super::{
    Client, MaybeUser, Reply,
    cookies::Own,
    origin,
    request_binding::{self, RequestBinding},
    sso_request::{AskPage, Destination, redirect_to},
};
use crate::{
    accounts::{
        authn_request::SSO_REFUSED,
        oidc_request::{self, NewOidcRequest},
        sso_policy,
    },
    app::App,
    config::{Provider, ProviderKind},
    error::{Error, Result},
    ids::ConnectionId,
    jobs::issuers,
    model::{
        connection::{self, Connection},
        organisation,
        token::{OidcIntent, OidcRequest, OidcVia, Purpose},
    },
    oidc::{self, AuthorizationRequest, Prompt, ResponseMode, github, google},
    secret, urls,
};

/// To the identity provider of an organisation's connection of OpenID Connect. Whom another site sent here, or who is signed in
/// already, is asked first; [`SSO_REFUSED`] where the connection is out of use.
pub(crate) async fn begin_sso(
    app: &App,
    client: &Client,
    visitor: &MaybeUser,
    req: &HttpRequest,
    id: ConnectionId,
    to: Destination,
    login_hint: Option<&str>,
) -> Result<HttpResponse> {
    if origin::is_foreign(req) || visitor.signed_in().is_some() {
        // Another site does not choose how long a device stays signed in.
        return ask_first(app, visitor, req, id, Destination { remember: false, ..to }, login_hint).await;
    }
    let provider = connected_provider(app, id, true).await?;
    send_oidc_request(app, client, req, &provider, OidcIntent::SignIn, to, login_hint).await
}

/// Asks whoever was sent here whether they want to sign in, and where.
pub(crate) async fn ask_first(
    app: &App,
    visitor: &MaybeUser,
    req: &HttpRequest,
    id: ConnectionId,
    to: Destination,
    login_hint: Option<&str>,
) -> Result<HttpResponse> {
    let asked = id.clone();
    let (organisation, issuer) = app
        .read(move |conn| {
            let connection = connection::by_id(conn, &asked)?;
            Ok((organisation::by_id(conn, &connection.organisation_id)?.name, connection.issuer))
        })
        .await?;
    let page = AskPage {
        action: "/auth/oidc/login",
        organisation,
        connection: id,
        host: Url::parse(&issuer).ok().and_then(|issuer| issuer.host_str().map(str::to_owned)),
        login_hint: login_hint.map(str::to_owned),
        to,
        signed_in_as: AskPage::signed_in_as(visitor),
    };
    Ok(Reply::page(page).respond_to(req).map_into_boxed_body())
}

/// The identity provider of a connection, to send somebody there. [`SSO_REFUSED`] where it is none of OpenID Connect, is not
/// set up yet, or has to be in use and is not.
pub(crate) async fn connected_provider(
    app: &App,
    id: ConnectionId,
    has_to_be_in_use: bool,
) -> Result<Provider> {
    let keys = app.config().keys.clone();
    app.read(move |conn| {
        let connection: Connection = connection::by_id(conn, &id)?;
        match has_to_be_in_use && sso_policy::is_out_of_use(conn, &connection)? {
            true => Err(SSO_REFUSED.error()),
            false => connection.oidc_provider(&keys).map_err(|error| match error {
                Error::NotFound => SSO_REFUSED.error(),
                error => error,
            }),
        }
    })
    .await
}

/// Sends the browser to a provider of the settings, or of a connection; a program gets `{"location"}`. `login_hint` is an address that the person
/// typed. [`PROVIDER_SILENT`] where nobody could say where the provider takes requests, [`Error::NotFound`] for a step-up
/// at one that does not say when people signed in.
pub(crate) async fn send_oidc_request(
    app: &App,
    client: &Client,
    req: &HttpRequest,
    provider: &Provider,
    intent: OidcIntent,
    to: Destination,
    login_hint: Option<&str>,
) -> Result<HttpResponse> {
    let is_step_up = matches!(intent, OidcIntent::StepUp { .. });
    let prompt = match (&intent, provider.kind) {
        // A test shows whether the provider says when somebody signed in: it has to where it is asked so.
        (OidcIntent::StepUp { .. } | OidcIntent::Test { .. } | OidcIntent::TestByLink, _) => {
            Some(Prompt::Login)
        }
        (OidcIntent::Link { .. }, ProviderKind::Google | ProviderKind::Microsoft) => {
            Some(Prompt::SelectAccount)
        }
        _ => None,
    };
    let endpoint = endpoint(app, provider, is_step_up).await?;
    let binding = RequestBinding::of(req, Own::Oidc).nonce()?;
    let Destination { next, remember: remembered } = to;
    let new = NewOidcRequest {
        via: match &provider.connection {
            Some(connection) => OidcVia::Connection(connection.id.clone()),
            None => OidcVia::Provider(provider.key.clone()),
        },
        issuer: provider.issuer.clone(),
        intent,
        browser: secret::digest(&binding),
        next,
        remembered,
    };
    let facts = client.clone();
    let (state, secrets) = app.write(move |tx| oidc_request::create(tx, &facts, new)).await?;
    let is_github = provider.kind == ProviderKind::GitHub;
    let is_apple = provider.kind == ProviderKind::Apple;
    let scope = if is_github { provider.scopes.clone() } else { oidc::scopes(&provider.scopes) };
    let request = AuthorizationRequest {
        endpoint: &endpoint,
        client_id: &provider.client_id,
        redirect_uri: &app.config().site.link(&urls::oidc_redirect(&provider.key)),
        scope: &scope,
        state: state.reveal(),
        nonce: (!is_github).then_some(secrets.nonce.as_str()),
        verifier: &secrets.verifier,
        prompt,
        login_hint: login_hint.filter(|_| !is_github),
        response_mode: if is_apple { ResponseMode::FormPost } else { ResponseMode::Query },
        hosted_domain: google::hosted_domain(&provider.domains),
    };
    let location = request.url().map_err(|_| issuers::provider_silent(provider.name.clone()))?;
    let mut answer = redirect_to(req, location, &provider.name)?;
    // It outlives the request a little, so that a late answer is told to be late. `Lax` is enough: the browser comes back by a GET.
    let life = OidcRequest::life(&app.config().lifetimes) + TimeDelta::minutes(5);
    let cookie = request_binding::cookie(app, Own::Oidc, SameSite::Lax, life, binding);
    answer.add_cookie(&cookie).map_err(Error::internal)?;
    Ok(answer)
}

/// Where a provider takes requests.
async fn endpoint(app: &App, provider: &Provider, is_step_up: bool) -> Result<String> {
    if provider.kind == ProviderKind::GitHub {
        return if is_step_up { Err(Error::NotFound) } else { Ok(github::AUTHORIZATION_ENDPOINT.to_owned()) };
    }
    let metadata = issuers::discover(app, provider).await?.metadata;
    // A connection was tested for it.
    let says_auth_time = metadata.says_auth_time && provider.kind == ProviderKind::Oidc;
    match is_step_up && provider.connection.is_none() && !says_auth_time {
        true => Err(Error::NotFound),
        false => Ok(metadata.authorization_endpoint),
    }
}
