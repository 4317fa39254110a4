//! `vestibule key`: the API keys of people and of organisations, for whoever has to end one.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    organisation,
    out::say,
    outcome::{Outcome, refused, sentence},
    user,
};
use crate::{
    accounts::api_keys,
    app::App,
    clock::Timestamp,
    ids::{ApiKeyId, Id, OrganisationId, UserId},
    model::{
        api_key::{self, ApiKey, Of},
        audit::Actor,
    },
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The keys of one person, or of one organisation.
    List {
        /// Of the account with this address.
        #[arg(long, value_name = "ADDRESS", required_unless_present = "organisation")]
        user: Option<String>,
        /// Of the organisation with this short name or id.
        #[arg(long, value_name = "SLUG-OR-ID", conflicts_with = "user")]
        organisation: Option<String>,
        /// Print JSON, a line for each.
        #[arg(long)]
        json: bool,
    },
    /// One key: whose it is, what it may do, when and from where it was used last.
    Show(Which),
    /// End a key at once. Its owner is told by email.
    Revoke(Which),
}

/// Which key.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Its id, as lists, the log and the audit have it.
    id: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs one of them.
pub(crate) async fn run(app: App, command: Command) -> Outcome {
    match command {
        Command::List { user, organisation, json } => list(&app, user, organisation, json).await,
        Command::Show(which) => show(&app, &which).await,
        Command::Revoke(which) => revoke(&app, &which).await,
    }
}

enum Whose {
    Person(UserId),
    Organisation(OrganisationId),
}

async fn list(app: &App, user: Option<String>, organisation: Option<String>, as_json: bool) -> Outcome {
    let whose = match (user, organisation) {
        (Some(address), _) => Whose::Person(user::find(app, &address).await?.id),
        (None, named) => Whose::Organisation(organisation::find(app, &named.unwrap_or_default()).await?.id),
    };
    let keys = app.read(move |conn| {
        api_key::list(
            conn,
            match &whose {
                Whose::Person(user) => Of::Person(user),
                Whose::Organisation(organisation) => Of::Organisation(organisation),
            },
        )
    });
    for key in sentence(keys.await)? {
        match as_json {
            true => say!("{}", told(&key, app.now())),
            false => say!("{}  {:<12} {:<10} {}", key.id, key.shown(), state(&key, app.now()), key.name),
        }
    }
    Ok(())
}

fn state(key: &ApiKey, now: Timestamp) -> &'static str {
    match (key.has_expired(now), key.suspended_at) {
        (true, _) => "expired",
        (false, Some(_)) => "suspended",
        (false, None) => "active",
    }
}

fn told(key: &ApiKey, now: Timestamp) -> Value {
    json!({
        "id": key.id, "name": key.name, "hint": key.shown(), "kind": if key.user_id.is_some() { "personal" } else { "organisation" }, "state": state(key, now),
        "suspendedFor": key.suspended_for, "user": key.user_id, "organisation": key.organisation_id,
        "madeBy": key.made_by, "permissions": key.permissions(), "createdAt": key.created_at,
        "rolledAt": key.rolled_at, "formerUntil": key.former_until.filter(|until| *until > now),
        "expiresAt": key.expires_at, "lastUsedAt": key.last_used_at, "lastUsedFrom": key.last_used_from,
    })
}

async fn show(app: &App, which: &Which) -> Outcome {
    let key = find(app, &which.id).await?;
    if which.json {
        say!("{}", told(&key, app.now()));
        return Ok(());
    }
    let at = |moment: Option<Timestamp>| moment.map_or_else(|| "never".to_owned(), |moment| moment.iso());
    say!("{}  {}  {}", key.id, key.shown(), key.name);
    match key.suspended_for {
        Some(why) => say!("  {} ({why}), made by {}", state(&key, app.now()), key.made_by),
        None => say!("  {}, made by {}", state(&key, app.now()), key.made_by),
    }
    if let Some(user) = &key.user_id {
        say!("  of the account {user}");
    }
    if let Some(organisation) = &key.organisation_id {
        say!("  {} the organisation {organisation}", if key.user_id.is_some() { "only for" } else { "of" });
    }
    say!("  may: {}", key.permissions().into_iter().collect::<Vec<_>>().join(", "));
    say!(
        "  created {}, its secret {}, expires {}",
        key.created_at.iso(),
        key.rolled_at.iso(),
        at(key.expires_at)
    );
    let from = key.last_used_from.as_ref().map(|network| format!(" from {network}"));
    say!("  last used: {}{}", at(key.last_used_at), from.unwrap_or_default());
    Ok(())
}

async fn revoke(app: &App, which: &Which) -> Outcome {
    let key = find(app, &which.id).await?;
    let (id, shown) = (key.id.clone(), key.shown());
    let ended = app.write(move |tx| api_keys::revoke_by_operator(tx, &Actor::operator(), &key));
    let has_ended = sentence(ended.await)?;
    if which.json {
        say!("{}", json!({ "id": id, "revoked": has_ended }));
    }
    match has_ended {
        false => refused(format!("{shown} has ended already: nothing was changed.")),
        true if !which.json => {
            say!("{shown} is revoked. Its owner is told.");
            Ok(())
        }
        true => Ok(()),
    }
}

async fn find(app: &App, typed: &str) -> Result<ApiKey, String> {
    let nothing = || format!("There is no API key with the id {typed}.");
    let id: ApiKeyId = Id::parse(typed).ok_or_else(nothing)?;
    sentence(app.read(move |conn| api_key::find(conn, &id)).await)?.ok_or_else(nothing)
}
