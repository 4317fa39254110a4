//! `vestibule app`: the applications behind this site. Every change is audited as an operator's.

mod config;
mod options;
mod trial;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::options::{Changes, parse_name};
use super::{
    out::{self, say},
    outcome::{Outcome, refused, sentence},
};
use crate::{
    accounts::applications,
    app::App,
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Result},
    model::{
        application::{self, Application, parse_host},
        audit::Actor,
        organisation,
    },
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add an application: a host before which a proxy asks this site.
    Add {
        /// Its host, as visitors type it, with the port where there is one.
        host: String,
        /// What it is: `gate`, a host that a proxy guards.
        #[arg(long, value_parser = ["gate"], default_value = "gate")]
        kind: String,
        #[command(flatten)]
        changes: Changes,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Every application.
    List {
        /// Print JSON, a line for each.
        #[arg(long)]
        json: bool,
    },
    /// One application: what it needs, how its gate behaves, which proxy asked last.
    Show(Which),
    /// Change an application. What is given more than once takes the place of all that was there.
    Set {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        changes: Changes,
    },
    /// Let nobody in any more.
    Disable(Which),
    /// Let people in again.
    Enable(Which),
    /// Remove an application. Everybody who is in is out.
    Remove(Which),
    /// Print what to paste into the configuration of its proxy.
    Config {
        /// Its host.
        host: String,
        /// Which proxy.
        proxy: config::Proxy,
        /// Where the application listens.
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8000")]
        upstream: String,
        /// Where this site listens for that proxy; LISTEN where it is left out.
        #[arg(long, value_name = "ADDRESS:PORT")]
        vestibule: Option<String>,
    },
    /// Say what a visitor would get, and why.
    Test {
        #[command(flatten)]
        which: Which,
        /// The path that they ask for.
        #[arg(long, default_value = "/")]
        path: String,
        /// The address of their account; nobody is signed in where it is left out.
        #[arg(long, value_name = "ADDRESS")]
        r#as: Option<String>,
    },
}

/// Which application.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Its host.
    host: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs one of them.
