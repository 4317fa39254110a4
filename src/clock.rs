//! What time it is. Everything that asks, asks here, so that a test can live thirty days in a second.

use std::{
    ops::{Add, Sub},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, SubsecRound, TimeDelta, Timelike, Utc};
use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    serialize::{self, IsNull, Output, ToSql},
    sql_types,
    sqlite::{Sqlite, SqliteValue},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment in UTC, to the microsecond, the same in both databases. JSON: RFC 3339 with `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql_types::Timestamp)]
pub struct Timestamp(NaiveDateTime);

/// How far apart the clocks may be that write and read the same rows: two nodes, or one that was set right a little.
const DRIFT: TimeDelta = TimeDelta::minutes(5);

// A clock that was wrong for a while leaves times behind that lie far ahead. None of them is believed.
impl Timestamp {
    /// The latest moment at which something can have begun that is there now.
    pub(crate) fn latest_start(self) -> Self {
        self + DRIFT
    }

    /// The latest moment until which something can last that is there now and lasts `span`. What says that it lasts
    /// longer is as good as over.
    pub(crate) fn latest_end(self, span: TimeDelta) -> Self {
        self.latest_start() + span
    }
}

impl Timestamp {
    // A list of devices spells two dozen times. chrono's patterns are read anew each time, and its digits written one by
    // one through a formatter, so the usual spellings go without: a tenth of the page.

    /// The moment as RFC 3339, in whole seconds: `2026-11-21T14:05:00Z`.
    pub fn iso(&self) -> String {
        let mut text = self.spelled('T');
        text.push('Z');
        text
    }

    /// `2026-11-21 14:05:00`, with a letter of choice in the place of the blank.
    fn spelled(&self, between: char) -> String {
        let (date, time) = (self.0.date(), self.0.time());
        let Some(year) = u32::try_from(date.year()).ok().filter(|year| *year < 10_000) else {
            return format!("{date}{between}{}", time.trunc_subsecs(0));
        };
        let mut text = String::with_capacity("2026-11-21 14:05:00.000000".len());
        push_digits(&mut text, year, 4);
        let rest = [
            ('-', date.month()),
            ('-', date.day()),
            (between, time.hour()),
            (':', time.minute()),
            (':', time.second()),
        ];
        for (mark, number) in rest {
            text.push(mark);
            push_digits(&mut text, number, 2);
        }
        text
    }

    /// The moment in full, for a title: "21 November 2026, 14:05 UTC".
    pub(crate) fn exact(&self) -> String {
        let mut text = self.day();
        text.push_str(", ");
        push_digits(&mut text, self.0.hour(), 2);
        text.push(':');
        push_digits(&mut text, self.0.minute(), 2);
        text.push_str(" UTC");
        text
    }

    /// The day: "21 November 2026".
    pub(crate) fn day(&self) -> String {
        format!("{} {} {}", self.0.day(), self.month(), self.0.year())
    }

    /// Letter for letter what diesel writes for a `NaiveDateTime` of whole microseconds.
    fn in_sqlite(&self) -> String {
        let mut text = self.spelled(' ');
        let (part, digits) = match self.0.nanosecond() / 1_000 {
            0 => return text,
            micros if micros % 1_000 == 0 => (micros / 1_000, 3),
            micros => (micros, 6),
        };
        text.push('.');
        push_digits(&mut text, part, digits);
        text
    }

    fn month(&self) -> &'static str {
        const MONTHS: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        MONTHS.get(self.0.month0() as usize).copied().unwrap_or_default()
    }

    /// The moment as a person says it at `now`: "just now", "3 minutes ago", "today at 14:05 UTC".
    pub(crate) fn ago(&self, now: Timestamp) -> String {
        let past = now.0 - self.0;
        let minutes = past.num_minutes();
        if minutes < 1 {
            return "just now".to_owned();
        }
        if minutes < 60 {
            return plural(minutes, "minute") + " ago";
        }
        match now.0.date().signed_duration_since(self.0.date()).num_days() {
            0 => self.0.format("today at %H:%M UTC").to_string(),
            1 => self.0.format("yesterday at %H:%M UTC").to_string(),
            days @ 2..=6 => plural(days, "day") + " ago",
            _ if self.0.year() == now.0.year() => self.0.format("on %-d %B").to_string(),
            _ => self.0.format("on %-d %b %Y").to_string(),
        }
    }

    /// The moment as RFC 3339 writes it, or the beginning of a day: `2026-11-21T14:05:00Z`, `2026-11-21`.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let moment =
            DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.naive_utc().trunc_subsecs(6));
        let day = || text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0);
        moment.or_else(day).filter(|moment| (0..10_000).contains(&moment.year())).map(Self)
    }

    /// The day as RFC 3339 writes it: `2026-11-21`.
    pub(crate) fn iso_day(&self) -> String {
        self.0.date().to_string()
    }

    /// Seconds since the Unix epoch.
    pub fn unix(&self) -> i64 {
        self.0.and_utc().timestamp()
    }

    /// The moment `seconds` after the Unix epoch; the epoch itself where that is out of range.
    pub fn from_unix(seconds: i64) -> Self {
        Self(DateTime::from_timestamp(seconds, 0).unwrap_or_default().naive_utc())
    }
}

fn push_digits(text: &mut String, number: u32, count: u32) {
    for place in (0..count).rev() {
        text.push(char::from_digit(number / 10_u32.pow(place) % 10, 10).unwrap_or('0'));
    }
}

/// A span as a person says it, in its largest whole unit: "24 hours", "1 hour", "10 minutes".
pub fn span_in_words(span: TimeDelta) -> String {
    match (span.num_days(), span.num_hours(), span.num_minutes()) {
        (days @ 2.., hours, _) if hours == days * 24 => plural(days, "day"),
        (_, hours @ 1.., minutes) if minutes == hours * 60 => plural(hours, "hour"),
        (_, _, minutes @ 1..) => plural(minutes, "minute"),
        _ => plural(span.num_seconds(), "second"),
    }
}

fn plural(count: i64, unit: &str) -> String {
    match count {
        1 => format!("1 {unit}"),
        n => format!("{n} {unit}s"),
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.iso())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_text(&text).ok_or_else(|| de::Error::custom("no moment as RFC 3339 writes it"))
    }
}

impl Add<TimeDelta> for Timestamp {
    type Output = Self;

    fn add(self, span: TimeDelta) -> Self {
        Self(self.0.checked_add_signed(span).unwrap_or(NaiveDateTime::MAX))
    }
}

impl Sub<TimeDelta> for Timestamp {
    type Output = Self;

    fn sub(self, span: TimeDelta) -> Self {
        Self(self.0.checked_sub_signed(span).unwrap_or(NaiveDateTime::MIN))
    }
}

impl Sub for Timestamp {
    type Output = TimeDelta;

    fn sub(self, earlier: Self) -> TimeDelta {
        self.0 - earlier.0
    }
}

impl FromSql<sql_types::Timestamp, Pg> for Timestamp {
    fn from_sql(raw: PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<sql_types::Timestamp, Pg>::from_sql(raw).map(Self)
    }
}

impl FromSql<sql_types::Timestamp, Sqlite> for Timestamp {
    fn from_sql(mut raw: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        // Diesel tries up to eighteen patterns; what it writes itself is always the one here.
        match parse(raw.read_text().as_bytes()) {
            Some(moment) => Ok(Self(moment)),
            None => FromSql::<sql_types::Timestamp, Sqlite>::from_sql(raw).map(Self),
        }
    }
}

/// `2026-11-21 14:05:00`, with or without a fraction of up to nine digits.
fn parse(text: &[u8]) -> Option<NaiveDateTime> {
    let number = |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0, |sum: u32, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
    };
    let (moment, fraction) = text.split_at_checked(19)?;
    let marks = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| moment.get(*at) != Some(mark)) {
        return None;
    }
    let part = |from: usize, to: usize| number(moment.get(from..to)?);
    let nanos = match fraction.split_first() {
        None => 0,
        Some((b'.', digits)) if (1..=9).contains(&digits.len()) => {
            number(digits)? * 10_u32.pow(9 - u32::try_from(digits.len()).ok()?)
        }
        Some(_) => return None,
    };
    NaiveDate::from_ymd_opt(i32::try_from(part(0, 4)?).ok()?, part(5, 7)?, part(8, 10)?)?.and_hms_nano_opt(
        part(11, 13)?,
        part(14, 16)?,
        part(17, 19)?,
        nanos,
    )
}

impl ToSql<sql_types::Timestamp, Pg> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<sql_types::Timestamp, Pg>::to_sql(&self.0, out)
    }
}

impl ToSql<sql_types::Timestamp, Sqlite> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.in_sqlite());
        Ok(IsNull::No)
    }
}

/// The clock of the house: the machine's, or one that a test moves.
///
/// ```
/// use chrono::TimeDelta;
/// use vestibule::clock::{Clock, Timestamp};
///
/// let clock = Clock::test(Timestamp::from_unix(1_763_733_900));
/// clock.advance(TimeDelta::days(1));
/// assert_eq!(clock.now().iso(), "2025-11-22T14:05:00Z");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Mutex<Timestamp>>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still at `start` until it is moved.
    pub fn test(start: Timestamp) -> Self {
        Self(Some(Arc::new(Mutex::new(start))))
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            None => Timestamp(Utc::now().naive_utc().trunc_subsecs(6)),
            Some(held) => *held.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a test clock; the machine's clock stays as it is.
    pub fn advance(&self, span: TimeDelta) {
        if let Some(held) = &self.0 {
            let mut now = held.lock().unwrap_or_else(PoisonError::into_inner);
            *now = *now + span;
        }
    }
}

#[cfg(test)]
mod tests;
