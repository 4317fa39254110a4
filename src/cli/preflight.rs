//! What is looked at before anything is done with the database: that its schema and the secret key are those of this program.

use std::{fs, io::ErrorKind};

use super::outcome::describe;
use crate::{
    app::App,
    config::{Config, DatabaseUrl, development_key_path},
    error::Error,
    model::secret_key::{self, Check},
};

/// Opens the app for a command that only uses what is there: refuses where the database is not there, its schema is not this
/// program's, or the key is not right. It never brings the schema up: the nodes that run may be older.
pub(crate) async fn open(config: Config) -> Result<App, String> {
    if let Some(says) = no_database(&config) {
        return Err(says);
    }
    if config.has_passing_key {
        let path = development_key_path(&config.database);
        return Err(format!(
            "SECRET_KEY is missing, and so is {}. Write the key of this database, or let `vestibule serve` make one.",
            path.display()
        ));
    }
    open_with(config, false).await
}

/// What is said where there is no database yet, and one could be made: opening it would do so.
pub(super) fn no_database(config: &Config) -> Option<String> {
    let DatabaseUrl::Sqlite(path) = &config.database else { return None };
    let is_missing = fs::metadata(path).is_err_and(|cause| cause.kind() == ErrorKind::NotFound);
    is_missing.then(|| {
        format!(
            "DATABASE_URL names {}, and there is no such file. Write the one that `vestibule serve` uses, or make one with \
             `vestibule migrate`.",
            path.display()
        )
    })
}

/// Opens the app for `serve` and `seed`: brings the schema up first, unless `MIGRATE` is off.
pub(crate) async fn open_and_migrate(config: Config) -> Result<App, String> {
    let migrates = config.migrate;
    open_with(config, migrates).await
}

async fn open_with(config: Config, migrates: bool) -> Result<App, String> {
    let place = describe(&config.database);
    let app = App::open(config).map_err(|error| match &error {
        // A sentence that begins with the setting.
        Error::Unavailable(_) => error.cause(),
        error => format!("Vestibule could not start ({place}): {}", error.cause()),
    })?;
    if migrates {
        let was_empty = app.db().standing().await.is_ok_and(|standing| standing.is_empty);
        app.db()
            .migrate()
            .map_err(|error| format!("The schema does not come up ({place}): {}", error.cause()))?;
        if was_empty && !app.config().is_development() {
            // A wrong name, or a disk that is not mounted, looks like this.
            tracing::warn!(
                database = place,
                "the database was empty: its tables are made, and nobody has an account"
            );
        }
    }
    let standing = app.db().standing().await;
    let standing =
        standing.map_err(|error| format!("The schema cannot be read ({place}): {}", error.cause()))?;
    if let Some(too_new) = standing.too_new {
        return Err(format!("The schema is too new ({place}): {too_new}."));
    }
    if standing.pending > 0 {
        let off = if app.config().migrate { "" } else { "MIGRATE is off, and " };
        return Err(format!(
            "{off}{} migration(s) wait ({place}). Run `vestibule migrate`, then start again.",
            standing.pending
        ));
    }
    check_key(&app).await?;
    Ok(app)
}

async fn check_key(app: &App) -> Result<(), String> {
    let look = async || {
        let keys = app.config().keys.clone();
        app.read(move |conn| secret_key::check(conn, &keys)).await.map_err(|error| error.cause())
    };
    let mut check = look().await?;
    if check == Check::ToSeal {
        app.write(secret_key::seal_canary).await.map_err(|error| error.cause())?;
        // Another node may have been first, with another key.
        check = look().await?;
    }
    match check {
        Check::Fits | Check::ToSeal => Ok(()),
        Check::Foreign(key) => Err(wrong_key(app.config(), &key)),
    }
}

/// What is said where no configured key is the key of the database.
pub(crate) fn wrong_key(config: &Config, key: &str) -> String {
    let configured: Vec<String> =
        config.keys.fingerprints().map(|(role, id)| format!("{} {id}", role.setting())).collect();
    format!(
        "SECRET_KEY is not the key of this database ({}). What is sealed there was sealed with the key {key}; configured: \
         {}. Write that key into SECRET_KEY, or into SECRET_KEY_PREVIOUS where SECRET_KEY is a new one.",
        describe(&config.database),
        configured.join(", ")
    )
}
