//! What an account's person wants to be called.

use crate::{
    db::Tx,
    error::Result,
    ids::UserId,
    model::{
        audit::{self, Actor, Event},
        user::{self, Name},
    },
};

/// Changes what a person wants to be called.
pub(crate) fn rename(tx: &mut Tx, actor: &Actor, id: &UserId, name: &Name) -> Result<()> {
    user::rename(tx, id, name)?;
    audit::record(tx, actor, id, Event::Renamed {})
}
