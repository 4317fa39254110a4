//! `vestibule seed`: three people to try things with, and two organisations with identity providers of their own.

use serde_json::json;

use super::{
    out::say,
    outcome::{Outcome, sentence},
};
use crate::{
    accounts::{
        connections, domains,
        email_verification::{self, ALREADY_CONFIRMED},
        organisations,
        registration::{self, Event},
    },
    app::App,
    config::{ClientCredential, DEMONSTRATION},
    db::Tx,
    error::{Error, Result},
    flows::dev_idp,
    ids::ConnectionId,
    kinds::Role,
    mail::EmailAddress,
    model::{
        audit::{self, Actor},
        connection::{Mapping, NewConnection, client::ClientSettings, upkeep::Settings},
        domain,
        organisation::{self, Slug, Title},
        password::Password,
        user::{self, Name, NewUser},
    },
    secret,
};

// Name, address, and whether the address is confirmed.
const PEOPLE: [(&str, &str, bool); 3] =
    [("Ada", "ada@example.com", true), ("Ben", "ben@example.com", true), ("Cleo", "cleo@example.com", false)];

const DOMAIN: &str = "demo.example";

// Whose people the demonstration provider of OpenID Connect knows.
const OTHER_DOMAIN: &str = "works.example";

/// Makes them and prints their passwords. Who is there already stays as they are.
pub(crate) async fn run(app: App, as_json: bool) -> Outcome {
    if !app.config().is_development() {
        return Err(
            "seed makes people with printed passwords, so it runs in development mode only.".to_owned()
        );
    }
    let mut were_there = false;
    for (name, address, is_confirmed) in PEOPLE {
        let password = sentence(secret::random_text(9))?;
        let made = sentence(make(&app, name, address, is_confirmed, &password).await)?;
        let state = if is_confirmed { "confirmed" } else { "not confirmed yet" };
        match (as_json, made) {
            (true, made) => {
                let password = made.then_some(&password);
                say!(
                    "{}",
                    json!({ "email": address, "password": password, "emailVerified": is_confirmed, "made": made })
                );
            }
            (false, true) => say!("{address:<20} {password:<14} {state}"),
            (false, false) => {
                were_there = true;
                say!("{address:<20} is there already");
            }
        }
    }
    if were_there {
        say!("Their passwords are shown once. For a new one: vestibule user send-reset ada@example.com");
    }
    let provider = sentence(dev_idp::of(&app).and_then(|provider| provider.metadata()))?;
    let made = sentence(app.write(move |tx| organise_once(tx, provider)).await)?;
    let way = app.config().site.link("/login?email=dora%40demo.example");
    match as_json {
        true => say!("{}", json!({ "organisation": "demo", "signIn": way, "made": made })),
        false => say!("{:<20} signs in through its own organisation: {way}", "dora@demo.example"),
    }
    if app.config().provider(DEMONSTRATION).is_some() {
        let made = sentence(app.write(connect_demonstration).await)?;
        let way = app.config().site.link("/login?email=jana%40works.example");
        match as_json {
            true => say!("{}", json!({ "organisation": "works", "signIn": way, "made": made })),
            false => {
                say!("{:<20} signs in through another one, by OpenID Connect: {way}", "jana@works.example")
            }
        }
    }
    Ok(())
}

