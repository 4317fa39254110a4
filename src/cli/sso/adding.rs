//! An organisation is connected with its identity provider, and a domain approved.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    accounts::{connections, domains, organisations},
    app::App,
    cli::outcome::sentence,
    clock::Timestamp,
    db::{Conn, Tx},
    error::Result,
    ids::ConnectionId,
    jobs::issuers,
    mail::EmailAddress,
    model::{
        audit::Actor,
        connection::{
            Mapping, NewConnection,
            client::{ClientSettings, USUAL_SCOPES},
            upkeep::Settings,
        },
        domain,
        organisation::{self, Organisation, Title},
        user,
    },
    oidc,
    saml::MAX_METADATA,
    secret::Secret,
    urls,
};

/// The metadata that is behind a link, with that link, or in a file; more than is ever read is not taken in.
pub(crate) async fn metadata(app: &App, place: String) -> std::result::Result<NewProvider, String> {
    if place.starts_with("https://") || place.starts_with("http://") {
        let document = app.outbound().fetch(&place).await.map_err(|why| why.to_string())?;
        return Ok(NewProvider::Saml(document, Some(place)));
    }
    let unreadable = |cause| format!("{place} cannot be read: {cause}.");
    if fs::metadata(Path::new(&place)).map_err(unreadable)?.len() > MAX_METADATA as u64 {
        return Err(format!("{place} is larger than the metadata of one identity provider."));
    }
    let text = String::from_utf8(fs::read(&place).map_err(unreadable)?);
    Ok(NewProvider::Saml(text.map_err(|_| format!("{place} is not UTF-8 text."))?, None))
}

/// What OpenID Connect takes in place of metadata.
#[derive(Debug, clap::Args)]
pub(crate) struct ClientArgs {
    /// The identity provider's issuer, for OpenID Connect, exactly as it writes it.
    #[arg(long, value_name = "URL", required_if_eq("protocol", "oidc"))]
    issuer: Option<String>,
    /// What it calls this site.
    #[arg(long, value_name = "ID", required_if_eq("protocol", "oidc"))]
    client_id: Option<String>,
    /// A file with the client secret.
    #[arg(long, value_name = "FILE", required_if_eq("protocol", "oidc"))]
    client_secret_file: Option<PathBuf>,
    /// The day on which the secret expires, such as 2027-11-30.
    #[arg(long, value_name = "DAY", value_parser = day)]
    secret_expires: Option<Timestamp>,
    /// The claim that identifies people: sub unless it is said.
    #[arg(long, value_name = "CLAIM", default_value = "", hide_default_value = true)]
    subject_claim: String,
}

fn day(text: &str) -> Result<Timestamp, String> {
    Timestamp::from_text(text).ok_or_else(|| "write a day such as 2027-11-30".to_owned())
}

/// The OpenID provider that these arguments name, once its documents could be read.
pub(crate) async fn client(app: &App, args: ClientArgs) -> std::result::Result<NewProvider, String> {
    let issuer = oidc::read_issuer(&args.issuer.unwrap_or_default(), issuers::transport(app));
    let issuer = issuer.map_err(|reason| reason.sentence().to_owned())?;
    let file = args.client_secret_file.unwrap_or_default();
    let secret = fs::read_to_string(&file);
    let secret = secret.map_err(|cause| format!("{} cannot be read: {cause}.", file.display()))?;
    if secret.trim().is_empty() {
        return Err(format!("{} is empty.", file.display()));
    }
    sentence(issuers::examine(app, &issuer).await)??;
    let client = ClientSettings {
        issuer,
        client_id: args.client_id.unwrap_or_default(),
        secret: Some(Secret::from_text(secret.trim())),
        secret_expires_at: args.secret_expires,
        scopes: USUAL_SCOPES.to_owned(),
    };
    Ok(NewProvider::Oidc(client, args.subject_claim))
}

/// The identity provider of a new connection.
pub(crate) enum NewProvider {
    /// Its metadata, and where it is read again.
    Saml(String, Option<String>),
    /// Who it is and who this site is there, and the claim that identifies people.
    Oidc(ClientSettings, String),
}

/// What an operator says of a connection.
pub(crate) struct New {
    pub organisation: String,
    pub owner: Option<String>,
    pub provider: NewProvider,
    pub domain: String,
    pub approved: bool,
    pub mapping: Mapping,
}

