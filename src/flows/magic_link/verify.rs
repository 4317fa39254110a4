//! The link in the mail, or the short code that stands for it.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use super::SentPage;
use crate::{
    accounts::{
        authentication::{self, Event, SignInOutcome},
        email_verification::ALREADY_CONFIRMED,
        magic_link::{self, Offer, ShortCode},
    },
    app::App,
    clock::Timestamp,
    db::Tx,
    error::{Error, Errors, Result, refusals},
    ids::UserId,
    kinds::AuthMethod,
    mail::EmailAddress,
    model::{
        audit,
        sign_in::{self, Attempt, Outcome},
        token::{self, MagicLink, MagicLinkRequest, Token},
        user::{self, User},
    },
    secret::Secret,
    web::{
        Client, Input, MagicLinkRequester, MaybeUser, Query, Reply, local_path,
        magic_link_cookie::MagicLinkState, pending::SIGN_IN_EXPIRED, views::UserView,
    },
};

refusals! {
    /// A link to sign in that is unknown, used, expired, or replaced by a newer one.
    DEAD_MAGIC_LINK = (
        "dead_magic_link", 422,
        "That link has expired, was used before, or a newer one replaced it. Ask for a new one."
    ).page("This link no longer works", "/login/magic-link", "Send me a new link");
}

/// What whoever opens a link should know before anything happens.
#[derive(Template, Serialize)]
#[template(path = "magic_link_open.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct OpenPage {
    email: String,
    asked_at: Timestamp,
    asked_from: String,
    asked_ip: String,
    /// Whether this is the browser that asked.
    same_browser: bool,
    /// For the browser that asked, where this is another one.
    code: Option<String>,
    /// Whether using it proves an address that is only a claim yet.
    confirms_address: bool,
    #[serde(skip)]
    token: String,
    #[serde(skip)]
    someone_else: Option<String>,
}

/// The link, or the short code that stands for it.
#[derive(Deserialize)]
pub(crate) struct EnterForm {
    #[serde(default)]
    token: Secret<MagicLink>,
    code: Option<ShortCode>,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    screen: String,
}

/// The link.
#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: Secret<MagicLink>,
}

/// Somebody whose link was used.
struct Entered {
    user: User,
    outcome: SignInOutcome,
    is_verified: bool,
    next: Option<String>,
}

/// `GET /login/magic-link/verify?token=`. Changes nothing, whoever asks.
pub(crate) async fn open(
    browser: MagicLinkRequester,
    client: Client,
    visitor: MaybeUser,
    link: Query<Link>,
    app: Data<App>,
) -> Result<Reply> {
    let secret = link.into_inner().token;
    let (user, token) = look_up(&app, &secret).await?;
    let is_here = client.holds_session_of(&user.id);
    if !token.is_live(app.now()) {
        // Opened again in the browser that it let in.
        let again = token.used_at.is_some() && is_here;
        return if again {
            Ok(Reply::on(local_path(token.claim.next.as_deref())))
        } else {
            Err(DEAD_MAGIC_LINK.error())
        };
    }
    let asked = token.claim;
    let same_browser = browser.asked_for(&asked);
    let code = match same_browser {
        true => None,
        false => Some(ShortCode::open(&app.config().keys, &asked.code)?.shown()),
    };
    Ok(Reply::page(OpenPage {
        email: user.email.spelled().to_owned(),
        asked_at: token.created_at,
        asked_from: asked.device,
        asked_ip: asked.ip,
        same_browser,
        code,
        confirms_address: !user.is_verified(),
        token: secret.reveal().to_owned(),
        someone_else: visitor.other_than(&user.id),
    }))
}

/// `POST /login/magic-link/verify`
pub(crate) async fn create(
    browser: MagicLinkRequester,
    client: Client,
    Input(form): Input<EnterForm>,
    app: Data<App>,
) -> Result<Reply> {
    let client = client.with_hints(&form.zone, &form.screen);
    match form.code {
        Some(code) => enter_by_code(&browser, client, code, &app).await,
        None => enter_by_link(&browser, client, form.token, &app).await,
    }
}

async fn enter_by_link(
    browser: &MagicLinkRequester,
    client: Client,
    secret: Secret<MagicLink>,
    app: &App,
) -> Result<Reply> {
    let (_, token) = look_up(app, &secret).await?;
    // What was chosen there is for that device, and not for another one.
    let remembered = browser.asked_for(&token.claim) && token.claim.remembered;
    let entered = app
        .write(move |tx| {
            tx.lock(&token.claim.address)?;
            let (id, link) = token::redeem(tx, &secret)?;
            establish_session(tx, &client, &id, link, remembered)
        })
        .await
        .map_err(dead_link)?;
    welcome(browser, entered)
}

