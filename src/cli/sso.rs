//! `vestibule sso`: an operator connects organisations with their identity providers.

mod adding;
mod looking;
mod stopping;

use chrono::TimeDelta;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    out::{print, text},
    outcome::{Outcome, refused, sentence},
};
use crate::{
    accounts::service_keys,
    app::App,
    error::Error,
    ids::Id,
    kinds::{Protocol, Role},
    model::{audit::Actor, connection::Mapping, service_key},
    saml::ServiceKey,
};

// Identity providers are told of a key by hand: one that expires every year would break sign-ins every year.
const KEY_LIFE: TimeDelta = TimeDelta::days(3650);

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The connections, with their domains.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Connect an organisation with its identity provider.
    Add {
        /// The organisation's name or its part of a URL.
        #[arg(long, value_name = "NAME")]
        organisation: String,
        /// Make the organisation where there is none yet, owned by whoever has this address confirmed.
        #[arg(long, value_name = "ADDRESS")]
        owner: Option<String>,
        /// How the identity provider is spoken to: saml or oidc.
        #[arg(long, value_parser = protocol, default_value = "saml")]
        protocol: Protocol,
        /// The identity provider's metadata, for SAML: a file, or a link that is read again every day.
        #[arg(long, value_name = "FILE-OR-URL", required_unless_present = "issuer")]
        metadata: Option<String>,
        #[command(flatten)]
        client: adding::ClientArgs,
        /// Whose people sign in there.
        #[arg(long)]
        domain: String,
        /// The domain is the organisation's: you have made sure.
        #[arg(long)]
        approved: bool,
        /// What people in a group may do: owner, editor or viewer. Again for each group.
        #[arg(long, value_name = "GROUP=ROLE", value_parser = group)]
        group: Vec<(String, Role)>,
        /// What everybody else may do.
        #[arg(long, value_name = "ROLE", value_parser = role, default_value = "viewer")]
        default_role: Role,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Look a connection over, and say how to try it in a browser.
    Test {
        /// Its id, from `list`.
        connection: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let nobody sign in by a connection until an owner turns it on again, and sign out whoever did.
    Pause {
        /// Its id, from `list`.
        connection: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Domains of email addresses.
    Domain {
        #[command(subcommand)]
        command: DomainCommand,
    },
    /// The key of this site, which signs requests and opens what is encrypted to it.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DomainCommand {
    /// A domain is the organisation's: you have made sure.
    Approve {
        /// The domain.
        domain: String,
        /// Whose it is, where several say that it is theirs.
        #[arg(long, value_name = "NAME")]
        organisation: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// People of the domain may sign in otherwise again: single sign-on is no longer required.
    Release {
        /// The domain.
        domain: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make the next key and put it in the metadata. Where there is none yet it is in use at once.
    Announce {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Use the announced key, once every identity provider has read the metadata again.
    Switch {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

fn protocol(text: &str) -> Result<Protocol, String> {
    Protocol::from_word(text).ok_or_else(|| "a protocol is saml or oidc".to_owned())
}

fn role(text: &str) -> Result<Role, String> {
    Role::from_word(text).ok_or_else(|| "a role is owner, editor or viewer".to_owned())
}

fn group(text: &str) -> Result<(String, Role), String> {
    // A group's name may have an equals sign in it: distinguished names do.
    let (name, word) = text.rsplit_once('=').ok_or("write GROUP=ROLE")?;
    Ok((name.to_owned(), role(word)?))
}

/// Runs one of them.
pub(crate) async fn run(app: App, command: Command) -> Outcome {
    match command {
        Command::List { json } => looking::list(&app, json).await,
        Command::Add {
            organisation,
            owner,
            protocol,
            metadata,
            client,
            domain,
            approved,
            group,
            default_role,
            json,
        } => {
            let mapping = Mapping { roles: group, default_role, ..Mapping::default() };
            let provider = match protocol {
                Protocol::Saml => {
                    let metadata = metadata.ok_or("SAML needs the metadata: name it with --metadata.")?;
                    adding::metadata(&app, metadata).await?
                }
                Protocol::Oidc => adding::client(&app, client).await?,
            };
            let new = adding::New { organisation, owner, provider, domain, approved, mapping };
            let made = sentence(app.write(move |tx| adding::add(tx, new)).await)??;
            print(&made, json, &format!("{} leads to {}.", text(&made, "domain"), text(&made, "id")));
            Ok(())
        }
        Command::Test { connection, json } => looking::test(&app, Id::from_text(connection), json).await,
        Command::Pause { connection, json } => {
            let id = Id::from_text(connection);
            let done = sentence(app.write(move |tx| stopping::pause(tx, &id)).await)??;
            let words = format!("{} of {} is paused.", text(&done, "name"), text(&done, "organisation"));
            told(&done, json, &words)
        }
        Command::Domain { command: DomainCommand::Release { domain, json } } => {
            let done = sentence(app.write(move |tx| stopping::release(tx, &domain)).await)??;
            told(&done, json, &format!("Single sign-on is not required for {}.", text(&done, "domain")))
        }
        Command::Domain { command: DomainCommand::Approve { domain, organisation, json } } => {
            let done =
                sentence(app.write(move |tx| adding::approve(tx, &domain, organisation.as_deref())).await)??;
            let words = format!("{} is {}'s.", text(&done, "domain"), text(&done, "organisation"));
            if done["changed"] == true {
                print(&done, json, &words);
                return Ok(());
            }
            if json {
                print(&done, json, &words);
            }
            refused(format!("{words} That was approved or verified before: nothing was changed."))
        }
        Command::Key { command: KeyCommand::Announce { json } } => announce(&app, json).await,
        Command::Key { command: KeyCommand::Switch { json } } => {
            let switched = app.write(|tx| service_keys::switch(tx, &Actor::operator())).await;
            match switched {
                Err(Error::NotFound) => {
                    Err("There is no announced key. Make one with `vestibule sso key announce`.".to_owned())
                }
                switched => {
                    sentence(switched)?;
                    print(&json!({ "state": "in_use" }), json, "The announced key is in use.");
                    Ok(())
                }
            }
        }
    }
}

/// Says what was done, or that there was nothing to do.
fn told(done: &Value, json: bool, words: &str) -> Outcome {
    let changed = done["changed"] == true;
    if changed || json {
        print(done, json, words);
    }
    if changed { Ok(()) } else { refused(format!("{words} That was so before: nothing was changed.")) }
}

async fn announce(app: &App, as_json: bool) -> Outcome {
    let (name, now) = (app.config().site.name.clone(), app.now());
    let made = tokio::task::spawn_blocking(move || ServiceKey::generate(&name, now, KEY_LIFE)).await;
    let key = sentence(made.map_err(Error::internal).and_then(|made| made))?;
    let fingerprint = key.certificate().fingerprint.clone();
    let announced = app.write(move |tx| {
        let is_first = service_key::service(tx.conn, tx.config)?.keys.is_empty();
        match is_first {
            true => service_keys::begin(tx, &Actor::operator(), &key)?,
            false => service_keys::announce(tx, &Actor::operator(), &key)?,
        }
        Ok(is_first)
    });
    let is_first = sentence(announced.await)?;
    let (state, words) = match is_first {
        true => ("in_use", "is in use: it is the first one."),
        false => {
            ("announced", "is in the metadata. Switch to it when every identity provider has read that.")
        }
    };
    let told = json!({ "state": state, "fingerprint": fingerprint });
    print(&told, as_json, &format!("The key {} {words}", &fingerprint[..16]));
    Ok(())
}
