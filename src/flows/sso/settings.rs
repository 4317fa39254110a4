//! One connection: made, looked at, changed, tried and removed.

use actix_web::{
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{
    access::{SsoAdmin, find, owned, path_of, write},
    attempts::AttemptView,
    form::Form,
    likes::{LIKES, Like, WalkthroughView},
    metadata::{left_out, read_metadata},
    steps::{self, AttributeView, Step},
    views::{ConnectionView, OrganisationView, ServiceView},
};
use crate::{
    accounts::{connections, service_keys, setup_link},
    app::App,
    clock::Timestamp,
    db::Tx,
    error::{Error, Errors, Result},
    ids::ConnectionId,
    kinds::Role,
    log,
    model::{
        audit::Actor,
        connection::{self, Connection, NewConnection},
        domain, identity,
        organisation::Organisation,
        service_key, sso_attempt,
    },
    saml::{Certificate, ServiceKey},
    web::{Document, Input, Query, Reply},
};

// The key of this house: replaced by its operator, not by a date.
const KEY_LIFE: TimeDelta = TimeDelta::days(3_650);

/// The form for a new connection.
#[derive(Template, Serialize)]
#[template(path = "sso_new.html")]
pub(crate) struct NewPage {
    organisation: OrganisationView,
    service: ServiceView,
    #[serde(rename = "connection")]
    form: Form,
    likes: &'static [Like],
    walkthrough: Option<WalkthroughView>,
    #[serde(skip)]
    roles: &'static [Role],
    #[serde(skip)]
    errors: Errors,
}

/// A connection with its settings.
#[derive(Template, Serialize)]
#[template(path = "sso_connection.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionPage {
    organisation: OrganisationView,
    connection: ConnectionView,
    service: ServiceView,
    steps: Vec<Step>,
    attributes: Vec<AttributeView>,
    settings: Form,
    certificates: Vec<Certificate>,
    /// Why the metadata would be refused today.
    problem: Option<&'static str>,
    /// How many people are known by it.
    identities: i64,
    /// Whether people sign in by it, or are led to it: then no set-up link can be made.
    is_in_use: bool,
    /// Until when its set-up link works, where it has one.
    setup_link_until: Option<Timestamp>,
    attempts: Vec<AttemptView>,
    likes: &'static [Like],
    walkthrough: Option<WalkthroughView>,
    #[serde(skip)]
    roles: &'static [Role],
    #[serde(skip)]
    errors: Errors,
}

/// What to fill in: the names of an identity provider, or a group.
#[derive(Deserialize)]
pub(crate) struct Alike {
    like: Option<String>,
    group: Option<String>,
}

/// `GET /organisations/{slug}/sso/new`
pub(crate) async fn new(me: SsoAdmin, query: Query<Alike>, app: Data<App>) -> Result<Reply> {
    let organisation = owned(&me, &app).await?;
    Ok(Reply::page(NewPage::of(&app, &organisation, Form::blank(query.like.as_deref()), Errors::default())))
}

impl NewPage {
    fn of(app: &App, organisation: &Organisation, form: Form, errors: Errors) -> Self {
        let (organisation, service) = (organisation.into(), ServiceView::of(app));
        let walkthrough = WalkthroughView::of(Some(&form.like), &service);
        Self { organisation, service, form, likes: &LIKES, walkthrough, roles: Role::ALL, errors }
    }

    /// Whether the rest of the settings is shown at once: something there is wrong, or differs from an empty form.
    fn opens_advanced(&self) -> bool {
        let usual = ["name", "metadataUrl", "metadata", "entityId", "signInUrl", "certificate"];
        self.errors.iter().any(|(field, _)| Errors::is_field(field) && !usual.contains(&field))
    }
}

