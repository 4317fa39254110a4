//! Organisations: making one, seeing who belongs to it, and changing that.

use actix_web::{
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::organisations,
    app::App,
    clock::Timestamp,
    error::{Error, Errors, Result},
    ids::{OrganisationId, UserId},
    kinds::Role,
    model::{
        membership::{self, Member},
        organisation::{self, Organisation, Slug, Title},
        rate_limit::{self, Limit},
    },
    web::{Input, Query, Reply, SteppedUpVerifiedUser, VerifiedUser},
};

// Members on one page.
const A_PAGE: usize = 50;

// Enough for anybody; a limit on those who would take every name.
const MOST_A_DAY: i32 = 10;

/// One's organisations, and the form for another.
#[derive(Template, Serialize)]
#[template(path = "organisations.html")]
pub(crate) struct OrganisationsPage {
    organisations: Vec<OrganisationView>,
    #[serde(skip)]
    name: String,
    #[serde(skip)]
    slug: String,
    #[serde(skip)]
    errors: Errors,
}

/// Who belongs to an organisation, as its members see it.
#[derive(Template, Serialize)]
#[template(path = "organisation.html")]
pub(crate) struct MembersPage {
    organisation: OrganisationView,
    members: Vec<MemberView>,
    next: Option<UserId>,
    #[serde(skip)]
    roles: &'static [Role],
}

/// An organisation as one of its members sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrganisationView {
    id: OrganisationId,
    name: String,
    slug: String,
    role: Role,
    created_at: Timestamp,
}

/// A member as the others see them.
#[derive(Serialize)]
pub(crate) struct MemberView {
    id: UserId,
    name: String,
    email: String,
    role: Role,
    since: Timestamp,
    you: bool,
}

/// What a new organisation is called.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    name: String,
    #[serde(default)]
    slug: String,
}

/// A role.
#[derive(Deserialize)]
pub(crate) struct RoleForm {
    #[serde(default)]
    role: String,
}

/// Where the page before ended.
#[derive(Deserialize)]
pub(crate) struct Cursor {
    next: Option<UserId>,
}

/// `GET /organisations`
pub(crate) async fn index(me: VerifiedUser, app: Data<App>) -> Result<Reply> {
    Ok(Reply::page(
        mine(&me, &app, Form { name: String::new(), slug: String::new() }, Errors::default()).await?,
    ))
}

async fn mine(me: &VerifiedUser, app: &App, typed: Form, errors: Errors) -> Result<OrganisationsPage> {
    let id = me.user.id.clone();
    let mine = app.read(move |conn| organisation::of(conn, &id)).await?;
    let organisations = mine.into_iter().map(OrganisationView::from).collect();
    Ok(OrganisationsPage { organisations, name: typed.name, slug: typed.slug, errors })
}

/// `POST /organisations`
pub(crate) async fn create(me: VerifiedUser, Input(form): Input<Form>, app: Data<App>) -> Result<Reply> {
    let (title, slug) = match form.check() {
        Ok(checked) => checked,
        Err(errors) => return refuse(&me, &app, form, errors).await,
    };
    let (actor, maker) = (me.actor(), me.user.id.clone());
    let limit = Limit::new("organisation", maker.as_str(), MOST_A_DAY, TimeDelta::days(1));
    let made = app
        .write(move |tx| {
            rate_limit::consume(tx, &limit)?;
            organisations::create(tx, &actor, &maker, &title, &slug)
        })
        .await;
    match made {
        Ok(made) => {
            let (to, message) = (path_of(&made.slug), format!("{} is created. You're its owner.", made.name));
            let view = OrganisationView::from((made, Role::Owner));
            Ok(Reply::done(to, message).status(StatusCode::CREATED).with("organisation", view)?)
        }
        Err(Error::Invalid(errors)) => refuse(&me, &app, form, errors).await,
        Err(error) => Err(error),
    }
}

async fn refuse(me: &VerifiedUser, app: &App, form: Form, errors: Errors) -> Result<Reply> {
    let page = mine(me, app, form, errors.clone()).await?;
    Ok(Reply::refused(page, Error::Invalid(errors)))
}

