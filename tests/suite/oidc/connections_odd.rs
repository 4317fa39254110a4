//! What organisations' providers really send: less than the standard has, elsewhere, or more of it.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::connections::Ground;

fn bea(changes: &Value) -> Value {
    let mut who = json!({"sub": "bea", "email": "bea@acme.example", "name": "Bea"});
    for (name, change) in changes.as_object().unwrap() {
        who[name] = change.clone();
    }
    who
}

#[actix_web::test]
async fn what_is_null_or_blank_or_no_address_is_looked_for_in_the_user_information() {
    let ground = Ground::open().await;
    let id = ground.connects(json!({})).await;
    let acme = ground.as_saml(&id).await;
    let makers = json!({"sub": "bea", "groups": ["makers"]});
    let address = json!({"sub": "bea", "email": "bea@acme.example"});
    let many: Vec<_> = (0..900).map(|number| format!("a group with number {number}")).collect();
    for (token, userinfo, role) in [
        (json!({"groups": null}), &makers, "editor"),
        (json!({"groups": ""}), &makers, "editor"),
        (json!({}), &makers, "editor"),
        (json!({"groups": []}), &makers, "viewer"),
        (json!({"groups": ["owners"]}), &makers, "owner"),
        (json!({"email": null, "groups": ["makers"]}), &address, "editor"),
        (json!({"email": " ", "groups": ["makers"]}), &address, "editor"),
        (json!({"email": null, "preferred_username": "bea", "groups": []}), &address, "viewer"),
        (json!({"email": null, "preferred_username": "bea@corp.local", "groups": []}), &address, "viewer"),
        (json!({"email": null, "upn": "bea@acme.example", "groups": ["makers"]}), &makers, "editor"),
        (json!({"at_hash": null, "azp": null, "nbf": null, "auth_time": null}), &makers, "editor"),
        (json!({"groups": many}), &address, "viewer"),
    ] {
        ground.provider.says(userinfo.clone());
        ground.comes(&ground.app.browser(), &bea(&token)).await.goes_to("/me");
        let roles = acme.roles(&ground.app).await;
        assert!(roles.contains(&format!("bea@acme.example {role}")), "{token} {userinfo}: {roles:?}");
    }
    ground.provider.says(json!({"sub": "cy"}));
    let parts = json!({"sub": "cy", "email": "cy@acme.example", "name": null, "given_name": "Cy", "family_name": "Young"});
    ground.comes(&ground.app.browser(), &parts).await.goes_to("/me");
    assert_eq!(ground.app.count("users WHERE name = 'Cy Young'").await, 1);
}

#[actix_web::test]
async fn user_information_that_cannot_be_read_refuses_only_whom_nothing_else_names() {
    let ground = Ground::open().await;
    let id = ground.connects(json!({})).await;
    let (acme, provider) = (ground.as_saml(&id).await, &ground.provider);
    ground.comes(&ground.app.browser(), &bea(&json!({"groups": ["makers"]}))).await.goes_to("/me");
    let json = "application/json";
    let about_bea = json!({"sub": "bea", "groups": ["owners"]});
    for (status, media_type, told, outcome) in [
        (500, json, &about_bea, "bad_userinfo"),
        (403, json, &about_bea, "bad_userinfo"),
        (200, "application/jwt", &about_bea, "bad_userinfo"),
        (200, "text/plain", &about_bea, "bad_userinfo"),
        (200, json, &json!({"sub": "eve", "groups": ["owners"]}), "another_person"),
        (200, json, &json!({"groups": ["owners"]}), "another_person"),
    ] {
        ground.app.wait(TimeDelta::seconds(1));
        provider.says(told.clone());
        provider.says_as(status, media_type);
        let called = format!("{status} {media_type} {told}");
        ground.comes(&ground.app.browser(), &bea(&json!({}))).await.goes_to("/me");
        let roles = acme.roles(&ground.app).await;
        assert!(roles.contains(&"bea@acme.example editor".to_owned()), "{called}: {roles:?}");
        let page = ground.ada.get(&format!("/organisations/acme/sso/{id}")).await.is(200).json();
        let latest = page["attempts"][0]["id"].as_str().unwrap();
        let detail = ground.ada.get(&format!("/organisations/acme/sso/{id}/attempts/{latest}")).await.json();
        assert!(detail.to_string().contains("They were not told, so the role stays as it was."), "{detail}");
        // Nobody is somebody without an address.
        ground.app.wait(TimeDelta::seconds(1));
        let browser = ground.app.browser();
        ground.comes(&browser, &json!({"sub": "cy"})).await;
        assert_eq!(ground.outcome().await, outcome, "{called}");
    }
    // Somebody new has no role to keep.
    ground
        .comes(&ground.app.browser(), &json!({"sub": "dee", "email": "dee@acme.example"}))
        .await
        .goes_to("/me");
    assert!(acme.roles(&ground.app).await.contains(&"dee@acme.example viewer".to_owned()));
}

#[actix_web::test]
async fn a_provider_that_wants_the_secret_in_the_form_gets_it_there() {
    let ground = Ground::open().await;
    ground.connects(json!({})).await;
    ground.provider.wants_form();
    ground.comes(&ground.app.browser(), &bea(&json!({}))).await.goes_to("/me");
    assert_eq!(ground.provider.asked("/token"), 2, "the header first");
}
