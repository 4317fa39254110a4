//! "Sign-in methods", on the security page.

use serde_json::{Value, json};

use crate::{
    harness::{TestApp, Visitor},
    magic_link::App,
};

async fn sign_in_methods(visitor: &Visitor) -> Value {
    visitor.get("/me/security").await.is(200).json()["ways"].clone()
}

/// `method: state` of each that is set up.
fn set_up(sign_in_methods: &Value) -> Vec<String> {
    let list = sign_in_methods["list"].as_array().unwrap().iter().filter(|way| way["isSet"] == true);
    list.map(|way| format!("{}: {}", way["method"].as_str().unwrap(), way["state"].as_str().unwrap()))
        .collect()
}

fn recommended(sign_in_methods: &Value) -> Vec<&str> {
    sign_in_methods["missing"].as_array().unwrap().iter().map(|one| one["what"].as_str().unwrap()).collect()
}

/// A passkey, as far as counting goes.
async fn add_passkey(app: &TestApp, name: &str) {
    app
        .db_execute(&format!(
            "INSERT INTO passkeys (id, user_id, credential_id, credential, counter, rp_id, name, is_synced, created_at) \
             SELECT '{name}', id, '{name}', '{{}}', 0, 'localhost', '{name}', TRUE, created_at FROM users"
        ))
        .await;
}

#[actix_web::test]
async fn every_way_is_listed_with_its_state() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;
    assert_eq!(set_up(&sign_in_methods(&ada).await), ["password: On", "magic_link: Sent to ada@example.com"]);

    App::of(&app, "ada@example.com").await;
    add_passkey(&app, "laptop").await;
    add_passkey(&app, "phone").await;

    let told = sign_in_methods(&ada).await;
    assert_eq!(
        set_up(&told),
        [
            "password: On",
            "passkey: 2 passkeys",
            "totp: Set up",
            "recovery_code: 10 of 10 left",
            "magic_link: Sent to ada@example.com"
        ]
    );
    let counts: Vec<_> = told["list"].as_array().unwrap().iter().map(|way| &way["count"]).collect();
    assert_eq!(counts, [&json!(1), &json!(2), &json!(1), &json!(10), &json!(1)]);
    assert_eq!(recommended(&told), [""; 0]);
    let browser = app.browser();
    browser.set_cookie("session", &ada.cookie("session").unwrap());
    let page = browser.named("curl/8.9.1").get("/me/security").await.is(200);
    page.says("Sign-in methods").says("2 passkeys").says("10 of 10 left").says("Sent to ada@example.com");
}

#[actix_web::test]
async fn whoever_has_one_proof_only_is_told_to_add_a_second() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;
    let told = sign_in_methods(&ada).await;
    assert_eq!(recommended(&told).len(), 1);
    assert!(recommended(&told)[0].contains("Two-step verification"), "{told}");
}

#[actix_web::test]
async fn whoever_has_few_recovery_codes_or_none_is_told_so_case_62() {
    let test_app = TestApp::open().await;
    test_app.verified("ada@example.com").await;
    let app = App::of(&test_app, "ada@example.com").await;
    for left in (0..10).rev() {
        let curl = test_app.curl();
        let form = json!({ "email": "ada@example.com", "password": crate::harness::PASSWORD });
        curl.post_json("/login", form).await.is(200);
        curl.post_json("/login/2fa", json!({ "code": app.codes[left] })).await.is(200);
        let told = sign_in_methods(&curl).await;
        match left {
            0 => assert!(recommended(&told)[0].contains("no recovery codes left"), "{told}"),
            1 => assert!(recommended(&told)[0].contains("Only 1 recovery code is left"), "{told}"),
            2 | 3 => {
                assert!(
                    recommended(&told)[0].contains(&format!("Only {left} recovery codes are left")),
                    "{told}"
                )
            }
            _ => assert_eq!(recommended(&told), [""; 0]),
        }
    }
}

#[actix_web::test]
async fn whoever_has_no_password_is_told_what_that_means() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;
    app.db_execute("UPDATE users SET password_hash = NULL").await;

    let told = sign_in_methods(&ada).await;

    assert_eq!(set_up(&told), ["magic_link: Sent to ada@example.com"]);
    assert!(recommended(&told)[0].contains("You have no password"), "{told}");
}

#[actix_web::test]
async fn a_claim_is_told_to_confirm_its_address_first() {
    let app = TestApp::open().await;
    let ada = app.unverified_user("ada@example.com").await;
    let told = sign_in_methods(&ada).await;
    assert_eq!(recommended(&told).len(), 1);
    assert!(recommended(&told)[0].contains("isn't confirmed"), "{told}");
}

#[actix_web::test]
async fn the_only_way_in_is_marked_and_no_way_can_be_removed_from_the_list_case_28() {
    let app = TestApp::with(&[("MAGIC_LINKS", "off")]).await;
    let ada = app.verified("ada@example.com").await;
    let only = |told: &Value| -> Vec<String> {
        let list = told["list"].as_array().unwrap().iter().filter(|way| way["isOnly"] == true);
        list.map(|way| way["method"].as_str().unwrap().to_owned()).collect()
    };

    let told = sign_in_methods(&ada).await;
    assert_eq!(set_up(&told), ["password: On"]);
    assert_eq!(only(&told), ["password"]);
    // An app opens nothing by itself.
    App::of(&app, "ada@example.com").await;
    assert_eq!(only(&sign_in_methods(&ada).await), ["password"]);
    let browser = app.browser().named("curl/8.9.1");
    browser.set_cookie("session", &ada.cookie("session").unwrap());
    let page = browser.get("/me/security").await.is(200);
    let section = page.body.split_once("id=\"ways\"").unwrap().1.split_once("</section>").unwrap().0;
    assert!(!section.contains("<form") && !section.to_lowercase().contains("remove "), "{section}");

    add_passkey(&app, "laptop").await;
    assert_eq!(only(&sign_in_methods(&ada).await), [""; 0]);
    app.db_execute("UPDATE users SET password_hash = NULL").await;
    assert_eq!(only(&sign_in_methods(&ada).await), ["passkey"]);
}
