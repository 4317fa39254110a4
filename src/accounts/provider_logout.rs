//! Signing out at the identity provider as well, for whoever came in by one and signs out here (saml-profiles §4.4).

use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::Result,
    ids::SessionId,
    model::{
        connection::{self, Connection},
        service_key, session, sso_session,
        token::{self, LogoutOffer, LogoutSent, SignOutThere},
    },
    saml::{self, BindingMessage, IdentityProvider},
    secret::Secret,
};

/// Offers to end the session at the identity provider that a session came from, before that one is gone. Nothing where it
/// came from none, or its identity provider takes no requests for a logout.
pub(crate) fn offer(tx: &mut Tx, id: &SessionId) -> Result<Option<Secret<SignOutThere>>> {
    let Some((connection, session)) = session::provider_session_of(tx.conn, id)? else { return Ok(None) };
    let offer = LogoutOffer { connection, session };
    match provider(tx.conn, &offer, tx.now)? {
        Some(_) => token::issue_unowned::<SignOutThere>(tx, &offer).map(Some),
        None => Ok(None),
    }
}

/// The host of the identity provider of an offer that can still be taken.
pub(crate) fn host(conn: &mut Conn, secret: &Secret<SignOutThere>, now: Timestamp) -> Result<Option<String>> {
    let offer = token::peek_unowned(conn, secret, now)?;
    Ok(provider(conn, &offer, now)?.and_then(|(_, provider)| provider.host()))
}

/// Takes an offer: the request with which the browser is sent there. Nothing where nobody takes it any more.
pub(crate) fn ask(tx: &mut Tx, secret: &Secret<SignOutThere>) -> Result<Option<BindingMessage>> {
    let offer = token::redeem_unowned(tx, secret)?;
    let Some((connection, provider)) = provider(tx.conn, &offer, tx.now)? else { return Ok(None) };
    let Ok(there) = sso_session::unseal(&offer.session, &tx.config.keys) else { return Ok(None) };
    let mut service = service_key::service(tx.conn, tx.config)?;
    if connection.sends_unsigned && !provider.wants_signed_requests {
        service.keys.clear();
    }
    let relay_state = Secret::<LogoutSent>::random()?;
    let asked = saml::ask_for_logout(&service, &provider, &there, relay_state.reveal(), tx.now)?;
    let Some(asked) = asked else { return Ok(None) };
    token::store_unowned(tx, &relay_state, &asked.id)?;
    Ok(Some(asked.message))
}

/// The connection of an offer with its identity provider, where that takes requests for a logout.
fn provider(
    conn: &mut Conn,
    offer: &LogoutOffer,
    now: Timestamp,
) -> Result<Option<(Connection, IdentityProvider)>> {
    let Ok(connection) = connection::by_id(conn, &offer.connection) else { return Ok(None) };
    let provider = connection.provider(now).ok().filter(|provider| !provider.logout.is_empty());
    Ok(provider.map(|provider| (connection, provider)))
}
