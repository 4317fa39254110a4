//! The forger: an identity provider with a key of its own that says whatever it is told to.
//!
//! Documents are written in canonical form to begin with (every namespace declared where it is first used, attributes
//! in order, no short tags), so a digest is taken over the very text and nothing of what is tested helps to make the
//! test. What is bent before signing is signed; what is bent afterwards is an attack.

use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::TimeDelta;
use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    ec::{EcGroup, EcKey},
    ecdsa::EcdsaSig,
    hash::{MessageDigest, hash},
    nid::Nid,
    pkey::{Id, PKey, Private},
    rsa::Rsa,
    sign::Signer,
    x509::{X509, X509Builder, X509NameBuilder},
};
use vestibule::{clock::Timestamp, saml, secret::Secret};

pub const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
pub const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
pub const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
pub const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
pub const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
pub const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
pub const OAEP: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";

pub const US: &str = "https://app.example/auth/saml/metadata";
pub const ACS: &str = "https://app.example/auth/saml/callback";
pub const LOGOUT: &str = "https://app.example/auth/saml/logout";
pub const IDP: &str = "https://idp.example/metadata";
pub const REQUEST: &str = "_request-of-this-browser";
pub const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
const MARK: &str = "<!--signature-->";

/// The moment at which everything happens: 21 November 2026, 14:05 UTC.
pub fn now() -> Timestamp {
    Timestamp::from_unix(1_795_269_900)
}

/// A moment some seconds from then, as SAML writes it.
pub fn at(seconds: i64) -> String {
    (now() + TimeDelta::seconds(seconds)).iso()
}

/// An identity provider.
#[derive(Clone)]
pub struct Idp {
    pub key: PKey<Private>,
    pub certificate: X509,
}

impl Idp {
    // Commands go by the machine's clock: what they are given is good today too, whenever that is.
    pub fn rsa() -> Self {
        Self::with(PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(), -730, 36_500)
    }

    pub fn ec() -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        Self::with(PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap(), -730, 36_500)
    }

    /// With a certificate from and until so many days from then.
    pub fn with(key: PKey<Private>, from: i64, until: i64) -> Self {
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", "idp.example").unwrap();
        let name = name.build();
        let day = |days: i64| Asn1Time::from_unix(now().unix() + days * 86_400).unwrap();
        let mut certificate = X509Builder::new().unwrap();
        certificate.set_version(2).unwrap();
        certificate.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
        certificate.set_subject_name(&name).unwrap();
        certificate.set_issuer_name(&name).unwrap();
        certificate.set_not_before(&day(from)).unwrap();
        certificate.set_not_after(&day(until)).unwrap();
        certificate.set_pubkey(&key).unwrap();
        certificate.sign(&key, MessageDigest::sha256()).unwrap();
        Self { key, certificate: certificate.build() }
    }

    /// The certificate as it stands in metadata and in hints about keys.
    pub fn base64(&self) -> String {
        BASE64_STANDARD.encode(self.certificate.to_der().unwrap())
    }

    /// The hint about the key that most responses carry.
    pub fn key_info(&self) -> String {
        format!(
            "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>",
            self.base64()
        )
    }

    /// A pen that signs as most identity providers do.
    pub fn pen(&self) -> Pen {
        let method = match self.key.id() {
            Id::EC => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
            _ => RSA_SHA256,
        };
        Pen {
            key: Some(self.key.clone()),
            hmac: None,
            method: format!("<ds:SignatureMethod Algorithm=\"{method}\"></ds:SignatureMethod>"),
            method_digest: MessageDigest::sha256(),
            digest: (SHA256.to_owned(), MessageDigest::sha256()),
            canonicalization: EXCLUSIVE.to_owned(),
            transforms: [ENVELOPED, EXCLUSIVE].map(transform).concat(),
            reference: None,
            more_references: String::new(),
            key_info: self.key_info(),
            object: String::new(),
        }
    }
}

