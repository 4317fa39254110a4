//! Times in SAML, and two clocks that differ.

use chrono::{DateTime, TimeDelta};

use super::{Reason, xml::Element};
use crate::clock::Timestamp;

/// How far two clocks may be apart, in either direction.
pub const SKEW: TimeDelta = TimeDelta::seconds(90);

/// A time of SAML (saml-core §1.3.3), if it is there.
pub fn instant(element: &Element, name: &str) -> Result<Option<Timestamp>, Reason> {
    let Some(text) = element.attribute(name) else { return Ok(None) };
    let moment = DateTime::parse_from_rfc3339(text.trim()).map_err(|_| Reason::UnreadableTime)?;
    let micros = TimeDelta::microseconds(moment.timestamp_subsec_micros().into());
    Ok(Some(Timestamp::from_unix(moment.timestamp()) + micros))
}

/// Whether what begins `at` a moment has begun `now`, to the skew: the moment itself belongs to it.
pub fn has_begun(at: Timestamp, now: Timestamp) -> bool {
    now >= at - SKEW
}

/// Whether what lasts until a moment is over `now`, to the skew: the moment itself no longer belongs to it.
pub fn is_over(at: Timestamp, now: Timestamp) -> bool {
    now >= at + SKEW
}
