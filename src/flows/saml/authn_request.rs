//! To the identity provider: after being asked first, and to try a connection, by whatever protocol.

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
        connection,
        token::{OidcIntent, SetUpConnection, SsoIntent},
    },
    saml::Reason,
    secret::Secret,
    web::{
        Client, Input, SteppedUpMember,
        input::tick,
        member::SsoManage,
        oidc_request::{connected_provider, send_oidc_request},
        saml_request::send_authn_request,
        sso_request::Destination,
    },
};

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
    let user = me.person()?.user.id.clone();
    if connection.is_oidc() {
        let provider = connected_provider(&app, connection.id, false).await?;
        let (purpose, to) = (OidcIntent::Test { user }, Destination::default());
        return send_oidc_request(&app, &client, &req, &provider, purpose, to, None).await;
    }
    let purpose = SsoIntent::Test { user };
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
    let (connection, is_oidc) = app
        .write(move |tx| {
            let connection = setup_link::open(tx.conn, &secret, now)?.connection;
            match connection.is_blank() {
                true => Err(Error::Invalid(Errors::one("metadata", Reason::NoMetadata.sentence()))),
                false => setup_link::note_test(tx, &actor, &secret).map(|id| (id, connection.is_oidc())),
            }
        })
        .await?;
    if is_oidc {
        let provider = connected_provider(&app, connection, false).await?;
        let (purpose, to) = (OidcIntent::TestByLink, Destination::default());
        return send_oidc_request(&app, &client, &req, &provider, purpose, to, None).await;
    }
    send_authn_request(&app, &client, &req, connection, SsoIntent::TestByLink, Destination::default()).await
}
