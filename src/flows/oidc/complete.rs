//! What a provider verified comes to something: a session, a connection, or one question more.

use actix_session::SessionExt;
use actix_web::{HttpRequest, web::Data};
use askama::Template;
use serde::{Deserialize, Serialize};

use super::{
    browser::Browser,
    exchange::Verified,
    refused::{self, Refused, back},
};
use crate::{
    accounts::{
        authentication::{self, SignInOutcome},
        deletion::DELETION_SCHEDULED,
        oidc_request,
        provider_identities::IDENTITY_TAKEN,
        provider_linking::{self, Connected},
        provider_sign_in::{self, PROVIDER_UNKNOWN, Resolution},
        sso_policy::SSO_REQUIRED,
    },
    app::App,
    config::Provider,
    error::{Error, Errors, Result},
    mail::EmailAddress,
    model::{
        token::{self, CompleteSignUp, LinkIdentity, OidcIntent, OidcRequestState},
        user::{ACCOUNT_LOCKED, User},
    },
    secret::Secret,
    urls,
    web::{Client, Input, Reply, pending, views::UserView},
};

const COMPLETE: &str = "/auth/oidc/complete";

/// Does what the request was sent for.
pub(super) async fn settle(
    app: &App,
    req: &HttpRequest,
    browser: &Browser,
    provider: &Provider,
    asked: &OidcRequestState,
    verified: Verified,
) -> Result<Reply> {
    let refused = Refused { app, browser, provider, connection: None, asked };
    match &asked.purpose {
        OidcIntent::SignIn => match sign_in(app, req, browser, provider, asked, verified).await {
            Err(error @ Error::Refused(PROVIDER_UNKNOWN | SSO_REQUIRED | ACCOUNT_LOCKED, _)) => {
                refused.with(error.code(), error, "refused").await
            }
            outcome => outcome,
        },
        OidcIntent::Link { user, session } => {
            let here = browser.visitor.signed_in();
            let here = here.filter(|me| me.user.id == *user && me.session.id == *session);
            let Some(me) = here else {
                let error = refused::provider_refused(provider.name.clone());
                return refused.with("another_session", error, "refused").await;
            };
            if me.user.is_leaving() {
                return Err(DELETION_SCHEDULED.error());
            }
            let (actor, user, provider) = (me.actor(), user.clone(), provider.clone());
            let (name, device) = (provider.name.clone(), browser.client.device().name());
            let connected = app
                .write(move |tx| {
                    provider_linking::connect(tx, &actor, &user, &provider, &verified.profile, &device)
                })
                .await;
            let sentence = match connected {
                Ok(Connected::Now) => format!("{name} is connected. You can sign in with it from now on."),
                Ok(Connected::Already) => format!("{name} was connected before."),
                Err(error @ Error::Refused(IDENTITY_TAKEN, _)) => {
                    return back("/me/providers", &error.to_string(), &error);
                }
                Err(error) => return Err(error),
            };
            Ok(Reply::done("/me/providers", sentence))
        }
        OidcIntent::StepUp { user, session } => {
            let here = browser.visitor.signed_in().map(|me| me.session.clone());
            let here = here.filter(|here| here.id == *session);
            let next = oidc_request::next(&app.config().keys, asked)?;
            let (client, profile, user) = (browser.client.clone(), verified.profile, user.clone());
            let issued = app
                .write(move |tx| provider_sign_in::step_up(tx, &client, here.as_ref(), &user, &profile))
                .await?;
            match issued {
                Some(issued) => {
                    Ok(Reply::go(next.unwrap_or_else(|| "/me/security".to_owned())).signed_in(issued))
                }
                None => {
                    let error = refused::provider_refused(provider.name.clone());
                    refused.with("another_person", error, "refused").await
                }
            }
        }
        // A test is not asked of a provider of the settings.
        OidcIntent::Test { .. } | OidcIntent::TestByLink => {
            let error = refused::provider_refused(provider.name.clone());
            refused.with("another_purpose", error, "refused").await
        }
    }
}

/// How far a sign-in came.
enum Step {
    In(Box<User>, SignInOutcome),
    Link(Secret<LinkIdentity>),
    AddressNeeded(Secret<CompleteSignUp>),
}

