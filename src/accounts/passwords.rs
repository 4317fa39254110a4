//! What is kept of a password.

use crate::{
    db::Tx,
    error::Result,
    ids::UserId,
    model::{
        audit::{self, Actor, audit_events},
        password::PasswordHash,
        user,
    },
};

audit_events! {
    /// A new password was set by its user.
    PasswordChanged {} => of("password_changed"),
    /// A reset link was asked for.
    ResetRequested {} => attempt("reset_requested"),
    /// A new password was set through a mailed link.
    PasswordReset {} => of("password_reset"),
    /// A hash was made again with today's cost and key.
    PasswordRehashed {} => of("password_rehashed"),
}

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
