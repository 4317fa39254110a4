//! The record of an organisation: a page of it, and all of it as a file.

mod download;
mod filter;

use actix_web::{HttpRequest, HttpResponse, Responder, web::Data};
use askama::Template;
use serde::Serialize;
use serde_json::{Map, Value};

use self::filter::{AuditQuery, Format};
use crate::{
    accounts::{
        access::AccessRequest,
        audit_events,
        organisation_audit::{self, EventView},
    },
    app::App,
    db::Conn,
    error::{Error, Errors, Result},
    ids::{AuditEventId, Id, UserId},
    kinds::Permission,
    model::{
        audit::{self, ActorKind},
        organisation::Organisation,
    },
    web::{Member, Query, Reply, member::AuditRead},
};

/// Events on one page.
const A_PAGE: usize = 50;

/// A page of the record, the newest first.
#[derive(Template, Serialize)]
#[template(path = "audit.html")]
pub(crate) struct AuditPage {
    events: Vec<EventView>,
    next: Option<AuditEventId>,
    #[serde(skip)]
    organisation: Organisation,
    #[serde(skip)]
    sees_members: bool,
    #[serde(skip)]
    query: AuditQuery,
    #[serde(skip)]
    errors: Errors,
}

/// `GET /organisations/{slug}/audit`: a page, or with `?format=` or by `Accept` all that fits, as NDJSON or CSV.
pub(crate) async fn show(
    me: Member<AuditRead>,
    query: Query<AuditQuery>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (access, query) = (me.access(), query.into_inner().trimmed());
    if let Some(format) = Format::of(&query, &req)? {
        return download::send(access, &query, format, &req, &app).await;
    }
    let read = app.read(move |conn| AuditPage::of(conn, &access, query.clone()));
    Ok(match read.await? {
        (page, None) => Reply::page(page),
        (page, Some(error)) => Reply::refused(page, error),
    }
    .respond_to(&req))
}

impl AuditPage {
    /// The page, and what is wrong with its filter.
    fn of(conn: &mut Conn, access: &AccessRequest, query: AuditQuery) -> Result<(Self, Option<Error>)> {
        let mine = access.decide(conn)?;
        let mut page = Self {
            events: Vec::new(),
            next: None,
            organisation: mine.organisation.clone(),
            sees_members: mine.may(Permission::MembersRead),
            query,
            errors: Errors::default(),
        };
        let filter = match page.query.filter(conn, &mine) {
            Ok(filter) => filter,
            Err(Error::Invalid(errors)) => {
                page.errors = errors.clone();
                return Ok((page, Some(Error::Invalid(errors))));
            }
            Err(error) => return Err(error),
        };
        let cursor = match &page.query.next {
            Some(id) => Some(audit::cursor_at(conn, &mine.organisation.id, id)?.ok_or(Error::NotFound)?),
            None => None,
        };
        // One more than a page tells whether there is another.
        let most = i64::try_from(A_PAGE + 1).map_err(Error::internal)?;
        let mut found = organisation_audit::page(conn, &mine, &filter, cursor.as_ref(), most)?;
        let has_more = found.len() > A_PAGE;
        found.truncate(A_PAGE);
        page.next = found.last().filter(|_| has_more).map(|last| last.id.clone());
        page.events = found;
        Ok((page, None))
    }
}

impl EventView {
    fn title(&self) -> &str {
        audit_events::title(&self.event)
    }

    fn icon(&self) -> &'static str {
        match self.event.split('_').next() {
            Some("connection" | "domain" | "setup") => "sso",
            Some("member" | "role" | "hand" | "handed") => "profile",
            Some("invitation") => "magic_link",
            Some("custom" | "policy") => "security",
            _ => "organisation",
        }
    }

    fn is_by_user(&self) -> bool {
        self.actor.kind == ActorKind::User
    }

    fn is_by_operator(&self) -> bool {
        self.actor.kind == ActorKind::Operator
    }

    fn is_by_directory(&self) -> bool {
        self.actor.kind == ActorKind::Directory
    }

    /// Whether an API key or a token of the directory did it, and what that is called, where it is the organisation's own.
    fn key(&self) -> Option<&str> {
        matches!(self.actor.kind, ActorKind::ApiKey | ActorKind::Directory)
            .then(|| self.detail.get("byKey").and_then(|key| key["name"].as_str()).unwrap_or_default())
    }

    /// What a page says of it besides: no ids, which say nothing to people.
    fn detail_in_words(&self) -> String {
        match (self.detail.get("before"), self.detail.get("after")) {
            (Some(Value::Object(before)), Some(Value::Object(after))) => changes_in_words(before, after),
            _ => {
                let mut detail = self.detail.clone();
                detail.remove("byKey");
                in_words(&detail)
            }
        }
    }
}

/// What is another now, each with what it was: "Networks: 127.0.0.0/8 → everywhere".
fn changes_in_words(before: &Map<String, Value>, after: &Map<String, Value>) -> String {
    let changed = after.iter().filter(|(key, value)| before.get(*key).unwrap_or(&Value::Null) != *value);
    let told = changed.map(|(key, value)| {
        let was = setting_in_words(key, before.get(key).unwrap_or(&Value::Null));
        let key_in_words = spaced(key);
        let (first, rest) = key_in_words.split_at(key_in_words.ceil_char_boundary(1));
        format!("{}{rest}: {was} → {}", first.to_uppercase(), setting_in_words(key, value))
    });
    told.collect::<Vec<_>>().join(" · ")
}

fn setting_in_words(key: &str, value: &Value) -> String {
    match (key, value) {
        ("networks", Value::Null) => "everywhere".to_owned(),
        ("signInMethods", Value::Null) => "any".to_owned(),
        ("invitedDomains", Value::Null) => "every domain".to_owned(),
        ("sessionIdle" | "sessionLife", Value::Null) => "no limit".to_owned(),
        ("sessionIdle" | "sessionLife", minutes) => format!("{minutes} minutes"),
        (_, Value::Null) => "none".to_owned(),
        (_, Value::Array(items)) if items.is_empty() => "none".to_owned(),
        (_, value) => value_in_words(value),
    }
}

fn in_words(detail: &Map<String, Value>) -> String {
    let is_told = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => Id::<UserId>::parse(text).is_none(),
        _ => true,
    };
    let told = detail.iter().filter(|(_, value)| is_told(value));
    let told = told.map(|(key, value)| format!("{}: {}", spaced(key), value_in_words(value)));
    told.collect::<Vec<_>>().join(" · ")
}

fn spaced(key: &str) -> String {
    let spaced =
        key.chars().flat_map(|c| c.is_uppercase().then_some(' ').into_iter().chain(c.to_lowercase()));
    spaced.collect()
}

fn value_in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(value_in_words).collect::<Vec<_>>().join(", "),
        Value::Object(detail) => in_words(detail),
        other => other.to_string(),
    }
}
