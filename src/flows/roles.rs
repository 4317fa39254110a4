//! The roles of an organisation: the built-in ones, and those that it makes for itself.

mod form;

use std::collections::BTreeSet;

use actix_web::{
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;
use serde::Serialize;

use self::form::{Replacement, RoleForm};
use crate::{
    accounts::{
        access::AccessRequest,
        policy::{self, Membership},
        roles,
    },
    app::App,
    db::Conn,
    error::{Error, Errors, Result},
    ids::RoleId,
    model::{held_role::HeldRole, membership, organisation::Organisation, role},
    urls,
    web::{
        Input, Member, Query, Reply, SteppedUpMember,
        member::RolesManage,
        permission_form::{self, PermissionView},
    },
};

/// Every role, and the form for another.
#[derive(Template, Serialize)]
#[template(path = "roles.html")]
pub(crate) struct RolesPage {
    roles: Vec<RoleView>,
    catalogue: Vec<PermissionView>,
    #[serde(skip)]
    organisation: Organisation,
    #[serde(skip)]
    form: RoleForm,
    #[serde(skip)]
    errors: Errors,
}

/// One of the organisation's own roles, and the form to change it.
#[derive(Template, Serialize)]
#[template(path = "roles_edit.html")]
pub(crate) struct RolePage {
    role: RoleView,
    catalogue: Vec<PermissionView>,
    /// What can take its place.
    #[serde(skip)]
    others: Vec<HeldRole>,
    #[serde(skip)]
    organisation: Organisation,
    #[serde(skip)]
    form: RoleForm,
    #[serde(skip)]
    errors: Errors,
}

/// A role as those see it who manage roles.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoleView {
    id: HeldRole,
    name: String,
    permissions: BTreeSet<String>,
    members: i64,
    built_in: bool,
}

/// `GET /organisations/{slug}/roles`
pub(crate) async fn index(me: Member<RolesManage>, app: Data<App>) -> Result<Reply> {
    let access = me.access();
    Ok(Reply::page(app.read(move |conn| RolesPage::of(conn, &access)).await?))
}

impl RolesPage {
    fn of(conn: &mut Conn, access: &AccessRequest) -> Result<Self> {
        let mine = access.decide(conn)?;
        Ok(Self {
            roles: all(conn, &mine)?,
            catalogue: permission_form::of_roles(conn, &mine)?,
            organisation: mine.organisation,
            form: RoleForm::default(),
            errors: Errors::default(),
        })
    }
}

/// Every role of an organisation, the built-in ones first.
fn all(conn: &mut Conn, mine: &Membership) -> Result<Vec<RoleView>> {
    let of = &mine.organisation.id;
    let counts = membership::counts(conn, of)?;
    let mut held = role::all_permissions(conn, of)?;
    let own = role::of(conn, of)?.into_iter().map(HeldRole::from);
    let mut views = Vec::new();
    for role in policy::built_in().chain(own) {
        let permissions = match role.custom() {
            Some(id) => held.remove(id.as_str()).unwrap_or_default(),
            None => policy::permissions_of(conn, &role)?,
        };
        let members = counts.get(&role.to_string()).copied().unwrap_or_default();
        let (name, built_in) = (role.words().to_owned(), role.custom().is_none());
        views.push(RoleView { id: role, name, permissions, members, built_in });
    }
    Ok(views)
}

/// `POST /organisations/{slug}/roles`
pub(crate) async fn create(
    me: SteppedUpMember<RolesManage>,
    Input(form): Input<RoleForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (access, slug) = (me.access(), me.access().slug);
    let (name, chosen) = (form.parsed_name(), form.chosen().unwrap_or_default());
    let made = app.write(move |tx| {
        let mine = access.decide_locked(tx)?;
        let made = roles::make(tx, &access.actor, &mine, &name?, &chosen)?;
        view(tx.conn, &mine, &made.id)
    });
    match made.await {
        Ok(view) => {
            let message = format!("The role {} is created.", view.name);
            Reply::done(path_of(&slug), message).status(StatusCode::CREATED).with("role", view)
        }
        Err(Error::Invalid(errors)) => {
            let access = me.access();
            let page = app.read(move |conn| RolesPage::of(conn, &access)).await?;
            Ok(Reply::refused(RolesPage { form, errors: errors.clone(), ..page }, Error::Invalid(errors)))
        }
        Err(error) => Err(error),
    }
}

