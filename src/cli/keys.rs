//! `vestibule keys`: what tokens for applications are signed with.

use clap::Subcommand;
use serde_json::json;

use super::{
    out::say,
    outcome::{Outcome, refused, sentence},
};
use crate::{
    accounts::signing_keys,
    app::App,
    jobs::signing_keys::{generate, ring},
    model::{audit::Actor, signing_key},
    oauth::SigningAlgorithm,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Every key whose tokens can still be read, the newest first.
    List {
        /// Print JSON, a line for each.
        #[arg(long)]
        json: bool,
    },
    /// Announce the next key of each algorithm. It signs when the one in use is old enough, a day later at the earliest.
    Rotate {
        /// Put it in use at once: applications that read the list of keys before refuse its tokens until they read it again.
        #[arg(long)]
        now: bool,
        /// Take the present keys away at once, as when someone else may have them: nothing that they signed is good any more,
        /// and new ones sign.
        #[arg(long, conflicts_with = "now")]
        revoke: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs one of them.
pub(crate) async fn run(app: App, command: Command) -> Outcome {
    match command {
        Command::List { json: as_json } => list(&app, as_json).await,
        Command::Rotate { revoke: true, json: as_json, .. } => revoke(&app, as_json).await,
        Command::Rotate { now, json: as_json, .. } => rotate(&app, now, as_json).await,
    }
}

async fn list(app: &App, as_json: bool) -> Outcome {
    let (now, all) = (app.now(), sentence(app.read(signing_key::all).await)?);
    if all.is_empty() && !as_json {
        say!("There are none yet: they are made when an application first asks for them.");
    }
    for key in all {
        let is_published = key.is_published(now);
        match as_json {
            true => say!(
                "{}",
                json!({
                    "kid": key.kid, "algorithm": key.algorithm, "state": key.state, "published": is_published,
                    "createdAt": key.created_at, "since": key.changed_at,
                })
            ),
            false => {
                let published = if is_published { "" } else { ", no longer in the list" };
                say!(
                    "{}  {}  {} since {}{published}",
                    key.kid,
                    key.algorithm,
                    key.state,
                    key.changed_at.iso()
                );
            }
        }
    }
    Ok(())
}

async fn rotate(app: &App, now: bool, as_json: bool) -> Outcome {
    // The first ones, where there are none yet.
    sentence(ring(app).await)?;
    let mut announced = Vec::new();
    for algorithm in SigningAlgorithm::ALL.iter().copied() {
        let key = sentence(generate(algorithm).await)?;
        let kid = key.public.kid.clone();
        let is_new = app.write(move |tx| signing_keys::announce(tx, &Actor::operator(), &key)).await;
        announced.extend(sentence(is_new)?.then_some(kid));
        if now {
            let switched = app.write(move |tx| signing_keys::switch(tx, &Actor::operator(), algorithm)).await;
            sentence(switched)?;
        }
    }
    if as_json {
        say!("{}", json!({ "announced": announced, "inUse": now }));
    }
    match (announced.is_empty(), now) {
        (true, false) => refused("The next keys are announced already: nothing was changed."),
        (_, true) if !as_json => {
            say!("The next keys are in use. Nodes that run notice within a minute.");
            Ok(())
        }
        (false, false) if !as_json => {
            say!("The next keys are announced: {}.", announced.join(", "));
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn revoke(app: &App, as_json: bool) -> Outcome {
    sentence(ring(app).await)?;
    let mut revoked = Vec::new();
    for algorithm in SigningAlgorithm::ALL.iter().copied() {
        let key = sentence(generate(algorithm).await)?;
        let gone = app.write(move |tx| signing_keys::revoke(tx, &Actor::operator(), &key)).await;
        revoked.extend(sentence(gone)?);
    }
    match as_json {
        true => say!("{}", json!({ "revoked": revoked, "inUse": true })),
        false => say!(
            "The keys are revoked: {}. New ones are in use. Nodes that run notice within a minute; applications that keep the list \
             of keys take what the old ones signed for up to an hour more. People sign in again to an application \
             whose token ends and is not refreshed.",
            revoked.join(", ")
        ),
    }
    Ok(())
}
