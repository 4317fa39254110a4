//! Signatures that are missing, another's, in the wrong place, or made as nobody should.

use openssl::hash::MessageDigest;
use vestibule::saml::Reason;

use super::{
    all_refused,
    forger::{
        self, DSIG, ENVELOPED, EXCLUSIVE, Idp, Pen, at, bent, cut, draft, id_of, mallory, presented,
        signature_in, transform,
    },
};

#[test]
pub fn a_signature_that_is_missing_or_another_s_or_broken_is_refused() {
    let (idp, other) = (Idp::rsa(), Idp::rsa());
    let curve = Idp::ec();
    let (pen, theirs) = (idp.pen(), other.pen());
    let hint = |key_info: String| Pen { key_info, ..theirs.clone() };
    let bare_key = {
        let rsa = other.key.rsa().unwrap();
        let number = |number: &openssl::bn::BigNumRef| {
            base64::Engine::encode(&base64::prelude::BASE64_STANDARD, number.to_vec())
        };
        format!(
            "<ds:KeyInfo><ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{}</ds:Modulus><ds:Exponent>{}</ds:Exponent>\
             </ds:RSAKeyValue></ds:KeyValue></ds:KeyInfo>",
            number(rsa.n()),
            number(rsa.e())
        )
    };
    let (one, both) = (draft().assertion_signed(&pen), draft().both_signed(&pen));
    let whole = draft().response_signed(&pen);
    let value = "<ds:SignatureValue>";
    let digest = "<ds:DigestValue>";
    let stripped = |text: &str| text.replace(&signature_in(text), "");
    let inner = signature_in(&draft().assertion_signed(&pen));
    all_refused(
        vec![
            ("no signature", draft().unsigned(), Reason::Unsigned),
            ("stripped from the assertion", stripped(&one), Reason::Unsigned),
            ("stripped from the response", stripped(&whole), Reason::Unsigned),
            ("stripped from both", stripped(&both.replace(&inner, "")), Reason::Unsigned),
            (
                "stripped from the response only, and changed inside",
                mallory(&bent(&both, &signature_in(&both.replace(&inner, "")), "")),
                Reason::BadSignature,
            ),
            (
                "stripped from the assertion only, and changed outside",
                bent(&both, &inner, "").replace("success", "Success"),
                Reason::BadSignature,
            ),
            ("by another key", draft().both_signed(&hint(String::new())), Reason::BadSignature),
            ("by another key, shown bare", draft().both_signed(&hint(bare_key)), Reason::BadSignature),
            ("by another key, with its certificate", draft().both_signed(&theirs), Reason::BadSignature),
            (
                "by another key, with our IdP's certificate",
                draft().both_signed(&hint(idp.key_info())),
                Reason::BadSignature,
            ),
            ("by a key on a curve", draft().both_signed(&curve.pen()), Reason::KeyKind),
            (
                "two kinds of keys",
                pen.on(&draft().response.replace("{assertion}", &curve.pen().on(&draft().assertion))),
                Reason::KeyKind,
            ),
            (
                "the response ours, the assertion another's",
                pen.on(&draft().response.replace("{assertion}", &theirs.on(&draft().assertion))),
                Reason::BadSignature,
            ),
            (
                "the assertion ours, the response another's",
                theirs.on(&draft().response.replace("{assertion}", &pen.on(&draft().assertion))),
                Reason::BadSignature,
            ),
            ("another name", mallory(&one), Reason::BadSignature),
            ("another name, both signed", mallory(&both), Reason::BadSignature),
            ("another name, the response signed", mallory(&whole), Reason::BadSignature),
            ("another address", bent(&one, "ada@example.com", "eve@example.com"), Reason::BadSignature),
            ("a later end", bent(&one, &at(300), &at(3_000)), Reason::BadSignature),
            ("another group added", bent(&one, "makers", "owners"), Reason::BadSignature),
            (
                "an empty value",
                format!(
                    "{}{value}{}",
                    one.split_once(value).unwrap().0,
                    &one[one.find("</ds:SignatureValue>").unwrap()..]
                ),
                Reason::BadSignature,
            ),
            ("a value that is no base64", bent(&one, value, &format!("{value}*")), Reason::BadSignature),
            ("another digest", bent(&one, digest, &format!("{digest}AAAA")), Reason::BadSignature),
            (
                "a short digest",
                format!(
                    "{}{digest}{}",
                    one.split_once(digest).unwrap().0,
                    &one[one.find("</ds:DigestValue>").unwrap()..]
                ),
                Reason::BadSignature,
            ),
        ],
        |text| presented(text, &[&idp], &[]),
    );
}

