//! A provider for trying things out: it believes whoever presses a button. Development only; what it signs passes the same
//! checks as everybody else's words.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::EcKey,
    error::ErrorStack,
    pkey::{PKey, Private},
};
use serde_json::{Value, json};

use super::{Reason, id_token::half_hash, logout_token::EVENT};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    saml::dev_idp::private_key,
    secret::Keys,
};

const KEY_ID: &str = "demonstration";
const TOKEN_LIFE: TimeDelta = TimeDelta::minutes(5);

/// The provider, with a key that follows from the secret key: nothing of it is kept.
pub(crate) struct DevProvider {
    issuer: String,
    key: EncodingKey,
    /// Its public half (RFC 7517 §4).
    public: Value,
}

/// Somebody it knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// Their name there: it stays.
    pub subject: &'static str,
    /// Their address, and whether it is confirmed.
    pub email: Option<(&'static str, bool)>,
    /// Their name for people.
    pub name: &'static str,
    /// Their group, if they are in one.
    pub group: Option<&'static str>,
}

/// What an ID token of its answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered<'a> {
    /// The client that asked.
    pub client_id: &'a str,
    /// The nonce of its request.
    pub nonce: Option<&'a str>,
    /// The access token that goes with it.
    pub access_token: &'a str,
    /// The session there.
    pub session_id: &'a str,
    /// When the person signed in there.
    pub authenticated_at: Timestamp,
}

impl DevProvider {
    /// The one of this site, called `issuer`: its pages are below that address.
    pub(crate) fn of(keys: &Keys, issuer: String) -> Result<Self> {
        let digest = keys.lookups("demonstration", "OpenID provider")?.into_iter().next().unwrap_or_default();
        let digest = digest.rsplit(':').next().unwrap_or_default();
        let seed = BASE64.decode(digest).map_err(Error::internal)?;
        let key = private_key(&seed).map_err(Error::internal)?;
        let public = public_key(&key).map_err(Error::internal)?;
        let der = PKey::from_ec_key(key).and_then(|key| key.private_key_to_pkcs8());
        let key = EncodingKey::from_ec_der(&der.map_err(Error::internal)?);
        Ok(Self { issuer, key, public })
    }

    /// Its metadata (OpenID Connect Discovery 1.0 §3).
    pub(crate) fn metadata(&self) -> Value {
        let at = |page: &str| format!("{}/{page}", self.issuer);
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("authorize"),
            "token_endpoint": at("token"),
            "userinfo_endpoint": at("userinfo"),
            "jwks_uri": at("jwks"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "email", "profile"],
            "claims_supported": ["sub", "auth_time", "email", "email_verified", "name", "groups"],
            "authorization_response_iss_parameter_supported": true,
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
        })
    }

    /// Its keys (RFC 7517 §5).
    pub(crate) fn keys(&self) -> Value {
        json!({"keys": [self.public]})
    }

    /// What it says of somebody: the answer of its userinfo endpoint.
    pub(crate) fn userinfo(who: &Known) -> Value {
        let mut claims = json!({"sub": who.subject, "name": who.name});
        if let Some((email, is_confirmed)) = who.email {
            claims["email"] = json!(email);
            claims["email_verified"] = json!(is_confirmed);
        }
        if let Some(group) = who.group {
            claims["groups"] = json!([group]);
        }
        claims
    }

    /// An ID token of five minutes (OpenID Connect Core 1.0 §2).
    pub(crate) fn id_token(&self, who: &Known, answered: &Answered<'_>, now: Timestamp) -> Result<String> {
        let mut claims = Self::userinfo(who);
        claims["iss"] = json!(self.issuer);
        claims["aud"] = json!(answered.client_id);
        claims["iat"] = json!(now.unix());
        claims["exp"] = json!((now + TOKEN_LIFE).unix());
        claims["auth_time"] = json!(answered.authenticated_at.unix());
        claims["sid"] = json!(answered.session_id);
        claims["at_hash"] = json!(half_hash(Algorithm::ES256, answered.access_token));
        if let Some(nonce) = answered.nonce {
            claims["nonce"] = json!(nonce);
        }
        self.sign("JWT", &claims)
    }

    /// A logout token (OpenID Connect Back-Channel Logout 1.0 §2.4) for all sessions of somebody. `token_id` is random.
    pub(crate) fn logout_token(
        &self,
        who: &Known,
        client_id: &str,
        token_id: &str,
        now: Timestamp,
    ) -> Result<String> {
        let claims = json!({
            "iss": self.issuer, "aud": client_id, "sub": who.subject, "jti": token_id,
            "iat": now.unix(), "exp": (now + TOKEN_LIFE).unix(), "events": {EVENT: {}},
        });
        self.sign("logout+jwt", &claims)
    }

    fn sign(&self, kind: &str, claims: &Value) -> Result<String> {
        let header = Header {
            kid: Some(KEY_ID.to_owned()),
            typ: Some(kind.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        encode(&header, claims, &self.key).map_err(|_| Error::internal(Reason::BadPrivateKey))
    }
}

fn public_key(key: &EcKey<Private>) -> std::result::Result<Value, ErrorStack> {
    let (mut x, mut y, mut context) = (BigNum::new()?, BigNum::new()?, BigNumContext::new()?);
    key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context)?;
    let [x, y] = [x.to_vec_padded(32)?, y.to_vec_padded(32)?].map(|number| BASE64.encode(number));
    Ok(json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY_ID, "x": x, "y": y}))
}

#[cfg(test)]
mod tests;
