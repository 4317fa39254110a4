//! The session page on PostgreSQL as a small application would have it by hand: actix-web, a pool, a look-up of the
//! visitor, the list, and a page of the same size around it. No templates, headers, limits or logs.

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    error::{ErrorInternalServerError, ErrorUnauthorized},
    guard::Header,
    web::{self, Data},
};
use diesel::{
    ExpressionMethods, OptionalExtension, PgConnection, QueryDsl, RunQueryDsl,
    dsl::now,
    r2d2::{ConnectionManager, Pool},
};
use serde_json::json;
use vestibule::{
    clock::Timestamp,
    db::schema::{sessions, users},
    secret,
};

type Connections = Pool<ConnectionManager<PgConnection>>;

/// What the page shows of a session, of a visitor's thirty columns those that it needs.
type Row = (String, String, String, Timestamp, Timestamp);

/// Serves both faces on `port`, padded to these sizes in bytes.
pub fn serve(port: u16, sizes: [usize; 2], database: &str) {
    // As many as the program has.
    let pool: Connections = Pool::builder().max_size(10).build(ConnectionManager::new(database)).unwrap();
    let server = HttpServer::new(move || {
        let page = move |req: HttpRequest, pool: Data<Connections>| page(req, pool, sizes);
        App::new()
            .app_data(Data::new(pool.clone()))
            .route("/login", web::get().to(HttpResponse::Ok))
            .route("/me/sessions", web::get().guard(Header("accept", "application/json")).to(page))
            .route("/me/sessions", web::get().to(page))
    });
    actix_web::rt::System::new().block_on(server.bind(("127.0.0.1", port)).unwrap().run()).unwrap();
}

async fn page(
    req: HttpRequest,
    pool: Data<Connections>,
    [html, json]: [usize; 2],
) -> actix_web::Result<HttpResponse> {
    let secret = req.cookie("session").ok_or_else(|| ErrorUnauthorized("sign in"))?.value().to_owned();
    let (name, rows) = web::block(move || {
        let conn = &mut pool.get().unwrap();
        let visitor: Option<(String, String)> = sessions::table
            .inner_join(users::table)
            .filter(sessions::secret_hash.eq(secret::digest(&secret)))
            .filter(sessions::expires_at.gt(now))
            .filter(sessions::locked_at.is_null())
            .select((users::id, users::name))
            .first(conn)
            .optional()?;
        let Some((id, name)) = visitor else { return Ok(None) };
        let rows: Vec<Row> = sessions::table
            .filter(sessions::user_id.eq(&id))
            .filter(sessions::expires_at.gt(now))
            .order(sessions::last_active_at.desc())
            .select((
                sessions::id,
                sessions::browser,
                sessions::os,
                sessions::created_at,
                sessions::last_active_at,
            ))
            .load(conn)?;
        diesel::QueryResult::Ok(Some((name, rows)))
    })
    .await?
    .map_err(ErrorInternalServerError)?
    .ok_or_else(|| ErrorUnauthorized("sign in"))?;
    let is_json = req.headers().get("accept").is_some_and(|accept| accept == "application/json");
    let row = |(id, browser, os, created_at, last_active_at): Row| {
        let (created_at, last_active_at) = (created_at.iso(), last_active_at.iso());
        match is_json {
            true => json!({ "id": id, "browser": browser, "os": os, "createdAt": created_at, "lastActiveAt": last_active_at })
                .to_string(),
            false => format!("<li id=\"{id}\">{browser} on {os}, since {created_at}, last used {last_active_at}</li>"),
        }
    };
    let rows: Vec<String> = rows.into_iter().map(row).collect();
    let (kind, size) = if is_json { ("application/json", json) } else { ("text/html; charset=utf-8", html) };
    let mut body = format!("{name}{}", rows.join(","));
    body.extend(std::iter::repeat_n('x', size.saturating_sub(body.len())));
    Ok(HttpResponse::Ok().content_type(kind).body(body))
}
