//! `vestibule seed`: three people to try things with.

use serde_json::json;

use super::{Outcome, sentence};
use crate::{
    app::App,
    db::Tx,
    error::{Error, Result},
    mail::EmailAddress,
    model::{
        audit::{self, Actor, Event},
        password::Password,
        user::{self, Name, NewUser},
    },
    secret,
};

// Name, address, and whether the address is confirmed.
const PEOPLE: [(&str, &str, bool); 3] =
    [("Ada", "ada@example.com", true), ("Ben", "ben@example.com", true), ("Cleo", "cleo@example.com", false)];

/// Makes them and prints their passwords. Who is there already stays as they are.
pub async fn run(app: App, as_json: bool) -> Outcome {
    if !app.config().is_development() {
        return Err(
            "seed makes people with printed passwords, so it runs in development mode only.".to_owned()
        );
    }
    for (name, address, is_confirmed) in PEOPLE {
        let password = sentence(secret::random_text(9))?;
        let made = sentence(make(&app, name, address, is_confirmed, &password).await)?;
        let state = if is_confirmed { "confirmed" } else { "not confirmed yet" };
        match (as_json, made) {
            (true, made) => {
                let password = made.then_some(&password);
                println!(
                    "{}",
                    json!({ "email": address, "password": password, "emailVerified": is_confirmed, "made": made })
                );
            }
            (false, true) => println!("{address:<20} {password:<14} {state}"),
            (false, false) => println!("{address:<20} is there already"),
        }
    }
    Ok(())
}

async fn make(app: &App, name: &str, address: &str, is_confirmed: bool, password: &str) -> Result<bool> {
    let email = EmailAddress::parse(address).map_err(|problem| anyhow::anyhow!(problem.to_string()))?;
    let name = Name::parse(name).map_err(|problem| anyhow::anyhow!(problem))?;
    let password_hash = app.hasher().hash(Password::new(password)).await?;
    let new = NewUser { email, name, password_hash, created_from: "vestibule seed".to_owned() };
    app.write(move |tx| register_once(tx, new, is_confirmed)).await
}

fn register_once(tx: &mut Tx, new: NewUser, is_confirmed: bool) -> Result<bool> {
    if user::confirmed(tx.conn, &new.email)?.is_some() || user::newest_claim(tx.conn, &new.email)?.is_some() {
        return Ok(false);
    }
    let (actor, normalized) = (Actor::operator(), new.email.normalized());
    let made = user::register(tx, &actor, new)?;
    if is_confirmed {
        match user::confirm_address(tx, &actor, &made.id, &normalized) {
            Ok(()) | Err(Error::AlreadyConfirmed) => {}
            Err(error) => return Err(error),
        }
    }
    audit::record(tx, &actor, &made.id, Event::Seeded {})?;
    Ok(true)
}