/// Another one of hers, whose people sign in through the demonstration provider of OpenID Connect.
fn connect_demonstration(tx: &mut Tx) -> Result<bool> {
    let problem = |problem: String| Error::from(anyhow::anyhow!(problem));
    let Some(provider) = tx.config.provider(DEMONSTRATION) else { return Ok(false) };
    let ClientCredential::Secret(secret) = &provider.credential else { return Ok(false) };
    let owner = EmailAddress::parse(PEOPLE[0].1).map_err(|cause| problem(cause.to_string()))?;
    let Some(owner) = user::confirmed(tx.conn, &owner)? else { return Ok(false) };
    if !organisation::called(tx.conn, "works")?.is_empty()
        || domain::verified(tx.conn, OTHER_DOMAIN)?.is_some()
    {
        return Ok(false);
    }
    let actor = Actor::operator();
    let (title, slug) = (Title::parse("Works").map_err(problem)?, Slug::parse("works").map_err(problem)?);
    let made = organisations::create(tx, &actor, &owner.id, &title, &slug)?;
    let mapping = Mapping { roles: vec![("owners".to_owned(), Role::Owner)], ..Mapping::default() };
    let client = ClientSettings {
        issuer: provider.issuer.clone(),
        client_id: provider.client_id.clone(),
        secret: Some(secret.clone()),
        secret_expires_at: None,
        scopes: provider.scopes.clone(),
    };
    let settings = Settings::of_client("Demonstration".to_owned(), mapping, client);
    let settings = Settings { allows_idp_initiated: true, ..settings };
    let connection = connections::make_oidc(tx, &actor, &made.id, ConnectionId::random()?, settings)?;
    let domain = domains::add(tx, &actor, &made.id, Some(&connection.id), OTHER_DOMAIN)?;
    domains::verify(tx, &actor, &domain, "operator")?;
    Ok(true)
}

/// Ada's organisation, whose people sign in through the demonstration identity provider.
fn organise_once(tx: &mut Tx, metadata: String) -> Result<bool> {
    let problem = |problem: String| Error::from(anyhow::anyhow!(problem));
    let (actor, owner) = (Actor::operator(), EmailAddress::parse(PEOPLE[0].1));
    let owner = owner.map_err(|cause| problem(cause.to_string()))?;
    // Somebody else may have her address by now, or the name of the organisation.
    let Some(owner) = user::confirmed(tx.conn, &owner)? else { return Ok(false) };
    if !organisation::called(tx.conn, "demo")?.is_empty() || domain::verified(tx.conn, DOMAIN)?.is_some() {
        return Ok(false);
    }
    let (title, slug) = (Title::parse("Demo").map_err(problem)?, Slug::parse("demo").map_err(problem)?);
    let made = organisations::create(tx, &actor, &owner.id, &title, &slug)?;
    let roles = vec![("owners".to_owned(), Role::Owner), ("editors".to_owned(), Role::Editor)];
    let mapping = Mapping { roles, ..Mapping::default() };
    let new = NewConnection { name: "Demo".to_owned(), metadata, metadata_url: None, mapping };
    let connection = connections::create(tx, &actor, &made.id, new)?;
    let connection = connection.map_err(|reason| problem(reason.sentence().to_owned()))?;
    let domain = domains::add(tx, &actor, &made.id, Some(&connection.id), DOMAIN)?;
    domains::verify(tx, &actor, &domain, "operator")?;
    Ok(true)
}

async fn make(app: &App, name: &str, address: &str, is_confirmed: bool, password: &str) -> Result<bool> {
    let email = EmailAddress::parse(address).map_err(|problem| anyhow::anyhow!(problem.to_string()))?;
    let name = Name::parse(name).map_err(|problem| anyhow::anyhow!(problem))?;
    let password_hash = app.hasher().hash(Password::new(password)).await?;
    let new = NewUser { email, name, password_hash, created_from: user::SEED.to_owned() };
    app.write(move |tx| register_once(tx, new, is_confirmed)).await
}

fn register_once(tx: &mut Tx, new: NewUser, is_confirmed: bool) -> Result<bool> {
    if user::confirmed(tx.conn, &new.email)?.is_some()
        || user::latest_unverified(tx.conn, &new.email)?.is_some()
    {
        return Ok(false);
    }
    let (actor, normalized) = (Actor::operator(), new.email.normalized());
    let made = registration::register(tx, &actor, new)?;
    if is_confirmed {
        match email_verification::confirm(tx, &actor, &made.id, &normalized) {
            Ok(()) | Err(Error::Refused(ALREADY_CONFIRMED, _)) => {}
            Err(error) => return Err(error),
        }
    }
    audit::record(tx, &actor, &made.id, Event::Seeded {})?;
    Ok(true)
}
