//! The directory of an organisation, as its owners see it; what identity providers write is looked at by `scim`.

use serde_json::json;

use crate::{harness::TestApp, idp::Acme, scim::Scim};

const AT: &str = "/organisations/acme/directory";

#[actix_web::test]
async fn owners_turn_it_on_see_whom_it_lists_and_turn_it_off() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let owner = &acme.owner;
    // A step-up changes the cookie.
    let page = async || owner.clone().with("accept", "text/html").get(AT).await.is(200);

    owner.get(AT).await.is(200).says("\"directory\":null");
    owner.post_json(AT, json!({})).await.refuses(403, "reauthentication_required");
    page().await.says("Turn the directory on");
    let scim = Scim::of(&app, owner, "acme").await;
    let ada = scim.adds("ada@example.com").await;
    scim.adds("ben@elsewhere.example").await;
    let group = scim.groups("Makers & more", &[&ada]).await;

    let shown = page().await;
    for words in
        ["/scim/v2", "Okta", "Ada Lovelace", "Waits to accept: the domain is not verified", "Makers &"]
    {
        assert!(shown.body.contains(words), "{words}: {}", shown.body);
    }
    let told = owner.get(&format!("{AT}?state=waiting")).await.is(200).json();
    let people = told["directory"]["people"].as_array().unwrap();
    assert_eq!(people.len(), 1);
    assert_eq!(told["directory"]["counts"], json!({ "active": 1, "waiting": 1, "left": 0 }));
    assert_eq!(told["directory"]["groups"][0]["id"], group);
    let ben = people[0]["id"].as_str().unwrap();
    owner.post_json(&format!("{AT}/people/{ben}/ask"), json!({})).await.is(200);
    assert_eq!(app.emails_that_say("ben@elsewhere.example", "invites you to Acme").await, 2);
    owner.post_json(&format!("{AT}/people/{ada}/ask"), json!({})).await.refuses(409, "conflict");

    owner.post_json(AT, json!({ "defaultRole": "king" })).await.refuses(422, "invalid");
    owner.post_json(AT, json!({ "defaultRole": "editor" })).await.is(200);
    scim.adds("carl@example.com").await;
    assert!(acme.roles(&app).await.contains(&"carl@example.com editor".to_owned()));
    scim.deactivates(&ada).await.is(200);
    page().await.says("Kept out").says("Let them sign in again");

    owner
        .post_json(&format!("{AT}/tokens"), json!({ "name": "", "expiresIn": "9999d" }))
        .await
        .refuses(422, "invalid");
    owner.delete(AT).await.is(200);
    owner.get(AT).await.is(200).says("\"directory\":null");
    assert_eq!(app.count("directory_people").await + app.count("directory_tokens").await, 0);
    assert!(acme.roles(&app).await.contains(&"carl@example.com editor".to_owned()), "members stay");
}

#[actix_web::test]
async fn nobody_else_comes_near_it() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    Scim::of(&app, &acme.owner, "acme").await;
    let eve = app.verified("eve@elsewhere.example").await;
    eve.steps_up().await;
    for answer in [eve.get(AT).await, eve.post_json(AT, json!({})).await, eve.delete(AT).await] {
        answer.refuses(404, "not_found");
    }
    let off = TestApp::with(&[("SCIM", "off")]).await;
    let acme = Acme::of(&off).await;
    acme.owner.steps_up().await;
    acme.owner.post_json(AT, json!({})).await.refuses(404, "not_found");
    Scim::with(&off, "x").get("/Users").await.is(404);
}
