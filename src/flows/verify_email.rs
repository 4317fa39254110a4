//! Proving an address.
//!
//! The link leads to a page with a button, and changes nothing by itself. Elsewhere than in the browser that made the
//! account the page asks for its password: neither a mail scanner nor a tired recipient can confirm what a stranger
//! started.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{
        authentication,
        containment::{self, Occasion},
        email_verification::{self, ALREADY_CONFIRMED},
        link_password, linking, provider_identities,
    },
    app::App,
    clock::Timestamp,
    db::Tx,
    error::{Error, Errors, Result, refusals},
    ids::UserId,
    kinds::AuthMethod,
    mail::EmailKind,
    model::{
        password::Password,
        provider_identity, rate_limit,
        token::{self, VerifyEmail},
        user::{self, PasswordCredential, User},
    },
    secret::Secret,
    web::{Client, CurrentUser, Input, MaybeUser, Query, Reply, ReturnTo, input::tick, local_path},
};

refusals! {
    /// A link was fetched by a program where only a POST may confirm.
    CONFIRM_BY_POST = (
        "confirm_by_post", 405, "Nothing was confirmed. Send the token with POST /verify-email as {\"token\": \"…\"}."
    ).titled("This page can't be opened this way").header("allow", "POST");
}

/// What the recipient of a link should know before anything happens.
#[derive(Template, Serialize)]
#[template(path = "verify_email.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfirmPage {
    email: String,
    name: String,
    made_at: Timestamp,
    made_from: String,
    #[serde(skip)]
    token: String,
    // By which identity providers the account can be signed in to, that do not speak for its address.
    identities: Vec<String>,
    #[serde(skip)]
    someone_else: Option<String>,
    #[serde(skip)]
    holds_session: bool,
    #[serde(skip)]
    errors: Errors,
}

/// The link's token, the account's password where it is asked for, and whether identities that were there before stay.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Form {
    #[serde(default)]
    token: Secret<VerifyEmail>,
    #[serde(default)]
    password: Password,
    #[serde(default, deserialize_with = "tick")]
    keep_identities: bool,
}

/// Why it does not go on yet.
#[derive(Template, Serialize)]
#[template(path = "unverified.html")]
pub(crate) struct UnverifiedPage {
    email: String,
    #[serde(skip)]
    next: Option<String>,
}

/// Nothing is left to do.
#[derive(Template, Serialize)]
#[template(path = "notice.html")]
struct ConfirmedPage {
    #[serde(skip)]
    title: &'static str,
    message: String,
    #[serde(skip)]
    href: Option<&'static str>,
    #[serde(skip)]
    label: Option<&'static str>,
}

/// Where to go afterwards.
#[derive(Deserialize)]
pub(crate) struct ReturnQuery {
    next: Option<String>,
}

/// The link.
#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: Secret<VerifyEmail>,
}

/// `GET /verify-email?token=`
pub(crate) async fn open(
    client: Client,
    visitor: MaybeUser,
    return_to: ReturnTo,
    link: Query<Link>,
    app: Data<App>,
) -> Result<Reply> {
    let secret = link.into_inner().token;
    if !client.is_browser {
        return match app.config().verify_on_get && client.is_navigation {
            true => confirm(&app, &client, &return_to, secret, false).await,
            false => Err(CONFIRM_BY_POST.error()),
        };
    }
    match look_up(&app, &secret).await {
        Ok(waiting) => Ok(Reply::page(page(waiting, &secret, &client, &visitor, Errors::default()))),
        Err(error) => pressed_twice(error, &visitor),
    }
}

/// A link that did its work before, where somebody with a confirmed address is signed in: that is what they wanted.
fn pressed_twice(error: Error, visitor: &MaybeUser) -> Result<Reply> {
    match (error, visitor.signed_in()) {
        (Error::Refused(ALREADY_CONFIRMED, _), Some(me)) if me.user.is_verified() => {
            let message = format!("{} is confirmed.", me.user.email.spelled());
            Ok(Reply::page(ConfirmedPage {
                title: "Your email address is confirmed",
                message,
                href: Some("/me"),
                label: Some("Continue"),
            }))
        }
        (error, _) => Err(error),
    }
}

/// `POST /verify-email`
pub(crate) async fn create(
    client: Client,
    visitor: MaybeUser,
    return_to: ReturnTo,
    Input(form): Input<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let waiting = match look_up(&app, &form.token).await {
        Ok(waiting) => waiting,
        Err(error) if client.is_browser => return pressed_twice(error, &visitor),
        Err(error) => return Err(error),
    };
    let user = &waiting.0;
    if !client.is_browser || client.holds_session_of(&user.id) {
        return confirm(&app, &client, &return_to, form.token, form.keep_identities).await;
    }
    let Some(checked) = link_password::check(&app, &user.id, &form.password).await? else {
        let sentence = match form.password.is_empty() {
            true => "Enter the password of this account.",
            false => "That is not the password of this account.",
        };
        let errors = Errors::one("password", sentence);
        let page = page(waiting, &form.token, &client, &visitor, errors.clone());
        return Ok(Reply::refused(page, Error::Invalid(errors)));
    };
    confirm_and_sign_in(&app, client, form, checked).await
}

/// `POST /verify-email/disown`: "I did not make this account".
pub(crate) async fn disown(client: Client, Input(form): Input<Form>, app: Data<App>) -> Result<Reply> {
    app.write(move |tx| {
        let waiting = token::peek(tx.conn, &form.token)?;
        tx.lock(&waiting.claim)?;
        let (id, _) = token::redeem(tx, &form.token)?;
        email_verification::remove_unverified(tx, &client.actor(), &id, true)
    })
    .await?;
    Ok(Reply::done(
        "/login",
        "That account is removed, and nobody is signed in to it. You need not do anything else.",
    ))
}

