use jsonwebtoken::Algorithm;
use openssl::{nid::Nid, pkey::PKey};
use serde_json::{Map, json};

use super::*;
use crate::oidc::{
    Reason,
    apple::{self, AppleKey},
    github, google, microsoft,
    tests::{Signer, now},
};

fn claims(value: Value) -> Claims {
    Claims(value.as_object().unwrap().clone())
}

#[test]
fn an_address_counts_as_its_provider_says() {
    use AddressTrust::{Always, Apple, GitHub, Google, Microsoft, Never, Stated};
    let verified = |trust, stated: Value| {
        let stated = stated.as_object().unwrap().clone();
        let all = Map::from_iter(stated.into_iter().chain([("email".to_owned(), json!("ada@example.com"))]));
        email(&Claims(all), trust).unwrap().is_verified
    };
    for (claim, truths, others) in [
        ("email_verified", vec![(json!(true), vec![Google, GitHub, Apple, Stated])], vec![Microsoft]),
        ("email_verified", vec![(json!("true"), vec![Apple, Stated])], vec![Google, GitHub, Microsoft]),
        ("email_verified", Vec::new(), vec![Google, GitHub, Apple, Stated, Microsoft, Never]),
        (
            "xms_edov",
            [json!(true), json!(1), json!("1"), json!("true")].map(|truth| (truth, vec![Microsoft])).to_vec(),
            vec![Google, Apple, Stated, Never],
        ),
    ] {
        for (truth, trusting) in truths {
            let trusting = trusting.into_iter().map(|trust| (trust, true));
            for (trust, expected) in trusting.chain(others.iter().map(|trust| (*trust, false))) {
                assert_eq!(verified(trust, json!({claim: truth})), expected, "{trust:?} {claim} {truth}");
            }
        }
    }
    for falsehood in
        [json!(false), json!("false"), json!(0), json!("0"), json!("yes"), json!([true]), json!(null)]
    {
        for trust in [Google, GitHub, Microsoft, Apple, Stated, Never] {
            let claims = json!({"email_verified": falsehood, "xms_edov": falsehood});
            assert!(!verified(trust, claims), "{trust:?} {falsehood}");
        }
    }
    assert!(verified(Always, json!({"email_verified": false})));
    assert!(!verified(Never, json!({"email_verified": true, "xms_edov": true})));
    for odd in
        [json!({}), json!({"email": ""}), json!({"email": "ada"}), json!({"email": ["ada@example.com"]})]
    {
        assert_eq!(email(&claims(odd), Always), None);
    }
}

#[test]
fn user_information_verifies_no_other_address() {
    let mut token = claims(json!({"sub": "ada", "email": "ada@example.com"}));
    token.add_userinfo(claims(
        json!({"sub": "x", "email": "eve@example.com", "email_verified": true, "name": "Ada"}),
    ));
    assert!(!email(&token, AddressTrust::Stated).unwrap().is_verified);
    assert_eq!((token.text("sub"), name(&token).as_deref()), (Some("ada"), Some("Ada")));
    token.add_userinfo(claims(json!({"email": "ada@example.com", "email_verified": true})));
    assert!(email(&token, AddressTrust::Stated).unwrap().is_verified);
    let mut without = claims(json!({"sub": "ada"}));
    without.add_userinfo(claims(
        json!({"email": "ada@example.com", "email_verified": true, "groups": ["a", 1, "b"]}),
    ));
    assert!(email(&without, AddressTrust::Google).unwrap().is_verified);
    assert_eq!(without.texts("groups"), ["a", "b"]);
    // Whoever verified it stated so of no address at all.
    let mut odd = claims(json!({"sub": "ada", "email_verified": true}));
    odd.add_userinfo(claims(json!({"email": "eve@example.com", "email_verified": false})));
    assert!(!email(&odd, AddressTrust::Google).unwrap().is_verified);
}

#[test]
fn github_knows_people_by_number() {
    let read = |user: Value, emails: Value| github::read_user(&user.to_string(), &emails.to_string());
    let ada = json!({"id": 583_231, "login": "ada", "name": null, "email": "public@example.com", "plan": {}});
    let found = |emails: Value| {
        let claims = read(ada.clone(), emails).unwrap();
        email(&claims, AddressTrust::GitHub)
            .map(|found| (found.address.spelled().to_owned(), found.is_verified))
    };
    let entry = |email: &str, primary: bool, verified: bool| json!({"email": email, "primary": primary, "verified": verified, "visibility": null});
    let (one, two) = ("one@example.com".to_owned(), "two@example.com".to_owned());
    assert_eq!(found(json!([entry(&two, false, true), entry(&one, true, true)])), Some((one.clone(), true)));
    assert_eq!(found(json!([entry(&one, true, false), entry(&two, false, true)])), Some((two, true)));
    assert_eq!(found(json!([entry(&one, true, false)])), Some((one, false)));
    assert_eq!(found(json!([])), None, "the public address is on nobody's word");
    assert_eq!(found(json!([entry("1+ada@users.NoReply.github.com", true, true)])), None);
    let claims = read(ada.clone(), json!([])).unwrap();
    assert_eq!(
        (claims.identifier("sub"), name(&claims).as_deref(), known_as(&claims)),
        (Some("583231"), Some("ada"), Some("ada"))
    );
    for id in [json!(null), json!("583231"), json!(-1), json!(1.5), json!([1])] {
        let user = json!({"id": id, "login": "ada"});
        assert_eq!(read(user, json!([])), Err(Reason::BadUserinfo), "{id}");
    }
    assert_eq!(read(json!({"id": 0, "login": "ada"}), json!([])), Err(Reason::NoSubject));
    assert_eq!(read(ada.clone(), json!({"message": "Not Found"})), Err(Reason::BadUserinfo));
    assert_eq!(github::read_user("{\"id\":1,\"id\":2,\"login\":\"ada\"}", "[]"), Err(Reason::BadUserinfo));
}

