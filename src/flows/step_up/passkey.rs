//! A passkey as the proof that it is still the same person.

use actix_web::web::Data;

use super::proof::{Attempt, Verdict};
use crate::{
    accounts::ceremony::{self, Judged, Place},
    app::App,
    error::Result,
    kinds::StepUpMethod,
    web::{Client, CurrentUser, Reply},
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

/// Takes what a passkey signed.
pub async fn check(attempt: Attempt, answer: Assertion, app: &App) -> Result<Verdict> {
    let party = app.passkeys().clone();
    app.write(move |tx| {
        tx.lock(&attempt.user.email.normalized())?;
        let place = Place::Session(attempt.here.id.clone());
        match ceremony::judge(tx, &party, &attempt.actor, &attempt.device, &place, &answer)? {
            Judged::Right(owner, _) if owner.id == attempt.user.id => {
                attempt.passed(tx, StepUpMethod::Passkey)
            }
            _ => attempt.missed(tx, "passkey"),
        }
    })
    .await
}
