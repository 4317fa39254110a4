//! A passkey as the proof that it is still the same person.

use actix_web::web::Data;

use super::attempt::{Attempt, Verdict};
use crate::{
    accounts::ceremony::{self, AssertionOutcome, CeremonyBinding},
    app::App,
    error::Result,
    kinds::StepUpMethod,
    web::{Client, CurrentUser, Reply},
    webauthn::Assertion,
};

/// `POST /auth/confirm/passkey/options`. Good in this session.
pub(crate) async fn options(me: CurrentUser, client: Client, app: Data<App>) -> Result<Reply> {
    let (owner, binding, party) =
        (me.user.id.clone(), CeremonyBinding::Session(me.session.id.clone()), app.relying_party().clone());
    let options = app
        .write(move |tx| {
            ceremony::count_challenge(tx, &client.ip)?;
            ceremony::ask(tx, &party, &owner, binding)
        })
        .await?;
    Reply::data("/me/security", &options)
}

/// Takes what a passkey signed.
pub(crate) async fn check(attempt: Attempt, answer: Assertion, app: &App) -> Result<Verdict> {
    let party = app.relying_party().clone();
    app.write(move |tx| {
        tx.lock(&attempt.user.email.normalized())?;
        let binding = CeremonyBinding::Session(attempt.here.id.clone());
        match ceremony::judge(tx, &party, &attempt.actor, &attempt.device, &binding, &answer)? {
            AssertionOutcome::Right(owner, _) if owner.id == attempt.user.id => {
                attempt.passed(tx, StepUpMethod::Passkey)
            }
            _ => attempt.missed(tx, "passkey"),
        }
    })
    .await
}
