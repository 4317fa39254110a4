//! `/scim/v2/Groups`: the groups of a directory.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::Value;

use super::{Cursor, MOST_JUDGED, after, base, cut, ensure_judged, expired, id_of, made, one, query_of};
use crate::{
    accounts::{
        directories::Place,
        directory_groups::{self, Written},
    },
    app::App,
    clock::Timestamp,
    db::Conn,
    error::Result,
    ids::DirectoryGroupId,
    model::directory::group::{self, Group},
    scim::{self, GroupChange, ListQuery, Meta, list, operations},
    secret::Keys,
    web::directory_call::{DirectoryBody, DirectoryCall, answer, expected},
};

/// A PATCH of a group of more members is answered without them (RFC 7644 §3.5.2): else many additions write many lists.
const MOST_TOLD: i64 = 200;

/// `GET /scim/v2/Groups`
pub(crate) async fn index(call: DirectoryCall, req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    page(&call, query_of(&req)?, &app).await
}

/// `POST /scim/v2/Groups/.search`
pub(crate) async fn search(
    call: DirectoryCall,
    DirectoryBody(body): DirectoryBody,
    app: Data<App>,
) -> Result<HttpResponse> {
    page(&call, ListQuery::of_fields(&body)?, &app).await
}

/// `POST /scim/v2/Groups`
pub(crate) async fn create(
    call: DirectoryCall,
    DirectoryBody(body): DirectoryBody,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let change = GroupChange::of_whole(&body)?;
    let (place, actor, base) = (call.place().clone(), call.actor(), base(&app));
    let write = app.write(move |tx| {
        let written = directory_groups::create(tx, &actor, &place, &change)?;
        let told = resource(tx.conn, &base, &written.group, true)?;
        Ok((written, told))
    });
    let (written, told) = write.await?;
    app.metrics().directory(written.passed_over, written.kept);
    Ok(made(&req, &told, written.group.version))
}

/// `GET /scim/v2/Groups/{id}`
pub(crate) async fn show(
    call: DirectoryCall,
    path: Path<String>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (place, id, base) = (call.place().clone(), id_of(&path)?, base(&app));
    let query = query_of(&req)?;
    let with_members = query.asks_for("members");
    let read = app.read(move |conn| {
        let found = directory_groups::owned(conn, &place, &id)?;
        let told = resource(conn, &base, &found, with_members)?;
        Ok((found.version, told))
    });
    let (version, told) = read.await?;
    Ok(one(&req, StatusCode::OK, &query.project(told), version))
}

/// `PUT /scim/v2/Groups/{id}`
pub(crate) async fn replace(
    call: DirectoryCall,
    path: Path<String>,
    DirectoryBody(body): DirectoryBody,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let change = GroupChange::of_whole(&body)?;
    let (written, told) = write(&call, &path, &req, &app, change, i64::MAX).await?;
    Ok(one(&req, StatusCode::OK, &told.unwrap_or_default(), written.group.version))
}

/// `PATCH /scim/v2/Groups/{id}`
pub(crate) async fn patch(
    call: DirectoryCall,
    path: Path<String>,
    DirectoryBody(body): DirectoryBody,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let change = GroupChange::of_operations(&operations(body)?)?;
    let (written, told) = write(&call, &path, &req, &app, change, MOST_TOLD).await?;
    match told {
        Some(told) => {
            let told = query_of(&req)?.project(told);
            Ok(one(&req, StatusCode::OK, &told, written.group.version))
        }
        None => Ok(HttpResponse::NoContent().finish()),
    }
}

