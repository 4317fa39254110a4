//! Which part of the record is asked for, as an address has it.

use std::ops::RangeInclusive;

use actix_web::{HttpRequest, http::header};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta};
use serde::Deserialize;

use crate::{
    accounts::{audit_events, organisation_audit, policy::Membership},
    clock::Timestamp,
    db::Conn,
    error::{Error, Errors, Result},
    ids::{AuditEventId, Id, UserId},
    kinds::Permission,
    mail::EmailAddress,
    model::audit::Filter,
    web::negotiation::{header_text, wants_html},
};

// From 0000-01-01T00:00:00Z to 9999-12-31T23:59:59Z, in seconds since 1970.
const YEARS: RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// What is typed: an event's name, an account's id or a member's address, days or times of RFC 3339; and where the page
/// before ended.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditQuery {
    event: Option<String>,
    actor: Option<String>,
    from: Option<String>,
    to: Option<String>,
    pub(super) next: Option<AuditEventId>,
    format: Option<String>,
}

/// In which form all of it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON, a line for each event.
    Ndjson,
    /// RFC 4180, with a line of column names.
    Csv,
}

impl Format {
    const ALL: [Self; 2] = [Self::Csv, Self::Ndjson];

    /// The form that is asked for, and whether by its name; nothing where it is a page.
    pub(super) fn of(query: &AuditQuery, req: &HttpRequest) -> Result<Option<(Self, bool)>> {
        if let Some(word) = query.format.as_deref().map(str::trim).filter(|word| !word.is_empty()) {
            let named = Self::ALL.into_iter().find(|format| format.as_str() == word);
            let sentence = "Write format=csv or format=ndjson.";
            return match named {
                Some(format) => Ok(Some((format, true))),
                None => Err(Error::Invalid(Errors::one("format", sentence))),
            };
        }
        let accept = header_text(req, header::ACCEPT).unwrap_or_default().to_ascii_lowercase();
        let by_header = Self::ALL.into_iter().find(|format| accept.contains(format.media_type()));
        Ok(by_header.filter(|_| !wants_html(req.headers())).map(|format| (format, false)))
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }
}

impl AuditQuery {
    /// The same without the blanks around what was typed.
    pub(super) fn trimmed(mut self) -> Self {
        for typed in [&mut self.event, &mut self.actor, &mut self.from, &mut self.to] {
            *typed = typed.take().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        }
        self
    }

    /// The same as the tables have it. [`Error::Invalid`] for what is none of that: a misspelt word must not look like an
    /// empty record.
    pub(super) fn filter(&self, conn: &mut Conn, mine: &Membership) -> Result<Filter> {
        let mut errors = Errors::default();
        if let Some(event) = &self.event
            && !audit_events::of_organisations().any(|(name, _)| name == event)
        {
            errors.add("event", "There is no such event.");
        }
        let mut time = |field, typed: &Option<String>, is_end| match typed
            .as_deref()
            .map(|typed| parse(typed, is_end))
        {
            Some(None) => {
                errors.add(field, "Enter a day such as 2026-12-01, or a time such as 2026-12-01T14:05:00Z.");
                None
            }
            parsed => parsed.flatten(),
        };
        let (since, until) = (time("from", &self.from, false), time("to", &self.to, true));
        if since.zip(until).is_some_and(|(since, until)| since > until) {
            errors.add("to", "Enter a day or time that is not before the first one.");
        }
        let actor = match &self.actor {
            Some(typed) => self.actor(conn, mine, typed, &mut errors)?,
            None => None,
        };
        match errors.is_empty() {
            true => Ok(Filter { event: self.event.clone(), actor, since, until }),
            false => Err(Error::Invalid(errors)),
        }
    }

    fn actor(
        &self,
        conn: &mut Conn,
        mine: &Membership,
        typed: &str,
        errors: &mut Errors,
    ) -> Result<Option<UserId>> {
        if let Some(id) = Id::parse(typed) {
            return Ok(Some(id));
        }
        // Whoever may not see the members is not told either which addresses they have.
        let address = EmailAddress::parse(typed).ok().filter(|_| mine.may(Permission::MembersRead));
        let found = match address {
            Some(address) => organisation_audit::member_with(conn, mine, &address)?,
            None => None,
        };
        if found.is_none() {
            errors.add("actor", "No member has this email address or ID.");
        }
        Ok(found)
    }

    pub(super) fn event(&self) -> &str {
        self.event.as_deref().unwrap_or_default()
    }

    pub(super) fn actor_typed(&self) -> &str {
        self.actor.as_deref().unwrap_or_default()
    }

    pub(super) fn from(&self) -> &str {
        self.from.as_deref().unwrap_or_default()
    }

    pub(super) fn to(&self) -> &str {
        self.to.as_deref().unwrap_or_default()
    }

    pub(super) fn is_narrowed(&self) -> bool {
        [&self.event, &self.actor, &self.from, &self.to].iter().any(|field| field.is_some())
    }

    /// The query of an address with the same filter, and with one field more or another.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        let own = [("event", &self.event), ("actor", &self.actor), ("from", &self.from), ("to", &self.to)];
        let own = own.into_iter().filter(|(field, _)| *field != name);
        let own = own.filter_map(|(field, value)| Some((field, value.as_deref()?)));
        serde_urlencoded::to_string(own.chain([(name, value)]).collect::<Vec<_>>()).unwrap_or_default()
    }
}

/// A day in UTC, its first or its last moment, or a time; in the years that tables and files can have, 0 to 9999.
fn parse(typed: &str, is_end: bool) -> Option<Timestamp> {
    let seconds = match NaiveDate::parse_from_str(typed, "%Y-%m-%d") {
        Ok(day) => {
            let day = Some(day).filter(|day| (0..=9999).contains(&day.year()))?;
            let begin = Timestamp::from_unix(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp());
            return Some(if is_end {
                begin + TimeDelta::days(1) - TimeDelta::microseconds(1)
            } else {
                begin
            });
        }
        Err(_) => DateTime::parse_from_rfc3339(typed).ok()?.timestamp(),
    };
    // A time is as exact as a second: all of its last one is meant.
    let begin = Timestamp::from_unix(Some(seconds).filter(|at| YEARS.contains(at))?);
    Some(if is_end { begin + TimeDelta::seconds(1) - TimeDelta::microseconds(1) } else { begin })
}
