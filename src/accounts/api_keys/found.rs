//! Keys that somebody found where they should not be.

use super::{events::Event, telling::tell_owner};
use crate::{
    db::Tx,
    error::Result,
    mail::emails::KeyNews,
    model::{
        api_key::{self, ApiKeySecret},
        audit::{self, Actor},
    },
    secret::Secret,
};

/// Ends the key with this secret, or, after it was rolled, only this secret, and tells its owner. Nobody learns whether there was
/// one.
pub(crate) fn found(tx: &mut Tx, actor: &Actor, secret: &Secret<ApiKeySecret>) -> Result<()> {
    if !secret.is_well_formed() {
        return Ok(());
    }
    let Some((key, is_former)) = api_key::with_digest(tx.conn, &secret.digest(), tx.now)? else {
        return Ok(());
    };
    let (has_ended, news) = match is_former {
        true => (api_key::end_former(tx, &key.id)?, KeyNews::FormerFound),
        false => (api_key::remove(tx, &key.id)?, KeyNews::Found),
    };
    if !has_ended {
        return Ok(());
    }
    let event = Event::ApiKeyFound {
        key: key.id.clone(),
        organisation: key.organisation_id.clone(),
        name: key.name.clone(),
    };
    audit::record(tx, actor, key.user_id.as_ref(), event)?;
    tell_owner(tx, &key, news)
}
