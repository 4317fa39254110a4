//! The first test with their defaults, and what people do afterwards.

use serde_json::json;

use super::{House, Kind, NAME_CLAIM, OWNER, Pysaml2, Samlp, SimpleSamlPhp, person};
use crate::connections::again;

/// Its converter turns our metadata into the wish that requests be signed, and they are.
#[actix_web::test]
async fn simplesamlphp_reads_our_metadata_and_names_people_anew_each_time() {
    let Some(house) = House::with(SimpleSamlPhp).await else { return };
    let converted = house.tells(json!({})).await["converted"].clone();
    assert_eq!(converted["validate.authnrequest"], true, "{converted}");
    assert!(converted["keys"].as_array().is_some_and(|keys| !keys.is_empty()), "{converted}");
    let browser = house.app.browser();
    house.signs_in(&browser, &person("eve", &[])).await.is(403);
    let attempt = house.last_attempt().await;
    assert!(attempt["attempt"]["says"].as_str().unwrap().contains("nameid-format:transient"), "{attempt}");

    let form = json!({ "name": "Peer", "identifier": "uid" });
    again(&house.app, OWNER).await.put_json(&house.path, form).await.is(200);
    house.signs_in(&browser, &person("eve", &[])).await.goes_to("/me");
    assert_eq!(house.account(&browser).await.0, "eve@example.com");
}

#[actix_web::test]
async fn samlp_names_people_unspecified_and_an_attribute_of_its_identifies_them() {
    let Some(house) = House::with(Samlp).await else { return };
    let browser = house.app.browser();
    house.signs_in(&browser, &person("eve", &[])).await.is(403);
    let attempt = house.last_attempt().await;
    assert_eq!(attempt["attempt"]["outcome"], "name_format");
    assert!(attempt["attempt"]["says"].as_str().unwrap().contains("nameid-format:unspecified"));
    assert!(
        attempt["advice"].as_array().unwrap().iter().any(|advice| advice["provider"] == "Okta"),
        "{attempt}"
    );
    assert_eq!(attempt["detail"]["nameId"], "eve");

    let form = json!({ "name": "Peer", "identifier": NAME_CLAIM });
    again(&house.app, OWNER).await.put_json(&house.path, form).await.is(200);
    house.signs_in(&browser, &person("eve", &[])).await.goes_to("/me");
    assert_eq!(house.account(&browser).await.0, "eve@example.com");
}

#[actix_web::test]
async fn pysaml2_signs_with_sha_1_and_names_people_anew_each_time_until_it_is_told() {
    let Some(house) = House::with(Pysaml2).await else { return };
    let browser = house.app.browser();
    house.tells(json!({ "signsWithSha256": false })).await;
    house.signs_in(&browser, &person("eve", &[])).await.is(403);
    let attempts = house.acme.attempts(&house.app).await;
    assert_eq!(attempts, ["signature_algorithm"]);

    house.tells(json!({})).await;
    house.signs_in(&browser, &person("eve", &[])).await.is(403);
    let attempt = house.last_attempt().await;
    assert!(attempt["attempt"]["says"].as_str().unwrap().contains("nameid-format:transient"), "{attempt}");

    let form = json!({ "name": "Peer", "nameFormat": "persistent" });
    again(&house.app, OWNER).await.put_json(&house.path, form).await.is(200);
    house.signs_in(&browser, &person("eve", &[])).await.goes_to("/me");
    assert_eq!(house.account(&browser).await.0, "eve@example.com");
}

async fn people_come_again_with_other_groups_and_confirm_there(kind: Kind) {
    let Some(house) = House::ready(kind).await else { return };
    let (laptop, phone) = (house.app.browser(), house.app.browser());
    house.signs_in(&laptop, &person("eve", &["makers"])).await.goes_to("/me");
    assert_eq!(house.account(&laptop).await, ("eve@example.com".to_owned(), "editor".to_owned()));
    house.signs_in(&phone, &person("eve", &["makers", "owners"])).await.goes_to("/me");
    assert_eq!(house.account(&phone).await.1, "owner");
    house.signs_in(&phone, &person("eve", &[])).await.goes_to("/me");
    assert_eq!(house.account(&phone).await.1, "viewer");
    assert_eq!(house.app.count("users WHERE email = 'eve@example.com'").await, 1);

    // Step-up, and another person does not pass for her.
    for (who, status) in [("eve", 303), ("bob", 403)] {
        let query = house.leaves(&phone, "/auth/saml/confirm?next=%2Fme%2Femail", None).await;
        let page = house.peer.ask("signIn", json!({ "query": query, "person": person(who, &[]) }));
        house.comes_back(&phone, &page).await.is(status);
    }
    phone.get("/me/email").await.is(200);
}

