//! Organisations: making one, seeing who belongs to it, and changing that.

mod deletion;
mod members;
mod policy;
mod settings;

use actix_web::{http::StatusCode, web::Data};
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    deletion::{delete, delete_form, restore, restore_form},
    members::{remove, set_role, show},
    policy::{policy, set_policy},
    settings::{rename, settings},
};

use crate::{
    accounts::{
        invitations,
        organisation_policy::{self, Credential, Unmet},
        organisations,
    },
    app::App,
    clock::Timestamp,
    db::Conn,
    error::{Error, Errors, Result, refusals},
    ids::{InvitationId, OrganisationId, UserId},
    kinds::Role,
    model::{
        held_role::HeldRole,
        invitation::Invitation,
        organisation::{self, Organisation, Slug, Title},
        rate_limit::{self, Limit},
    },
    oauth::ORGANISATION_READ,
    urls,
    web::{Authenticated, Input, Member, Principal, Reply, VerifiedUser, member::OwnMembership},
};

refusals! {
    /// Whoever runs the site creates organisations.
    ORGANISATIONS_BY_OPERATORS = (
        "organisations_by_operators", 403,
        "New organisations are created by the people who run this site. Ask them for one."
    ).at_organisations("That is not possible");
}

// Enough for anybody; a limit on those who would take every name.
const MOST_A_DAY: i32 = 10;

/// One's organisations, and the form for another.
#[derive(Template, Serialize)]
#[template(path = "organisations.html")]
pub(crate) struct OrganisationsPage {
    organisations: Vec<OwnView>,
    invitations: Vec<OwnInvitationView>,
    #[serde(skip)]
    can_create: bool,
    #[serde(skip)]
    name: String,
    #[serde(skip)]
    slug: String,
    #[serde(skip)]
    errors: Errors,
}

/// An organisation as one of its members sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrganisationView {
    id: OrganisationId,
    name: String,
    slug: String,
    role: HeldRole,
    role_name: String,
    created_at: Timestamp,
    current: bool,
    leaving: bool,
}

/// One of one's own organisations, and what one's session lacks to use it.
#[derive(Serialize)]
pub(crate) struct OwnView {
    #[serde(flatten)]
    organisation: OrganisationView,
    unmet: Option<&'static str>,
    /// The same in words.
    #[serde(skip)]
    lacking: Option<&'static str>,
}

/// An invitation to one's own address.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OwnInvitationView {
    id: InvitationId,
    organisation: String,
    role: String,
    invited_by: String,
    expires_at: Timestamp,
}

impl OwnInvitationView {
    fn new(conn: &mut Conn, one: &Invitation) -> Result<Self> {
        Ok(Self {
            id: one.id.clone(),
            organisation: organisation::by_id(conn, &one.organisation_id)?.name,
            role: one.role.words().to_owned(),
            invited_by: one.inviter.clone(),
            expires_at: one.expires_at,
        })
    }
}

/// What a new organisation is called.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    name: String,
    #[serde(default)]
    slug: String,
}

/// `GET /organisations`. An API key needs `account:read`, an access token `organisation:read`; a key that is for an organisation
/// reads of no other, and none of invitations.
pub(crate) async fn index(who: Principal<VerifiedUser>, app: Data<App>) -> Result<Reply> {
    let typed = Form { name: String::new(), slug: String::new() };
    let me = match who {
        Principal::User(me) => me,
        Principal::ApiKey(program) => {
            let (user, now) = (program.reads_account()?.id.clone(), program.now);
            let (only, ip) = (program.presented.key.organisation_id.clone(), program.ip);
            let organisations = app.read(move |conn| {
                let mut mine = own(conn, &user, None, Credential::ApiKey { ip, is_personal: true }, now)?;
                mine.retain(|one| only.as_ref().is_none_or(|only| *only == one.organisation.id));
                Ok(mine)
            });
            return Ok(read_only(organisations.await?, typed, &app));
        }
        Principal::Token(token) => {
            token.require(ORGANISATION_READ)?;
            let (user, by, now) = (token.user.id.clone(), token.by.clone(), token.now);
            let organisations = app.read(move |conn| own(conn, &user, None, (&by).into(), now));
            return Ok(read_only(organisations.await?, typed, &app));
        }
    };
    Ok(Reply::page(mine(&me, &app, typed, Errors::default()).await?))
}