/// `GET /organisations/{slug}`: for its members; for everybody else there is nothing here.
pub(crate) async fn show(
    me: VerifiedUser,
    slug: Path<String>,
    cursor: Query<Cursor>,
    app: Data<App>,
) -> Result<Reply> {
    let (id, slug, cursor) = (me.user.id.clone(), slug.into_inner(), cursor.into_inner().next);
    let (seen, mut members) = app
        .read(move |conn| {
            let seen = organisation::seen_by(conn, &slug, &id)?;
            // One more than a page tells whether there is another.
            let most = i64::try_from(A_PAGE + 1).map_err(Error::internal)?;
            let members = membership::list(conn, &seen.0.id, cursor.as_ref(), most)?;
            Ok((seen, members))
        })
        .await?;
    let has_more = members.len() > A_PAGE;
    members.truncate(A_PAGE);
    let next = members.last().filter(|_| has_more).map(|last| last.user_id.clone());
    let members = members.into_iter().map(|member| MemberView::new(member, &me.user.id)).collect();
    Ok(Reply::page(MembersPage {
        organisation: OrganisationView::from(seen),
        members,
        next,
        roles: Role::ALL,
    }))
}

/// `PUT /organisations/{slug}/members/{member}` and `POST …/role`: an owner gives a member another role.
pub(crate) async fn set_role(
    me: SteppedUpVerifiedUser,
    path: Path<(String, UserId)>,
    Input(form): Input<RoleForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (slug, member) = path.into_inner();
    let Some(role) = Role::from_word(&form.role) else {
        return Err(Error::Invalid(Errors::one("role", "Choose owner, editor or viewer.")));
    };
    let (actor, owner, to) = (me.actor(), me.user.id.clone(), path_of(&slug));
    app.write(move |tx| {
        let organisation = organisation::owned_by(tx.conn, &slug, &owner)?;
        organisations::set_role(tx, &actor, &organisation.id, &member, role)
    })
    .await?;
    Reply::done(to, "The role is changed.").with("role", role)
}

/// `DELETE /organisations/{slug}/members/{member}` and `POST …/remove`: an owner takes a member out.
pub(crate) async fn remove(
    me: SteppedUpVerifiedUser,
    path: Path<(String, UserId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (slug, member) = path.into_inner();
    let to = if member == me.user.id { "/organisations".to_owned() } else { path_of(&slug) };
    let (actor, owner) = (me.actor(), me.user.id.clone());
    app.write(move |tx| {
        let organisation = organisation::owned_by(tx.conn, &slug, &owner)?;
        organisations::remove_member(tx, &actor, &organisation.id, &member)
    })
    .await?;
    Ok(Reply::done(to, "They no longer belong to the organisation."))
}

/// `POST /organisations/{slug}/leave`
pub(crate) async fn leave(me: VerifiedUser, slug: Path<String>, app: Data<App>) -> Result<Reply> {
    let (actor, id, slug) = (me.actor(), me.user.id.clone(), slug.into_inner());
    let left = app
        .write(move |tx| {
            let (organisation, _) = organisation::seen_by(tx.conn, &slug, &id)?;
            organisations::remove_member(tx, &actor, &organisation.id, &id)?;
            Ok(organisation)
        })
        .await?;
    Ok(Reply::done("/organisations", format!("You no longer belong to {}.", left.name)))
}

fn path_of(slug: &str) -> String {
    format!("/organisations/{slug}")
}

impl Form {
    fn check(&self) -> Result<(Title, Slug), Errors> {
        let mut errors = Errors::default();
        let title = Title::parse(&self.name).map_err(|problem| errors.add("name", problem)).ok();
        let slug = match (self.slug.trim(), &title) {
            // Without a name there is nothing to say about its slug.
            ("", None) => None,
            ("", Some(title)) => Slug::parse(&title.slug())
                .map_err(|_| errors.add("slug", "Choose an address for it: a to z, digits and dashes."))
                .ok(),
            (typed, _) => Slug::parse(typed).map_err(|problem| errors.add("slug", problem)).ok(),
        };
        title.zip(slug).ok_or(errors)
    }
}

impl From<(Organisation, Role)> for OrganisationView {
    fn from((organisation, role): (Organisation, Role)) -> Self {
        let Organisation { id, name, slug, created_at } = organisation;
        Self { id, name, slug, role, created_at }
    }
}

impl MemberView {
    fn new(member: Member, me: &UserId) -> Self {
        Self {
            you: member.user_id == *me,
            id: member.user_id,
            name: member.name,
            email: member.email.spelled().to_owned(),
            role: member.role,
            since: member.since,
        }
    }
}
