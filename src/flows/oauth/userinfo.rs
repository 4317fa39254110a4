//! Who an access token is about (OpenID Connect Core 1.0 §5.3).

use actix_web::{HttpRequest, HttpResponse, http::header, web::Data};
use serde_json::Value;

use super::{client, cors};
use crate::{
    accounts::grants,
    app::App,
    error::Result,
    jobs::signing_keys,
    oauth::{Code, Refused, Scopes, read_access_token},
    web::negotiation::header_text,
};

const INVALID: Refused =
    Refused::new(Code::InvalidToken, "The access token is missing, late, revoked or not one.");

/// `GET` and `POST /oauth/userinfo`, with the token in `Authorization: Bearer` and nowhere else.
pub(crate) async fn show(req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let answer = match told(&req, &app).await? {
        Ok(claims) => HttpResponse::Ok().json(claims),
        Err(refused) => client::refusal(refused),
    };
    cors::allow(&req, &app, answer).await
}

async fn told(req: &HttpRequest, app: &App) -> Result<client::Told<Value>> {
    let text = header_text(req, header::AUTHORIZATION).unwrap_or_default();
    let token = text.trim().split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else { return Ok(Err(INVALID)) };
    let (ring, now) = (signing_keys::ring(app).await?, app.now());
    let site = app.config().site.origin();
    let claims = read_access_token(token.trim(), &ring.known, &site, now.unix());
    // One that an application has for itself is about nobody, and one for another resource is not for this one (RFC 9068 §4).
    let Some(claims) = claims.filter(|claims| claims.sid.is_some() && claims.aud.contains(&site)) else {
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
                told.insert("organisations".to_owned(), grants::organisations_of(conn, &user.id)?);
            }
            Ok(Some(told))
        })
        .await?;
    Ok(found.map(Value::Object).ok_or(INVALID))
}
