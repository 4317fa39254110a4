//! What tokens say (OpenID Connect Core 1.0 §2, RFC 9068 §2), and reading one's own again.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{PublicKey, SigningAlgorithm, SigningKey};
use crate::error::Result;

/// What the header of an access token calls it (RFC 9068 §2.1).
const ACCESS: &str = "at+jwt";
/// And of an ID token.
const ID: &str = "JWT";

/// What an access token says. Times are seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessClaims {
    /// Who gave it out.
    pub iss: String,
    /// Whom it is about: a user's id, or the application's own.
    pub sub: String,
    /// For whom it is: a text where there is one only.
    #[serde(with = "one_or_more")]
    pub aud: Vec<String>,
    /// Which application has it.
    pub client_id: String,
    /// Until when it is good.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// What it is called: no two are alike.
    pub jti: String,
    /// What it allows, between blanks; not there where that is nothing (RFC 6749 §3.3).
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub scope: String,
    /// When its person showed who they are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub auth_time: Option<i64>,
    /// How strongly.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub acr: Option<String>,
    /// What the application's session here is called, as its ID token has it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sid: Option<String>,
    /// The grant that it rests on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grant: Option<String>,
}

/// What an ID token says.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct IdClaims {
    /// Who gave it out.
    pub iss: String,
    /// Whom it is about.
    pub sub: String,
    /// For which application it is.
    pub aud: String,
    /// Until when it is good.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// When its person showed who they are.
    pub auth_time: i64,
    /// How strongly.
    pub acr: String,
    /// With what (RFC 8176), where that is still known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// What the application's session here is called.
    pub sid: String,
    /// What the application sent along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Half the digest of the access token that comes with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<String>,
    /// What the scopes allow to say of the person.
    #[serde(flatten)]
    pub person: Map<String, Value>,
}

/// A list as RFC 7519 §4.1.3 has it.
mod one_or_more {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        One(String),
        More(Vec<String>),
    }

    pub(super) fn serialize<S: Serializer>(all: &[String], to: S) -> Result<S::Ok, S::Error> {
        match all {
            [one] => one.serialize(to),
            more => more.serialize(to),
        }
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<String>, D::Error> {
        Ok(match Either::deserialize(from)? {
            Either::One(one) => vec![one],
            Either::More(more) => more,
        })
    }
}

impl AccessClaims {
    /// The token.
    pub(crate) fn sign(&self, key: &SigningKey) -> Result<String> {
        key.sign(ACCESS, self)
    }
}

impl IdClaims {
    /// The token, bound to the access token that comes with it. Both algorithms have SHA-256 in them.
    pub(crate) fn sign(mut self, key: &SigningKey, access_token: &str) -> Result<String> {
        self.at_hash = Some(BASE64.encode(&Sha256::digest(access_token)[..16]));
        key.sign(ID, &self)
    }
}

/// What a logout token says (OpenID Connect Back-Channel Logout 1.0 §2.4).
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LogoutClaims {
    /// Who gave it out.
    pub iss: String,
    /// For which application it is.
    pub aud: String,
    /// When it was made.
    pub iat: i64,
    /// Until when it is good.
    pub exp: i64,
    /// What it is called: no two are alike.
    pub jti: String,
    /// About whom.
    pub sub: String,
    /// Which session ended, as the ID token called it.
    pub sid: String,
}

impl LogoutClaims {
    /// The token.
    pub(crate) fn sign(&self, key: &SigningKey) -> Result<String> {
        let mut claims = serde_json::to_value(self)?;
        claims["events"] = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
        key.sign("logout+jwt", &claims)
    }
}

/// What the application behind a gate can check by itself: who its visitor is, said by this site and not by its network.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct GateClaims {
    /// Who says so.
    pub iss: String,
    /// The application's origin.
    pub aud: String,
    /// When it was made.
    pub iat: i64,
    /// Until when it is good.
    pub exp: i64,
    /// Whom it is about: a user's id, or that of an organisation's key.
    pub sub: String,
    /// Their confirmed address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// What they want to be called.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How strongly they showed who they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// When they last did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
}

