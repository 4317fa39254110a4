//! Honest responses: whatever an identity provider may reasonably send.

use chrono::TimeDelta;
use openssl::{hash::MessageDigest, pkey::PKey, rsa::Rsa};
use vestibule::saml::{NameFormat, Reason};

use super::{
    forger::{self, ENVELOPED, EXCLUSIVE, IDP, Idp, PERSISTENT, REQUEST, at, bent, draft, now, presented},
    read,
};

#[test]
fn what_the_identity_provider_says_about_ada_is_read() {
    let idp = Idp::rsa();
    let statement = read(&presented(&draft().both_signed(&idp.pen()), &[&idp], &[])).unwrap();
    assert_eq!(statement.issuer, IDP);
    assert_eq!((statement.name.format, statement.name.value.as_str()), (NameFormat::Persistent, "ada"));
    assert_eq!(statement.assertion_id, "_assertion");
    assert_eq!(statement.remember_until, now() + TimeDelta::seconds(390));
    assert_eq!(statement.authenticated_at, now() - TimeDelta::seconds(5));
    assert_eq!(statement.session_ends_at, Some(now() + TimeDelta::hours(8)));
    assert_eq!(statement.session_index.as_deref(), Some("s1"));
    assert!(!statement.was_encrypted);
    let attributes: Vec<_> =
        statement.attributes.iter().map(|one| (one.name.as_str(), one.values.join(" and "))).collect();
    assert_eq!(
        attributes,
        [
            ("email", "ada@example.com".to_owned()),
            ("name", "Ada Lovelace".to_owned()),
            ("groups", "makers and owners".to_owned()),
        ]
    );
    assert!(statement.checks.len() >= 14);
    assert!(statement.checks.iter().all(|check| check.failed.is_none()), "{:#?}", statement.checks);
}

