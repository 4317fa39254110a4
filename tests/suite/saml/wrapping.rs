//! Signature wrapping: an honest signature, and something else beside, around or inside what it covers.

use vestibule::saml::Reason;

use super::{
    Forgery, all_refused,
    forger::{ASSERTION, Idp, bent, draft, mallory, presented, signature_in},
};

#[test]
pub fn a_second_assertion_is_refused_wherever_it_is_wrapped() {
    let idp = Idp::rsa();
    let pen = idp.pen();
    let mut forgeries: Vec<Forgery> = Vec::new();
    // Each shape with the forged ID fresh and with the honest one twice.
    for (is_fresh, id) in [(true, "_forged"), (false, "_assertion")] {
        let honest = pen.on(&draft().assertion);
        let signature = signature_in(&honest);
        let bare = honest.replace(&signature, "");
        let forged = mallory(&bare.replace("ID=\"_assertion\"", &format!("ID=\"{id}\"")));
        let shell = |inside: &str| draft().carrying(inside, None);
        let with_signature =
            |text: &str, signature: &str| bent(text, "</saml:Issuer>", &format!("</saml:Issuer>{signature}"));
        let object = |inside: &str| {
            bent(&signature, "</ds:Signature>", &format!("<ds:Object>{inside}</ds:Object></ds:Signature>"))
        };
        let extensions = |inside: &str| {
            bent(
                &shell(&honest),
                "<samlp:Status>",
                &format!("<samlp:Extensions>{inside}</samlp:Extensions><samlp:Status>"),
            )
        };
        let advice = |inside: &str| format!("<saml:Advice>{inside}</saml:Advice><saml:AuthnStatement");

        // One and two: the signed response inside another one.
        let whole = draft().response_signed(&pen);
        let whole_signature = signature_in(&whole);
        let whole_bare = whole.replace(&whole_signature, "");
        let response_id = if is_fresh { "_other" } else { "_response" };
        let evil = mallory(&whole_bare.replace("ID=\"_response\"", &format!("ID=\"{response_id}\"")));
        let object_with_whole = bent(
            &whole_signature,
            "</ds:Signature>",
            &format!("<ds:Object>{whole_bare}</ds:Object></ds:Signature>"),
        );
        forgeries.push((
            "1: the honest response inside the signature",
            with_signature(&evil, &object_with_whole),
            Reason::SignatureObject,
        ));
        forgeries.push((
            "2: the honest response beside the signature",
            with_signature(&evil, &format!("{whole_bare}{whole_signature}")),
            Reason::MisplacedAssertion,
        ));
        // Three to eight: assertions.
        forgeries.push((
            "3: the forged assertion first",
            shell(&format!("{forged}{honest}")),
            Reason::ManyAssertions,
        ));
        forgeries.push((
            "3: the forged assertion last",
            shell(&format!("{honest}{forged}")),
            Reason::ManyAssertions,
        ));
        forgeries.push((
            "4: the honest assertion inside the forged one",
            shell(&bent(&forged, "</saml:Assertion>", &format!("{honest}</saml:Assertion>"))),
            Reason::MisplacedAssertion,
        ));
        forgeries.push((
            "4: the forged assertion inside the honest one",
            shell(&bent(&honest, "</saml:Assertion>", &format!("{forged}</saml:Assertion>"))),
            Reason::MisplacedAssertion,
        ));
        forgeries.push((
            "5: the forged assertion bears the signature",
            shell(&format!("{}{bare}", with_signature(&forged, &signature))),
            Reason::ManyAssertions,
        ));
        forgeries.push((
            "6: the honest assertion in the signature of the forged one",
            shell(&with_signature(
                &forged,
                &bent(&signature, "</ds:Signature>", &format!("{bare}</ds:Signature>")),
            )),
            Reason::MisplacedAssertion,
        ));
        forgeries.push((
            "7: the forged assertion in extensions",
            extensions(&forged),
            Reason::MisplacedAssertion,
        ));
        forgeries.push((
            "7: deep in extensions",
            extensions(&format!("<a><b>{forged}</b></a>")),
            Reason::MisplacedAssertion,
        ));
        forgeries.push((
            "7: the honest assertion in extensions",
            bent(&extensions(&honest), "</samlp:Status>", "</samlp:Status>").replacen(
                &format!("</samlp:Status>{honest}"),
                &format!("</samlp:Status>{forged}"),
                1,
            ),
            Reason::MisplacedAssertion,
        ));
        forgeries.push((
            "8: the honest assertion in the object of the signature",
            shell(&with_signature(&forged, &object(&bare))),
            Reason::SignatureObject,
        ));
        forgeries.push((
            "8: the forged assertion in the object of the signature",
            shell(&bent(&honest, &signature, &object(&forged))),
            Reason::SignatureObject,
        ));
        forgeries.push((
            "the forged assertion as advice",
            shell(&bent(&honest, "<saml:AuthnStatement", &advice(&forged))),
            Reason::MisplacedAssertion,
        ));
        forgeries.push((
            "the honest assertion as advice",
            shell(&bent(&forged, "<saml:AuthnStatement", &advice(&honest))),
            Reason::MisplacedAssertion,
        ));
        // Named by nobody's namespace, or another one.
        let alien = forged.replace("saml:Assertion", "x:Assertion").replacen(
            "xmlns:saml",
            "xmlns:x=\"urn:x\" xmlns:saml",
            1,
        );
        forgeries.push((
            "an assertion of another namespace beside",
            shell(&format!("{honest}{alien}")),
            Reason::ManyAssertions,
        ));
        forgeries.push((
            "an assertion of another namespace alone",
            shell(&alien),
            Reason::MisplacedAssertion,
        ));
        let sealed =
            format!("<saml:EncryptedAssertion xmlns:saml=\"{ASSERTION}\"></saml:EncryptedAssertion>");
        forgeries.push((
            "an encrypted one beside",
            shell(&format!("{honest}{sealed}")),
            Reason::ManyAssertions,
        ));
    }
    assert_eq!(forgeries.len(), 36);
    all_refused(forgeries, |text| presented(text, &[&idp], &[]));
}
