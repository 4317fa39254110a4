//! A request to an OpenID provider, kept until it is answered.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::client_facts::ClientFacts;
use crate::{
    db::Tx,
    error::Result,
    model::{
        network,
        rate_limit::{self, Limit},
        token::{self, OidcIntent, OidcParked, OidcRequest, OidcRequestState, OidcVia, ParkedResponse},
    },
    secret::{self, Keys, Secret},
};

const SEAL: &str = "oidc_request";

/// What is asked of a provider, and for which browser.
#[derive(Debug)]
pub(crate) struct NewOidcRequest {
    /// Who is asked.
    pub via: OidcVia,
    /// What it calls itself.
    pub issuer: String,
    /// What for.
    pub intent: OidcIntent,
    /// The digest of the nonce that the browser holds.
    pub browser: String,
    /// Where to go afterwards: a path of this site.
    pub next: Option<String>,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
}

/// What ties an answer to its request, besides the `state`.
#[derive(Serialize, Deserialize)]
pub(crate) struct RequestSecrets {
    /// Comes back in the ID token (OpenID Connect Core §3.1.2.1): 256 random bits.
    pub nonce: String,
    /// Of which only the digest leaves before the exchange (RFC 7636 §4.1): 256 random bits.
    pub verifier: String,
}

/// Keeps a request. Returns its `state`, and what else ties the answer to it. [`crate::error::Error::TooManyAttempts`] where the
/// client's network asks too often.
pub(crate) fn create(
    tx: &mut Tx,
    client: &ClientFacts,
    new: NewOidcRequest,
) -> Result<(Secret<OidcRequest>, RequestSecrets)> {
    let limit = Limit::new(
        "oidc-request",
        &network::client_network(&client.ip),
        tx.config.limits.login_per_network,
        TimeDelta::minutes(1),
    );
    rate_limit::consume(tx, &limit)?;
    let secrets = RequestSecrets { nonce: secret::random_text(32)?, verifier: secret::random_text(32)? };
    let keys = &tx.config.keys;
    let kept = OidcRequestState {
        via: new.via,
        issuer: new.issuer,
        sealed: keys.seal(SEAL, &serde_json::to_string(&secrets)?)?,
        browser: new.browser,
        at: tx.now.unix(),
        purpose: new.intent,
        // It may lead to an interrupted form, by its secret.
        next: new.next.map(|next| keys.seal(SEAL, &next)).transpose()?,
        remembered: new.remembered,
    };
    let state = token::issue_unowned::<OidcRequest>(tx, &kept)?;
    Ok((state, secrets))
}

/// What ties an answer to what was `asked`.
pub(crate) fn secrets(keys: &Keys, asked: &OidcRequestState) -> Result<RequestSecrets> {
    Ok(serde_json::from_str(&keys.open(SEAL, &asked.sealed)?)?)
}

/// Where the browser goes after what it `asked` for.
pub(crate) fn next(keys: &Keys, asked: &OidcRequestState) -> Result<Option<String>> {
    asked.next.as_deref().map(|sealed| keys.open(SEAL, sealed)).transpose()
}

/// Lets an answer wait that was posted across sites, as it came, until its browser comes by itself.
/// [`crate::error::Error::TooManyAttempts`] where the client's network brings too many.
pub(crate) fn park(
    tx: &mut Tx,
    client: &ClientFacts,
    response: &ParkedResponse,
) -> Result<Secret<OidcParked>> {
    let limit = Limit::new(
        "oidc-parked",
        &network::client_network(&client.ip),
        tx.config.limits.login_per_network,
        TimeDelta::minutes(1),
    );
    rate_limit::consume(tx, &limit)?;
    let sealed = tx.config.keys.seal(SEAL, &serde_json::to_string(response)?)?;
    token::issue_unowned::<OidcParked>(tx, &sealed)
}

/// The answer that waited, once. [`crate::error::Error::DeadLink`] where it waits no longer.
pub(crate) fn unpark(tx: &mut Tx, secret: &Secret<OidcParked>) -> Result<ParkedResponse> {
    let sealed = token::redeem_unowned(tx, secret)?;
    Ok(serde_json::from_str(&tx.config.keys.open(SEAL, &sealed)?)?)
}
