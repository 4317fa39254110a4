//! What an organisation is called: its name, and its short name in links.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use super::{OrganisationView, path_of};
use crate::{
    accounts::{organisation_names, policy::Membership},
    app::App,
    clock::span_in_words,
    error::{Error, Errors, Result},
    ids::OrganisationId,
    kinds::Permission,
    model::organisation::{Slug, Title},
    web::{Input, Member, Reply, SteppedUpMember, member::SettingsManage},
};

/// The names of an organisation, to be changed.
#[derive(Template, Serialize)]
#[template(path = "organisations_settings.html")]
pub(crate) struct SettingsPage {
    organisation: OrganisationView,
    #[serde(skip)]
    form: SettingsForm,
    #[serde(skip)]
    kept: String,
    #[serde(skip)]
    can_hand_over: bool,
    #[serde(skip)]
    can_delete: bool,
    #[serde(skip)]
    errors: Errors,
}

/// Other names. What is left out stays.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct SettingsForm {
    name: Option<String>,
    slug: Option<String>,
}

impl SettingsForm {
    fn check(&self) -> Result<(Option<Title>, Option<Slug>), Errors> {
        let mut errors = Errors::default();
        let name = self.name.as_deref().map(Title::parse).transpose();
        let name = name.map_err(|problem| errors.add("name", problem));
        let slug = self.slug.as_deref().map(Slug::for_new).transpose();
        let slug = slug.map_err(|problem| errors.add("slug", problem));
        match (name, slug) {
            (Ok(name), Ok(slug)) => Ok((name, slug)),
            _ => Err(errors),
        }
    }
}

fn page(
    app: &App,
    mine: Membership,
    current: Option<&OrganisationId>,
    form: SettingsForm,
    errors: Errors,
) -> SettingsPage {
    SettingsPage {
        can_hand_over: mine.may(Permission::OwnersManage),
        can_delete: mine.may(Permission::OrganisationDelete),
        organisation: OrganisationView::new(mine.organisation, mine.role, current),
        form,
        kept: span_in_words(app.config().lifetimes.former_slug),
        errors,
    }
}

/// `GET /organisations/{slug}/settings`
pub(crate) async fn settings(me: Member<SettingsManage>, app: Data<App>) -> Result<Reply> {
    let access = me.access();
    let mine = app.read(move |conn| access.decide(conn)).await?;
    let names = mine.organisation.clone();
    let form = SettingsForm { name: Some(names.name), slug: Some(names.slug) };
    Ok(Reply::page(page(&app, mine, me.current(), form, Errors::default())))
}

/// `PUT POST /organisations/{slug}`: `{name?, slug?}`.
pub(crate) async fn rename(
    me: SteppedUpMember<SettingsManage>,
    Input(form): Input<SettingsForm>,
    app: Data<App>,
) -> Result<Reply> {
    let checked = form.check();
    let access = me.access();
    let again = me.access();
    let renamed = match checked {
        Err(errors) => Err(Error::Invalid(errors)),
        Ok((name, slug)) => {
            app.write(move |tx| {
                let mine = access.decide_locked(tx)?;
                let (actor, name, slug) = (&access.actor, name.as_ref(), slug.as_ref());
                let organisation = organisation_names::rename(tx, actor, &mine, name, slug)?;
                Ok((organisation, mine.role))
            })
            .await
        }
    };
    match renamed {
        Ok((renamed, role)) => {
            let renamed = OrganisationView::new(renamed, role, me.current());
            Reply::done(path_of(&renamed.slug), "The changes are saved.").with("organisation", renamed)
        }
        Err(Error::Invalid(errors)) => {
            let mine = app.read(move |conn| again.decide(conn)).await?;
            Ok(Reply::refused(page(&app, mine, me.current(), form, errors.clone()), Error::Invalid(errors)))
        }
        Err(error) => Err(error),
    }
}