#[test]
fn google_checks_the_domain_in_the_token() {
    let (one, two) = (["example.com".to_owned()], ["example.com".to_owned(), "example.org".to_owned()]);
    assert_eq!(
        [google::hosted_domain(&[]), google::hosted_domain(&one), google::hosted_domain(&two)],
        [None, Some("example.com"), Some("*")]
    );
    for (stated, domains, expected) in [
        (json!({"hd": "example.com"}), &one[..], Ok(())),
        (json!({"hd": "Example.org"}), &two, Ok(())),
        (json!({}), &[], Ok(())),
        (json!({}), &one, Err(Reason::AnotherDomain)),
        (json!({"hd": "example.org", "email": "ada@example.com"}), &one, Err(Reason::AnotherDomain)),
        (json!({"hd": ["example.com"]}), &one, Err(Reason::AnotherDomain)),
    ] {
        assert_eq!(google::check_domain(&claims(stated.clone()), domains), expected, "{stated}");
    }
}

#[test]
fn apple_gets_a_secret_that_lives_five_minutes() {
    let signer = Signer::ec("k", Nid::X9_62_PRIME256V1, "P-256", Algorithm::ES256);
    let pem = |der: &[u8]| {
        let pem = PKey::private_key_from_der(der).unwrap().private_key_to_pem_pkcs8().unwrap();
        String::from_utf8(pem).unwrap()
    };
    let key = AppleKey::read(&pem(signer.key.as_bytes()).replace('\n', "\r\n")).unwrap();
    let secret = key.client_secret("TEAM", "KEY", "com.example.web", now()).unwrap();
    let token = crate::oidc::jws::read(secret.reveal(), None, &[Algorithm::ES256]).unwrap();
    let keys = crate::oidc::tests::key_set(&[
        json!({"kid": "KEY", "kty": "EC", "crv": "P-256", "x": signer.jwk["x"], "y": signer.jwk["y"]}),
    ]);
    let signed = token.verify(&keys, &["iss", "aud", "exp", "sub"]).unwrap();
    let expected = json!({
        "iss": "TEAM", "sub": "com.example.web", "aud": apple::ISSUER,
        "iat": now().unix(), "exp": now().unix() + 300,
    });
    assert_eq!((signed.claims, signed.is_incomplete), (claims(expected), false));
    assert_eq!(format!("{key:?} {secret:?}"), "*** ***");
    let p384 = Signer::ec("k", Nid::SECP384R1, "P-384", Algorithm::ES384);
    for odd in ["", "a key", &pem(p384.key.as_bytes()), &pem(signer.key.as_bytes())[..90]] {
        assert_eq!(AppleKey::read(odd).map(|_| ()), Err(Reason::BadPrivateKey), "{odd}");
    }
}

#[test]
fn apples_user_is_a_name_and_nothing_else() {
    let long = format!(r#"{{"name":{{"firstName":"{}"}}}}"#, "a".repeat(201));
    for (user, expected) in [
        (
            r#"{"name":{"firstName":" Ada ","lastName":"Lovelace"},"email":"eve@example.com"}"#,
            Some("Ada Lovelace"),
        ),
        (r#"{"name":{"firstName":"Ada","lastName":""}}"#, Some("Ada")),
        (r#"{"name":{"firstName":"Ada","firstName":"Eve"}}"#, None),
        (r#"{"name":{"firstName":"A\u0000da"}}"#, None),
        (r#"{"name":"Ada"}"#, None),
        (r#"{"email":"ada@example.com"}"#, None),
        ("Ada", None),
        (&long, None),
    ] {
        assert_eq!(apple::name(user).as_deref(), expected, "{user}");
    }
}

#[test]
fn microsofts_metadata_is_where_its_tenant_is() {
    let consumers = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0";
    assert_eq!([microsoft::issuer("common"), microsoft::issuer("organizations")], [microsoft::ANY_TENANT; 2]);
    assert_eq!(microsoft::issuer("consumers"), consumers);
    let place = "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration";
    assert_eq!(microsoft::metadata_url("common"), place);
}
