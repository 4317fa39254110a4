//! Which ways in there are, before anybody said who they are.

use serde_json::json;

use crate::{house::House, magic_link::App};

#[actix_web::test]
async fn every_address_gets_the_same_ways_whoever_it_belongs_to() {
    let house = House::open().await;
    house.claimant("claimed@example.com").await;
    house.verified("settled@example.com").await;
    house.verified("guarded@example.com").await;
    App::of(&house, "guarded@example.com").await;
    house.verified("nothing@example.com").await;
    house.meddle("UPDATE users SET password_hash = NULL WHERE email = 'nothing@example.com'").await;
    let rows =
        async || (house.count("audit").await, house.count("throttles").await, house.count("tokens").await);
    let before = rows().await;

    let (mut programs, mut browsers) = (Vec::new(), Vec::new());
    for name in ["unknown", "claimed", "settled", "guarded", "nothing"] {
        let address = format!("{name}@example.com");
        let answer = house.curl().post_json("/auth/methods", json!({ "email": address })).await.is(200);
        assert_eq!(answer.json(), json!({ "methods": ["password", "passkey", "magic_link"] }));
        programs.push(answer.outline(&address));
        let answer = house.browser().post("/auth/methods", &[("email", &address)]).await.is(200);
        browsers.push(answer.says("Link by mail").outline(&address));
    }

    for outlines in [programs, browsers] {
        assert!(outlines.iter().all(|outline| *outline == outlines[0]), "{outlines:#?}");
    }
    assert_eq!(rows().await, before, "no account is looked at, and nothing is written");
}

#[actix_web::test]
async fn what_cannot_be_an_address_is_told_so() {
    let house = House::open().await;
    house.curl().post_json("/auth/methods", json!({ "email": "ada at home" })).await.refuses(422, "invalid");
    house.curl().post_json("/auth/methods", json!({})).await.refuses(422, "invalid");
    house.browser().post("/auth/methods", &[("email", "ada")]).await.is(422).says("aria-invalid");
}
