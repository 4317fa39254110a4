//! `vestibule providers`: the providers of the settings that people sign in with, and the identities of those that are gone.

use std::collections::BTreeMap;

use clap::Subcommand;
use serde_json::json;

use super::{
    out::say,
    outcome::{Outcome, refused, sentence},
};
use crate::{
    accounts::provider_identities,
    app::App,
    config::{Config, Provider},
    model::{audit::Actor, provider_identity},
    urls,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Every provider of the settings, and those that people are still connected with and that are gone from them.
    List {
        /// Print JSON, a line for each.
        #[arg(long)]
        json: bool,
    },
    /// Disconnect everybody from a provider that is gone from the settings.
    Forget {
        /// Its key.
        key: String,
    },
}

/// Runs one of them.
pub(crate) async fn run(app: App, command: Command) -> Outcome {
    match command {
        Command::List { json } => list(&app, json).await,
        Command::Forget { key } => forget(&app, key).await,
    }
}

async fn list(app: &App, as_json: bool) -> Outcome {
    let mut counts: BTreeMap<String, i64> =
        sentence(app.read(provider_identity::counts).await)?.into_iter().collect();
    for provider in &app.config().providers {
        let people = counts.remove(&provider.key).unwrap_or(0);
        let (redirect, logout) = addresses(app.config(), provider);
        match as_json {
            true => say!(
                "{}",
                json!({
                    "key": provider.key, "kind": provider.kind.to_string(), "name": provider.name,
                    "issuer": provider.issuer, "redirectUri": redirect, "logoutUri": logout, "identities": people,
                    "available": true,
                })
            ),
            false => {
                say!("{:<20} {:<9} {people:>7}  {}", provider.key, provider.kind.to_string(), provider.issuer)
            }
        }
    }
    for (key, people) in counts {
        match as_json {
            true => say!("{}", json!({ "key": key, "identities": people, "available": false })),
            false => say!("{key:<20} {:<9} {people:>7}  not in the settings", "gone"),
        }
    }
    Ok(())
}

/// What is registered at a provider: where it sends people back to, and where it says that it ended a session, if it does.
pub(super) fn addresses(config: &Config, provider: &Provider) -> (String, Option<String>) {
    let redirect = config.site.link(&urls::oidc_redirect(&provider.key));
    let logout = provider.may_log_out().then(|| config.site.link(&urls::oidc_logout(&provider.key)));
    (redirect, logout)
}

async fn forget(app: &App, key: String) -> Outcome {
    if app.config().provider(&key).is_some() {
        return refused(format!(
            "{key} is in the settings, so that people sign in with it. Take it out of them first."
        ));
    }
    let mut count = 0;
    loop {
        let key = key.clone();
        let forgot =
            app.write(move |tx| provider_identities::forget_one_of(tx, &Actor::operator(), &key)).await;
        if !sentence(forgot)? {
            break;
        }
        count += 1;
    }
    match count {
        0 => refused(format!("Nobody is connected with {key}.")),
        count => {
            say!("{key}: {count} account(s) disconnected.");
            Ok(())
        }
    }
}
