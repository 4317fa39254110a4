//! Another password, by its person. Every other device is signed out; this one goes on with a new secret.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{containment, security_changes},
    app::App,
    error::{Error, Errors, Result},
    log,
    model::{
        audit::{self, Event},
        password::{
            Password,
            policy::{Context, judge},
        },
        security_change::Kind,
        user,
    },
    web::{Client, Input, RecentUser, Reply, door},
};

/// The form.
#[derive(Template, Serialize)]
#[template(path = "password.html")]
#[serde(rename_all = "camelCase")]
pub struct PasswordPage {
    #[serde(skip)]
    email: String,
    has_password: bool,
    #[serde(skip)]
    errors: Errors,
}

/// The new password; a page asks for it twice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Form {
    #[serde(default)]
    new_password: Password,
    repeat: Option<Password>,
}

/// `GET /me/password`
pub async fn form(me: RecentUser) -> Result<Reply> {
    Ok(Reply::page(page(&me, Errors::default())))
}

/// `PUT POST /me/password`
pub async fn change(
    me: RecentUser,
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
    let hash = app.hasher().hash(form.new_password).await?;
    let (user, actor, current) = (me.user.clone(), me.actor(), me.session.clone());
    let ticket = app
        .write(move |tx| {
            tx.lock(&user.email.normalized())?;
            user::set_password(tx, &user.id, &hash)?;
            // A claim's mailbox is somebody's who may have nothing to do with it.
            if user.is_verified() {
                containment::tell_of_password(tx, &actor, &user, &client.device().name())?;
            }
            security_changes::note(tx, &actor, &user.id, Kind::PasswordChanged, None)?;
            audit::record(tx, &actor, &user.id, Event::PasswordChanged {})?;
            door::change_password_here(tx, &client, &user.id, &current)
        })
        .await?;
    let message = "Your password is changed. Every other device is signed out.";
    Ok(Reply::done("/me/security", message).signed_in(ticket))
}

fn page(me: &RecentUser, errors: Errors) -> PasswordPage {
    PasswordPage { email: me.user.email.spelled().to_owned(), has_password: me.user.has_password, errors }
}
