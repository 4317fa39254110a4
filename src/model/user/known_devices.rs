//! From when on the cookies of known devices count.

use chrono::TimeDelta;
use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    db::{Tx, schema::users},
    error::Result,
    ids::UserId,
};

/// Lets browsers become known again that all were forgotten while the clock was ahead. Says from when on they count.
pub(crate) fn known_from(tx: &mut Tx, id: &UserId) -> Result<Timestamp> {
    let known_from = users::table.find(id).select(users::browsers_known_from).first::<Timestamp>(tx.conn)?;
    if known_from <= tx.now.latest_start() {
        return Ok(known_from);
    }
    diesel::update(users::table.find(id)).set(users::browsers_known_from.eq(tx.now)).execute(tx.conn)?;
    Ok(tx.now)
}

/// Forgets every known device. The cookies tell whole seconds, so those of this very second are forgotten as well.
pub(crate) fn forget_known_devices(tx: &mut Tx, id: &UserId) -> Result<()> {
    let from_now_on = tx.now + TimeDelta::seconds(1);
    diesel::update(users::table.find(id)).set(users::browsers_known_from.eq(from_now_on)).execute(tx.conn)?;
    Ok(())
}
