//! Somebody who signed up with a provider of the settings confirms there that it is still them.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    account, gina,
    provider::{Provider, Request},
};
use crate::harness::Visitor;

const CONFIRM: &str = "/auth/oidc/confirm?provider=acme&next=/me/email";

async fn methods(visitor: &Visitor) -> Value {
    let curl = visitor.clone().with("accept", "application/json");
    curl.get("/auth/confirm").await.is(200).json()["methods"].take()
}

/// Gina with these claims besides.
fn with(changes: Value) -> Value {
    let mut who = gina();
    who.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    who
}

#[actix_web::test]
async fn only_a_new_sign_in_of_the_same_person_there_confirms() {
    let provider = Provider::start();
    provider.lists_auth_time();
    let app = provider.site(&[]).await;
    let browser = app.browser();
    provider.signs_in(&app, &browser, &gina()).await.goes_to("/me");
    assert_eq!(methods(&browser).await, json!(["provider"]));
    browser.get("/me/email").await.goes_to("/auth/confirm?next=%2Fme%2Femail");
    let page = browser.get("/auth/confirm?next=/me/email").await.is(200);
    page.says("Confirm with <bdi>Acme</bdi>").says("/auth/oidc/confirm?provider=acme&#38;next=%2Fme%2Femail");

    let now = app.clock.now().unix();
    let hugo = app.browser();
    provider
        .signs_in(&app, &hugo, &with(json!({"sub": "hugo", "email": "hugo@example.com"})))
        .await
        .goes_to("/me");
    for changes in [
        json!({}),
        json!({"auth_time": now - 61}),
        json!({"auth_time": now + 61}),
        json!({"auth_time": now * 1000}),
        json!({"auth_time": now.to_string()}),
        json!({"auth_time": null}),
        json!({"auth_time": now, "sub": "hugo"}),
        json!({"auth_time": now, "sub": "nobody"}),
    ] {
        let back = provider.knows(&app, &browser, CONFIRM, &with(changes.clone())).await;
        browser.get(&back).await.goes_to("/auth/confirm?next=%2Fme%2Femail");
        browser.get("/me/email").await.goes_to("/auth/confirm?next=%2Fme%2Femail");
        browser.get("/auth/confirm").await.is(200).says("Signing in with Acme did not work.");
    }
    // Cancelled there: back to the page, as it was.
    let request = Request::of(&browser.get(CONFIRM).await.is(303));
    let cancelled = format!(
        "/auth/oidc/callback/acme?error=access_denied&iss={}&state={}",
        provider.issuer,
        request.get("state")
    );
    browser.get(&cancelled).await.goes_to("/auth/confirm?next=%2Fme%2Femail");
    // In another browser, and in another session of the same one, it confirms nothing.
    let back = provider.knows(&app, &browser, CONFIRM, &with(json!({"auth_time": now}))).await;
    hugo.get(&back).await.is(303);
    hugo.get("/me/email").await.goes_to("/auth/confirm?next=%2Fme%2Femail");
    let secret = browser.cookie("session").unwrap();
    let request = Request::of(&browser.get(CONFIRM).await.is(303));
    assert_eq!((request.get("prompt"), request.get("max_age")), ("login", "0"));
    let token = provider.signer().sign(&provider.claims(&app, &request, &with(json!({"auth_time": now}))));
    browser.get(&provider.grants(&request, token)).await.goes_to("/me/email");
    assert_ne!(browser.cookie("session").unwrap(), secret, "the session has another secret");
    browser.get("/me/email").await.is(200);
    assert_eq!(app.count("audit WHERE event = 'stepped_up'").await, 1);
}

#[actix_web::test]
async fn it_is_offered_only_where_it_works() {
    let silent = Provider::start();
    let app = silent.site(&[]).await;
    let browser = app.browser();
    silent.signs_in(&app, &browser, &gina()).await.goes_to("/me");
    assert_eq!(methods(&browser).await, json!([]), "it does not say when somebody signed in");
    browser.get(CONFIRM).await.is(404);

    // A second factor that is due is asked for here: the provider's word is one factor.
    let provider = Provider::start();
    provider.lists_auth_time();
    let app = provider.site(&[]).await;
    let browser = app.browser();
    provider.signs_in(&app, &browser, &gina()).await.goes_to("/me");
    let now = app.clock.now().unix();
    let back = provider.knows(&app, &browser, CONFIRM, &with(json!({"auth_time": now}))).await;
    browser.get(&back).await.goes_to("/me/email");
    let curl = browser.clone().with("accept", "application/json");
    let secret = app.waiting_app(&curl).await;
    curl.confirms_app(&app.code(&secret)).await.is(200);
    app.wait(TimeDelta::minutes(6));
    assert_eq!(methods(&curl).await, json!(["totp", "recovery_code"]));
    assert_eq!(account(&curl).await["email"], "gina@example.com");
}
