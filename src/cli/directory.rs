//! `vestibule directory`: the lists that identity providers of organisations keep (SCIM), and the tokens for them.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    organisation,
    out::{self, say},
    outcome::{Outcome, refused, sentence},
};
use crate::{
    accounts::directories,
    app::App,
    clock::Timestamp,
    config::parse_span,
    model::{
        audit::Actor,
        directory::{
            self, Directory,
            person::{self, Search},
            token::{self, DirectoryToken},
        },
        organisation as organisations,
    },
    scim::Term,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Every directory: whose, how many people it lists, when its identity provider called last.
    List {
        /// Print JSON, a line for each.
        #[arg(long)]
        json: bool,
    },
    /// One directory, with its tokens; never their secrets.
    Show {
        /// The organisation's short name or id.
        #[arg(value_name = "SLUG-OR-ID")]
        organisation: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a token for an organisation's identity provider and print it, this once. Turns the directory on where it is off.
    Token {
        /// The organisation's short name or id.
        #[arg(value_name = "SLUG-OR-ID")]
        organisation: String,
        /// What it is called.
        #[arg(long)]
        name: String,
        /// How long it works, such as 90d.
        #[arg(long, default_value = "90d", value_name = "SPAN")]
        expires: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs one of them.
pub(crate) async fn run(app: App, command: Command) -> Outcome {
    match command {
        Command::List { json } => list(&app, json).await,
        Command::Show { organisation, json } => show(&app, &organisation, json).await,
        Command::Token { organisation, name, expires, json } => {
            make(&app, &organisation, name, &expires, json).await
        }
    }
}

/// What there is to know of a directory: as JSON, and its organisation's short name.
fn told(
    conn: &mut crate::db::Conn,
    directory: &Directory,
    now: Timestamp,
) -> crate::error::Result<(Value, String)> {
    let slug = organisations::slug_of(conn, &directory.organisation_id)?;
    let active = Search { terms: vec![Term::Active(true)], ..Search::default() };
    let people = person::count(conn, &directory.id, &Search::default())?;
    let active = person::count(conn, &directory.id, &active)?;
    let tokens = token::of(conn, &directory.id)?;
    let value = json!({
        "organisation": slug, "people": people, "active": active, "paused": directory.is_paused,
        "required": directory.is_required, "lastCallAt": directory.last_call_at,
        "tokens": tokens.iter().map(|token| token_told(token, now)).collect::<Vec<_>>(),
    });
    Ok((value, slug))
}

fn token_told(token: &DirectoryToken, now: Timestamp) -> Value {
    json!({
        "id": token.id, "name": token.name, "ending": token.ending, "works": token.is_live(now),
        "createdAt": token.created_at, "expiresAt": token.expires_at, "lastUsedAt": token.last_used_at,
    })
}

fn print(value: &Value, slug: &str, as_json: bool) {
    let last = value["lastCallAt"].as_str().map_or("never called".to_owned(), |at| format!("called {at}"));
    let words = format!("{slug:<40} {} of {} people are in, {last}", value["active"], value["people"]);
    out::print(value, as_json, &words);
}

async fn list(app: &App, as_json: bool) -> Outcome {
    let now = app.now();
    let read = app.read(move |conn| {
        let all = directory::all(conn)?;
        all.iter().map(|one| told(conn, one, now)).collect::<crate::error::Result<Vec<_>>>()
    });
    for (value, slug) in sentence(read.await)? {
        print(&value, &slug, as_json);
    }
    Ok(())
}

async fn show(app: &App, named: &str, as_json: bool) -> Outcome {
    let (found, now) = (organisation::find(app, named).await?, app.now());
    let read = app.read(move |conn| match directory::of(conn, &found.id)? {
        Some(directory) => told(conn, &directory, now).map(Some),
        None => Ok(None),
    });
    let Some((value, slug)) = sentence(read.await)? else {
        return refused(format!("The organisation {named} has no directory."));
    };
    print(&value, &slug, as_json);
    if !as_json {
        for token in value["tokens"].as_array().into_iter().flatten() {
            let word = |key: &str| out::text(token, key).to_owned();
            let state = if token["works"] == true { "works until" } else { "expired on" };
            say!("{}  …{}  {} {}  {}", word("id"), word("ending"), state, word("expiresAt"), word("name"));
        }
    }
    Ok(())
}

async fn make(app: &App, named: &str, name: String, expires: &str, as_json: bool) -> Outcome {
    let Some(life) = parse_span(expires) else {
        return refused("Write a whole number and d or h after --expires, such as 90d.");
    };
    let found = organisation::find(app, named).await?;
    let made = app.write(move |tx| {
        let actor = Actor::operator();
        let directory = directories::turn_on(tx, &actor, &found.id)?;
        directories::make_token(tx, &actor, &directory, &name, life)
    });
    let (token, secret) = sentence(made.await)?;
    let mut value = token_told(&token, app.now());
    value["secret"] = secret.reveal().into();
    out::print(&value, as_json, secret.reveal());
    Ok(())
}
