//! Hosts whose certificate proves nothing: what is said of each.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    sync::Arc,
    thread,
};

use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    ssl::{SslAcceptor, SslMethod},
    x509::{
        X509, X509NameBuilder,
        extension::{BasicConstraints, SubjectAlternativeName},
    },
};

use crate::harness::{
    TestApp,
    outbound::{Names, Record},
};

const DAY: i64 = 86_400;

struct Issued {
    key: PKey<Private>,
    certificate: X509,
}

/// A certificate for `name`, valid from and until so many days from now, by `issuer` or by itself.
fn issue(name: &str, days: (i64, i64), issuer: Option<&Issued>) -> Issued {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let now = vestibule::clock::Clock::system().now().unix();
    let mut serial = BigNum::new().unwrap();
    serial.rand(100, MsbOption::MAYBE_ZERO, false).unwrap();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    certificate.set_subject_name(&subject).unwrap();
    certificate.set_issuer_name(issuer.map_or(&subject, |issuer| issuer.certificate.subject_name())).unwrap();
    certificate.set_not_before(&Asn1Time::from_unix(now + days.0 * DAY).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::from_unix(now + days.1 * DAY).unwrap()).unwrap();
    certificate.set_pubkey(&key).unwrap();
    if issuer.is_none() {
        certificate.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    }
    let names =
        SubjectAlternativeName::new().dns(name).build(&certificate.x509v3_context(None, None)).unwrap();
    certificate.append_extension(names).unwrap();
    let signer = issuer.map_or(&key, |issuer| &issuer.key);
    certificate.sign(signer, MessageDigest::sha256()).unwrap();
    Issued { certificate: certificate.build(), key }
}

/// A web server on this machine that shows this certificate. Returns its port.
fn serve(shown: &Issued) -> u16 {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_private_key(&shown.key).unwrap();
    acceptor.set_certificate(&shown.certificate).unwrap();
    let acceptor = Arc::new(acceptor.build());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let Ok(mut stream) = acceptor.accept(stream) else { continue };
            let _ = stream.read(&mut [0; 4_096]);
            let _ =
                stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    port
}

#[actix_web::test]
async fn a_bad_certificate_of_an_identity_provider_is_called_so() {
    const HOST: &str = "idp.example.com";
    const GOOD: (i64, i64) = (-1, 30);
    let app = TestApp::open().await;
    let names = Names::start();
    names.set(HOST, Record::Address([127, 0, 0, 1]));
    let (trusted, stranger) = (issue("an authority", GOOD, None), issue("another authority", GOOD, None));
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, trusted.certificate.to_pem().unwrap()).unwrap();
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = plain.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in plain.incoming().map_while(Result::ok) {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    for (port, output) in [
        (serve(&issue(HOST, GOOD, Some(&trusted))), "answered with the status 404"),
        (serve(&issue("*.example.com", GOOD, Some(&trusted))), "answered with the status 404"),
        (
            serve(&issue(HOST, (-30, -1), Some(&trusted))),
            "certificate of the host in the address has expired",
        ),
        (
            serve(&issue(HOST, (1, 30), Some(&trusted))),
            "certificate of the host in the address is not valid yet",
        ),
        (serve(&issue("www.example.com", GOOD, Some(&trusted))), "was issued for another name"),
        (serve(&issue("example.com", GOOD, Some(&trusted))), "was issued for another name"),
        (
            serve(&issue(HOST, GOOD, Some(&stranger))),
            "was issued by an authority that this machine does not know",
        ),
        (serve(&issue(HOST, GOOD, None)), "The certificate of the host in the address"),
        (silent, "did not answer in ten seconds, or not over TLS"),
    ] {
        let mut settings = app.settings.clone();
        for (name, value) in [
            ("DNS_SERVER", names.addr.to_string()),
            ("SSO_PRIVATE_METADATA", "on".to_owned()),
            ("SSL_CERT_FILE", roots.display().to_string()),
        ] {
            settings.insert(name.to_owned(), value);
        }
        let link = format!("https://{HOST}:{port}/metadata");
        let connect =
            ["sso", "add", "--organisation", "Acme", "--metadata", &link, "--domain", "example.com"];

        let done = crate::harness::run_program(&connect, &settings);

        assert_eq!(done.code, Some(1), "{output}: {done:?}");
        assert!(done.err.contains(output), "{output}: {done:?}");
    }
}
