//! One connection: made, looked at, changed, tried and removed.

use actix_web::{
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{
    AttemptView, ConnectionView, OrganisationView, ServiceView, count_question,
    form::{Form, LIKES, Like},
    owned, path_of,
};
use crate::{
    accounts::connections,
    app::App,
    clock::Timestamp,
    error::{Error, Errors, Result},
    ids::{AttemptId, ConnectionId},
    kinds::Role,
    log,
    model::{
        connection::{self, Connection, NewConnection, upkeep},
        identity,
        organisation::Organisation,
        service_key,
        sso_attempt::{self as attempts, Detail},
    },
    saml::{Certificate, ServiceKey},
    web::{Document, Input, Query, Reply, SteppedUpVerifiedUser},
};

// The key of this house: replaced by its operator, not by a date.
const KEY_LIFE: TimeDelta = TimeDelta::days(3_650);

/// The form for a new connection.
#[derive(Template, Serialize)]
#[template(path = "sso_new.html")]
pub struct NewPage {
    organisation: OrganisationView,
    service: ServiceView,
    #[serde(rename = "connection")]
    form: Form,
    likes: &'static [Like],
    #[serde(skip)]
    roles: &'static [Role],
    #[serde(skip)]
    errors: Errors,
}

/// A connection with its settings.
#[derive(Template, Serialize)]
#[template(path = "sso_connection.html")]
pub struct ConnectionPage {
    organisation: OrganisationView,
    connection: ConnectionView,
    settings: Form,
    certificates: Vec<Certificate>,
    /// Why the metadata would be refused today.
    problem: Option<&'static str>,
    /// How many people are known by it.
    identities: i64,
    attempts: Vec<AttemptView>,
    likes: &'static [Like],
    #[serde(skip)]
    roles: &'static [Role],
    #[serde(skip)]
    errors: Errors,
}

/// The form for other metadata.
#[derive(Template, Serialize)]
#[template(path = "sso_metadata.html")]
#[serde(rename_all = "camelCase")]
pub struct MetadataPage {
    organisation: OrganisationView,
    connection: ConnectionView,
    metadata_url: String,
    #[serde(skip)]
    typed: String,
    #[serde(skip)]
    errors: Errors,
}

/// What came of a response, in full.
#[derive(Template, Serialize)]
#[template(path = "sso_attempt.html")]
pub struct AttemptPage {
    organisation: OrganisationView,
    connection: ConnectionView,
    attempt: AttemptView,
    detail: Detail,
}

/// Which identity provider's names to fill in.
#[derive(Deserialize)]
pub struct Alike {
    like: Option<String>,
}

/// Other metadata.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct MetadataForm {
    metadata: String,
    metadata_url: String,
}

/// `GET /organisations/{slug}/sso/new`
pub async fn new(
    me: SteppedUpVerifiedUser,
    slug: Path<String>,
    query: Query<Alike>,
    app: Data<App>,
) -> Result<Reply> {
    let organisation = owned(&me, &slug, &app).await?;
    Ok(Reply::page(NewPage::of(&app, &organisation, Form::blank(query.like.as_deref()), Errors::default())))
}

impl NewPage {
    fn of(app: &App, organisation: &Organisation, form: Form, errors: Errors) -> Self {
        let (organisation, service) = (organisation.into(), ServiceView::of(app));
        Self { organisation, service, form, likes: &LIKES, roles: Role::ALL, errors }
    }
}

/// `POST /organisations/{slug}/sso`
pub async fn create(
    me: SteppedUpVerifiedUser,
    slug: Path<String>,
    Document(form): Document<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let organisation = owned(&me, &slug, &app).await?;
    match make(&me, &organisation, &form, &app).await {
        Ok(made) => {
            let to = format!("{}/{}", path_of(&organisation), made.id);
            let message = format!("{} is connected. Test it now.", made.name);
            let view = ConnectionView::new(made, app.now());
            Reply::done(to, message).status(StatusCode::CREATED).with("connection", view)
        }
        Err(Error::Invalid(errors)) => {
            let page = NewPage::of(&app, &organisation, form, errors.clone());
            Ok(Reply::refused(page, Error::Invalid(errors)))
        }
        Err(error) => Err(error),
    }
}