/// One of the organisation's own roles; the organisation is that of `mine`.
fn view(conn: &mut Conn, mine: &Membership, id: &RoleId) -> Result<RoleView> {
    let own = all(conn, mine)?.into_iter().find(|view| view.id.custom() == Some(id));
    own.ok_or(Error::NotFound)
}

/// `GET /organisations/{slug}/roles/{role}`: one of the organisation's own.
pub(crate) async fn show(
    me: Member<RolesManage>,
    path: Path<(String, RoleId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (access, (_, id)) = (me.access(), path.into_inner());
    let page = app.read(move |conn| RolePage::of(conn, &access, &id)).await?;
    Ok(Reply::page(page))
}

impl RolePage {
    fn of(conn: &mut Conn, access: &AccessRequest, id: &RoleId) -> Result<Self> {
        let mine = access.decide(conn)?;
        let role = view(conn, &mine, id)?;
        let others = all(conn, &mine)?.into_iter().map(|view| view.id);
        Ok(Self {
            form: RoleForm::of(&role.name, &role.permissions),
            others: others.filter(|other| !other.is_owner() && *other != role.id).collect(),
            catalogue: permission_form::of_roles(conn, &mine)?,
            organisation: mine.organisation,
            role,
            errors: Errors::default(),
        })
    }

    /// What it holds that is in the catalogue no more.
    fn retired(&self) -> impl Iterator<Item = &String> {
        let is_there = |name: &&String| self.catalogue.iter().any(|entry| entry.name == **name);
        self.role.permissions.iter().filter(move |name| !is_there(name))
    }
}

/// `PUT /organisations/{slug}/roles/{role}` and `POST` for forms: another name, other permissions, or both.
pub(crate) async fn save(
    me: SteppedUpMember<RolesManage>,
    path: Path<(String, RoleId)>,
    Input(form): Input<RoleForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (access, (slug, id)) = (me.access(), path.into_inner());
    let (name, chosen) = (form.name.as_ref().map(|_| form.parsed_name()), form.chosen());
    let role = id.clone();
    let saved = app.write(move |tx| {
        let mine = access.decide_locked(tx)?;
        roles::change(tx, &access.actor, &mine, &role, name.transpose()?.as_ref(), chosen.as_ref())?;
        view(tx.conn, &mine, &role)
    });
    match saved.await {
        Ok(view) => Reply::done(path_of(&slug), "The role is saved.").with("role", view),
        Err(Error::Invalid(errors)) => {
            let access = me.access();
            let page = app.read(move |conn| RolePage::of(conn, &access, &id)).await?;
            Ok(Reply::refused(RolePage { form, errors: errors.clone(), ..page }, Error::Invalid(errors)))
        }
        Err(error) => Err(error),
    }
}

/// `DELETE /organisations/{slug}/roles/{role}`
pub(crate) async fn remove(
    me: SteppedUpMember<RolesManage>,
    path: Path<(String, RoleId)>,
    query: Query<Replacement>,
    app: Data<App>,
) -> Result<Reply> {
    end(&me, path.into_inner().1, query.into_inner(), &app).await
}

/// `POST /organisations/{slug}/roles/{role}/remove`: the same for forms.
pub(crate) async fn remove_by_form(
    me: SteppedUpMember<RolesManage>,
    path: Path<(String, RoleId)>,
    Input(form): Input<Replacement>,
    app: Data<App>,
) -> Result<Reply> {
    end(&me, path.into_inner().1, form, &app).await
}

async fn end(
    me: &SteppedUpMember<RolesManage>,
    id: RoleId,
    Replacement { replace_with }: Replacement,
    app: &App,
) -> Result<Reply> {
    let (access, slug) = (me.access(), me.access().slug);
    let replace_with = replace_with.filter(|word| !word.is_empty());
    let removed = app
        .write(move |tx| {
            let mine = access.decide_locked(tx)?;
            let of = &mine.organisation.id;
            let to = replace_with.map(|word| roles::named(tx.conn, of, &word)).transpose()?;
            roles::remove(tx, &access.actor, &mine, &id, to.as_ref())
        })
        .await?;
    Ok(Reply::done(path_of(&slug), format!("The role {} is removed.", removed.name)))
}

fn path_of(slug: &str) -> String {
    urls::organisation_page(slug, "roles")
}
