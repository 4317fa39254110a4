//! Whether a token is good now (RFC 7662): its row is looked at, not only its signature.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde_json::{Value, json};

use super::{
    client::{self, Told},
    form::Form,
};
use crate::{
    accounts::{api_keys, grants, token_exchange},
    app::App,
    error::Result,
    jobs::signing_keys,
    model::{
        api_key::ApiKeySecret,
        application::client::{self as clients, Client},
        refresh_token::RefreshSecret,
    },
    oauth::{AccessClaims, Code, Refused, Scopes, parameters, read_access_token},
    secret::Secret,
};

/// `POST /oauth/introspect`: of an access token, a refresh token or an API key. `{"active": false}` for whatever is not good, or
/// none of the application's business.
pub(crate) async fn create(req: HttpRequest, form: Form, app: Data<App>) -> Result<HttpResponse> {
    let told = match parameters(form.0) {
        Ok(form) => told(&req, &form, &app).await?,
        Err(refused) => Err(refused),
    };
    Ok(match told {
        Ok(told) => HttpResponse::Ok().json(told),
        Err(refused) => client::refusal(refused),
    })
}

async fn told(req: &HttpRequest, form: &BTreeMap<String, String>, app: &App) -> Result<Told<Value>> {
    let client = match client::authenticated(app, req, form).await? {
        Ok(client) if client.kind.traits().has_secret => client,
        Ok(_) => {
            return Ok(Err(Refused::new(Code::InvalidClient, "Only an application with a secret may ask.")));
        }
        Err(refused) => return Ok(Err(refused)),
    };
    let Some(token) = form.get("token") else {
        return Ok(Err(Refused::new(Code::InvalidRequest, "token is missing.")));
    };
    let (ring, now) = (signing_keys::ring(app).await?, app.now());
    let site = app.config().site.origin();
    let access = read_access_token(token, &ring.known, &site, now.unix());
    let key = Secret::<ApiKeySecret>::from_text(token.clone());
    let refresh = Secret::<RefreshSecret>::from_text(token.clone());
    let grace = app.config().lifetimes.refresh_grace;
    let found = app.read(move |conn| match &access {
        Some(claims) if is_concerned(&client, claims) => {
            let scopes = match &claims.grant {
                Some(_) => grants::of_token(conn, claims, &site, now)?.map(|(grant, _)| grant.scopes),
                None => clients::called(conn, &claims.client_id)?.and_then(|own| own_scopes(&own, claims, &site)),
            };
            Ok(scopes.map(|scopes| of_access_token(claims, &scopes)))
        }
        Some(_) => Ok(None),
        None => match api_keys::authenticate(conn, &key, now)? {
            // Whose it is concerns whoever runs this site.
            Some(found) => Ok(client.settings.is_first_party.then(|| of_key(&found))),
            None => Ok(match token_exchange::look_at(conn, &client, &refresh, &site, (now, grace))? {
                Some(token_exchange::Presented::Fresh(fresh)) => {
                    let (token, grant, user) = *fresh;
                    Some(json!({
                        "active": true, "token_type": "refresh_token", "client_id": client.client_id, "sub": user.id,
                        "scope": grant.scopes, "exp": token.expires_at.unix(), "iss": site, "sid": grant.sid(),
                    }))
                }
                _ => None,
            }),
        },
    });
    Ok(Ok(found.await?.unwrap_or_else(|| json!({ "active": false }))))
}

/// Whether it is the application's own, or meant for it.
fn is_concerned(client: &Client, claims: &AccessClaims) -> bool {
    client.client_id == claims.client_id
        || claims.aud.iter().any(|aud| client.settings.audiences.contains(aud))
}

/// What of its scopes an application that got a token for itself may still have, as long as it is in use.
fn own_scopes(own: &Client, claims: &AccessClaims, site: &str) -> Option<String> {
    let is_for = claims.aud.iter().all(|aud| own.audience(Some(aud), site).is_some());
    let scopes = own.allowed(Scopes::parse(&claims.scope).unwrap_or_default());
    (own.disabled_at.is_none() && is_for).then(|| scopes.text())
}

fn of_access_token(claims: &AccessClaims, scopes: &str) -> Value {
    let mut told = json!(claims);
    if !scopes.is_empty() {
        told["scope"] = scopes.into();
    }
    told["active"] = true.into();
    told["token_type"] = "Bearer".into();
    told
}

fn of_key(found: &api_keys::Presented) -> Value {
    let permissions: Vec<String> = found.key.permissions().iter().map(ToString::to_string).collect();
    json!({
        "active": true, "token_type": "api_key", "sub": found.user_id(), "scope": permissions.join(" "),
        "exp": found.key.expires_at.map(|at| at.unix()), "jti": found.key.id,
    })
}
