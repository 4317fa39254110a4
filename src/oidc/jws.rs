//! Signed tokens (RFC 7515, RFC 7519): their shape, their key, their signature. What they say is for the caller to check.

use std::collections::HashSet;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use jsonwebtoken::{Algorithm, Validation, decode, errors::ErrorKind};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Reason, claims::Claims, discovery, json, keys::KeySet};

/// The largest token that is read, in bytes.
const MAX_TOKEN: usize = 48 * 1024;

/// A token whose shape is right. Nobody can say yet who wrote it.
pub(super) struct Unverified<'a> {
    token: &'a str,
    algorithm: Algorithm,
    kid: Option<String>,
    claims: Claims,
}

/// A token that the provider signed.
pub(super) struct Signed {
    pub(super) algorithm: Algorithm,
    pub(super) claims: Claims,
    /// Whether a claim is missing, or of another type, on which everything rests. The caller's own checks say which.
    pub(super) is_incomplete: bool,
}

/// Reads the shape of a token. [`Reason::BadToken`], [`Reason::EncryptedToken`], [`Reason::BadAlgorithm`]. `kind` is what its
/// header may call it besides `JWT` (RFC 8725 §3.11): an access token is no ID token, and neither is a logout token.
pub(super) fn read<'a>(
    token: &'a str,
    kind: Option<&str>,
    algorithms: &[Algorithm],
) -> Result<Unverified<'a>, Reason> {
    if token.len() > MAX_TOKEN {
        return Err(Reason::BadToken);
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, _signature] = parts[..] else {
        return Err(if parts.len() == 5 { Reason::EncryptedToken } else { Reason::BadToken });
    };
    let object =
        |part: &str| BASE64.decode(part).ok().and_then(|text| json::object(&text)).ok_or(Reason::BadToken);
    let header = object(header)?;
    let text = |name: &str| match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(Reason::BadToken),
    };
    // What must be understood is not: there is no extension that this knows (RFC 7515 §4.1.11).
    if header.contains_key("crit") || header.contains_key("b64") {
        return Err(Reason::BadToken);
    }
    if let Some(called) = text("typ")? {
        let called = called.to_ascii_lowercase();
        let called = called.strip_prefix("application/").unwrap_or(&called);
        if called.ends_with("+jwt") && kind != Some(called) {
            return Err(Reason::BadToken);
        }
    }
    let algorithm = discovery::algorithm(text("alg")?.ok_or(Reason::BadToken)?);
    let algorithm = algorithm.filter(|one| algorithms.contains(one)).ok_or(Reason::BadAlgorithm)?;
    let claims = Claims::read(object(payload)?);
    Ok(Unverified { token, algorithm, kid: text("kid")?.map(str::to_owned), claims })
}

impl Unverified<'_> {
    /// Finds the key and checks the signature. [`Reason::UnknownKey`]: the provider's keys may have changed, and are worth
    /// reading again; [`Reason::BadSignature`]. `relied_on` are the claims of RFC 7519 that the caller rests on.
    pub(super) fn verify(self, keys: &KeySet, relied_on: &[&str]) -> Result<Signed, Reason> {
        let key = keys.key_for(self.kid.as_deref(), self.algorithm)?;
        let mut validation = Validation::new(self.algorithm);
        validation.required_spec_claims =
            relied_on.iter().map(|name| (*name).to_owned()).collect::<HashSet<_>>();
        // By the caller: time is given here, and the crate asks the machine for it; and it takes an audience among others.
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        let is_incomplete = match decode::<IgnoredAny>(self.token, key, &validation) {
            Ok(_) => false,
            // The crate says so of a token only after its signature was found to be right.
            Err(error) => match error.into_kind() {
                ErrorKind::MissingRequiredClaim(_) => true,
                ErrorKind::InvalidSignature => return Err(Reason::BadSignature),
                _ => return Err(Reason::BadToken),
            },
        };
        Ok(Signed { algorithm: self.algorithm, claims: self.claims, is_incomplete })
    }
}
