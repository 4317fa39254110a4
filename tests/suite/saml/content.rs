//! Honest words that are not for us, not for now, or not enough.

use vestibule::saml::Reason;

use super::{
    all_refused,
    forger::{self, ACS, IDP, Idp, PERSISTENT, PROTOCOL, REQUEST, US, at, cut, draft, presented},
    read,
};

#[test]
pub fn each_time_and_each_address_is_held_against_ours() {
    let idp = Idp::rsa();
    let pen = idp.pen();
    let inner = |from: &str, to: &str| draft().assertion(from, to).both_signed(&pen);
    let outer = |from: &str, to: &str| draft().response(from, to).both_signed(&pen);
    let lone = |from: &str, to: &str| draft().response(from, to).assertion_signed(&pen);
    let (issued, until) = (at(-5), at(300));
    let time =
        |name: &str, old: &str, new: &str| inner(&format!("{name}=\"{old}\""), &format!("{name}=\"{new}\""));
    let conditions = format!("<saml:Conditions NotBefore=\"{issued}\" NotOnOrAfter=\"{until}\">");
    let restriction =
        format!("<saml:AudienceRestriction><saml:Audience>{US}</saml:Audience></saml:AudienceRestriction>");
    let confirmation =
        cut(&draft().assertion, "<saml:SubjectConfirmation ", "</saml:SubjectConfirmation>").to_owned();
    let statement = cut(&draft().assertion, "<saml:AuthnStatement", "</saml:AuthnStatement>").to_owned();
    let status = cut(&draft().response, "<samlp:Status>", "</samlp:Status>").to_owned();
    let failing = "urn:oasis:names:tc:SAML:2.0:status:Requester";
    let success = "urn:oasis:names:tc:SAML:2.0:status:Success";
    let wrong = "https://wrong.example";
    all_refused(
        vec![
            // Times, each alone.
            (
                "the conditions are over",
                inner(&conditions, &conditions.replace(&until, &at(-91))),
                Reason::Expired,
            ),
            (
                "the conditions are not yet",
                inner(&conditions, &conditions.replace(&issued, &at(91))),
                Reason::NotYetValid,
            ),
            (
                "the conditions never end in words",
                inner(&conditions, &conditions.replace(&until, "never")),
                Reason::UnreadableTime,
            ),
            (
                "the conditions begin on no day",
                inner(&conditions, &conditions.replace(&issued, "2026-02-30T00:00:00Z")),
                Reason::UnreadableTime,
            ),
            ("the confirmation is over", time("NotOnOrAfter", &until, &at(-91)), Reason::ConfirmationExpired),
            (
                "the confirmation is not yet",
                inner("NotOnOrAfter=", &format!("NotBefore=\"{}\" NotOnOrAfter=", at(91))),
                Reason::ConfirmationNotYetValid,
            ),
            (
                "the confirmation never ends",
                inner(&format!(" NotOnOrAfter=\"{until}\" Recipient"), " Recipient"),
                Reason::NoConfirmationTime,
            ),
            ("the confirmation ends in words", time("NotOnOrAfter", &until, "soon"), Reason::UnreadableTime),
            (
                "the assertion is from the future",
                time("IssueInstant", &issued, &at(91)),
                Reason::IssuedInTheFuture,
            ),
            (
                "the assertion is from the end of time",
                time("IssueInstant", &issued, "9999-12-31T23:59:59Z"),
                Reason::IssuedInTheFuture,
            ),
            (
                "the assertion is older than the request",
                time("IssueInstant", &issued, &at(-121)),
                Reason::IssuedBeforeTheRequest,
            ),
            (
                "the assertion is from no time",
                inner(&format!(" IssueInstant=\"{issued}\""), ""),
                Reason::UnreadableTime,
            ),
            ("the response is from the future", outer(&issued, &at(91)), Reason::IssuedInTheFuture),
            (
                "the response is older than the request",
                outer(&issued, &at(-121)),
                Reason::IssuedBeforeTheRequest,
            ),
            (
                "the response is from no time",
                outer(&format!(" IssueInstant=\"{issued}\""), ""),
                Reason::UnreadableTime,
            ),
            ("the unsigned response is from the future", lone(&issued, &at(91)), Reason::IssuedInTheFuture),
            (
                "beginnings at the end of time",
                inner(&conditions, &conditions.replace(&issued, "9999-12-31T23:59:59Z")),
                Reason::NotYetValid,
            ),
            (
                "ends before time",
                inner(&conditions, &conditions.replace(&until, "0001-01-01T00:00:00Z")),
                Reason::Expired,
            ),
            (
                "a year of many digits",
                time("IssueInstant", &issued, "262143-12-31T23:59:59Z"),
                Reason::UnreadableTime,
            ),
            ("a sign-in in the future", time("AuthnInstant", &issued, &at(91)), Reason::SignedInInTheFuture),
            (
                "a sign-in at no time",
                inner(&format!(" AuthnInstant=\"{issued}\""), ""),
                Reason::UnreadableTime,
            ),
            (
                "a session that is over",
                time("SessionNotOnOrAfter", &at(28_800), &at(-1)),
                Reason::SessionOver,
            ),
            (
                "a session that ends in words",
                time("SessionNotOnOrAfter", &at(28_800), "tonight"),
                Reason::UnreadableTime,
            ),
            // Addresses.
            ("another audience", inner(US, wrong), Reason::WrongAudience),
            (
                "an audience that only begins like us",
                inner(&format!(">{US}<"), &format!(">{US}.evil<")),
                Reason::WrongAudience,
            ),
            (
                "our audience in capitals",
                inner(&format!(">{US}<"), &format!(">{}<", US.to_uppercase())),
                Reason::WrongAudience,
            ),
            (
                "an audience of nobody",
                inner(&format!("<saml:Audience>{US}</saml:Audience>"), ""),
                Reason::WrongAudience,
            ),
            (
                "a second restriction without us",
                inner(&restriction, &format!("{restriction}{}", restriction.replace(US, wrong))),
                Reason::WrongAudience,
            ),
            ("no restriction", inner(&restriction, ""), Reason::NoConditions),
            (
                "no conditions",
                inner(&format!("{conditions}{restriction}</saml:Conditions>"), ""),
                Reason::NoConditions,
            ),
            (
                "conditions twice",
                inner(
                    &format!("{conditions}{restriction}</saml:Conditions>"),
                    &format!("{conditions}{restriction}</saml:Conditions>").repeat(2),
                ),
                Reason::NoConditions,
            ),
            (
                "a condition that nobody knows",
                inner(&restriction, &format!("{restriction}<saml:Condition></saml:Condition>")),
                Reason::UnknownCondition,
            ),
            (
                "another recipient",
                inner(&format!("Recipient=\"{ACS}\""), "Recipient=\"https://wrong.example\""),
                Reason::WrongRecipient,
            ),
            ("no recipient", inner(&format!(" Recipient=\"{ACS}\""), ""), Reason::NoRecipient),
            ("another destination", outer(ACS, wrong), Reason::WrongDestination),
            ("another destination, unsigned", lone(ACS, wrong), Reason::WrongDestination),
            (
                "no destination on a signed response",
                outer(&format!(" Destination=\"{ACS}\""), ""),
                Reason::NoDestination,
            ),
            (
                "another issuer of the assertion",
                inner(&format!(">{IDP}<"), ">https://other.example<"),
                Reason::WrongIssuer,
            ),
            (
                "no issuer of the assertion",
                inner(&format!("<saml:Issuer>{IDP}</saml:Issuer>"), ""),
                Reason::WrongIssuer,
            ),
            (
                "two issuers of the assertion",
                inner(
                    &format!("<saml:Issuer>{IDP}</saml:Issuer>"),
                    &format!("<saml:Issuer>{IDP}</saml:Issuer>").repeat(2),
                ),
                Reason::WrongIssuer,
            ),
            (
                "another issuer of the response",
                outer(&format!(">{IDP}<"), ">https://other.example<"),
                Reason::WrongIssuer,
            ),
            (
                "another issuer of the unsigned response",
                lone(&format!(">{IDP}<"), ">https://other.example<"),
                Reason::WrongIssuer,
            ),
            // What was asked.
            ("the response answers another request", outer(REQUEST, "_another"), Reason::WrongRequest),
            (
                "the unsigned response answers another request",
                lone(REQUEST, "_another"),
                Reason::WrongRequest,
            ),
            (
                "the response answers nothing",
                outer(&format!(" InResponseTo=\"{REQUEST}\""), ""),
                Reason::Unsolicited,
            ),
            (
                "the unsigned response answers nothing",
                lone(&format!(" InResponseTo=\"{REQUEST}\""), ""),
                Reason::Unsolicited,
            ),
            ("the confirmation answers another request", inner(REQUEST, "_another"), Reason::WrongRequest),
            (
                "the confirmation answers nothing",
                inner(&format!(" InResponseTo=\"{REQUEST}\""), ""),
                Reason::Unsolicited,
            ),
            (
                "neither answers anything",
                draft()
                    .assertion(&format!(" InResponseTo=\"{REQUEST}\""), "")
                    .response(&format!(" InResponseTo=\"{REQUEST}\""), "")
                    .both_signed(&pen),
                Reason::Unsolicited,
            ),
            ("the request with a blank", outer(REQUEST, &format!("{REQUEST} ")), Reason::WrongRequest),
            // What is said.
            ("a failure", outer(success, failing), Reason::StatusFailed),
            ("a failure, unsigned, over a signed assertion", lone(success, failing), Reason::StatusFailed),
            ("no status", outer(&status, ""), Reason::StatusFailed),
            ("two statuses", outer(&status, &status.repeat(2)), Reason::StatusFailed),
            (
                "version 1.1 of the response",
                outer("Version=\"2.0\"", "Version=\"1.1\""),
                Reason::WrongVersion,
            ),
            (
                "version 1.1 of the assertion",
                inner("Version=\"2.0\"", "Version=\"1.1\""),
                Reason::WrongVersion,
            ),
            ("no version", outer(" Version=\"2.0\"", ""), Reason::WrongVersion),
            ("a version to come", outer("Version=\"2.0\"", "Version=\"2.00\""), Reason::WrongVersion),
            ("no statement", inner(&statement, ""), Reason::NoStatement),
            ("no confirmation", inner(&confirmation, ""), Reason::NoBearer),
            ("no bearer", inner("cm:bearer", "cm:holder-of-key"), Reason::NoBearer),
            (
                "a bearer of nothing",
                inner(
                    &confirmation,
                    "<saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"></saml:SubjectConfirmation>",
                ),
                Reason::NoBearer,
            ),
            ("the assertion alone", pen.on(&draft().assertion), Reason::NotAResponse),
            (
                "a response of SAML 1",
                outer(PROTOCOL, "urn:oasis:names:tc:SAML:1.0:protocol"),
                Reason::NotAResponse,
            ),
            (
                "a request",
                draft().unsigned().replace("samlp:Response", "samlp:AuthnRequest"),
                Reason::NotAResponse,
            ),
            (
                "a failure without an assertion",
                draft().response(success, failing).carrying("", None),
                Reason::StatusFailed,
            ),
            ("no assertion", draft().carrying("", Some(&pen)), Reason::NoAssertion),
            // Names.
            (
                "no subject",
                inner(cut(&draft().assertion, "<saml:Subject>", "</saml:Subject>"), ""),
                Reason::NoName,
            ),
            (
                "no name",
                inner(&format!("<saml:NameID Format=\"{PERSISTENT}\">ada</saml:NameID>"), ""),
                Reason::NoName,
            ),
            (
                "two names",
                inner(
                    "</saml:NameID>",
                    &format!("</saml:NameID><saml:NameID Format=\"{PERSISTENT}\">eve</saml:NameID>"),
                ),
                Reason::NoName,
            ),
            (
                "an encrypted name",
                inner(
                    &format!("<saml:NameID Format=\"{PERSISTENT}\">ada</saml:NameID>"),
                    "<saml:EncryptedID></saml:EncryptedID>",
                ),
                Reason::EncryptionShape,
            ),
            ("an empty name", inner(">ada<", "><"), Reason::BadName),
            ("a blank name", inner(">ada<", "> \n <"), Reason::BadName),
            ("a very long name", inner(">ada<", &format!(">{}<", "a".repeat(257))), Reason::BadName),
            ("a name with a line in it", inner(">ada<", ">ada\neve<"), Reason::BadName),
            ("a name with an element in it", inner(">ada<", ">ad<b></b>a<"), Reason::BadName),
            (
                "a passing name",
                inner(PERSISTENT, "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"),
                Reason::NameFormat,
            ),
            (
                "an unspecified name",
                inner(PERSISTENT, "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"),
                Reason::NameFormat,
            ),
            ("a name of no format", inner(&format!(" Format=\"{PERSISTENT}\""), ""), Reason::NameFormat),
            // Attributes.
            (
                "two addresses in one",
                inner(
                    "<saml:AttributeValue>ada@example.com",
                    "<saml:AttributeValue>eve@example.com</saml:AttributeValue><saml:AttributeValue>ada@example.com",
                ),
                Reason::ManyValues,
            ),
            (
                "two attributes for the address",
                inner("<saml:Attribute Name=\"groups\"", "<saml:Attribute Name=\"email\""),
                Reason::ManyValues,
            ),
            (
                "two statements with an address",
                inner(
                    "</saml:AttributeStatement>",
                    "</saml:AttributeStatement><saml:AttributeStatement><saml:Attribute Name=\"email\"><saml:AttributeValue>eve@example.com</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>",
                ),
                Reason::ManyValues,
            ),
            ("an address in pieces", inner("ada@example.com", "ada<b></b>@example.com"), Reason::ManyValues),
        ],
        |text| presented(text, &[&idp], &[]),
    );
}