async fn sign_in(
    app: &App,
    req: &HttpRequest,
    browser: &Browser,
    provider: &Provider,
    asked: &OidcRequestState,
    verified: Verified,
) -> Result<Reply> {
    let next = oidc_request::next(&app.config().keys, asked)?;
    let (client, remembered) = (browser.client.clone(), asked.remembered);
    let (of, goes_to) = (provider.clone(), next.clone());
    let step = app
        .write(move |tx| {
            let Verified { profile, sid, .. } = verified;
            Ok(match provider_sign_in::resolve(tx, &client, &of, &profile)? {
                Resolution::Known(user, identity) => {
                    let there = (&identity, sid.as_deref());
                    let outcome =
                        authentication::complete_provider(tx, &client, &user, there.0, there.1, remembered)?;
                    Step::In(Box::new(user), outcome)
                }
                Resolution::Unlinked(owner, secret) => {
                    tracing::debug!(user.id = %owner.id, "an identity waits for a sign-in the old way");
                    Step::Link(secret)
                }
                Resolution::AddressNeeded => Step::AddressNeeded(provider_sign_in::ask_for_address(
                    tx,
                    &of,
                    &profile,
                    goes_to.as_deref(),
                    remembered,
                )?),
            })
        })
        .await?;
    match step {
        Step::In(user, outcome) => let_in(app, &provider.key, &user, outcome, next),
        Step::Link(secret) => {
            pending::set_linking(&req.get_session(), Some(&secret));
            Reply::go(urls::LINK).with("location", urls::LINK)
        }
        Step::AddressNeeded(secret) => {
            pending::set_signing_up(&req.get_session(), Some(&secret));
            Reply::go(COMPLETE).with("location", COMPLETE)
        }
    }
}

fn let_in(
    app: &App,
    provider: &str,
    user: &User,
    outcome: SignInOutcome,
    next: Option<String>,
) -> Result<Reply> {
    app.metrics().provider_sign_in(provider, "success");
    Ok(Reply::on(next).with("user", UserView::from(user))?.sign_in(outcome))
}

/// The provider told no address.
#[derive(Template, Serialize)]
#[template(path = "oidc_complete.html")]
pub(crate) struct CompletePage {
    provider: String,
    email: String,
    #[serde(skip)]
    errors: Errors,
}

/// What somebody typed.
#[derive(Deserialize)]
pub(crate) struct CompleteForm {
    #[serde(default)]
    email: String,
}

/// `GET /auth/oidc/complete`: where can mail reach whoever signs up?
pub(crate) async fn form(_: Client, req: HttpRequest, app: Data<App>) -> Result<Reply> {
    let (_, provider) = waiting(&app, &req).await?;
    Ok(Reply::page(CompletePage { provider: provider.name, email: String::new(), errors: Errors::default() }))
}

/// `POST /auth/oidc/complete`: an account with the address that was typed, which is not verified.
pub(crate) async fn create(
    client: Client,
    req: HttpRequest,
    Input(form): Input<CompleteForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (secret, provider) = waiting(&app, &req).await?;
    let page = |errors| CompletePage { provider: provider.name.clone(), email: form.email.clone(), errors };
    let email = match EmailAddress::parse_new(&form.email, !app.config().is_development()) {
        Ok(email) => email,
        Err(problem) => {
            let errors = Errors::one("email", problem.to_string());
            return Ok(Reply::refused(page(errors.clone()), Error::Invalid(errors)));
        }
    };
    let done = app
        .write(move |tx| {
            let done = provider_sign_in::complete_sign_up(tx, &client, &secret, email)?;
            let (user, identity) = done.account;
            let outcome =
                authentication::complete_provider(tx, &client, &user, &identity, None, done.remembered)?;
            Ok((user, outcome, done.next))
        })
        .await;
    let outcome = done.and_then(|(user, outcome, next)| let_in(&app, &provider.key, &user, outcome, next));
    if outcome.is_ok() {
        pending::set_signing_up(&req.get_session(), None);
    }
    Reply::or_again(outcome, page)
}

/// The sign-up that waits in this browser, and its provider.
async fn waiting(app: &App, req: &HttpRequest) -> Result<(Secret<CompleteSignUp>, Provider)> {
    let secret = pending::signing_up(&req.get_session()).ok_or(Error::DeadLink)?;
    let (asked, now) = (secret.clone(), app.now());
    let state = app.read(move |conn| token::peek_unowned(conn, &asked, now)).await?;
    let provider = app.config().provider(&state.provider).cloned().ok_or(Error::DeadLink)?;
    Ok((secret, provider))
}
