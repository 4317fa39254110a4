//! Signing out, here.

use actix_session::SessionExt;
use actix_web::{HttpRequest, web::Data};

use crate::{
    accounts::provider_logout,
    app::App,
    error::Result,
    model::{
        audit::{self, Event},
        session, token,
    },
    web::{MaybeUser, PendingLogin, Reply, pending},
};

const SIGN_OUT_THERE: &str = "/auth/saml/sign-out";

/// `POST /logout`. Harmless twice: whoever is not signed in is signed out already. Whoever came by an identity provider that
/// ends sessions as well is asked whether it should.
pub(crate) async fn create(
    visitor: MaybeUser,
    waiting: Option<PendingLogin>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<Reply> {
    const MESSAGE: &str = "You are signed out on this device.";
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
    pending::set_signing_out(&req.get_session(), offered.as_ref());
    match offered {
        Some(_) => Reply::done(SIGN_OUT_THERE, MESSAGE).signed_out().with("signOutThere", SIGN_OUT_THERE),
        None => Ok(Reply::done("/login", MESSAGE).signed_out()),
    }
}
