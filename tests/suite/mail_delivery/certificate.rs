//! A mail server's certificate that is not good is called so.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    ssl::{SslAcceptor, SslMethod},
    x509::{X509, X509NameBuilder, extension::SubjectAlternativeName},
};

use crate::harness::{TestApp, run_program};

fn certificate(name: &str, from: i64, until: i64) -> (X509, PKey<Private>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", "a mail server in a test").unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(from).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(until).unwrap()).unwrap();
    let names = SubjectAlternativeName::new().dns(name).build(&builder.x509v3_context(None, None)).unwrap();
    builder.append_extension(names).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (builder.build(), key)
}

/// Listens for SMTP inside TLS, and greets. The port.
fn serve(certificate: &X509, key: &PKey<Private>) -> u16 {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_certificate(certificate).unwrap();
    acceptor.set_private_key(key).unwrap();
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if let Ok(mut stream) = acceptor.accept(stream) {
                let _ = stream.write_all(b"220 mail.example\r\n250 mail.example\r\n");
                let _ = stream.read_to_end(&mut Vec::new());
            }
        }
    });
    port
}

#[actix_web::test]
async fn a_certificate_that_is_not_good_is_called_so() {
    let app = TestApp::open().await;
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("trusted.pem");
    const FAR: i64 = 4_000_000_000;
    for (name, from, until, is_trusted, says) in [
        ("localhost", 0, FAR, true, "answers."),
        ("localhost", 0, FAR, false, "certificate was made by somebody whom this machine does not trust"),
        ("other.example", 0, FAR, true, "certificate is not valid for localhost"),
        ("localhost", 0, 1_000_000_000, true, "certificate has expired"),
        ("localhost", FAR - 1, FAR, true, "certificate begins in the future"),
    ] {
        let (certificate, key) = certificate(name, from, until);
        std::fs::write(&trusted, certificate.to_pem().unwrap()).unwrap();
        let mut settings = app.settings.clone();
        settings.insert("SMTP_URL".to_owned(), format!("smtps://localhost:{}", serve(&certificate, &key)));
        if is_trusted {
            settings.insert("SSL_CERT_FILE".to_owned(), trusted.display().to_string());
        }

        let output = run_program(&["doctor"], &settings);

        let line = output.out.lines().find(|line| line.contains(" mail ")).unwrap_or_default();
        assert!(line.contains(says), "{says}: {output:?}");
        assert!(!line.contains("cannot be reached"), "{line}");
    }
}
