//! New recovery codes, and the same as a file.

use actix_web::{
    HttpResponse,
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    web::Data,
};
use askama::Template;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{
    accounts::{
        authentication::{self, IssuedSession},
        factors, second_factors,
    },
    app::App,
    db::Tx,
    error::{Error, Errors, Result},
    mail::emails::FactorChange,
    model::{audit::Actor, recovery_code, session::CurrentSession, user::User},
    web::{
        Client, CurrentUser, Input, Reply, SteppedUpVerifiedUser,
        second_factors::{CodesPage, FactorsPage},
    },
};

/// Which set is to be replaced, where a page asks.
#[derive(Deserialize)]
pub(crate) struct Form {
    replaces: Option<String>,
}

/// Codes that are on somebody's page.
#[derive(Deserialize)]
pub(crate) struct Shown {
    #[serde(default)]
    codes: Zeroizing<String>,
}

/// The codes as a file.
#[derive(Template)]
#[template(path = "recovery_codes.txt")]
struct CodesFile<'a> {
    brand: &'a str,
    home: String,
    email: &'a str,
    codes: Vec<Zeroizing<String>>,
}

/// What came of the wish for new codes.
enum Made {
    Codes(Vec<Zeroizing<String>>, IssuedSession),
    Not(&'static str),
}

/// `POST /me/2fa/recovery-codes`: ten new ones; all older ones are dead.
pub(crate) async fn create(
    me: SteppedUpVerifiedUser,
    client: Client,
    form: Option<Input<Form>>,
    app: Data<App>,
) -> Result<Reply> {
    let replaces = form.and_then(|Input(form)| form.replaces);
    let (actor, user, here) = (me.actor(), me.user.clone(), me.session.clone());
    match app.write(move |tx| make(tx, &actor, &client, &user, &here, replaces)).await? {
        Made::Codes(codes, issued) => {
            let what = "Here are ten new codes. The older ones no longer work.";
            Ok(Reply::page(CodesPage::new(codes, what, &me.user)).signed_in(issued))
        }
        Made::Not(sentence) => {
            let errors = Errors::one("form", sentence);
            let page = FactorsPage::of(&me, &app, errors.clone()).await?;
            Ok(Reply::refused(page, Error::Invalid(errors)))
        }
    }
}

fn make(
    tx: &mut Tx,
    actor: &Actor,
    client: &Client,
    user: &User,
    here: &CurrentSession,
    replaces: Option<String>,
) -> Result<Made> {
    tx.lock(&user.email.normalized())?;
    if !factors::of(tx.conn, &user.id)?.is_second_due() {
        return Ok(Made::Not(
            "Recovery codes stand in for a lost app or passkey. Set up an authenticator app first; you get ten with it.",
        ));
    }
    let edition = recovery_code::edition(tx.conn, &user.id)?;
    if replaces.is_some_and(|seen| seen != edition) {
        return Ok(Made::Not(
            "New codes were made already, and they are shown only once. If you did not keep them, make others.",
        ));
    }
    let codes = second_factors::make_codes(tx, actor, &user.id)?;
    second_factors::tell(tx, actor, user, FactorChange::CodesMade, &client.device().name())?;
    Ok(Made::Codes(codes, authentication::rotate(tx, here)?))
}

/// `POST /me/2fa/recovery-codes/download`: codes that a page shows, sent back as a file, so that saving them needs no
/// script. It knows nothing: what has the shape of recovery codes comes back, whatever it opens.
pub(crate) async fn download(
    me: CurrentUser,
    Input(shown): Input<Shown>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let codes: Option<Vec<_>> = shown.codes.split_whitespace().map(read).collect();
    let Some(codes) = codes.filter(|codes| (1..=recovery_code::COUNT).contains(&codes.len())) else {
        return Err(Error::Invalid(Errors::one("codes", "These are not recovery codes.")));
    };
    let site = &app.config().site;
    let file = CodesFile { brand: &site.name, home: site.link("/"), email: me.user.email.spelled(), codes };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"recovery-codes.txt\""))
        .body(file.render()?))
}

fn read(typed: &str) -> Option<Zeroizing<String>> {
    recovery_code::read(typed).map(|plain| recovery_code::spelled(&plain))
}
