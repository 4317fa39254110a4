//! The ID token (OpenID Connect Core 1.0 §2): who signed in at the provider, for us, just now.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use chrono::TimeDelta;
use jsonwebtoken::Algorithm;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{
    Reason, Refusal,
    check::{Check, Checks},
    claims::Claims,
    discovery::ProviderMetadata,
    jws,
    keys::KeySet,
    microsoft,
};
use crate::clock::Timestamp;

/// How far two clocks may be apart, in either direction.
pub(super) const SKEW: TimeDelta = TimeDelta::seconds(60);

const RELIED_ON: [&str; 4] = ["iss", "aud", "exp", "sub"];

/// What is asked of an ID token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// The provider that was asked.
    pub metadata: &'a ProviderMetadata,
    /// Its keys, as they were read last.
    pub keys: &'a KeySet,
    /// What it calls us.
    pub client_id: &'a str,
    /// The nonce of the request.
    pub nonce: &'a str,
    /// When the request was made.
    pub requested_at: Timestamp,
    /// The claim that identifies people: `sub`, and `oid` for Microsoft.
    pub subject_claim: &'a str,
    /// The access token that came with it.
    pub access_token: Option<&'a str>,
    /// Whether the person had to sign in there again, for step-up.
    pub reauthentication: bool,
    /// Now.
    pub now: Timestamp,
}

/// An ID token that passed every check.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IdToken {
    /// Who vouches: with the subject, what identifies the person.
    pub issuer: String,
    /// Whom it is about: 1 to 255 characters.
    pub subject: String,
    /// When the person signed in there, if it says.
    pub authenticated_at: Option<Timestamp>,
    /// The session there (`sid`), which a logout token may name.
    pub session_id: Option<String>,
    /// All that it says.
    pub claims: Claims,
    /// What was checked.
    pub checks: Vec<Check>,
}

/// Reads an ID token (OpenID Connect Core §3.1.3.7): what it says if every check passes, why not otherwise, with every check
/// that could be made.
///
/// Pure: the same in, the same out. [`Reason::UnknownKey`] is worth another try, once, with the provider's keys read again.
pub(crate) fn read_id_token(token: &str, expected: &Expected<'_>) -> Result<IdToken, Box<Refusal>> {
    let mut checks = Checks::default();
    let shape = jws::read(token, None, &expected.metadata.algorithms);
    let shape = checks.note("It is a signed token.", shape, None, None);
    let signed = shape.and_then(|shape| {
        let signed = shape.verify(expected.keys, &RELIED_ON);
        checks.note("The provider signed it.", signed, None, None)
    });
    let Some(signed) = signed else {
        let reason = checks.refusal().unwrap_or(Reason::BadToken);
        return Err(Box::new(Refusal { checks: checks.0, ..reason.into() }));
    };
    let claims = &signed.claims;
    let issuer = check_origin(claims, expected, &mut checks);
    check_times(claims, expected.requested_at, expected.now, &mut checks);
    check_request(claims, signed.algorithm, expected, &mut checks);
    let subject = claims.identifier("sub").and_then(|_| claims.identifier(expected.subject_claim));
    let found = claims.get(expected.subject_claim).map(ToString::to_string);
    let subject = checks.note("It identifies the person.", subject.ok_or(Reason::NoSubject), None, found);
    let authenticated_at = check_auth_time(claims, expected, &mut checks);
    let reason = checks.refusal().or_else(|| signed.is_incomplete.then_some(Reason::BadToken));
    match (issuer, subject, reason) {
        (Some(issuer), Some(subject), None) => Ok(IdToken {
            issuer,
            subject: subject.to_owned(),
            authenticated_at,
            session_id: claims.identifier("sid").map(str::to_owned),
            claims: signed.claims,
            checks: checks.0,
        }),
        (_, _, reason) => {
            let reason = reason.unwrap_or(Reason::BadToken);
            Err(Box::new(Refusal { checks: checks.0, claims: Some(signed.claims), ..reason.into() }))
        }
    }
}

/// Who wrote it, for whom. The issuer, where it is the right one.
fn check_origin(claims: &Claims, expected: &Expected<'_>, checks: &mut Checks) -> Option<String> {
    let asked = &expected.metadata.issuer;
    let issuer = read_issuer(claims, asked);
    let found = claims.get("iss").map(ToString::to_string);
    let issuer = checks.note("It comes from the provider that was asked.", issuer, Some(asked), found);
    let audience = check_audience(claims, expected.client_id);
    let found = claims.get("aud").map(ToString::to_string);
    checks.note("It is meant for this client.", audience, Some(expected.client_id), found);
    issuer
}