#[test]
pub fn signatures_lie_where_they_belong_and_say_what_they_must() {
    let (idp, other) = (Idp::rsa(), Idp::rsa());
    let pen = idp.pen();
    let honest = draft().assertion_signed(&pen);
    let both = draft().both_signed(&pen);
    let signature = signature_in(&honest);
    let with = |change: &dyn Fn(&mut Pen)| {
        let mut pen = pen.clone();
        change(&mut pen);
        draft().assertion_signed(&pen)
    };
    let method = |uri: &str, digest| draft().assertion_signed(&pen.clone().method(uri, digest));
    let digest = |uri: &str, digest: MessageDigest| with(&|pen| pen.digest = (uri.to_owned(), digest));
    let hmac = |secret: Vec<u8>, inside: &str| {
        with(&|pen| {
            pen.hmac = Some(secret.clone());
            pen.method = format!(
                "<ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#hmac-sha256\">{inside}</ds:SignatureMethod>"
            );
        })
    };
    let more = "http://www.w3.org/2001/04/xmldsig-more#";
    let old = "http://www.w3.org/2000/09/xmldsig#";
    let der = idp.certificate.to_der().unwrap();
    let pem = idp.certificate.to_pem().unwrap();
    let public = idp.key.public_key_to_der().unwrap();
    let transforms = |inside: &str| with(&|pen| pen.transforms = inside.to_owned());
    let xslt = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"><xsl:stylesheet \
                xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\" version=\"1.0\"></xsl:stylesheet></ds:Transform>";
    let xpath = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\">\
                 <ds:XPath>not(ancestor-or-self::NameID)</ds:XPath></ds:Transform>";
    let reference = |to: &str| with(&|pen| pen.reference = Some(to.to_owned()));
    let second = format!(
        "<ds:Reference URI=\"\"><ds:DigestMethod Algorithm=\"{}\"></ds:DigestMethod><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference>",
        forger::SHA256
    );
    let info = cut(&signature, "<ds:SignedInfo>", "</ds:SignedInfo>").to_owned();
    let many = |text: &str, count: usize| bent(&honest, &signature, &text.repeat(count));
    all_refused(
        vec![
            ("SHA-1", method(&format!("{old}rsa-sha1"), MessageDigest::sha1()), Reason::SignatureAlgorithm),
            ("MD5", method(&format!("{more}rsa-md5"), MessageDigest::md5()), Reason::SignatureAlgorithm),
            ("DSA", method(&format!("{old}dsa-sha1"), MessageDigest::sha256()), Reason::SignatureAlgorithm),
            (
                "SHA-224",
                method(&format!("{more}rsa-sha224"), MessageDigest::sha224()),
                Reason::SignatureAlgorithm,
            ),
            (
                "RSA-PSS",
                method("http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", MessageDigest::sha256()),
                Reason::RsaPss,
            ),
            (
                "RSA-PSS with parameters",
                method("http://www.w3.org/2007/05/xmldsig-more#rsa-pss", MessageDigest::sha256()),
                Reason::RsaPss,
            ),
            ("no algorithm", method("", MessageDigest::sha256()), Reason::SignatureAlgorithm),
            (
                "a look-alike",
                method(&format!("{more}rsa-sha256 "), MessageDigest::sha256()),
                Reason::SignatureAlgorithm,
            ),
            (
                "SHA-1 as digest",
                digest(&format!("{old}sha1"), MessageDigest::sha1()),
                Reason::DigestAlgorithm,
            ),
            ("MD5 as digest", digest(&format!("{more}md5"), MessageDigest::md5()), Reason::DigestAlgorithm),
            ("HMAC with the certificate", hmac(der, ""), Reason::SignatureAlgorithm),
            ("HMAC with the certificate as text", hmac(pem, ""), Reason::SignatureAlgorithm),
            ("HMAC with the public key", hmac(public, ""), Reason::SignatureAlgorithm),
            ("HMAC with nothing", hmac(vec![0], ""), Reason::SignatureAlgorithm),
            (
                "HMAC cut short",
                hmac(vec![0], "<ds:HMACOutputLength>0</ds:HMACOutputLength>"),
                Reason::SignatureAlgorithm,
            ),
            (
                "RSA with a length",
                with(&|pen| {
                    pen.method = format!(
                        "<ds:SignatureMethod Algorithm=\"{}\"><ds:HMACOutputLength>8</ds:HMACOutputLength></ds:SignatureMethod>",
                        forger::RSA_SHA256
                    )
                }),
                Reason::SignatureAlgorithm,
            ),
            (
                "inclusive canonical form",
                with(&|pen| {
                    pen.canonicalization = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315".to_owned()
                }),
                Reason::Canonicalization,
            ),
            (
                "a canonical form with comments",
                with(&|pen| pen.canonicalization = format!("{EXCLUSIVE}WithComments")),
                Reason::Canonicalization,
            ),
            ("XSLT", transforms(xslt), Reason::Transform),
            ("XPath", transforms(xpath), Reason::Transform),
            (
                "XPath filter",
                transforms(&transform("http://www.w3.org/2002/06/xmldsig-filter2")),
                Reason::Transform,
            ),
            ("base64", transforms(&transform(&format!("{old}base64"))), Reason::Transform),
            (
                "an XPath inside an honest transform",
                transforms(&format!(
                    "<ds:Transform Algorithm=\"{ENVELOPED}\"><ds:XPath>1</ds:XPath></ds:Transform>"
                )),
                Reason::Transform,
            ),
            ("three transforms", transforms(&transform(EXCLUSIVE).repeat(3)), Reason::Transform),
            ("a thousand transforms", transforms(&transform(EXCLUSIVE).repeat(1_000)), Reason::Transform),
            ("a reference to everything", reference(""), Reason::ForeignReference),
            ("a reference to another element", reference("#_response"), Reason::ForeignReference),
            ("a reference to nothing", reference("#_nothing"), Reason::ForeignReference),
            ("a reference by pointer", reference("#xpointer(id('_assertion'))"), Reason::ForeignReference),
            ("a reference by pointer to everything", reference("#xpointer(/)"), Reason::ForeignReference),
            ("no reference at all", bent(&honest, " URI=\"#_assertion\"", ""), Reason::ForeignReference),
            (
                "a second reference",
                with(&|pen| pen.more_references.clone_from(&second)),
                Reason::SignatureShape,
            ),
            (
                "an object",
                with(&|pen| pen.object = "<ds:Object></ds:Object>".to_owned()),
                Reason::SignatureObject,
            ),
            (
                "a manifest",
                with(&|pen| pen.object = "<ds:Object><ds:Manifest></ds:Manifest></ds:Object>".to_owned()),
                Reason::SignatureObject,
            ),
            (
                "something else at its end",
                with(&|pen| pen.object = "<x></x>".to_owned()),
                Reason::SignatureShape,
            ),
            (
                "a key from elsewhere in the document",
                with(&|pen| {
                    pen.key_info =
                        "<ds:KeyInfo><ds:RetrievalMethod URI=\"#k\"></ds:RetrievalMethod></ds:KeyInfo>"
                            .to_owned()
                }),
                Reason::SignatureShape,
            ),
            ("two infos", bent(&honest, &info, &info.repeat(2)), Reason::SignatureShape),
            (
                "two infos, the forged one last",
                bent(
                    &honest,
                    &info,
                    &format!("{info}{}", mallory(&format!("<ds:SignedInfo>>ada<{}", &info[15..]))),
                ),
                Reason::Malformed,
            ),
            ("no info", bent(&honest, &info, ""), Reason::SignatureShape),
            (
                "no value",
                {
                    let value = cut(&honest, "<ds:SignatureValue>", "</ds:SignatureValue>").to_owned();
                    bent(&honest, &value, "")
                },
                Reason::SignatureShape,
            ),
            ("two signatures on the assertion", many(&signature, 2), Reason::MisplacedSignature),
            ("two hundred signatures", many(&signature, 200), Reason::TooLarge),
            (
                "thousands of empty signatures",
                many(&format!("<ds:Signature xmlns:ds=\"{DSIG}\"/>"), 1_990),
                Reason::TooManyElements,
            ),
            (
                "a signature of another namespace",
                many(&format!("{signature}<x:Signature xmlns:x=\"urn:x\"/>"), 1),
                Reason::MisplacedSignature,
            ),
            (
                "a signature on the subject",
                bent(&honest, "<saml:Subject>", &format!("<saml:Subject>{signature}")),
                Reason::MisplacedSignature,
            ),
            (
                "a signature beside the assertion of a signed one",
                bent(&honest, "</saml:Assertion>", &format!("</saml:Assertion>{}{}", signature, signature)),
                Reason::MisplacedSignature,
            ),
            (
                "the assertion's signature on the response",
                bent(&bent(&honest, &signature, ""), "<samlp:Status>", &format!("{signature}<samlp:Status>")),
                Reason::ForeignReference,
            ),
            (
                "the response's signature on the assertion",
                {
                    let whole = draft().response_signed(&pen);
                    let outer = signature_in(&whole);
                    bent(&whole.replace(&outer, ""), "<saml:Subject>", &format!("{outer}<saml:Subject>"))
                },
                Reason::ForeignReference,
            ),
            (
                "one ID twice",
                bent(&honest, "<saml:AuthnStatement ", "<saml:AuthnStatement ID=\"_assertion\" "),
                Reason::DuplicateId,
            ),
            ("one ID on both", bent(&honest, "ID=\"_response\"", "ID=\"_assertion\""), Reason::DuplicateId),
            (
                "one ID in another spelling",
                bent(&honest, "<saml:AuthnStatement ", "<saml:AuthnStatement Id=\"_assertion\" "),
                Reason::DuplicateId,
            ),
            (
                "an ID of XML's own",
                bent(&honest, "<samlp:Status>", "<samlp:Status xml:id=\"_assertion\">"),
                Reason::MissingId,
            ),
            (
                "an ID with a prefix",
                bent(&honest, "<samlp:Status>", "<samlp:Status samlp:ID=\"_assertion\">"),
                Reason::MissingId,
            ),
            ("no ID on the assertion", bent(&honest, " ID=\"_assertion\"", ""), Reason::MissingId),
            (
                "an ID that is none",
                draft().assertion("ID=\"_assertion\"", "ID=\"1 or 1\"").assertion_signed(&pen),
                Reason::MissingId,
            ),
            (
                "no ID on the unsigned assertion",
                bent(&draft().response_signed(&pen), " ID=\"_assertion\"", ""),
                Reason::MissingId,
            ),
            (
                "both signed by another and one shown",
                bent(&draft().both_signed(&other.pen()), &other.base64(), &idp.base64()),
                Reason::BadSignature,
            ),
            (
                "the inner signature over the whole",
                bent(&both, "URI=\"#_assertion\"", "URI=\"#_response\""),
                Reason::ForeignReference,
            ),
        ],
        |text| presented(text, &[&idp], &[]),
    );
    assert_eq!(id_of(&honest), "_response");
}
