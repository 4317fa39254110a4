//! SCIM 2.0: the identity provider of an organisation keeps the list of its people (RFC 7644).

pub(crate) mod discovery;
pub(crate) mod groups;
pub(crate) mod search;
pub(crate) mod users;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    app::App,
    clock::Timestamp,
    error::{Error, Result},
    ids::Id,
    scim::{CURSOR_LIFE, ListQuery, Page, SCIM_UNSUPPORTED, ScimType, etag, invalid, names_version},
    secret::{Keys, digest},
    web::{
        directory_call::{DirectoryCall, answer},
        directory_path::ROOT,
        negotiation::header_text,
    },
};

/// The most entries that are judged one by one where the database cannot tell.
const MOST_JUDGED: i64 = 5_000;

/// The address of all resources.
fn base(app: &App) -> String {
    app.config().site.link(ROOT)
}

/// The id in a path. [`Error::NotFound`] for what cannot be one.
fn id_of<T>(text: &str) -> Result<Id<T>> {
    Id::parse(text).ok_or(Error::NotFound)
}

/// What a list is asked for in the query.
fn query_of(req: &HttpRequest) -> Result<ListQuery> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(req.query_string())
        .map_err(|_| invalid(ScimType::InvalidSyntax, "The query cannot be read."))?;
    ListQuery::of_pairs(pairs.into_iter())
}

/// One resource at its version; 304 where the client has it (RFC 7644 §3.14).
fn one(req: &HttpRequest, status: StatusCode, resource: &Value, version: i32) -> HttpResponse {
    let held = header_text(req, header::IF_NONE_MATCH).filter(|_| req.method().is_safe());
    let is_held = held.is_some_and(|held| names_version(&held, version));
    let mut answer = match is_held {
        true => HttpResponse::NotModified().finish(),
        false => answer(status, resource),
    };
    if let Ok(tag) = etag(version).parse() {
        answer.headers_mut().insert(header::ETAG, tag);
    }
    answer
}

/// One that was made: 201 with its address.
fn made(req: &HttpRequest, resource: &Value, version: i32) -> HttpResponse {
    let mut answer = one(req, StatusCode::CREATED, resource, version);
    let location = resource["meta"]["location"].as_str().unwrap_or_default();
    if let Ok(location) = location.parse() {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer
}

/// Where a list goes on, sealed: after this entry, of this directory and this filter.
#[derive(Serialize, Deserialize)]
struct Cursor {
    after: String,
    of: String,
    made_at: i64,
}

const CURSOR: &str = "scim_cursor";

impl Cursor {
    /// What a cursor is bound to.
    fn bound(directory: &str, kind: &str, query: &ListQuery) -> String {
        let filter = query.filter.as_ref().map_or("", |(_, text)| text.as_str());
        digest(&format!("{directory}\n{kind}\n{filter}"))
    }

    fn seal(keys: &Keys, after: &str, of: String, now: Timestamp) -> Result<String> {
        let cursor = Self { after: after.to_owned(), of, made_at: now.unix() };
        keys.seal(CURSOR, &serde_json::to_string(&cursor)?)
    }

    /// The id of the entry after which the list goes on. `invalidCursor`, or `expiredCursor` an hour later.
    fn open(keys: &Keys, sealed: &str, of: &str, now: Timestamp) -> Result<String> {
        let unknown = || invalid(ScimType::InvalidCursor, "The cursor is none of this list.");
        let text = keys.open(CURSOR, sealed).map_err(|_| unknown())?;
        let cursor: Self = serde_json::from_str(&text).map_err(|_| unknown())?;
        if cursor.of != of {
            return Err(unknown());
        }
        match now.unix() - cursor.made_at > CURSOR_LIFE {
            true => Err(expired()),
            false => Ok(cursor.after),
        }
    }
}

/// Cuts what follows to the page that is asked for. Returns the cursor by which the list goes on, where it does.
fn cut<T>(
    page: &mut Vec<T>,
    query: &ListQuery,
    id: impl Fn(&T) -> &str,
    (keys, of, now): (&Keys, String, Timestamp),
) -> Result<Option<String>> {
    let most = usize::try_from(query.count).unwrap_or_default();
    let goes_on = page.len() > most && most > 0;
    page.truncate(most);
    let last = page.last().filter(|_| goes_on);
    last.map(|last| Cursor::seal(keys, id(last), of, now)).transpose()
}

/// [`ScimType::TooMany`] where a filter that the database does not know would choose among so many.
fn ensure_judged(candidates: i64) -> Result<()> {
    match candidates > MOST_JUDGED {
        true => Err(invalid(ScimType::TooMany, "The filter chooses among too many. Ask for less.")),
        false => Ok(()),
    }
}

fn expired() -> Error {
    invalid(ScimType::ExpiredCursor, "The cursor has expired. Begin the list again.")
}

/// The id after which a page begins, where it is asked for by cursor and is not the first.
fn after(query: &ListQuery, keys: &Keys, of: &str, now: Timestamp) -> Result<Option<String>> {
    match &query.page {
        Page::Cursor(sealed) if !sealed.is_empty() => Cursor::open(keys, sealed, of, now).map(Some),
        _ => Ok(None),
    }
}

/// What is announced as not supported (RFC 7644 §3.7, §3.11).
pub(crate) async fn unsupported(_: DirectoryCall) -> Result<HttpResponse> {
    Err(SCIM_UNSUPPORTED.error())
}
