//! Which part of the record is asked for, as an address has it.

use actix_web::{HttpRequest, http::header};
use chrono::{DateTime, NaiveDate, TimeDelta};
use serde::Deserialize;

use crate::{
    accounts::{
        organisation_audit::{self, EVENTS},
        policy::Membership,
    },
    clock::Timestamp,
    db::Conn,
    error::{Error, Errors, Result},
    ids::{AuditEventId, Id, UserId},
    kinds::Permission,
    mail::EmailAddress,
    model::audit::Filter,
    web::negotiation::{header_text, wants_html},
};

/// What is typed: an event's name, an account's id or a member's address, days or times of RFC 3339; and where the page
/// before ended.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AuditQuery {
    event: Option<String>,
    actor: Option<String>,
    from: Option<String>,
    to: Option<String>,
    pub(super) next: Option<AuditEventId>,
    pub(super) format: Option<Format>,
}

/// In which form all of it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// JSON, a line for each event.
    Ndjson,
    /// RFC 4180, with a line of column names.
    Csv,
}

impl Format {
    /// The form that is asked for; nothing where it is a page.
    pub(super) fn of(query: &AuditQuery, req: &HttpRequest) -> Option<Self> {
        let accept = header_text(req, header::ACCEPT).unwrap_or_default().to_ascii_lowercase();
        let by_header =
            [Self::Csv, Self::Ndjson].into_iter().find(|format| accept.contains(format.media_type()));
        query.format.or_else(|| by_header.filter(|_| !wants_html(req.headers())))
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
    /// The same as the tables have it. [`Error::Invalid`] for what is none of that: a misspelt word must not look like an
    /// empty record.
    pub(super) fn filter(&self, conn: &mut Conn, mine: &Membership) -> Result<Filter> {
        let mut errors = Errors::default();
        if let Some(event) = &self.event
            && !EVENTS.iter().any(|(name, _)| name == event)
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

/// A day in UTC, its first or its last moment, or a time.
fn parse(typed: &str, is_end: bool) -> Option<Timestamp> {
    let seconds = match NaiveDate::parse_from_str(typed, "%Y-%m-%d") {
        Ok(day) => {
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
    let begin = Timestamp::from_unix(seconds);
    Some(if is_end { begin + TimeDelta::seconds(1) - TimeDelta::microseconds(1) } else { begin })
}
