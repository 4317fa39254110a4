//! Set-up links as owners handle them: made, revoked, and what they changed put into use.

use actix_web::{
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;
use serde::{Deserialize, Serialize};

use super::{
    access::{SsoAdmin, find, path_of, write},
    views::{ConnectionView, OrganisationView},
};
use crate::{
    accounts::setup_link,
    app::App,
    clock::Timestamp,
    error::Result,
    ids::ConnectionId,
    web::{Input, Reply},
};

/// A link that was just made, which is shown this once.
#[derive(Template, Serialize)]
#[template(path = "sso_setup_link.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetupLinkPage {
    organisation: OrganisationView,
    connection: ConnectionView,
    link: String,
    expires_at: Timestamp,
}

/// Which state of a connection its owner looked at.
#[derive(Deserialize)]
pub(crate) struct SwitchOnForm {
    #[serde(default)]
    fingerprint: String,
}

/// `POST /organisations/{slug}/sso/{connection}/setup-link`
pub(crate) async fn make_setup_link(
    me: SsoAdmin,
    path: Path<(String, ConnectionId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (organisation, connection) = find(&me, path.into_inner(), &app).await?;
    let (of, id, owner) = (organisation.clone(), connection.id.clone(), me.person()?.user.id.clone());
    let (secret, expires_at) =
        write(&me, &organisation.id, &app, move |tx, actor| setup_link::make(tx, actor, &of, &owner, &id))
            .await?;
    let page = SetupLinkPage {
        organisation: (&organisation).into(),
        connection: ConnectionView::new(connection, app.now(), &app.config().site),
        link: app.config().site.link(&format!("/sso/setup?token={}", secret.reveal())),
        expires_at,
    };
    Ok(Reply::page(page).status(StatusCode::CREATED))
}

/// `DELETE /organisations/{slug}/sso/{connection}/setup-link` and `POST …/revoke`
pub(crate) async fn revoke_setup_link(
    me: SsoAdmin,
    path: Path<(String, ConnectionId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (organisation, connection) = find(&me, path.into_inner(), &app).await?;
    let (to, of) = (format!("{}/{}", path_of(&organisation), connection.id), organisation.clone());
    write(&me, &organisation.id, &app, move |tx, actor| setup_link::revoke(tx, actor, &of, &connection.id))
        .await?;
    Ok(Reply::done(to, "The set-up link no longer works."))
}

/// `POST /organisations/{slug}/sso/{connection}/switch-on`: people may sign in by it as a link has set it up.
pub(crate) async fn switch_on(
    me: SsoAdmin,
    path: Path<(String, ConnectionId)>,
    Input(form): Input<SwitchOnForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (organisation, connection) = find(&me, path.into_inner(), &app).await?;
    let (to, of) = (format!("{}/{}", path_of(&organisation), connection.id), organisation.id.clone());
    let on = write(&me, &organisation.id, &app, move |tx, actor| {
        setup_link::switch_on(tx, actor, &of, &connection.id, &form.fingerprint)
    })
    .await?;
    let message = format!("{} is turned on.", on.name);
    Reply::done(to, message).with("connection", ConnectionView::new(on, app.now(), &app.config().site))
}
