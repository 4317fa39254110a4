//! The page of a set-up link: one connection, for a colleague who has no account here. It shows no people, and no sign-ins
//! but the tests of its bearers.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use super::{
    attempts::AttemptView,
    client_form,
    form::Form,
    likes::{self, Like, WalkthroughView},
    metadata::{certificates, left_out, read_metadata},
    steps::{self, AttributeView},
    views::{ConnectionView, ServiceView},
};
use crate::{
    accounts::setup_link::{self, GivenMetadata, OpenedLink},
    app::App,
    clock::Timestamp,
    error::{Error, Errors, Result},
    ids::AttemptId,
    kinds::Protocol,
    model::{
        connection::Connection,
        sso_attempt::{self, Detail},
        token::SetUpConnection,
    },
    saml::Certificate,
    secret::Secret,
    web::{Client, Document, Query, Reply},
};

/// What the bearer of a link sees.
#[derive(Template, Serialize)]
#[template(path = "sso_setup.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetupPage {
    organisation: String,
    expires_at: Timestamp,
    connection: ConnectionView,
    service: ServiceView,
    attributes: Vec<AttributeView>,
    settings: Form,
    certificates: Vec<Certificate>,
    /// Why the metadata would be refused today.
    problem: Option<&'static str>,
    tests: Vec<AttemptView>,
    /// All of the test that was asked for.
    detail: Option<Detail>,
    likes: &'static [Like],
    walkthrough: Option<WalkthroughView>,
    #[serde(skip)]
    token: String,
    #[serde(skip)]
    errors: Errors,
}

/// The link, which test to show, and whose console to walk through.
#[derive(Deserialize)]
pub(crate) struct SetupQuery {
    #[serde(default)]
    token: Secret<SetUpConnection>,
    attempt: Option<AttemptId>,
    like: Option<String>,
}

/// What the bearer of a link types. Roles and what follows a sign-in are for owners to set.
#[derive(Deserialize)]
pub(crate) struct SetupForm {
    #[serde(default)]
    token: Secret<SetUpConnection>,
    #[serde(flatten)]
    form: Form,
}

/// `GET /sso/setup?token=`
pub(crate) async fn show_setup(query: Query<SetupQuery>, app: Data<App>) -> Result<Reply> {
    let SetupQuery { token, attempt, like } = query.into_inner();
    let opened = open(&app, &token).await?;
    let form = Form::of(&opened.connection, &opened.connection.mapping()?).filled_like(like.as_deref());
    Ok(Reply::page(SetupPage::of(&app, opened, token, form, attempt, Errors::default()).await?))
}

async fn open(app: &App, token: &Secret<SetUpConnection>) -> Result<OpenedLink> {
    let (secret, now) = (token.clone(), app.now());
    app.read(move |conn| setup_link::open(conn, &secret, now)).await
}

impl SetupPage {
    async fn of(
        app: &App,
        opened: OpenedLink,
        token: Secret<SetUpConnection>,
        settings: Form,
        attempt: Option<AttemptId>,
        errors: Errors,
    ) -> Result<Self> {
        let OpenedLink { organisation, connection, made_at, expires_at } = opened;
        let (now, id, keys) = (app.now(), connection.id.clone(), &app.config().keys);
        let tests = app.read(move |conn| sso_attempt::by_link(conn, &id, made_at)).await?;
        let shown = attempt.and_then(|asked| tests.iter().find(|one| one.id == asked));
        let detail = shown.map(|one| one.detail(keys)).transpose()?;
        let latest = tests.iter().filter_map(|one| one.detail(keys).ok());
        let latest = latest.into_iter().find(|detail| !detail.attributes.is_empty());
        let (certificates, problem) = certificates(app, connection.clone()).await?;
        let service = ServiceView::of(app);
        let likes = likes::known(connection.protocol);
        let attributes = steps::attributes(&connection, &connection.mapping()?, latest.as_ref());
        let connection = ConnectionView::new(connection, now, &app.config().site);
        Ok(Self {
            organisation: organisation.name,
            expires_at,
            attributes,
            walkthrough: WalkthroughView::of(&settings.like, &service, connection.client.as_ref()),
            connection,
            service,
            settings,
            certificates,
            problem,
            tests: tests.iter().map(|one| AttemptView::new(one, keys)).collect(),
            detail,
            likes,
            token: token.reveal().to_owned(),
            errors,
        })
    }
}

/// `POST /sso/setup`: the identity provider, and how it tells who people are. What is left empty of the metadata stays.
pub(crate) async fn set_up(
    client: Client,
    Document(sent): Document<SetupForm>,
    app: Data<App>,
) -> Result<Reply> {
    let SetupForm { token, form } = sent;
    let opened = open(&app, &token).await?;
    match change(&app, &client, &token, &opened.connection, &form).await {
        Ok((saved, left_out)) => {
            let message = format!("Saved. Test the sign-in.{left_out}");
            Reply::done("/sso/setup", message)
                .with("connection", ConnectionView::new(saved, app.now(), &app.config().site))
        }
        Err(Error::Invalid(errors)) => {
            let page = SetupPage::of(&app, opened, token, form, None, errors.clone()).await?;
            Ok(Reply::refused(page, Error::Invalid(errors)))
        }
        Err(error) => Err(error),
    }
}

async fn change(
    app: &App,
    client: &Client,
    token: &Secret<SetUpConnection>,
    connection: &Connection,
    form: &Form,
) -> Result<(Connection, String)> {
    let checked = match connection.protocol {
        Protocol::Saml => form.check(),
        Protocol::Oidc => client_form::check(form, Some(connection), app),
    };
    let mut settings = checked.map_err(Error::Invalid)?;
    let kept = connection.mapping()?;
    (settings.mapping.roles, settings.mapping.default_role) = (kept.roles, kept.default_role);
    settings.allows_idp_initiated = connection.allows_idp_initiated;
    settings.asks_second_factor = connection.asks_second_factor;
    let keeps = !connection.is_blank() && form.source.says_nothing_beside(connection.metadata_url.as_deref());
    if connection.is_oidc() {
        client_form::examine(connection.id.as_str(), &settings, Some(connection), app).await?;
    }
    let keeps = keeps || connection.is_oidc();
    if let Some(errors) = form.source.contradiction(connection.metadata_url.as_deref()) {
        return Err(Error::Invalid(errors));
    }
    let (given, left_out): (Option<GivenMetadata>, String) = match keeps {
        true => (None, String::new()),
        false => {
            let (provider, url) = read_metadata(connection.id.as_str(), &form.source, None, app).await?;
            let left_out = left_out(&provider);
            (Some((provider.metadata(), url)), left_out)
        }
    };
    let (actor, token) = (client.actor(), token.clone());
    let changed = app.write(move |tx| setup_link::change(tx, &actor, &token, settings, given)).await?;
    match changed {
        Ok(saved) => Ok((saved, left_out)),
        Err(unfit) => Err(Error::Invalid(Errors::one("metadata", unfit.to_string()))),
    }
}
