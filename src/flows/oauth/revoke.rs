//! An application gives up what it has (RFC 7009).

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::{
    client::{self, Told},
    form::Form,
};
use crate::{
    accounts::token_exchange,
    app::App,
    db::Conn,
    error::Result,
    ids::{GrantId, Id},
    jobs::signing_keys,
    model::refresh_token,
    oauth::{Code, Refused, parameters, read_access_token},
    secret::digest,
};

/// `POST /oauth/revoke`: ends the grant that a refresh or access token of the application's own rests on, and no other. 200 for
/// whatever else it is.
pub(crate) async fn create(req: HttpRequest, form: Form, app: Data<App>) -> Result<HttpResponse> {
    let told = match parameters(form.0) {
        Ok(form) => revoked(&req, &form, &app).await?,
        Err(refused) => Err(refused),
    };
    Ok(match told {
        Ok(()) => HttpResponse::Ok().finish(),
        Err(refused) => client::refusal(refused),
    })
}

async fn revoked(req: &HttpRequest, form: &BTreeMap<String, String>, app: &App) -> Result<Told<()>> {
    let client = match client::authenticated(app, req, form).await? {
        Ok(client) => client,
        Err(refused) => return Ok(Err(refused)),
    };
    let Some(token) = form.get("token").cloned() else {
        return Ok(Err(Refused::new(Code::InvalidRequest, "token is missing.")));
    };
    let (ring, now) = (signing_keys::ring(app).await?, app.now());
    let access = read_access_token(&token, &ring.known, &app.config().site.origin(), now.unix());
    let rests_on = move |conn: &mut Conn| -> Result<Option<GrantId>> {
        Ok(match access {
            Some(claims) => claims.grant.map(|grant| Id::from_text(grant.as_str())),
            None => refresh_token::find(conn, &digest(&token))?.map(|found| found.grant_id),
        })
    };
    app.write(move |tx| {
        let Some(id) = rests_on(tx.conn)? else { return Ok(()) };
        token_exchange::revoke(tx, &client, &id)
    })
    .await?;
    Ok(Ok(()))
}
