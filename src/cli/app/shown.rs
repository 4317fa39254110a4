//! What an operator sees of a gate, and of what any application needs.

use serde_json::{Value, json};

use crate::{
    app::App,
    cli::{
        out::say,
        outcome::{Outcome, sentence},
    },
    clock::Timestamp,
    db::Conn,
    error::{Error, Result},
    model::{
        application::{Application, Needs},
        organisation,
    },
};

/// What there is to know of an application.
pub(super) fn told(conn: &mut Conn, found: &Application) -> Result<Value> {
    let by = |noted: &Option<(String, Timestamp)>| {
        noted.as_ref().map(|(peer, at)| json!({ "address": peer, "at": at }))
    };
    let settings = &found.settings;
    Ok(json!({
        "id": found.id, "kind": found.kind, "host": found.host, "name": found.name,
        "needs": needs_of(conn, &found.needs)?,
        "open": settings.open, "style": settings.style, "user": settings.user,
        "bearer": if settings.takes_keys { "on" } else { "off" }, "assertion": if settings.signs { "on" } else { "off" },
        "crossOrigin": settings.origins, "preflight": if settings.passes_preflight { "pass" } else { "refuse" },
        "prefix": settings.prefix, "createdAt": found.created_at, "disabledAt": found.disabled_at,
        "askedBy": by(&found.asked), "refusedPeer": by(&found.refused),
    }))
}

/// What an application needs, as it was typed.
pub(super) fn needs_of(conn: &mut Conn, needs: &Needs) -> Result<Value> {
    let mut members = Vec::new();
    for need in &needs.members {
        let slug = match organisation::slug_of(conn, &need.organisation) {
            Ok(slug) => slug,
            // It was deleted: nobody belongs to it.
            Err(Error::NotFound) => need.organisation.to_string(),
            Err(error) => return Err(error),
        };
        members.push(need.role.as_ref().map_or(slug.clone(), |role| format!("{slug}:{role}")));
    }
    Ok(json!({
        "verified": true, "secondFactor": needs.second_factor, "recent": needs.max_age, "members": members,
    }))
}

/// Says what a person needs. `members`: as [`needs_of`] has them.
pub(super) fn needs_in_words(needs: &Needs, members: &Value) {
    let factor = if needs.second_factor { ", a second factor" } else { "" };
    let max_age = needs.max_age.map(|seconds| format!(", a sign-in at most {seconds} seconds old"));
    say!("  needs a confirmed address{factor}{}", max_age.unwrap_or_default());
    say!("  members of: {}", list(members));
}

fn list(value: &Value) -> String {
    match value.as_array() {
        Some(words) if !words.is_empty() => {
            words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        _ => "none".to_owned(),
    }
}

/// Whether it is in use, and who asked.
pub(super) fn state(found: &Application) -> String {
    match (found.disabled_at, &found.asked) {
        (Some(at), _) => format!("disabled since {}", at.iso()),
        (None, Some((peer, _))) => format!("asked by {peer}"),
        (None, None) => "never asked".to_owned(),
    }
}

/// Shows a gate.
pub(super) async fn show(app: &App, found: Application, as_json: bool) -> Outcome {
    let shown = found.clone();
    let told = sentence(app.read(move |conn| told(conn, &shown)).await)?;
    if as_json {
        say!("{told}");
        return Ok(());
    }
    say!("{}  {}  {}", found.kind, found.host, found.name);
    say!("  {}, added {}", state(&found), found.created_at.iso());
    needs_in_words(&found.needs, &told["needs"]["members"]);
    say!("  open paths: {}", list(&told["open"]));
    say!("  headers: {}, the user by {}", found.settings.style, found.settings.user);
    say!("  API keys: {}", if found.settings.takes_keys { "taken" } else { "not taken" });
    say!("  writes from: {}", list(&told["crossOrigin"]));
    if let Some((peer, at)) = &found.refused {
        say!("  refused: {peer} on {}, which TRUSTED_PROXIES does not name", at.iso());
    }
    Ok(())
}
