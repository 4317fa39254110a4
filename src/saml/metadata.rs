//! Our own metadata (saml-metadata §2.4.4): what an identity provider has to know about us.

use base64::prelude::{BASE64_STANDARD, Engine};

use super::{
    DSIG, EMAIL_NAME, METADATA, PERSISTENT_NAME, POST_BINDING, PROTOCOL, REDIRECT_BINDING,
    encrypted_assertion, engine, response::Service, signature_over, xml::escaped,
};
use crate::{error::Result, secret};

/// Writes our metadata, with whether all our requests are signed where there is a key. With a key it is signed, and names every certificate for signing and for encryption: an
/// identity provider that reads it during a change of keys knows the next one before it is used.
///
/// It says nothing about how long it is good: what changes in it is announced beforehand, and an identity provider
/// that read it once must not lose us.
pub fn metadata(service: &Service, are_all_signed: bool) -> Result<String> {
    let id = format!("_{}", secret::random_text(20)?);
    let mut keys = String::new();
    for (key, purpose) in service.keys.iter().flat_map(|key| [(key, "signing"), (key, "encryption")]) {
        let methods = match purpose {
            "encryption" => encrypted_assertion::PREFERRED
                .map(|uri| format!("<md:EncryptionMethod Algorithm=\"{uri}\"/>"))
                .concat(),
            _ => String::new(),
        };
        keys.push_str(&format!(
            "<md:KeyDescriptor use=\"{purpose}\"><ds:KeyInfo xmlns:ds=\"{DSIG}\"><ds:X509Data>\
             <ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>{methods}</md:KeyDescriptor>",
            BASE64_STANDARD.encode(key.certificate().der()),
        ));
    }
    let signer = service.keys.first();
    let document = format!(
        "<md:EntityDescriptor xmlns:md=\"{METADATA}\" ID=\"{id}\" entityID=\"{entity_id}\">{signature}\
         <md:SPSSODescriptor AuthnRequestsSigned=\"{signs}\" WantAssertionsSigned=\"true\" \
         protocolSupportEnumeration=\"{PROTOCOL}\">{keys}\
         <md:SingleLogoutService Binding=\"{REDIRECT_BINDING}\" Location=\"{logout_url}\"/>\
         <md:SingleLogoutService Binding=\"{POST_BINDING}\" Location=\"{logout_url}\"/>\
         <md:NameIDFormat>{PERSISTENT_NAME}</md:NameIDFormat><md:NameIDFormat>{EMAIL_NAME}</md:NameIDFormat>\
         <md:AssertionConsumerService Binding=\"{POST_BINDING}\" Location=\"{acs_url}\" index=\"0\" \
         isDefault=\"true\"/></md:SPSSODescriptor></md:EntityDescriptor>",
        entity_id = escaped(&service.entity_id),
        signature = signer.map(|_| signature_over(&id)).unwrap_or_default(),
        signs = signer.is_some() && are_all_signed,
        acs_url = escaped(&service.acs_url),
        logout_url = escaped(&service.logout_url),
    );
    match signer {
        Some(key) => engine::signed(&document, key),
        None => Ok(document),
    }
}
