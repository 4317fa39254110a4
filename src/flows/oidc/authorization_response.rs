//! Back from a provider: the answer is checked in the browser that asked, and only there comes to anything.

use actix_web::{
    HttpRequest,
    web::{Data, Path},
};
use serde::Deserialize;

use super::{
    browser::Browser,
    complete::settle,
    connected,
    exchange::{Came, exchange},
    refused::{Refused, back},
};
use crate::{
    accounts::oidc_request,
    app::App,
    clock::Timestamp,
    config::{Provider, ProviderKind},
    error::{Error, Result},
    jobs::issuers,
    model::{
        connection::{self, Connection},
        token::{self, OidcIntent, OidcParked, OidcRequest, OidcRequestState, OidcVia, ParkedResponse},
    },
    oidc::{AuthorizationResponse, Reason},
    secret::Secret,
    urls,
    web::{Client, Input, MaybeUser, Query, Reply, cookies::Own, request_binding::RequestBinding},
};

const FINISH: &str = "/auth/oidc/finish";

/// What waits for its browser.
#[derive(Deserialize)]
pub(crate) struct FinishQuery {
    #[serde(default)]
    handoff: Secret<OidcParked>,
}

/// `GET /auth/oidc/callback/{key}`: the redirect address (RFC 6749 §4.1.2).
pub(crate) async fn open(
    client: Client,
    visitor: MaybeUser,
    req: HttpRequest,
    query: Query<AuthorizationResponse>,
    app: Data<App>,
) -> Result<Reply> {
    let browser = Browser { client, visitor, binding: RequestBinding::of(&req, Own::Oidc) };
    answer(&app, browser, &req, req.match_info().query("key"), query.into_inner()).await
}

/// `POST /auth/oidc/callback/{key}`: the same as a form across sites (OAuth 2.0 Form Post Response Mode §2), which no cookie
/// comes along with: it is kept unjudged, and its browser comes for it.
pub(crate) async fn park(
    client: Client,
    key: Path<String>,
    Input(response): Input<AuthorizationResponse>,
    app: Data<App>,
) -> Result<Reply> {
    let state = Secret::<OidcRequest>::from_text(response.state.unwrap_or_default());
    let (asked, now) = (state.clone(), app.now());
    if !app.read(move |conn| token::is_live(conn, &asked, now)).await? {
        return Ok(Reply::go(FINISH));
    }
    let parked = ParkedResponse {
        key: key.into_inner(),
        state: state.reveal().to_owned(),
        code: response.code,
        iss: response.iss,
        error: response.error,
        user: response.user,
    };
    let secret = app.write(move |tx| oidc_request::park(tx, &client, &parked)).await?;
    let to = urls::with_query(FINISH, [("handoff", secret.reveal())]);
    Reply::go(to.as_str()).with("location", to)
}

/// `GET /auth/oidc/finish?handoff=`: the browser comes, with its cookies, for what was posted.
pub(crate) async fn finish(
    client: Client,
    visitor: MaybeUser,
    req: HttpRequest,
    query: Query<FinishQuery>,
    app: Data<App>,
) -> Result<Reply> {
    let browser = Browser { client, visitor, binding: RequestBinding::of(&req, Own::Oidc) };
    browser.must_navigate()?;
    let secret = query.into_inner().handoff;
    let parked = match app.write(move |tx| oidc_request::unpark(tx, &secret)).await {
        Err(Error::DeadLink) => ParkedResponse::default(),
        parked => parked?,
    };
    let ParkedResponse { key, state, code, iss, error, user } = parked;
    let response =
        AuthorizationResponse { state: Some(state), code, iss, error, user, error_description: None };
    answer(&app, browser, &req, &key, response).await
}

