//! OAuth 2.1 and OpenID Connect 1.0 as a provider, on the wire: without HTTP and without tables.
//!
//! [`AuthorizationRequest`] is what a browser brings, [`TokenRequest`] what an application sends with its [`Credentials`],
//! [`RedirectUri`] where answers may go, and [`SigningKey`] signs what they are told. What is refused is a [`Refused`], with the
//! code that the standard has for it.

mod authorization_request;
mod client_authentication;
mod redirect_uri;
mod refused;
mod scope;
mod signing;
mod token_request;
mod tokens;

pub(crate) use self::{
    authorization_request::{AuthorizationRequest, Prompt, ResponseMode},
    client_authentication::{ClientSecret, Credentials},
    redirect_uri::{RedirectUri, RedirectUse},
    refused::{Code, Refused},
    scope::{ACCOUNT_READ, ORGANISATION_READ, Scopes},
    signing::{PublicKey, SigningAlgorithm, SigningKey},
    token_request::{TokenRequest, challenge_of},
    tokens::{AccessClaims, GateClaims, IdClaims, LogoutClaims, is_issued_by, read_access_token, read_hint},
};

/// The first value of each parameter; [`Code::InvalidRequest`] where one is there twice (RFC 6749 §3.1, §3.2). One without a value
/// is as if it were not there.
pub(crate) fn parameters(
    pairs: impl IntoIterator<Item = (String, String)>,
) -> Result<std::collections::BTreeMap<String, String>, Refused> {
    let mut found = std::collections::BTreeMap::new();
    for (name, value) in pairs {
        if value.is_empty() {
            continue;
        }
        if found.contains_key("resource") && name == "resource" {
            return Err(Refused::new(Code::InvalidTarget, "Ask for one resource."));
        }
        if found.insert(name, value).is_some() {
            return Err(Refused::new(Code::InvalidRequest, "A parameter is there more than once."));
        }
    }
    Ok(found)
}
