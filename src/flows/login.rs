//! Signing in with a password.

mod entrance;

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{applications, authentication, passwords, sso_policy},
    app::App,
    db::Tx,
    error::{Error, Errors, Result, refusals},
    kinds::AuthMethod,
    mail::{EmailAddress, address::is_invisible},
    model::{
        connection, domain,
        password::{KnownDevice, Password, PasswordHash},
        user::{self, PasswordCredential, PasswordCredentials},
    },
    urls,
    web::{
        BrowserBinding, Client, IncludingScheduledDeletion, Input, Query, Reply, input::tick, local_path,
        views::UserView,
    },
};

refusals! {
    /// The address and password do not belong together.
    WRONG_CREDENTIALS = ("wrong_credentials", 401, "Wrong email or password.");
}

/// The form.
#[derive(Template, Serialize)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    email: String,
    remember: bool,
    next: Option<String>,
    /// The application that somebody is on the way to.
    #[serde(skip)]
    application: Option<String>,
    /// Whether the address alone is asked for, because it may lead to an organisation.
    #[serde(skip)]
    asks_address: bool,
    /// Whether providers are offered: not to whoever chose to type a password.
    #[serde(skip)]
    offers_providers: bool,
    #[serde(skip)]
    errors: Errors,
}

/// The address leads to an organisation.
#[derive(Template, Serialize)]
#[template(path = "login_leave.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeavePage {
    email: String,
    sign_in: String,
    #[serde(skip)]
    next: Option<String>,
}

/// What somebody offers.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: Password,
    #[serde(default, deserialize_with = "tick")]
    remember: bool,
    next: Option<String>,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    screen: String,
    #[serde(skip)]
    application: Option<String>,
}

/// Who wants to sign in, how, and where to go afterwards.
#[derive(Deserialize)]
pub(crate) struct LoginQuery {
    email: Option<String>,
    with: Option<String>,
    next: Option<String>,
    #[serde(default, deserialize_with = "tick")]
    remember: bool,
}

/// `GET /login?email=&next=&remember=`. Where there is any organisation to sign in through, the address is asked for first, and
/// leads there where its domain does: whether there is such a person is not looked at.
pub(crate) async fn form(
    me: Option<IncludingScheduledDeletion>,
    mark: BrowserBinding,
    query: Query<LoginQuery>,
    app: Data<App>,
) -> Result<Reply> {
    let LoginQuery { email, with, next, remember } = query.into_inner();
    let next = local_path(next.as_deref());
    if me.is_some() {
        return Ok(Reply::on(next));
    }
    mark.get_or_create()?;
    let typed = email.unwrap_or_default();
    let page = LoginPage {
        email: typed.clone(),
        remember,
        application: application_of(&app, next.as_deref()).await?,
        next: next.clone(),
        asks_address: false,
        offers_providers: with.as_deref() != Some("password"),
        errors: Errors::default(),
    };
    if with.as_deref() == Some("password") {
        return Ok(Reply::page(page));
    }
    if typed.is_empty() {
        let asks_address = has_organisations(&app).await?;
        return Ok(Reply::page(LoginPage { asks_address, ..page }));
    }
    let email = match EmailAddress::parse(&typed) {
        Ok(email) => email,
        Err(problem) => {
            let errors = Errors::one("email", problem.to_string());
            let asks_address = has_organisations(&app).await?;
            let page = LoginPage { asks_address, errors: errors.clone(), ..page };
            return Ok(Reply::refused(page, Error::Invalid(errors)));
        }
    };
    let asked = email.clone();
    match app.read(move |conn| domain::connection_for_email(conn, &asked)).await? {
        Some(_) => {
            let more = next.as_deref().map(|next| ("next", next));
            let more = more.into_iter().chain(remember.then_some(("remember", "true")));
            let sign_in =
                urls::with_query(urls::SSO_LOGIN, [("email", email.spelled())].into_iter().chain(more));
            Ok(Reply::page(LeavePage { email: typed, sign_in, next: page.next }))
        }
        None => Ok(Reply::page(page)),
    }
}

/// Whether there is any organisation to sign in through. Where the database does not tell, the whole form is shown.
async fn has_organisations(app: &App) -> Result<bool> {
    match app.read(connection::is_any).await {
        Err(Error::Unavailable(_) | Error::Busy) => Ok(false),
        told => told,
    }
}

/// The name of the application that `next` leads to. Where the database does not tell, nothing is said of one.
async fn application_of(app: &App, next: Option<&str>) -> Result<Option<String>> {
    let Some(next) = next.map(str::to_owned) else { return Ok(None) };
    let scheme = app.config().site.base_url.scheme().to_owned();
    match app.read(move |conn| applications::destination(conn, &next, &scheme)).await {
        Err(Error::Unavailable(_) | Error::Busy) => Ok(None),
        found => found,
    }
}