/// A key of our own, quicker to make than the ones we use.
pub fn service_key() -> saml::ServiceKey {
    let made = Idp::rsa();
    let private = String::from_utf8(made.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    let certificate = String::from_utf8(made.certificate.to_pem().unwrap()).unwrap();
    saml::ServiceKey::from_pem(&Secret::from_text(private), &certificate).unwrap()
}

/// A transform without anything in it.
pub fn transform(algorithm: &str) -> String {
    format!("<ds:Transform Algorithm=\"{algorithm}\"></ds:Transform>")
}

/// The metadata of an identity provider with these certificates.
pub fn metadata(entity_id: &str, idps: &[&Idp]) -> String {
    let keys: String = idps
        .iter()
        .map(|idp| {
            format!(
                "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"{DSIG}\"><ds:X509Data>\
                 <ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
                idp.base64()
            )
        })
        .collect();
    format!(
        "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{entity_id}\">\
         <md:IDPSSODescriptor protocolSupportEnumeration=\"{PROTOCOL}\">{keys}\
         <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" \
         Location=\"https://idp.example/sso\"/></md:IDPSSODescriptor></md:EntityDescriptor>"
    )
}

/// A response to this text, held against an identity provider with these certificates.
pub fn presented(xml: &str, idps: &[&Idp], keys: &[saml::ServiceKey]) -> saml::Presented {
    saml::Presented {
        response: BASE64_STANDARD.encode(xml),
        provider: saml::read_provider(&metadata(IDP, idps), now()).unwrap(),
        service: saml::Service {
            entity_id: US.to_owned(),
            acs_url: ACS.to_owned(),
            logout_url: LOGOUT.to_owned(),
            keys: keys.to_vec(),
        },
        request: saml::Request {
            id: REQUEST.to_owned(),
            sent_at: now() - TimeDelta::seconds(30),
            force_authn: false,
        },
        identifier: None,
        identity_attributes: vec!["email".to_owned(), "name".to_owned()],
        now: now(),
    }
}

/// How a signature is made, each part of it to be bent.
#[derive(Clone)]
pub struct Pen {
    pub key: Option<PKey<Private>>,
    /// A shared secret instead of a key.
    pub hmac: Option<Vec<u8>>,
    pub method: String,
    pub method_digest: MessageDigest,
    pub digest: (String, MessageDigest),
    pub canonicalization: String,
    pub transforms: String,
    /// What is referred to, if not the element itself.
    pub reference: Option<String>,
    pub more_references: String,
    pub key_info: String,
    pub object: String,
}

impl Pen {
    /// Another method of signing.
    pub fn method(mut self, uri: &str, digest: MessageDigest) -> Self {
        self.method = format!("<ds:SignatureMethod Algorithm=\"{uri}\"></ds:SignatureMethod>");
        self.method_digest = digest;
        self
    }

    /// The signature over a text in canonical form.
    pub fn signature(&self, id: &str, canonical: &str) -> String {
        let digest = BASE64_STANDARD.encode(hash(self.digest.1, canonical.as_bytes()).unwrap());
        let reference = self.reference.clone().unwrap_or_else(|| format!("#{id}"));
        let inside = format!(
            "<ds:CanonicalizationMethod Algorithm=\"{}\"></ds:CanonicalizationMethod>{}\
             <ds:Reference URI=\"{reference}\"><ds:Transforms>{}</ds:Transforms>\
             <ds:DigestMethod Algorithm=\"{}\"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue>\
             </ds:Reference>{}</ds:SignedInfo>",
            self.canonicalization, self.method, self.transforms, self.digest.0, self.more_references
        );
        let value = self.sign(format!("<ds:SignedInfo xmlns:ds=\"{DSIG}\">{inside}").as_bytes());
        format!(
            "<ds:Signature xmlns:ds=\"{DSIG}\"><ds:SignedInfo>{inside}<ds:SignatureValue>{}</ds:SignatureValue>\
             {}{}</ds:Signature>",
            BASE64_STANDARD.encode(value),
            self.key_info,
            self.object,
        )
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        let shared = self.hmac.as_ref().map(|secret| PKey::hmac(secret).unwrap());
        let key = shared.as_ref().or(self.key.as_ref()).unwrap();
        let value = Signer::new(self.method_digest, key).unwrap().sign_oneshot_to_vec(text).unwrap();
        if key.id() != Id::EC {
            return value;
        }
        let pair = EcdsaSig::from_der(&value).unwrap();
        [pair.r(), pair.s()].map(|number| number.to_vec_padded(32).unwrap()).concat()
    }

    /// The element with its signature where it belongs.
    pub fn on(&self, element: &str) -> String {
        let signature = self.signature(id_of(element), &element.replacen(MARK, "", 1));
        element.replacen(MARK, &signature, 1)
    }
}

/// The ID of the outermost element.
pub fn id_of(element: &str) -> &str {
    let (_, rest) = element.split_once(" ID=\"").unwrap();
    rest.split_once('"').unwrap().0
}

/// A response before it is signed.
#[derive(Clone)]
pub struct Draft {
    pub response: String,
    pub assertion: String,
}

/// An honest response about Ada.
pub fn draft() -> Draft {
    let (issued, until) = (at(-5), at(300));
    Draft {
        response: format!(
            "<samlp:Response xmlns:samlp=\"{PROTOCOL}\" Destination=\"{ACS}\" ID=\"_response\" \
             InResponseTo=\"{REQUEST}\" IssueInstant=\"{issued}\" Version=\"2.0\">\
             <saml:Issuer xmlns:saml=\"{ASSERTION}\">{IDP}</saml:Issuer>{MARK}\
             <samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\">\
             </samlp:StatusCode></samlp:Status>{{assertion}}</samlp:Response>"
        ),
        assertion: format!(
            "<saml:Assertion xmlns:saml=\"{ASSERTION}\" ID=\"_assertion\" IssueInstant=\"{issued}\" Version=\"2.0\">\
             <saml:Issuer>{IDP}</saml:Issuer>{MARK}\
             <saml:Subject><saml:NameID Format=\"{PERSISTENT}\">ada</saml:NameID>\
             <saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">\
             <saml:SubjectConfirmationData InResponseTo=\"{REQUEST}\" NotOnOrAfter=\"{until}\" \
             Recipient=\"{ACS}\"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>\
             <saml:Conditions NotBefore=\"{issued}\" NotOnOrAfter=\"{until}\"><saml:AudienceRestriction>\
             <saml:Audience>{US}</saml:Audience></saml:AudienceRestriction></saml:Conditions>\
             <saml:AuthnStatement AuthnInstant=\"{issued}\" SessionIndex=\"s1\" SessionNotOnOrAfter=\"{session}\">\
             <saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password\
             </saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>\
             <saml:AttributeStatement>\
             <saml:Attribute Name=\"email\"><saml:AttributeValue>ada@example.com</saml:AttributeValue></saml:Attribute>\
             <saml:Attribute Name=\"name\"><saml:AttributeValue>Ada Lovelace</saml:AttributeValue></saml:Attribute>\
             <saml:Attribute Name=\"groups\"><saml:AttributeValue>makers</saml:AttributeValue>\
             <saml:AttributeValue>owners</saml:AttributeValue></saml:Attribute>\
             </saml:AttributeStatement></saml:Assertion>",
            session = at(28_800),
        ),
    }
}

/// A text with one thing in it changed; the thing must be there.
pub fn bent(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1)
}

