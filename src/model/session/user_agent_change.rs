//! A session that is suddenly used with another user agent.

use diesel::prelude::*;

use super::CurrentSession;
use crate::{
    db::{Tx, schema::sessions},
    error::Result,
    ids::SessionId,
    model::device::{self, Device},
};

/// What a changed user agent means for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserAgentChange {
    /// The same browser, perhaps a newer version of it.
    Version,
    /// Another name that the same device may give, or that something in between gives.
    Name,
    /// Another device: the secret is in other hands.
    Device,
}

/// Judges a user agent that is not the one the session began with.
pub(crate) fn classify(session: &CurrentSession, user_agent: &str) -> UserAgentChange {
    if !device::can_be_one(&session.user_agent, user_agent) {
        return UserAgentChange::Device;
    }
    let (before, after) = (Device::of(&session.user_agent), Device::of(user_agent));
    match before.browser == after.browser && before.os == after.os {
        true => UserAgentChange::Version,
        false => UserAgentChange::Name,
    }
}

/// Keeps the newer version of a session's browser.
pub(crate) fn note_version(tx: &mut Tx, id: &SessionId, user_agent: &str) -> Result<()> {
    diesel::update(sessions::table.find(id)).set(sessions::user_agent.eq(user_agent)).execute(tx.conn)?;
    Ok(())
}

/// Locks a session that is suddenly used from another device. It stays in the list, with a warning, until it ends. Whether
/// it was not locked before.
pub(crate) fn lock(tx: &mut Tx, id: &SessionId, used_by: &Device) -> Result<bool> {
    let open = sessions::table.find(id).filter(sessions::locked_at.is_null());
    let locked = diesel::update(open)
        .set((sessions::locked_at.eq(tx.now), sessions::locked_by.eq(used_by.name())))
        .execute(tx.conn)?;
    Ok(locked > 0)
}