/// The issuer that a token names, where it is the one that was asked: character for character, or one of Microsoft's tenants.
pub(super) fn read_issuer(claims: &Claims, asked: &str) -> Result<String, Reason> {
    let named = claims.text("iss").ok_or(Reason::AnotherIssuer)?;
    let is_asked = match asked == microsoft::ANY_TENANT {
        true => claims.text("tid").and_then(microsoft::issuer_of_tenant).as_deref() == Some(named),
        false => named == asked,
    };
    if is_asked { Ok(named.to_owned()) } else { Err(Reason::AnotherIssuer) }
}

/// Whether a token is for this client: for it alone, or for it among others if it was issued to it (`azp`).
pub(super) fn check_audience(claims: &Claims, client_id: &str) -> Result<(), Reason> {
    let audiences = claims.texts("aud");
    let presented_by = claims.get("azp").map(|azp| azp.as_str() == Some(client_id));
    let is_alone = audiences.iter().all(|audience| *audience == client_id);
    let is_ours = audiences.contains(&client_id) && presented_by.unwrap_or(is_alone);
    // A list with something else in it than texts is no list of clients.
    let all = claims.get("aud").and_then(|audience| audience.as_array()).map_or(1, Vec::len);
    if is_ours && all == audiences.len() { Ok(()) } else { Err(Reason::AnotherAudience) }
}

/// When it was written, and until when it may be used.
fn check_times(claims: &Claims, requested_at: Timestamp, now: Timestamp, checks: &mut Checks) {
    let (expires, issued) = (claims.moment("exp"), claims.moment("iat"));
    let outcome = match expires {
        None => Err(Reason::NoTime),
        Some(until) if until <= now - SKEW => Err(Reason::TooOld),
        Some(_) => Ok(()),
    };
    checks.note("It has not expired.", outcome, None, expires.map(|until| until.iso()));
    let outcome = match (issued, claims.get("nbf").map(|_| claims.moment("nbf"))) {
        (None, _) | (_, Some(None)) => Err(Reason::NoTime),
        (Some(from), _) | (_, Some(Some(from))) if from > now + SKEW => Err(Reason::TooNew),
        (Some(at), _) if at < requested_at - SKEW => Err(Reason::TooOld),
        _ => Ok(()),
    };
    checks.note("It was issued after the request.", outcome, None, issued.map(|at| at.iso()));
}

/// Whether it answers this request, and belongs to this access token.
fn check_request(claims: &Claims, algorithm: Algorithm, expected: &Expected<'_>, checks: &mut Checks) {
    let is_same = claims.text("nonce") == Some(expected.nonce);
    let outcome = if is_same { Ok(()) } else { Err(Reason::AnotherNonce) };
    checks.note("It answers the request of this browser.", outcome, None, None);
    if let (Some(named), Some(access_token)) = (claims.get("at_hash"), expected.access_token) {
        let is_same = named.as_str() == Some(half_hash(algorithm, access_token).as_str());
        let outcome = if is_same { Ok(()) } else { Err(Reason::AnotherAccessToken) };
        checks.note("It belongs to the access token.", outcome, None, None);
    }
}

/// The left half of an access token's digest (OpenID Connect Core §3.1.3.6), by the digest of the signature's algorithm;
/// SHA-512 for Ed25519 (RFC 8032 §5.1).
pub(super) fn half_hash(algorithm: Algorithm, access_token: &str) -> String {
    let digest = match algorithm {
        Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => Sha256::digest(access_token).to_vec(),
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => Sha384::digest(access_token).to_vec(),
        _ => Sha512::digest(access_token).to_vec(),
    };
    BASE64.encode(digest.get(..digest.len() / 2).unwrap_or_default())
}

/// When the person signed in there. It counts only where it is a whole number: milliseconds and texts have been seen.
fn check_auth_time(claims: &Claims, expected: &Expected<'_>, checks: &mut Checks) -> Option<Timestamp> {
    let at = claims.moment("auth_time").filter(|_| claims.get("auth_time").is_some_and(|at| at.is_i64()));
    if expected.reauthentication {
        let is_again = at.is_some_and(|at| at >= expected.requested_at - SKEW && at <= expected.now + SKEW);
        let outcome = if is_again { Ok(()) } else { Err(Reason::NotAgain) };
        let found = claims.get("auth_time").map(ToString::to_string);
        checks.note("The person signed in there again.", outcome, None, found);
    }
    at
}

#[cfg(test)]
mod tests;
