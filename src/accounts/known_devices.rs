//! The accounts that were let in from a browser before, as its known-browser cookie says.
//!
//! It opens nothing. It only spares its owner the "new sign-in" mail and the cool-down that strangers cause. An account
//! forgets all of them at once by moving its `browsers_known_from` on.

use serde::{Deserialize, Serialize};

use crate::{clock::Timestamp, ids::UserId, model::device::Device};

// A family at one computer. More would let the cookie grow.
const MOST: usize = 8;

/// The accounts that this browser is known to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct KnownDevices {
    entries: Vec<Entry>,
    // What presents it now.
    #[serde(skip)]
    user_agent: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    user: UserId,
    at: i64,
    // When it was let in first; nothing in a cookie from before this was kept.
    #[serde(default)]
    first: Option<i64>,
    // Its person proved the mailbox here and was not let in yet: spared what strangers' guesses cause, and nothing else.
    #[serde(default)]
    is_spared: bool,
    // When it was let in first, whatever was forgotten since.
    #[serde(default)]
    seen: Option<i64>,
    // The system it was given to, as `Device` names it. A copy on another one tells nothing.
    #[serde(default)]
    os: Option<String>,
}

impl KnownDevices {
    /// The same, as `user_agent` presents it.
    pub(crate) fn presented_by(self, user_agent: &str) -> Self {
        Self { user_agent: user_agent.to_owned(), ..self }
    }

    /// Whether `user` was let in here, or proved the mailbox here, and has not forgotten its browsers since.
    pub(crate) fn knows(&self, user: &UserId, known_from: Timestamp) -> bool {
        self.entry(user).is_some_and(|entry| entry.at >= known_from.unix())
    }

    /// The entry of `user` on this system. A copy on another one tells nothing.
    fn entry(&self, user: &UserId) -> Option<&Entry> {
        let os = self.os();
        let is_here = |entry: &&Entry| entry.os.as_ref().is_none_or(|given| *given == os);
        self.entries.iter().filter(|entry| entry.user == *user).find(is_here)
    }

    /// Since when `user` has been let in here, unless they forgot their browsers since.
    pub(crate) fn known_since(&self, user: &UserId, known_from: Timestamp) -> Option<Timestamp> {
        let entry = self.entry(user).filter(|entry| !entry.is_spared && entry.at >= known_from.unix())?;
        Some(Timestamp::from_unix(entry.first.unwrap_or(entry.at)))
    }

    /// Since when `user` has been let in here, whether or not they forgot their browsers since.
    pub(crate) fn seen_since(&self, user: &UserId) -> Option<Timestamp> {
        let entry = self.entry(user)?;
        let let_in = entry.first.unwrap_or(entry.at);
        entry.seen.or((!entry.is_spared).then_some(let_in)).map(Timestamp::from_unix)
    }

    /// The same with `user`, let in at `now`, and `first` before that.
    pub(crate) fn with(&self, user: &UserId, now: Timestamp, first: Option<Timestamp>) -> Self {
        let first = Some(first.unwrap_or(now).unix());
        self.with_entry(user, now, first, false)
    }

    /// The same with `user`, who proved the mailbox here at `now`.
    pub(crate) fn sparing(&self, user: &UserId, now: Timestamp) -> Self {
        self.with_entry(user, now, None, true)
    }

    fn os(&self) -> String {
        Device::of(&self.user_agent).os
    }

    fn with_entry(&self, user: &UserId, now: Timestamp, first: Option<i64>, is_spared: bool) -> Self {
        let os = Some(self.os());
        let seen = self.seen_since(user).or((!is_spared).then_some(now)).map(|seen| seen.unix());
        // One for each system: a phone that asked for the desktop site is still the phone.
        let is_another = |entry: &&Entry| entry.user != *user || (entry.os.is_some() && entry.os != os);
        let mut entries = vec![];
        entries.extend(self.entries.iter().filter(is_another).cloned());
        entries.insert(0, Entry { user: user.clone(), at: now.unix(), first, is_spared, seen, os });
        entries.truncate(MOST);
        Self { entries, user_agent: self.user_agent.clone() }
    }
}
