//! `/scim/v2/Users`: the people of a directory.

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
        directory_people::{self, Written},
    },
    app::App,
    clock::Timestamp,
    db::Conn,
    error::Result,
    ids::DirectoryPersonId,
    model::directory::person::{self, Person, Search},
    scim::{Filter, ListQuery, Meta, Term, UserFields, list, operations, user},
    secret::Keys,
    web::directory_call::{DirectoryBody, DirectoryCall, answer, expected},
};

/// Groups that are told of a person.
const MOST_GROUPS: usize = 100;

/// `GET /scim/v2/Users`
pub(crate) async fn index(call: DirectoryCall, req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    page(&call, query_of(&req)?, &app).await
}

/// `POST /scim/v2/Users/.search`
pub(crate) async fn search(
    call: DirectoryCall,
    DirectoryBody(body): DirectoryBody,
    app: Data<App>,
) -> Result<HttpResponse> {
    page(&call, ListQuery::of_fields(&body)?, &app).await
}

/// `POST /scim/v2/Users`
pub(crate) async fn create(
    call: DirectoryCall,
    DirectoryBody(body): DirectoryBody,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (fields, passed_over) = UserFields::create(&body)?;
    let (place, actor, base) = (call.place().clone(), call.actor(), base(&app));
    let write = app.write(move |tx| {
        let written = directory_people::create(tx, &actor, &place, &fields)?;
        let told = resource(tx.conn, &base, &written.person)?;
        Ok((written, told))
    });
    let (written, told) = write.await?;
    app.metrics().directory(passed_over, usize::from(written.is_kept));
    Ok(made(&req, &told, written.person.version))
}

/// `GET /scim/v2/Users/{id}`
pub(crate) async fn show(
    call: DirectoryCall,
    path: Path<String>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (place, id, base) = (call.place().clone(), id_of(&path)?, base(&app));
    let query = query_of(&req)?;
    let read = app.read(move |conn| {
        let found = directory_people::owned(conn, &place, &id)?;
        let told = resource(conn, &base, &found)?;
        Ok((found.version, told))
    });
    let (version, told) = read.await?;
    Ok(one(&req, StatusCode::OK, &query.project(told), version))
}

/// `PUT /scim/v2/Users/{id}`
pub(crate) async fn replace(
    call: DirectoryCall,
    path: Path<String>,
    DirectoryBody(body): DirectoryBody,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    change(&call, &path, &req, &app, move |fields| fields.replace(&body)).await
}

/// `PATCH /scim/v2/Users/{id}`
pub(crate) async fn patch(
    call: DirectoryCall,
    path: Path<String>,
    DirectoryBody(body): DirectoryBody,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let operations = operations(body)?;
    change(&call, &path, &req, &app, move |fields| fields.patch(&operations)).await
}

async fn change(
    call: &DirectoryCall,
    path: &str,
    req: &HttpRequest,
    app: &App,
    change: impl FnOnce(&mut UserFields) -> Result<usize> + Send + 'static,
) -> Result<HttpResponse> {
    let (place, actor, base) = (call.place().clone(), call.actor(), base(app));
    let (id, expected) = (id_of(path)?, expected(req));
    let write = app.write(move |tx| {
        let found = (&id, expected.as_deref());
        let (written, passed_over) = directory_people::change(tx, &actor, &place, found, change)?;
        let told = resource(tx.conn, &base, &written.person)?;
        Ok((written, passed_over, told))
    });
    let (Written { person, is_kept }, passed_over, told) = write.await?;
    app.metrics().directory(passed_over, usize::from(is_kept));
    Ok(one(req, StatusCode::OK, &query_of(req)?.project(told), person.version))
}

/// `DELETE /scim/v2/Users/{id}`
pub(crate) async fn remove(
    call: DirectoryCall,
    path: Path<String>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (place, actor, expected) = (call.place().clone(), call.actor(), expected(&req));
    let id = id_of(&path)?;
    let write = app.write(move |tx| directory_people::remove(tx, &actor, &place, (&id, expected.as_deref())));
    app.metrics().directory(0, usize::from(write.await?));
    Ok(HttpResponse::NoContent().finish())
}

/// An entry as it is answered.
fn resource(conn: &mut Conn, base: &str, found: &Person) -> Result<Value> {
    Ok(resources(conn, base, std::slice::from_ref(found))?.pop().unwrap_or_default())
}

fn resources(conn: &mut Conn, base: &str, found: &[Person]) -> Result<Vec<Value>> {
    let ids: Vec<DirectoryPersonId> = found.iter().map(|one| one.id.clone()).collect();
    let mut groups = person::groups_of(conn, &ids)?;
    let told = found.iter().map(|one| {
        let own = groups.remove(&one.id).unwrap_or_default().into_iter().take(MOST_GROUPS);
        let own: Vec<(String, String)> = own.map(|(id, called, _)| (id.to_string(), called)).collect();
        let meta = Meta {
            base,
            id: one.id.as_str(),
            version: one.version,
            created_at: one.created_at,
            changed_at: one.changed_at,
        };
        Ok(user(&one.fields()?, meta, &own))
    });
    told.collect()
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
    let of = Cursor::bound(directory.as_str(), "Users", query);
    let after = after(query, keys, &of, now)?;
    let after = match after {
        Some(id) => {
            let last = person::find(conn, directory, &DirectoryPersonId::from_text(id))?;
            let last = last.ok_or_else(expired)?;
            Some((last.created_at, last.id))
        }
        None => None,
    };
    let skip = query.skip();
    let (terms, is_exact) = query.filter.as_ref().map_or((Vec::new(), true), |(one, _)| one.terms());
    // What they are called is compared in any case, which the database does not know.
    let is_exact = is_exact && !terms.iter().any(|term| matches!(term, Term::DisplayName(_)));
    let search = Search { terms, ..Search::default() };
    let (total, mut page) = match &query.filter {
        Some((filter, _)) if !is_exact => judged(conn, place, base, &search, filter, &after)?,
        _ => {
            let total = person::count(conn, directory, &search)?;
            let most = query.count + 1;
            (total, person::list(conn, directory, &Search { after, ..search }, skip, most)?)
        }
    };
    if query.filter.is_some() && !is_exact {
        page = page.into_iter().skip(usize::try_from(skip).unwrap_or(usize::MAX)).collect();
    }
    let next = cut(&mut page, query, |one| one.id.as_str(), (keys, of, now))?;
    let told = resources(conn, base, &page)?.into_iter().map(|one| query.project(one)).collect();
    Ok(list(query, total, told, next))
}

/// How many entries a filter chooses, and those of them after one: judged as they would be answered.
fn judged(
    conn: &mut Conn,
    place: &Place,
    base: &str,
    search: &Search,
    filter: &Filter,
    after: &Option<(Timestamp, DirectoryPersonId)>,
) -> Result<(i64, Vec<Person>)> {
    let directory = &place.directory.id;
    ensure_judged(person::count(conn, directory, search)?)?;
    let candidates = person::list(conn, directory, search, 0, MOST_JUDGED)?;
    let told = resources(conn, base, &candidates)?;
    let chosen: Vec<Person> = candidates
        .into_iter()
        .zip(&told)
        .filter(|(_, told)| filter.matches(told))
        .map(|(one, _)| one)
        .collect();
    let total = i64::try_from(chosen.len()).unwrap_or_default();
    let is_later = |one: &Person| {
        after.as_ref().is_none_or(|(at, id)| (one.created_at, one.id.as_str()) > (*at, id.as_str()))
    };
    Ok((total, chosen.into_iter().filter(is_later).collect()))
}
