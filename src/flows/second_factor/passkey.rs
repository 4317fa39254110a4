//! A passkey as the second factor.

use actix_web::web::Data;

use super::verdict::{MOST_CODES, Verdict, ended, missed};
use crate::{
    accounts::{
        authentication,
        ceremony::{self, AssertionOutcome, CeremonyBinding},
        passkeys::UNKNOWN_PASSKEY,
    },
    app::App,
    db::Tx,
    error::{Error, Result},
    kinds::Factor,
    model::{
        token::{self, PendingSignIn},
        user,
    },
    secret::Secret,
    web::{Client, PendingLogin, Reply, pending::SIGN_IN_EXPIRED, views::UserView},
    webauthn::{Assertion, RelyingParty},
};

/// `POST /login/2fa/passkey/options`. Good for the sign-in that waits.
pub(crate) async fn options(pending: PendingLogin, client: Client, app: Data<App>) -> Result<Reply> {
    let (secret, party) = (pending.0, app.relying_party().clone());
    let options = app
        .write(move |tx| {
            ceremony::count_challenge(tx, &client.ip)?;
            let waiting = token::peek(tx.conn, &secret)?;
            if !waiting.is_live(tx.now) {
                return Err(Error::DeadLink);
            }
            ceremony::ask(tx, &party, &waiting.user_id, CeremonyBinding::pending(&secret))
        })
        .await
        .map_err(ended)?;
    Reply::data("/login/2fa", &options)
}

/// `POST /login/2fa` with what a passkey signed.
pub(crate) async fn create(
    secret: Secret<PendingSignIn>,
    client: Client,
    answer: Assertion,
    next: Option<String>,
    app: &App,
) -> Result<Reply> {
    let party = app.relying_party().clone();
    let verdict = app.write(move |tx| attempt(tx, &party, &client, &secret, &answer)).await;
    app.metrics().second_factor(Some(Factor::Passkey), matches!(verdict, Ok(Verdict::Right { .. })));
    match verdict.map_err(ended)? {
        Verdict::Right { user, issued, .. } => {
            let reply = Reply::on(next).telling_next().with("user", UserView::from(&*user))?;
            Ok(reply.signed_in(issued))
        }
        Verdict::Last => Err(SIGN_IN_EXPIRED.error()),
        Verdict::Wrong => Err(UNKNOWN_PASSKEY.error()),
    }
}

fn attempt(
    tx: &mut Tx,
    party: &RelyingParty,
    client: &Client,
    secret: &Secret<PendingSignIn>,
    answer: &Assertion,
) -> Result<Verdict> {
    let waiting = token::peek(tx.conn, secret)?;
    let user = user::find_locked(tx, &waiting.user_id)?.ok_or(Error::DeadLink)?;
    let (_, first, left) = token::count_attempt(tx, secret, MOST_CODES)?;
    let (actor, device) = (client.actor(), client.device().name());
    match ceremony::judge(tx, party, &actor, &device, &CeremonyBinding::pending(secret), answer)? {
        AssertionOutcome::Right(owner, passkey) if owner.id == user.id => {
            let second =
                authentication::PassedSecondFactor { factor: Factor::Passkey, passkey: Some(passkey) };
            let issued = authentication::finish(tx, client, &user, secret, second)?;
            Ok(Verdict::Right { user: owner, issued, factor: Factor::Passkey, codes_left: 0 })
        }
        _ => missed(tx, client, &user, &first, left, secret),
    }
}
