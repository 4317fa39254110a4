//! Signing in with a passkey and nothing else: no address is typed.

use actix_web::web::Data;
use serde::Deserialize;

use crate::{
    accounts::{
        authentication::{self, Event},
        ceremony::{self, AssertionOutcome, CeremonyBinding, PASSKEY_EXPIRED},
        factor_reset,
        passkeys::UNKNOWN_PASSKEY,
    },
    app::App,
    db::Tx,
    error::{Error, Errors, Result},
    kinds::AuthMethod,
    model::{
        audit,
        sign_in::{self, Attempt, Outcome},
        user::User,
    },
    web::{BrowserBinding, Client, Input, Reply, input::tick, local_path, views::UserView},
    webauthn::{Assertion, RelyingParty},
};

/// What the passkey signed, unchanged, and what goes on afterwards.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(flatten)]
    answer: Option<Assertion>,
    #[serde(default, deserialize_with = "tick")]
    remember: bool,
    next: Option<String>,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    screen: String,
}

/// `POST /login/passkey/options`. Good in the browser that asks.
pub(crate) async fn options(client: Client, mark: BrowserBinding, app: Data<App>) -> Result<Reply> {
    let (binding, party) = (CeremonyBinding::browser(&mark.get_or_create()?), app.relying_party().clone());
    let options = app
        .write(move |tx| {
            ceremony::count_challenge(tx, &client.ip)?;
            ceremony::ask_anybody(tx, &party, binding)
        })
        .await?;
    Reply::data("/", &options)
}

/// `POST /login/passkey`
pub(crate) async fn create(
    client: Client,
    mark: BrowserBinding,
    Input(form): Input<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let Some(answer) = form.answer else {
        return Err(Error::Invalid(Errors::one("form", "Send what the passkey signed.")));
    };
    let client = client.with_hints(&form.zone, &form.screen);
    let binding = CeremonyBinding::browser(&mark.get().ok_or(PASSKEY_EXPIRED.error())?);
    let (party, remember) = (app.relying_party().clone(), form.remember);
    let signed_in =
        app.write(move |tx| establish_session(tx, &party, &client, &binding, &answer, remember)).await?;
    let Some((user, issued)) = signed_in else {
        app.metrics().sign_in(AuthMethod::Passkey, false);
        return Err(UNKNOWN_PASSKEY.error());
    };
    let reply = Reply::on(local_path(form.next.as_deref())).telling_next();
    Ok(reply.with("user", UserView::from(&user))?.signed_in(issued))
}

fn establish_session(
    tx: &mut Tx,
    party: &RelyingParty,
    client: &Client,
    binding: &CeremonyBinding,
    answer: &Assertion,
    remember: bool,
) -> Result<Option<(User, authentication::IssuedSession)>> {
    let device = client.device();
    let judged = ceremony::judge(tx, party, &client.actor(), &device.name(), binding, answer)?;
    let judged = match judged {
        AssertionOutcome::Right(user, passkey) if factor_reset::is_disputed(tx.conn, &passkey)? => {
            AssertionOutcome::Wrong(user, Outcome::DisputedPasskey)
        }
        judged => judged,
    };
    match judged {
        AssertionOutcome::Right(user, passkey) => {
            let issued = authentication::complete_passkey(tx, client, &user, passkey, remember)?;
            Ok(Some((*user, issued)))
        }
        AssertionOutcome::Wrong(user, outcome) => {
            let ip = client.ip.clone();
            let attempt = Attempt {
                ip,
                device,
                method: AuthMethod::Passkey,
                outcome,
                is_new_device: false,
                had_cookie: false,
                second_factor: None,
            };
            sign_in::note(tx, &user.id, attempt)?;
            let actor = client.actor().known_as(&user.id);
            audit::record(tx, &actor, &user.id, Event::SignInFailed { method: AuthMethod::Passkey })?;
            Ok(None)
        }
        AssertionOutcome::Unknown => {
            let failed = Event::SignInFailed { method: AuthMethod::Passkey };
            audit::record(tx, &client.actor(), None, failed)?;
            Ok(None)
        }
    }
}
