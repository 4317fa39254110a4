//! Signing out, here.

use actix_session::SessionExt;
use actix_web::{HttpRequest, web::Data};
use serde::Deserialize;

use crate::{
    accounts::{provider_logout, sessions::Event},
    app::App,
    error::Result,
    model::{audit, session, token},
    web::{MaybeUser, PendingLogin, Query, Reply, local_path, pending},
};

const SIGN_OUT_THERE: &str = "/auth/saml/sign-out";

/// Where to go after signing in again, for whoever signs out to do that.
#[derive(Deserialize)]
pub(crate) struct ReturnQuery {
    next: Option<String>,
}

/// `POST /logout?next=`. Harmless twice: whoever is not signed in is signed out already. Whoever came by an identity provider that
/// ends sessions as well is asked whether it should.
pub(crate) async fn create(
    visitor: MaybeUser,
    waiting: Option<PendingLogin>,
    query: Query<ReturnQuery>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<Reply> {
    const MESSAGE: &str = "You are signed out on this device.";
    let next = local_path(query.next.as_deref());
    let mut offered = None;
    if let Some(PendingLogin(secret)) = waiting {
        app.write(move |tx| token::discard(tx, &secret)).await?;
    }
    if let Some(me) = visitor.signed_in() {
        let (actor, user, id) = (me.actor(), me.user.id.clone(), me.session.id.clone());
        offered = app
            .write(move |tx| {
                let offered = provider_logout::offer(tx, &id)?;
                session::end(tx, &id)?;
                audit::record(tx, &actor, &user, Event::SignedOut {})?;
                Ok(offered)
            })
            .await?;
    }
    // Whoever signs in again stays signed in there.
    let offered = offered.filter(|_| next.is_none());
    pending::set_signing_out(&req.get_session(), offered.as_ref());
    match offered {
        Some(_) => Reply::done(SIGN_OUT_THERE, MESSAGE).signed_out().with("signOutThere", SIGN_OUT_THERE),
        None => {
            let query = next.map(|next| serde_urlencoded::to_string([("next", next)]).unwrap_or_default());
            let to = query.map_or_else(|| "/login".to_owned(), |query| format!("/login?{query}"));
            Ok(Reply::done(to, MESSAGE).signed_out())
        }
    }
}