/// Of invitations programs learn nothing.
fn read_only(organisations: Vec<OwnView>, typed: Form, app: &App) -> Reply {
    Reply::page(OrganisationsPage::of(organisations, Vec::new(), typed, Errors::default(), app))
}

/// Where a user belongs, and what is lacking to act there.
fn own(
    conn: &mut Conn,
    user: &UserId,
    current: Option<&OrganisationId>,
    credential: Credential,
    now: Timestamp,
) -> Result<Vec<OwnView>> {
    let mut mine = Vec::new();
    for (one, role) in organisation::of(conn, user)? {
        let unmet = organisation_policy::unmet(conn, (&one, &role, Some(user)), credential, now)?;
        let lacking = unmet.map(Unmet::words);
        let organisation = OrganisationView::new(one, role, current);
        mine.push(OwnView { organisation, unmet: unmet.map(Unmet::code), lacking });
    }
    Ok(mine)
}

async fn mine(me: &VerifiedUser, app: &App, typed: Form, errors: Errors) -> Result<OrganisationsPage> {
    let (user, now, session) = (me.user.clone(), app.now(), me.traits());
    let current = current_of(me).cloned();
    let read = app.read(move |conn| {
        let invited = invitations::to(conn, &user, now)?;
        let invited = invited.iter().map(|one| OwnInvitationView::new(conn, one)).collect::<Result<_>>()?;
        let mine = own(conn, &user.id, current.as_ref(), Credential::Session(&session), now)?;
        Ok((mine, invited))
    });
    let (organisations, invitations) = read.await?;
    Ok(OrganisationsPage::of(organisations, invitations, typed, errors, app))
}

impl OrganisationsPage {
    fn of(
        organisations: Vec<OwnView>,
        invitations: Vec<OwnInvitationView>,
        Form { name, slug }: Form,
        errors: Errors,
        app: &App,
    ) -> Self {
        let can_create = !app.config().organisations_by_operators;
        Self { organisations, invitations, can_create, name, slug, errors }
    }
}

/// `POST /organisations`
pub(crate) async fn create(me: VerifiedUser, Input(form): Input<Form>, app: Data<App>) -> Result<Reply> {
    if app.config().organisations_by_operators {
        return Err(ORGANISATIONS_BY_OPERATORS.error());
    }
    let (title, slug) = match form.check() {
        Ok(checked) => checked,
        Err(Error::Invalid(errors)) => return refuse(&me, &app, form, errors).await,
        Err(error) => return Err(error),
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
            let view = OrganisationView::new(made, HeldRole::BuiltIn(Role::Owner), None);
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

/// `POST /organisations/{slug}/leave`
pub(crate) async fn leave(me: Member<OwnMembership>, app: Data<App>) -> Result<Reply> {
    let access = me.access();
    let left = app
        .write(move |tx| {
            // Nobody is kept in by what the organisation asks for.
            let mine = access.decide_unbound_locked(tx)?;
            organisations::remove_member(tx, &access.actor, &mine.organisation.id, mine.person()?)?;
            Ok(mine.organisation)
        })
        .await?;
    Ok(Reply::done("/organisations", format!("You no longer belong to {}.", left.name)))
}

/// The organisation in use.
fn current_of(me: &Authenticated) -> Option<&OrganisationId> {
    me.organisation.as_ref().map(|current| &current.id)
}

fn path_of(slug: &str) -> String {
    urls::organisation(slug)
}

impl Form {
    fn check(&self) -> Result<(Title, Slug)> {
        let mut errors = Errors::default();
        let title = Title::parse(&self.name).map_err(|problem| errors.add("name", problem)).ok();
        let slug = match (self.slug.trim(), &title) {
            // Without a name there is nothing to say about its slug.
            ("", None) => None,
            ("", Some(title)) => Some(title.slug()?),
            (typed, _) => Slug::for_new(typed).map_err(|problem| errors.add("slug", problem)).ok(),
        };
        title.zip(slug).ok_or(Error::Invalid(errors))
    }
}

impl OrganisationView {
    /// `current`: the organisation in use.
    fn new(organisation: Organisation, role: HeldRole, current: Option<&OrganisationId>) -> Self {
        Self {
            role_name: role.words().to_owned(),
            role,
            current: current == Some(&organisation.id),
            leaving: organisation.is_leaving(),
            id: organisation.id,
            name: organisation.name,
            slug: organisation.slug,
            created_at: organisation.created_at,
        }
    }
}
