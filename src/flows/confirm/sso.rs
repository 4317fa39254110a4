//! Stepping up at the identity provider of one's organisation, by whatever protocol it speaks.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Deserialize;

use crate::{
    app::App,
    error::{Error, Result},
    model::{
        connection, identity,
        token::{OidcIntent, SsoIntent},
    },
    web::{
        Client, CurrentUser, Query,
        oidc_request::{connected_provider, send_oidc_request},
        saml_request::send_authn_request,
        sso_request::Destination,
    },
};

/// Where to go after a step-up.
#[derive(Deserialize)]
pub(crate) struct StepUpQuery {
    next: Option<String>,
}

/// `GET /auth/saml/confirm?next=` and `GET /auth/oidc/confirm?next=`: whoever has no password here confirms at their identity
/// provider that it is them.
pub(crate) async fn go(
    me: CurrentUser,
    client: Client,
    req: HttpRequest,
    query: Query<StepUpQuery>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (user, session) = (me.user.id.clone(), me.session.id.clone());
    let id = user.clone();
    let found = app
        .read(move |conn| {
            let newest = identity::newest_connection(conn, &id)?.ok_or(Error::NotFound)?;
            connection::by_id(conn, &newest)
        })
        .await?;
    let to = Destination::new(query.next.as_deref(), false);
    if found.is_oidc() {
        let provider = connected_provider(&app, found.id, true).await?;
        let intent = OidcIntent::StepUp { user, session };
        let hint = me.user.email.spelled();
        return send_oidc_request(&app, &client, &req, &provider, intent, to, Some(hint)).await;
    }
    send_authn_request(&app, &client, &req, found.id, SsoIntent::StepUp { user, session }, to).await
}
