//! Signing in with a provider of the settings, or of an organisation, against one that runs inside the test.

mod connection_logout;
pub mod connections;
mod connections_coming;
mod connections_odd;
mod provider;
mod refused;
mod step_up;

use actix_web::http::Method;
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use self::provider::{ACCESS_TOKEN, LOGIN, Provider, Request};
use crate::harness::{PASSWORD, Visitor};

/// Somebody whose address the provider verified.
pub fn gina() -> Value {
    json!({"sub": "gina", "email": "gina@example.com", "email_verified": true, "name": "Gina"})
}

async fn account(visitor: &Visitor) -> Value {
    visitor.clone().with("accept", "application/json").get("/me").await.is(200).json()["user"].take()
}

#[actix_web::test]
async fn a_stranger_signs_up_and_comes_again_and_no_token_is_kept() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    let browser = app.browser();
    provider.signs_in(&app, &browser, &gina()).await.goes_to("/me");
    let me = account(&browser).await;
    assert_eq!((&me["email"], &me["emailVerified"]), (&json!("gina@example.com"), &json!(true)));

    let again = app.browser();
    let back = provider.knows(&app, &again, &format!("{LOGIN}&next=/me/sessions"), &gina()).await;
    again.get(&back).await.goes_to("/me/sessions");
    assert_eq!(account(&again).await["id"], me["id"]);
    // Another address there is the same person; another subject with the address is not.
    let moved = json!({"sub": "gina", "email": "new@example.com", "email_verified": true});
    let third = app.browser();
    provider.signs_in(&app, &third, &moved).await.goes_to("/me");
    assert_eq!(account(&third).await["email"], "gina@example.com");
    assert!(!app.dump_storage().await.contains(ACCESS_TOKEN));
}

#[actix_web::test]
async fn two_tabs_of_one_browser_finish_and_an_answer_loaded_again_leads_on() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    let browser = app.browser();
    let first = provider.knows(&app, &browser, &format!("{LOGIN}&next=/me/sessions"), &gina()).await;
    let second = provider.knows(&app, &browser, LOGIN, &gina()).await;
    browser.get(&first).await.goes_to("/me/sessions");
    browser.get(&first).await.goes_to("/me/sessions");
    browser.get(&second).await.goes_to("/me");

    let late = app.browser();
    let back = provider.knows(&app, &late, LOGIN, &gina()).await;
    app.wait(TimeDelta::minutes(11));
    late.get(&back).await.goes_to("/login");
    late.get("/login").await.is(200).says("That sign-in is over. Start again.");
    app.curl().get("/auth/oidc/callback/acme?state=x&code=y").await.refuses(422, "dead_link");
}

#[actix_web::test]
async fn whoever_cancels_there_is_back_where_they_came_from() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    for error in ["access_denied", "user_cancelled_authorize", "login_required"] {
        let browser = app.browser();
        let request = Request::of(&browser.get(&format!("{LOGIN}&next=/me/sessions")).await);
        let query = [("error", error), ("state", request.get("state")), ("iss", provider.issuer.as_str())];
        let back = format!("/auth/oidc/callback/acme?{}", serde_urlencoded::to_string(query).unwrap());
        browser.get(&back).await.goes_to("/login?next=%2Fme%2Fsessions");
        browser.get("/login").await.says("You cancelled signing in with Acme.");
    }
    assert_eq!(app.count("users").await, 0);
}

#[actix_web::test]
async fn what_was_posted_across_sites_waits_for_its_browser() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    let browser = app.browser();
    let back = provider.knows(&app, &browser, LOGIN, &gina()).await;
    let (path, query) = back.split_once('?').unwrap();
    let elsewhere = app.browser().with("sec-fetch-site", "cross-site").with("origin", "https://id.example");
    let form = Some(("application/x-www-form-urlencoded", query.to_owned()));
    let parked = elsewhere.send(Method::POST, path, form.clone()).await.is(303);
    let finish = parked.location().unwrap().to_owned();
    assert!(finish.starts_with("/auth/oidc/finish?handoff="), "{finish}");
    assert_eq!(app.count("users").await, 0, "nothing is judged without its browser");
    app.browser().with("sec-purpose", "prefetch").get(&finish).await.is(405);
    browser.get(&finish).await.goes_to("/me");
    browser.get(&finish).await.goes_to("/me");
    elsewhere.send(Method::POST, path, form).await.goes_to("/auth/oidc/finish");
}