/// What was made, or a sentence why nothing was.
pub(crate) fn add(tx: &mut Tx, new: New) -> Result<std::result::Result<Value, String>> {
    let actor = Actor::operator();
    let name = match domain::parse(&new.domain) {
        Ok(name) => name,
        Err(problem) => return Ok(Err(problem)),
    };
    let owner = match find(tx.conn, &new.organisation)? {
        Ok(organisation) => organisation,
        Err(_) if new.owner.is_some() => {
            match make(tx, &actor, &new.organisation, new.owner.as_deref().unwrap_or_default())? {
                Ok(organisation) => organisation,
                Err(problem) => return Ok(Err(problem)),
            }
        }
        Err(problem) => return Ok(Err(problem)),
    };
    let name_here = owner.name.clone();
    let connection = match new.provider {
        NewProvider::Saml(metadata, metadata_url) => {
            let connected = NewConnection { name: name_here, metadata, metadata_url, mapping: new.mapping };
            match connections::create(tx, &actor, &owner.id, connected)? {
                Ok(connection) => connection,
                Err(reason) => return Err(anyhow::anyhow!(reason.sentence()).into()),
            }
        }
        NewProvider::Oidc(client, identifier) => {
            let settings = Settings { identifier, ..Settings::of_client(name_here, new.mapping, client) };
            connections::make_oidc(tx, &actor, &owner.id, ConnectionId::random()?, settings)?
        }
    };
    let domain = domains::add(tx, &actor, &owner.id, Some(&connection.id), &name)?;
    if new.approved {
        domains::verify(tx, &actor, &domain, "operator")?;
    }
    Ok(Ok(json!({
        "id": connection.id,
        "organisation": owner.slug,
        "issuer": connection.issuer,
        "protocol": connection.protocol,
        "redirectUri": connection.is_oidc().then(|| tx.config.site.link(&urls::oidc_redirect(connection.id.as_str()))),
        "domain": name,
        "approved": new.approved,
        "txtRecord": domain.challenge,
    })))
}

fn find(conn: &mut Conn, named: &str) -> Result<std::result::Result<Organisation, String>> {
    let mut found = organisation::called(conn, named)?;
    Ok(match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => {
            Err(format!("Several organisations are called {named}. Name its part of the URL."))
        }
        (None, _) => {
            Err(format!("There is no organisation called {named}. Name who is to own it with --owner."))
        }
    })
}

fn make(
    tx: &mut Tx,
    actor: &Actor,
    name: &str,
    owner: &str,
) -> Result<std::result::Result<Organisation, String>> {
    let title = match Title::parse(name) {
        Ok(title) => title,
        Err(problem) => return Ok(Err(problem)),
    };
    let slug = title.slug()?;
    let Some(email) = EmailAddress::parse(owner).ok() else {
        return Ok(Err(format!("{owner} is not an address.")));
    };
    match user::confirmed(tx.conn, &email)? {
        Some(owner) => organisations::create(tx, actor, &owner.id, &title, &slug).map(Ok),
        None => Ok(Err(format!("Nobody has {owner} confirmed. Its person signs up first."))),
    }
}

/// Proves a domain by the operator's word; a sentence where it is not clear whose it is.
pub(crate) fn approve(
    tx: &mut Tx,
    typed: &str,
    named: Option<&str>,
) -> Result<std::result::Result<Value, String>> {
    let name = match domain::parse(typed) {
        Ok(name) => name,
        Err(problem) => return Ok(Err(problem)),
    };
    let mut listed = domains::listed(tx.conn, &name)?;
    if let Some(named) = named {
        listed.retain(|(_, organisation)| organisation.slug == named || organisation.name == named);
    }
    let (domain, organisation) = match (listed.pop(), listed.is_empty()) {
        (Some(one), true) => one,
        (Some(_), false) => {
            return Ok(Err(format!(
                "Several organisations say that {name} is theirs. Name one with --organisation."
            )));
        }
        (None, _) => return Ok(Err(format!("No organisation says that {name} is its own."))),
    };
    let changed = domain.verified_at.is_none();
    if changed {
        domains::verify(tx, &Actor::operator(), &domain, "operator")?;
    }
    Ok(Ok(json!({ "domain": name, "organisation": organisation.slug, "changed": changed })))
}
