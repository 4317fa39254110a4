//! Asking an identity provider to sign somebody in (saml-core §3.4.1).

use std::io::Write;

use base64::prelude::{BASE64_STANDARD, Engine};
use flate2::{Compression, write::DeflateEncoder};
use openssl::{hash::MessageDigest, sign::Signer};
use serde::Serialize;
use url::form_urlencoded::byte_serialize;

use super::{
    ASSERTION, EMAIL_NAME, PERSISTENT_NAME, POST_BINDING, PROTOCOL, Reason, engine,
    idp::IdentityProvider,
    key::ServiceKey,
    response::{Request, Service},
    signature_over,
    xml::escaped,
};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    secret, text_enum,
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
    /// In which format the person is to be named.
    pub name_policy: NamePolicy,
    /// What comes back with the response: opaque, at most 80 bytes (saml-bindings §3.4.3).
    pub relay_state: &'a str,
    /// Now.
    pub now: Timestamp,
}

text_enum! {
    /// In which format a person is to be named (saml-core §3.4.1.1). A name may always be made for it.
    NamePolicy {
        /// As the identity provider likes.
        Any => "any",
        /// By a name that is made for us and stays.
        Persistent => "persistent",
        /// By the email address.
        Email => "email",
    }
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
        /// The name of the field that carries it.
        field: &'static str,
        /// That field.
        message: String,
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
    let addresses = (ask.provider.redirect.as_deref(), ask.provider.post.as_deref());
    let sent = Sent { field: "SAMLRequest", id: &request.id, relay_state: ask.relay_state };
    let message = send(ask.service, addresses, &sent, |address, signature| {
        document(ask, &request, address, signature)
    })?;
    let message = message.ok_or_else(|| Error::internal(Reason::NoSignInAddress))?;
    Ok(PreparedRequest { request, message })
}

/// A message on its way to an identity provider.
pub(super) struct Sent<'a> {
    /// The field that carries it.
    pub field: &'static str,
    /// Its ID.
    pub id: &'a str,
    pub relay_state: &'a str,
}

/// Sends what `document` makes of an address and a signature, by redirect where that is taken, signed where there is a
/// key. Nothing where neither is taken.
pub(super) fn send(
    service: &Service,
    (by_redirect, by_post): (Option<&str>, Option<&str>),
    sent: &Sent<'_>,
    document: impl Fn(&str, &str) -> String,
) -> Result<Option<BindingMessage>> {
    let key = service.keys.first();
    Ok(match (by_redirect, by_post) {
        (Some(address), _) => {
            Some(BindingMessage::Redirect(redirect(address, &document(address, ""), sent, key)?))
        }
        (None, Some(address)) => {
            let document = document(address, &key.map(|_| signature_over(sent.id)).unwrap_or_default());
            let document = match key {
                Some(key) => engine::signed(&document, key)?,
                None => document,
            };
            Some(BindingMessage::Post {
                action: address.to_owned(),
                field: sent.field,
                message: BASE64_STANDARD.encode(document),
                relay_state: sent.relay_state.to_owned(),
            })
        }
        (None, None) => None,
    })
}

fn document(ask: &AuthnRequestParams<'_>, request: &Request, destination: &str, signature: &str) -> String {
    let force = if request.force_authn { " ForceAuthn=\"true\"" } else { "" };
    let format = match ask.name_policy {
        NamePolicy::Any => String::new(),
        NamePolicy::Persistent => format!(" Format=\"{PERSISTENT_NAME}\""),
        NamePolicy::Email => format!(" Format=\"{EMAIL_NAME}\""),
    };
    format!(
        "<samlp:AuthnRequest xmlns:samlp=\"{PROTOCOL}\" AssertionConsumerServiceURL=\"{acs_url}\" \
         Destination=\"{destination}\"{force} ID=\"{id}\" IssueInstant=\"{now}\" ProtocolBinding=\"{POST_BINDING}\" \
         Version=\"2.0\"><saml:Issuer xmlns:saml=\"{ASSERTION}\">{us}</saml:Issuer>{signature}\
         <samlp:NameIDPolicy AllowCreate=\"true\"{format}/></samlp:AuthnRequest>",
        acs_url = escaped(&ask.service.acs_url),
        destination = escaped(destination),
        id = request.id,
        now = ask.now.iso(),
        us = escaped(&ask.service.entity_id),
    )
}

/// The address with the request in it, signed where there is a key (saml-bindings §3.4.4.1).
fn redirect(address: &str, document: &str, sent: &Sent<'_>, key: Option<&ServiceKey>) -> Result<String> {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
    packer.write_all(document.as_bytes()).map_err(Error::internal)?;
    let packed = BASE64_STANDARD.encode(packer.finish().map_err(Error::internal)?);
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let mut query = format!("{}={}", sent.field, encoded(&packed));
    if !sent.relay_state.is_empty() {
        query.push_str(&format!("&RelayState={}", encoded(sent.relay_state)));
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
