//! `vestibule audit`: who did what to whom, when and from where.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, TimeDelta};
use clap::Args;
use serde_json::{Value, json};

use super::{
    out::{self, say},
    outcome::{Outcome, sentence},
    user,
};
use crate::{
    app::App,
    clock::Timestamp,
    config::parse_span,
    model::audit::{self, Entry, Wanted},
};

#[derive(Debug, Args)]
pub(crate) struct Command {
    /// Only what was done by or to this account: its address, or its id.
    #[arg(long, value_name = "ADDRESS")]
    user: Option<String>,
    /// Only this event, such as signed_in.
    #[arg(long)]
    event: Option<String>,
    /// Only what happened since: a span such as 24h or 7d, or a time such as 2026-11-21T14:05:00Z.
    #[arg(long, value_name = "SPAN-OR-TIME")]
    since: Option<String>,
    /// Go on with what happens from now on.
    #[arg(long)]
    follow: bool,
    /// Print JSON, a line for each.
    #[arg(long)]
    json: bool,
}

// Entries read at a time.
const PAGE: i64 = 500;

// How often new ones are looked for, and how far back: a transaction that took a while is seen late.
const PACE: Duration = Duration::from_secs(1);
const LATE: TimeDelta = TimeDelta::seconds(30);

/// Prints the record, the oldest entry first.
pub(crate) async fn run(app: App, command: Command) -> Outcome {
    let user = match &command.user {
        Some(who) => Some(user::find(&app, who).await?.id),
        None => None,
    };
    let since = command.since.as_deref().map(|typed| since(typed, app.now())).transpose()?;
    if let Some(event) = &command.event {
        let known = sentence(app.read(audit::events).await)?;
        if !known.contains(event) {
            return Err(format!(
                "No entry of the record has the event `{event}`. There are: {}.",
                known.join(", ")
            ));
        }
    }
    let wanted = Wanted { user, event: command.event, since };
    let mut seen = HashSet::new();
    print(&app, &wanted, command.json, &mut seen).await?;
    while command.follow && out::is_open() {
        tokio::time::sleep(PACE).await;
        let late = app.now() - LATE;
        let since = wanted.since.map_or(late, |since| since.max(late));
        print(&app, &Wanted { since: Some(since), ..wanted.clone() }, command.json, &mut seen).await?;
    }
    Ok(())
}

async fn print(app: &App, wanted: &Wanted, as_json: bool, seen: &mut HashSet<String>) -> Outcome {
    let mut after = None;
    let mut found = HashSet::new();
    while out::is_open() {
        let (asked, from) = (wanted.clone(), after.take());
        let page = app.read(move |conn| audit::page(conn, &asked, from.as_ref(), PAGE)).await;
        let page = sentence(page)?;
        let Some(last) = page.last() else { break };
        after = Some((last.at, last.id.clone()));
        for entry in &page {
            found.insert(entry.id.as_str().to_owned());
            if !seen.contains(entry.id.as_str()) {
                match as_json {
                    true => say!("{}", told(entry)),
                    false => say!("{}", line(entry)),
                }
            }
        }
    }
    // Those that are too old to be read again need not be remembered.
    *seen = found;
    Ok(())
}

fn told(entry: &Entry) -> Value {
    json!({
        "id": entry.id,
        "at": entry.at,
        "event": entry.event,
        "actor": { "kind": entry.actor_kind.as_str(), "user": entry.actor_id, "session": entry.session_id },
        "ip": entry.ip,
        "user": entry.subject_id,
        "organisation": entry.organisation_id,
        "detail": serde_json::from_str::<Value>(&entry.detail).unwrap_or_default(),
    })
}

fn line(entry: &Entry) -> String {
    let text = |id: Option<&str>| id.unwrap_or("-").to_owned();
    let by = match &entry.actor_id {
        Some(actor) => actor.as_str(),
        None => entry.actor_kind.as_str(),
    };
    let (about, ip) = (text(entry.subject_id.as_ref().map(|id| id.as_str())), text(entry.ip.as_deref()));
    let at = entry.organisation_id.as_ref().map(|id| format!("  in {}", id.as_str())).unwrap_or_default();
    format!("{}  {:<28} about {about}{at}  by {by}  from {ip}  {}", entry.at.iso(), entry.event, entry.detail)
}

fn since(typed: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Some(span) = parse_span(typed) {
        return Ok(now - span);
    }
    let time = DateTime::parse_from_rfc3339(typed).map(|time| Timestamp::from_unix(time.timestamp()));
    time.map_err(|_| {
        format!(
            "--since: '{typed}' is neither a span such as 24h or 7d nor a time such as 2026-11-21T14:05:00Z."
        )
    })
}