async fn enter_by_code(
    browser: &MagicLinkRequester,
    client: Client,
    code: ShortCode,
    app: &App,
) -> Result<Reply> {
    let Some(held) = browser.state() else { return Err(SIGN_IN_EXPIRED.error()) };
    if code.is_empty() {
        return Ok(not_this_code(held, "Type the code that the link shows on the other device."));
    }
    let email = held.email().clone();
    let (address, secret) = (email.normalized(), held.secret(&email.normalized()));
    let outcome = app.write(move |tx| {
        tx.lock(&address)?;
        match magic_link::offer(tx, &secret, &code)? {
            Offer::Right(id, link) => {
                let remembered = link.remembered;
                establish_session(tx, &client, &id, link, remembered).map(Ok)
            }
            wrong => {
                note_failure(tx, &client, &email)?;
                Ok(Err(wrong))
            }
        }
    });
    let wrong = match outcome.await.map_err(ended)? {
        Ok(entered) => return welcome(browser, entered),
        Err(wrong) => wrong,
    };
    app.metrics().sign_in(AuthMethod::MagicLink, false);
    if matches!(wrong, Offer::Last) {
        return Err(SIGN_IN_EXPIRED.error());
    }
    let sentence = "That is not the code of your newest link. Open the link in the mail once more, and type what it shows.";
    Ok(not_this_code(held, sentence))
}

fn not_this_code(held: &MagicLinkState, sentence: &str) -> Reply {
    let errors = Errors::one("code", sentence);
    let page = SentPage { email: held.email().spelled().to_owned(), errors: errors.clone() };
    Reply::refused(page, Error::Invalid(errors))
}

fn establish_session(
    tx: &mut Tx,
    client: &Client,
    id: &UserId,
    link: MagicLinkRequest,
    remembered: bool,
) -> Result<Entered> {
    let actor = client.actor().known_as(id);
    let (user, is_verified) = magic_link::owner(tx, &actor, id, &link)?;
    let outcome =
        authentication::complete_first_factor(tx, client, &user, AuthMethod::MagicLink, remembered)?;
    Ok(Entered { user, outcome, is_verified, next: link.next })
}

fn welcome(browser: &MagicLinkRequester, entered: Entered) -> Result<Reply> {
    browser.forget();
    let next = local_path(entered.next.as_deref());
    let reply = match entered.is_verified {
        false => Reply::on(next),
        true => Reply::on_saying(
            next,
            "Your address is confirmed, and you are signed in. The password that this account was made with is \
             gone: it may have been someone else's. Set your own under Sign-in & security.",
        ),
    };
    Ok(reply.with("user", UserView::from(&entered.user))?.sign_in(entered.outcome))
}

fn note_failure(tx: &mut Tx, client: &Client, email: &EmailAddress) -> Result<()> {
    let owner = user::meant_by(tx.conn, email)?.map(|user| user.id);
    if let Some(owner) = &owner {
        let (method, outcome) = (AuthMethod::MagicLink, Outcome::WrongLinkCode);
        let (ip, device) = (client.ip.clone(), client.device());
        sign_in::note(
            tx,
            owner,
            Attempt {
                ip,
                device,
                method,
                outcome,
                is_new_device: false,
                had_cookie: false,
                second_factor: None,
            },
        )?;
    }
    audit::record(tx, &client.actor(), owner.as_ref(), Event::SignInFailed { method: AuthMethod::MagicLink })
}

/// Whose link it is and how it was asked for, live or not.
async fn look_up(app: &App, secret: &Secret<MagicLink>) -> Result<(User, Token<MagicLinkRequest>)> {
    let secret = secret.clone();
    app.read(move |conn| {
        let token = token::peek(conn, &secret)?;
        Ok((user::by_id(conn, &token.user_id)?, token))
    })
    .await
    .map_err(dead_link)
}

/// The link died, or its account ended, before this request or during it.
fn dead_link(error: Error) -> Error {
    match error {
        Error::DeadLink | Error::NotFound | Error::Refused(ALREADY_CONFIRMED, _) => DEAD_MAGIC_LINK.error(),
        other => other,
    }
}

/// The same for whoever types a code: they look at no link.
fn ended(error: Error) -> Error {
    match dead_link(error) {
        Error::Refused(DEAD_MAGIC_LINK, _) => SIGN_IN_EXPIRED.error(),
        other => other,
    }
}
