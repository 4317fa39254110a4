//! The directory of an organisation, for its owners: turned on and off, its tokens, what its groups are here, and whom it lists.

mod views;

use actix_web::{
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use self::views::{DirectoryView, SuspendedView, TokenView};
use crate::{
    accounts::{
        access::AccessRequest,
        directories::{self, DIRECTORY_TOKEN_LIMIT, Place},
        directory_groups, directory_people, directory_roles,
    },
    app::App,
    config::parse_span,
    db::{Conn, Tx},
    error::{Error, Errors, Result},
    ids::{DirectoryGroupId, DirectoryPersonId, DirectoryTokenId, OrganisationId, UserId},
    model::{directory::person::Search, held_role::HeldRole, organisation::Organisation},
    urls,
    web::{
        Input, Member, OptionalInput, Query, Reply, SteppedUpMember, directory_path::ROOT, input,
        member::ScimManage,
    },
};

/// The directory of an organisation, where it has one.
#[derive(Template, Serialize)]
#[template(path = "directory.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct DirectoryPage {
    /// Where the identity provider calls.
    base_url: String,
    directory: Option<DirectoryView>,
    /// Whom the organisation keeps out, also those whom the directory lists no more.
    suspended: Vec<SuspendedView>,
    #[serde(skip)]
    organisation: Organisation,
    #[serde(skip)]
    roles: Vec<HeldRole>,
    #[serde(skip)]
    lives: Vec<&'static str>,
    #[serde(skip)]
    query: ListQuery,
    #[serde(skip)]
    form: TokenForm,
    #[serde(skip)]
    errors: Errors,
}

/// A token that was just made; its secret is shown this once.
#[derive(Template, Serialize)]
#[template(path = "directory_token.html")]
pub(crate) struct TokenPage {
    token: TokenView,
    secret: String,
    #[serde(skip)]
    base_url: String,
    #[serde(skip)]
    path: String,
}

/// Whom a page lists.
#[derive(Debug, Default, Clone, Deserialize)]
pub(crate) struct ListQuery {
    q: Option<String>,
    state: Option<String>,
    after: Option<DirectoryPersonId>,
}

/// What owners decide; what is absent stays.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SettingsForm {
    default_role: Option<String>,
    #[serde(default, deserialize_with = "input::optional_tick")]
    is_required: Option<bool>,
    #[serde(default, deserialize_with = "input::optional_tick")]
    is_paused: Option<bool>,
}

/// A new token: `expiresIn` is a span such as `90d`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TokenForm {
    #[serde(default)]
    name: String,
    expires_in: Option<String>,
}

/// A role, or nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleForm {
    role: Option<String>,
}

// What the form offers where `SCIM_TOKEN_LIFE` allows it.
const LIVES: [&str; 4] = ["365d", "180d", "90d", "30d"];

impl DirectoryPage {
    fn path(&self) -> String {
        path_of(&self.organisation.slug)
    }

    /// The query of the next page.
    fn more(&self, next: &DirectoryPersonId) -> String {
        let own = [("q", &self.query.q), ("state", &self.query.state)];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
        urls::with_query(&self.path(), own.chain([("after", next.to_string())]))
    }
}

fn path_of(slug: &str) -> String {
    urls::organisation_page(slug, "directory")
}

/// [`Error::NotFound`] where no organisation has a directory on this site.
fn ensure_on(app: &App) -> Result<()> {
    if app.config().scim { Ok(()) } else { Err(Error::NotFound) }
}

/// `GET /organisations/{slug}/directory`
pub(crate) async fn show(me: Member<ScimManage>, query: Query<ListQuery>, app: Data<App>) -> Result<Reply> {
    let query = query.into_inner();
    page(me.access(), &app, query, TokenForm::default(), Errors::default()).await.map(Reply::page)
}

async fn page(
    access: AccessRequest,
    app: &App,
    query: ListQuery,
    form: TokenForm,
    errors: Errors,
) -> Result<DirectoryPage> {
    ensure_on(app)?;
    let asked = query.clone();
    let read = app.read(move |conn| {
        let mine = access.decide(conn)?;
        let of = &mine.organisation.id;
        let search = Search {
            is_waiting: asked.state.as_deref() == Some("waiting"),
            typed: asked.q.clone(),
            ..Search::default()
        };
        let directory = match Place::of(conn, of) {
            Ok(place) => Some(DirectoryView::of(conn, &place, search, asked.after.as_ref(), access.now)?),
            Err(Error::NotFound) => None,
            Err(error) => return Err(error),
        };
        let (suspended, roles) = (views::suspended(conn, of)?, directory_roles::givable(conn, of)?);
        Ok((directory, suspended, roles, mine.organisation))
    });
    let (directory, suspended, roles, organisation) = read.await?;
    let longest = app.config().lifetimes.scim_token;
    Ok(DirectoryPage {
        base_url: app.config().site.link(ROOT),
        directory,
        suspended,
        organisation,
        roles,
        lives: LIVES.into_iter().filter(|life| parse_span(life).is_some_and(|one| one <= longest)).collect(),
        query,
        form,
        errors,
    })
}

/// A write of an owner: what `act` does with the organisation, and where to go then.
async fn write<T: Send + 'static>(
    me: &SteppedUpMember<ScimManage>,
    app: &App,
    act: impl FnOnce(&mut Tx, &AccessRequest, &OrganisationId) -> Result<T> + Send + 'static,
) -> Result<(T, String)> {
    ensure_on(app)?;
    let access = me.access();
    app.write(move |tx| {
        let mine = access.decide_locked(tx)?;
        let done = act(tx, &access, &mine.organisation.id)?;
        Ok((done, path_of(&mine.organisation.slug)))
    })
    .await
}

