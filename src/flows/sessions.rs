//! The devices where one is signed in, and signing them out.

use std::any::Any;

use actix_web::{
    HttpRequest,
    web::{Data, Path},
};
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{
        containment::{self, Occasion},
        factors,
    },
    app::App,
    clock::Timestamp,
    db::Conn,
    error::Result,
    ids::{SessionId, UserId},
    model::{
        audit::{self, Event},
        session::{self, Listed},
        sign_in,
    },
    web::{
        Authenticated, CurrentUser, Query, Reply,
        second_factors::FactorsView,
        sign_in_methods::SignInMethods,
        together,
        views::{LoginView, SessionView},
    },
};

/// A page of the list of devices.
#[derive(Template, Serialize)]
#[template(path = "sessions.html")]
pub struct SessionsPage {
    sessions: Vec<SessionView>,
    next: Option<String>,
    #[serde(skip)]
    others: usize,
}

/// The settings page that keeps an account safe.
#[derive(Template, Serialize)]
#[template(path = "security.html")]
#[serde(rename_all = "camelCase")]
pub struct SecurityPage {
    #[serde(rename = "ways")]
    sign_in_methods: SignInMethods,
    sessions: Vec<SessionView>,
    #[serde(skip)]
    next: Option<String>,
    #[serde(skip)]
    others: usize,
    second_factors: FactorsView,
    logins: Vec<LoginView>,
}

/// Where to go on.
#[derive(Deserialize)]
pub struct Cursor {
    cursor: Option<SessionId>,
}

// How many devices a page shows.
const PAGE: usize = 50;

// How many sign-ins the settings page shows.
const RECENT: i64 = 10;

/// `GET /me/sessions?cursor=`
pub async fn index(me: CurrentUser, query: Query<Cursor>, req: HttpRequest, app: Data<App>) -> Result<Reply> {
    let cursor = query.into_inner().cursor;
    let Devices { sessions, next, others } = match together::take::<Vec<Listed>>(&req) {
        Some(all) => page_of(&me, all, cursor),
        None => devices(&me, &app, cursor).await?,
    };
    Ok(Reply::page(SessionsPage { sessions, next, others }))
}

/// What [`index`] reads.
pub fn first_read(conn: &mut Conn, owner: &UserId, now: Timestamp) -> Result<Box<dyn Any + Send>> {
    Ok(Box::new(session::list(conn, owner, now)?))
}

/// `GET /me/security`
pub async fn security(me: CurrentUser, app: Data<App>) -> Result<Reply> {
    let person = me.user.clone();
    let (factors, second_factors, logins) = app
        .read(move |conn| {
            let factors = factors::of(conn, &person.id)?;
            let second_factors = FactorsView::of(conn, &person.id, factors)?;
            Ok((
                factors,
                second_factors,
                sign_in::shown(conn, &person.id, person.is_verified(), None, RECENT)?,
            ))
        })
        .await?;
    let sign_in_methods = SignInMethods::of(&me.user, factors, app.config());
    let logins = logins.into_iter().map(LoginView::from).collect();
    let Devices { sessions, next, others } = devices(&me, &app, None).await?;
    Ok(Reply::page(SecurityPage { sign_in_methods, sessions, next, others, second_factors, logins }))
}

/// A page of the devices, what the next one is found by, and how many there are besides the one that asks.
struct Devices {
    sessions: Vec<SessionView>,
    next: Option<String>,
    others: usize,
}

/// Those after the one that `cursor` names; none where it has ended meanwhile.
async fn devices(me: &Authenticated, app: &App, cursor: Option<SessionId>) -> Result<Devices> {
    let (owner, now) = (me.user.id.clone(), me.now);
    Ok(page_of(me, app.read(move |conn| session::list(conn, &owner, now)).await?, cursor))
}

fn page_of(me: &Authenticated, all: Vec<Listed>, cursor: Option<SessionId>) -> Devices {
    let others = all.len().saturating_sub(1);
    let start = cursor.map_or(0, |cursor| {
        all.iter().position(|session| session.id == cursor).map_or(all.len(), |place| place + 1)
    });
    let has_more = all.len() > start + PAGE;
    let page = all.into_iter().skip(start).take(PAGE);
    let sessions: Vec<_> = page.map(|session| SessionView::new(session, &me.session.id)).collect();
    let next = sessions.last().filter(|_| has_more).map(|last| last.id.to_string());
    Devices { sessions, next, others }
}

/// `DELETE /me/sessions/{id}` and `POST /me/sessions/{id}/revoke`. The current one is signed out as by `/logout`.
pub async fn revoke(me: CurrentUser, id: Path<SessionId>, app: Data<App>) -> Result<Reply> {
    let (actor, owner, id) = (me.actor(), me.user.id.clone(), id.into_inner());
    if id == me.session.id {
        app.write(move |tx| {
            session::end(tx, &id)?;
            audit::record(tx, &actor, &owner, Event::SignedOut {})
        })
        .await?;
        return Ok(Reply::done("/login", "You are signed out on this device.").signed_out());
    }
    app.write(move |tx| session::revoke(tx, &actor, &owner, &id)).await?;
    Ok(Reply::done("/me/sessions", "That device is signed out."))
}

/// `POST /me/sessions/revoke-all`
pub async fn revoke_all(me: CurrentUser, app: Data<App>) -> Result<Reply> {
    let (actor, user, keep) = (me.actor(), me.user.clone(), me.session.id.clone());
    let count = app
        .write(move |tx| {
            tx.lock(&user.email.normalized())?;
            containment::end_access(tx, &actor, &user.id, Occasion::SignedOutElsewhere(Some(&keep)))
        })
        .await?;
    let message = match count {
        0 => "You were not signed in anywhere else.".to_owned(),
        1 => "One other device is signed out.".to_owned(),
        n => format!("{n} other devices are signed out."),
    };
    Reply::done("/me/sessions", message).with("revoked", count)
}
