//! What hands a browser over from this site to the host of a gate.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Purpose;
use crate::{
    config::Lifetimes,
    ids::{ApplicationId, SessionId},
};

/// Lets a browser in at a host, once, where that host gave it the nonce.
#[derive(Debug)]
pub(crate) struct GateCode;

/// Who comes in where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GateHandover {
    /// At which application.
    pub application: ApplicationId,
    /// From which session.
    pub session: SessionId,
    /// The digest of the nonce in the browser's cookie there.
    pub nonce: String,
    /// The path to go to, sealed.
    pub to: String,
    /// Whether the browser came a second time, because the first one led nowhere.
    pub is_retry: bool,
}

impl GateCode {
    /// How long it works.
    pub(crate) const LIFE: TimeDelta = TimeDelta::seconds(30);
}

impl Purpose for GateCode {
    const NAME: &'static str = "gate_code";
    type Claim = GateHandover;

    fn life(_: &Lifetimes) -> TimeDelta {
        Self::LIFE
    }
}
