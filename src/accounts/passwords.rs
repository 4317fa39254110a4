//! What is kept of a password.

use crate::{
    db::Tx,
    error::Result,
    ids::UserId,
    model::{
        audit::{self, Actor, Event},
        password::PasswordHash,
        user,
    },
};

/// Replaces `old` by a stronger hash of the same password, unless the password changed meanwhile.
pub(crate) fn rehash(
    tx: &mut Tx,
    actor: &Actor,
    id: &UserId,
    old: &PasswordHash,
    new: &PasswordHash,
) -> Result<()> {
    match user::rehash(tx, id, old, new)? {
        true => audit::record(tx, actor, id, Event::PasswordRehashed {}),
        false => Ok(()),
    }
}
