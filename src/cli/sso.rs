//! `vestibule sso`: an operator connects organisations with their identity providers.

use std::{fs, path::Path};

use chrono::TimeDelta;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{Outcome, sentence};
use crate::{
    app::App,
    clock::Timestamp,
    db::{Conn, Id, Tx},
    error::{Error, Result},
    mail::EmailAddress,
    model::{
        attempt,
        audit::Actor,
        connection::{self, Connection, Mapping, NewConnection},
        domain,
        membership::Role,
        organisation::{self, Organisation, Slug, Title},
        service_key, user,
    },
    sso::{MAX_METADATA, ServiceKey},
};

// Identity providers are told of a key by hand: one that expires every year would break sign-ins every year.
const KEY_LIFE: TimeDelta = TimeDelta::days(3650);

// From how many days on an expiry is worth a word.
const SOON: TimeDelta = TimeDelta::days(30);

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The connections, with their domains.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Connect an organisation with its identity provider.
    Add {
        /// The organisation's name or its part of a URL.
        #[arg(long, value_name = "NAME")]
        organisation: String,
        /// Make the organisation where there is none yet, owned by whoever has this address confirmed.
        #[arg(long, value_name = "ADDRESS")]
        owner: Option<String>,
        /// The identity provider's metadata: a file, or a link that is read again every day.
        #[arg(long, value_name = "FILE-OR-URL")]
        metadata: String,
        /// Whose people sign in there.
        #[arg(long)]
        domain: String,
        /// The domain is the organisation's: you have made sure.
        #[arg(long)]
        approved: bool,
        /// What people in a group may do: owner, editor or viewer. Again for each group.
        #[arg(long, value_name = "GROUP=ROLE", value_parser = group)]
        group: Vec<(String, Role)>,
        /// What everybody else may do.
        #[arg(long, value_name = "ROLE", value_parser = role, default_value = "viewer")]
        default_role: Role,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Look a connection over, and say how to try it in a browser.
    Test {
        /// Its id, from `list`.
        connection: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Domains of mail addresses.
    Domain {
        #[command(subcommand)]
        command: DomainCommand,
    },
    /// The key of this site, which signs requests and opens what is encrypted to it.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
}

#[derive(Debug, Subcommand)]
pub enum DomainCommand {
    /// A domain is the organisation's: you have made sure.
    Approve {
        /// The domain.
        domain: String,
        /// Whose it is, where several say that it is theirs.
        #[arg(long, value_name = "NAME")]
        organisation: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make the next key and put it in the metadata. Where there is none yet it is in use at once.
    Announce {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Use the announced key, once every identity provider has read the metadata again.
    Switch {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

fn role(text: &str) -> std::result::Result<Role, String> {
    Role::from_word(text).ok_or_else(|| "a role is owner, editor or viewer".to_owned())
}

fn group(text: &str) -> std::result::Result<(String, Role), String> {
    // A group's name may have an equals sign in it: distinguished names do.
    let (name, word) = text.rsplit_once('=').ok_or("write GROUP=ROLE")?;
    Ok((name.to_owned(), role(word)?))
}

/// Runs one of them.
pub async fn run(app: App, command: Command) -> Outcome {
    match command {
        Command::List { json } => list(&app, json).await,
        Command::Add { organisation, owner, metadata, domain, approved, group, default_role, json } => {
            let mapping = Mapping { roles: group, default_role, ..Mapping::default() };
            let (metadata, metadata_url) = read(&app, metadata).await?;
            let new = New { organisation, owner, metadata, metadata_url, domain, approved, mapping };
            let made = sentence(app.write(move |tx| add(tx, new)).await)??;
            print(&made, json, &format!("{} leads to {}.", text(&made, "domain"), text(&made, "id")));
            Ok(())
        }
        Command::Test { connection, json } => test(&app, Id::from_text(connection), json).await,
        Command::Domain { command: DomainCommand::Approve { domain, organisation, json } } => {
            let done = sentence(app.write(move |tx| approve(tx, &domain, organisation.as_deref())).await)??;
            print(&done, json, &format!("{} is {}'s.", text(&done, "domain"), text(&done, "organisation")));
            Ok(())
        }
        Command::Key { command: KeyCommand::Announce { json } } => announce(&app, json).await,
        Command::Key { command: KeyCommand::Switch { json } } => {
            let switched = app.write(|tx| service_key::switch(tx, &Actor::operator())).await;
            match switched {
                Err(Error::NotFound) => {
                    Err("There is no announced key. Make one with `vestibule sso key announce`.".to_owned())
                }
                switched => {
                    sentence(switched)?;
                    print(&json!({ "state": "in_use" }), json, "The announced key is in use.");
                    Ok(())
                }
            }
        }
    }
}

fn print(value: &Value, as_json: bool, words: &str) {
    match as_json {
        true => println!("{value}"),
        false => println!("{words}"),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The metadata that is behind a link, with that link, or in a file; more than is ever read is not taken in.
async fn read(app: &App, place: String) -> std::result::Result<(String, Option<String>), String> {
    if place.starts_with("https://") || place.starts_with("http://") {
        let document = app.outside().document(&place).await.map_err(|why| why.to_string())?;
        return Ok((document, Some(place)));
    }
    let unreadable = |cause| format!("{place} cannot be read: {cause}.");
    if fs::metadata(Path::new(&place)).map_err(unreadable)?.len() > MAX_METADATA as u64 {
        return Err(format!("{place} is larger than the metadata of one identity provider."));
    }
    Ok((fs::read_to_string(&place).map_err(unreadable)?, None))
}

struct New {
    organisation: String,
    owner: Option<String>,
    metadata: String,
    metadata_url: Option<String>,
    domain: String,
    approved: bool,
    mapping: Mapping,
}

/// What was made, or a sentence why nothing was.
fn add(tx: &mut Tx, new: New) -> Result<std::result::Result<Value, String>> {
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
    let connection = match connection::create(tx, &actor, &owner.id, connected)? {
        Ok(connection) => connection,
        Err(reason) => return Err(anyhow::anyhow!(reason.sentence()).into()),
    };
    let domain = domain::add(tx, &actor, &owner.id, Some(&connection.id), &name)?;
    if new.approved {
        domain::prove(tx, &actor, &domain, "operator")?;
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
    let slug = match Slug::parse(&title.slug()) {
        Ok(slug) => slug,
        Err(_) => return Ok(Err("Use letters from a to z in the name.".to_owned())),
    };
    let Some(email) = EmailAddress::parse(owner).ok() else {
        return Ok(Err(format!("{owner} is not an address.")));
    };
    match user::confirmed(tx.conn, &email)? {
        Some(owner) => organisation::create(tx, actor, &owner.id, &title, &slug).map(Ok),
        None => Ok(Err(format!("Nobody has {owner} confirmed. Its person signs up first."))),
    }
}

fn approve(tx: &mut Tx, typed: &str, named: Option<&str>) -> Result<std::result::Result<Value, String>> {
    let name = match domain::parse(typed) {
        Ok(name) => name,
        Err(problem) => return Ok(Err(problem)),
    };
    let mut listed = domain::listed(tx.conn, &name)?;
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
    if domain.proved_at.is_none() {
        domain::prove(tx, &Actor::operator(), &domain, "operator")?;
    }
    Ok(Ok(json!({ "domain": name, "organisation": organisation.slug })))
}

async fn list(app: &App, as_json: bool) -> Outcome {
    let rows = sentence(app.read(rows).await)?;
    if !as_json && rows.is_empty() {
        println!("No organisation signs in by itself yet.");
    }
    for row in rows {
        let domains: Vec<String> = row["domains"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|domain| {
                let state = match (domain["proved"] == true, domain["enforced"] == true) {
                    (_, true) => "enforced",
                    (true, false) => "proved",
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
    for (connection, organisation) in connection::all(conn)? {
        let domains: Vec<Value> = domain::led_to(conn, &connection.id)?
            .into_iter()
            .map(|domain| {
                json!({ "name": domain.name, "proved": domain.proved_at.is_some(), "enforced": domain.is_enforced })
            })
            .collect();
        rows.push(json!({
            "id": connection.id,
            "organisation": organisation.slug,
            "name": connection.name,
            "issuer": connection.issuer,
            "domains": domains,
            "expiresAt": connection.expires_at,
            "testedAt": connection.tested_at,
        }));
    }
    Ok(rows)
}

async fn test(app: &App, id: Id<Connection>, as_json: bool) -> Outcome {
    let (now, config) = (app.now(), app.config().clone());
    let found = app
        .read(move |conn| {
            let connection = connection::by_id(conn, &id)?;
            let slug = organisation::slug_of(conn, &connection.organisation_id)?;
            let last = attempt::of(conn, &id)?.into_iter().next();
            let keys = service_key::service(conn, &config)?.keys.len();
            let domains = domain::led_to(conn, &id)?;
            Ok((connection, slug, last, keys, domains))
        })
        .await;
    let (connection, slug, last, keys, domains) = match found {
        Err(Error::NotFound) => {
            return Err("There is no such connection: see `vestibule sso list`.".to_owned());
        }
        found => sentence(found)?,
    };
    let mut findings = vec![metadata_finding(&connection, now), key_finding(&connection, keys)];
    findings.push(match domains.iter().find(|domain| domain.proved_at.is_none()) {
        Some(domain) => {
            ("warning", "domain", format!("{} is not proved: addresses there stay claims.", domain.name))
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
    let page = app.config().site.link(&format!("/organisations/{slug}/sso/{}", connection.id));
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

fn key_finding(connection: &Connection, keys: usize) -> (&'static str, &'static str, String) {
    match (keys, connection.signs_requests) {
        (0, true) => (
            "problem",
            "key",
            "Requests are to be signed, and there is no key: `vestibule sso key announce`.".to_owned(),
        ),
        (0, false) => {
            ("fine", "key", "None: requests are not signed, and nothing can be encrypted to us.".to_owned())
        }
        (1, _) => ("fine", "key", "One is in use.".to_owned()),
        _ => ("fine", "key", "One is in use, another one is in the metadata.".to_owned()),
    }
}

async fn announce(app: &App, as_json: bool) -> Outcome {
    let (name, now) = (app.config().site.name.clone(), app.now());
    let made = tokio::task::spawn_blocking(move || ServiceKey::generate(&name, now, KEY_LIFE)).await;
    let key = sentence(made.map_err(Error::internal).and_then(|made| made))?;
    let fingerprint = key.certificate().fingerprint.clone();
    let announced = app.write(move |tx| {
        let is_first = service_key::service(tx.conn, tx.config)?.keys.is_empty();
        match is_first {
            true => service_key::begin(tx, &Actor::operator(), &key)?,
            false => service_key::announce(tx, &Actor::operator(), &key)?,
        }
        Ok(is_first)
    });
    let is_first = sentence(announced.await)?;
    let (state, words) = match is_first {
        true => ("in_use", "is in use: it is the first one."),
        false => {
            ("announced", "is in the metadata. Switch to it when every identity provider has read that.")
        }
    };
    let told = json!({ "state": state, "fingerprint": fingerprint });
    print(&told, as_json, &format!("The key {} {words}", &fingerprint[..16]));
    Ok(())
}