/// `POST /organisations/{slug}/sso`
pub(crate) async fn create(me: SsoAdmin, Document(form): Document<Form>, app: Data<App>) -> Result<Reply> {
    let organisation = owned(&me, &app).await?;
    match make(&me, &organisation, &form, &app).await {
        Ok((made, left_out)) => {
            let to = format!("{}/{}", path_of(&organisation), made.id);
            let message = match made.is_blank() {
                true => format!("{} is ready to be set up. Create a set-up link.", made.name),
                false => format!("{} is connected. Test it now.{left_out}", made.name),
            };
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
    me: &SsoAdmin,
    organisation: &Organisation,
    form: &Form,
    app: &App,
) -> Result<(Connection, String)> {
    let settings = form.check().map_err(Error::Invalid)?;
    let (metadata, metadata_url, left_out) = match form.later {
        true => (String::new(), None, String::new()),
        false => {
            let (provider, url) =
                read_metadata(me.person()?.user.id.as_str(), &form.source, None, app).await?;
            (provider.metadata(), url, left_out(&provider))
        }
    };
    let key = missing_key(app).await?;
    let new = NewConnection {
        name: settings.name.clone(),
        metadata,
        metadata_url,
        mapping: settings.mapping.clone(),
    };
    let of = organisation.id.clone();
    write(me, &organisation.id, app, move |tx, actor| {
        if let Some(key) = &key {
            service_keys::begin(tx, actor, key)?;
        }
        let made = connections::make(tx, actor, &of, new, settings)?;
        let made = made.map_err(|reason| Error::Invalid(Errors::one("metadata", reason.sentence())))?;
        Ok((made, left_out))
    })
    .await
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
pub(crate) async fn show(
    me: SsoAdmin,
    path: Path<(String, ConnectionId)>,
    query: Query<Alike>,
    app: Data<App>,
) -> Result<Reply> {
    let (organisation, connection) = find(&me, path.into_inner(), &app).await?;
    let Alike { like, group } = query.into_inner();
    let settings = Form::of(&connection, &connection.mapping()?);
    let settings = settings.filled_like(like.as_deref()).with_group(group.as_deref());
    Ok(Reply::page(ConnectionPage::of(&app, &organisation, connection, settings, Errors::default()).await?))
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
        let looked_at = connection.clone();
        let (identities, attempts, domains, is_in_use, setup_link_until) = app
            .read(move |conn| {
                let domains = domain::domains_of_connection(conn, &id)?;
                let until = setup_link::outstanding(conn, &looked_at.organisation_id, &id, now)?;
                let is_in_use = setup_link::is_in_use(conn, &looked_at)?;
                Ok((identity::count(conn, &id)?, sso_attempt::of(conn, &id)?, domains, is_in_use, until))
            })
            .await?;
        let details = attempts.iter().filter(|one| one.is_signed).filter_map(|one| one.detail(&keys).ok());
        let latest = details.into_iter().find(|detail| !detail.attributes.is_empty());
        let service = ServiceView::of(app);
        let of_provider = connection.clone();
        let provider = log::spawn_blocking(move || of_provider.provider(now)).await;
        let (certificates, problem) = match provider.map_err(Error::internal)? {
            Ok(provider) => (provider.certificates, None),
            Err(reason) => (Vec::new(), Some(reason.sentence())),
        };
        Ok(Self {
            organisation: organisation.into(),
            steps: steps::steps(&connection, &domains),
            attributes: steps::attributes(&connection, &connection.mapping()?, latest.as_ref()),
            connection: ConnectionView::new(connection, now),
            walkthrough: WalkthroughView::of(Some(&settings.like), &service),
            service,
            settings,
            certificates,
            problem,
            identities,
            is_in_use,
            setup_link_until: setup_link_until.filter(|_| !is_in_use),
            attempts: attempts.iter().map(|one| AttemptView::new(one, &keys)).collect(),
            likes: &LIKES,
            roles: Role::ALL,
            errors,
        })
    }
}

/// `PUT /organisations/{slug}/sso/{connection}` and `POST` for forms: other settings. It has to be tested again.
pub(crate) async fn save(
    me: SsoAdmin,
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
    let (now, before, of) = (app.now(), connection.clone(), organisation.id.clone());
    let saved = write(&me, &organisation.id, &app, move |tx, actor| {
        connections::change(tx, actor, &of, &before.id, settings)?;
        connection::owned(tx.conn, &of, &before.id)
    })
    .await;
    let saved = match saved {
        Err(Error::Invalid(errors)) => {
            let page = ConnectionPage::of(&app, &organisation, connection, form, errors.clone()).await?;
            return Ok(Reply::refused(page, Error::Invalid(errors)));
        }
        saved => saved?,
    };
    let message = match saved.tested_at {
        Some(_) => "Saved.",
        None => "Saved. Test the connection with its new settings.",
    };
    Reply::done(to, message).with("connection", ConnectionView::new(saved, now))
}

/// `DELETE /organisations/{slug}/sso/{connection}` and `POST …/remove`: ends it and every identity it vouched for.
pub(crate) async fn remove(
    me: SsoAdmin,
    path: Path<(String, ConnectionId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (organisation, connection) = find(&me, path.into_inner(), &app).await?;
    let (to, of) = (path_of(&organisation), organisation.id.clone());
    let message = format!("{} is removed. Nobody can sign in through it any more.", connection.name);
    let change = move |tx: &mut Tx, actor: &Actor| connections::remove(tx, actor, &of, &connection.id);
    write(&me, &organisation.id, &app, change).await?;
    Ok(Reply::done(to, message))
}
