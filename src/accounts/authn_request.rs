//! A request to an organisation's SAML identity provider, kept until it is answered.

use chrono::TimeDelta;

use super::{client_facts::ClientFacts, sso_policy};
use crate::{
    db::Tx,
    error::{Result, refusals},
    ids::ConnectionId,
    model::{
        connection, network,
        rate_limit::{self, Limit},
        service_key,
        token::{self, AuthnRequestState, SamlRequest, SsoIntent},
    },
    saml::{self, AuthnRequestParams, BindingMessage},
    secret::{Keys, Secret},
};

refusals! {
    /// A single sign-on that was refused, or that took too long. Its owners see why.
    SSO_REFUSED = (
        "sso_refused", 403,
        "Signing in with your organisation didn't work. Try again; if it fails again, tell your administrator."
    ).page("You are not signed in", "/login", "Back to sign in");
}

const SEAL: &str = "saml_arrival";

/// What is asked of an identity provider, and for which browser.
#[derive(Debug)]
pub(crate) struct NewAuthnRequest {
    /// Which connection.
    pub connection: ConnectionId,
    /// What for.
    pub intent: SsoIntent,
    /// The digest of the nonce that the browser holds.
    pub browser: String,
    /// Where to go afterwards.
    pub next: Option<String>,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
}

/// Makes the message that the browser takes there (saml-profiles §4.1.3). [`SSO_REFUSED`] where the connection is out of
/// use and this is no test of it, or its metadata is not good enough.
pub(crate) fn create(tx: &mut Tx, client: &ClientFacts, new: NewAuthnRequest) -> Result<BindingMessage> {
    let limit = Limit::new(
        "saml-request",
        &network::client_network(&client.ip),
        tx.config.limits.login_per_network,
        TimeDelta::minutes(1),
    );
    rate_limit::consume(tx, &limit)?;
    let is_test = matches!(new.intent, SsoIntent::Test { .. } | SsoIntent::TestByLink);
    let connection = connection::by_id(tx.conn, &new.connection)?;
    if !is_test && sso_policy::is_out_of_use(tx.conn, &connection)? {
        return Err(SSO_REFUSED.error());
    }
    let provider = connection.provider(tx.now).map_err(|_| SSO_REFUSED.error())?;
    let mut service = service_key::service(tx.conn, tx.config)?;
    if connection.sends_unsigned && !provider.wants_signed_requests {
        service.keys.clear();
    }
    let relay_state = Secret::<SamlRequest>::random()?;
    let ask = AuthnRequestParams {
        service: &service,
        provider: &provider,
        force_authn: matches!(new.intent, SsoIntent::StepUp { .. }),
        name_policy: connection.name_policy,
        relay_state: relay_state.reveal(),
        now: tx.now,
    };
    let started = saml::start(&ask)?;
    let asked = AuthnRequestState {
        connection: connection.id,
        request: started.request.id,
        at: started.request.sent_at.unix(),
        browser: new.browser,
        purpose: new.intent,
        // It may lead to an interrupted form, by its secret.
        next: new.next.map(|next| tx.config.keys.seal(SEAL, &next)).transpose()?,
        remembered: new.remembered,
    };
    token::store_unowned(tx, &relay_state, &asked)?;
    Ok(started.message)
}

/// Where the browser goes after what it `asked` for.
pub(crate) fn next(keys: &Keys, asked: &AuthnRequestState) -> Result<Option<String>> {
    asked.next.as_deref().map(|sealed| keys.open(SEAL, sealed)).transpose()
}