/// Goes through an answer, check by check. What fails before the request is used up leaves it as it was.
async fn answer(
    app: &App,
    browser: Browser,
    req: &HttpRequest,
    key: &str,
    mut response: AuthorizationResponse,
) -> Result<Reply> {
    browser.must_navigate()?;
    let state = Secret::<OidcRequest>::from_text(response.state.take().unwrap_or_default());
    let (looked_up, now) = (state.clone(), app.now());
    let asked = match app.read(move |conn| token::peek_unowned(conn, &looked_up, now)).await {
        Err(Error::DeadLink) => return over(app, &browser, state).await,
        asked => asked?,
    };
    let (provider, connection) = asked_provider(app, &asked).await?;
    // Somebody mixes two providers up (RFC 9207 §1), or the settings are others by now.
    if provider.key != key || asked.issuer != provider.issuer {
        return Err(Error::NotFound);
    }
    let connection = connection.as_ref();
    let refused = Refused { app, browser: &browser, provider: &provider, connection, asked: &asked };
    if !browser.binding.is_of(&asked.browser) {
        return refused.unread(Reason::AnotherBrowser);
    }
    let is_github = provider.kind == ProviderKind::GitHub;
    let discovered = if is_github { None } else { Some(issuers::stored(app, &provider).await?) };
    if is_github {
        // It is a provider of fixed addresses: its redirect address alone tells it from others.
        response.iss = None;
    }
    let names_issuer = discovered.as_ref().is_some_and(|found| found.metadata.names_issuer);
    let code = match response.code(&provider.issuer, names_issuer) {
        // The owners of a connection see that it came, once.
        Err(refusal)
            if connection.is_none() && matches!(refusal.reason, Reason::AnotherIssuer | Reason::NoIssuer) =>
        {
            return refused.unread(refusal.reason);
        }
        code => code.map(str::to_owned),
    };
    // Before the request is used up, so that it can be tried again.
    let permit = app.exchange_permit()?;
    let redeemed = state.clone();
    match app.write(move |tx| token::redeem_unowned(tx, &redeemed)).await {
        Err(Error::DeadLink) => return over(app, &browser, state).await,
        redeemed => redeemed.map(drop)?,
    }
    let code = match code {
        Ok(code) => code,
        Err(refusal) if refusal.reason == Reason::Cancelled => return refused.cancelled(*refusal).await,
        Err(refusal) => return refused.by(*refusal).await,
    };
    let came = Came {
        response: &response,
        code: &code,
        secrets: oidc_request::secrets(&app.config().keys, &asked)?,
        asked_at: Timestamp::from_unix(asked.at),
        is_step_up: matches!(asked.purpose, OidcIntent::StepUp { .. }),
    };
    let verified = exchange(app, &provider, discovered.as_ref(), &came).await?;
    drop(permit);
    match (verified, connection) {
        (Ok(verified), None) => settle(app, req, &browser, &provider, &asked, verified).await,
        (Ok(verified), Some(seen)) => connected::settle(app, req, &browser, seen, &asked, verified).await,
        (Err(refusal), _) => refused.by(*refusal).await,
    }
}

/// Who was asked, as they are known now. [`Error::NotFound`] where they are gone.
async fn asked_provider(app: &App, asked: &OidcRequestState) -> Result<(Provider, Option<Connection>)> {
    match &asked.via {
        OidcVia::Provider(key) => {
            let provider = app.config().provider(key).ok_or(Error::NotFound)?;
            Ok((provider.clone(), None))
        }
        OidcVia::Connection(id) => {
            let id = id.clone();
            let connection = app.read(move |conn| connection::by_id(conn, &id)).await?;
            Ok((connection.oidc_provider(&app.config().keys)?, Some(connection)))
        }
    }
}

/// An answer to nothing that is asked: loaded again, or too late. Whoever is in goes on.
async fn over(app: &App, browser: &Browser, state: Secret<OidcRequest>) -> Result<Reply> {
    if browser.visitor.signed_in().is_none() {
        return back("/login", "That sign-in is over. Start again.", &Error::DeadLink);
    }
    let asked = app.read(move |conn| token::claim(conn, &state)).await?;
    let asked = asked.filter(|asked| browser.binding.is_of(&asked.browser));
    let next = asked.map(|asked| oidc_request::next(&app.config().keys, &asked)).transpose()?.flatten();
    Ok(Reply::on(next))
}
