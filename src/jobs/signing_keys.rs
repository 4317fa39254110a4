//! The keys that tokens are signed with: made when they are first needed, and turned by a job.

use std::sync::Arc;

use super::run::{Run, Stop};
use crate::{
    accounts::signing_keys::{self, Due, Ring},
    app::App,
    error::{Error, Result},
    model::audit::Actor,
    oauth::{SigningAlgorithm, SigningKey},
};

/// The keys. Those that are not there yet are made.
pub(crate) async fn ring(app: &App) -> Result<Arc<Ring>> {
    let now = app.now();
    if let Some(ring) = app.signing_keys().get(now) {
        return Ok(ring);
    }
    let load = || {
        let keys = app.config().keys.clone();
        app.read(move |conn| Ring::load(conn, &keys, now))
    };
    let ring = match load().await? {
        Some(ring) => ring,
        None => {
            for algorithm in SigningAlgorithm::ALL {
                let key = generate(*algorithm).await?;
                app.write(move |tx| signing_keys::begin(tx, &Actor::job(), &key)).await?;
            }
            load().await?.ok_or_else(|| anyhow::anyhow!("there are no keys for tokens"))?
        }
    };
    let ring = Arc::new(ring);
    app.signing_keys().keep(now, Arc::clone(&ring));
    Ok(ring)
}

/// Makes a key, where nobody waits for it.
pub(crate) async fn generate(algorithm: SigningAlgorithm) -> Result<SigningKey> {
    tokio::task::spawn_blocking(move || SigningKey::generate(algorithm)).await.map_err(Error::internal)?
}

/// Announces and switches what is due.
pub(super) async fn turn(run: &mut Run<'_>) -> Result<(), Stop> {
    let (life, now) = (run.app.config().lifetimes.signing_key, run.app.now());
    let due = match run.app.read(move |conn| signing_keys::due(conn, life, now)).await {
        Ok(due) => due,
        Err(error) => {
            run.fail(&error);
            return Ok(());
        }
    };
    for one in due {
        let turned = match one {
            Due::Announce(algorithm) => match generate(algorithm).await {
                Ok(key) => run.step(move |tx| signing_keys::announce(tx, &Actor::job(), &key)).await?,
                Err(error) => {
                    run.fail(&error);
                    None
                }
            },
            Due::Switch(algorithm) => {
                run.step(move |tx| signing_keys::switch(tx, &Actor::job(), algorithm)).await?
            }
        };
        if turned == Some(true) {
            run.count("signing_keys", 1);
        }
    }
    Ok(())
}
