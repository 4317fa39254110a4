//! What is looked at before anything is done with the database: that its schema and the secret key are those of this program.

use super::outcome::describe;
use crate::{
    app::App,
    config::Config,
    error::Error,
    model::secret_key::{self, Check},
};

/// Opens the app, brings the schema up where that is ours to do, and refuses where schema or key are not right.
pub async fn open(config: Config) -> Result<App, String> {
    let place = describe(&config.database);
    let app = App::open(config).map_err(|error| match &error {
        // A sentence that begins with the setting.
        Error::Unavailable(_) => error.cause(),
        error => format!("The house does not open ({place}): {}", error.cause()),
    })?;
    if app.config().migrate {
        app.db()
            .migrate()
            .map_err(|error| format!("The schema does not come up ({place}): {}", error.cause()))?;
    }
    let standing = app.db().standing().await;
    let standing =
        standing.map_err(|error| format!("The schema cannot be read ({place}): {}", error.cause()))?;
    if let Some(too_new) = standing.too_new {
        return Err(format!("The schema is too new ({place}): {too_new}."));
    }
    if standing.pending > 0 {
        return Err(format!(
            "MIGRATE is off, and {} migration(s) wait ({place}). Run `vestibule migrate`, then start again.",
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
pub fn wrong_key(config: &Config, key: &str) -> String {
    let configured: Vec<String> =
        config.keys.fingerprints().map(|(role, id)| format!("{} {id}", role.setting())).collect();
    format!(
        "SECRET_KEY is not the key of this database ({}). What is sealed there was sealed with the key {key}; configured: \
         {}. Write that key into SECRET_KEY, or into SECRET_KEY_PREVIOUS where SECRET_KEY is a new one.",
        describe(&config.database),
        configured.join(", ")
    )
}
