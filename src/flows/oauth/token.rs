//! Where applications exchange what they have for tokens (RFC 6749 §3.2).

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde_json::{Value, json};

use super::{
    client::{self, Told},
    form::Form,
};
use crate::{
    accounts::{
        device_grants,
        grants::claims_of,
        signing_keys::Ring,
        token_exchange::{self, Presented, Redeemed, Rotated},
    },
    app::App,
    clock::Timestamp,
    error::{Error, Result},
    jobs::signing_keys,
    model::{
        application::client::Client,
        grant::Grant,
        refresh_token::{self, RefreshSecret},
        token::AuthorizationCode,
        user::User,
    },
    oauth::{AccessClaims, Code, IdClaims, Refused, Scopes, SigningAlgorithm, TokenRequest, parameters},
    secret::{Secret, random_text},
};

/// `POST /oauth/token`
pub(crate) async fn create(req: HttpRequest, form: Form, app: Data<App>) -> Result<HttpResponse> {
    let told = match parameters(form.0) {
        Ok(form) => answer(&req, &form, &app).await?,
        Err(refused) => Err(refused),
    };
    Ok(match told {
        Ok(tokens) => HttpResponse::Ok().json(tokens),
        Err(refused) => client::refusal(refused),
    })
}

async fn answer(req: &HttpRequest, form: &BTreeMap<String, String>, app: &App) -> Result<Told<Value>> {
    let client = match client::authenticated(app, req, form).await? {
        Ok(client) => client,
        Err(refused) => return Ok(Err(refused)),
    };
    let request = match TokenRequest::read(form) {
        Ok(request) => request,
        Err(refused) => return Ok(Err(refused)),
    };
    let site = app.config().site.origin();
    // It narrows what there is, or is refused (RFC 8707 §2.2).
    let resource = match form.get("resource").map(|asked| client.audience(Some(asked), &site)) {
        Some(None) => {
            let refused =
                Refused::new(Code::InvalidTarget, "This application may not ask for that resource.");
            return Ok(Err(refused));
        }
        Some(found) => found,
        None => None,
    };
    let ring = signing_keys::ring(app).await?;
    match (request, client.kind.traits().signs_in) {
        (TokenRequest::Code { code, redirect_uri, verifier }, Some(_)) => {
            let code = Secret::<AuthorizationCode>::from_text(code);
            by_code(app, &ring, client, (code, redirect_uri, verifier, resource)).await
        }
        (TokenRequest::Refresh { token, scope }, Some(_)) => {
            by_refresh_token(app, &ring, client, Secret::from_text(token), (scope, resource)).await
        }
        (TokenRequest::Device { code }, Some(_)) => {
            let (asking, secret) = (client.clone(), Secret::from_text(code));
            let redeemed = app.write(move |tx| device_grants::poll(tx, &asking, &secret)).await?;
            redeemed.map_or_else(|refused| Ok(Err(refused)), |redeemed| first(app, &ring, &client, redeemed))
        }
        (TokenRequest::Client { scope }, None) => for_itself(app, &ring, &client, (scope, resource)),
        _ => {
            Ok(Err(Refused::new(Code::UnauthorizedClient, "An application of this kind gets no tokens so.")))
        }
    }
}

/// A code, where it went, the secret behind its challenge, and for whom the access token is to be.
type Presents = (Secret<AuthorizationCode>, Option<String>, Option<String>, Option<String>);

async fn by_code(
    app: &App,
    ring: &Ring,
    client: Client,
    (code, redirect_uri, verifier, resource): Presents,
) -> Result<Told<Value>> {
    let asking = client.clone();
    let redeemed = app
        .write(move |tx| {
            let (uri, verifier) = (redirect_uri.as_deref(), verifier.as_deref());
            token_exchange::redeem_code(tx, &asking, &code, uri, verifier, resource.as_deref())
        })
        .await?;
    redeemed.map_or_else(|refused| Ok(Err(refused)), |redeemed| first(app, ring, &client, redeemed))
}

/// The first tokens of a grant.
fn first(app: &App, ring: &Ring, client: &Client, redeemed: Redeemed) -> Result<Told<Value>> {
    let Redeemed { grant, user, scopes, nonce, refresh } = redeemed;
    let mut told = tokens(app, ring, client, (&grant, &user, &scopes), nonce)?;
    if let Some((secret, ends_at)) = refresh {
        add_refresh_token(&mut told, &secret, ends_at, app.now());
    }
    Ok(Ok(told))
}

