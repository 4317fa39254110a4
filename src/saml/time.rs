//! Times in SAML, and two clocks that differ.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta};

use super::{Reason, xml::Element};
use crate::clock::Timestamp;

const WITHOUT_ZONE: &str = "%Y-%m-%dT%H:%M:%S%.f";

/// How far two clocks may be apart, in either direction.
pub(crate) const SKEW: TimeDelta = TimeDelta::seconds(90);

/// A time of SAML (saml-core §1.3.3), if it is there. One without a zone is UTC, as all of them are to be.
pub(crate) fn instant(element: &Element, name: &str) -> Result<Option<Timestamp>, Reason> {
    let Some(text) = element.attribute(name) else { return Ok(None) };
    let text = text.trim();
    let moment = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc());
    let moment =
        moment.or_else(|_| NaiveDateTime::parse_from_str(text, WITHOUT_ZONE).map(|moment| moment.and_utc()));
    let moment = moment.map_err(|_| Reason::UnreadableTime)?;
    let micros = TimeDelta::microseconds(moment.timestamp_subsec_micros().into());
    Ok(Some(Timestamp::from_unix(moment.timestamp()) + micros))
}

/// A time, or the beginning of a day.
pub(crate) fn instant_or_date(element: &Element, name: &str) -> Result<Option<Timestamp>, Reason> {
    let day =
        element.attribute(name).and_then(|text| NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok());
    match day.and_then(|day| day.and_hms_opt(0, 0, 0)) {
        Some(midnight) => Ok(Some(Timestamp::from_unix(midnight.and_utc().timestamp()))),
        None => instant(element, name),
    }
}

/// Whether what begins `at` a moment has begun `now`, to the skew: the moment itself belongs to it.
pub(crate) fn has_begun(at: Timestamp, now: Timestamp) -> bool {
    now >= at - SKEW
}

/// Whether what lasts until a moment is over `now`, to the skew: the moment itself no longer belongs to it.
pub(crate) fn is_over(at: Timestamp, now: Timestamp) -> bool {
    now >= at + SKEW
}
