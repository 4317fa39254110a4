//! "Is this your address? Use it": whoever reads an email to an address that nobody confirmed starts with that address,
//! whatever strangers did to it before.

use actix_web::{http::StatusCode, web::Data};
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{authentication, email_verification, sign_up, sso_policy},
    app::App,
    error::{Error, Errors, Result},
    kinds::AuthMethod,
    log,
    mail::EmailAddress,
    model::{password::Password, rate_limit, token::UseAddress, user::NewUser},
    secret::Secret,
    urls,
    web::{Client, Input, MaybeUser, Query, Reply, views::UserView},
};

/// The form behind the link.
#[derive(Template, Serialize)]
#[template(path = "use_address.html")]
pub(crate) struct UseAddressPage {
    email: String,
    name: String,
    #[serde(skip)]
    token: String,
    #[serde(skip)]
    someone_else: Option<String>,
    // Whether that account has this address, and only waits to be confirmed.
    #[serde(skip)]
    has_own: bool,
    #[serde(skip)]
    errors: Errors,
}

/// The link: its token, and the address that it was sent to.
#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: Secret<UseAddress>,
    #[serde(default)]
    email: String,
}

/// The link, and what its reader says of themselves.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    token: Secret<UseAddress>,
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: Password,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    screen: String,
}

/// `GET /use-address?token=&email=`. Changes nothing, whoever asks.
pub(crate) async fn open(visitor: MaybeUser, link: Query<Link>, app: Data<App>) -> Result<Reply> {
    let Link { token, email } = link.into_inner();
    let email = look_up(&app, &token, &email).await?;
    Ok(Reply::page(page(&email, &token, &visitor, String::new(), Errors::default())))
}

/// `POST /use-address`. The account is new and confirmed, and every other that waits for the address ends.
pub(crate) async fn create(
    client: Client,
    visitor: MaybeUser,
    Input(form): Input<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let email = look_up(&app, &form.token, &form.email).await?;
    let asked = email.clone();
    if app.read(move |conn| sso_policy::enforced(conn, &asked)).await?.is_some() {
        return Err(sso_policy::sso_required(urls::sso_login(email.spelled())));
    }
    let (app_name, address) = (app.config().site.name.clone(), email.clone());
    let checked =
        log::spawn_blocking(move || (sign_up::check(&form.name, &form.password, &address, &app_name), form))
            .await;
    let (name, form) = match checked.map_err(Error::internal)? {
        (Ok(name), form) => (name, form),
        (Err(errors), form) => {
            let page = page(&email, &form.token, &visitor, form.name, errors.clone());
            return Ok(Reply::refused(page, Error::Invalid(errors)));
        }
    };
    let counted = email.normalized();
    app.write(move |tx| rate_limit::count_hash(tx, &counted)).await?;
    let password_hash = app.hasher().hash(form.password).await?;
    let client = client.with_hints(&form.zone, &form.screen);
    let (user, outcome) = app
        .write(move |tx| {
            let new = NewUser { email, name, password_hash, created_from: client.device().name() };
            let user = email_verification::start(tx, &client.actor(), &form.token, new)?;
            let outcome =
                authentication::complete_first_factor(tx, &client, &user, AuthMethod::SignUp, false)?;
            Ok((user, outcome))
        })
        .await?;
    let done = Reply::on_saying(None, "Your account is ready, and your address is confirmed.");
    Ok(done.status(StatusCode::CREATED).with("user", UserView::from(&user))?.sign_in(outcome))
}

/// The address of a link that still works.
async fn look_up(app: &App, token: &Secret<UseAddress>, email: &str) -> Result<EmailAddress> {
    let email = EmailAddress::parse(email).map_err(|_| Error::DeadLink)?;
    let (now, token, address) = (app.now(), token.clone(), email.clone());
    app.read(move |conn| email_verification::can_start(conn, &token, &address, now)).await?;
    Ok(email)
}

fn page(
    email: &EmailAddress,
    token: &Secret<UseAddress>,
    visitor: &MaybeUser,
    name: String,
    errors: Errors,
) -> UseAddressPage {
    UseAddressPage {
        email: email.spelled().to_owned(),
        name,
        token: token.reveal().to_owned(),
        someone_else: visitor.signed_in().map(|me| me.user.email.spelled().to_owned()),
        has_own: visitor.signed_in().is_some_and(|me| me.user.email.normalized() == email.normalized()),
        errors,
    }
}
