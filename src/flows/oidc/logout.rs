//! A provider says that it signed somebody out (OpenID Connect Back-Channel Logout 1.0): the sessions here that came from its own
//! end. It is a server that says so; no browser and no cookie is part of it.

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web::{Data, Path},
};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::json;

use crate::{
    accounts::{provider_identities, sessions},
    app::App,
    config::Provider,
    error::{Error, Result},
    ids::{ConnectionId, Id},
    jobs::issuers,
    model::{
        assertion, connection, network,
        rate_limit::{self, Limit},
    },
    oidc::{self, ExpectedLogout, LogoutToken, Reason},
    web::{Client, Input},
};

// A minute, from one network: each costs a signature.
const MOST: i32 = 60;

/// What a provider posts (§2.5).
#[derive(Deserialize)]
pub(crate) struct LogoutForm {
    #[serde(default)]
    logout_token: String,
}

/// `POST /auth/oidc/logout/{key}`: 200, or 400 with `{"error": "invalid_request"}` where the token is not of the provider of this
/// key, or was seen before (§2.8).
pub(crate) async fn logout(
    client: Client,
    key: Path<String>,
    Input(form): Input<LogoutForm>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let limit = Limit::new("oidc-logout", &network::client_network(&client.ip), MOST, TimeDelta::minutes(1));
    app.write(move |tx| rate_limit::consume(tx, &limit)).await?;
    let key = key.into_inner();
    let Some(provider) = provider_of(&app, &key).await? else { return Ok(refused("unknown_provider")) };
    let token = match read(&app, &provider, &form.logout_token).await? {
        Ok(token) => token,
        Err(reason) => return Ok(refused(reason.code())),
    };
    let actor = client.actor();
    let ended = app
        .write(move |tx| {
            let used = format!("oidc logout {}", token.token_id);
            if !assertion::spend(tx, &ConnectionId::from_text(key), &used, token.remember_until)? {
                return Ok(None);
            }
            let (subject, sid) = (token.subject.as_deref(), token.session_id.as_deref());
            match &provider.connection {
                Some(of) => sessions::end_at_connection(tx, &actor, &of.id, (&token.issuer, subject), sid),
                None => {
                    let named = (token.issuer.as_str(), subject);
                    provider_identities::end_sessions(tx, &actor, &provider, named, sid)
                }
            }
            .map(Some)
        })
        .await?;
    match ended {
        Some(count) => {
            tracing::info!(count, "a provider ended sessions");
            Ok(uncached(HttpResponse::Ok().finish()))
        }
        None => Ok(refused("replayed")),
    }
}

/// The provider of the settings with this key that may say so, or that of the connection with this id.
async fn provider_of(app: &App, key: &str) -> Result<Option<Provider>> {
    if let Some(provider) = app.config().provider(key) {
        return Ok(Some(provider.clone()).filter(Provider::may_log_out));
    }
    let Some(id) = Id::parse(key) else { return Ok(None) };
    match app.read(move |conn| connection::by_id(conn, &id)).await {
        Ok(connection) => Ok(connection.oidc_provider(&app.config().keys).ok()),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the token says. Nobody signed in by a provider of which nothing was read.
async fn read(
    app: &App,
    provider: &Provider,
    token: &str,
) -> Result<std::result::Result<LogoutToken, Reason>> {
    let Some(known) = issuers::known(app, provider).await? else { return Ok(Err(Reason::NotMetadata)) };
    let expected = ExpectedLogout {
        metadata: &known.metadata,
        keys: &known.keys,
        client_id: &provider.client_id,
        subject_claim: provider.connection.as_ref().map_or("sub", |of| &of.subject_claim),
        now: app.now(),
    };
    let mut read = oidc::read_logout_token(token, &expected);
    if read.as_ref().is_err_and(|refusal| refusal.reason == Reason::UnknownKey) {
        let keys = issuers::keys_again(app, provider, &known.metadata).await?;
        read = oidc::read_logout_token(token, &ExpectedLogout { keys: &keys, ..expected });
    }
    Ok(read.map_err(|refusal| refusal.reason))
}

fn refused(reason: &str) -> HttpResponse {
    tracing::warn!(reason, "a logout token is refused");
    uncached(HttpResponse::BadRequest().json(json!({ "error": "invalid_request" })))
}

fn uncached(mut answer: HttpResponse) -> HttpResponse {
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
