//! The logout token (OpenID Connect Back-Channel Logout 1.0 §2.4): the provider says that somebody signed out there.

use chrono::TimeDelta;

use super::{
    Reason, Refusal,
    claims::Claims,
    discovery::ProviderMetadata,
    id_token::{SKEW, check_audience, read_issuer},
    jws,
    keys::KeySet,
};
use crate::clock::Timestamp;

pub(super) const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const RELIED_ON: [&str; 2] = ["iss", "aud"];

/// How old one may be.
const LIFE: TimeDelta = TimeDelta::minutes(5);

/// What is asked of a logout token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExpectedLogout<'a> {
    /// The provider it is to come from.
    pub metadata: &'a ProviderMetadata,
    /// Its keys, as they were read last.
    pub keys: &'a KeySet,
    /// What it calls us.
    pub client_id: &'a str,
    /// The claim that identifies people, as for the ID token.
    pub subject_claim: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// A logout token that passed every check but one: that it was not seen before is for the caller to find out, in the
/// transaction that acts on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogoutToken {
    /// Who says so.
    pub issuer: String,
    /// Who signed out there: all of their sessions, where no session is named.
    pub subject: Option<String>,
    /// The session there that ended.
    pub session_id: Option<String>,
    /// What makes it good once, with the issuer.
    pub token_id: String,
    /// Until when it would be taken again, so that it has to be remembered.
    pub remember_until: Timestamp,
}

/// Reads a logout token (Back-Channel Logout §2.6). Pure, as the reading of an ID token is. [`Reason::UnknownKey`] is worth
/// another try, once, with the provider's keys read again.
pub(crate) fn read_logout_token(
    token: &str,
    expected: &ExpectedLogout<'_>,
) -> Result<LogoutToken, Box<Refusal>> {
    let shape = jws::read(token, Some("logout+jwt"), &expected.metadata.algorithms)?;
    let signed = shape.verify(expected.keys, &RELIED_ON)?;
    check(&signed.claims, expected)
        .and_then(|logout| if signed.is_incomplete { Err(Reason::BadToken) } else { Ok(logout) })
        .map_err(|reason| Box::new(Refusal { claims: Some(signed.claims), ..reason.into() }))
}

fn check(claims: &Claims, expected: &ExpectedLogout<'_>) -> Result<LogoutToken, Reason> {
    let issuer = read_issuer(claims, &expected.metadata.issuer)?;
    check_audience(claims, expected.client_id)?;
    let issued_at = claims.moment("iat").ok_or(Reason::NoTime)?;
    if issued_at > expected.now + SKEW {
        return Err(Reason::TooNew);
    }
    // Older ones of the standard do without an expiry.
    let expires_at = claims.get("exp").map(|_| claims.moment("exp").ok_or(Reason::NoTime)).transpose()?;
    let remember_until = issued_at + LIFE + SKEW;
    if expected.now >= remember_until || expires_at.is_some_and(|until| until <= expected.now - SKEW) {
        return Err(Reason::TooOld);
    }
    let has_event =
        claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(|event| event.is_object());
    let token_id = claims.identifier("jti");
    // An ID token has a nonce, and could be passed off as this.
    let Some(token_id) = token_id.filter(|_| has_event && claims.get("nonce").is_none()) else {
        return Err(Reason::NotALogout);
    };
    let (subject, session_id) = (claims.identifier(expected.subject_claim), claims.identifier("sid"));
    if subject.is_none() && session_id.is_none() {
        return Err(Reason::NotALogout);
    }
    Ok(LogoutToken {
        issuer,
        subject: subject.map(str::to_owned),
        session_id: session_id.map(str::to_owned),
        token_id: token_id.to_owned(),
        remember_until,
    })
}

#[cfg(test)]
mod tests;