#[test]
fn another_tenant_s_identity_provider_cannot_speak_for_ours_case_82() {
    let (ours, theirs) = (Idp::rsa(), Idp::rsa());
    let spoken = draft().both_signed(&theirs.pen());
    // At our connection their key is unknown; at theirs our name is.
    assert_eq!(read(&presented(&spoken, &[&ours], &[])).unwrap_err(), Reason::BadSignature);
    let mut at_theirs = presented(&spoken, &[&theirs], &[]);
    at_theirs.provider.entity_id = "https://theirs.example".to_owned();
    assert_eq!(read(&at_theirs).unwrap_err(), Reason::WrongIssuer);
}

#[test]
fn without_a_certificate_nothing_is_believed() {
    let idp = Idp::rsa();
    for text in [draft().unsigned(), draft().both_signed(&idp.pen())] {
        let mut presented = presented(&text, &[&idp], &[]);
        presented.provider.certificates.clear();
        assert_eq!(read(&presented).unwrap_err(), Reason::NoSigningCertificate);
    }
}

#[test]
fn metadata_that_was_good_until_yesterday_is_not_believed_today() {
    let idp = Idp::rsa();
    let mut presented = presented(&draft().both_signed(&idp.pen()), &[&idp], &[]);
    presented.provider.valid_until = Some(forger::now() - chrono::TimeDelta::seconds(90));
    assert_eq!(read(&presented).unwrap_err(), Reason::MetadataExpired);
}