#[test]
fn what_identity_providers_do_differently_is_all_accepted() {
    let idp = Idp::rsa();
    let pen = idp.pen();
    let with = |change: &dyn Fn(&mut forger::Pen)| {
        let mut pen = pen.clone();
        change(&mut pen);
        pen
    };
    let no_key_info = with(&|pen| pen.key_info.clear());
    let sha512 = with(&|pen| {
        pen.digest = ("http://www.w3.org/2001/04/xmlenc#sha512".to_owned(), MessageDigest::sha512());
    })
    .method("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", MessageDigest::sha512());
    let prefixes = format!(
        "<ds:Transform Algorithm=\"{ENVELOPED}\"></ds:Transform><ds:Transform Algorithm=\"{EXCLUSIVE}\">\
         <ec:InclusiveNamespaces xmlns:ec=\"{EXCLUSIVE}\" PrefixList=\"xs\"></ec:InclusiveNamespaces></ds:Transform>"
    );
    let listing_prefixes = with(&|pen| pen.transforms.clone_from(&prefixes));
    let honest = draft().assertion_signed(&pen);

    let others_too = "<saml:Audience>https://other.example</saml:Audience></saml:AudienceRestriction>";
    let second_restriction = format!(
        "</saml:AudienceRestriction><saml:AudienceRestriction><saml:Audience>{}</saml:Audience>\
         </saml:AudienceRestriction>",
        forger::US
    );
    let one_time = "</saml:AudienceRestriction><saml:OneTimeUse></saml:OneTimeUse>";
    let audience_end = "</saml:AudienceRestriction>";
    let another_confirmation = "<saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:sender-vouches\">\
                                </saml:SubjectConfirmation><saml:SubjectConfirmation Method";
    let keycloak = "<saml:Attribute Name=\"groups\"><saml:AttributeValue>readers</saml:AttributeValue>\
                    </saml:Attribute></saml:AttributeStatement>";
    let short_tags = bent(&honest, "></samlp:StatusCode>", "/>");
    let indented = honest
        .replace("><samlp:Status>", ">\n  <samlp:Status>\n    ")
        .replace("</samlp:Response>", "\n</samlp:Response>\n");
    let declared = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{honest}");
    let marked = format!("\u{FEFF}{honest}");
    let by_default = honest.replace("samlp:", "").replace("xmlns:samlp", "xmlns");
    let quoted = honest.replace(" Version=\"2.0\">", "\n   Version='2.0' >");
    let no_issuer =
        bent(&honest, &format!("<saml:Issuer xmlns:saml=\"{}\">{IDP}</saml:Issuer>", forger::ASSERTION), "");
    let no_destination = bent(&honest, &format!(" Destination=\"{}\"", forger::ACS), "");
    let schema = bent(
        &honest,
        "<samlp:Response ",
        "<samlp:Response xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:schemaLocation=\"urn:oasis:names:tc:SAML:2.0:protocol http://127.0.0.1:1/schema.xsd\" ",
    );
    let accepted = [
        ("only the assertion signed", honest.clone()),
        ("only the response signed", draft().response_signed(&pen)),
        ("both signed", draft().both_signed(&pen)),
        ("both signed, without a hint about the key", draft().both_signed(&no_key_info)),
        ("SHA-512", draft().both_signed(&sha512)),
        ("a list of prefixes", draft().both_signed(&listing_prefixes)),
        ("several audiences", draft().assertion(audience_end, others_too).assertion_signed(&pen)),
        (
            "two restrictions that both name us",
            draft().assertion(audience_end, &second_restriction).both_signed(&pen),
        ),
        ("for one use", draft().assertion(audience_end, one_time).both_signed(&pen)),
        (
            "another confirmation first",
            draft().assertion("<saml:SubjectConfirmation Method", another_confirmation).both_signed(&pen),
        ),
        (
            "an attribute in pieces",
            draft().assertion("</saml:AttributeStatement>", keycloak).both_signed(&pen),
        ),
        ("no end of the session", {
            let end = format!(" SessionNotOnOrAfter=\"{}\"", at(28_800));
            draft().assertion(&end, "").both_signed(&pen)
        }),
        ("fractions of seconds", {
            let fraction = at(-5).replace('Z', ".123Z");
            draft()
                .assertion(&format!("AuthnInstant=\"{}\"", at(-5)), &format!("AuthnInstant=\"{fraction}\""))
                .both_signed(&pen)
        }),
        ("a name in blanks", draft().assertion(">ada<", ">\n      ada \n<").both_signed(&pen)),
        ("short tags", short_tags),
        ("indentation", indented),
        ("a declaration", declared),
        ("a byte order mark", marked),
        ("the protocol as default namespace", by_default),
        ("other quotes and blanks", quoted),
        ("an unsigned response without an issuer", no_issuer),
        ("an unsigned response without a destination", no_destination),
        ("a schema that nobody fetches", schema),
    ];
    for (name, text) in &accepted {
        let statement = read(&presented(text, &[&idp], &[]));
        assert_eq!(statement.map(|statement| statement.name.value), Ok("ada".to_owned()), "{name}:\n{text}");
    }
}

#[test]
fn every_hash_that_is_good_is_read_by_either_kind_of_key() {
    let (idp, curve) = (Idp::rsa(), Idp::ec());
    let more = "http://www.w3.org/2001/04/xmldsig-more#";
    let encryption = "http://www.w3.org/2001/04/xmlenc#";
    let hashes = [
        ("sha256", encryption, MessageDigest::sha256()),
        ("sha384", more, MessageDigest::sha384()),
        ("sha512", encryption, MessageDigest::sha512()),
    ];
    for (signer, kind) in [(&idp, "rsa"), (&curve, "ecdsa")] {
        for (name, _, signing) in hashes {
            for (digest_name, space, digest) in hashes {
                let mut pen = signer.pen().method(&format!("{more}{kind}-{name}"), signing);
                pen.digest = (format!("{space}{digest_name}"), digest);
                let read = read(&presented(&draft().both_signed(&pen), &[signer], &[]));
                assert_eq!(
                    read.map(|statement| statement.name.value),
                    Ok("ada".to_owned()),
                    "{kind} {name} {digest_name}"
                );
            }
        }
    }
}

#[test]
fn base64_may_be_broken_into_lines() {
    let idp = Idp::rsa();
    let mut presented = presented(&draft().both_signed(&idp.pen()), &[&idp], &[]);
    let lines: Vec<&str> =
        presented.response.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    presented.response = format!(" {}\r\n", lines.join("\r\n"));
    assert_eq!(read(&presented).unwrap().name.value, "ada");
}

