//! A key that somebody found where it should not be: whoever tells of it ends it, and learns nothing.

use actix_web::web::Data;
use serde::Deserialize;

use crate::{
    accounts::api_keys::{self, MISSES_A_MINUTE},
    app::App,
    error::Result,
    model::{api_key::ApiKeySecret, network::client_network},
    secret::Secret,
    web::{Client, Input, Reply},
};

/// The secret.
#[derive(Deserialize)]
pub(crate) struct FoundForm {
    secret: String,
}

/// `POST /keys/found`: the same answer for everything.
pub(crate) async fn create(client: Client, Input(form): Input<FoundForm>, app: Data<App>) -> Result<Reply> {
    if app.config().limits.are_on {
        let whom = format!("found {}", client_network(&client.ip));
        app.key_rates().count(&whom, MISSES_A_MINUTE, app.now())?;
    }
    let (actor, secret) = (client.actor(), Secret::<ApiKeySecret>::from_text(form.secret.trim()));
    app.write(move |tx| api_keys::found(tx, &actor, &secret)).await?;
    Ok(Reply::done(
        "/",
        "Thank you. If this is an API key of ours, it no longer works, and its owner hears of it.",
    ))
}
