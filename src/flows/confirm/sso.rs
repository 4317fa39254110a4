//! Stepping up at the identity provider of one's organisation, by whatever protocol it speaks, or at a provider of the settings.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Deserialize;

use crate::{
    accounts::step_up,
    app::App,
    db::Conn,
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

/// Where to go after a step-up, and at which provider of the settings it is to be, if at one of those.
#[derive(Deserialize)]
pub(crate) struct StepUpQuery {
    next: Option<String>,
    provider: Option<String>,
}

/// `GET /auth/saml/confirm?next=` and `GET /auth/oidc/confirm?next=&provider=`: people confirm where they sign in elsewhere that
/// it is them.
pub(crate) async fn go(
    me: CurrentUser,
    client: Client,
    req: HttpRequest,
    query: Query<StepUpQuery>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (user, session) = (me.user.id.clone(), me.session.id.clone());
    let id = user.clone();
    let to = Destination::new(query.next.as_deref(), false);
    if let Some(key) = &query.provider {
        let config = app.clone();
        let find = move |conn: &mut Conn| Ok(step_up::provider_of(conn, config.config(), &id)?.cloned());
        let provider =
            app.read(find).await?.filter(|provider| provider.key == *key).ok_or(Error::NotFound)?;
        let intent = OidcIntent::StepUp { user, session };
        return send_oidc_request(&app, &client, &req, &provider, intent, to, None).await;
    }
    let found = app
        .read(move |conn| {
            let newest = identity::newest_connection(conn, &id)?.ok_or(Error::NotFound)?;
            connection::by_id(conn, &newest)
        })
        .await?;
    if found.is_oidc() {
        let provider = connected_provider(&app, found.id, true).await?;
        let intent = OidcIntent::StepUp { user, session };
        let hint = me.user.email.spelled();
        return send_oidc_request(&app, &client, &req, &provider, intent, to, Some(hint)).await;
    }
    send_authn_request(&app, &client, &req, found.id, SsoIntent::StepUp { user, session }, to).await
}
