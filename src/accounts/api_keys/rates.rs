//! How often keys are used, and wrong ones tried: counted in memory, in each process for itself, so that a use writes nothing.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    clock::Timestamp,
    error::{Error, Result},
};

/// Requests a minute with one key.
pub(crate) const USES_A_MINUTE: u32 = 600;

/// Keys that do not work, or were found, a minute from one client of the network.
pub(crate) const MISSES_A_MINUTE: u32 = 30;

/// What was counted in the present minute.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<(i64, HashMap<String, u32>)>);

impl Rates {
    /// Counts one more. [`Error::TooManyAttempts`] where there were `most` in this minute.
    pub(crate) fn count(&self, whom: &str, most: u32, now: Timestamp) -> Result<()> {
        self.look(whom, most, now, 1)
    }

    /// The same without counting.
    pub(crate) fn check(&self, whom: &str, most: u32, now: Timestamp) -> Result<()> {
        self.look(whom, most, now, 0)
    }

    fn look(&self, whom: &str, most: u32, now: Timestamp, more: u32) -> Result<()> {
        let (minute, second) = (now.unix().div_euclid(60), now.unix().rem_euclid(60));
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0 != minute {
            *held = (minute, HashMap::new());
        }
        let before = held.1.get(whom).copied().unwrap_or_default();
        if before >= most {
            return Err(Error::TooManyAttempts(60 - second));
        }
        if more > 0 {
            held.1.insert(whom.to_owned(), before + more);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_apart_and_anew_each_minute() {
        let (rates, start) = (Rates::default(), Timestamp::from_unix(1_200_000_030));
        for _ in 0..3 {
            rates.count("a key", 3, start).unwrap();
        }
        assert!(matches!(rates.check("a key", 3, start), Err(Error::TooManyAttempts(30))));
        assert!(matches!(rates.count("a key", 3, start), Err(Error::TooManyAttempts(30))));
        rates.count("another", 3, start).unwrap();
        rates.count("a key", 3, Timestamp::from_unix(1_200_000_060)).unwrap();
    }
}
