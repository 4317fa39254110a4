//! Their keys change, announced and not; what they say is encrypted; requests have to be signed.

use serde_json::json;

use super::{House, Kind, Pysaml2, Samlp, SimpleSamlPhp, person};

async fn a_key_changes_unannounced(kind: Kind) {
    let Some(house) = House::ready(kind).await else { return };
    house.signs_in(&house.app.browser(), &person("eve", &[])).await.goes_to("/me");
    // Not told: what is behind the link is read again when a signature does not fit, an hour after the last time.
    house.peer.ask("switchKeys", json!({}));
    house.signs_in(&house.app.browser(), &person("eve", &[])).await.is(403);
    house.publisher.publish("200 OK", &house.peer.metadata());
    let before = house.publisher.asked();
    house.acme.sets(&house.app, "read_at = '2020-01-01 00:00:00'").await;
    house.signs_in(&house.app.browser(), &person("eve", &[])).await.goes_to("/me");
    assert_eq!(house.publisher.asked(), before + 1);
}

#[actix_web::test]
async fn simplesamlphp_changes_its_key() {
    a_key_changes_unannounced(SimpleSamlPhp).await;
}

#[actix_web::test]
async fn samlp_changes_its_key() {
    a_key_changes_unannounced(Samlp).await;
}

#[actix_web::test]
async fn pysaml2_changes_its_key() {
    a_key_changes_unannounced(Pysaml2).await;
}

async fn an_announced_key_works_before_and_after(kind: Kind) {
    let Some(house) = House::ready(kind).await else { return };
    let old = house.peer.metadata();
    house.peer.ask("switchKeys", json!({}));
    let new = house.peer.metadata();
    // Both keys in one document, as an administrator announces the next one.
    let key_of = |text: &str| {
        let (_, rest) = text.split_once("KeyDescriptor").unwrap();
        let (_, inside) = rest.split_once("X509Certificate>").unwrap();
        inside.split('<').next().unwrap().trim().to_owned()
    };
    let descriptor = |text: &str| {
        let start = text.find("KeyDescriptor").map(|at| text[..at].rfind('<').unwrap()).unwrap();
        let end = text.rfind("KeyDescriptor>").unwrap() + "KeyDescriptor>".len();
        text[start..end].to_owned()
    };
    let (first, second) = (descriptor(&old), descriptor(&old).replace(&key_of(&old), &key_of(&new)));
    house.publisher.publish("200 OK", &old.replace(&first, &format!("{first}{second}")));
    house.owner.post_json(&format!("{}/metadata/read", house.path), json!({})).await.is(200);
    assert_eq!(house.owner.get(&house.path).await.json()["certificates"].as_array().unwrap().len(), 2);
    house.signs_in(&house.app.browser(), &person("eve", &[])).await.goes_to("/me");
}

#[actix_web::test]
async fn simplesamlphp_announces_its_next_key() {
    an_announced_key_works_before_and_after(SimpleSamlPhp).await;
}

#[actix_web::test]
async fn samlp_announces_its_next_key() {
    an_announced_key_works_before_and_after(Samlp).await;
}

#[actix_web::test]
async fn pysaml2_announces_its_next_key() {
    an_announced_key_works_before_and_after(Pysaml2).await;
}

async fn requests_are_signed_where_that_is_wanted(kind: Kind) {
    let Some(house) = House::ready(kind).await else { return };
    house.tells(json!({ "checksRequests": true })).await;
    let browser = house.app.browser();
    house.signs_in(&browser, &person("eve", &[])).await.goes_to("/me");
    // It does look: without a signature it refuses.
    let query = house.leaves_to_sign_in(&browser).await;
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("Sig")).collect();
    let asked = json!({ "query": kept.join("&"), "person": person("eve", &[]) });
    assert!(house.peer.tries("signIn", asked)["error"].is_string());
}

#[actix_web::test]
async fn simplesamlphp_wants_signed_requests_and_gets_them() {
    requests_are_signed_where_that_is_wanted(SimpleSamlPhp).await;
}

#[actix_web::test]
async fn samlp_wants_signed_requests_and_gets_them() {
    requests_are_signed_where_that_is_wanted(Samlp).await;
}

#[actix_web::test]
async fn pysaml2_wants_signed_requests_and_gets_them() {
    requests_are_signed_where_that_is_wanted(Pysaml2).await;
}

async fn what_it_encrypts_is_read(kind: Kind) {
    let Some(house) = House::ready(kind).await else { return };
    house.tells(json!({ "encrypts": true })).await;
    let browser = house.app.browser();
    house.signs_in(&browser, &person("eve", &["makers"])).await.goes_to("/me");
    assert_eq!(house.account(&browser).await.1, "editor");
    let attempt = house.last_attempt().await;
    assert!(attempt["detail"]["checks"].to_string().contains("encrypted"), "{attempt}");
}

/// With AES-128-CBC and RSA-OAEP.
#[actix_web::test]
async fn what_simplesamlphp_encrypts_is_read() {
    what_it_encrypts_is_read(SimpleSamlPhp).await;
}

/// With AES-256-CBC and RSA-OAEP.
#[actix_web::test]
async fn what_samlp_encrypts_is_read() {
    what_it_encrypts_is_read(Samlp).await;
}

/// pysaml2 encrypts with triple DES, which nobody should: refused, and its owners read why.
#[actix_web::test]
async fn what_pysaml2_encrypts_by_default_is_refused_with_the_reason() {
    let Some(house) = House::ready(Pysaml2).await else { return };
    house.tells(json!({ "encrypts": true })).await;
    house.signs_in(&house.app.browser(), &person("eve", &[])).await.is(403);
    let attempt = house.last_attempt().await;
    let says = attempt["attempt"]["says"].as_str().unwrap();
    assert!(says.contains("AES-128 or AES-256") || says.contains("RSA-OAEP"), "{attempt}");
}
