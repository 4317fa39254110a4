//! Apple: a client secret that is signed for each exchange, and a name that comes once.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Reason, json as strict_json};
use crate::{clock::Timestamp, secret::Secret};

/// Who vouches, and whom a client secret is for.
pub(crate) const ISSUER: &str = "https://appleid.apple.com";
/// What is asked for.
pub(crate) const SCOPE: &str = "openid name email";

const SECRET_LIFE: TimeDelta = TimeDelta::minutes(5);
const MAX_USER: usize = 4096;
const MAX_NAME: usize = 200;

/// A client secret of Apple's: a token of five minutes.
#[derive(Debug)]
pub(crate) enum ClientSecret {}

/// The private key of a Services ID, from the `.p8` file that Apple hands out once.
#[derive(Clone)]
pub(crate) struct AppleKey(EncodingKey);

impl fmt::Debug for AppleKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

impl AppleKey {
    /// Reads the file: one P-256 key in PEM (RFC 7468 §10). [`Reason::BadPrivateKey`].
    pub(crate) fn read(pem: &str) -> Result<Self, Reason> {
        let body = pem.trim().strip_prefix("-----BEGIN PRIVATE KEY-----");
        let body = body.and_then(|rest| rest.strip_suffix("-----END PRIVATE KEY-----"));
        let body = body.ok_or(Reason::BadPrivateKey)?.split_ascii_whitespace().collect::<String>();
        let body = Zeroizing::new(body);
        let der = BASE64_STANDARD.decode(body.as_bytes()).map(Zeroizing::new);
        let key = EncodingKey::from_ec_der(&der.map_err(|_| Reason::BadPrivateKey)?);
        // The crate looks into a key only when it signs.
        jsonwebtoken::crypto::sign(b"", &key, Algorithm::ES256).map_err(|_| Reason::BadPrivateKey)?;
        Ok(Self(key))
    }

    /// A client secret for the next five minutes: ES256, from the team, for the Services ID.
    pub(crate) fn client_secret(
        &self,
        team_id: &str,
        key_id: &str,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Secret<ClientSecret>, Reason> {
        let header = Header { kid: Some(key_id.to_owned()), typ: None, ..Header::new(Algorithm::ES256) };
        let claims = json!({
            "iss": team_id,
            "iat": now.unix(),
            "exp": (now + SECRET_LIFE).unix(),
            "aud": ISSUER,
            "sub": client_id,
        });
        encode(&header, &claims, &self.0).map(Secret::from_text).map_err(|_| Reason::BadPrivateKey)
    }
}

/// The name in the parameter `user`, which the browser brings at the first sign-in: `{"name": {"firstName", "lastName"},
/// "email"}`. Nobody signed it, so it is a name and nothing else: the address in it is never read.
pub(crate) fn name(user: &str) -> Option<String> {
    let user = (user.len() <= MAX_USER).then(|| strict_json::object(user.as_bytes())).flatten()?;
    let part = |name: &str| user.get("name")?.get(name).and_then(Value::as_str).map(str::trim);
    let parts = [part("firstName"), part("lastName")].into_iter().flatten().filter(|part| !part.is_empty());
    let name = parts.collect::<Vec<_>>().join(" ");
    let is_name = !name.is_empty() && name.chars().count() <= MAX_NAME && !name.contains(char::is_control);
    is_name.then_some(name)
}