async fn make(
    me: &SteppedUpVerifiedUser,
    organisation: &Organisation,
    form: &Form,
    app: &App,
) -> Result<Connection> {
    let settings = form.check().map_err(Error::Invalid)?;
    let (metadata, metadata_url) = read_metadata(me, &form.metadata, &form.metadata_url, app).await?;
    let key = missing_key(app).await?;
    let new = NewConnection {
        name: settings.name.clone(),
        metadata,
        metadata_url,
        mapping: settings.mapping.clone(),
    };
    let (actor, organisation) = (me.actor(), organisation.id.clone());
    app.write(move |tx| {
        if let Some(key) = &key {
            service_key::begin(tx, &actor, key)?;
        }
        let made = connection::create(tx, &actor, &organisation, new)?;
        let made = made.map_err(|reason| Error::Invalid(Errors::one("metadata", reason.sentence())))?;
        // Whether requests are signed is the provider's wish to begin with; what is ticked counts as well.
        let signs_requests = made.signs_requests || settings.signs_requests;
        upkeep::change(tx, &actor, &organisation, &made.id, upkeep::Settings { signs_requests, ..settings })?;
        connection::by_id(tx.conn, &made.id)
    })
    .await
}

/// The metadata that was pasted, or that is behind the link. The link counts where both are there.
async fn read_metadata(
    me: &SteppedUpVerifiedUser,
    pasted: &str,
    url: &str,
    app: &App,
) -> Result<(String, Option<String>)> {
    let url = url.trim();
    if url.is_empty() && pasted.trim().is_empty() {
        let sentence = "Paste the metadata of your identity provider, or give the link to it.";
        return Err(Error::Invalid(Errors::one("metadata", sentence)));
    }
    if url.is_empty() {
        return Ok((pasted.to_owned(), None));
    }
    count_question(me, app).await?;
    match app.outbound().fetch(url).await {
        Ok(text) => Ok((text, Some(url.to_owned()))),
        Err(why) => Err(Error::Invalid(Errors::one("metadataUrl", why.to_string()))),
    }
}

/// A key for this house, where it has none yet. Making one takes some seconds of a core.
async fn missing_key(app: &App) -> Result<Option<ServiceKey>> {
    let config = app.config().clone();
    if !app.read(move |conn| service_key::service(conn, &config)).await?.keys.is_empty() {
        return Ok(None);
    }
    let (name, now) = (app.config().site.name.clone(), app.now());
    let made = log::spawn_blocking(move || ServiceKey::generate(&name, now, KEY_LIFE)).await;
    made.map_err(Error::internal)?.map(Some)
}

/// `GET /organisations/{slug}/sso/{connection}`
pub async fn show(
    me: SteppedUpVerifiedUser,
    path: Path<(String, ConnectionId)>,
    query: Query<Alike>,
    app: Data<App>,
) -> Result<Reply> {
    let (organisation, connection) = find(&me, path.into_inner(), &app).await?;
    let settings = Form::of(&connection, &connection.mapping()?).filled_like(query.like.as_deref());
    Ok(Reply::page(ConnectionPage::of(&app, &organisation, connection, settings, Errors::default()).await?))
}

async fn find(
    me: &SteppedUpVerifiedUser,
    (slug, id): (String, ConnectionId),
    app: &App,
) -> Result<(Organisation, Connection)> {
    let organisation = owned(me, &slug, app).await?;
    let of = organisation.id.clone();
    let connection = app.read(move |conn| connection::owned(conn, &of, &id)).await?;
    Ok((organisation, connection))
}

impl ConnectionPage {
    async fn of(
        app: &App,
        organisation: &Organisation,
        connection: Connection,
        settings: Form,
        errors: Errors,
    ) -> Result<Self> {
        let (now, id, keys) = (app.now(), connection.id.clone(), app.config().keys.clone());
        let (identities, attempts) =
            app.read(move |conn| Ok((identity::count(conn, &id)?, attempts::of(conn, &id)?))).await?;
        let of_provider = connection.clone();
        let provider = log::spawn_blocking(move || of_provider.provider(now)).await;
        let (certificates, problem) = match provider.map_err(Error::internal)? {
            Ok(provider) => (provider.certificates, None),
            Err(reason) => (Vec::new(), Some(reason.sentence())),
        };
        Ok(Self {
            organisation: organisation.into(),
            connection: ConnectionView::new(connection, now),
            settings,
            certificates,
            problem,
            identities,
            attempts: attempts.iter().map(|one| AttemptView::new(one, &keys)).collect(),
            likes: &LIKES,
            roles: Role::ALL,
            errors,
        })
    }
}

