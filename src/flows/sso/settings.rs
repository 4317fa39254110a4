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
    client_form,
    form::Form,
    likes::{self, Like, WalkthroughView},
    metadata::{certificates, left_out, read_metadata},
    steps::{self, AttributeView, Step},
    views::{ClientView, ConnectionView, OrganisationView, ServiceView},
};
use crate::{
    accounts::{connections, service_keys, setup_link},
    app::App,
    clock::Timestamp,
    db::Tx,
    error::{Error, Errors, Result},
    ids::ConnectionId,
    kinds::{Protocol, Role},
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
    /// What an OpenID provider has to know, where one is to be connected.
    client: Option<ClientView>,
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
    protocol: Option<String>,
}

/// `GET /organisations/{slug}/sso/new?protocol=&like=`: without either, the page asks for them first.
pub(crate) async fn new(me: SsoAdmin, query: Query<Alike>, app: Data<App>) -> Result<Reply> {
    let organisation = owned(&me, &app).await?;
    let protocol = query.protocol.as_deref().and_then(Protocol::from_word);
    let protocol = protocol.or(query.like.is_some().then_some(Protocol::Saml));
    let form = Form::blank(protocol, query.like.as_deref());
    Ok(Reply::page(NewPage::of(&app, &organisation, form, Errors::default())?))
}

impl NewPage {
    fn of(app: &App, organisation: &Organisation, mut form: Form, errors: Errors) -> Result<Self> {
        let (config, service, protocol) = (app.config(), ServiceView::of(app), form.protocol());
        let client = match protocol {
            Protocol::Saml => None,
            Protocol::Oidc => {
                let known = client_form::reserved(&config.keys, &organisation.id, &form.client.reserved);
                let id = match known {
                    Some(id) => id,
                    None => {
                        let (sealed, id) = client_form::reserve(&config.keys, &organisation.id)?;
                        form.client.reserved = sealed;
                        id
                    }
                };
                Some(ClientView::of(&config.site, &id))
            }
        };
        let walkthrough = WalkthroughView::of(&form.like, &service, client.as_ref());
        let (organisation, likes) = (organisation.into(), likes::known(protocol));
        Ok(Self { organisation, service, client, form, likes, walkthrough, roles: Role::ALL, errors })
    }

    /// Whether it is chosen how the identity provider is spoken to.
    fn is_chosen(&self) -> bool {
        !self.form.protocol.is_empty() || !self.errors.is_empty()
    }

    /// What can be chosen.
    fn choices(&self) -> impl Iterator<Item = (&'static Protocol, &'static [Like])> {
        Protocol::ALL.iter().map(|protocol| (protocol, likes::known(*protocol)))
    }

    /// Whether the rest of the settings is shown at once: something there is wrong, or differs from an empty form.
    fn opens_advanced(&self) -> bool {
        let usual = [
            "name",
            "metadataUrl",
            "metadata",
            "entityId",
            "signInUrl",
            "certificate",
            "issuer",
            "clientId",
            "clientSecret",
            "secretExpires",
        ];
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
            let view = ConnectionView::new(made, app.now(), &app.config().site);
            Reply::done(to, message).status(StatusCode::CREATED).with("connection", view)
        }
        Err(Error::Invalid(errors)) => {
            let page = NewPage::of(&app, &organisation, form, errors.clone())?;
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
    if form.protocol() == Protocol::Oidc {
        return client_form::make(me, &organisation.id, form, app).await.map(|made| (made, String::new()));
    }
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
    let Alike { like, group, .. } = query.into_inner();
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
        let (certificates, problem) = certificates(app, connection.clone()).await?;
        let (protocol, connection_mapping) = (connection.protocol, connection.mapping()?);
        let attributes = steps::attributes(&connection, &connection_mapping, latest.as_ref());
        let steps = steps::steps(&connection, &domains);
        let connection = ConnectionView::new(connection, now, &app.config().site);
        Ok(Self {
            organisation: organisation.into(),
            steps,
            attributes,
            walkthrough: WalkthroughView::of(&settings.like, &service, connection.client.as_ref()),
            connection,
            service,
            settings,
            certificates,
            problem,
            identities,
            is_in_use,
            setup_link_until: setup_link_until.filter(|_| !is_in_use),
            attempts: attempts.iter().map(|one| AttemptView::new(one, &keys)).collect(),
            likes: likes::known(protocol),
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
    let checked = match connection.protocol {
        Protocol::Saml => form.check().map_err(Error::Invalid),
        Protocol::Oidc => client_form::settle(&me, &form, &connection, &app).await,
    };
    let settings = match checked {
        Err(Error::Invalid(errors)) => {
            let page = ConnectionPage::of(&app, &organisation, connection, form, errors.clone()).await?;
            return Ok(Reply::refused(page, Error::Invalid(errors)));
        }
        checked => checked?,
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
    Reply::done(to, message).with("connection", ConnectionView::new(saved, now, &app.config().site))
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
