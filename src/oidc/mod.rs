//! OpenID Connect 1.0 and OAuth 2.0 as a client, on the wire: without HTTP and without tables.
//!
//! [`read_metadata`] and [`read_keys`] say who a provider is, [`AuthorizationRequest`] sends a browser there,
//! [`AuthorizationResponse`] is what it brings back, [`token_request()`] and [`read_token_response`] exchange the code, and
//! [`read_id_token`] checks who it is, with [`read_userinfo`] for what is still missing. [`read_logout_token`] is a logout that
//! begins there. [`github`], [`google`], [`microsoft`] and [`apple`] hold what is different with them; [`profile`] says what is
//! believed of an address. Documents go in, and what they say or a [`Reason`] comes out.

pub(crate) mod apple;
mod authorization_request;
mod authorization_response;
mod check;
mod claims;
#[cfg(feature = "development")]
pub(crate) mod dev_provider;
mod discovery;
pub(crate) mod github;
pub(crate) mod google;
mod id_token;
mod json;
mod jws;
mod keys;
mod logout_token;
pub(crate) mod microsoft;
pub(crate) mod profile;
mod reason;
mod token_request;
mod userinfo;

pub(crate) use self::{
    authorization_request::{AuthorizationRequest, Prompt, ResponseMode, scopes},
    authorization_response::AuthorizationResponse,
    check::{Check, Refusal},
    claims::Claims,
    discovery::{
        ClientAuthentication, MAX_DOCUMENT, ProviderMetadata, Transport, metadata_url, read_issuer,
        read_metadata,
    },
    id_token::{Expected, IdToken, read_id_token},
    keys::{KeySet, read_keys},
    logout_token::{ExpectedLogout, LogoutToken, read_logout_token},
    reason::Reason,
    token_request::{AccessToken, Exchange, TokenRequest, Tokens, read_token_response, token_request},
    userinfo::read_userinfo,
};

#[cfg(test)]
mod tests;
