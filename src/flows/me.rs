//! The account at a glance, and what its person wants to be called.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    accounts::profile,
    app::App,
    error::{Error, Errors, Result},
    model::{
        token::{self, ChangeEmail},
        user::Name,
    },
    web::{CurrentUser, Input, Principal, Reply, VerifiedUser, views::UserView},
};

/// The overview.
#[derive(Template, Serialize)]
#[template(path = "me.html")]
pub(crate) struct MePage {
    user: UserView,
    /// The address that waits to take the place of the present one.
    #[serde(rename = "pendingEmail", skip_serializing_if = "Option::is_none")]
    pending: Option<String>,
    #[serde(skip)]
    name: String,
    #[serde(skip)]
    errors: Errors,
}

/// A new name.
#[derive(Deserialize)]
pub(crate) struct NameForm {
    #[serde(default)]
    name: String,
}

/// The slug of an organisation.
#[derive(Deserialize)]
pub(crate) struct OrganisationForm {
    organisation: Option<String>,
}

/// `GET /me`. An API key, and an access token, need `account:read`.
pub(crate) async fn show(who: Principal, app: Data<App>) -> Result<Reply> {
    let (user, now) = match who {
        Principal::User(me) => (me.user.clone(), me.now),
        Principal::ApiKey(program) => (program.reads_account()?.clone(), program.now),
        Principal::Token(token) => (token.reads_account()?.clone(), token.now),
    };
    let (owner, name) = (user.id.clone(), user.name.clone());
    let pending = app.read(move |conn| token::outstanding::<ChangeEmail>(conn, &owner, now)).await?;
    let pending = pending.map(|change| change.new.spelled().to_owned());
    Ok(Reply::page(MePage { user: UserView::from(&user), pending, name, errors: Errors::default() }))
}

/// `PUT POST /me/name`
pub(crate) async fn rename(me: CurrentUser, Input(form): Input<NameForm>, app: Data<App>) -> Result<Reply> {
    let mut user = UserView::from(&me.user);
    let name = match Name::parse(&form.name) {
        Ok(name) => name,
        Err(problem) => {
            let errors = Errors::one("name", problem);
            return Ok(Reply::refused(
                MePage { user, pending: None, name: form.name, errors: errors.clone() },
                Error::Invalid(errors),
            ));
        }
    };
    user.name = name.as_str().to_owned();
    let (actor, id) = (me.actor(), me.user.id.clone());
    app.write(move |tx| profile::rename(tx, &actor, &id, &name)).await?;
    Reply::done("/me", "Your name is changed.").with("user", user)
}

/// `PUT POST /me/organisation`: the organisation in use in this session, by its slug; none where that is empty. It is a hint
/// for pages and for `POST /auth/check`, and gives no right.
pub(crate) async fn use_organisation(
    me: VerifiedUser,
    Input(form): Input<OrganisationForm>,
    app: Data<App>,
) -> Result<Reply> {
    let slug = form.organisation.filter(|slug| !slug.is_empty());
    let (user, here) = (me.user.id.clone(), me.session.id.clone());
    let chosen = app.write(move |tx| profile::use_organisation(tx, &user, &here, slug.as_deref())).await?;
    let message = match &chosen {
        Some(chosen) => format!("You are using {} now.", chosen.name),
        None => "You are using no organisation now.".to_owned(),
    };
    let told = chosen.map(|chosen| json!({ "id": chosen.id, "name": chosen.name, "slug": chosen.slug }));
    Reply::done("/organisations", message).with("organisation", told)
}
