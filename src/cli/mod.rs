//! The commands. Exit 0: done; 1: refused, with a sentence on stderr; 2: wrong usage.

mod doctor;
mod jobs;
mod seed;
mod serve;
mod sso;
mod user;

use std::{fmt::Display, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{
    app::App,
    config::{self, Config, DatabaseUrl},
    error::Result,
};

/// The entry room of your application: sign-up, sign-in and devices in one program.
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
    /// Run the house.
    Serve,
    /// Bring the database's schema up.
    Migrate,
    /// Make three people and an organisation to try things with, and print the passwords (development only).
    Seed {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// What runs by itself: see it, run it once, try parked letters again.
    Jobs {
        #[command(subcommand)]
        command: jobs::Command,
    },
    /// The people who have accounts: look them up, lock them out, delete them, let them in again who lost everything.
    User {
        #[command(subcommand)]
        command: user::Command,
    },
    /// Connections with the identity providers of organisations.
    Sso {
        #[command(subcommand)]
        command: sso::Command,
    },
    /// Check settings, database, mail, clock and cookies, and say what to do about each finding.
    Doctor {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Send a test letter to this address.
        #[arg(long, value_name = "ADDRESS")]
        mail_to: Option<String>,
    },
}

/// Runs the command that the command line names.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match (config::read(arguments.config.as_deref()), &arguments.command) {
        (Ok(config), _) => config,
        (Err(problems), Command::Doctor { json, .. }) => return doctor::settings_only(&problems, *json),
        (Err(problems), _) => return refuse(problems),
    };
    let outcome = match arguments.command {
        Command::Serve => serve::run(config),
        Command::Migrate => migrate(&config),
        Command::Seed { json } => with_app(config, |app| seed::run(app, json)),
        Command::Jobs { command } => with_app(config, |app| jobs::run(app, command)),
        Command::User { command } => with_app(config, |app| user::run(app, command)),
        Command::Sso { command } => with_app(config, |app| sso::run(app, command)),
        Command::Doctor { json, mail_to } => return block_on(doctor::run(config, json, mail_to)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => refuse(sentence),
    }
}

/// What a command says when it cannot.
type Outcome = std::result::Result<(), String>;

fn refuse(sentence: impl Display) -> ExitCode {
    eprintln!("{sentence}");
    ExitCode::FAILURE
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    actix_web::rt::System::new().block_on(work)
}

/// Runs work in an open house whose schema is up to date.
fn with_app<F>(config: Config, work: impl FnOnce(App) -> F) -> Outcome
where
    F: Future<Output = Outcome>,
{
    let app = open(config)?;
    block_on(work(app))
}

fn open(config: Config) -> std::result::Result<App, String> {
    let place = describe(&config.database);
    let may_migrate = config.migrate;
    let app = App::open(config)
        .map_err(|error| format!("The house does not open ({place}): {}", cause_of(&error)))?;
    if may_migrate {
        app.db()
            .migrate()
            .map_err(|error| format!("The schema does not come up ({place}): {}", cause_of(&error)))?;
    }
    Ok(app)
}

fn migrate(config: &Config) -> Outcome {
    let place = describe(&config.database);
    let migrated = crate::db::Database::open(&config.database, 1).and_then(|db| db.migrate());
    let ran =
        migrated.map_err(|error| format!("The schema does not come up ({place}): {}", cause_of(&error)))?;
    println!(
        "{place}: {}",
        if ran == 0 { "nothing to do.".to_owned() } else { format!("{ran} migration(s) run.") }
    );
    Ok(())
}

fn describe(database: &DatabaseUrl) -> String {
    format!("{database:?}")
}

/// The cause, for an operator: more than a visitor is told.
fn cause_of(error: &crate::error::Error) -> String {
    match error {
        crate::error::Error::Internal(cause) => format!("{cause:#}"),
        crate::error::Error::Invalid(errors) => {
            errors.iter().flat_map(|(_, sentences)| sentences).cloned().collect::<Vec<_>>().join(" ")
        }
        error => error.to_string(),
    }
}

fn sentence<T>(outcome: Result<T>) -> std::result::Result<T, String> {
    outcome.map_err(|error| cause_of(&error))
}
