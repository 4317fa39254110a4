//! The commands. Exit 0: done; 1: refused, or there was nothing to do, with a sentence on stderr; 2: wrong usage.

mod api_key;
mod app;
mod audit;
mod directory;
mod doctor;
mod jobs;
mod keys;
mod limits;
mod organisation;
mod out;
mod outcome;
mod permission;
mod preflight;
mod providers;
#[cfg(feature = "development")]
mod seed;
mod serve;
mod session;
mod settings;
mod sso;
mod user;

use std::{io::ErrorKind, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use out::say;
use outcome::{Outcome, block_on, describe, refused};

use crate::{
    app::App,
    config::{self, Config},
    db::Database,
};

/// Accounts and sign-in for your application, in one binary.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, about)]
struct Arguments {
    /// A TOML file with settings; the environment wins over it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve,
    /// Bring the database's schema up.
    Migrate,
    /// Make three people and an organisation to try things with, and print the passwords (development only).
    #[cfg(feature = "development")]
    Seed {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Background jobs: see them, run one, retry emails that were given up.
    Jobs {
        #[command(subcommand)]
        command: jobs::Command,
    },
    /// The people who have accounts: look them up, lock them out, delete them, let them in again who lost everything.
    User {
        #[command(subcommand)]
        command: user::Command,
    },
    /// Who did what to whom, when and from where.
    Audit(audit::Command),
    /// What is counted against guessing: see it, clear it.
    Limits {
        #[command(subcommand)]
        command: limits::Command,
    },
    /// The sessions of everybody.
    Session {
        #[command(subcommand)]
        command: session::Command,
    },
    /// Connections with the identity providers of organisations.
    Sso {
        #[command(subcommand)]
        command: sso::Command,
    },
    /// The organisations: look them up, give them an owner, delete and restore them.
    Organisation {
        #[command(subcommand)]
        command: organisation::Command,
    },
    /// The lists of people that identity providers keep (SCIM): look at them, make a token.
    Directory {
        #[command(subcommand)]
        command: directory::Command,
    },
    /// The applications behind this site: add them, print what their proxy needs, say what somebody would get.
    App {
        #[command(subcommand)]
        command: Box<app::Command>,
    },
    /// The API keys of people and of organisations: look them up, end one.
    ApiKey {
        #[command(subcommand)]
        command: api_key::Command,
    },
    /// What tokens for applications are signed with: look at it, change it.
    Keys {
        #[command(subcommand)]
        command: keys::Command,
    },
    /// The providers that people sign in with, and the accounts there that open accounts here.
    Providers {
        #[command(subcommand)]
        command: providers::Command,
    },
    /// What the roles of organisations can be made of.
    Permission {
        #[command(subcommand)]
        command: permission::Command,
    },
    /// Print every setting as it holds, and where it was written. Secrets are hidden.
    Settings {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check settings, database, mail, clock and cookies, and say what to do about each finding.
    Doctor {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Send a test email to this address.
        #[arg(long, value_name = "ADDRESS")]
        mail_to: Option<String>,
    },
}

/// Runs the command that the command line names.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => return explain(&usage),
    };
    if matches!(arguments.command, Command::Serve) {
        serve::outlive_hangups();
    }
    let only_looks = !matches!(arguments.command, Command::Serve | Command::Migrate);
    #[cfg(feature = "development")]
    let only_looks = only_looks && !matches!(arguments.command, Command::Seed { .. });
    let read = config::read(arguments.config.as_deref(), only_looks);
    let (config, settings) = match (read, &arguments.command) {
        (Ok(read), _) => read,
        (Err(problems), Command::Doctor { json, .. }) => {
            return end(doctor::settings_only(&problems, *json));
        }
        (Err(problems), _) => return end(refused(problems)),
    };
    end(match arguments.command {
        Command::Serve => serve::run(config),
        Command::Migrate => migrate(&config),
        #[cfg(feature = "development")]
        Command::Seed { json } => {
            block_on(async { seed::run(preflight::open_and_migrate(config).await?, json).await })
        }
        Command::Jobs { command } => with_app(config, |app| jobs::run(app, command)),
        Command::User { command } => with_app(config, |app| user::run(app, command)),
        Command::Audit(command) => with_app(config, |app| audit::run(app, command)),
        Command::Limits { command } => with_app(config, |app| limits::run(app, command)),
        Command::Session { command } => with_app(config, |app| session::run(app, command)),
        Command::Sso { command } => with_app(config, |app| sso::run(app, command)),
        Command::Organisation { command } => with_app(config, |app| organisation::run(app, command)),
        Command::Directory { command } => with_app(config, |app| directory::run(app, command)),
        Command::App { command } => with_app(config, |app| app::run(app, *command)),
        Command::ApiKey { command } => with_app(config, |app| api_key::run(app, command)),
        Command::Keys { command } => with_app(config, |app| keys::run(app, command)),
        Command::Providers { command } => with_app(config, |app| providers::run(app, command)),
        Command::Permission { command } => with_app(config, |app| permission::run(app, command)),
        Command::Settings { json } => {
            settings::print(&settings, json);
            Ok(())
        }
        Command::Doctor { json, mail_to } => block_on(doctor::run(config, json, mail_to)),
    })
}

/// How a command is used: on stdout where that was asked for.
fn explain(usage: &clap::Error) -> ExitCode {
    match usage.print() {
        Err(cause) if !usage.use_stderr() && cause.kind() != ErrorKind::BrokenPipe => {
            end(refused(format!("The output could not be written to stdout: {}.", cause.kind())))
        }
        _ => ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2)),
    }
}

fn end(outcome: Outcome) -> ExitCode {
    let written = out::finish();
    let sentences = [outcome.clone().err(), written.clone().err()];
    // Where it is all said on stdout there is nothing to add.
    sentences.into_iter().flatten().filter(|sentence| !sentence.is_empty()).for_each(out::complain);
    match outcome.and(written) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Runs work in an open house whose schema is up to date already.
fn with_app<F>(config: Config, work: impl FnOnce(App) -> F) -> Outcome
where
    F: Future<Output = Outcome>,
{
    block_on(async { work(preflight::open(config).await?).await })
}

fn migrate(config: &Config) -> Outcome {
    let place = describe(&config.database);
    let db = Database::open(&config.database, 1, config.is_pooled).map_err(|no| no.sentence)?;
    let ran =
        db.migrate().map_err(|error| format!("The schema does not come up ({place}): {}", error.cause()))?;
    say!(
        "{place}: {}",
        if ran == 0 { "nothing to do.".to_owned() } else { format!("{ran} migration(s) run.") }
    );
    Ok(())
}