#[actix_web::test]
async fn whoever_has_an_account_signs_in_to_it_once_and_the_two_are_connected() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    let before = account(&app.verified("gina@example.com").await).await;
    let browser = app.browser();
    provider.signs_in(&app, &browser, &gina()).await.goes_to("/auth/link");
    browser.get("/auth/link").await.is(200).says("Acme").says("gina@example.com");
    let old = [("email", "gina@example.com"), ("password", PASSWORD), ("next", "/auth/link")];
    browser.post("/login", &old).await.goes_to("/auth/link");
    browser.post("/auth/link", &[]).await.goes_to("/me");
    let again = app.browser();
    provider.signs_in(&app, &again, &gina()).await.goes_to("/me");
    assert_eq!(account(&again).await["id"], before["id"]);
}

#[actix_web::test]
async fn an_address_that_is_not_verified_opens_nothing_and_tells_nothing() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    let owner = account(&app.verified("gina@example.com").await).await;
    for told in [json!(false), json!("false"), Value::Null] {
        let who = json!({"sub": told.to_string(), "email": "gina@example.com", "email_verified": told});
        let browser = app.browser();
        provider.signs_in(&app, &browser, &who).await.goes_to("/me");
        let me = account(&browser).await;
        assert_ne!(me["id"], owner["id"]);
        assert_eq!(me["emailVerified"], false);
    }
}

#[actix_web::test]
async fn an_account_that_someone_made_with_the_address_ends_with_its_password() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    let squatter = app.unverified_user("gina@example.com").await;
    let browser = app.browser();
    provider.signs_in(&app, &browser, &gina()).await.goes_to("/me");
    squatter.get("/me").await.is(401);
    let old = json!({"email": "gina@example.com", "password": PASSWORD});
    app.curl().post_json("/login", old).await.refuses(401, "wrong_credentials");
}

#[actix_web::test]
async fn where_no_address_came_it_is_asked_for_and_leads_into_no_account() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    let owner = account(&app.verified("iris@example.com").await).await;
    let browser = app.browser();
    provider.says(json!({"sub": "iris"}));
    provider.signs_in(&app, &browser, &json!({"sub": "iris"})).await.goes_to("/auth/oidc/complete");
    browser.get("/auth/oidc/complete").await.is(200).says("share your email address");
    browser.post("/auth/oidc/complete", &[("email", "iris")]).await.is(422).says("aria-invalid");
    browser.post("/auth/oidc/complete", &[("email", "iris@example.com")]).await.goes_to("/me");
    let me = account(&browser).await;
    assert_ne!(me["id"], owner["id"]);
    assert_eq!(me["emailVerified"], false);
    browser.get("/auth/oidc/complete").await.is(422);
}

#[actix_web::test]
async fn the_second_factor_of_the_account_is_asked_for() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    let owner = app.with_app("gina@example.com").await;
    let browser = app.browser();
    provider.signs_in(&app, &browser, &gina()).await.goes_to("/auth/link");
    owner.submits_password(&browser).await.is(303);
    browser.post("/login/2fa", &[("code", &app.next_code(&owner.secret))]).await.is(303);
    browser.post("/auth/link", &[]).await.goes_to("/me");

    let again = app.browser();
    provider.signs_in(&app, &again, &gina()).await.goes_to("/login/2fa?next=%2Fme");
    again.get("/me").await.goes_to("/login?next=%2Fme");
    let code = app.next_code(&owner.secret);
    again.post("/login/2fa", &[("code", &code), ("next", "/me")]).await.goes_to("/me");
}

#[actix_web::test]
async fn fifty_answers_with_one_state_are_one_session() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    let browser = app.browser();
    let back = provider.knows(&app, &browser, LOGIN, &gina()).await;
    let others: Vec<Visitor> = (0..50).map(|_| browser.clone()).collect();
    let answers = join_all(others.iter().map(|one| one.get(&back))).await;
    assert_eq!(answers.iter().filter(|answer| answer.location() == Some("/me")).count(), 1);
    assert_eq!((app.count("sessions").await, provider.asked("/token")), (1, 1));
}