#[test]
fn a_test_sign_in_is_shown_every_check_and_every_attribute() {
    let idp = Idp::rsa();
    let text = draft()
        .assertion(US, "https://wrong.example")
        .response("Success", "Responder")
        .both_signed(&idp.pen());
    let refusal = vestibule::saml::read_response(&presented(&text, &[&idp], &[])).unwrap_err();
    let failed: Vec<_> = refusal.checks.iter().filter_map(|check| check.failed).collect();
    assert_eq!(failed, [Reason::StatusFailed, Reason::WrongAudience]);
    assert!(refusal.checks.len() > 10);
    assert_eq!(refusal.attributes.len(), 3);
    let audience = refusal.checks.iter().find(|check| check.failed == Some(Reason::WrongAudience)).unwrap();
    assert_eq!(audience.found.as_deref(), Some("https://wrong.example"));

    // Of what nobody signed nothing is shown as received.
    let forged = vestibule::saml::read_response(&presented(&draft().unsigned(), &[&idp], &[])).unwrap_err();
    assert!(forged.attributes.is_empty());
}

#[test]
fn every_reason_has_a_name_and_a_sentence_of_its_own() {
    let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    let mut sentences: Vec<_> = Reason::ALL.iter().map(|reason| reason.sentence()).collect();
    for list in [&mut codes, &mut sentences] {
        let all = list.len();
        list.sort_unstable();
        list.dedup();
        assert_eq!(list.len(), all);
    }
    assert!(Reason::ALL.iter().all(|reason| reason.to_string().ends_with('.')));
}
