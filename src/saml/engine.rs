//! The signature engine: samael over xmlsec, restricted once per process.
//!
//! From samael comes only the answer to one question: which bytes did this key sign? Everything that is believed is
//! read from those bytes again.

#[expect(unsafe_code, reason = "xmlsec's global lists and libxml2's canonical form are there in C only")]
mod xmlsec;

use std::sync::OnceLock;

use samael::crypto::{AllowedSignatureAlgorithm, CertificateDer, Crypto, CryptoProvider, ReduceMode};

use super::{
    Reason,
    key::{Certificate, ServiceKey},
};
use crate::error::{Error, Result};

const ALGORITHMS: [AllowedSignatureAlgorithm; 6] = [
    AllowedSignatureAlgorithm::RsaSha256,
    AllowedSignatureAlgorithm::RsaSha384,
    AllowedSignatureAlgorithm::RsaSha512,
    AllowedSignatureAlgorithm::EcdsaSha256,
    AllowedSignatureAlgorithm::EcdsaSha384,
    AllowedSignatureAlgorithm::EcdsaSha512,
];

/// The bytes that these certificates vouch for (XML Signature §3.2): the signed element as it was digested, canonical
/// XML, the signature itself taken out. Where there are two signatures, of the response and of its assertion, each was
/// made with one of the keys, which are all of one kind, and the response's bytes are returned.
pub(super) fn verified(xml: &str, certificates: &[&Certificate]) -> Result<String, Reason> {
    if !is_ready() {
        return Err(Reason::Broken);
    }
    let ders: Vec<_> = certificates.iter().map(|one| CertificateDer::from(one.der().to_vec())).collect();
    // The digested bytes themselves. The other modes cut the document down instead, which costs the square of its size.
    let mode = ReduceMode::PreDigest;
    let verified = Crypto::reduce_xml_to_signed_with_allowed_algorithms(xml, &ders, mode, Some(&ALGORITHMS));
    verified.map_err(|_| Reason::BadSignature)
}

/// The exclusive canonical form of a short document, with these prefixes kept.
pub(super) fn canonical(text: &str, prefixes: &[String]) -> Option<Vec<u8>> {
    if is_ready() { xmlsec::canonical(text, prefixes) } else { None }
}

/// Fills in the one signature that a document of ours was made with, empty.
pub(super) fn signed(xml: &str, key: &ServiceKey) -> Result<String> {
    if !is_ready() {
        return Err(anyhow::anyhow!("xmlsec could not be prepared").into());
    }
    let der = key.private().private_key_to_der().map_err(Error::internal)?;
    Crypto::sign_xml(xml, &der).map_err(Error::internal)
}

/// Whether xmlsec is ready on this thread: it does only what we use, and says nothing. Done at the first call.
fn is_ready() -> bool {
    static RESTRICTED: OnceLock<bool> = OnceLock::new();
    xmlsec::hush();
    *RESTRICTED.get_or_init(|| {
        let is_restricted = xmlsec::restrict();
        if !is_restricted {
            tracing::error!("xmlsec could not be prepared: no SAML response will be accepted");
        }
        is_restricted
    })
}

#[cfg(test)]
mod tests {
    use std::{io::ErrorKind, net::TcpListener, process::Command, thread};

    use chrono::TimeDelta;

    use super::{
        super::{DSIG, ENCRYPTION, EXCLUSIVE, signature_over},
        *,
    };
    use crate::clock::Timestamp;

    fn key() -> ServiceKey {
        ServiceKey::generate("idp.example", Timestamp::from_unix(0), TimeDelta::days(1)).unwrap()
    }

    fn verify(text: &str, key: &ServiceKey) -> Result<String, Reason> {
        verified(text, &[key.certificate()])
    }

    #[test]
    fn the_very_bytes_that_were_signed_come_back() {
        let key = key();
        let text = format!("<a xmlns='urn:a' ID='_1'><b z='1' y='2'/><!-- -->c{}</a>", signature_over("_1"));
        let signed = signed(&text, &key).unwrap();
        let bytes = "<a xmlns=\"urn:a\" ID=\"_1\"><b y=\"2\" z=\"1\"></b>c</a>";
        assert_eq!(verify(&signed, &key).as_deref(), Ok(bytes));
        assert_eq!(verify(&signed.replace(">c<", ">d<"), &key), Err(Reason::BadSignature));
    }

