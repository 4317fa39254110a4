//! Signing out, here.

use actix_web::web::Data;

use crate::{
    app::App,
    error::Result,
    model::{
        audit::{self, Event},
        session, token,
    },
    web::{MaybeUser, PendingLogin, Reply},
};

/// `POST /logout`. Harmless twice: whoever is not signed in is signed out already.
pub async fn create(visitor: MaybeUser, pending: Option<PendingLogin>, app: Data<App>) -> Result<Reply> {
    if let Some(PendingLogin(secret)) = pending {
        app.write(move |tx| token::discard(tx, &secret)).await?;
    }
    if let Some(me) = visitor.signed_in() {
        let (actor, user, id) = (me.actor(), me.user.id.clone(), me.session.id.clone());
        app.write(move |tx| {
            session::end(tx, &id)?;
            audit::record(tx, &actor, &user, Event::SignedOut {})
        })
        .await?;
    }
    Ok(Reply::done("/login", "You are signed out on this device.").signed_out())
}
