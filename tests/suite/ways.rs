//! "How you can sign in", on the security page.

use serde_json::{Value, json};

use crate::{
    house::{House, Visitor},
    magic_link::App,
};

async fn ways(visitor: &Visitor) -> Value {
    visitor.get("/me/security").await.is(200).json()["ways"].clone()
}

/// `way: strength` of each that is set up.
fn set_up(ways: &Value) -> Vec<String> {
    let list = ways["list"].as_array().unwrap().iter().filter(|way| way["isSet"] == true);
    list.map(|way| format!("{}: {}", way["way"].as_str().unwrap(), way["strength"].as_str().unwrap()))
        .collect()
}

fn missing(ways: &Value) -> Vec<&str> {
    ways["missing"].as_array().unwrap().iter().map(|one| one["what"].as_str().unwrap()).collect()
}

/// A passkey, as far as counting goes.
async fn add_passkey(house: &House, name: &str) {
    house
        .meddle(&format!(
            "INSERT INTO passkeys (id, user_id, credential_id, credential, counter, rp_id, name, is_synced, created_at) \
             SELECT '{name}', id, '{name}', '{{}}', 0, 'localhost', '{name}', TRUE, created_at FROM users"
        ))
        .await;
}

#[actix_web::test]
async fn every_way_is_listed_with_its_strength() {
    let house = House::open().await;
    let ada = house.verified("ada@example.com").await;
    assert_eq!(set_up(&ways(&ada).await), ["password: one proof", "magic_link: one proof"]);

    App::of(&house, "ada@example.com").await;
    add_passkey(&house, "laptop").await;
    add_passkey(&house, "phone").await;

    let told = ways(&ada).await;
    assert_eq!(
        set_up(&told),
        [
            "password: one proof",
            "magic_link: one proof",
            "passkey: two proofs",
            "totp: a second proof",
            "recovery_code: a second proof"
        ]
    );
    let counts: Vec<_> = told["list"].as_array().unwrap().iter().map(|way| &way["count"]).collect();
    assert_eq!(counts, [&json!(1), &json!(1), &json!(2), &json!(1), &json!(10)]);
    assert_eq!(missing(&told), [""; 0]);
    let browser = house.browser();
    browser.set_cookie("session", &ada.cookie("session").unwrap());
    let page = browser.named("curl/8.9.1").get("/me/security").await.is(200);
    page.says("How you can sign in").says("2 passkeys").says("10 recovery codes").says("two proofs");
}

#[actix_web::test]
async fn whoever_has_one_proof_only_is_told_to_add_a_second() {
    let house = House::open().await;
    let ada = house.verified("ada@example.com").await;
    let told = ways(&ada).await;
    assert_eq!(missing(&told).len(), 1);
    assert!(missing(&told)[0].contains("adds a second"), "{told}");
}

#[actix_web::test]
async fn whoever_has_few_recovery_codes_or_none_is_told_so_case_62() {
    let house = House::open().await;
    house.verified("ada@example.com").await;
    let app = App::of(&house, "ada@example.com").await;
    for left in (0..10).rev() {
        let curl = house.curl();
        let form = json!({ "email": "ada@example.com", "password": crate::house::PASSWORD });
        curl.post_json("/login", form).await.is(200);
        curl.post_json("/login/2fa", json!({ "code": app.codes[left] })).await.is(200);
        let told = ways(&curl).await;
        match left {
            0 => assert!(missing(&told)[0].contains("no recovery codes left"), "{told}"),
            1 => assert!(missing(&told)[0].contains("Only 1 recovery code is left"), "{told}"),
            2 | 3 => {
                assert!(missing(&told)[0].contains(&format!("Only {left} recovery codes are left")), "{told}")
            }
            _ => assert_eq!(missing(&told), [""; 0]),
        }
    }
}

#[actix_web::test]
async fn whoever_has_no_password_is_told_what_that_means() {
    let house = House::open().await;
    let ada = house.verified("ada@example.com").await;
    house.meddle("UPDATE users SET password_hash = NULL").await;

    let told = ways(&ada).await;

    assert_eq!(set_up(&told), ["magic_link: one proof"]);
    assert!(missing(&told)[0].contains("You have no password"), "{told}");
}

#[actix_web::test]
async fn a_claim_is_told_to_confirm_its_address_first() {
    let house = House::open().await;
    let ada = house.claimant("ada@example.com").await;
    let told = ways(&ada).await;
    assert_eq!(missing(&told).len(), 1);
    assert!(missing(&told)[0].contains("not confirmed"), "{told}");
}

#[actix_web::test]
async fn the_only_way_in_is_marked_and_no_way_can_be_removed_from_the_list_case_28() {
    let house = House::with(&[("MAGIC_LINKS", "off")]).await;
    let ada = house.verified("ada@example.com").await;
    let only = |told: &Value| -> Vec<String> {
        let list = told["list"].as_array().unwrap().iter().filter(|way| way["isOnly"] == true);
        list.map(|way| way["way"].as_str().unwrap().to_owned()).collect()
    };

    let told = ways(&ada).await;
    assert_eq!(set_up(&told), ["password: one proof"]);
    assert_eq!(only(&told), ["password"]);
    // An app opens nothing by itself.
    App::of(&house, "ada@example.com").await;
    assert_eq!(only(&ways(&ada).await), ["password"]);
    let browser = house.browser().named("curl/8.9.1");
    browser.set_cookie("session", &ada.cookie("session").unwrap());
    let page = browser.get("/me/security").await.is(200).says("It is your only way in");
    let section = page.body.split_once("id=\"ways\"").unwrap().1.split_once("</section>").unwrap().0;
    assert!(!section.contains("<form") && !section.to_lowercase().contains("remove "), "{section}");

    add_passkey(&house, "laptop").await;
    assert_eq!(only(&ways(&ada).await), [""; 0]);
    house.meddle("UPDATE users SET password_hash = NULL").await;
    assert_eq!(only(&ways(&ada).await), ["passkey"]);
}
