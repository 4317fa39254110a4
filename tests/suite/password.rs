//! Another password, by its person.

use serde_json::json;

use crate::house::{House, PASSWORD};

const NEW: &str = "another fine passphrase";

#[actix_web::test]
async fn a_new_password_signs_out_everywhere_else_and_rotates_here_case_41() {
    let house = House::open().await;
    let curl = house.verified("ada@example.com").await;
    let other = house.curl();
    other.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
    curl.put_json("/me/password", json!({ "newPassword": NEW }))
        .await
        .refuses(403, "reauthentication_required");
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    let old_secret = curl.cookie("session").unwrap();

    curl.put_json("/me/password", json!({ "newPassword": NEW })).await.is(200);

    assert_ne!(curl.cookie("session").unwrap(), old_secret);
    let sessions = curl.get("/me/sessions").await.is(200).json();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1, "the current one is still in the list");
    other.get("/me").await.refuses(401, "sign_in_required");
    let login = |password: &str| json!({ "email": "ada@example.com", "password": password });
    house.curl().post_json("/login", login(PASSWORD)).await.is(401);
    house.curl().post_json("/login", login(NEW)).await.is(200);
    let told = house.letters_to("ada@example.com").await;
    assert!(told.iter().any(|letter| letter.subject.contains("was changed")), "the owner is told");
}

#[actix_web::test]
async fn every_link_dies_with_the_old_password_case_08() {
    let house = House::open().await;
    let curl = house.verified("ada@example.com").await;
    house.curl().post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let reset = house.token_for("ada@example.com").await;
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);

    curl.put_json("/me/password", json!({ "newPassword": NEW })).await.is(200);

    let form = json!({ "token": reset, "password": "yet another passphrase" });
    house.curl().post_json("/reset-password", form).await.refuses(422, "dead_reset_link");
}

#[actix_web::test]
async fn a_weak_password_or_a_slip_changes_nothing() {
    let house = House::open().await;
    let curl = house.verified("ada@example.com").await;
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);

    for (new, repeat, field) in [
        ("short", "short", "newPassword"),
        ("iloveyou", "iloveyou", "newPassword"),
        (NEW, "a slip", "repeat"),
    ] {
        let refused = curl.put_json("/me/password", json!({ "newPassword": new, "repeat": repeat })).await;
        assert!(refused.refuses(422, "invalid").json()["fields"][field].is_string());
    }

    house
        .curl()
        .post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD }))
        .await
        .is(200);
}

#[actix_web::test]
async fn a_claimant_may_change_their_password_too() {
    let house = House::open().await;
    let curl = house.claimant("ada@example.com").await;
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);

    curl.put_json("/me/password", json!({ "newPassword": NEW })).await.is(200);

    // The mailbox may be somebody's who has nothing to do with this account.
    let told = house.letters_to("ada@example.com").await;
    assert!(told.iter().all(|letter| !letter.subject.contains("was changed")), "{told:?}");
}
