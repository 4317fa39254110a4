//! Tokens for clients of whoever runs this site, out of a session: a terminal, a phone, a script that would rather not keep a cookie.
//! They are what any application has: checked, refreshed and ended as those.

use actix_web::{http::StatusCode, web::Data};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{needs::stopped, proceed::visitor_of, token};
use crate::{
    accounts::{
        deletion::DELETION_SCHEDULED,
        session_tokens::{self, REFRESH_TOKEN_INVALID, Rests, Wanted},
    },
    app::App,
    db::Tx,
    error::{Error, Errors, Result},
    jobs::signing_keys,
    kinds::Strength,
    model::refresh_token::RefreshSecret,
    oauth::Scopes,
    secret::Secret,
    web::{Client as Browser, Input, Reply, VerifiedUser, input::tick},
};

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Form {
    application: Option<String>,
    scope: Option<String>,
    #[serde(default, deserialize_with = "tick")]
    offline: bool,
    #[serde(default, deserialize_with = "tick")]
    exchange: bool,
}

/// A refresh token.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RefreshForm {
    refresh_token: Option<Secret<RefreshSecret>>,
}

impl RefreshForm {
    fn token(self) -> Result<Secret<RefreshSecret>> {
        let token = self.refresh_token.filter(|token| !token.reveal().is_empty());
        token.ok_or_else(|| Error::Invalid(Errors::one("refreshToken", "Send the refresh token.")))
    }
}

/// `POST /auth/token`: 201 with tokens that end with the session; with `offline` ones that go on without it, and with `exchange` ones
/// that take its place. Both take a step-up, for they are worth more than the session.
pub(crate) async fn create(
    me: VerifiedUser,
    browser: Browser,
    Input(form): Input<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let wrong_scope = || Error::Invalid(Errors::one("scope", "A scope has characters that none can have."));
    let scopes = form.scope.as_deref().map(|text| Scopes::parse(text).ok_or_else(wrong_scope)).transpose()?;
    let rests = match (form.exchange, form.offline) {
        (true, _) => Rests::InsteadOfSession,
        (false, true) => Rests::OnNothing,
        (false, false) => Rests::OnSession,
    };
    let wanted = Wanted { application: form.application.filter(|id| !id.is_empty()), scopes, rests };
    let asked = wanted.clone();
    let client = app.write(move |tx| session_tokens::client_of(tx, &asked)).await?;
    if rests != Rests::OnSession && !me.is_stepped_up_in_full(&app).await? {
        return Err(me.step_up_required(&app, Strength::Full, None).await?);
    }
    let who = visitor_of(&me);
    let (asking, asker) = (client.clone(), who.clone());
    let missing = app.read(move |conn| session_tokens::missing(conn, &asking, &asker)).await?;
    if let Some(missing) = missing {
        return Err(stopped(missing, &client, &me, &app).await?);
    }
    // The keys are there before the grant is.
    let ring = signing_keys::ring(&app).await?;
    let (actor, device, asking) = (me.actor(), browser.device().name(), client.clone());
    let issued = move |tx: &mut Tx| session_tokens::issue(tx, &actor, &asking, &who, (&wanted, device));
    let (grant, (refresh, ends_at)) = app.write(issued).await?;
    let scopes = grant.scopes();
    let access_token = token::access_token(&app, &ring, &client, &grant, &me.user, &scopes)?;
    let mut told = token::told(&app, &access_token, &grant, &scopes);
    token::add_refresh_token(&mut told, &refresh, ends_at, app.now());
    let reply = Reply::data("/me", &in_camel_case(&told))?.status(StatusCode::CREATED);
    Ok(if rests == Rests::InsteadOfSession { reply.signed_out() } else { reply })
}

/// `POST /auth/token/refresh`: what `POST /oauth/token` answers to a client without a secret. [`REFRESH_TOKEN_INVALID`], or
/// [`DELETION_SCHEDULED`] where the account waits to be deleted.
pub(crate) async fn refresh(Input(form): Input<RefreshForm>, app: Data<App>) -> Result<Reply> {
    let secret = form.token()?;
    let asked = secret.clone();
    let found = app.read(move |conn| session_tokens::client_of_token(conn, &asked)).await?;
    let (client, user) = found.ok_or_else(|| REFRESH_TOKEN_INVALID.error())?;
    let ring = signing_keys::ring(&app).await?;
    match token::by_refresh_token(&app, &ring, client, secret, (None, None)).await? {
        Ok(told) => Ok(Reply::data("/me", &in_camel_case(&told))?),
        Err(_) if user.is_leaving() => Err(DELETION_SCHEDULED.error()),
        _ => Err(REFRESH_TOKEN_INVALID.error()),
    }
}

/// `POST /auth/token/revoke`: the same answer for everything.
pub(crate) async fn revoke(Input(form): Input<RefreshForm>, app: Data<App>) -> Result<Reply> {
    let secret = form.token()?;
    app.write(move |tx| session_tokens::revoke(tx, &secret)).await?;
    Reply::data("/me", &json!({ "message": "What it stood for has ended." }))
}

/// As everything else of this site names its keys.
fn in_camel_case(told: &Value) -> Value {
    json!({
        "accessToken": told["access_token"], "tokenType": told["token_type"], "expiresIn": told["expires_in"],
        "refreshToken": told["refresh_token"], "refreshExpiresIn": told["refresh_expires_in"], "scope": told["scope"],
    })
}
