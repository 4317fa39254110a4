//! Where somebody is signed in, as the list of devices shows it.

use std::{cmp::Reverse, collections::HashMap};

use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    db::{
        Conn,
        schema::{provider_identities, sessions},
    },
    direct,
    error::Result,
    ids::{SessionId, UserId},
    kinds::{AuthMethod, Factor},
};

/// A live session, as the list of devices shows it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub struct Listed {
    /// For signing it out.
    pub id: SessionId,
    /// How it began.
    pub method: AuthMethod,
    /// What was given after it, as a second step.
    pub second_factor: Option<Factor>,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
    /// The browser's family.
    pub browser: String,
    /// The platform.
    pub os: String,
    /// `computer`, `phone`, `tablet`, `program` or `unknown`.
    pub device_type: String,
    /// The address on the network it began at.
    pub ip: String,
    /// The device it was suddenly used from, in words, where it has to sign in again.
    pub locked_by: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_active_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Listed {
    fn place(&self) -> (Reverse<Timestamp>, Reverse<Timestamp>, &str) {
        (Reverse(self.last_active_at), Reverse(self.created_at), self.id.as_str())
    }
}

/// `owner`'s live sessions, the most recently used first.
pub fn list(conn: &mut Conn, owner: &UserId, now: Timestamp) -> Result<Vec<Listed>> {
    let mut found: Vec<Listed> = direct!(conn => sessions::table
        .filter(sessions::user_id.eq(owner))
        .filter(sessions::expires_at.gt(now))
        .filter(sessions::idle_expires_at.gt(now))
        .filter(sessions::created_at.le(now.latest_start()))
        .select(Listed::as_select())
        .load(conn))?;
    // Here: a database copies every column into a sorter of its own, for the handful of devices that a person has.
    found.sort_by(|one, other| one.place().cmp(&other.place()));
    Ok(found)
}

/// With which provider, by its key, those of `owner`'s sessions began that began with one.
pub(crate) fn providers(conn: &mut Conn, owner: &UserId) -> Result<HashMap<SessionId, String>> {
    let came_by = sessions::connection_id.eq(provider_identities::id.nullable());
    let keys: Vec<(SessionId, String)> = sessions::table
        .inner_join(provider_identities::table.on(came_by))
        .filter(sessions::user_id.eq(owner))
        .select((sessions::id, provider_identities::provider))
        .load(conn)?;
    Ok(keys.into_iter().collect())
}
