//! What connections there are, and whether one would let people in.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    accounts::connections,
    app::App,
    cli::{
        out::{print, say, text},
        outcome::{Outcome, sentence},
    },
    clock::Timestamp,
    db::Conn,
    error::{Error, Result},
    ids::ConnectionId,
    jobs::issuers,
    model::{
        connection::{self, Connection},
        domain, organisation, service_key, sso_attempt,
    },
    urls,
};

// From how many days on an expiry is worth a word.
const SOON: TimeDelta = TimeDelta::days(30);

/// Prints the connections, with their domains.
pub(crate) async fn list(app: &App, as_json: bool) -> Outcome {
    let rows = sentence(app.read(rows).await)?;
    if !as_json && rows.is_empty() {
        say!("No organisation signs in by itself yet.");
    }
    for row in rows {
        let domains: Vec<String> = row["domains"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|domain| {
                let state = match (domain["proved"] == true, domain["enforced"] == true) {
                    (_, true) => "enforced",
                    (true, false) => "verified",
                    (false, false) => "not proved",
                };
                format!("{} ({state})", text(domain, "name"))
            })
            .collect();
        let words = format!(
            "{}  {:<16} {}  {}",
            text(&row, "id"),
            text(&row, "organisation"),
            text(&row, "issuer"),
            domains.join(", ")
        );
        print(&row, as_json, words.trim_end());
    }
    Ok(())
}

fn rows(conn: &mut Conn) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    for (connection, organisation) in connections::all(conn)? {
        let domains: Vec<Value> = domain::domains_of_connection(conn, &connection.id)?
            .into_iter()
            .map(|domain| {
                json!({ "name": domain.name, "proved": domain.verified_at.is_some(), "enforced": domain.is_enforced })
            })
            .collect();
        rows.push(json!({
            "id": connection.id,
            "organisation": organisation.slug,
            "name": connection.name,
            "issuer": connection.issuer,
            "protocol": connection.protocol,
            "domains": domains,
            "expiresAt": connection.ends_at(),
            "testedAt": connection.tested_at,
        }));
    }
    Ok(rows)
}

/// Prints what stands in the way of a sign-in, and where to try one.
pub(crate) async fn test(app: &App, id: ConnectionId, as_json: bool) -> Outcome {
    let (now, config) = (app.now(), app.config().clone());
    let found = app
        .read(move |conn| {
            let connection = connection::by_id(conn, &id)?;
            let slug = organisation::slug_of(conn, &connection.organisation_id)?;
            let last = sso_attempt::of(conn, &id)?.into_iter().next();
            let keys = service_key::service(conn, &config)?.keys.len();
            let domains = domain::domains_of_connection(conn, &id)?;
            Ok((connection, slug, last, keys, domains))
        })
        .await;
    let (connection, slug, last, keys, domains) = match found {
        Err(Error::NotFound) => {
            return Err("There is no such connection: see `vestibule sso list`.".to_owned());
        }
        found => sentence(found)?,
    };
    let mut findings = match connection.is_oidc() {
        true => vec![issuer_finding(app, &connection).await?],
        false => vec![metadata_finding(&connection, now), key_finding(&connection, keys)],
    };
    findings.push(match domains.iter().find(|domain| domain.verified_at.is_none()) {
        Some(domain) => {
            ("warning", "domain", format!("{} is not verified: addresses there stay claims.", domain.name))
        }
        None if domains.is_empty() => ("warning", "domain", "No domain leads to it.".to_owned()),
        None => {
            ("fine", "domain", domains.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", "))
        }
    });
    findings.push(match (&last, connection.tested_at) {
        (Some(last), _) if last.outcome != "success" => {
            ("warning", "sign-in", format!("The last one ended with {}, {}.", last.outcome, last.at.ago(now)))
        }
        (Some(last), _) => ("fine", "sign-in", format!("The last one was let in, {}.", last.at.ago(now))),
        (None, _) => ("warning", "sign-in", "Nobody has signed in by it yet.".to_owned()),
    });
    let page = app.config().site.link(&urls::connection(&slug, &connection.id));
    let is_bad = findings.iter().any(|(health, ..)| *health == "problem");
    for (health, what, says) in findings {
        print(
            &json!({ "health": health, "what": what, "says": says }),
            as_json,
            &format!("{health:<8} {what:<10} {says}"),
        );
    }
    print(&json!({ "page": page }), as_json, &format!("Try a sign-in that lets nobody in: {page}"));
    if is_bad { Err("This connection lets nobody in.".to_owned()) } else { Ok(()) }
}

fn metadata_finding(connection: &Connection, now: Timestamp) -> (&'static str, &'static str, String) {
    let provider = match connection.provider(now) {
        Ok(provider) => provider,
        Err(reason) => return ("problem", "metadata", reason.sentence().to_owned()),
    };
    let last = connection::last_expiry(&provider, now);
    let until = last.exact();
    match last {
        last if last <= now => ("problem", "metadata", format!("The last certificate expired {until}.")),
        last if last <= now + SOON => {
            ("warning", "metadata", format!("The last certificate expires {until}."))
        }
        _ => ("fine", "metadata", format!("{}, certificates until {until}", provider.entity_id)),
    }
}

/// Reads what an issuer says of itself, now.
async fn issuer_finding(
    app: &App,
    connection: &Connection,
) -> std::result::Result<(&'static str, &'static str, String), String> {
    if connection.is_blank() {
        let says = "Its issuer, client ID or client secret is still missing.";
        return Ok(("problem", "issuer", says.to_owned()));
    }
    if let Err(why) = sentence(issuers::examine(app, &connection.issuer).await)? {
        return Ok(("problem", "issuer", why));
    }
    let (now, redirect) = (app.now(), app.config().site.link(&urls::oidc_redirect(connection.id.as_str())));
    Ok(match connection.ends_at() {
        Some(at) if at <= now => ("problem", "issuer", format!("The client secret expired {}.", at.exact())),
        Some(at) if at <= now + SOON => {
            ("warning", "issuer", format!("The client secret expires {}.", at.exact()))
        }
        _ => ("fine", "issuer", format!("{}, with the redirect URI {redirect}", connection.issuer)),
    })
}

fn key_finding(connection: &Connection, keys: usize) -> (&'static str, &'static str, String) {
    match (keys, connection.sends_unsigned) {
        (0, _) => {
            ("fine", "key", "None: requests are not signed, and nothing can be encrypted to us.".to_owned())
        }
        (_, true) => ("fine", "key", "There is one, and requests are not signed, as was set.".to_owned()),
        (1, _) => ("fine", "key", "One is in use.".to_owned()),
        _ => ("fine", "key", "One is in use, another one is in the metadata.".to_owned()),
    }
}
