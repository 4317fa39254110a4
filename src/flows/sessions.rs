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
        session_tokens::{self, ListedDevice},
        sessions::{self, Event},
    },
    app::App,
    clock::Timestamp,
    db::Conn,
    error::Result,
    ids::{SessionId, UserId},
    model::{audit, grant, session},
    web::{
        CurrentUser, Query, Reader, Reply, SteppedUpUser,
        device_list::{DeviceList, Looker},
        together,
        views::SessionView,
    },
};

/// A page of the list of devices.
#[derive(Template, Serialize)]
#[template(path = "sessions.html")]
pub(crate) struct SessionsPage {
    sessions: Vec<SessionView>,
    next: Option<String>,
    #[serde(skip)]
    others: usize,
    #[serde(skip)]
    is_continued: bool,
}

/// Where to go on.
#[derive(Deserialize)]
pub(crate) struct Cursor {
    cursor: Option<SessionId>,
}

// How many devices a page shows.
const PAGE: usize = 50;

/// `GET /me/sessions?cursor=`. An access token needs `account:read`.
pub(crate) async fn index(
    who: Reader,
    query: Query<Cursor>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<Reply> {
    let cursor = query.into_inner().cursor;
    let is_continued = cursor.is_some();
    let me = match &who {
        Reader::User(me) => Looker::from(&**me),
        Reader::Token(token) => {
            token.reads_account()?;
            Looker::from(&**token)
        }
    };
    let DeviceList { sessions, next, others } = match together::take::<Vec<ListedDevice>>(&req) {
        Some(all) => DeviceList::page(&me, all, cursor, PAGE).with_providers(&me, &app).await?,
        None => DeviceList::read(&me, &app, cursor, PAGE).await?,
    };
    Ok(Reply::page(SessionsPage { sessions, next, others, is_continued }))
}

/// What [`index`] reads.
pub(crate) fn first_read(conn: &mut Conn, owner: &UserId, now: Timestamp) -> Result<Box<dyn Any + Send>> {
    Ok(Box::new(session_tokens::devices(conn, owner, now)?))
}

/// `DELETE /me/sessions/{id}` and `POST /me/sessions/{id}/revoke`. The current one is signed out as by `/logout`.
pub(crate) async fn revoke(me: CurrentUser, id: Path<SessionId>, app: Data<App>) -> Result<Reply> {
    let (actor, owner, id) = (me.actor(), me.user.id.clone(), id.into_inner());
    if id == me.session.id {
        app.write(move |tx| {
            session::end(tx, &id)?;
            audit::record(tx, &actor, &owner, Event::SignedOut {})
        })
        .await?;
        return Ok(Reply::done("/login", "You are signed out on this device.").signed_out());
    }
    app.write(move |tx| sessions::revoke(tx, &actor, &owner, &id)).await?;
    Ok(Reply::done("/me/sessions", "That device is signed out."))
}

/// `POST /me/sessions/{id}/was-me`: "yes, this was me", of a device that an alert told of. Counts where this one was signed
/// in before it.
pub(crate) async fn was_me(me: SteppedUpUser, id: Path<SessionId>, app: Data<App>) -> Result<Reply> {
    let (actor, owner, here, id) = (me.actor(), me.user.id.clone(), me.session.id.clone(), id.into_inner());
    app.write(move |tx| containment::vouch(tx, &actor, &owner, &here, &id)).await?;
    Ok(Reply::done("/me/security", "Thank you. That sign-in counts as yours from now on."))
}

/// `POST /me/sessions/revoke-all`
pub(crate) async fn revoke_all(me: CurrentUser, app: Data<App>) -> Result<Reply> {
    let (actor, user, keep) = (me.actor(), me.user.clone(), me.session.id.clone());
    let count = app
        .write(move |tx| {
            tx.lock(&user.email.normalized())?;
            let with_tokens = grant::devices(tx.conn, &user.id, tx.now)?.len();
            let ended =
                containment::end_access(tx, &actor, &user.id, Occasion::SignedOutElsewhere(Some(&keep)))?;
            Ok(ended + with_tokens)
        })
        .await?;
    let message = match count {
        0 => "You were not signed in anywhere else.".to_owned(),
        1 => "One other device is signed out.".to_owned(),
        n => format!("{n} other devices are signed out."),
    };
    Reply::done("/me/sessions", message).with("revoked", count)
}
