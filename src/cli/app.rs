//! `vestibule app`: the applications behind this site. Every change is audited as an operator's.

mod client;
mod client_config;
mod config;
mod options;
mod shown;
mod trial;

use clap::Subcommand;
use serde_json::json;

use self::{
    client::ClientChanges,
    options::{Changes, Which, parse_name},
    shown::{state, told},
};
use super::{
    out::{self, say},
    outcome::{Outcome, refused, sentence},
    user,
};
use crate::{
    accounts::{applications, clients},
    app::App,
    db::Tx,
    error::{Error, Result},
    model::{
        application::{self, Application, Kind, client::Client, parse_host},
        audit::Actor,
    },
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add an application: a host before which a proxy asks this site, or one that signs people in by OpenID Connect.
    Add {
        /// A gate's host, as visitors type it, with the port where there is one; else the application's name.
        host: String,
        /// What it is: `gate`, a host that a proxy guards; `web`, a site with a server; `browser`, a site whose scripts do it all;
        /// `native`, a program on people's devices; `service`, a program that acts for itself.
        #[arg(long, default_value = "gate", value_parser = |word: &str| Kind::from_word(word)
            .ok_or("write gate, web, browser, native or service"))]
        kind: Kind,
        #[command(flatten)]
        changes: Changes,
        #[command(flatten)]
        own: Box<ClientChanges>,
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
        #[command(flatten)]
        own: Box<ClientChanges>,
    },
    /// Give an application another secret, and print it this once.
    RotateSecret {
        #[command(flatten)]
        which: Which,
        /// How long the secret before works on, or `none`.
        #[arg(long, value_name = "SPAN", default_value = "24h")]
        overlap: String,
    },
    /// Let nobody in any more.
    Disable(Which),
    /// Let people in again.
    Enable(Which),
    /// Remove an application. Everybody who is in is out.
    Remove(Which),
    /// Print what to paste into the configuration of its proxy, or into the application itself.
    Config {
        /// A gate's host, or what another application calls itself (its client id).
        host: String,
        /// Which proxy, or which software.
        software: config::Software,
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
        /// The path that they ask for, at a gate.
        #[arg(long, default_value = "/")]
        path: String,
        /// The address of their account; nobody is signed in where it is left out.
        #[arg(long, value_name = "ADDRESS")]
        r#as: Option<String>,
    },
}

/// An application that was asked for.
enum Found {
    Gate(Application),
    Client(Client),
}

/// Runs one of them.
pub(crate) async fn run(app: App, command: Command) -> Outcome {
    match command {
        Command::Add { host, kind: Kind::Gate, changes, own, json } => match own.is_any() {
            true => {
                refused("Some of these options are of applications that are no gate: say which with --kind.")
            }
            false => add(&app, &host, changes, json).await,
        },
        Command::Add { host, kind, changes, own, json } => {
            client::add(&app, kind, &host, changes, *own, json).await
        }
        Command::List { json } => list(&app, json).await,
        Command::Show(which) => match find_any(&app, &which.host).await? {
            Found::Gate(found) => shown::show(&app, found, which.json).await,
            Found::Client(found) => client::show(&app, found, which.json).await,
        },
        Command::Set { which, changes, own } => match find_any(&app, &which.host).await? {
            Found::Client(found) => client::set(&app, &which, found, changes, *own).await,
            Found::Gate(_) if own.is_any() => {
                refused(format!("{} is a gate, and some of these options are not a gate's.", which.host))
            }
            Found::Gate(found) => {
                let after = sentence(read(&app, found, changes).await)?;
                let words = ["is changed", "is so already"];
                act(&app, &which, words, move |tx, before| {
                    applications::change(tx, &Actor::operator(), before, &after)
                })
                .await
            }
        },
        Command::RotateSecret { which, overlap } => match find_any(&app, &which.host).await? {
            Found::Client(found) => client::rotate_secret(&app, &which, found, &overlap).await,
            Found::Gate(found) => refused(format!("{} is a gate, and has no secret.", found.host)),
        },
        Command::Disable(which) => set_disabled(&app, &which, true).await,
        Command::Enable(which) => set_disabled(&app, &which, false).await,
        Command::Remove(which) => {
            let words = ["is removed", "is gone already"];
            match find_any(&app, &which.host).await? {
                Found::Client(found) => {
                    let remove = |tx: &mut Tx, found: &Client| clients::remove(tx, &Actor::operator(), found);
                    client::act(&app, &which, found, words, remove).await
                }
                Found::Gate(_) => {
                    let remove = |tx: &mut Tx, found: &Application| {
                        applications::remove(tx, &Actor::operator(), found)
                    };
                    act(&app, &which, words, remove).await
                }
            }
        }
        Command::Config { host, software, upstream, vestibule } => match find_any(&app, &host).await? {
            Found::Gate(found) => config::print(&app, &found, software, &upstream, vestibule.as_deref()),
            Found::Client(found) => client_config::print(&app, &found, software),
        },
        Command::Test { which, path, r#as } => {
            let who = match r#as.as_deref() {
                Some(address) => Some(user::find(&app, address).await?),
                None => None,
            };
            match find_any(&app, &which.host).await? {
                Found::Gate(found) => trial::gate(&app, found, &path, who, which.json).await,
                Found::Client(found) => trial::client(&app, found, who, which.json).await,
            }
        }
    }
}

async fn set_disabled(app: &App, which: &Which, is_disabled: bool) -> Outcome {
    let words = match is_disabled {
        true => ["lets nobody in any more", "lets nobody in already"],
        false => ["lets people in again", "lets people in already"],
    };
    match find_any(app, &which.host).await? {
        Found::Client(found) => {
            let change = move |tx: &mut Tx, found: &Client| {
                clients::set_disabled(tx, &Actor::operator(), found, is_disabled)
            };
            client::act(app, which, found, words, change).await
        }
        Found::Gate(_) => {
            let change = move |tx: &mut Tx, found: &Application| {
                applications::set_disabled(tx, &Actor::operator(), found, is_disabled)
            };
            act(app, which, words, change).await
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
    for (told, found) in sentence(app.read(client::all).await)? {
        match as_json {
            true => say!("{told}"),
            false => say!("{}", client::line(&found)),
        }
    }
    Ok(())
}

async fn find(app: &App, typed: &str) -> std::result::Result<Application, String> {
    let nothing = || format!("There is no application at {typed}.");
    let host = parse_host(typed, app.config().site.base_url.scheme()).ok_or_else(nothing)?;
    let found = sentence(app.read(move |conn| application::of_host(conn, &host)).await)?;
    found.ok_or_else(nothing)
}

/// A gate at this host, or another application that calls itself so.
async fn find_any(app: &App, typed: &str) -> std::result::Result<Found, String> {
    let named = typed.to_owned();
    if let Some(found) = sentence(app.read(move |conn| application::client::called(conn, &named)).await)? {
        return Ok(Found::Client(found));
    }
    find(app, typed).await.map(Found::Gate)
}

/// Changes one gate. `words`: what to say where that changed something, and where it did not.
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
