//! Signing in through one's organisation, by whatever protocol its domain leads to: asked first where somebody else began it.

use actix_web::{HttpRequest, HttpResponse, Responder, web::Data};
use serde::Deserialize;

use crate::{
    app::App,
    error::Result,
    ids::ConnectionId,
    kinds::Protocol,
    mail::EmailAddress,
    model::{connection, domain, token::SsoIntent},
    web::{
        Client, MaybeUser, Query, Reply,
        input::tick,
        oidc_request::begin_sso,
        origin,
        saml_request::{confirm_sso, send_authn_request},
        sso_request::Destination,
    },
};

/// Who wants to sign in, and where to go afterwards.
#[derive(Deserialize)]
pub(crate) struct LoginQuery {
    email: Option<String>,
    connection: Option<ConnectionId>,
    next: Option<String>,
    #[serde(default, deserialize_with = "tick")]
    remember: bool,
}

/// `GET /auth/sso/login?email=&next=&remember=`, or `?connection=`: to the identity provider.
///
/// The answer depends on the domain alone, never on whether there is such a person.
pub(crate) async fn login(
    client: Client,
    visitor: MaybeUser,
    req: HttpRequest,
    query: Query<LoginQuery>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let LoginQuery { email, connection, next, remember } = query.into_inner();
    let to = Destination::new(next.as_deref(), remember);
    let address = email.as_deref().and_then(|email| EmailAddress::parse(email).ok());
    let hint = address.as_ref().map(|address| address.spelled().to_owned());
    let found = app
        .read(move |conn| {
            let found = match (&connection, &address) {
                (Some(id), _) => Some(id.clone()),
                (None, Some(address)) => domain::connection_for_email(conn, address)?,
                (None, None) => None,
            };
            found.map(|id| connection::by_id(conn, &id).map(|one| (id, one.protocol))).transpose()
        })
        .await?;
    let Some((id, protocol)) = found else {
        let message = "That address does not sign in through an organisation. Sign in here.";
        return Ok(Reply::done("/login", message).respond_to(&req).map_into_boxed_body());
    };
    if protocol == Protocol::Oidc {
        return begin_sso(&app, &client, &visitor, &req, id, to, hint.as_deref()).await;
    }
    match origin::is_foreign(&req) || visitor.signed_in().is_some() {
        // Another site does not choose how long a device stays signed in.
        true => confirm_sso(&app, &visitor, &req, id, Destination { remember: false, ..to }).await,
        false => send_authn_request(&app, &client, &req, id, SsoIntent::SignIn, to).await,
    }
}
