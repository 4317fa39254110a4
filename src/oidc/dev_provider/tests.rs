use super::*;
use crate::oidc::{
    Expected, ExpectedLogout, Transport,
    profile::{AddressTrust, email, name},
    read_id_token, read_keys, read_logout_token, read_metadata, read_userinfo,
    tests::now,
};

const ISSUER: &str = "http://localhost:3000/dev/oidc";

fn one() -> DevProvider {
    let keys = Keys::derive("the key of a site that stands for one test", &[]).unwrap();
    DevProvider::of(&keys, ISSUER.to_owned()).unwrap()
}

#[test]
fn what_it_signs_passes_every_check() {
    let gina = Known {
        subject: "gina",
        email: Some(("gina@demo.example", true)),
        name: "Gina",
        group: Some("owners"),
    };
    let metadata = read_metadata(&one().metadata().to_string(), ISSUER, Transport::Plain).unwrap();
    let keys = read_keys(&one().keys().to_string()).unwrap();
    let answered = Answered {
        client_id: "vestibule",
        nonce: Some("n"),
        access_token: "a",
        session_id: "s",
        authenticated_at: now(),
    };
    let expected = Expected {
        metadata: &metadata,
        keys: &keys,
        client_id: "vestibule",
        nonce: "n",
        requested_at: now(),
        subject_claim: "sub",
        access_token: Some("a"),
        reauthentication: true,
        now: now(),
    };
    // Another process with the same secret has the same key.
    let token = read_id_token(&one().id_token(&gina, &answered, now()).unwrap(), &expected).unwrap();
    assert_eq!((token.subject.as_str(), token.session_id.as_deref()), ("gina", Some("s")));
    assert!(email(&token.claims, AddressTrust::Stated).unwrap().is_verified);
    assert_eq!(
        (name(&token.claims).as_deref(), token.claims.texts("groups")),
        (Some("Gina"), vec!["owners"])
    );

    let expected = ExpectedLogout {
        metadata: &metadata,
        keys: &keys,
        client_id: "vestibule",
        subject_claim: "sub",
        now: now(),
    };
    let logout =
        read_logout_token(&one().logout_token(&gina, "vestibule", "j", now()).unwrap(), &expected).unwrap();
    assert_eq!((logout.subject.as_deref(), logout.session_id), (Some("gina"), None));

    let iris = Known { subject: "iris", email: None, name: "Iris", group: None };
    let body = DevProvider::userinfo(&iris).to_string();
    let claims = read_userinfo(200, Some("application/json"), &body, "iris").unwrap();
    assert_eq!(email(&claims, AddressTrust::Always), None);
}
