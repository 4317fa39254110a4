//! Where a connection's metadata comes from: pasted, from a file, or read behind a link.

use actix_web::web::{Data, Path};
use askama::Template;
use serde::Serialize;

use super::{
    access::{SsoAdmin, count_question, find_saml, path_of, write},
    form::Source,
    views::{ConnectionView, OrganisationView},
};
use crate::{
    accounts::connections,
    app::App,
    error::{Error, Errors, Result},
    ids::ConnectionId,
    jobs, log,
    model::{
        connection::{self, Connection},
        organisation::Organisation,
    },
    saml::{self, Certificate, IdentityProvider, Reason},
    web::{Document, Reply},
};

// Of the identity providers that a document describes, so many are named.
const MOST_LISTED: usize = 20;

/// The form for other metadata.
#[derive(Template, Serialize)]
#[template(path = "sso_metadata.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct MetadataPage {
    organisation: OrganisationView,
    connection: ConnectionView,
    #[serde(flatten)]
    source: Source,
    #[serde(skip)]
    errors: Errors,
}

/// The identity provider that was typed by hand, that is described in what was pasted, or behind the link, which is told
/// as well. The link counts where all are there. Of several, the one that was typed or `known` before. `asker` is the id of
/// whoever gave it.
pub(super) async fn read_metadata(
    asker: &str,
    source: &Source,
    known: Option<&str>,
    app: &App,
) -> Result<(IdentityProvider, Option<String>)> {
    let url = source.metadata_url.trim();
    let (field, text) = if !url.is_empty() {
        count_question(asker, app).await?;
        let fetched = app.outbound().fetch(url).await;
        ("metadataUrl", fetched.map_err(|why| invalid("metadataUrl", why.to_string()))?)
    } else if !source.metadata.trim().is_empty() {
        ("metadata", source.metadata.clone())
    } else {
        return by_hand(source).map(|provider| (provider, None));
    };
    let typed = Some(source.entity_id.trim().to_owned()).filter(|id| !id.is_empty());
    let (chosen, now) = (typed.or(known.map(str::to_owned)), app.now());
    let read = log::spawn_blocking(move || {
        let read = saml::choose_provider(&text, chosen.as_deref(), now);
        read.map_err(|reason| (reason, saml::provider_ids(&text).unwrap_or_default()))
    });
    match read.await.map_err(Error::internal)? {
        Ok(provider) => Ok((provider, Some(url.to_owned()).filter(|url| !url.is_empty()))),
        Err((reason @ Reason::ManyProviders, ids)) => {
            let listed = ids.iter().take(MOST_LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if ids.len() > MOST_LISTED { ", and more" } else { "" };
            Err(invalid("entityId", format!("{reason} It names {listed}{more}.")))
        }
        Err((reason, _)) => Err(invalid(field, reason.to_string())),
    }
}

fn by_hand(source: &Source) -> Result<IdentityProvider> {
    let Source { entity_id, sign_in_url, certificate, .. } = source;
    if [entity_id, sign_in_url, certificate].iter().all(|typed| typed.trim().is_empty()) {
        let sentence =
            "Paste the metadata of your identity provider, give the link to it, or enter it by hand.";
        return Err(invalid("metadata", sentence.to_owned()));
    }
    IdentityProvider::by_hand(entity_id, sign_in_url, certificate).map_err(|reason| match reason {
        Reason::NoEntityId => {
            invalid("entityId", "Enter its entity ID, in at most 1,024 characters.".to_owned())
        }
        Reason::NoSignInAddress => {
            invalid("signInUrl", "Enter the whole address, such as https://idp.example.com/sso.".to_owned())
        }
        reason => invalid("certificate", reason.to_string()),
    })
}

fn invalid(field: &'static str, sentence: String) -> Error {
    Error::Invalid(Errors::one(field, sentence))
}

/// The certificates of a connection's metadata, and why it would be refused today. Of OpenID Connect there are keys in place of
/// certificates: they are read where they are needed.
pub(super) async fn certificates(
    app: &App,
    connection: Connection,
) -> Result<(Vec<Certificate>, Option<&'static str>)> {
    if connection.is_oidc() {
        let problem = match connection.oidc_provider(&app.config().keys) {
            Err(_) => Some("Its issuer, client ID or client secret is still missing."),
            Ok(provider) => match jobs::issuers::known(app, &provider).await? {
                None => Some("Its metadata could not be read yet."),
                Some(_) => None,
            },
        };
        return Ok((Vec::new(), problem));
    }
    let now = app.now();
    let provider = log::spawn_blocking(move || connection.provider(now)).await;
    Ok(match provider.map_err(Error::internal)? {
        Ok(provider) => (provider.certificates, None),
        Err(reason) => (Vec::new(), Some(reason.sentence())),
    })
}

/// What to say of certificates that were left out; empty where none was.
pub(super) fn left_out(provider: &IdentityProvider) -> String {
    match provider.left_out.as_slice() {
        [] => String::new(),
        [one] => format!(" One certificate was left out: {one}"),
        several => {
            format!(" {} certificates were left out, which cannot be read or are too weak.", several.len())
        }
    }
}

/// `GET /organisations/{slug}/sso/{connection}/metadata`
pub(crate) async fn metadata_form(
    me: SsoAdmin,
    path: Path<(String, ConnectionId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (organisation, connection) = find_saml(&me, path.into_inner(), &app).await?;
    let url = connection.metadata_url.clone().unwrap_or_default();
    Ok(Reply::page(MetadataPage::of(
        &app,
        &organisation,
        connection,
        Source { metadata_url: url, ..Source::default() },
        Errors::default(),
    )))
}

impl MetadataPage {
    fn of(
        app: &App,
        organisation: &Organisation,
        connection: Connection,
        source: Source,
        errors: Errors,
    ) -> Self {
        let connection = ConnectionView::new(connection, app.now(), &app.config().site);
        Self { organisation: organisation.into(), connection, source, errors }
    }
}

/// `POST /organisations/{slug}/sso/{connection}/metadata`: other metadata of the same identity provider.
pub(crate) async fn replace_metadata(
    me: SsoAdmin,
    path: Path<(String, ConnectionId)>,
    Document(form): Document<Source>,
    app: Data<App>,
) -> Result<Reply> {
    let (organisation, connection) = find_saml(&me, path.into_inner(), &app).await?;
    let to = format!("{}/{}", path_of(&organisation), connection.id);
    let before = connection.clone();
    let replaced = async {
        if let Some(errors) = form.contradiction(before.metadata_url.as_deref()) {
            return Err(Error::Invalid(errors));
        }
        let (provider, url) =
            read_metadata(me.person()?.user.id.as_str(), &form, before.known_issuer(), &app).await?;
        let left_out = left_out(&provider);
        write(&me, &organisation.id, &app, move |tx, actor| {
            let field = if url.is_some() { "metadataUrl" } else { "metadata" };
            let replaced = connections::replace_metadata(tx, actor, &before, &provider.metadata(), url)?;
            replaced.map_err(|unfit| invalid(field, unfit.to_string()))
        })
        .await
        .map(|()| left_out)
    };
    match replaced.await {
        Ok(left_out) => {
            Ok(Reply::done(to, format!("The new metadata is in use. Test the connection.{left_out}")))
        }
        Err(Error::Invalid(errors)) => {
            let page = MetadataPage::of(&app, &organisation, connection, form, errors.clone());
            Ok(Reply::refused(page, Error::Invalid(errors)))
        }
        Err(error) => Err(error),
    }
}

/// `POST /organisations/{slug}/sso/{connection}/metadata/read`: reads what is behind the link now.
pub(crate) async fn read_now(
    me: SsoAdmin,
    path: Path<(String, ConnectionId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (organisation, connection) = find_saml(&me, path.into_inner(), &app).await?;
    let to = format!("{}/{}", path_of(&organisation), connection.id);
    if connection.metadata_url.is_none() {
        return Ok(Reply::done(to, "This connection has no link to read. Give it one."));
    }
    count_question(me.person()?.user.id.as_str(), &app).await?;
    let (id, now) = (connection.id.clone(), app.now());
    jobs::sso::read_now(&app, connection).await?;
    let read = app.read(move |conn| connection::by_id(conn, &id)).await?;
    let message = match &read.read_error {
        None => "The metadata was read.".to_owned(),
        Some(why) => format!("The metadata could not be read: {why}"),
    };
    Reply::done(to, message).with("connection", ConnectionView::new(read, now, &app.config().site))
}