    /// The gate lets none of these through either. In a process of its own, whose stderr nobody else writes to.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "tells the process that reads from the one that listens")]
    fn nothing_of_a_document_is_printed() {
        const READER: &str = "VESTIBULE_TEST_READER";
        if std::env::var_os(READER).is_none() {
            let name = "saml::engine::tests::nothing_of_a_document_is_printed";
            let reader = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", name, "--nocapture"])
                .env(READER, "1")
                .output()
                .unwrap();
            assert!(reader.status.success(), "{reader:?}");
            assert!(String::from_utf8_lossy(&reader.stdout).contains("1 passed"), "{name} is not there");
            assert_eq!(String::from_utf8_lossy(&reader.stderr), "");
            return;
        }
        let key = key();
        let forged = "\n2026-11-29T00:00:00.000000Z  INFO signed in user=admin by=forged\n";
        let exclusive = format!("<ds:Transform Algorithm=\"{EXCLUSIVE}\"/>");
        let documents =
            ["xmlns:r=\"rel\" r:a=\"1\"", "xmlns:r=\"urn:\u{e4}\"", "xmlns=\"rel\"", "xmlns:r=\"a%zz:\"", ""]
                .map(|declared| {
                    format!("<a xmlns='urn:a' ID='_1'>{forged}<b {declared}/>{}</a>", signature_over("_1"))
                });
        for text in documents.iter().flat_map(|text| {
            [
                text.clone(),
                text.replace(&exclusive, &exclusive.repeat(2)),
                text.replace("<b ", "<b>"),
                text.replace("</a>", ""),
            ]
        }) {
            // On threads of their own, as where responses are read.
            let key = &key;
            thread::scope(|scope| {
                scope.spawn(move || (drop(canonical(&text, &[])), drop(verify(&text, key))));
            });
        }
        assert!(signed("<a", &key).is_err());
    }

    /// The gate lets none of these through. Here they meet the library itself, as tamed.
    #[test]
    fn even_without_the_gate_nothing_is_opened_or_run() {
        let key = key();
        let canary = TcpListener::bind("127.0.0.1:0").unwrap();
        canary.set_nonblocking(true).unwrap();
        let address = format!("http://{}/", canary.local_addr().unwrap());
        let honest = format!("<a xmlns='urn:a' ID='_1'>{}</a>", signature_over("_1"));
        let exclusive = format!("<ds:Transform Algorithm=\"{EXCLUSIVE}\"/>");
        let xslt = format!(
            "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"><x:stylesheet version=\"1.0\" \
             xmlns:x=\"http://www.w3.org/1999/XSL/Transform\"><x:template match=\"/\"><x:copy-of \
             select=\"document('{address}')\"/></x:template></x:stylesheet></ds:Transform>"
        );
        let xpath = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\">\
                     <ds:XPath>count(//.|//@*)&gt;0</ds:XPath></ds:Transform>";
        let references: [&str; 4] = [&address, "file:///dev/zero", "/dev/zero", "/etc/hostname"];
        let mut hostile: Vec<String> =
            references.iter().map(|uri| honest.replace("URI=\"#_1\"", &format!("URI=\"{uri}\""))).collect();
        hostile.push(honest.replace(&exclusive, &xslt));
        hostile.push(honest.replace(&exclusive, xpath));
        hostile.push(honest.replace(EXCLUSIVE, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"));
        hostile.push(honest.replace(&format!("{ENCRYPTION}sha256"), &format!("{DSIG}sha1")));
        hostile.push(honest.replace("xmldsig-more#rsa-sha256", "xmldsig-more#rsa-ripemd160"));

        for text in &hostile {
            assert_ne!(*text, honest);
            assert!(signed(text, &key).is_err(), "xmlsec would sign {text}");
            assert_eq!(verify(text, &key), Err(Reason::BadSignature), "{text}");
        }
        assert_eq!(canary.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}