#[test]
fn two_certificates_at_once_are_tried_each_whatever_their_kind_case_83() {
    let (old, new, curve) = (Idp::rsa(), Idp::rsa(), Idp::ec());
    for order in [[&curve, &old, &new], [&new, &curve, &old], [&old, &new, &curve]] {
        for signer in [&old, &new, &curve] {
            let statement = read(&presented(&draft().both_signed(&signer.pen()), &order, &[])).unwrap();
            let signed_by =
                vestibule::saml::Certificate::from_der(&signer.certificate.to_der().unwrap()).unwrap();
            assert_eq!(statement.signed_by, signed_by.fingerprint);
        }
    }
    // One of them for the response, the other for its assertion.
    let split = old.pen().on(&draft().response.replace("{assertion}", &new.pen().on(&draft().assertion)));
    for order in [[&old, &new, &curve], [&curve, &new, &old]] {
        assert_eq!(read(&presented(&split, &order, &[])).unwrap().name.value, "ada");
    }
    for missing in [&old, &new] {
        assert_eq!(read(&presented(&split, &[missing, &curve], &[])).unwrap_err(), Reason::BadSignature);
    }
    let gone = read(&presented(&draft().both_signed(&old.pen()), &[&new, &curve], &[]));
    assert_eq!(gone.unwrap_err(), Reason::BadSignature);
    let none_of_its_kind = read(&presented(&draft().both_signed(&old.pen()), &[&curve], &[]));
    assert_eq!(none_of_its_kind.unwrap_err(), Reason::KeyKind);
}

#[test]
fn clocks_may_be_ninety_seconds_apart_and_not_a_microsecond_more_case_81() {
    let idp = Idp::rsa();
    let pen = idp.pen();
    let micro = TimeDelta::microseconds(1);
    let reading = |text: &str, now| {
        let mut presented = presented(text, &[&idp], &[]);
        presented.now = now;
        read(&presented).map(drop)
    };
    let moved = |from: &str, to: &str| draft().assertion(from, to).both_signed(&pen);
    let conditions = |until: i64| {
        moved(
            &format!("<saml:Conditions NotBefore=\"{}\" NotOnOrAfter=\"{}\">", at(-5), at(300)),
            &format!("<saml:Conditions NotBefore=\"{}\" NotOnOrAfter=\"{}\">", at(0), at(until)),
        )
    };
    let issued = |seconds: i64| {
        let (from, to) =
            (format!("IssueInstant=\"{}\"", at(-5)), format!("IssueInstant=\"{}\"", at(seconds)));
        draft().assertion(&from, &to).response(&from, &to).both_signed(&pen)
    };

    // Ends: the moment itself is too late.
    let text = conditions(10);
    let end = now() + TimeDelta::seconds(10 + 90);
    assert_eq!(reading(&text, end - micro), Ok(()));
    assert_eq!(reading(&text, end), Err(Reason::Expired));
    let text = moved(
        &format!("NotOnOrAfter=\"{}\" Recipient", at(300)),
        &format!("NotOnOrAfter=\"{}\" Recipient", at(10)),
    );
    assert_eq!(reading(&text, end - micro), Ok(()));
    assert_eq!(reading(&text, end), Err(Reason::ConfirmationExpired));

    // Beginnings: the moment itself is early enough. Issued long before, so that only this one time is near.
    let text = draft()
        .assertion(&format!("NotBefore=\"{}\"", at(-5)), &format!("NotBefore=\"{}\"", at(90)))
        .both_signed(&pen);
    assert_eq!(reading(&text, now()), Ok(()));
    assert_eq!(reading(&text, now() - micro), Err(Reason::NotYetValid));
    let text = draft()
        .assertion("NotOnOrAfter=", &format!("NotBefore=\"{}\" NotOnOrAfter=", at(90)))
        .both_signed(&pen);
    assert_eq!(reading(&text, now()), Ok(()));
    assert_eq!(reading(&text, now() - micro), Err(Reason::ConfirmationNotYetValid));
    let text = issued(90);
    assert_eq!(reading(&text, now()), Ok(()));
    assert_eq!(reading(&text, now() - micro), Err(Reason::IssuedInTheFuture));

    // The request was sent thirty seconds ago: what answers it is no older, give or take the clocks.
    assert_eq!(reading(&issued(-119), now()), Ok(()));
    assert_eq!(reading(&issued(-120), now()), Err(Reason::IssuedBeforeTheRequest));

    // The end of the session has no skew: it would be over at once.
    let session = |seconds: i64| {
        moved(
            &format!("SessionNotOnOrAfter=\"{}\"", at(28_800)),
            &format!("SessionNotOnOrAfter=\"{}\"", at(seconds)),
        )
    };
    assert_eq!(reading(&session(1), now()), Ok(()));
    assert_eq!(reading(&session(0), now()), Err(Reason::SessionOver));
}

