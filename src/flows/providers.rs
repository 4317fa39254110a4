//! One's accounts elsewhere: which open the account here, connecting another, and disconnecting one.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use askama::Template;
use serde::Serialize;

use crate::{
    accounts::{authentication, factors, provider_identities, sso_policy},
    app::App,
    clock::Timestamp,
    config::Config,
    error::{Error, Result},
    ids::ProviderIdentityId,
    model::{
        provider_identity::{self, ProviderIdentity},
        token::OidcIntent,
    },
    web::{
        Client, CurrentUser, Reply, SteppedUpVerifiedUser, oidc_request::send_oidc_request,
        sso_request::Destination,
    },
};

/// The accounts elsewhere.
#[derive(Template, Serialize)]
#[template(path = "providers.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProvidersPage {
    identities: Vec<IdentityView>,
    providers: Vec<ProviderView>,
    #[serde(skip)]
    is_verified: bool,
    // Whether their organisation keeps them from signing in so.
    #[serde(skip)]
    is_sso_required: bool,
}

/// An account elsewhere, as its owner sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IdentityView {
    id: ProviderIdentityId,
    provider: String,
    name: String,
    known_as: Option<String>,
    created_at: Timestamp,
    last_used_at: Timestamp,
    is_only: bool,
    is_available: bool,
}

/// Where an account can be connected.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProviderView {
    key: String,
    name: String,
    is_connected: bool,
}

/// `GET /me/providers`
pub(crate) async fn index(me: CurrentUser, app: Data<App>) -> Result<Reply> {
    let user = me.user.clone();
    let (identities, factors, required) = app
        .read(move |conn| {
            Ok((
                provider_identity::list(conn, &user.id)?,
                factors::of(conn, &user.id)?,
                sso_policy::required_connection(conn, &user)?,
            ))
        })
        .await?;
    let config = app.config();
    let usable = identities.iter().filter(|identity| identity.provider_in(config).is_some()).count();
    let providers = config.providers.iter().map(|provider| ProviderView {
        key: provider.key.clone(),
        name: provider.name.clone(),
        is_connected: identities.iter().any(|identity| provider.is_of(&identity.issuer)),
    });
    let providers = providers.collect();
    let is_way_in = !factors.can_sign_in() && usable == 1;
    let identities =
        identities.into_iter().map(|identity| IdentityView::of(identity, is_way_in, config)).collect();
    let (is_verified, is_sso_required) = (me.user.is_verified(), required.is_some());
    Ok(Reply::page(ProvidersPage { identities, providers, is_verified, is_sso_required }))
}

/// `POST /me/providers/{id}`, by a provider's key: off to it, to come back with an account there.
pub(crate) async fn connect(
    me: SteppedUpVerifiedUser,
    client: Client,
    key: Path<String>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let provider = app.config().provider(&key).ok_or(Error::NotFound)?;
    let intent = OidcIntent::Link { user: me.user.id.clone(), session: me.session.id.clone() };
    let to = Destination::new(Some("/me/providers"), false);
    send_oidc_request(&app, &client, &req, provider, intent, to, None).await
}

/// `DELETE /me/providers/{id}` and `POST /me/providers/{id}/remove`. The last way in stays.
pub(crate) async fn remove(
    me: SteppedUpVerifiedUser,
    client: Client,
    id: Path<ProviderIdentityId>,
    app: Data<App>,
) -> Result<Reply> {
    let (actor, owner, here, id) = (me.actor(), me.user.id.clone(), me.session.clone(), id.into_inner());
    let issued = app
        .write(move |tx| {
            let device = client.device().name();
            provider_identities::remove(tx, &actor, &owner, &id, Some(&here.id), &device)?;
            authentication::rotate(tx, &here)
        })
        .await?;
    Ok(Reply::done("/me/providers", "That account is disconnected.").signed_in(issued))
}

impl IdentityView {
    /// `is_only` where the one that can be used is all that opens the account.
    fn of(identity: ProviderIdentity, is_only: bool, config: &Config) -> Self {
        let provider = identity.provider_in(config);
        Self {
            provider: provider.map_or_else(|| identity.provider.clone(), |provider| provider.key.clone()),
            name: identity.provider_name(config).to_owned(),
            is_only: is_only && provider.is_some(),
            is_available: provider.is_some(),
            id: identity.id,
            known_as: identity.known_as,
            created_at: identity.created_at,
            last_used_at: identity.last_used_at,
        }
    }
}