/// `POST /organisations/{slug}/directory`
pub(crate) async fn save(
    me: SteppedUpMember<ScimManage>,
    OptionalInput(form): OptionalInput<SettingsForm>,
    app: Data<App>,
) -> Result<Reply> {
    let saved = write(&me, &app, move |tx, access, of| {
        let mut directory = directories::turn_on(tx, &access.actor, of)?;
        let before = directory.clone();
        if let Some(role) = &form.default_role {
            directory.default_role = role_called(tx.conn, of, role, "defaultRole")?.to_string();
        }
        directory.is_required = form.is_required.unwrap_or(directory.is_required);
        directory.is_paused = form.is_paused.unwrap_or(directory.is_paused);
        let is_same = (&before.default_role, before.is_required, before.is_paused)
            == (&directory.default_role, directory.is_required, directory.is_paused);
        if is_same { Ok(()) } else { directories::change(tx, &access.actor, &directory) }
    });
    let ((), path) = saved.await?;
    Ok(Reply::done(path, "The directory is saved."))
}

/// One of the organisation's roles, by its word or id.
fn role_called(conn: &mut Conn, of: &OrganisationId, role: &str, field: &'static str) -> Result<HeldRole> {
    let found = directory_roles::held(conn, of, role)?;
    found.ok_or_else(|| Error::Invalid(Errors::one(field, "Choose one of the roles.")))
}

/// `DELETE /organisations/{slug}/directory` and `POST …/remove`
pub(crate) async fn remove(me: SteppedUpMember<ScimManage>, app: Data<App>) -> Result<Reply> {
    let removed = write(&me, &app, |tx, access, of| directories::turn_off(tx, &access.actor, of));
    let ((), path) = removed.await?;
    Ok(Reply::done(path, "The directory is turned off. Its tokens no longer work."))
}

/// `POST /organisations/{slug}/directory/tokens`
pub(crate) async fn make_token(
    me: SteppedUpMember<ScimManage>,
    Input(form): Input<TokenForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (name, life) = (form.name.clone(), form.life());
    let made = write(&me, &app, move |tx, access, of| {
        let place = Place::of(tx.conn, of)?;
        let (token, secret) = directories::make_token(tx, &access.actor, &place.directory, &name, life?)?;
        Ok((TokenView::of(token, tx.now), secret))
    });
    match made.await {
        Ok(((token, secret), path)) => {
            let (secret, base_url) = (secret.reveal().to_owned(), app.config().site.link(ROOT));
            Ok(Reply::page(TokenPage { token, secret, base_url, path }).status(StatusCode::CREATED))
        }
        Err(error @ (Error::Invalid(_) | Error::Refused(DIRECTORY_TOKEN_LIMIT, _))) => {
            let errors = match &error {
                Error::Invalid(errors) => errors.clone(),
                error => Errors::one("form", error.to_string()),
            };
            Ok(Reply::refused(page(me.access(), &app, ListQuery::default(), form, errors).await?, error))
        }
        Err(error) => Err(error),
    }
}

impl TokenForm {
    fn life(&self) -> Result<TimeDelta> {
        let text = self.expires_in.as_deref().map(str::trim).filter(|text| !text.is_empty());
        parse_span(text.unwrap_or("90d")).ok_or_else(|| {
            Error::Invalid(Errors::one("expiresIn", "Write a whole number and d or h, such as 90d."))
        })
    }
}

/// `DELETE /organisations/{slug}/directory/tokens/{id}` and `POST …/remove`
pub(crate) async fn end_token(
    me: SteppedUpMember<ScimManage>,
    path: Path<(String, DirectoryTokenId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (_, id) = path.into_inner();
    let ended = write(&me, &app, move |tx, access, of| {
        let place = Place::of(tx.conn, of)?;
        directories::end_token(tx, &access.actor, &place.directory, &id)
    });
    let (token, path) = ended.await?;
    Ok(Reply::done(path, format!("The token {} no longer works.", token.name)))
}

/// `PUT /organisations/{slug}/directory/groups/{id}` and `POST …/role`
pub(crate) async fn set_role(
    me: SteppedUpMember<ScimManage>,
    path: Path<(String, DirectoryGroupId)>,
    Input(form): Input<RoleForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (_, id) = path.into_inner();
    let set = write(&me, &app, move |tx, access, of| {
        let place = Place::of(tx.conn, of)?;
        let role = form.role.filter(|role| !role.is_empty());
        let role = role.map(|role| role_called(tx.conn, of, &role, "role")).transpose()?;
        directory_groups::set_role(tx, &access.actor, &place, &id, role.as_ref())
    });
    let (kept, path) = set.await?;
    app.metrics().directory(0, kept);
    let message = match kept {
        0 => "The group's role is saved.",
        _ => "The group's role is saved. An owner stays one, because the organisation needs one.",
    };
    Ok(Reply::done(path, message))
}

/// `POST /organisations/{slug}/directory/people/{id}/ask`
pub(crate) async fn ask(
    me: SteppedUpMember<ScimManage>,
    path: Path<(String, DirectoryPersonId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (_, id) = path.into_inner();
    let asked = write(&me, &app, move |tx, access, of| {
        let place = Place::of(tx.conn, of)?;
        directory_people::ask(tx, &access.actor, &place, &id)
    });
    let ((), path) = asked.await?;
    Ok(Reply::done(path, "We sent them another email."))
}

/// `POST /organisations/{slug}/directory/suspended/{id}/release`
pub(crate) async fn release(
    me: SteppedUpMember<ScimManage>,
    path: Path<(String, UserId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (_, id) = path.into_inner();
    let released = write(&me, &app, move |tx, access, of| directories::release(tx, &access.actor, of, &id));
    let ((), path) = released.await?;
    Ok(Reply::done(path, "They can sign in again. They are no member until you invite them."))
}