#[actix_web::test]
async fn people_of_simplesamlphp_come_again_with_other_groups_and_confirm_there() {
    people_come_again_with_other_groups_and_confirm_there(SimpleSamlPhp).await;
}

#[actix_web::test]
async fn people_of_samlp_come_again_with_other_groups_and_confirm_there() {
    people_come_again_with_other_groups_and_confirm_there(Samlp).await;
}

#[actix_web::test]
async fn people_of_pysaml2_come_again_with_other_groups_and_confirm_there() {
    people_come_again_with_other_groups_and_confirm_there(Pysaml2).await;
}

async fn a_sign_in_may_begin_there(kind: Kind) {
    let Some(house) = House::ready(kind).await else { return };
    let browser = house.app.browser();
    let begins = || json!({ "person": person("eve", &[]), "relayState": "/me/security" });
    let page = house.peer.ask("signIn", begins());
    let refused = house.refused_or_asked(&page).await;
    assert_eq!(refused.status, 403);

    house.acme.sets(&house.app, "allows_idp_initiated = TRUE").await;
    let page = house.peer.ask("signIn", begins());
    house.refused_or_asked(&page).await.is(200).says("Sign in with <bdi>Acme</bdi>?");
    house.signs_in(&browser, &person("eve", &[])).await.goes_to("/me");
}

#[actix_web::test]
async fn a_sign_in_may_begin_at_simplesamlphp() {
    a_sign_in_may_begin_there(SimpleSamlPhp).await;
}

#[actix_web::test]
async fn a_sign_in_may_begin_at_samlp() {
    a_sign_in_may_begin_there(Samlp).await;
}

#[actix_web::test]
async fn a_sign_in_may_begin_at_pysaml2() {
    a_sign_in_may_begin_there(Pysaml2).await;
}

async fn an_owner_tests_and_reads_all_of_it(kind: Kind) {
    let Some(house) = House::ready(kind).await else { return };
    let query = house.leaves(&house.owner, &format!("{}/test", house.path), Some(json!({}))).await;
    let page = house.peer.ask("signIn", json!({ "query": query, "person": person("eve", &["makers"]) }));
    let to = house.posts(&house.owner, &page).await;
    let came = house.owner.get(&to).await.is(200).json();
    assert_eq!(came["attempt"]["succeeded"], true, "{came}");
    assert_eq!(
        (&came["detail"]["email"], &came["detail"]["role"]),
        (&json!("eve@example.com"), &json!("Editor"))
    );
    assert!(came["detail"]["checks"].as_array().unwrap().len() > 10);
    assert!(house.owner.get(&house.path).await.json()["connection"]["testedAt"].is_string());
}

#[actix_web::test]
async fn an_owner_tests_simplesamlphp_and_reads_all_of_it() {
    an_owner_tests_and_reads_all_of_it(SimpleSamlPhp).await;
}

#[actix_web::test]
async fn an_owner_tests_samlp_and_reads_all_of_it() {
    an_owner_tests_and_reads_all_of_it(Samlp).await;
}

#[actix_web::test]
async fn an_owner_tests_pysaml2_and_reads_all_of_it() {
    an_owner_tests_and_reads_all_of_it(Pysaml2).await;
}

impl House {
    /// What answers a sign-in that nobody here has asked for.
    async fn refused_or_asked(&self, page: &serde_json::Value) -> crate::harness::Answer {
        self.sets_the_clock();
        let form = serde_urlencoded::to_string(&page["fields"]).unwrap();
        let there = self.app.browser().with("sec-fetch-site", "cross-site").with("origin", super::BASE);
        let form = ("application/x-www-form-urlencoded", form);
        there.send(actix_web::http::Method::POST, "/auth/saml/callback", Some(form)).await
    }
}
