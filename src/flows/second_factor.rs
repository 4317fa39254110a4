//! The second factor of a sign-in. Between the two there is no session.

pub(crate) mod passkey;
pub(crate) mod settings;
mod verdict;

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use super::second_factor::verdict::{MOST_CODES, Verdict, ended, missed};
use crate::{
    accounts::{
        authentication, containment, factors,
        second_factors::{self, Code},
    },
    app::App,
    clock::Timestamp,
    db::Tx,
    error::{Error, Errors, Result},
    kinds::Factor,
    model::{
        recovery_code,
        token::{self, PendingSignIn},
        user,
    },
    secret::Secret,
    web::{Client, Input, PendingLogin, Query, Reply, local_path, pending::SIGN_IN_EXPIRED, views::UserView},
    webauthn::Assertion,
};

/// Which proofs there are.
#[derive(Template, Serialize)]
#[template(path = "second_factor.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecondFactorPage {
    methods: Vec<&'static str>,
    newest: Option<NewestView>,
    #[serde(skip)]
    next: Option<String>,
    #[serde(skip)]
    errors: Errors,
}

/// The newest second factor of an account that got a new password by mail since: perhaps somebody else added it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewestView {
    what: String,
    device: String,
    added_at: Timestamp,
}

/// A proof, and what goes on afterwards. A code may be of either kind; a page has a field for each.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    code: Code,
    recovery: Option<Code>,
    next: Option<String>,
    #[serde(flatten)]
    passkey: Option<Assertion>,
}

/// What goes on afterwards.
#[derive(Deserialize)]
pub(crate) struct ReturnQuery {
    next: Option<String>,
}

/// `GET /login/2fa`
pub(crate) async fn form(pending: PendingLogin, query: Query<ReturnQuery>, app: Data<App>) -> Result<Reply> {
    let next = local_path(query.next.as_deref());
    page(&app, pending.0, next, Errors::default()).await.map(Reply::page)
}

/// `POST /login/2fa`
pub(crate) async fn create(
    pending: PendingLogin,
    client: Client,
    Input(form): Input<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let next = local_path(form.next.as_deref());
    if let Some(answer) = form.passkey {
        return passkey::create(pending.0, client, answer, next, &app).await;
    }
    let (field, code) = form.recovery.map_or(("code", form.code), |code| ("recovery", code));
    if matches!(code, Code::Nothing) {
        return again(&app, pending.0, next, Errors::one(field, "Enter a code.")).await;
    }
    let (tried, secret, factor) = (pending.0.clone(), pending.0, code.factor());
    let verdict = app.write(move |tx| attempt(tx, &client, &tried, &code)).await;
    app.metrics().second_factor(factor, matches!(verdict, Ok(Verdict::Right { .. })));
    let verdict = match verdict.map_err(ended) {
        Ok(verdict) => verdict,
        Err(error) => match Errors::of_waiting(&error) {
            Some(errors) => return Ok(Reply::refused(page(&app, secret, next, errors).await?, error)),
            None => return Err(error),
        },
    };
    match verdict {
        Verdict::Right { user, issued, factor, codes_left } => {
            let reply = match factor {
                Factor::RecoveryCode => {
                    Reply::on_saying(next, spent(codes_left)).with("recoveryCodesLeft", codes_left)?
                }
                _ => Reply::on(next),
            };
            Ok(reply.with("user", UserView::from(&*user))?.signed_in(issued))
        }
        Verdict::Last => Err(SIGN_IN_EXPIRED.error()),
        Verdict::Wrong => {
            let sentence = match field {
                "recovery" => "That code isn't right or has already been used. Each works once.",
                _ => {
                    "That code isn't right or has already been used. Wait for the next one and try again. If it \
                     fails again, check the time on your phone."
                }
            };
            again(&app, secret, next, Errors::one(field, sentence)).await
        }
    }
}

/// What whoever came in with a recovery code should know of the others.
fn spent(left: i64) -> String {
    let way = "Renew them on the page Two-step verification.";
    match left {
        0 => format!("That was your last recovery code. {way}"),
        1 => format!("That recovery code is used up, and only one is left. {way}"),
        left if left <= recovery_code::FEW => {
            format!("That recovery code is used up, and only {left} are left. {way}")
        }
        left => format!("That recovery code is used up. {left} are left."),
    }
}

fn attempt(tx: &mut Tx, client: &Client, secret: &Secret<PendingSignIn>, code: &Code) -> Result<Verdict> {
    let waiting = token::peek(tx.conn, secret)?;
    let user = user::find_locked(tx, &waiting.user_id)?.ok_or(Error::DeadLink)?;
    let (_, first, left) = token::count_attempt(tx, secret, MOST_CODES)?;
    let is_known = client.is_known_to(tx.conn, &user.id)?;
    second_factors::count_guess(tx, &user.id, is_known)?;
    let actor = client.actor().known_as(&user.id);
    if let Some(factor) = second_factors::take(tx, &actor, &user, code, &client.device().name())? {
        second_factors::clear_guesses(tx, &user.id, is_known)?;
        let second = authentication::PassedSecondFactor { factor, passkey: None };
        let issued = authentication::finish(tx, client, &user, secret, second)?;
        let codes_left = recovery_code::left(tx.conn, &user.id)?;
        return Ok(Verdict::Right { user: Box::new(user), issued, factor, codes_left });
    }
    missed(tx, client, &user, &first, left, secret)
}

/// The page once more, with what is wrong.
async fn again(
    app: &App,
    secret: Secret<PendingSignIn>,
    next: Option<String>,
    errors: Errors,
) -> Result<Reply> {
    let page = page(app, secret, next, errors.clone()).await?;
    Ok(Reply::refused(page, Error::Invalid(errors)))
}

async fn page(
    app: &App,
    secret: Secret<PendingSignIn>,
    next: Option<String>,
    errors: Errors,
) -> Result<SecondFactorPage> {
    let now = app.now();
    let (methods, newest) = app
        .read(move |conn| {
            let waiting = token::peek(conn, &secret)?;
            if !waiting.is_live(now) {
                return Err(Error::DeadLink);
            }
            let methods = factors::of(conn, &waiting.user_id)?.second();
            Ok((methods, containment::newest_factor(conn, &waiting.user_id, now)?))
        })
        .await
        .map_err(ended)?;
    let newest = newest.map(|told| NewestView {
        what: told.what.unwrap_or_default(),
        device: told.device,
        added_at: Timestamp::from_unix(told.at),
    });
    Ok(SecondFactorPage { methods, newest, next, errors })
}
