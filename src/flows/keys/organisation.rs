//! The API keys of an organisation: they are its own, whoever made them.

use actix_web::web::{Data, Path};
use askama::Template;
use serde::Serialize;

use super::{
    MadePage, about_form,
    form::{KeyForm, RollForm, lives},
    views::{KeyView, makers},
};
use crate::{
    accounts::{
        access::AccessRequest,
        api_keys::{self, Made, Owner},
        organisation_policy::SECOND_FACTOR_UNCONFIRMED,
    },
    app::App,
    clock::Timestamp,
    db::Conn,
    error::{Error, Errors, Result},
    ids::{ApiKeyId, OrganisationId, UserId},
    model::{
        api_key::{self, ApiKey, Of},
        membership,
        organisation::Organisation,
        user::{self, User},
    },
    urls,
    web::{
        Input, Member, OptionalInput, Reply, StepUpAfterInput, SteppedUpMember,
        member::KeysManage,
        permission_form::{self, PermissionView},
    },
};

/// The keys of an organisation, and the form for another.
#[derive(Template, Serialize)]
#[template(path = "keys_organisation.html")]
pub(crate) struct OrganisationKeysPage {
    keys: Vec<KeyView>,
    catalogue: Vec<PermissionView>,
    #[serde(skip)]
    organisation: Organisation,
    #[serde(skip)]
    lives: Vec<(&'static str, String)>,
    #[serde(skip)]
    form: KeyForm,
    #[serde(skip)]
    errors: Errors,
}

impl OrganisationKeysPage {
    fn path(&self) -> String {
        path_of(&self.organisation.slug)
    }
}

/// `GET /organisations/{slug}/keys`
pub(crate) async fn index(me: Member<KeysManage>, app: Data<App>) -> Result<Reply> {
    page(me.access(), &app, KeyForm::default(), Errors::default()).await.map(Reply::page)
}

async fn page(
    access: AccessRequest,
    app: &App,
    form: KeyForm,
    errors: Errors,
) -> Result<OrganisationKeysPage> {
    let read = app.read(move |conn| {
        let mine = access.decide(conn)?;
        let keys = api_key::list(conn, Of::Organisation(&mine.organisation.id))?;
        let keys = views(conn, &mine.organisation.id, &keys, access.now)?;
        let held = mine.permissions(conn)?;
        let catalogue = permission_form::of_keys(conn, |name| mine.role.is_owner() || held.contains(name))?;
        Ok((keys, catalogue, mine.organisation))
    });
    let (keys, catalogue, organisation) = read.await?;
    Ok(OrganisationKeysPage {
        keys,
        catalogue,
        organisation,
        lives: lives(&app.config().lifetimes),
        form,
        errors,
    })
}

/// Keys of an organisation with those who made them, whom a pseudonym leads to no more.
fn views(
    conn: &mut Conn,
    organisation: &OrganisationId,
    keys: &[ApiKey],
    now: Timestamp,
) -> Result<Vec<KeyView>> {
    let mut known: Vec<(UserId, Option<User>, bool)> = Vec::new();
    for id in makers(keys) {
        let is_member = membership::role_of(conn, organisation, &id)?.is_some();
        let maker = user::find(conn, &id)?;
        known.push((id, maker, is_member));
    }
    let view = |key: &ApiKey| {
        let maker = known.iter().find(|(id, ..)| *id == key.made_by);
        let (user, is_member) = maker.map_or((None, false), |(_, user, is)| (user.as_ref(), *is));
        KeyView::of_organisation(key, user, is_member, now)
    };
    Ok(keys.iter().map(view).collect())
}

fn view(conn: &mut Conn, key: &ApiKey, now: Timestamp) -> Result<KeyView> {
    let maker = user::find(conn, &key.made_by)?;
    let is_member = match &key.organisation_id {
        Some(organisation) => membership::role_of(conn, organisation, &key.made_by)?.is_some(),
        None => false,
    };
    Ok(KeyView::of_organisation(key, maker.as_ref(), is_member, now))
}

/// `POST /organisations/{slug}/keys`
pub(crate) async fn create(
    me: StepUpAfterInput<Member<KeysManage>>,
    Input(form): Input<KeyForm>,
    app: Data<App>,
) -> Result<Reply> {
    match make(&me, &form, &app).await {
        Ok((made, view)) => Ok(MadePage::reply(&made, view, path_of(&me.access().slug), false)),
        Err(error) => match about_form(&error) {
            Some(errors) => Ok(Reply::refused(page(me.access(), &app, form, errors).await?, error)),
            None => Err(error),
        },
    }
}

async fn make(
    me: &StepUpAfterInput<Member<KeysManage>>,
    form: &KeyForm,
    app: &App,
) -> Result<(Made, KeyView)> {
    let (access, asker, lifetimes) = (me.access(), me.access(), app.config().lifetimes);
    let wanted = match form.wanted() {
        Ok(wanted) => wanted,
        Err(error) => {
            // Who may not is told so first, whatever the form says.
            app.read(move |conn| asker.decide(conn).map(drop)).await?;
            return Err(error);
        }
    };
    let asked = wanted.clone();
    let checked = app.read(move |conn| {
        let mine = asker.decide(conn)?;
        api_keys::check(conn, &asker.actor, Owner::Organisation(&mine), None, &asked, &lifetimes).map(drop)
    });
    match checked.await {
        // The step-up brings it.
        Err(Error::Refused(SECOND_FACTOR_UNCONFIRMED, _)) => {}
        checked => checked?,
    }
    me.step_up(|| form.pairs(), app).await?;
    app.write(move |tx| {
        let mine = access.decide_locked(tx)?;
        let made = api_keys::make(tx, &access.actor, Owner::Organisation(&mine), None, &wanted)?;
        let view = view(tx.conn, &made.0, tx.now)?;
        Ok((made, view))
    })
    .await
}

/// `POST /organisations/{slug}/keys/{id}/roll`
pub(crate) async fn roll(
    me: SteppedUpMember<KeysManage>,
    path: Path<(String, ApiKeyId)>,
    OptionalInput(form): OptionalInput<RollForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (access, (slug, id), overlap) = (me.access(), path.into_inner(), form.overlap()?);
    let rolled = app.write(move |tx| {
        let mine = access.decide_locked(tx)?;
        let made = api_keys::roll(tx, &access.actor, Owner::Organisation(&mine), &id, overlap)?;
        let view = view(tx.conn, &made.0, tx.now)?;
        Ok((made, view))
    });
    let (made, view) = rolled.await?;
    Ok(MadePage::reply(&made, view, path_of(&slug), true))
}

/// `DELETE /organisations/{slug}/keys/{id}` and `POST …/revoke`. Closing takes no step-up.
pub(crate) async fn revoke(
    me: Member<KeysManage>,
    path: Path<(String, ApiKeyId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (access, (slug, id)) = (me.access(), path.into_inner());
    let revoked = app.write(move |tx| {
        let mine = access.decide_locked(tx)?;
        api_keys::revoke(tx, &access.actor, Owner::Organisation(&mine), &id)
    });
    let key = revoked.await?;
    Ok(Reply::done(path_of(&slug), format!("The API key {} is revoked.", key.name)))
}

fn path_of(slug: &str) -> String {
    urls::organisation_page(slug, "keys")
}