/// `POST /verify-email/resend`
pub(crate) async fn resend(me: CurrentUser, app: Data<App>) -> Result<Reply> {
    if me.user.is_verified() {
        return Err(ALREADY_CONFIRMED.error());
    }
    let (user, actor) = (me.user.clone(), me.actor());
    app.write(move |tx| {
        tx.lock(&user.email.normalized())?;
        rate_limit::consume_mail(tx, EmailKind::VerifyEmail, &user.email)?;
        email_verification::send_link(tx, &actor, &user)
    })
    .await?;
    let message = format!(
        "A link to {} is on its way. If you already have an email from us today, open it: of several links the newest works.",
        me.user.email.spelled()
    );
    Ok(Reply::on_saying(None, message))
}

/// `GET /verify-email/needed?next=`: where somebody is led who may not go on with a mere claim.
pub(crate) async fn needed(me: CurrentUser, return_to: ReturnTo, query: Query<ReturnQuery>) -> Result<Reply> {
    let next = local_path(query.next.as_deref());
    if me.user.is_verified() {
        return Ok(Reply::on(next));
    }
    return_to.remember(next.as_deref());
    Ok(Reply::page(UnverifiedPage { email: me.user.email.spelled().to_owned(), next }))
}

/// The account behind a link that still works, and the identities that its person is asked about;
/// [`ALREADY_CONFIRMED`] where it did its work before.
async fn look_up(app: &App, secret: &Secret<VerifyEmail>) -> Result<(User, Vec<String>)> {
    let (now, secret) = (app.now(), secret.clone());
    app.read(move |conn| {
        let token = token::peek(conn, &secret)?;
        let user = user::by_id(conn, &token.user_id)?;
        match (token.is_live(now), user.is_verified()) {
            (_, true) => Err(ALREADY_CONFIRMED.error()),
            (false, false) => Err(Error::DeadLink),
            (true, false) => {
                let at_connections = linking::unproved(conn, &user)?.into_iter().map(|(_, name)| name);
                let at_providers = provider_identity::list(conn, &user.id)?;
                Ok((user, at_connections.collect::<Vec<_>>(), at_providers))
            }
        }
    })
    .await
    .map(|(user, mut identities, at_providers)| {
        identities.extend(at_providers.iter().map(|one| one.provider_name(app.config()).to_owned()));
        (user, identities)
    })
    .map_err(|error| match error {
        // The claim ended between the two queries, and its link with it.
        Error::NotFound => Error::DeadLink,
        other => other,
    })
}

async fn confirm(
    app: &App,
    client: &Client,
    return_to: &ReturnTo,
    secret: Secret<VerifyEmail>,
    keeps_identities: bool,
) -> Result<Reply> {
    look_up(app, &secret).await?;
    let client = client.clone();
    app.write(move |tx| {
        let id = redeem(tx, &client, &secret, keeps_identities)?;
        match &client.current_session {
            // Whoever else is signed in knew the password before anybody proved the address.
            Some((held, here)) if *held == id => {
                let actor = client.actor();
                containment::end_access(tx, &actor, &id, Occasion::Confirmed(Some(here))).map(drop)
            }
            _ => Ok(()),
        }
    })
    .await?;
    Reply::on_saying(return_to.take(), "Your address is confirmed.").with("emailVerified", true)
}

async fn confirm_and_sign_in(
    app: &App,
    client: Client,
    form: Form,
    checked: PasswordCredential,
) -> Result<Reply> {
    let outcome = app
        .write(move |tx| {
            let id = redeem(tx, &client, &form.token, form.keep_identities)?;
            link_password::ensure_still_fits(tx, &checked)?;
            let user = user::by_id(tx.conn, &id)?;
            containment::end_access(tx, &client.actor().known_as(&id), &id, Occasion::Confirmed(None))?;
            authentication::complete_first_factor(tx, &client, &user, AuthMethod::Password, false)
        })
        .await?;
    let done = Reply::on_saying(None, "Your address is confirmed, and you are signed in.");
    Ok(done.with("emailVerified", true)?.sign_in(outcome))
}

/// Uses the link and proves the address. The address is locked first, in the same order by everyone: two links to
/// one address, used at once, then take turns.
fn redeem(
    tx: &mut Tx,
    client: &Client,
    secret: &Secret<VerifyEmail>,
    keeps_identities: bool,
) -> Result<UserId> {
    let waiting = token::peek(tx.conn, secret)?;
    tx.lock(&waiting.claim)?;
    let used = token::redeem(tx, secret);
    let (id, normalized) = match used {
        // Whoever came first confirmed it; the link is not dead, it is done.
        Err(Error::DeadLink)
            if user::by_id(tx.conn, &waiting.user_id).is_ok_and(|user| user.is_verified()) =>
        {
            return Err(ALREADY_CONFIRMED.error());
        }
        used => used?,
    };
    let actor = client.actor().known_as(&id);
    email_verification::confirm(tx, &actor, &id, &normalized)?;
    if !keeps_identities {
        let user = user::by_id(tx.conn, &id)?;
        linking::forget_unproved(tx, &actor, &user)?;
        provider_identities::forget_all(tx, &actor, &user.id)?;
    }
    Ok(id)
}

fn page(
    (user, identities): (User, Vec<String>),
    secret: &Secret<VerifyEmail>,
    client: &Client,
    visitor: &MaybeUser,
    errors: Errors,
) -> ConfirmPage {
    ConfirmPage {
        email: user.email.spelled().to_owned(),
        name: user.name,
        made_at: user.created_at,
        made_from: user.created_from,
        token: secret.reveal().to_owned(),
        identities,
        someone_else: visitor.other_than(&user.id),
        holds_session: client.holds_session_of(&user.id),
        errors,
    }
}
