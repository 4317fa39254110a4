//! The authenticator app: setting one up, changing it for another, removing it.

use actix_web::web::Data;
use askama::Template;
use qrcode::{Color, EcLevel, QrCode};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    accounts::{
        authentication::{self, IssuedSession},
        factor_removal,
        factors::{self, Event},
        organisation_policy,
        second_factors::{self, Code},
        security_changes,
    },
    app::App,
    db::Tx,
    error::{Error, Errors, Result},
    kinds::Factor,
    mail::emails::FactorChange,
    model::{
        audit::{self, Actor},
        security_change::Kind,
        session::CurrentSession,
        totp::{self, SharedSecret},
        user::User,
    },
    web::{
        Authenticated, Client, Input, Reply, SteppedUpVerifiedUser,
        second_factors::{CodesPage, FactorsPage},
    },
};

/// A set-up that waits for its first code.
#[derive(Template, Serialize)]
#[template(path = "totp.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetupPage {
    secret: String,
    otpauth_uri: String,
    qr_svg: String,
    #[serde(skip)]
    before: Before,
    #[serde(skip)]
    errors: Errors,
}

/// What was there before the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    AnotherFactor,
    AnotherApp,
}

/// The app's first code.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    code: Code,
}

/// What came of the first code.
enum Verdict {
    Done { issued: IssuedSession, codes: Option<Vec<Zeroizing<String>>>, has_replaced: bool },
    Wrong,
    NothingWaits,
}

/// `POST /me/2fa/totp`: a fresh secret. It gates nothing, and an app that is in use stays in use, until the first code.
pub(crate) async fn start(me: SteppedUpVerifiedUser, app: Data<App>) -> Result<Reply> {
    let (user, here) = (me.user.clone(), me.session.id.clone());
    let secret = app
        .write(move |tx| {
            tx.lock(&user.email.normalized())?;
            totp::start(tx, &user.id, &here)
        })
        .await?;
    let setup = SetupPage::new(&secret, &me.user, &app, Before::Nothing, Errors::default())?;
    Reply::go("/me/2fa/totp/confirm")
        .with("secret", setup.secret)?
        .with("otpauthUri", setup.otpauth_uri)?
        .with("qrSvg", setup.qr_svg)
}

/// `GET /me/2fa/totp/confirm`: the set-up that waits. A step-up in the middle of it leads back here.
pub(crate) async fn form(me: SteppedUpVerifiedUser, app: Data<App>) -> Result<Reply> {
    match waiting(&me, &app, Errors::default()).await? {
        Some(page) => Ok(Reply::page(page)),
        None => nothing_waits(&me, &app).await,
    }
}

/// `POST /me/2fa/totp/confirm`
pub(crate) async fn confirm(
    me: SteppedUpVerifiedUser,
    client: Client,
    Input(form): Input<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let Code::Totp(code) = form.code else {
        return again(&me, &app, "Enter the six digits that the app shows.").await;
    };
    let (actor, user, here) = (me.actor(), me.user.clone(), me.session.clone());
    let verdict = app.write(move |tx| finish(tx, &actor, &client, &user, &here, &code)).await?;
    match verdict {
        Verdict::Done { issued, codes: Some(codes), .. } => {
            let what = "Your authenticator app is set up. We'll ask for a code from it when you sign in.";
            Ok(Reply::page(CodesPage::new(codes, what, &me.user)).signed_in(issued))
        }
        Verdict::Done { issued, codes: None, has_replaced } => {
            let message = match has_replaced {
                true => "Your new authenticator app is set up. The one before no longer works.",
                false => "Your authenticator app is set up. Your recovery codes stay as they are.",
            };
            Ok(Reply::done("/me/2fa", message).signed_in(issued))
        }
        Verdict::Wrong => {
            let sentence = "That code isn't right. Wait for the next one and try again. If it fails again, check the \
                            time on your phone, or scan the QR code again.";
            again(&me, &app, sentence).await
        }
        Verdict::NothingWaits => nothing_waits(&me, &app).await,
    }
}

fn finish(
    tx: &mut Tx,
    actor: &Actor,
    client: &Client,
    user: &User,
    here: &CurrentSession,
    code: &str,
) -> Result<Verdict> {
    tx.lock(&user.email.normalized())?;
    let is_known = client.is_known_to(tx.conn, &user.id)?;
    second_factors::count_guess(tx, &user.id, is_known)?;
    let before = factors::of(tx.conn, &user.id)?;
    match totp::confirm(tx, &user.id, &here.id, code) {
        Ok(true) => {}
        Ok(false) => return Ok(Verdict::Wrong),
        Err(Error::DeadLink) => return Ok(Verdict::NothingWaits),
        Err(error) => return Err(error),
    }
    second_factors::clear_guesses(tx, &user.id, is_known)?;
    second_factors::added(tx, actor, &user.id, here, before, Factor::Totp)?;
    security_changes::note(tx, actor, &user.id, Kind::AppAdded, None)?;
    audit::record(tx, actor, &user.id, Event::SecondFactorAdded { factor: Factor::Totp, passkey: None })?;
    let has_replaced = before.has_totp;
    let change = if has_replaced { FactorChange::AppReplaced } else { FactorChange::AppAdded };
    second_factors::tell(tx, actor, user, change, &client.device().name())?;
    let has_codes = before.is_second_due() && before.recovery_codes > 0;
    let codes = match has_codes {
        true => None,
        false => Some(second_factors::make_codes(tx, actor, &user.id)?),
    };
    Ok(Verdict::Done { issued: authentication::rotate(tx, here)?, codes, has_replaced })
}

