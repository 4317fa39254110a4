//! An identity provider for trying things out: it believes whoever presses a button. Development only; what it signs
//! passes the same checks as everybody else's words.
//!
//! Its documents are written in canonical form to begin with, so that a digest is taken over the very text.

use std::io::Read;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::TimeDelta;
use flate2::read::DeflateDecoder;
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::{EcGroup, EcKey, EcPoint},
    ecdsa::EcdsaSig,
    nid::Nid,
    pkey::{PKey, Private},
    sha::sha256,
    x509::X509,
};

use super::{
    ASSERTION, DSIG, ENCRYPTION, EXCLUSIVE, METADATA, PERSISTENT_NAME, PROTOCOL, REDIRECT_BINDING, SUCCESS,
    Service, key::self_signed, limits,
};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    secret::{Keys, random_text},
};

// More than any request of ours, unpacked.
const MAX_REQUEST: u64 = 16 * 1024;

/// The identity provider, with a key that follows from the secret of this house: nothing of it is kept.
pub(crate) struct DevIdp {
    key: EcKey<Private>,
    entity_id: String,
    sign_in: String,
}

/// Somebody it knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// Their name there: it stays.
    pub subject: &'static str,
    /// Their address.
    pub email: &'static str,
    /// Their name for people.
    pub name: &'static str,
    /// Their group, if they are in one.
    pub group: Option<&'static str>,
}

impl DevIdp {
    /// The one of this house, called `entity_id`, where people sign in at `sign_in`.
    pub(crate) fn of(keys: &Keys, entity_id: String, sign_in: String) -> Result<Self> {
        let digest =
            keys.lookups("demonstration", "identity provider")?.into_iter().next().unwrap_or_default();
        let digest = digest.rsplit(':').next().unwrap_or_default();
        let seed = BASE64_URL_SAFE_NO_PAD.decode(digest).map_err(Error::internal)?;
        let key = private_key(&seed).map_err(Error::internal)?;
        Ok(Self { key, entity_id, sign_in })
    }

    /// What a connection is made of (saml-metadata §2.4.3).
    pub(crate) fn metadata(&self) -> Result<String> {
        let certificate = self.certificate().and_then(|certificate| certificate.to_der());
        let certificate = BASE64_STANDARD.encode(certificate.map_err(Error::internal)?);
        Ok(format!(
            "<md:EntityDescriptor xmlns:md=\"{METADATA}\" entityID=\"{}\">\
             <md:IDPSSODescriptor protocolSupportEnumeration=\"{PROTOCOL}\"><md:KeyDescriptor use=\"signing\">\
             <ds:KeyInfo xmlns:ds=\"{DSIG}\"><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate>\
             </ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService Binding=\"{REDIRECT_BINDING}\" \
             Location=\"{}\"/></md:IDPSSODescriptor></md:EntityDescriptor>",
            self.entity_id, self.sign_in
        ))
    }

    fn certificate(&self) -> std::result::Result<X509, openssl::error::ErrorStack> {
        let key = PKey::from_ec_key(self.key.clone())?;
        // From 2020 on, for a hundred years: nobody has to change it.
        let from = Timestamp::from_unix(1_577_836_800);
        self_signed(&key, "Demonstration", from, from + TimeDelta::days(36_500))
    }

    /// The answer to a request (saml-profiles §4.1.4.2), as the field `SAMLResponse`.
    pub(crate) fn answer(
        &self,
        request: &str,
        who: &Known,
        service: &Service,
        now: Timestamp,
    ) -> Result<String> {
        let (us, acs_url, issuer) = (&service.entity_id, &service.acs_url, &self.entity_id);
        let (at, until) = (now.iso(), (now + TimeDelta::minutes(5)).iso());
        let (response_id, assertion_id) =
            (format!("_{}", random_text(20)?), format!("_{}", random_text(20)?));
        let attribute = |name: &str, value: &str| {
            format!(
                "<saml:Attribute Name=\"{name}\"><saml:AttributeValue>{value}</saml:AttributeValue></saml:Attribute>"
            )
        };
        let groups = who.group.map(|group| attribute("groups", group)).unwrap_or_default();
        let before = format!(
            "<saml:Assertion xmlns:saml=\"{ASSERTION}\" ID=\"{assertion_id}\" IssueInstant=\"{at}\" Version=\"2.0\">\
             <saml:Issuer>{issuer}</saml:Issuer>"
        );
        let after = format!(
            "<saml:Subject><saml:NameID Format=\"{PERSISTENT_NAME}\">{}</saml:NameID>\
             <saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">\
             <saml:SubjectConfirmationData InResponseTo=\"{request}\" NotOnOrAfter=\"{until}\" \
             Recipient=\"{acs_url}\"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>\
             <saml:Conditions NotBefore=\"{at}\" NotOnOrAfter=\"{until}\"><saml:AudienceRestriction>\
             <saml:Audience>{us}</saml:Audience></saml:AudienceRestriction></saml:Conditions>\
             <saml:AuthnStatement AuthnInstant=\"{at}\"><saml:AuthnContext><saml:AuthnContextClassRef>\
             urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified</saml:AuthnContextClassRef></saml:AuthnContext>\
             </saml:AuthnStatement><saml:AttributeStatement>{}{}{groups}</saml:AttributeStatement></saml:Assertion>",
            who.subject,
            attribute("email", who.email),
            attribute("displayName", who.name),
        );
        let signature =
            self.signature(&assertion_id, &format!("{before}{after}")).map_err(Error::internal)?;
        Ok(BASE64_STANDARD.encode(format!(
            "<samlp:Response xmlns:samlp=\"{PROTOCOL}\" Destination=\"{acs_url}\" ID=\"{response_id}\" \
             InResponseTo=\"{request}\" IssueInstant=\"{at}\" Version=\"2.0\">\
             <saml:Issuer xmlns:saml=\"{ASSERTION}\">{issuer}</saml:Issuer><samlp:Status>\
             <samlp:StatusCode Value=\"{SUCCESS}\"></samlp:StatusCode></samlp:Status>{before}{signature}{after}\
             </samlp:Response>"
        )))
    }

