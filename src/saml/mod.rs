//! SAML 2.0 single sign-on, as a service provider in the web browser profile (saml-profiles §4.1), without HTTP and
//! without tables.
//!
//! Four functions do it: [`metadata()`] says who we are, [`read_provider`] reads who an identity provider is, [`start()`]
//! makes a request, [`ResponsePool::read`] reads the response; [`UnprovedLogout`] is a logout that begins there, [`ask_for_logout`] begins one here. A response passes three stages: the gate, in memory-safe code,
//! lets only one shape through; samael finds out which bytes the identity provider signed; every check is then made
//! on those bytes, read again.

#[cfg(feature = "development")]
pub(crate) mod dev_idp;
mod encrypted_assertion;
mod engine;
mod idp;
mod key;
mod key_kind;
mod limits;
mod logout;
mod logout_there;
mod metadata;
mod prefilter;
mod reason;
mod response;
mod response_pool;
mod signed_info;
mod start;
mod time;
mod xml;

pub(crate) use self::{
    idp::MAX_METADATA,
    logout::{Logout, answer_logout},
    logout_there::{ProviderSession, ask_for_logout},
    response::{Attribute, Check},
};
pub use self::{
    idp::{IdentityProvider, choose_provider, provider_ids, read_provider},
    key::{Certificate, ServiceKey},
    key_kind::KeyKind,
    logout::{LogoutMessage, UnprovedLogout},
    logout_there::read_logout_answer,
    metadata::metadata,
    reason::Reason,
    response::{
        Name, NameFormat, Presented, Refusal, Request, Service, Statement, read_origin, read_response,
    },
    response_pool::ResponsePool,
    start::{AuthnRequestParams, BindingMessage, NamePolicy, start},
};
#[cfg(feature = "development")]
pub(crate) use dev_idp::DevIdp;

// Names of SAML, XML Signature and XML Encryption.
const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const ENCRYPTION: &str = "http://www.w3.org/2001/04/xmlenc#";
const ENCRYPTION_11: &str = "http://www.w3.org/2009/xmlenc11#";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
const POST_BINDING: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
const REDIRECT_BINDING: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
const PERSISTENT_NAME: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
const EMAIL_NAME: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";

/// An empty enveloped signature over the element with this ID, for the engine to fill in (saml-core §5.4).
fn signature_over(id: &str) -> String {
    format!(
        "<ds:Signature xmlns:ds=\"{DSIG}\"><ds:SignedInfo>\
         <ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"/>\
         <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/>\
         <ds:Reference URI=\"#{id}\"><ds:Transforms>\
         <ds:Transform Algorithm=\"{DSIG}enveloped-signature\"/><ds:Transform Algorithm=\"{EXCLUSIVE}\"/>\
         </ds:Transforms><ds:DigestMethod Algorithm=\"{ENCRYPTION}sha256\"/><ds:DigestValue/></ds:Reference>\
         </ds:SignedInfo><ds:SignatureValue/></ds:Signature>"
    )
}