impl GateClaims {
    /// The token.
    pub(crate) fn sign(&self, key: &SigningKey) -> Result<String> {
        key.sign("gate+jwt", self)
    }
}

/// What an access token says that `issuer` signed with one of `keys` and that is good at `now`; nothing otherwise. An ID token is
/// none, and neither is a token with a claim of another type (CVE-2026-25537 is one that took them).
pub(crate) fn read_access_token(
    token: &str,
    keys: &[PublicKey],
    issuer: &str,
    now: i64,
) -> Option<AccessClaims> {
    let key = named(token, keys).filter(|key| key.alg == SigningAlgorithm::Es256)?;
    let claims: AccessClaims = serde_json::from_value(key.open(token, ACCESS)?).ok()?;
    (claims.iss == issuer && claims.exp > now).then_some(claims)
}

/// Whether a text is meant to be a token of `issuer`, right or wrong: nothing of it is checked.
pub(crate) fn is_issued_by(token: &str, issuer: &str) -> bool {
    let claims = || -> Option<Value> {
        let mut parts = token.split('.').skip(1);
        let (claims, _signature, None) = (parts.next()?, parts.next()?, parts.next()) else { return None };
        serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()
    };
    token.len() <= 8_192 && claims().is_some_and(|claims| claims["iss"] == issuer)
}

/// What an ID token says that `issuer` gave out at some time, however old (OpenID Connect RP-Initiated Logout 1.0 §4): for which
/// application, its session there, and about whom.
pub(crate) fn read_hint(token: &str, keys: &[PublicKey], issuer: &str) -> Option<Hint> {
    let claims = named(token, keys)?.open(token, ID)?;
    let text = |name: &str| claims[name].as_str().map(str::to_owned);
    (claims["iss"] == issuer).then_some(Hint { aud: text("aud")?, sid: text("sid")?, sub: text("sub")? })
}

/// What an ID token says that comes back.
#[derive(Debug)]
pub(crate) struct Hint {
    /// For which application it was.
    pub aud: String,
    /// What the application's session here is called.
    pub sid: String,
    /// About whom it was.
    pub sub: String,
}

fn named<'a>(token: &str, keys: &'a [PublicKey]) -> Option<&'a PublicKey> {
    if token.len() > 8_192 {
        return None;
    }
    let kid = PublicKey::kid_of(token)?;
    keys.iter().find(|key| key.kid == kid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_token_is_taken_by_its_kind_its_issuer_and_its_time_case_c_13_case_c_14_case_c_15() {
        let key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let rsa = SigningKey::generate(SigningAlgorithm::Rs256).unwrap();
        let keys = [key.public.clone(), rsa.public.clone()];
        let claims = AccessClaims {
            iss: "https://id.example.com".to_owned(),
            sub: "ada".to_owned(),
            aud: vec!["https://api.example.com".to_owned()],
            client_id: "notes".to_owned(),
            exp: 1_000,
            iat: 400,
            jti: "1".to_owned(),
            scope: "openid".to_owned(),
            auth_time: Some(300),
            acr: Some("1fa".to_owned()),
            sid: Some("2".to_owned()),
            grant: Some("2".to_owned()),
        };
        let read = |token: &str, now: i64| read_access_token(token, &keys, "https://id.example.com", now);
        assert_eq!(read(&claims.sign(&key).unwrap(), 999), Some(claims.clone()));
        assert_eq!(read(&claims.sign(&key).unwrap(), 1_000), None, "its time is up");
        assert_eq!(read(&claims.sign(&rsa).unwrap(), 999), None, "a key for ID tokens");
        assert_eq!(read(&key.sign("JWT", &claims).unwrap(), 999), None, "an ID token");
        let elsewhere = AccessClaims { iss: "https://id.example.com/".to_owned(), ..claims.clone() };
        assert_eq!(read(&elsewhere.sign(&key).unwrap(), 999), None);
        for (name, value) in
            [("exp", "1000".into()), ("exp", Value::Null), ("sub", 7.into()), ("aud", Value::Null)]
        {
            let mut other = serde_json::to_value(&claims).unwrap();
            other[name] = value;
            assert_eq!(read(&key.sign("at+jwt", &other).unwrap(), 999), None, "{name}");
        }
    }
}
