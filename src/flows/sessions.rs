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
        factors, put_back, sso_policy,
    },
    app::App,
    clock::Timestamp,
    db::Conn,
    error::Result,
    ids::{SecurityChangeId, SessionId, UserId},
    model::{
        audit::{self, Event},
        identity,
        session::{self, Listed},
        sign_in,
    },
    web::{
        Authenticated, CurrentUser, Query, Reply, SteppedUpUser,
        second_factors::FactorsView,
        sign_in_methods::{SignInMethods, Sso},
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
    #[serde(skip)]
    is_continued: bool,
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
    removed: Vec<RemovedView>,
    #[serde(skip)]
    is_sso_required: bool,
}

/// A way in that was removed and can be put back.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RemovedView {
    id: SecurityChangeId,
    kind: &'static str,
    name: String,
    removed_at: Timestamp,
    until: Timestamp,
}

/// Where to go on.
#[derive(Deserialize)]
pub struct Cursor {
    cursor: Option<SessionId>,
}

// How many devices a page shows.
const PAGE: usize = 50;

// How many the settings page shows, which has more to say.
const FEW: usize = 5;

// How many sign-ins the settings page shows.
const RECENT: i64 = 10;

/// `GET /me/sessions?cursor=`
pub async fn index(me: CurrentUser, query: Query<Cursor>, req: HttpRequest, app: Data<App>) -> Result<Reply> {
    let cursor = query.into_inner().cursor;
    let is_continued = cursor.is_some();
    let Devices { sessions, next, others } = match together::take::<Vec<Listed>>(&req) {
        Some(all) => page_of(&me, all, cursor, PAGE),
        None => devices(&me, &app, cursor, PAGE).await?,
    };
    Ok(Reply::page(SessionsPage { sessions, next, others, is_continued }))
}

/// What [`index`] reads.
pub fn first_read(conn: &mut Conn, owner: &UserId, now: Timestamp) -> Result<Box<dyn Any + Send>> {
    Ok(Box::new(session::list(conn, owner, now)?))
}

/// `GET /me/security`
pub async fn security(me: CurrentUser, app: Data<App>) -> Result<Reply> {
    let (person, keys, now) = (me.user.clone(), app.config().keys.clone(), me.now);
    let (factors, second_factors, logins, removed, unanswered, sso) = app
        .read(move |conn| {
            let factors = factors::of(conn, &person.id)?;
            let second_factors = FactorsView::of(conn, &person.id, factors)?;
            Ok((
                factors,
                second_factors,
                sign_in::shown(conn, &person.id, person.is_verified(), None, RECENT)?,
                put_back::list(conn, &keys, &person.id, now)?,
                containment::unanswered(conn, &person.id, now)?,
                Sso {
                    through: identity::list(conn, &person.id)?.into_iter().map(|(name, _)| name).collect(),
                    is_required: sso_policy::required_connection(conn, &person)?.is_some(),
                },
            ))
        })
        .await?;
    let sign_in_methods = SignInMethods::of(&me.user, factors, &sso, app.config());
    let is_sso_required = sso.is_required;
    let logins = logins.into_iter().map(LoginView::from).collect();
    let Devices { mut sessions, next, others } = devices(&me, &app, None, FEW).await?;
    let here = sessions.iter().find(|session| session.current).map(|session| session.created_at);
    for session in &mut sessions {
        session.can_be_confirmed = unanswered.contains(&session.id) && Some(session.created_at) > here;
    }
    let removed = removed.into_iter().map(|one| RemovedView {
        id: one.id,
        kind: one.kind,
        name: one.name,
        removed_at: one.at,
        until: one.until,
    });
    let removed = removed.collect();
    Ok(Reply::page(SecurityPage {
        sign_in_methods,
        sessions,
        next,
        others,
        second_factors,
        logins,
        removed,
        is_sso_required,
    }))
}

/// A page of the devices, what the next one is found by, and how many there are besides the one that asks.
struct Devices {
    sessions: Vec<SessionView>,
    next: Option<String>,
    others: usize,
}

/// Those after the one that `cursor` names; none where it has ended meanwhile.
async fn devices(me: &Authenticated, app: &App, cursor: Option<SessionId>, most: usize) -> Result<Devices> {
    let (owner, now) = (me.user.id.clone(), me.now);
    Ok(page_of(me, app.read(move |conn| session::list(conn, &owner, now)).await?, cursor, most))
}

/// The device that asks comes first.
fn page_of(me: &Authenticated, mut all: Vec<Listed>, cursor: Option<SessionId>, most: usize) -> Devices {
    all.sort_by_key(|session| session.id != me.session.id);
    let others = all.len().saturating_sub(1);
    let start = cursor.map_or(0, |cursor| {
        all.iter().position(|session| session.id == cursor).map_or(all.len(), |place| place + 1)
    });
    let has_more = all.len() > start + most;
    let page = all.into_iter().skip(start).take(most);
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

/// `POST /me/sessions/{id}/was-me`: "yes, this was me", of a device that an alert told of. Counts where this one was signed
/// in before it.
pub async fn was_me(me: SteppedUpUser, id: Path<SessionId>, app: Data<App>) -> Result<Reply> {
    let (actor, owner, here, id) = (me.actor(), me.user.id.clone(), me.session.id.clone(), id.into_inner());
    app.write(move |tx| containment::vouch(tx, &actor, &owner, &here, &id)).await?;
    Ok(Reply::done("/me/security", "Thank you. That sign-in counts as yours from now on."))
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
