//! The offer of an organisation to one of its members.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Purpose;
use crate::{
    clock::Timestamp,
    config::Lifetimes,
    ids::{OrganisationId, UserId},
    kinds::AfterHandOver,
};

/// Makes a member an owner, once they accept. It is the token of the owner who offers it.
#[derive(Debug)]
pub(crate) struct HandOver;

/// What an owner offers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HandOverOffer {
    /// Which organisation.
    pub organisation: OrganisationId,
    /// To which member.
    pub to: UserId,
    /// What the owner becomes then.
    pub then: AfterHandOver,
    /// Until when it can be accepted, in seconds since the Unix epoch.
    pub until: i64,
}

impl HandOverOffer {
    /// Until when it can be accepted.
    pub(crate) fn until(&self) -> Timestamp {
        Timestamp::from_unix(self.until)
    }
}

impl Purpose for HandOver {
    const NAME: &'static str = "hand_over";
    type Claim = HandOverOffer;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.hand_over
    }
}