impl Draft {
    /// Changes the response around the assertion.
    pub fn response(mut self, from: &str, to: &str) -> Self {
        self.response = bent(&self.response, from, to);
        self
    }

    /// Changes the assertion.
    pub fn assertion(mut self, from: &str, to: &str) -> Self {
        self.assertion = bent(&self.assertion, from, to);
        self
    }

    pub fn unsigned(&self) -> String {
        let inside = self.assertion.replace(MARK, "");
        self.response.replace(MARK, "").replace("{assertion}", &inside)
    }

    pub fn assertion_signed(&self, pen: &Pen) -> String {
        self.response.replace(MARK, "").replace("{assertion}", &pen.on(&self.assertion))
    }

    pub fn response_signed(&self, pen: &Pen) -> String {
        pen.on(&self.response.replace("{assertion}", &self.assertion.replace(MARK, "")))
    }

    pub fn both_signed(&self, pen: &Pen) -> String {
        pen.on(&self.response.replace("{assertion}", &pen.on(&self.assertion)))
    }

    /// The response with something else for its assertion, signed or not.
    pub fn carrying(&self, inside: &str, pen: Option<&Pen>) -> String {
        let whole = self.response.replace("{assertion}", inside);
        pen.map_or_else(|| whole.replace(MARK, ""), |pen| pen.on(&whole))
    }
}

/// What lies between these two texts, both included.
pub fn cut<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(from).unwrap();
    let end = text.rfind(to).unwrap() + to.len();
    &text[start..end]
}

/// The first signature up to the last one's end.
pub fn signature_in(text: &str) -> String {
    cut(text, "<ds:Signature ", "</ds:Signature>").to_owned()
}

/// The same about somebody else.
pub fn mallory(text: &str) -> String {
    bent(text, ">ada<", ">mallory<")
}
