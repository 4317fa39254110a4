//! GitHub, which speaks OAuth 2.0 without OpenID Connect: two answers of its API instead of an ID token.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ClientAuthentication, Reason, claims::Claims};

/// Who vouches.
pub(crate) const ISSUER: &str = "https://github.com";
/// Where browsers are sent.
pub(crate) const AUTHORIZATION_ENDPOINT: &str = "https://github.com/login/oauth/authorize";
/// Where a code is exchanged.
pub(crate) const TOKEN_ENDPOINT: &str = "https://github.com/login/oauth/access_token";
/// Who the person is.
pub(crate) const USER_ENDPOINT: &str = "https://api.github.com/user";
/// Their addresses.
pub(crate) const EMAILS_ENDPOINT: &str = "https://api.github.com/user/emails";
/// What is asked for.
pub(crate) const SCOPE: &str = "user:email";
/// How it wants us to authenticate: as its documentation has it.
pub(crate) const CLIENT_AUTHENTICATION: [ClientAuthentication; 1] = [ClientAuthentication::Post];

const MAX_ANSWER: usize = 256 * 1024;

#[derive(Deserialize)]
struct User {
    // Never the login, which can be given up and taken by another.
    id: u64,
    login: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Email {
    email: String,
    #[serde(default)]
    primary: bool,
    #[serde(default)]
    verified: bool,
}

/// Reads the answers of [`USER_ENDPOINT`] and [`EMAILS_ENDPOINT`] as the claims of an ID token: `sub` is the number of the
/// account, `preferred_username` its login, `name` the name or else the login; `email` with `email_verified` is the verified
/// primary address, else the first verified one, else an unverified one. Addresses of `users.noreply.github.com` take no mail
/// and are left out. [`Reason::BadUserinfo`] where either cannot be read.
pub(crate) fn read_user(user: &str, emails: &str) -> Result<Claims, Reason> {
    if user.len() > MAX_ANSWER || emails.len() > MAX_ANSWER {
        return Err(Reason::BadUserinfo);
    }
    let user: User = serde_json::from_str(user).map_err(|_| Reason::BadUserinfo)?;
    let emails: Vec<Email> = serde_json::from_str(emails).map_err(|_| Reason::BadUserinfo)?;
    if user.id == 0 {
        return Err(Reason::NoSubject);
    }
    let name = user.name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| user.login.clone());
    let mut claims = Map::from_iter([
        ("iss".to_owned(), Value::from(ISSUER)),
        ("sub".to_owned(), Value::from(user.id.to_string())),
        ("preferred_username".to_owned(), Value::from(user.login)),
        ("name".to_owned(), Value::from(name)),
    ]);
    let mut emails: Vec<_> = emails.into_iter().filter(|email| takes_mail(&email.email)).collect();
    emails.sort_by_key(|email| (!email.verified, !email.primary));
    if let Some(best) = emails.into_iter().next() {
        claims.insert("email".to_owned(), Value::from(best.email));
        claims.insert("email_verified".to_owned(), json!(best.verified));
    }
    Ok(Claims(claims))
}

fn takes_mail(address: &str) -> bool {
    let domain = address.rsplit('@').next().unwrap_or_default();
    !domain.eq_ignore_ascii_case("users.noreply.github.com")
}
