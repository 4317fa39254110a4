//! The signature engine: samael over xmlsec, restricted once per process.
//!
//! From samael comes only the answer to one question: which bytes did this key sign? Everything that is believed is
//! read from those bytes again.

use std::sync::OnceLock;

use samael::crypto::{AllowedSignatureAlgorithm, CertificateDer, Crypto, CryptoProvider, ReduceMode};

use super::{
    Reason,
    key::{Certificate, ServiceKey},
    key_kind::KeyKind,
};
use crate::error::{Error, Result};

const ALGORITHMS: [AllowedSignatureAlgorithm; 3] = [
    AllowedSignatureAlgorithm::RsaSha256,
    AllowedSignatureAlgorithm::RsaSha512,
    AllowedSignatureAlgorithm::EcdsaSha256,
];

/// The bytes that a certificate of the identity provider vouches for.
pub(super) struct Verified<'a> {
    /// The signed element as it was digested: canonical XML, the signature itself taken out.
    pub xml: String,
    /// The certificate whose key signed.
    pub certificate: &'a Certificate,
}

/// Finds the certificate that made the signatures of a document (XML Signature §3.2). Where there are two, of the
/// response and of its assertion, one key must have made both, and the response's bytes are returned.
pub(super) fn verified<'a>(
    xml: &str,
    kind: KeyKind,
    certificates: &'a [Certificate],
) -> Result<Verified<'a>, Reason> {
    if !is_ready() {
        return Err(Reason::Broken);
    }
    // xmlsec breaks off at a key of another kind instead of trying the next.
    let mut fitting = certificates.iter().filter(|certificate| certificate.kind() == kind).peekable();
    if fitting.peek().is_none() {
        return Err(Reason::KeyKind);
    }
    let found = fitting.find_map(|certificate| {
        let der = [CertificateDer::from(certificate.der().to_vec())];
        // The digested bytes themselves. The other modes cut the document down instead, which costs the square of
        // its size.
        let mode = ReduceMode::PreDigest;
        let xml = Crypto::reduce_xml_to_signed_with_allowed_algorithms(xml, &der, mode, Some(&ALGORITHMS));
        Some(Verified { xml: xml.ok()?, certificate })
    });
    found.ok_or(Reason::BadSignature)
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

/// The one place of the program that calls C by hand.
///
/// xmlsec follows a reference before it checks the signature over it: an anonymous document could make this process
/// open files, fetch addresses and run XSLT. Neither samael nor xmlsec's settings can forbid that for good; its two
/// global lists can, once they hold nothing else.
#[expect(unsafe_code, reason = "xmlsec's global lists can be emptied only by its own C functions")]
mod xmlsec {
    use std::{
        ffi::{CStr, c_char, c_int, c_uint, c_void},
        ptr,
    };

    use samael::crypto::{CertificateDer, Crypto, CryptoProvider};

    // samael links the libraries; these are declared in xmlsec/errors.h, io.h, list.h and transforms.h, alike in 1.2
    // and 1.3.
    unsafe extern "C" {
        // libxml2, xmlerror.h. The handler gets what it was set with, and the error.
        fn xmlSetStructuredErrorFunc(
            context: *mut c_void,
            handler: Option<extern "C" fn(*mut c_void, *const c_void)>,
        );
        fn xmlSecErrorsDefaultCallbackEnableOutput(enabled: c_int);
        fn xmlSecIOCleanupCallbacks();
        fn xmlSecTransformIdsGet() -> *mut c_void;
        fn xmlSecTransformIdListFindByHref(
            list: *mut c_void,
            href: *const c_char,
            usage: c_uint,
        ) -> *const c_void;
        fn xmlSecPtrListEmpty(list: *mut c_void);
        fn xmlSecTransformIdsRegister(id: *const c_void) -> c_int;
    }

    /// `xmlSecTransformUsageAny`.
    const ANY_USE: c_uint = 0xFFFF;

    /// All that xmlsec may do.
    const ALLOWED: [&CStr; 7] = [
        c"http://www.w3.org/2001/10/xml-exc-c14n#",
        c"http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        c"http://www.w3.org/2001/04/xmlenc#sha256",
        c"http://www.w3.org/2001/04/xmlenc#sha512",
        c"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        c"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        c"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    ];

    /// Keeps libxml2 from printing what it finds wrong, with lines of the document, on stderr: in the midst of the log a
    /// stranger's line would look like one of ours. The handler belongs to the thread that sets it.
    pub(super) fn hush() {
        extern "C" fn ignore(_: *mut c_void, _: *const c_void) {}
        // SAFETY: sets a pointer of this thread's own to a function that lives as long as the program and reads nothing.
        unsafe { xmlSetStructuredErrorFunc(ptr::null_mut(), Some(ignore)) };
    }

    /// Lets samael start xmlsec, then takes away every way to open something and every transform but ours. False
    /// where one of ours is not there. To be called once, before anything else of xmlsec runs on any thread.
    pub(super) fn restrict() -> bool {
        // SAFETY: sets a number that decides whether errors are printed; needs no preparation.
        unsafe { xmlSecErrorsDefaultCallbackEnableOutput(0) };
        // samael has no call that only starts the library; this one does that first, and then finds no certificate.
        let _ = Crypto::verify_signed_xml("<a/>", &CertificateDer::from(Vec::new()), None);
        // SAFETY: the library is started and the caller sees to it that nothing else of it runs. The list belongs to
        // the library and lives as long as it; the ids in it are addresses of its constants, so those found before
        // the list is emptied stay good after it. Each string ends in a zero byte and outlives its call.
        unsafe {
            xmlSecIOCleanupCallbacks();
            let list = xmlSecTransformIdsGet();
            if list.is_null() {
                return false;
            }
            let ids = ALLOWED.map(|href| xmlSecTransformIdListFindByHref(list, href.as_ptr(), ANY_USE));
            xmlSecPtrListEmpty(list);
            ids.iter().all(|id| !id.is_null() && xmlSecTransformIdsRegister(*id) == 0)
        }
    }
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
        let certificates = [key.certificate().clone()];
        verified(text, KeyKind::Rsa, &certificates).map(|verified| verified.xml)
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
            let name = "sso::engine::tests::nothing_of_a_document_is_printed";
            let reader = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", name, "--nocapture"])
                .env(READER, "1")
                .output()
                .unwrap();
            assert!(reader.status.success(), "{reader:?}");
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
            thread::scope(|scope| drop(scope.spawn(move || drop(verify(&text, key)))));
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
        hostile.push(honest.replace("xmldsig-more#rsa-sha256", "xmldsig-more#rsa-sha384"));

        for text in &hostile {
            assert_ne!(*text, honest);
            assert!(signed(text, &key).is_err(), "xmlsec would sign {text}");
            assert_eq!(verify(text, &key), Err(Reason::BadSignature), "{text}");
        }
        assert_eq!(canary.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}