pub(crate) async fn run(app: App, command: Command) -> Outcome {
    match command {
        Command::Add { host, kind: _, changes, json } => add(&app, &host, changes, json).await,
        Command::List { json } => list(&app, json).await,
        Command::Show(which) => show(&app, &which).await,
        Command::Set { which, changes } => {
            let found = find(&app, &which.host).await?;
            let after = sentence(read(&app, found.clone(), changes).await)?;
            let words = ["is changed", "is so already"];
            act(&app, &which, words, move |tx, before| {
                applications::change(tx, &Actor::operator(), before, &after)
            })
            .await
        }
        Command::Disable(which) => {
            let words = ["lets nobody in any more", "lets nobody in already"];
            act(&app, &which, words, |tx, found| {
                applications::set_disabled(tx, &Actor::operator(), found, true)
            })
            .await
        }
        Command::Enable(which) => {
            let words = ["lets people in again", "lets people in already"];
            act(&app, &which, words, |tx, found| {
                applications::set_disabled(tx, &Actor::operator(), found, false)
            })
            .await
        }
        Command::Remove(which) => {
            let words = ["is removed", "is gone already"];
            act(&app, &which, words, |tx, found| applications::remove(tx, &Actor::operator(), found)).await
        }
        Command::Config { host, proxy, upstream, vestibule } => {
            let found = find(&app, &host).await?;
            config::print(&app, &found, proxy, &upstream, vestibule.as_deref())
        }
        Command::Test { which, path, r#as } => {
            let found = find(&app, &which.host).await?;
            trial::run(&app, found, &path, r#as.as_deref(), which.json).await
        }
    }
}

async fn read(app: &App, before: Application, changes: Changes) -> Result<Application> {
    app.read(move |conn| changes.apply(conn, before.clone())).await
}

async fn add(app: &App, typed: &str, changes: Changes, as_json: bool) -> Outcome {
    let scheme = app.config().site.base_url.scheme();
    let bare = typed.strip_prefix(&format!("{scheme}://")).unwrap_or(typed).trim_end_matches('/');
    let host = parse_host(bare, scheme).ok_or_else(|| {
        format!("{typed} is no host of a site that is reached by {scheme}. Write it like wiki.example.com.")
    })?;
    if app.config().site.origin() == format!("{scheme}://{host}") {
        return refused(format!("{host} is this site itself."));
    }
    let name = parse_name(changes.name.as_deref().unwrap_or(&host))?;
    let new = sentence(Application::gate(host, name, app.now()))?;
    let new = sentence(read(app, new, changes).await)?;
    let (host, added) = (new.host.clone(), new.clone());
    match app.write(move |tx| applications::add(tx, &Actor::operator(), &new)).await {
        Err(Error::Conflict) => return refused(format!("There is an application at {host} already.")),
        outcome => sentence(outcome)?,
    }
    let next = format!(
        "{host} is added. Next: `vestibule app config {host} nginx` (or caddy, traefik, apache, envoy)."
    );
    let told = sentence(app.read(move |conn| told(conn, &added)).await)?;
    out::print(&told, as_json, &next);
    if app.config().trusted_proxies.is_empty() {
        out::complain("TRUSTED_PROXIES names no proxy: until it does, the gate answers nobody.");
    }
    Ok(())
}

/// What there is to know of an application.
fn told(conn: &mut Conn, found: &Application) -> Result<Value> {
    let mut members = Vec::new();
    for need in &found.needs.members {
        let slug = match organisation::slug_of(conn, &need.organisation) {
            Ok(slug) => slug,
            // It was deleted: nobody belongs to it.
            Err(Error::NotFound) => need.organisation.to_string(),
            Err(error) => return Err(error),
        };
        members.push(need.role.as_ref().map_or(slug.clone(), |role| format!("{slug}:{role}")));
    }
    let by = |noted: &Option<(String, Timestamp)>| {
        noted.as_ref().map(|(peer, at)| json!({ "address": peer, "at": at }))
    };
    let settings = &found.settings;
    Ok(json!({
        "id": found.id, "kind": found.kind, "host": found.host, "name": found.name,
        "needs": {
            "verified": true, "secondFactor": found.needs.second_factor, "recent": found.needs.max_age,
            "members": members,
        },
        "open": settings.open, "style": settings.style, "user": settings.user,
        "bearer": if settings.takes_keys { "on" } else { "off" },
        "crossOrigin": settings.origins, "preflight": if settings.passes_preflight { "pass" } else { "refuse" },
        "prefix": settings.prefix, "createdAt": found.created_at, "disabledAt": found.disabled_at,
        "askedBy": by(&found.asked), "refusedPeer": by(&found.refused),
    }))
}

fn state(found: &Application) -> String {
    match (found.disabled_at, &found.asked) {
        (Some(at), _) => format!("disabled since {}", at.iso()),
        (None, Some((peer, _))) => format!("asked by {peer}"),
        (None, None) => "never asked".to_owned(),
    }
}

async fn list(app: &App, as_json: bool) -> Outcome {
    let all = app.read(|conn| {
        let all = application::all(conn)?.into_iter();
        all.map(|found| Ok((told(conn, &found)?, found))).collect::<Result<Vec<_>>>()
    });
    for (told, found) in sentence(all.await)? {
        match as_json {
            true => say!("{told}"),
            false => say!("{:<5} {:<40} {:<30} {}", found.kind, found.host, state(&found), found.name),
        }
    }
    Ok(())
}

async fn show(app: &App, which: &Which) -> Outcome {
    let found = find(app, &which.host).await?;
    let shown = found.clone();
    let told = sentence(app.read(move |conn| told(conn, &shown)).await)?;
    if which.json {
        say!("{told}");
        return Ok(());
    }
    let list = |value: &Value| match value.as_array() {
        Some(words) if !words.is_empty() => {
            words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        _ => "none".to_owned(),
    };
    say!("{}  {}  {}", found.kind, found.host, found.name);
    say!("  {}, added {}", state(&found), found.created_at.iso());
    let factor = if found.needs.second_factor { ", a second factor" } else { "" };
    let max_age = found.needs.max_age.map(|seconds| format!(", a sign-in at most {seconds} seconds old"));
    say!("  needs a confirmed address{factor}{}", max_age.unwrap_or_default());
    say!("  members of: {}", list(&told["needs"]["members"]));
    say!("  open paths: {}", list(&told["open"]));
    say!("  headers: {}, the user by {}", found.settings.style, found.settings.user);
    say!("  API keys: {}", if found.settings.takes_keys { "taken" } else { "not taken" });
    say!("  writes from: {}", list(&told["crossOrigin"]));
    if let Some((peer, at)) = &found.refused {
        say!("  refused: {peer} on {}, which TRUSTED_PROXIES does not name", at.iso());
    }
    Ok(())
}

async fn find(app: &App, typed: &str) -> std::result::Result<Application, String> {
    let nothing = || format!("There is no application at {typed}.");
    let host = parse_host(typed, app.config().site.base_url.scheme()).ok_or_else(nothing)?;
    let found = sentence(app.read(move |conn| application::of_host(conn, &host)).await)?;
    found.ok_or_else(nothing)
}

/// Changes one application. `words`: what to say where that changed something, and where it did not.
async fn act<F>(app: &App, which: &Which, words: [&str; 2], change: F) -> Outcome
where
    F: FnOnce(&mut Tx, &Application) -> Result<bool> + Send + 'static,
{
    let found = find(app, &which.host).await?;
    let (id, host) = (found.id.clone(), found.host.clone());
    let changed = sentence(app.write(move |tx| change(tx, &found)).await)?;
    let [done, not_done] = words;
    let told = if changed { done } else { not_done };
    if which.json {
        say!("{}", json!({ "id": id, "host": host, "changed": changed, "message": told }));
    }
    match changed {
        false => refused(format!("{host} {told}: nothing was changed.")),
        true if !which.json => {
            say!("{host} {told}.");
            Ok(())
        }
        true => Ok(()),
    }
}
