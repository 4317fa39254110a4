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

// Keys in one text.
const MOST: usize = 10;

/// The secret, alone or within a text.
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
    let actor = client.actor();
    app.write(move |tx| {
        // With whatever stood around it: a line of a file, an address, a header.
        let words = form.secret.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let secrets = words.map(Secret::<ApiKeySecret>::from_text).filter(|one| one.is_well_formed());
        secrets.take(MOST).try_for_each(|secret| api_keys::found(tx, &actor, &secret))
    })
    .await?;
    Ok(Reply::done(
        "/",
        "Thank you. If this is an API key of ours, it no longer works, and its owner hears of it.",
    ))
}
