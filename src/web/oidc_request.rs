//! To a provider that people sign in with (OpenID Connect Core §3.1.2.1; OAuth 2.0 for GitHub), bound to this browser.

use actix_web::{HttpRequest, HttpResponse, cookie::SameSite};
use chrono::TimeDelta;

use super::{
    Client,
    cookies::Own,
    request_binding::{self, RequestBinding},
    sso_request::{Destination, redirect_to},
};
use crate::{
    accounts::oidc_request::{self, NewOidcRequest},
    app::App,
    config::{Provider, ProviderKind},
    error::{Error, Result},
    jobs::issuers,
    model::token::{OidcIntent, OidcRequest, OidcVia, Purpose},
    oidc::{self, AuthorizationRequest, Prompt, ResponseMode, github, google},
    secret, urls,
};

/// Sends the browser to a provider of the settings; a program gets `{"location"}`. `login_hint` is an address that the person
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
        (OidcIntent::StepUp { .. }, _) => Some(Prompt::Login),
        (OidcIntent::Link { .. }, ProviderKind::Google | ProviderKind::Microsoft) => {
            Some(Prompt::SelectAccount)
        }
        _ => None,
    };
    let endpoint = endpoint(app, provider, is_step_up).await?;
    let binding = RequestBinding::of(req, Own::Oidc).nonce()?;
    let Destination { next, remember: remembered } = to;
    let new = NewOidcRequest {
        via: OidcVia::Provider(provider.key.clone()),
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
    match is_step_up && !(metadata.says_auth_time && provider.kind == ProviderKind::Oidc) {
        true => Err(Error::NotFound),
        false => Ok(metadata.authorization_endpoint),
    }
}
