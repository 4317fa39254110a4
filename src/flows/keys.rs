//! API keys: those of one's own, and in files of their own those of an organisation, and those that somebody found.

mod form;
pub(crate) mod found;
pub(crate) mod organisation;
mod views;

use actix_web::{
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;
use serde::Serialize;

use self::{
    form::{KeyForm, RollForm, lives},
    views::KeyView,
};
use crate::{
    accounts::api_keys::{self, ACCOUNT_READ, KEY_LIMIT, Made, Owner},
    app::App,
    db::Tx,
    error::{Error, Errors, Result},
    ids::ApiKeyId,
    model::{
        api_key::{self, Of},
        organisation::{self as organisations, Organisation},
    },
    web::{
        Client, Input, OptionalInput, Reply, StepUpAfterInput, SteppedUpVerifiedUser, VerifiedUser,
        permission_form::{self, PermissionView},
    },
};

const PATH: &str = "/me/keys";

/// One's own keys, and the form for another.
#[derive(Template, Serialize)]
#[template(path = "keys.html")]
pub(crate) struct KeysPage {
    keys: Vec<KeyView>,
    catalogue: Vec<PermissionView>,
    #[serde(skip)]
    organisations: Vec<Organisation>,
    #[serde(skip)]
    lives: Vec<(&'static str, String)>,
    #[serde(skip)]
    form: KeyForm,
    #[serde(skip)]
    errors: Errors,
}

impl KeysPage {
    fn has_active(&self) -> bool {
        self.keys.iter().any(|key| !key.is_suspended() && !key.is_expired())
    }
}

/// A secret, this once.
#[derive(Template, Serialize)]
#[template(path = "keys_made.html")]
pub(crate) struct MadePage {
    key: KeyView,
    secret: String,
    #[serde(skip)]
    path: String,
    #[serde(skip)]
    has_rolled: bool,
}

impl MadePage {
    fn reply((key, secret): &Made, view: KeyView, path: String, has_rolled: bool) -> Reply {
        debug_assert_eq!(key.id, view.id);
        let status = if has_rolled { StatusCode::OK } else { StatusCode::CREATED };
        Reply::page(Self { key: view, secret: secret.reveal().to_owned(), path, has_rolled }).status(status)
    }
}

/// `GET /me/keys`
pub(crate) async fn index(me: VerifiedUser, app: Data<App>) -> Result<Reply> {
    page(&me, &app, KeyForm::default(), Errors::default()).await.map(Reply::page)
}

async fn page(me: &VerifiedUser, app: &App, form: KeyForm, errors: Errors) -> Result<KeysPage> {
    let (user, now) = (me.user.id.clone(), me.now);
    let read = app.read(move |conn| {
        let keys = api_key::list(conn, Of::Person(&user))?;
        let mine: Vec<Organisation> =
            organisations::of(conn, &user)?.into_iter().map(|(organisation, _)| organisation).collect();
        Ok((keys, mine, permission_form::of_keys(conn, |_| true)?))
    });
    let (keys, organisations, catalogue) = read.await?;
    let account = PermissionView {
        name: ACCOUNT_READ.to_owned(),
        title: "Read your account, and use applications that take API keys as you".to_owned(),
        group: "account".to_owned(),
        can_give: true,
        begins_group: true,
        is_always_held: false,
    };
    Ok(KeysPage {
        keys: keys.iter().map(|key| KeyView::own(key, &organisations, now)).collect(),
        catalogue: [account].into_iter().chain(catalogue).collect(),
        organisations: organisations.into_iter().filter(|one| !one.is_leaving()).collect(),
        lives: lives(&app.config().lifetimes),
        form,
        errors,
    })
}

/// `POST /me/keys`
pub(crate) async fn create(
    me: StepUpAfterInput<VerifiedUser>,
    client: Client,
    Input(form): Input<KeyForm>,
    app: Data<App>,
) -> Result<Reply> {
    let made = make(&me, &client, &form, &app).await;
    match made {
        Ok((made, view)) => Ok(MadePage::reply(&made, view, PATH.to_owned(), false)),
        Err(error) => match about_form(&error) {
            Some(errors) => Ok(Reply::refused(page(&me, &app, form, errors).await?, error)),
            None => Err(error),
        },
    }
}

async fn make(
    me: &StepUpAfterInput<VerifiedUser>,
    client: &Client,
    form: &KeyForm,
    app: &App,
) -> Result<(Made, KeyView)> {
    let (actor, user, device) = (me.actor(), me.user.clone(), client.device().name());
    let (wanted, only_for) = (form.wanted()?, form.only_for());
    let (asked, lifetimes) = (wanted.clone(), app.config().lifetimes);
    let (by, of, only) = (actor.clone(), user.clone(), only_for.clone());
    app.read(move |conn| {
        let owner = Owner::Person(&of, "");
        api_keys::check(conn, &by, owner, only.as_deref(), &asked, &lifetimes).map(drop)
    })
    .await?;
    me.step_up(|| form.pairs(), app).await?;
    app.write(move |tx| {
        let owner = Owner::Person(&user, &device);
        let made = api_keys::make(tx, &actor, owner, only_for.as_deref(), &wanted)?;
        let mine = organisations::of(tx.conn, &user.id)?.into_iter().map(|(one, _)| one);
        let view = KeyView::own(&made.0, &mine.collect::<Vec<_>>(), tx.now);
        Ok((made, view))
    })
    .await
}

/// What a form says of a refusal that is about it.
fn about_form(error: &Error) -> Option<Errors> {
    match error {
        Error::Invalid(errors) => Some(errors.clone()),
        Error::Refused(KEY_LIMIT, _) => Some(Errors::one("form", error.to_string())),
        error => Errors::of_waiting(error),
    }
}

/// `POST /me/keys/{id}/roll`
pub(crate) async fn roll(
    me: SteppedUpVerifiedUser,
    client: Client,
    id: Path<ApiKeyId>,
    OptionalInput(form): OptionalInput<RollForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (actor, user, device) = (me.actor(), me.user.clone(), client.device().name());
    let (id, overlap) = (id.into_inner(), form.overlap()?);
    let rolled = app.write(move |tx| {
        let owner = Owner::Person(&user, &device);
        let made = api_keys::roll(tx, &actor, owner, &id, overlap)?;
        let mine = organisations::of(tx.conn, &user.id)?.into_iter().map(|(one, _)| one);
        let view = KeyView::own(&made.0, &mine.collect::<Vec<_>>(), tx.now);
        Ok((made, view))
    });
    let (made, view) = rolled.await?;
    Ok(MadePage::reply(&made, view, PATH.to_owned(), true))
}

/// `DELETE /me/keys/{id}` and `POST /me/keys/{id}/revoke`. Closing takes no step-up.
pub(crate) async fn revoke(me: VerifiedUser, id: Path<ApiKeyId>, app: Data<App>) -> Result<Reply> {
    let (actor, user, id) = (me.actor(), me.user.clone(), id.into_inner());
    let key = app.write(move |tx| api_keys::revoke(tx, &actor, Owner::Person(&user, ""), &id)).await?;
    Ok(Reply::done(PATH, format!("The API key {} is revoked.", key.name)))
}

/// `POST /me/keys/{id}/resume`
pub(crate) async fn resume(
    me: SteppedUpVerifiedUser,
    client: Client,
    id: Path<ApiKeyId>,
    app: Data<App>,
) -> Result<Reply> {
    let (actor, user, device) = (me.actor(), me.user.clone(), client.device().name());
    let id = id.into_inner();
    let resume = move |tx: &mut Tx| api_keys::resume(tx, &actor, Owner::Person(&user, &device), &id);
    let key = app.write(resume).await?;
    Ok(Reply::done(PATH, format!("The API key {} works again.", key.name)))
}

/// `POST /me/keys/suspend-all`
pub(crate) async fn suspend_all(me: VerifiedUser, app: Data<App>) -> Result<Reply> {
    let (actor, user) = (me.actor(), me.user.clone());
    let count = app.write(move |tx| api_keys::suspend(tx, &actor, &user)).await?;
    let message = match count {
        0 => "No API key was active.".to_owned(),
        1 => "One API key is suspended.".to_owned(),
        count => format!("{count} API keys are suspended."),
    };
    Reply::done(PATH, message).with("suspended", count)
}
