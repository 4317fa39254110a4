//! Another password, by its person, who gives the current one with it unless the step-up was made with that. Every other
//! device is signed out; this one goes on with a new secret.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{
        authentication, containment,
        passwords::Event,
        security_changes,
        step_up::{self, Missed, STEP_UPS_EXHAUSTED},
    },
    app::App,
    error::{Error, Errors, Result},
    kinds::StepUpMethod,
    log,
    model::{
        audit,
        password::{
            KnownDevice, Password,
            policy::{Context, judge},
        },
        rate_limit,
        security_change::Kind,
        user::{self, PasswordCredential},
    },
    web::{Client, Input, Reply, SteppedUpUser},
};

/// The form.
#[derive(Template, Serialize)]
#[template(path = "password.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasswordPage {
    #[serde(skip)]
    email: String,
    has_password: bool,
    needs_current_password: bool,
    #[serde(skip)]
    errors: Errors,
}

/// The current password where it is asked for, and the new one; a page asks for that twice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Form {
    #[serde(default)]
    current_password: Password,
    #[serde(default)]
    new_password: Password,
    repeat: Option<Password>,
}

/// `GET /me/password`
pub(crate) async fn form(me: SteppedUpUser) -> Result<Reply> {
    Ok(Reply::page(page(&me, Errors::default())))
}

/// `PUT POST /me/password`
pub(crate) async fn change(
    me: SteppedUpUser,
    client: Client,
    Input(form): Input<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let (app_name, person) = (app.config().site.name.clone(), me.user.clone());
    let checked = log::spawn_blocking(move || {
        let context = Context { address: person.email.spelled(), name: &person.name, app: &app_name };
        (judge("newPassword", &form.new_password, form.repeat.as_ref(), &context), form)
    });
    let form = match checked.await.map_err(Error::internal)? {
        (Ok(()), form) => form,
        (Err(errors), _) => {
            return Ok(Reply::refused(page(&me, errors.clone()), Error::Invalid(errors)));
        }
    };
    let before = match needs_current(&me) {
        true => match check_current(&me, &client, form.current_password, &app).await? {
            Ok(before) => Some(before),
            Err(errors) => return Ok(Reply::refused(page(&me, errors.clone()), Error::Invalid(errors))),
        },
        false => None,
    };
    let counted = me.user.id.clone();
    app.write(move |tx| rate_limit::count_hash(tx, counted.as_str())).await?;
    let hash = app.hasher().hash(form.new_password).await?;
    let (user, actor, current) = (me.user.clone(), me.actor(), me.session.clone());
    let issued = app
        .write(move |tx| {
            tx.lock(&user.email.normalized())?;
            // The password may have changed, or been blocked, while it was hashed.
            if let Some(before) = before
                && !user::password_credential(tx.conn, &user.id)?.is(&before)
            {
                return Err(Error::Unauthenticated);
            }
            user::set_password(tx, &user.id, &hash)?;
            // A claim's mailbox is somebody's who may have nothing to do with it.
            if user.is_verified() {
                containment::tell_of_password(tx, &actor, &user, &client.device().name())?;
            }
            security_changes::note(tx, &actor, &user.id, Kind::PasswordChanged, None)?;
            audit::record(tx, &actor, &user.id, Event::PasswordChanged {})?;
            authentication::change_password_here(tx, &client, &user.id, &current)
        })
        .await?;
    let message = "Your password is changed. Every other device is signed out.";
    Ok(Reply::done("/me/security", message).signed_in(issued))
}

/// Where there is a password and the step-up was made with something else: whoever holds an unlocked phone does not take
/// the password over (OWASP ASVS 5.0 V6.2.3).
fn needs_current(me: &SteppedUpUser) -> bool {
    me.user.has_password && me.session.stepped_up_with != Some(StepUpMethod::Password)
}

/// What is stored of the current password, where that was given; a wrong one counts as a wrong step-up.
async fn check_current(
    me: &SteppedUpUser,
    client: &Client,
    offered: Password,
    app: &App,
) -> Result<Result<PasswordCredential, Errors>> {
    if offered.is_empty() {
        return Ok(Err(Errors::one("currentPassword", "Enter your current password.")));
    }
    let (user, here) = (me.user.clone(), me.session.id.clone());
    let candidate = app
        .write(move |tx| {
            step_up::count_password(tx, &here)?;
            user::password_credential(tx.conn, &user.id)
        })
        .await?;
    let device = me.session.id.as_str().to_owned();
    let known = me.user.is_verified().then(|| KnownDevice { account: me.user.id.clone(), device });
    let verdict = app.hasher().verify_known(known, offered, [candidate.usable_hash()]).await?;
    if verdict.matched.is_some() {
        return Ok(Ok(candidate));
    }
    let (user, here, actor, device) =
        (me.user.clone(), me.session.id.clone(), me.actor(), client.device().name());
    match app.write(move |tx| step_up::missed(tx, &actor, &user, &here, "password", &device)).await? {
        Missed::Ended => Err(STEP_UPS_EXHAUSTED.error()),
        Missed::Again => Ok(Err(Errors::one("currentPassword", "That is not your password."))),
    }
}

fn page(me: &SteppedUpUser, errors: Errors) -> PasswordPage {
    PasswordPage {
        email: me.user.email.spelled().to_owned(),
        has_password: me.user.has_password,
        needs_current_password: needs_current(me),
        errors,
    }
}