/// `PUT /organisations/{slug}/sso/{connection}` and `POST` for forms: other settings. It has to be tested again.
pub async fn save(
    me: SteppedUpVerifiedUser,
    path: Path<(String, ConnectionId)>,
    Input(form): Input<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let (organisation, connection) = find(&me, path.into_inner(), &app).await?;
    let settings = match form.check() {
        Ok(settings) => settings,
        Err(errors) => {
            let page = ConnectionPage::of(&app, &organisation, connection, form, errors.clone()).await?;
            return Ok(Reply::refused(page, Error::Invalid(errors)));
        }
    };
    let to = format!("{}/{}", path_of(&organisation), connection.id);
    let (actor, now) = (me.actor(), app.now());
    let saved = app
        .write(move |tx| {
            upkeep::change(tx, &actor, &organisation.id, &connection.id, settings)?;
            connection::owned(tx.conn, &organisation.id, &connection.id)
        })
        .await?;
    let message = match saved.tested_at {
        Some(_) => "Saved.",
        None => "Saved. Test the connection with its new settings.",
    };
    Reply::done(to, message).with("connection", ConnectionView::new(saved, now))
}

/// `GET /organisations/{slug}/sso/{connection}/metadata`
pub async fn metadata_form(
    me: SteppedUpVerifiedUser,
    path: Path<(String, ConnectionId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (organisation, connection) = find(&me, path.into_inner(), &app).await?;
    let url = connection.metadata_url.clone().unwrap_or_default();
    Ok(Reply::page(MetadataPage::of(
        &organisation,
        connection,
        app.now(),
        (String::new(), url),
        Errors::default(),
    )))
}

impl MetadataPage {
    fn of(
        organisation: &Organisation,
        connection: Connection,
        now: Timestamp,
        (typed, metadata_url): (String, String),
        errors: Errors,
    ) -> Self {
        let connection = ConnectionView::new(connection, now);
        Self { organisation: organisation.into(), connection, metadata_url, typed, errors }
    }
}

/// `POST /organisations/{slug}/sso/{connection}/metadata`: other metadata of the same identity provider.
pub async fn replace_metadata(
    me: SteppedUpVerifiedUser,
    path: Path<(String, ConnectionId)>,
    Document(form): Document<MetadataForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (organisation, connection) = find(&me, path.into_inner(), &app).await?;
    let to = format!("{}/{}", path_of(&organisation), connection.id);
    let before = connection.clone();
    let replaced = async {
        let (text, url) = read_metadata(&me, &form.metadata, &form.metadata_url, &app).await?;
        let actor = me.actor();
        app.write(move |tx| {
            let field = if url.is_some() { "metadataUrl" } else { "metadata" };
            let replaced = upkeep::replace(tx, &actor, &before, text, url)?;
            replaced.map_err(|unfit| Error::Invalid(Errors::one(field, unfit.to_string())))
        })
        .await
    };
    match replaced.await {
        Ok(()) => Ok(Reply::done(to, "The new metadata is in use. Test the connection.")),
        Err(Error::Invalid(errors)) => {
            let typed = (form.metadata, form.metadata_url);
            let page = MetadataPage::of(&organisation, connection, app.now(), typed, errors.clone());
            Ok(Reply::refused(page, Error::Invalid(errors)))
        }
        Err(error) => Err(error),
    }
}

/// `DELETE /organisations/{slug}/sso/{connection}` and `POST …/remove`: ends it and every identity it vouched for.
pub async fn remove(
    me: SteppedUpVerifiedUser,
    path: Path<(String, ConnectionId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (organisation, connection) = find(&me, path.into_inner(), &app).await?;
    let (actor, to) = (me.actor(), path_of(&organisation));
    let message = format!("{} is removed. Nobody can sign in through it any more.", connection.name);
    app.write(move |tx| connections::remove(tx, &actor, &organisation.id, &connection.id)).await?;
    Ok(Reply::done(to, message))
}

/// `GET /organisations/{slug}/sso/{connection}/attempts/{attempt}`: all that a response said, and each check.
pub async fn attempt(
    me: SteppedUpVerifiedUser,
    path: Path<(String, ConnectionId, AttemptId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (slug, id, attempt) = path.into_inner();
    let (organisation, connection) = find(&me, (slug, id), &app).await?;
    let of = connection.id.clone();
    let attempt = app.read(move |conn| attempts::one(conn, &of, &attempt)).await?;
    let keys = &app.config().keys;
    Ok(Reply::page(AttemptPage {
        organisation: (&organisation).into(),
        connection: ConnectionView::new(connection, app.now()),
        attempt: AttemptView::new(&attempt, keys),
        detail: attempt.detail(keys)?,
    }))
}
