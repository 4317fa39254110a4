//! How many sessions an account has at the most.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::{
    db::{Tx, schema::sessions},
    error::Result,
    ids::{SessionId, UserId},
    model::{
        audit::{self, Actor, audit_events},
        network,
    },
};

audit_events! {
    /// A session ended because another began.
    SessionDisplaced { session: SessionId } => of("session_displaced"),
}

/// Ends sessions of `owner` until there is room for one more: each time the least recently used of those that began in the
/// neighbourhood of the network with the most of them. So a flood of sign-ins from one place ends its own.
pub(crate) fn make_room(tx: &mut Tx, actor: &Actor, owner: &UserId) -> Result<()> {
    let live: Vec<(SessionId, String)> = sessions::table
        .filter(sessions::user_id.eq(owner))
        .filter(sessions::expires_at.gt(tx.now))
        .filter(sessions::idle_expires_at.gt(tx.now))
        .order((sessions::last_active_at, sessions::created_at, sessions::id))
        .select((sessions::id, sessions::ip))
        .load(tx.conn)?;
    let mut live: Vec<(SessionId, String)> =
        live.into_iter().map(|(id, ip)| (id, network::network_prefix(&ip))).collect();
    while live.len() >= tx.config.limits.sessions_per_account {
        let mut crowds: HashMap<&str, usize> = HashMap::new();
        live.iter().for_each(|(_, network)| *crowds.entry(network).or_default() += 1);
        // Of several that are alike this takes the last; they are turned so that this is the least recently used.
        let least = live.iter().enumerate().rev().max_by_key(|(_, (_, network))| crowds[network.as_str()]);
        let Some(least) = least.map(|(place, _)| place) else { return Ok(()) };
        let (session, _) = live.remove(least);
        diesel::delete(sessions::table.find(&session)).execute(tx.conn)?;
        audit::record(tx, actor, owner, Event::SessionDisplaced { session })?;
    }
    Ok(())
}