#[test]
fn asked_to_sign_in_again_only_a_newer_sign_in_will_do_case_73() {
    let idp = Idp::rsa();
    let with = |seconds: i64| {
        let (from, to) =
            (format!("AuthnInstant=\"{}\"", at(-5)), format!("AuthnInstant=\"{}\"", at(seconds)));
        let mut presented = presented(&draft().assertion(&from, &to).both_signed(&idp.pen()), &[&idp], &[]);
        presented.request.force_authn = true;
        read(&presented).map(drop)
    };
    assert_eq!(with(-5), Ok(()));
    assert_eq!(with(-119), Ok(()));
    assert_eq!(with(-120), Err(Reason::SignedInTooLongAgo));
    assert_eq!(with(-3_600), Err(Reason::SignedInTooLongAgo));
    assert_eq!(with(91), Err(Reason::SignedInInTheFuture));
}

#[test]
fn names_are_kept_letter_for_letter() {
    let idp = Idp::rsa();
    let named = |from: &str, to: &str| {
        let text = draft().assertion(from, to).both_signed(&idp.pen());
        read(&presented(&text, &[&idp], &[])).map(|statement| statement.name)
    };
    for (written, meant) in [
        ("Ada", "Ada"),
        ("ADA", "ADA"),
        ("аda", "аda"),
        ("Ådå", "Ådå"),
        ("&lt;script&gt;&amp;amp;", "<script>&amp;"),
        ("ada lovelace", "ada lovelace"),
        (&"a".repeat(256), &"a".repeat(256)),
    ] {
        assert_eq!(named(">ada<", &format!(">{written}<")).unwrap().value, meant);
    }
    let email = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
    assert_eq!(named(PERSISTENT, email).unwrap().format, NameFormat::Email);
}

#[test]
fn an_assertion_wrapped_anew_keeps_the_id_that_is_remembered() {
    let idp = Idp::rsa();
    let first = read(&presented(&draft().assertion_signed(&idp.pen()), &[&idp], &[])).unwrap();
    let again = draft().response("ID=\"_response\"", "ID=\"_wrapped-anew\"").assertion_signed(&idp.pen());
    let second = read(&presented(&again, &[&idp], &[])).unwrap();
    assert_eq!(first.assertion_id, second.assertion_id);
    assert_eq!(first.remember_until, second.remember_until);
}

#[test]
fn the_sender_of_a_response_can_be_looked_up_before_anything_is_proved() {
    let text = draft().unsigned();
    let origin = vestibule::saml::read_origin(&presented(&text, &[&Idp::ec()], &[]).response).unwrap();
    assert_eq!(origin.issuer.as_deref(), Some(IDP));
    assert_eq!(origin.in_response_to.as_deref(), Some(REQUEST));
    assert_eq!(vestibule::saml::read_origin("!").unwrap_err(), Reason::NotBase64);
}

#[test]
fn a_certificate_counts_in_its_lifetime_only() {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    for (from, until, wanted) in [
        (-30, 365, Ok(())),
        (-365, -1, Err(Reason::CertificateExpired)),
        (1, 365, Err(Reason::CertificateNotYetValid)),
    ] {
        let idp = Idp::with(key.clone(), from, until);
        let text = draft().both_signed(&idp.pen());
        assert_eq!(read(&presented(&text, &[&idp], &[])).map(drop), wanted);
    }
}
