//! The applications that one uses with this account, and ending what they may.

use actix_web::web::{Data, Path};
use askama::Template;
use serde::Serialize;

use crate::{
    accounts::grants::{self, Used},
    app::App,
    clock::Timestamp,
    error::Result,
    ids::ApplicationId,
    model::{
        application::Kind,
        grant::{Grant, GrantKind},
    },
    oauth::Scopes,
    web::{CurrentUser, Reply},
};

/// The list.
#[derive(Template, Serialize)]
#[template(path = "applications.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApplicationsPage {
    applications: Vec<ApplicationView>,
}

/// An application, as its user sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApplicationView {
    id: ApplicationId,
    name: String,
    kind: Kind,
    scopes: Vec<String>,
    since: Timestamp,
    last_used_at: Timestamp,
    devices: Vec<DeviceView>,
}

/// Where it is used.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeviceView {
    device_name: String,
    ip: String,
    last_used_at: Timestamp,
    /// Whether it goes on after signing out there.
    is_offline: bool,
}

/// `GET /me/applications`
pub(crate) async fn index(me: CurrentUser, app: Data<App>) -> Result<Reply> {
    let (user, now) = (me.user.id.clone(), me.now);
    let used = app.read(move |conn| grants::used_by(conn, &user, now)).await?;
    Ok(Reply::page(ApplicationsPage { applications: used.into_iter().map(ApplicationView::of).collect() }))
}

/// `DELETE /me/applications/{id}` and `POST /me/applications/{id}/revoke`. Ending access is never harder than giving it.
pub(crate) async fn revoke(me: CurrentUser, id: Path<ApplicationId>, app: Data<App>) -> Result<Reply> {
    let (actor, user, id) = (me.actor(), me.user.id.clone(), id.into_inner());
    app.write(move |tx| grants::revoke_application(tx, &actor, &user, &id)).await?;
    Ok(Reply::done(
        "/me/applications",
        "You are signed out of that application, and it has no access any more.",
    ))
}

impl ApplicationView {
    fn of(used: Used) -> Self {
        let scopes = used.grants.iter().map(|grant| grant.scopes.as_str()).collect::<Vec<_>>().join(" ");
        let scopes = Scopes::parse(&scopes).unwrap_or_default();
        let oldest = used.grants.iter().map(|grant| grant.created_at).min();
        let newest = used.grants.iter().map(|grant| grant.last_used_at).max();
        Self {
            id: used.id,
            name: used.name,
            kind: used.kind,
            scopes: scopes.iter().map(str::to_owned).collect(),
            since: oldest.unwrap_or(used.allowed_at),
            last_used_at: newest.unwrap_or(used.allowed_at),
            devices: used.grants.into_iter().map(DeviceView::of).collect(),
        }
    }

    fn icon(&self) -> &'static str {
        match self.kind {
            Kind::Native | Kind::Service => "program",
            Kind::Web | Kind::Browser | Kind::Gate => "domain",
        }
    }

    /// What it may know, in words.
    fn knows(&self) -> String {
        let words = self.scopes.iter().map(|scope| Scopes::words(scope).unwrap_or(scope));
        words.collect::<Vec<_>>().join("; ")
    }
}

impl DeviceView {
    fn of(grant: Grant) -> Self {
        Self {
            device_name: grant.device,
            ip: grant.ip,
            last_used_at: grant.last_used_at,
            is_offline: grant.kind == GrantKind::Offline,
        }
    }
}