    /// An enveloped signature (saml-core §5.4) over a text in canonical form.
    fn signature(
        &self,
        id: &str,
        canonical: &str,
    ) -> std::result::Result<String, openssl::error::ErrorStack> {
        let digest = BASE64_STANDARD.encode(sha256(canonical.as_bytes()));
        let method = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
        let inside = format!(
            "<ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"></ds:CanonicalizationMethod>\
             <ds:SignatureMethod Algorithm=\"{method}\"></ds:SignatureMethod><ds:Reference URI=\"#{id}\">\
             <ds:Transforms><ds:Transform Algorithm=\"{DSIG}enveloped-signature\"></ds:Transform>\
             <ds:Transform Algorithm=\"{EXCLUSIVE}\"></ds:Transform></ds:Transforms>\
             <ds:DigestMethod Algorithm=\"{ENCRYPTION}sha256\"></ds:DigestMethod>\
             <ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
        );
        let signed = sha256(format!("<ds:SignedInfo xmlns:ds=\"{DSIG}\">{inside}").as_bytes());
        let pair = EcdsaSig::sign(&signed, &self.key)?;
        let value = [pair.r().to_vec_padded(32)?, pair.s().to_vec_padded(32)?].concat();
        Ok(format!(
            "<ds:Signature xmlns:ds=\"{DSIG}\"><ds:SignedInfo>{inside}<ds:SignatureValue>{}</ds:SignatureValue>\
             </ds:Signature>",
            BASE64_STANDARD.encode(value)
        ))
    }
}

/// The ID of a request, from the field `SAMLRequest` of the redirect binding (saml-bindings §3.4.4.1).
pub(crate) fn request_id(field: &str) -> Result<String> {
    let unreadable = || Error::Malformed("this is no request for a sign-in".to_owned());
    let packed = BASE64_STANDARD.decode(field).map_err(|_| unreadable())?;
    let mut text = String::new();
    let read = DeflateDecoder::new(packed.as_slice()).take(MAX_REQUEST).read_to_string(&mut text);
    read.map_err(|_| unreadable())?;
    let root = limits::read(&text).map_err(|_| unreadable())?;
    let id = root.attribute("ID").filter(|_| root.is(PROTOCOL, "AuthnRequest")).ok_or_else(unreadable)?;
    // It is written into the answer as it is.
    let is_plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if is_plain { Ok(id.to_owned()) } else { Err(unreadable()) }
}

/// The P-256 key that follows from a seed, always the same.
pub(crate) fn private_key(seed: &[u8]) -> std::result::Result<EcKey<Private>, openssl::error::ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let mut context = BigNumContext::new()?;
    let (mut order, mut scalar) = (BigNum::new()?, BigNum::new()?);
    group.order(&mut order, &mut context)?;
    order.sub_word(1)?;
    scalar.nnmod(&*BigNum::from_slice(&sha256(seed))?, &order, &mut context)?;
    scalar.add_word(1)?;
    let mut point = EcPoint::new(&group)?;
    point.mul_generator2(&group, &scalar, &mut context)?;
    EcKey::from_private_components(&group, &scalar, &point)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saml::{
        AuthnRequestParams, BindingMessage, NamePolicy, Presented, read_provider, read_response, start,
    };

    #[test]
    fn what_it_says_passes_every_check() {
        let now = Timestamp::from_unix(1_795_269_900);
        let keys = Keys::derive("the key of a house that stands for one test", &[]).unwrap();
        let one = || {
            let place = "http://localhost:3000/dev/idp".to_owned();
            DevIdp::of(&keys, format!("{place}/metadata"), place).unwrap()
        };
        let service = Service {
            entity_id: "http://localhost:3000/auth/saml/metadata".to_owned(),
            acs_url: "http://localhost:3000/auth/saml/callback".to_owned(),
            logout_url: "http://localhost:3000/auth/saml/logout".to_owned(),
            keys: Vec::new(),
        };
        let provider = read_provider(&one().metadata().unwrap(), now).unwrap();
        let ask = AuthnRequestParams {
            service: &service,
            provider: &provider,
            force_authn: true,
            name_policy: NamePolicy::Any,
            relay_state: "state",
            now,
        };
        let started = start(&ask).unwrap();
        let BindingMessage::Redirect(address) = started.message else { panic!("by redirect") };
        let url = url::Url::parse(&address).unwrap();
        let field = url.query_pairs().find(|(name, _)| name == "SAMLRequest").unwrap().1.into_owned();
        assert_eq!(request_id(&field).unwrap(), started.request.id);

        let dora = Known { subject: "dora", email: "dora@demo.example", name: "Dora", group: Some("owners") };
        // Another process with the same secret has the same key.
        let response = one().answer(&started.request.id, &dora, &service, now).unwrap();
        let presented = Presented {
            response,
            provider,
            service,
            request: started.request,
            identifier: None,
            identity_attributes: vec!["email".to_owned()],
            now,
        };
        let statement = read_response(&presented).unwrap();
        assert_eq!(statement.name.value, "dora");
        assert_eq!(statement.attributes.len(), 3);
    }

    #[test]
    fn what_is_no_request_is_a_sentence() {
        for rubbish in ["", "PGE+", "%%%"] {
            assert!(matches!(request_id(rubbish), Err(Error::Malformed(_))), "{rubbish}");
        }
    }
}