/// The next tokens. They are made before it is known whether they count, so that no connection is held meanwhile.
pub(super) async fn by_refresh_token(
    app: &App,
    ring: &Ring,
    client: Client,
    secret: Secret<RefreshSecret>,
    (scope, resource): (Option<Scopes>, Option<String>),
) -> Result<Told<Value>> {
    const INVALID: Refused = Refused::new(
        Code::InvalidGrant,
        "It is unknown, late, revoked, or was given to another application.",
    );
    let (asking, presented) = (client.clone(), secret.clone());
    let times = (app.now(), app.config().lifetimes.refresh_grace);
    let site = app.config().site.origin();
    let found =
        app.read(move |conn| token_exchange::look_at(conn, &asking, &presented, &site, times)).await?;
    let again = |sealed: &str| -> Result<Told<Value>> {
        Ok(Ok(serde_json::from_str(&app.config().keys.open(refresh_token::SEAL, sealed)?)?))
    };
    let mut told = Value::Null;
    let prepared = match found {
        None => return Ok(Err(INVALID)),
        Some(Presented::Again(sealed)) => return again(&sealed),
        Some(Presented::Copied(_)) => None,
        Some(Presented::Fresh(fresh)) => {
            let (_, grant, user) = *fresh;
            if resource.is_some_and(|asked| asked != grant.audience) {
                return Ok(Err(token_exchange::RESOURCE_OTHER));
            }
            let scopes = match scope {
                Some(asked) if !grant.scopes().cover(&asked) => {
                    return Ok(Err(Refused::new(Code::InvalidScope, "That is more than was allowed.")));
                }
                Some(asked) => asked,
                None => grant.scopes(),
            };
            let next = refresh_token::make(&app.config().token_prefix)?;
            told = tokens(app, ring, &client, (&grant, &user, &scopes), None)?;
            let idle_end = app.now() + app.config().lifetimes.refresh_idle;
            add_refresh_token(&mut told, &next, token_exchange::ends_at(&grant, idle_end), app.now());
            Some((next, told.to_string()))
        }
    };
    let rotated = app
        .write(move |tx| {
            let prepared = prepared.as_ref().map(|(next, answer)| (next, answer.as_str()));
            token_exchange::rotate(tx, &client, &secret, prepared)
        })
        .await?;
    match rotated {
        Rotated::Done => Ok(Ok(told)),
        Rotated::Again(sealed) => again(&sealed),
        Rotated::Refused => Ok(Err(INVALID)),
    }
}

/// A token for the application itself (RFC 6749 §4.4).
fn for_itself(
    app: &App,
    ring: &Ring,
    client: &Client,
    (scope, resource): (Option<Scopes>, Option<String>),
) -> Result<Told<Value>> {
    let own = Scopes::parse(&client.settings.scopes.join(" ")).unwrap_or_default();
    let scopes = scope.unwrap_or_else(|| own.clone());
    if !own.cover(&scopes) {
        return Ok(Err(Refused::new(Code::InvalidScope, "That is more than this application may.")));
    }
    let (now, site) = (app.now(), app.config().site.origin());
    let exp = now + app.config().lifetimes.access_token;
    let claims = AccessClaims {
        sub: client.client_id.clone(),
        aud: vec![resource.or_else(|| client.audience(None, &site)).unwrap_or_else(|| site.clone())],
        iss: site,
        client_id: client.client_id.clone(),
        exp: exp.unix(),
        iat: now.unix(),
        jti: random_text(16)?,
        scope: scopes.text(),
        auth_time: None,
        acr: None,
        sid: None,
        grant: None,
    };
    let mut told = json!({
        "access_token": claims.sign(ring.key(SigningAlgorithm::Es256)?)?, "token_type": "Bearer",
        "expires_in": (exp - now).num_seconds(),
    });
    // Nothing is no scope (RFC 6749 §3.3).
    if !claims.scope.is_empty() {
        told["scope"] = claims.scope.into();
    }
    Ok(Ok(told))
}

/// What is answered to somebody's application: an access token, and with `openid` an ID token, at a refresh too (OpenID Connect
/// Core 1.0 §12.2).
fn tokens(
    app: &App,
    ring: &Ring,
    client: &Client,
    (grant, user, scopes): (&Grant, &User, &Scopes),
    nonce: Option<String>,
) -> Result<Value> {
    let access_token = access_token(app, ring, client, grant, user, scopes)?;
    let mut told = told(app, &access_token, grant, scopes);
    if scopes.has("openid") {
        let now = app.now();
        let claims = IdClaims {
            iss: app.config().site.origin(),
            sub: user.id.to_string(),
            aud: client.client_id.clone(),
            exp: (now + app.config().lifetimes.id_token).unix(),
            iat: now.unix(),
            auth_time: grant.auth_time.unix(),
            acr: grant.acr.clone(),
            amr: grant.amr.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
            sid: grant.sid().to_string(),
            nonce,
            at_hash: None,
            person: claims_of(user, scopes),
        };
        told["id_token"] = claims.sign(ring.key(client.settings.sign_with)?, &access_token)?.into();
    }
    Ok(told)
}

pub(super) fn access_token(
    app: &App,
    ring: &Ring,
    client: &Client,
    grant: &Grant,
    user: &User,
    scopes: &Scopes,
) -> Result<String, Error> {
    let (now, site) = (app.now(), app.config().site.origin());
    let mut aud = vec![grant.audience.clone()];
    // Userinfo is here.
    if scopes.has("openid") && grant.audience != site {
        aud.push(site.clone());
    }
    let claims = AccessClaims {
        sub: user.id.to_string(),
        aud,
        iss: site,
        client_id: client.client_id.clone(),
        exp: access_ends_at(app, grant).unix(),
        iat: now.unix(),
        jti: random_text(16)?,
        scope: scopes.text(),
        auth_time: Some(grant.auth_time.unix()),
        acr: Some(grant.acr.clone()),
        sid: Some(grant.sid().to_string()),
        grant: Some(grant.id.to_string()),
    };
    claims.sign(ring.key(SigningAlgorithm::Es256)?)
}

fn access_ends_at(app: &App, grant: &Grant) -> Timestamp {
    grant.expires_at.min(app.now() + app.config().lifetimes.access_token)
}

pub(super) fn told(app: &App, access_token: &str, grant: &Grant, scopes: &Scopes) -> Value {
    json!({
        "access_token": access_token, "token_type": "Bearer",
        "expires_in": (access_ends_at(app, grant) - app.now()).num_seconds(), "scope": scopes.text(),
    })
}

pub(super) fn add_refresh_token(
    told: &mut Value,
    secret: &Secret<RefreshSecret>,
    ends_at: Timestamp,
    now: Timestamp,
) {
    told["refresh_token"] = secret.reveal().into();
    told["refresh_expires_in"] = (ends_at - now).num_seconds().into();
}
