//! Signing up: any well-formed address, taken or not, gets the same answer and an account that claims it.

use actix_web::{http::StatusCode, web::Data};
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{authentication, email_verification, registration, sso_policy},
    app::App,
    db::Tx,
    error::{Error, Errors, Result},
    kinds::AuthMethod,
    log,
    mail::{EmailAddress, EmailKind},
    model::{
        network,
        password::{
            Password,
            policy::{Context, weaknesses},
        },
        rate_limit::{self, Limit},
        user::{self, Name, NewUser, PasswordCredential, User},
    },
    urls,
    web::{
        BrowserBinding, Client, IncludingScheduledDeletion, Input, Query, Reply, local_path, views::UserView,
    },
};

/// The form for a new account.
#[derive(Template, Serialize)]
#[template(path = "signup.html")]
pub(crate) struct SignupPage {
    name: String,
    email: String,
    next: Option<String>,
    #[serde(skip)]
    errors: Errors,
}

/// What a stranger says of themselves.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: Password,
    next: Option<String>,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    screen: String,
}

/// Where to go afterwards.
#[derive(Deserialize)]
pub(crate) struct ReturnQuery {
    next: Option<String>,
}

/// `GET /signup`
pub(crate) async fn form(
    me: Option<IncludingScheduledDeletion>,
    mark: BrowserBinding,
    query: Query<ReturnQuery>,
) -> Result<Reply> {
    let next = local_path(query.next.as_deref());
    if me.is_some() {
        return Ok(Reply::on(next));
    }
    mark.get_or_create()?;
    Ok(Reply::page(SignupPage { name: String::new(), email: String::new(), next, errors: Errors::default() }))
}

/// `POST /signup`
pub(crate) async fn create(client: Client, Input(form): Input<Form>, app: Data<App>) -> Result<Reply> {
    let page = form.again(Errors::default());
    Reply::or_again(sign_up(client, form, app).await, |errors| SignupPage { errors, ..page })
}

async fn sign_up(client: Client, form: Form, app: Data<App>) -> Result<Reply> {
    let next = local_path(form.next.as_deref());
    let (app_name, is_production) = (app.config().site.name.clone(), !app.config().is_development());
    let checked = log::spawn_blocking(move || (form.check(&app_name, is_production), form)).await;
    let (email, name, form) = match checked.map_err(Error::internal)? {
        (Ok((email, name)), form) => (email, name, form),
        (Err(errors), form) => return Ok(Reply::refused(form.again(errors.clone()), Error::Invalid(errors))),
    };
    let client = client.with_hints(&form.zone, &form.screen);
    let network = Limit::new(
        "sign-up",
        &network::client_network(&client.ip),
        app.config().limits.signups_per_network,
        TimeDelta::hours(1),
    );
    let neighbourhood = rate_limit::hashes_by_neighbourhood(app.config(), &client.ip);
    app.write(move |tx| {
        rate_limit::consume(tx, &network).and_then(|()| rate_limit::consume(tx, &neighbourhood))
    })
    .await?;
    // Before an account is looked for: everybody of the domain is told the same.
    let asked = email.clone();
    if app.read(move |conn| sso_policy::enforced(conn, &asked)).await?.is_some() {
        return Err(sso_policy::sso_required(urls::sso_login(email.spelled())));
    }
    let password_hash = app.hasher().hash(form.password.clone()).await?;
    let new = NewUser { email, name, password_hash, created_from: client.device().name() };
    let mut seen = None;
    let (user, outcome) = loop {
        let (client, new, before) = (client.clone(), new.clone(), seen.take());
        match app.write(move |tx| enter(tx, &client, new, before)).await? {
            Step::In(user, outcome) => break (*user, outcome),
            Step::LookAt(earlier) => {
                let verdict = app.hasher().verify(form.password.clone(), [earlier.usable_hash()]).await?;
                seen = Some((earlier, verdict.matched.is_some()));
            }
        }
    };
    let message = format!(
        "Welcome. We sent a link to {}: open it to confirm that the address is yours. If you already have an email from us \
         today, open it.",
        user.email.spelled()
    );
    Ok(Reply::on_saying(next, message)
        .status(StatusCode::CREATED)
        .with("user", UserView::from(&user))?
        .sign_in(outcome))
}

/// How far it came.
enum Step {
    /// All the way.
    In(Box<User>, authentication::SignInOutcome),
    /// This browser signed up before with this address: whether with the same password is to be looked at first.
    LookAt(Box<PasswordCredential>),
}

/// The form sent twice is one account and one email. With another password it is another account: whoever only holds the
/// session of the earlier one may not end it. `seen` is the earlier account that was looked at, and whether it has this
/// password.
fn enter(
    tx: &mut Tx,
    client: &Client,
    new: NewUser,
    seen: Option<(Box<PasswordCredential>, bool)>,
) -> Result<Step> {
    tx.lock(&new.email.normalized())?;
    let held = client.current_session.as_ref().map(|(user, _)| user);
    let user = match (user::begun_in(tx.conn, &new.email, client.binding.as_deref(), held)?, seen) {
        (None, _) => begin(tx, client, new)?,
        (Some(earlier), Some((seen, is_same))) if earlier.is(&seen) => match is_same {
            true => again(tx, client, &earlier)?,
            false => begin(tx, client, new)?,
        },
        (Some(earlier), _) => return Ok(Step::LookAt(Box::new(earlier))),
    };
    let outcome = authentication::complete_first_factor(tx, client, &user, AuthMethod::SignUp, false)?;
    Ok(Step::In(Box::new(user), outcome))
}

fn begin(tx: &mut Tx, client: &Client, new: NewUser) -> Result<User> {
    email_verification::make_room(tx, &client.actor(), &new.email)?;
    let user = registration::register(tx, &client.actor(), new)?;
    // The first letter of an account waits for none before it; it is counted, so that the next one has to wait.
    rate_limit::try_consume_mail(tx, EmailKind::VerifyEmail, &user.email)?;
    email_verification::send_link(tx, &client.actor(), &user)?;
    Ok(user)
}

/// Another email where the first had the time to arrive.
fn again(tx: &mut Tx, client: &Client, earlier: &PasswordCredential) -> Result<User> {
    let user = user::by_id(tx.conn, &earlier.id)?;
    let is_late = tx.now - user.created_at >= TimeDelta::minutes(1);
    if is_late && rate_limit::try_consume_mail(tx, EmailKind::VerifyEmail, &user.email)? {
        email_verification::send_link(tx, &client.actor(), &user)?;
    }
    Ok(user)
}

impl Form {
    /// Looks at everything at once. Not for a thread that answers requests: judging a password takes milliseconds.
    fn check(&self, app_name: &str, is_production: bool) -> Result<(EmailAddress, Name), Errors> {
        let mut errors = Errors::default();
        let name = Name::parse(&self.name).map_err(|problem| errors.add("name", problem)).ok();
        let email = EmailAddress::parse_new(&self.email, is_production)
            .map_err(|problem| errors.add("email", problem.to_string()))
            .ok();
        let address = email.as_ref().map_or("", EmailAddress::spelled);
        let context = Context { address, name: &self.name, app: app_name };
        for weakness in weaknesses(self.password.reveal(), &context) {
            errors.add("password", weakness);
        }
        match (email, name) {
            (Some(email), Some(name)) if errors.is_empty() => Ok((email, name)),
            _ => Err(errors),
        }
    }

    fn again(&self, errors: Errors) -> SignupPage {
        SignupPage { name: self.name.clone(), email: self.email.clone(), next: self.next.clone(), errors }
    }
}
