//! How much of bodies is held in memory at a time, in all and of one client: a body is read before it is known whether
//! anybody may send it, and a slow one stays for as long as `BODY_TIMEOUT`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    error::{Error, Result},
    log,
};

const MIB: usize = 1024 * 1024;

/// In all.
const MOST: usize = 128 * MIB;

/// Of one client. Behind an address there may be an office, none of which sends a megabyte but by hand.
const MOST_OF_ONE: usize = 16 * MIB;

static HELD: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// What is held of one body; given back when it is dropped.
pub(crate) struct HeldBytes {
    client: String,
    bytes: usize,
}

impl HeldBytes {
    /// Of the request that is answered, nothing yet.
    pub(crate) fn here() -> Self {
        Self {
            client: log::current().map(|request| request.client.to_string()).unwrap_or_default(),
            bytes: 0,
        }
    }

    /// [`Error::Busy`] where too much is held already.
    pub(crate) fn add(&mut self, more: usize) -> Result<()> {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = held.values().sum();
        let own = held.get(&self.client).copied().unwrap_or(0);
        if all + more > MOST || own + more > MOST_OF_ONE {
            return Err(Error::Busy);
        }
        held.insert(self.client.clone(), own + more);
        self.bytes += more;
        Ok(())
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        let left = held.get(&self.client).map_or(0, |own| own.saturating_sub(self.bytes));
        match left {
            0 => held.remove(&self.client),
            left => held.insert(self.client.clone(), left),
        };
    }
}