/// Changes a group. Returns it as it is answered, where it has no more than `most` members.
async fn write(
    call: &DirectoryCall,
    path: &str,
    req: &HttpRequest,
    app: &App,
    change: GroupChange,
    most: i64,
) -> Result<(Written, Option<Value>)> {
    let (place, actor, base) = (call.place().clone(), call.actor(), base(app));
    let (id, expected) = (id_of(path)?, expected(req));
    let write = app.write(move |tx| {
        let written = directory_groups::change(tx, &actor, &place, (&id, expected.as_deref()), &change)?;
        let told = match group::member_count(tx.conn, &id)? <= most {
            true => Some(resource(tx.conn, &base, &written.group, true)?),
            false => None,
        };
        Ok((written, told))
    });
    let (written, told) = write.await?;
    app.metrics().directory(written.passed_over, written.kept);
    Ok((written, told))
}

/// `DELETE /scim/v2/Groups/{id}`
pub(crate) async fn remove(
    call: DirectoryCall,
    path: Path<String>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (place, actor, expected) = (call.place().clone(), call.actor(), expected(&req));
    let id = id_of(&path)?;
    let write = app.write(move |tx| directory_groups::remove(tx, &actor, &place, (&id, expected.as_deref())));
    app.metrics().directory(0, write.await?);
    Ok(HttpResponse::NoContent().finish())
}

/// A group as it is answered.
fn resource(conn: &mut Conn, base: &str, found: &Group, with_members: bool) -> Result<Value> {
    let members = match with_members {
        true => Some(group::member_ids(conn, &found.id)?),
        false => None,
    };
    let meta = Meta {
        base,
        id: found.id.as_str(),
        version: found.version,
        created_at: found.created_at,
        changed_at: found.changed_at,
    };
    Ok(scim::group(&found.display_name, found.external_id.as_deref(), meta, members.as_deref()))
}

async fn page(call: &DirectoryCall, query: ListQuery, app: &App) -> Result<HttpResponse> {
    let (place, base, now) = (call.place().clone(), base(app), app.now());
    let keys = app.config().keys.clone();
    let told = app.read(move |conn| found(conn, &place, &base, &query, &keys, now)).await?;
    Ok(answer(StatusCode::OK, &told))
}

/// The page of a list that `query` asks for.
pub(super) fn found(
    conn: &mut Conn,
    place: &Place,
    base: &str,
    query: &ListQuery,
    keys: &Keys,
    now: Timestamp,
) -> Result<Value> {
    let directory = &place.directory.id;
    let of = Cursor::bound(directory.as_str(), "Groups", query);
    let after = match after(query, keys, &of, now)? {
        Some(id) => {
            let last = group::find(conn, directory, &DirectoryGroupId::from_text(id))?;
            let last = last.ok_or_else(expired)?;
            Some((last.created_at, last.id))
        }
        None => None,
    };
    let skip = query.skip();
    let (terms, is_exact) = query.filter.as_ref().map_or((Vec::new(), true), |(one, _)| one.terms());
    let with_members = query.asks_for("members");
    let total = group::count(conn, directory, &terms)?;
    let (total, mut page) = match &query.filter {
        Some((filter, _)) if !is_exact => {
            ensure_judged(total)?;
            let mut chosen = Vec::new();
            for one in group::list(conn, directory, &terms, None, (0, MOST_JUDGED))? {
                if filter.matches(&resource(conn, base, &one, true)?) {
                    chosen.push(one);
                }
            }
            let total = i64::try_from(chosen.len()).unwrap_or_default();
            chosen.retain(|one| {
                after.as_ref().is_none_or(|(at, id)| (one.created_at, one.id.as_str()) > (*at, id.as_str()))
            });
            (total, chosen.into_iter().skip(usize::try_from(skip).unwrap_or(usize::MAX)).collect())
        }
        _ => (total, group::list(conn, directory, &terms, after.as_ref(), (skip, query.count + 1))?),
    };
    let next = cut(&mut page, query, |one: &Group| one.id.as_str(), (keys, of, now))?;
    let mut told = Vec::new();
    for one in &page {
        told.push(query.project(resource(conn, base, one, with_members)?));
    }
    Ok(list(query, total, told, next))
}
