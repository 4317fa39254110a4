//! Signing up.

use serde_json::json;

use crate::house::{House, PASSWORD};

#[actix_web::test]
async fn a_stranger_signs_up_and_is_signed_in_with_an_unconfirmed_address() {
    let house = House::open().await;
    let curl = house.curl();

    let answer = curl
        .post_json("/signup", json!({ "email": "ada@example.com", "password": PASSWORD, "name": "Ada" }))
        .await;

    let user = &answer.is(201).json()["user"];
    assert_eq!(
        (user["email"].as_str(), user["emailVerified"].as_bool()),
        (Some("ada@example.com"), Some(false))
    );
    assert_eq!(curl.get("/me").await.is(200).json()["user"], *user);
}
