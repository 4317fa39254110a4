//! This site as an OpenID provider (OpenID Connect Core 1.0, OAuth 2.1): applications send people here to sign in, and get tokens.

mod answer;
pub(crate) mod authorize;
mod client;
pub(crate) mod consent;
pub(crate) mod cors;
pub(crate) mod device;
mod form;
pub(crate) mod introspect;
pub(crate) mod jwks;
pub(crate) mod logout;
mod needs;
pub(crate) mod proceed;
pub(crate) mod revoke;
pub(crate) mod session_token;
pub(crate) mod token;
pub(crate) mod userinfo;