/// `POST /login`
pub(crate) async fn create(client: Client, Input(mut form): Input<Form>, app: Data<App>) -> Result<Reply> {
    if client.is_browser {
        form.application = application_of(&app, form.next.as_deref()).await?;
    }
    let page = form.again(Errors::default());
    Reply::or_again(sign_in(client, form, app).await, |errors| LoginPage { errors, ..page })
}

async fn sign_in(client: Client, form: Form, app: Data<App>) -> Result<Reply> {
    let errors = form.missing();
    if !errors.is_empty() {
        return Ok(Reply::refused(form.again(errors.clone()), Error::Invalid(errors)));
    }
    let client = client.with_hints(&form.zone, &form.screen);
    // An address that cannot exist costs as much and is told the same as one that does not.
    // What nobody sees around a pasted one was not meant.
    let email = EmailAddress::parse(form.email.trim_matches(is_invisible)).ok();
    let who = email.as_ref().map_or_else(|| form.email.clone(), EmailAddress::normalized);
    let closed = email.as_ref().map(|email| urls::sso_login(email.spelled()));
    let (candidates, is_closed) = match email {
        Some(email) => look_up(&app, &client, email).await?,
        None => (PasswordCredentials::default(), false),
    };
    let entrance = entrance::count_attempt(&app, &client, &who, &candidates).await?;
    let hashes = entrance.hashes(&candidates);
    let device = client.ip.clone();
    let known = entrance.known.clone().map(|account| KnownDevice { account, device });
    let verdict = app.hasher().verify_known(known, form.password.clone(), hashes).await?;
    let matched = verdict.matched.and_then(|index| candidates.get(index).cloned().flatten());
    let Some(matched) = matched else {
        entrance::note_failure(&app, &client, candidates).await?;
        // Right or wrong, there or not: people of such a domain are all told the same.
        if let Some(way) = closed.filter(|_| is_closed) {
            return Err(sso_policy::sso_required(way));
        }
        let errors = Errors::one("password", WRONG_CREDENTIALS.error().to_string());
        return Ok(Reply::refused(form.again(errors), WRONG_CREDENTIALS.error()));
    };
    let stronger = match verdict.is_outdated {
        true => app.hasher().hash(form.password.clone()).await.ok(),
        false => None,
    };
    let remember = form.remember;
    let is_owner = verdict.matched == Some(0);
    let (user, outcome) = app
        .write(move |tx| {
            tx.lock(&who)?;
            entrance.succeeded(tx, is_owner)?;
            establish_session(tx, &client, &matched, stronger, remember)
        })
        .await?;
    let next = local_path(form.next.as_deref());
    Ok(Reply::on(next).with("user", UserView::from(&user))?.sign_in(outcome))
}

/// Who may hold the password, and whether people with this address sign in through their organisation only. Then it
/// opens nothing but the account of the owner who may come in otherwise, or one that is about to be connected.
async fn look_up(app: &App, client: &Client, email: EmailAddress) -> Result<(PasswordCredentials, bool)> {
    let (client, now) = (client.clone(), app.now());
    app.read(move |conn| {
        let mut candidates = user::password_credentials(conn, &email)?;
        let Some(domain) = sso_policy::enforced(conn, &email)? else { return Ok((candidates, false)) };
        let mut is_closed = true;
        for candidate in candidates.iter_mut().flatten() {
            let is_linking = authentication::is_about_to_link(conn, &client, &candidate.id, now);
            is_closed &= !is_linking;
            if !is_linking && !sso_policy::is_break_glass(conn, &domain, &candidate.id)? {
                candidate.password_hash = None;
            }
        }
        Ok((candidates, is_closed))
    })
    .await
}

fn establish_session(
    tx: &mut Tx,
    client: &Client,
    matched: &PasswordCredential,
    stronger: Option<PasswordHash>,
    remember: bool,
) -> Result<(user::User, authentication::SignInOutcome)> {
    // Read again inside the transaction: the password may have changed, or the account ended, while it was hashed.
    let now = user::password_credential(tx.conn, &matched.id).map_err(|error| match error {
        Error::NotFound => WRONG_CREDENTIALS.error(),
        error => error,
    })?;
    if !now.is(matched) {
        return Err(WRONG_CREDENTIALS.error());
    }
    if let (Some(old), Some(new)) = (&matched.password_hash, stronger) {
        passwords::rehash(tx, &client.actor().known_as(&matched.id), &matched.id, old, &new)?;
    }
    let user = user::by_id(tx.conn, &matched.id)?;
    let outcome = authentication::complete_first_factor(tx, client, &user, AuthMethod::Password, remember)?;
    Ok((user, outcome))
}

impl Form {
    fn missing(&self) -> Errors {
        let mut errors = Errors::default();
        if self.email.trim().is_empty() {
            errors.add("email", "Enter your email address.");
        }
        if self.password.is_empty() {
            errors.add("password", "Enter your password.");
        }
        errors
    }

    fn again(&self, errors: Errors) -> LoginPage {
        LoginPage {
            email: self.email.clone(),
            remember: self.remember,
            next: self.next.clone(),
            application: self.application.clone(),
            asks_address: false,
            offers_providers: true,
            errors,
        }
    }
}
