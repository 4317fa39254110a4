//! What applications may do without a session ends with something else, on record. It names no other use case, so that whatever ends
//! sessions can end what came of them.

use crate::{
    db::Tx,
    error::Result,
    ids::{SessionId, UserId},
    kinds::Factor,
    model::{
        audit::{self, Actor, audit_events},
        grant,
        session::Acr,
    },
};

audit_events! {
    /// What applications may do without a session ended with something else.
    OfflineGrantsEnded { count: usize } => of("offline_grants_ended"),
}

/// Ends what applications may do without a session; what they may do through one ends with that.
pub(crate) fn end_all(tx: &mut Tx, actor: &Actor, user: &UserId) -> Result<()> {
    let count = grant::end_offline(tx, user)?;
    note_ended(tx, actor, user, count)
}

/// Ends what was given without a session and with one factor.
pub(crate) fn end_single_factor(tx: &mut Tx, actor: &Actor, user: &UserId) -> Result<()> {
    let count = grant::end_offline_at(tx, user, &Acr::OneFactor.to_string())?;
    note_ended(tx, actor, user, count)
}

/// Ends what rested on one of `factors`, in whatever session.
pub(crate) fn end_relying_on(tx: &mut Tx, actor: &Actor, user: &UserId, factors: &[Factor]) -> Result<()> {
    let count = grant::end_relying_on(tx, user, factors)?;
    note_ended(tx, actor, user, count)
}

/// Ends what was made on devices that somebody revokes: whoever had the device has that, too. Returns how many there were.
pub(crate) fn end_made_in(tx: &mut Tx, actor: &Actor, user: &UserId, devices: &[SessionId]) -> Result<usize> {
    let count = grant::end_made_in(tx, user, devices)?;
    note_ended(tx, actor, user, count)?;
    Ok(count)
}

/// Ends everybody's.
pub(crate) fn end_everybodys(tx: &mut Tx, actor: &Actor) -> Result<()> {
    match grant::end_everybodys(tx)? {
        0 => Ok(()),
        count => audit::record(tx, actor, None, Event::OfflineGrantsEnded { count }),
    }
}

fn note_ended(tx: &mut Tx, actor: &Actor, user: &UserId, count: usize) -> Result<()> {
    match count {
        0 => Ok(()),
        count => audit::record(tx, actor, user, Event::OfflineGrantsEnded { count }),
    }
}
