//! An organisation is connected with its identity provider, and a domain approved.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    accounts::{connections, domains, organisations},
    app::App,
    db::{Conn, Tx},
    error::Result,
    mail::EmailAddress,
    model::{
        audit::Actor,
        connection::{Mapping, NewConnection},
        domain,
        organisation::{self, Organisation, Title},
        user,
    },
    saml::MAX_METADATA,
};

/// The metadata that is behind a link, with that link, or in a file; more than is ever read is not taken in.
pub(crate) async fn metadata(
    app: &App,
    place: String,
) -> std::result::Result<(String, Option<String>), String> {
    if place.starts_with("https://") || place.starts_with("http://") {
        let document = app.outbound().fetch(&place).await.map_err(|why| why.to_string())?;
        return Ok((document, Some(place)));
    }
    let unreadable = |cause| format!("{place} cannot be read: {cause}.");
    if fs::metadata(Path::new(&place)).map_err(unreadable)?.len() > MAX_METADATA as u64 {
        return Err(format!("{place} is larger than the metadata of one identity provider."));
    }
    let text = String::from_utf8(fs::read(&place).map_err(unreadable)?);
    Ok((text.map_err(|_| format!("{place} is not UTF-8 text."))?, None))
}

/// What an operator says of a connection.
pub(crate) struct New {
    pub organisation: String,
    pub owner: Option<String>,
    pub metadata: String,
    pub metadata_url: Option<String>,
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
    let connected = NewConnection {
        name: owner.name.clone(),
        metadata: new.metadata,
        metadata_url: new.metadata_url,
        mapping: new.mapping,
    };
    let connection = match connections::create(tx, &actor, &owner.id, connected)? {
        Ok(connection) => connection,
        Err(reason) => return Err(anyhow::anyhow!(reason.sentence()).into()),
    };
    let domain = domains::add(tx, &actor, &owner.id, Some(&connection.id), &name)?;
    if new.approved {
        domains::verify(tx, &actor, &domain, "operator")?;
    }
    Ok(Ok(json!({
        "id": connection.id,
        "organisation": owner.slug,
        "issuer": connection.issuer,
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
