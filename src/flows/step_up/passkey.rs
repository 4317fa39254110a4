//! A passkey as the proof that it is still the same person.

use actix_web::web::Data;

use super::proof::prove;
use crate::{
    accounts::ceremony::{self, Judged, Place},
    app::App,
    error::{Error, Result},
    model::audit::{self, Event},
    web::{Client, CurrentUser, Reply, door::Ticket, guard::SignedIn},
    webauthn::Assertion,
};

/// `POST /auth/confirm/passkey/options`. Good in this session.
pub async fn options(me: CurrentUser, client: Client, app: Data<App>) -> Result<Reply> {
    let (owner, place, party) =
        (me.user.id.clone(), Place::Session(me.session.id.clone()), app.passkeys().clone());
    let options = app
        .write(move |tx| {
            ceremony::admit(tx, &client.ip)?;
            ceremony::ask(tx, &party, &owner, place)
        })
        .await?;
    Ok(Reply::data("/me/security", options))
}

/// Takes what a passkey signed. [`Error::UnknownPasskey`] where it is not right.
pub async fn check(me: &SignedIn, client: Client, answer: Assertion, app: &App) -> Result<Ticket> {
    let (actor, user, current, party) =
        (me.actor(), me.user.clone(), me.session.clone(), app.passkeys().clone());
    let proved = app
        .write(move |tx| {
            tx.lock(&user.email.normalized())?;
            let (place, device) = (Place::Session(current.id.clone()), client.device().name());
            match ceremony::judge(tx, &party, &actor, &device, &place, &answer)? {
                Judged::Right(owner, _) if owner.id == user.id => {
                    audit::record(tx, &actor, &user.id, Event::SteppedUp { with: "passkey" })?;
                    prove(tx, &current).map(Some)
                }
                _ => {
                    audit::record(tx, &actor, &user.id, Event::StepUpFailed { with: "passkey" })?;
                    Ok(None)
                }
            }
        })
        .await?;
    proved.ok_or(Error::UnknownPasskey)
}
