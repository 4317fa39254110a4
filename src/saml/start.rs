//! Asking an identity provider to sign somebody in (saml-core §3.4.1).

use std::io::Write;

use base64::prelude::{BASE64_STANDARD, Engine};
use flate2::{Compression, write::DeflateEncoder};
use openssl::{hash::MessageDigest, sign::Signer};
use serde::Serialize;
use url::form_urlencoded::byte_serialize;

use super::{
    ASSERTION, POST_BINDING, PROTOCOL, Reason, engine,
    idp::IdentityProvider,
    key::ServiceKey,
    response::{NameFormat, Request, Service},
    signature_over,
    xml::escaped,
};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    secret,
};

/// A request for a sign-in.
#[derive(Debug)]
pub struct AuthnRequestParams<'a> {
    /// Who we are. With a key the request is signed.
    pub service: &'a Service,
    /// Who is asked.
    pub provider: &'a IdentityProvider,
    /// Whether the person must sign in again, even if a session there would do.
    pub force_authn: bool,
    /// In which format the person is to be named; the identity provider's choice where none is asked for.
    pub name_format: Option<NameFormat>,
    /// What comes back with the response: opaque, at most 80 bytes (saml-bindings §3.4.3).
    pub relay_state: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// A request that can be sent.
#[derive(Debug, Clone)]
pub struct PreparedRequest {
    /// What the response will be held against.
    pub request: Request,
    /// How the browser is sent there.
    pub message: BindingMessage,
}

/// How a browser is sent to the identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BindingMessage {
    /// By a redirect to this address (saml-bindings §3.4).
    Redirect(String),
    /// By a form that it posts (saml-bindings §3.5). Not escaped: the page does that.
    Post {
        /// Where to.
        action: String,
        /// The field `SAMLRequest`.
        saml_request: String,
        /// The field `RelayState`.
        relay_state: String,
    },
}

/// Makes a request with an ID of 160 random bits; by redirect where the identity provider takes that.
pub fn start(ask: &AuthnRequestParams<'_>) -> Result<PreparedRequest> {
    let request = Request {
        // An ID must not begin with a digit.
        id: format!("_{}", secret::random_text(20)?),
        sent_at: ask.now,
        force_authn: ask.force_authn,
    };
    let key = ask.service.keys.first();
    let message = match (&ask.provider.redirect, &ask.provider.post) {
        (Some(address), _) => {
            let document = document(ask, &request, address, "");
            BindingMessage::Redirect(redirect(address, &document, ask.relay_state, key)?)
        }
        (None, Some(address)) => {
            let signature = key.map(|_| signature_over(&request.id)).unwrap_or_default();
            let document = document(ask, &request, address, &signature);
            let document = match key {
                Some(key) => engine::signed(&document, key)?,
                None => document,
            };
            BindingMessage::Post {
                action: address.clone(),
                saml_request: BASE64_STANDARD.encode(document),
                relay_state: ask.relay_state.to_owned(),
            }
        }
        (None, None) => return Err(Error::internal(Reason::NoSignInAddress)),
    };
    Ok(PreparedRequest { request, message })
}

fn document(ask: &AuthnRequestParams<'_>, request: &Request, destination: &str, signature: &str) -> String {
    let force = if request.force_authn { " ForceAuthn=\"true\"" } else { "" };
    let policy = ask
        .name_format
        .map(|format| format!("<samlp:NameIDPolicy AllowCreate=\"true\" Format=\"{}\"/>", format.uri()));
    format!(
        "<samlp:AuthnRequest xmlns:samlp=\"{PROTOCOL}\" AssertionConsumerServiceURL=\"{acs_url}\" \
         Destination=\"{destination}\"{force} ID=\"{id}\" IssueInstant=\"{now}\" ProtocolBinding=\"{POST_BINDING}\" \
         Version=\"2.0\"><saml:Issuer xmlns:saml=\"{ASSERTION}\">{us}</saml:Issuer>{signature}{policy}\
         </samlp:AuthnRequest>",
        acs_url = escaped(&ask.service.acs_url),
        destination = escaped(destination),
        id = request.id,
        now = ask.now.iso(),
        us = escaped(&ask.service.entity_id),
        policy = policy.unwrap_or_default(),
    )
}

/// The address with the request in it, signed where there is a key (saml-bindings §3.4.4.1).
fn redirect(address: &str, document: &str, relay_state: &str, key: Option<&ServiceKey>) -> Result<String> {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
    packer.write_all(document.as_bytes()).map_err(Error::internal)?;
    let packed = BASE64_STANDARD.encode(packer.finish().map_err(Error::internal)?);
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let mut query = format!("SAMLRequest={}", encoded(&packed));
    if !relay_state.is_empty() {
        query.push_str(&format!("&RelayState={}", encoded(relay_state)));
    }
    if let Some(key) = key {
        let algorithm = encoded("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256");
        query.push_str(&format!("&SigAlg={algorithm}"));
        // Over the very text that is sent: the other side must not encode it anew.
        let signature = Signer::new(MessageDigest::sha256(), key.private())
            .and_then(|mut signer| signer.sign_oneshot_to_vec(query.as_bytes()));
        let signature = BASE64_STANDARD.encode(signature.map_err(Error::internal)?);
        query.push_str(&format!("&Signature={}", encoded(&signature)));
    }
    let mark = if address.contains('?') { '&' } else { '?' };
    Ok(format!("{address}{mark}{query}"))
}