/// `DELETE /me/2fa/totp` and `POST /me/2fa/totp/disable`. Harmless twice. A set-up that waits is given up as well.
pub(crate) async fn disable(me: SteppedUpVerifiedUser, client: Client, app: Data<App>) -> Result<Reply> {
    let (actor, user, here) = (me.actor(), me.user.clone(), me.session.clone());
    let removed = app
        .write(move |tx| {
            let left = factor_removal::remove_app(tx, &actor, &user, &here, &client.device().name())?;
            let Some(left) = left else { return Ok(None) };
            let asked = organisation_policy::asked_second_factor(tx.conn, &user.id)?;
            Ok(Some((left, asked, authentication::rotate(tx, &here)?)))
        })
        .await?;
    let Some((left, asked, issued)) = removed else {
        return Ok(Reply::done("/me/2fa", "There is no authenticator app on this account."));
    };
    let message = match left.is_second_due() {
        true => "The authenticator app is removed. You are still asked for a second step when you sign in."
            .to_owned(),
        false => {
            let removed = "The authenticator app is removed, and the recovery codes with it.";
            asked.map_or_else(|| removed.to_owned(), |asked| format!("{removed} {asked}"))
        }
    };
    Ok(Reply::done("/me/2fa", message).signed_in(issued))
}

/// The set-up page once more, with what is wrong with the code.
async fn again(me: &Authenticated, app: &App, sentence: &str) -> Result<Reply> {
    let errors = Errors::one("code", sentence);
    match waiting(me, app, errors.clone()).await? {
        Some(page) => Ok(Reply::refused(page, Error::Invalid(errors))),
        None => nothing_waits(me, app).await,
    }
}

async fn nothing_waits(me: &Authenticated, app: &App) -> Result<Reply> {
    let sentence = "This set-up has already finished or timed out. Start again if you need to.";
    let errors = Errors::one("form", sentence);
    let page = FactorsPage::of(me, app, errors.clone()).await?;
    Ok(Reply::refused(page, Error::Invalid(errors)))
}

async fn waiting(me: &Authenticated, app: &App, errors: Errors) -> Result<Option<SetupPage>> {
    let (id, here) = (me.user.id.clone(), me.session.id.clone());
    let (keys, now) = (app.config().keys.clone(), me.now);
    let (secret, factors) =
        app.read(move |conn| Ok((totp::waiting(conn, &keys, &here, now)?, factors::of(conn, &id)?))).await?;
    let before = match (factors.has_totp, factors.is_second_due()) {
        (true, _) => Before::AnotherApp,
        (false, true) => Before::AnotherFactor,
        (false, false) => Before::Nothing,
    };
    secret.map(|secret| SetupPage::new(&secret, &me.user, app, before, errors)).transpose()
}

impl SetupPage {
    fn new(secret: &SharedSecret, user: &User, app: &App, before: Before, errors: Errors) -> Result<Self> {
        let uri = secret.uri(&app.config().site.name, user.email.spelled())?;
        Ok(Self {
            secret: secret.base32().to_string(),
            qr_svg: qr_svg(&uri)?,
            otpauth_uri: uri.to_string(),
            before,
            errors,
        })
    }

    /// The secret in groups of four, for whoever types it.
    fn groups(&self) -> String {
        let groups: Vec<_> = self.secret.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
        groups.join(" ")
    }
}

/// A QR code (ISO/IEC 18004) as SVG, four modules of margin included. Always dark on light, whatever is around it: many
/// cameras read no other. It has no style of its own, for the content security policy would drop it.
fn qr_svg(text: &str) -> Result<String> {
    const MARGIN: usize = 4;
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(Error::internal)?;
    let width = code.width();
    let mut dark = String::new();
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|one, next| one == next) {
            if run.first() == Some(&Color::Dark) {
                dark += &format!("M{} {}h{}v1h-{}z", x + MARGIN, y + MARGIN, run.len(), run.len());
            }
            x += run.len();
        }
    }
    let size = width + 2 * MARGIN;
    Ok(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" class="qr" viewBox="0 0 {size} {size}" shape-rendering="crispEdges" role="img" aria-label="QR code for your authenticator app"><path fill="#fff" d="M0 0h{size}v{size}h-{size}z"/><path fill="#000" d="{dark}"/></svg>"##
    ))
}