#[actix_web::test]
async fn fifty_first_arrivals_of_one_person_are_one_account() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    let other = app.second_node().await;
    let mut ways = Vec::new();
    for number in 0..50 {
        let browser = if number % 2 == 0 { app.browser() } else { other.browser() };
        let back = provider.knows(&app, &browser, LOGIN, &gina()).await;
        ways.push((browser, back));
    }
    let answers = join_all(ways.iter().map(|(browser, back)| browser.get(back))).await;
    // Beyond so many at once a node is busy; nobody is told anything else.
    for answer in &answers {
        assert!([303, 503].contains(&answer.status.as_u16()), "{}: {}", answer.status, answer.body);
    }
    assert!(answers.iter().any(|answer| answer.location() == Some("/me")));
    assert_eq!((app.count("users").await, app.count("provider_identities").await), (1, 1));
}

#[actix_web::test]
async fn a_provider_that_is_down_stops_nothing_and_comes_back_by_itself() {
    let provider = Provider::start();
    provider.is_down(true);
    let app = provider.site(&[]).await;
    app.curl().get("/readyz").await.is(200);
    app.verified("ada@example.com").await;
    app.curl().get(LOGIN).await.refuses(503, "provider_silent");
    app.curl().get(LOGIN).await.refuses(503, "provider_silent");
    assert_eq!(provider.asked("/.well-known/openid-configuration"), 1, "not at every sign-in");
    provider.is_down(false);
    app.wait(TimeDelta::seconds(11));
    let browser = app.browser();
    let back = provider.knows(&app, &browser, LOGIN, &gina()).await;
    provider.is_down(true);
    browser.get(&back).await.is(503).says("Acme does not answer.");
    app.wait(TimeDelta::days(2));
    // What was read before stays good.
    app.browser().get(LOGIN).await.is(303);
}

#[actix_web::test]
async fn keys_that_change_are_read_again_and_made_up_ones_cost_one_request() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    provider.signs_in(&app, &app.browser(), &gina()).await.goes_to("/me");
    app.wait(TimeDelta::minutes(6));
    provider.rotates_keys();
    provider.signs_in(&app, &app.browser(), &gina()).await.goes_to("/me");
    assert_eq!(provider.asked("/keys"), 2);
    let stranger = provider::Signer::new("made-up");
    for _ in 0..10 {
        let browser = app.browser();
        let request = Request::of(&browser.get(LOGIN).await);
        let token = stranger.sign(&provider.claims(&app, &request, &gina()));
        browser.get(&provider.grants(&request, token)).await.is(403);
    }
    assert_eq!(provider.asked("/keys"), 2, "at most once in five minutes");
}

#[actix_web::test]
async fn providers_are_offered_where_people_sign_in_and_sign_up() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    for page in ["/login", "/signup"] {
        app.browser().get(page).await.is(200).says("Continue with <bdi>Acme</bdi>");
    }
    let link = app.browser().get("/login?email=ada%40example.com&next=/me/sessions").await.is(200);
    link.says("/auth/oidc/login?provider=acme&amp;email=ada%40example.com&amp;next=%2Fme%2Fsessions");
    app.browser().get("/login?with=password&email=ada%40example.com").await.hides("Continue with");
    let methods = app.curl().post_json("/auth/methods", json!({"email": "ada@example.com"})).await.json();
    assert!(methods["methods"].as_array().unwrap().contains(&json!("acme")), "{methods}");
}

#[actix_web::test]
async fn whom_another_site_sent_or_who_is_signed_in_is_asked_first() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    let led = app.browser().with("sec-fetch-site", "cross-site");
    led.get(LOGIN).await.is(200).says("Another site sent you here.");
    let browser = app.browser();
    provider.signs_in(&app, &browser, &gina()).await.goes_to("/me");
    browser.get(LOGIN).await.is(200).says("You are signed in as");
    let page = browser.post("/auth/oidc/login", &[("provider", "acme")]).await.is(200);
    page.says("Continue to <bdi>Acme</bdi>").says(&format!("{}/authorize", provider.issuer));
    browser.post("/auth/oidc/login", &[("provider", "nobody")]).await.is(422);
    app.browser().get("/auth/oidc/login?provider=nobody").await.goes_to("/login");
}
