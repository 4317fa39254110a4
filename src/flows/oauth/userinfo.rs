//! Who an access token is about (OpenID Connect Core 1.0 §5.3).

use actix_web::{HttpRequest, HttpResponse, http::header, web::Data};
use serde_json::Value;

use super::{client, form::Form};
use crate::{
    accounts::grants,
    app::App,
    error::Result,
    jobs::signing_keys,
    oauth::{Code, Refused, Scopes, parameters, read_access_token},
    web::negotiation::header_text,
};

const INVALID: Refused = Refused::new(Code::InvalidToken, "The access token is late, revoked or not one.");

/// `GET /oauth/userinfo`, with the token in `Authorization: Bearer`; never in the address.
pub(crate) async fn show(req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    answer(bearer(&req), &app).await
}

/// `POST /oauth/userinfo`: the same, or with the token in a form (RFC 6750 §2.2).
pub(crate) async fn create(req: HttpRequest, form: Option<Form>, app: Data<App>) -> Result<HttpResponse> {
    let form = match parameters(form.map_or_else(Vec::new, |form| form.0)) {
        Ok(form) => form,
        Err(refused) => return Ok(client::refusal(refused)),
    };
    match (bearer(&req), form.get("access_token").cloned()) {
        (Some(_), Some(_)) => {
            let twice = Refused::new(Code::InvalidRequest, "The access token is there in two places.");
            Ok(client::refusal(twice))
        }
        (in_header, in_form) => answer(in_header.or(in_form), &app).await,
    }
}

fn bearer(req: &HttpRequest) -> Option<String> {
    let text = header_text(req, header::AUTHORIZATION)?;
    let (scheme, token) = text.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

async fn answer(token: Option<String>, app: &App) -> Result<HttpResponse> {
    let Some(token) = token else { return Ok(client::token_missing()) };
    Ok(match told(&token, app).await? {
        Ok(claims) => HttpResponse::Ok().json(claims),
        Err(refused) => client::refusal(refused),
    })
}

async fn told(token: &str, app: &App) -> Result<client::Told<Value>> {
    let (ring, now) = (signing_keys::ring(app).await?, app.now());
    let site = app.config().site.origin();
    let claims = read_access_token(token, &ring.known, &site, now.unix());
    // One that an application has for itself is about nobody, and one for another resource is not for this one (RFC 9068 §4).
    let Some(claims) = claims.filter(|claims| claims.grant.is_some() && claims.aud.contains(&site)) else {
        return Ok(Err(INVALID));
    };
    if !Scopes::parse(&claims.scope).unwrap_or_default().has("openid") {
        return Ok(Err(Refused::new(Code::InsufficientScope, "The access token has no scope openid.")));
    }
    let found = app
        .read(move |conn| {
            let Some((grant, user)) = grants::of_token(conn, &claims, &site, now)? else { return Ok(None) };
            let scopes = grant.scopes();
            let mut told = grants::claims_of(&user, &scopes);
            told.insert("sub".to_owned(), user.id.to_string().into());
            if scopes.has("organisations") {
                told.insert("organisations".to_owned(), grants::organisations_of(conn, &grant, now)?);
            }
            Ok(Some(told))
        })
        .await?;
    Ok(found.map(Value::Object).ok_or(INVALID))
}
