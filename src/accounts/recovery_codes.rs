//! Recovery codes are made and used, on record.

use zeroize::Zeroizing;

use crate::{
    db::Tx,
    error::Result,
    ids::UserId,
    model::{
        audit::{self, Actor, audit_events},
        recovery_code,
    },
};

audit_events! {
    /// New recovery codes were made; older ones are dead.
    RecoveryCodesMade {} => of("recovery_codes_made"),
    /// A recovery code was used.
    RecoveryCodeUsed { left: i64 } => of("recovery_code_used"),
}

/// Makes ten new codes, as they are to be shown once: `xxxx-xxxx-xxxx`. All older ones are dead.
pub fn make(tx: &mut Tx, actor: &Actor, user: &UserId) -> Result<Vec<Zeroizing<String>>> {
    let codes = recovery_code::make(tx, user)?;
    audit::record(tx, actor, user, Event::RecoveryCodesMade {})?;
    Ok(codes)
}

/// Uses a code, and says how many are left; nothing where it was none. Of many at once, one succeeds.
pub(crate) fn take(tx: &mut Tx, actor: &Actor, user: &UserId, code: &str) -> Result<Option<i64>> {
    let left = recovery_code::take(tx, user, code)?;
    if let Some(left) = left {
        audit::record(tx, actor, user, Event::RecoveryCodeUsed { left })?;
    }
    Ok(left)
}
