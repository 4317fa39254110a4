//! The link in every email to an address that nobody confirmed by which its reader starts with that address.

use chrono::TimeDelta;

use super::Purpose;
use crate::config::Lifetimes;

/// Proves an address, and makes an account with it. It is nobody's, so that no end of an account ends it; claims a digest
/// of the normalised address.
#[derive(Debug)]
pub(crate) struct UseAddress;

impl Purpose for UseAddress {
    const NAME: &'static str = "use_address";
    type Claim = String;

    /// As long as the day for which an address gets no more emails, so that one of them works until the next comes.
    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.verify_link.max(TimeDelta::days(1))
    }
}
