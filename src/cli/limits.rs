//! `vestibule limits`: who has to wait, and who need not any longer.

use clap::Subcommand;
use serde_json::json;

use super::{
    out::{self, say},
    outcome::{Outcome, refused, sentence},
};
use crate::{
    accounts::limits,
    app::App,
    model::{audit::Actor, rate_limit},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What is counted now, and until when. For whom is kept as a digest only.
    List {
        /// Print JSON, a line for each.
        #[arg(long)]
        json: bool,
    },
    /// Forget what was counted for an email address and its account, a network address, a network, or an account's id.
    Clear {
        /// Such as ada@example.com, 203.0.113.9, 203.0.113.0/24 or 2001:db8::/48.
        #[arg(value_name = "ADDRESS-OR-NETWORK", required_unless_present = "all", conflicts_with = "all")]
        whom: Option<String>,
        /// For everybody.
        #[arg(long)]
        all: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

// Counters read at a time.
const PAGE: i64 = 500;

/// Runs one of them.
pub(crate) async fn run(app: App, command: Command) -> Outcome {
    match command {
        Command::List { json } => list(&app, json).await,
        Command::Clear { whom, json, .. } => clear(&app, whom, json).await,
    }
}

async fn list(app: &App, as_json: bool) -> Outcome {
    let (mut after, now) = (String::new(), app.now());
    while out::is_open() {
        let page = sentence(app.read(move |conn| rate_limit::page(conn, now, &after, PAGE)).await)?;
        let Some(last) = page.last().map(|counter| counter.key.clone()) else { return Ok(()) };
        for counter in &page {
            let (kind, digest) = counter.parts();
            match as_json {
                true => say!(
                    "{}",
                    json!({ "kind": kind, "digest": digest, "count": counter.count, "endsAt": counter.ends_at })
                ),
                false => say!("{kind:<28} {:>5}  until {}", counter.count, counter.ends_at.iso()),
            }
        }
        after = last;
    }
    Ok(())
}

async fn clear(app: &App, whom: Option<String>, as_json: bool) -> Outcome {
    let named = whom.clone().unwrap_or_else(|| "everybody".to_owned());
    let cleared = app.write(move |tx| match whom {
        Some(whom) => limits::forget(tx, &Actor::operator(), &whom),
        None => limits::forget_all(tx, &Actor::operator()).map(Ok),
    });
    let count = sentence(cleared.await)??;
    if as_json {
        say!("{}", json!({ "whom": named, "cleared": count }));
    }
    match count {
        0 => refused(format!("Nothing is counted for {named}: nothing was cleared.")),
        count if !as_json => {
            say!("{named}: {count} counter(s) cleared.");
            Ok(())
        }
        _ => Ok(()),
    }
}
