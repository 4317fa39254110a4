//! Somebody has an account here already: they sign in to it once the old way, and the two are connected.

use actix_session::SessionExt;
use actix_web::{HttpRequest, web::Data};
use askama::Template;
use serde::Serialize;

use crate::{
    accounts::pending_links,
    app::App,
    error::{Error, Result},
    kinds::Strength,
    model::{session, token},
    web::{Client, CurrentUser, MaybeUser, Reply, pending},
};

/// Somebody has an account here already.
#[derive(Template, Serialize)]
#[template(path = "link.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkPage {
    provider: String,
    email: String,
    signed_in: bool,
}

/// `GET /auth/link`: somebody has an account here already, and signs in to it once the old way.
pub(crate) async fn form(client: Client, visitor: MaybeUser, app: Data<App>) -> Result<Reply> {
    let secret = client.linking.clone().ok_or(Error::DeadLink)?;
    let (shared, now) = (App::clone(&app), app.now());
    let (user, provider) =
        app.read(move |conn| pending_links::find(conn, shared.config(), &secret, now)).await?;
    let signed_in = visitor.signed_in().is_some_and(|me| me.user.id == user.id);
    let email = user.email.spelled().to_owned();
    Ok(Reply::page(LinkPage { provider, email, signed_in }))
}

/// `POST /auth/link`: connects the two. A sign-in in this browser, after it was asked for, is as good as a step-up.
pub(crate) async fn create(
    me: CurrentUser,
    client: Client,
    req: HttpRequest,
    app: Data<App>,
) -> Result<Reply> {
    let secret = client.linking.clone().ok_or(Error::DeadLink)?;
    let (here, asked) = (me.session.id.clone(), secret.clone());
    let (began_at, asked_at) = app
        .read(move |conn| Ok((session::began_at(conn, &here)?, token::peek(conn, &asked)?.created_at)))
        .await?;
    let is_fresh = began_at >= asked_at && began_at + app.config().lifetimes.step_up > me.now;
    if !is_fresh && !me.is_stepped_up_in_full(&app).await? {
        return Err(me.step_up_required(&app, Strength::Full, None).await?);
    }
    let (actor, user) = (me.actor(), me.user.clone());
    let device = client.device().name();
    let provider = app.write(move |tx| pending_links::accept(tx, &actor, &user, &secret, &device)).await?;
    pending::set_linking(&req.get_session(), None);
    let through =
        provider.map_or_else(|| "through your organisation".to_owned(), |name| format!("with {name}"));
    Ok(Reply::on_saying(None, format!("The two are connected. From now on you can sign in {through}.")))
}
