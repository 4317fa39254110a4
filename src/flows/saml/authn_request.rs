//! To the identity provider: after being asked first, to step up, and to try a connection.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use serde::Deserialize;

use crate::{
    accounts::setup_link,
    app::App,
    error::{Error, Errors, Result},
    ids::ConnectionId,
    model::{
        connection, identity,
        token::{SetUpConnection, SsoIntent},
    },
    saml::Reason,
    secret::Secret,
    web::{
        Client, CurrentUser, Input, Query, SteppedUpMember, input::tick, member::SsoManage,
        saml_request::send_authn_request, sso_request::Destination,
    },
};

/// Where to go after a step-up.
#[derive(Deserialize)]
pub(crate) struct StepUpQuery {
    next: Option<String>,
}

/// The link by which a connection is set up.
#[derive(Deserialize)]
pub(crate) struct SetupLinkForm {
    #[serde(default)]
    token: Secret<SetUpConnection>,
}

/// Who said yes, to which connection.
#[derive(Deserialize)]
pub(crate) struct GoForm {
    #[serde(default)]
    connection: String,
    next: Option<String>,
    #[serde(default, deserialize_with = "tick")]
    remember: bool,
}

/// `POST /auth/saml/login`: to the identity provider of a connection, for whoever was asked first, and said yes.
pub(crate) async fn go(
    client: Client,
    req: HttpRequest,
    Input(form): Input<GoForm>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let id = serde_json::from_value(form.connection.into())
        .map_err(|_| Error::Invalid(Errors::one("connection", "Say through which connection.")))?;
    let to = Destination::new(form.next.as_deref(), form.remember);
    send_authn_request(&app, &client, &req, id, SsoIntent::SignIn, to).await
}

/// `GET /auth/saml/confirm?next=`: whoever has no password here confirms at their identity provider that it is them.
pub(crate) async fn step_up(
    me: CurrentUser,
    client: Client,
    req: HttpRequest,
    query: Query<StepUpQuery>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let id = me.user.id.clone();
    let connection = app.read(move |conn| identity::newest_connection(conn, &id)).await?;
    let connection = connection.ok_or(Error::NotFound)?;
    let purpose = SsoIntent::StepUp { user: me.user.id.clone(), session: me.session.id.clone() };
    let to = Destination::new(query.next.as_deref(), false);
    send_authn_request(&app, &client, &req, connection, purpose, to).await
}

/// `POST /organisations/{slug}/sso/{connection}/test`: an owner tries a connection. Nobody is signed in by it.
pub(crate) async fn test(
    me: SteppedUpMember<SsoManage>,
    client: Client,
    req: HttpRequest,
    path: Path<(String, ConnectionId)>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (access, (_, id)) = (me.access(), path.into_inner());
    let connection = app
        .read(move |conn| {
            let organisation = access.decide(conn)?.organisation;
            connection::owned(conn, &organisation.id, &id)
        })
        .await?;
    let purpose = SsoIntent::Test { user: me.person()?.user.id.clone() };
    send_authn_request(&app, &client, &req, connection.id, purpose, Destination::default()).await
}

/// `POST /auth/saml/test`: the bearer of a set-up link tries its connection. Nobody is signed in by it.
pub(crate) async fn test_by_link(
    client: Client,
    req: HttpRequest,
    Input(form): Input<SetupLinkForm>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (actor, secret, now) = (client.actor(), form.token, app.now());
    let connection = app
        .write(move |tx| {
            let connection = setup_link::open(tx.conn, &secret, now)?.connection;
            match connection.is_blank() {
                true => Err(Error::Invalid(Errors::one("metadata", Reason::NoMetadata.sentence()))),
                false => setup_link::note_test(tx, &actor, &secret),
            }
        })
        .await?;
    send_authn_request(&app, &client, &req, connection, SsoIntent::TestByLink, Destination::default()).await
}
