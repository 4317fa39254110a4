//! The secret key: how it is changed while people are at it, and what notices a wrong one.

use chrono::TimeDelta;
use serde_json::json;

use crate::house::{Authenticator, House, Owner, PASSWORD, Visitor};

const OLD: &str = "the key of a house that stands for one test";
const NEW: &str = "the key that this house has from tomorrow on";
const BETTER: &str = "a new and better password";

/// What a node is configured with: `SECRET_KEY`, `SECRET_KEY_NEXT`, `SECRET_KEY_PREVIOUS`.
type Keys = [&'static str; 3];

const BEFORE: Keys = [OLD, "", ""];
const ANNOUNCED: Keys = [OLD, NEW, ""];
const SWAPPED: Keys = [NEW, "", OLD];
const AFTERWARDS: Keys = [NEW, "", ""];

async fn node(house: &House, keys: Keys) -> House {
    let [current, next, previous] = keys;
    let settings =
        [("SECRET_KEY", current), ("SECRET_KEY_NEXT", next), ("SECRET_KEY_PREVIOUS", previous)];
    house.second_node_with(&settings).await
}

#[actix_web::test]
async fn the_key_changes_one_node_after_the_other_and_nobody_is_refused_on_either() {
    let house = House::open().await;
    let ada = house.with_app("ada@example.com").await;
    let story = [
        (BEFORE, BEFORE),
        (ANNOUNCED, BEFORE),
        (ANNOUNCED, ANNOUNCED),
        (SWAPPED, ANNOUNCED),
        (SWAPPED, SWAPPED),
        (AFTERWARDS, SWAPPED),
        (AFTERWARDS, AFTERWARDS),
    ];
    for (chapter, (these, those)) in story.into_iter().enumerate() {
        let (here, there) = (node(&house, these).await, node(&house, those).await);
        for (from, to, way) in [(&here, &there, "forth"), (&there, &here, "back")] {
            println!("chapter {chapter}, {way}");
            comes_and_goes(from, to, &format!("person{chapter}{way}@example.com")).await;
            uses_the_app(from, to, &ada).await;
        }
    }
    let keys = house.texts("SELECT substr(sealed, 1, 8) AS text FROM totp").await;
    let ours = node(&house, AFTERWARDS).await;
    assert_eq!(keys, [ours.app.config().keys.current_id()], "the app moved to the new key");
}

/// Whatever one node seals, signs or peppers, the other one opens.
async fn comes_and_goes(from: &House, to: &House, address: &str) {
    // An account, its letter and its session.
    let here = from.claimant(address).await;
    let there = here.at(to.port);
    there.post_json("/verify-email", json!({ "token": to.token_for(address).await })).await.is(200);
    there.get("/me").await.is(200);

    // A form that a step-up interrupts.
    let browser = from.browser();
    browser.post("/login", &[("email", address), ("password", PASSWORD)]).await.goes_to("/me");
    from.wait(TimeDelta::minutes(6));
    let asked = browser.post("/me/email", &[("email", "new@example.com")]).await.is(303);
    let (_, resume) = asked.header("location").split_once("resume=").unwrap();
    let browser_there = browser.at(to.port);
    browser_there
        .post("/auth/confirm", &[("password", PASSWORD), ("resume", resume)])
        .await
        .goes_to(&format!("/auth/continue?resume={resume}"));
    browser_there.get(&format!("/auth/continue?resume={resume}")).await.is(200).says("new@example.com");

    // A link to sign in, bound to the browser that asked.
    let asking = from.curl();
    from.send_letters().await;
    asking.post_json("/login/magic-link", json!({ "email": address })).await.is(200);
    let token = to.token_for(address).await;
    let told = moved(&asking, to).get(&format!("/login/magic-link/verify?token={token}")).await.is(200).json();
    assert_eq!(told["sameBrowser"], true, "{told}");
    moved(&asking, to).post_json("/login/magic-link/verify", json!({ "token": token })).await.is(200);

    // A link to a new password; the page after it says so.
    from.send_letters().await;
    from.curl().post_json("/forgot-password", json!({ "email": address })).await.is(200);
    let token = to.token_for(address).await;
    let browser = to.browser();
    let form = [("token", token.as_str()), ("password", BETTER), ("repeat", BETTER)];
    browser.post("/reset-password", &form).await.goes_to("/login");
    browser.at(from.port).get("/login").await.is(200).says("Your new password is saved.");

    // That password, a passkey that is asked for here and made there, its recovery codes.
    let here = from.curl();
    here.post_json("/login", json!({ "email": address, "password": BETTER })).await.is(200);
    here.post_json("/auth/confirm", json!({ "password": BETTER })).await.is(200);
    let mut device = Authenticator::new(from);
    let options = here.post_json("/me/passkeys/options", json!({})).await.is(200).json();
    let made = moved(&here, to).post_json("/me/passkeys", device.create(&options)).await.is(201).json();
    let waiting = from.curl();
    let asked = waiting.post_json("/login", json!({ "email": address, "password": BETTER })).await.is(200);
    assert_eq!(asked.json()["twoFactorRequired"], true, "{asked:?}");
    moved(&waiting, to).offers(made["recoveryCodes"][0].as_str().unwrap()).await.is(200);
    let visitor = from.curl();
    let options = visitor.post_json("/login/passkey/options", json!({})).await.is(200).json();
    moved(&visitor, to).post_json("/login/passkey", device.get(&options)).await.is(200);
}

/// Somebody who was here before all that: a password here, a code of their app there.
async fn uses_the_app(from: &House, to: &House, ada: &Owner) {
    ada.curl.at(to.port).get("/me").await.is(200);
    let waiting = from.curl();
    assert_eq!(ada.knocks(&waiting).await.is(200).json()["twoFactorRequired"], true);
    moved(&waiting, to).offers(&from.next_code(&ada.secret)).await.is(200);
}

/// The same browser, whose next request the balancer gives to another node.
fn moved(visitor: &Visitor, to: &House) -> Visitor {
    visitor.at(to.port)
}

#[actix_web::test]
async fn a_hash_is_made_anew_where_it_is_weaker_than_today_and_never_to_be_weaker() {
    let house = House::with(&[("BCRYPT_COST", "6")]).await;
    house.claimant("ada@example.com").await;
    for (cost, stored) in [("4", "$06$"), ("6", "$06$"), ("5", "$06$"), ("7", "$07$"), ("4", "$07$")] {
        let node = house.second_node_with(&[("BCRYPT_COST", cost)]).await;
        let offer = json!({ "email": "ada@example.com", "password": PASSWORD });
        node.curl().post_json("/login", offer).await.is(200);
        let hash = house.texts("SELECT password_hash AS text FROM users").await;
        assert!(hash[0].contains(stored), "at cost {cost}: {hash:?}");
    }
}
