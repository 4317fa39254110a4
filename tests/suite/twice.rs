//! Pressed twice: a form that is sent again, at once or later, from the same browser or another.

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::harness::{Answer, PASSWORD, TestApp, Visitor, token_in};

const ADDRESS: &str = "ada@example.com";
const OTHER: &str = "another fine passphrase";

/// A browser that looks at a form, as often as it is going to send it.
async fn at(app: &TestApp, path: &str, times: usize) -> Vec<Visitor> {
    let browser = app.browser();
    browser.get(path).await.is(200);
    (0..times).map(|_| browser.clone()).collect()
}

async fn sign_up(browser: &Visitor, password: &str) -> Answer {
    browser.post("/signup", &[("name", "Ada"), ("email", ADDRESS), ("password", password)]).await
}

async fn sign_in(browser: &Visitor, password: &str) -> Answer {
    browser.post("/login", &[("email", ADDRESS), ("password", password)]).await
}

/// How many of these jars are signed in.
async fn signed_in(jars: &[Visitor]) -> usize {
    let answers = join_all(jars.iter().map(|jar| jar.get("/me"))).await;
    answers.iter().filter(|answer| answer.status == 200).count()
}

async fn links(app: &TestApp) -> Vec<String> {
    let emails = app.emails_to(ADDRESS).await;
    emails.iter().filter_map(|email| token_in(&email.text)).collect()
}

#[actix_web::test]
async fn the_sign_up_form_sent_twice_at_once_is_one_account_and_one_email() {
    let app = TestApp::open().await;
    let pressed = at(&app, "/signup", 2).await;

    let (first, second) = join(sign_up(&pressed[0], PASSWORD), sign_up(&pressed[1], PASSWORD)).await;

    first.goes_to("/me");
    second.goes_to("/me");
    assert_eq!((app.count("users").await, app.count("sessions").await), (1, 1));
    assert_eq!(signed_in(&pressed).await, 1, "the later answer is the one that the browser keeps");
    let links = links(&app).await;
    assert_eq!(links.len(), 1);
    let kept = join_all(pressed.iter().map(|jar| jar.get("/me"))).await;
    let kept = &pressed[kept.iter().position(|answer| answer.status == 200).unwrap()];
    kept.post("/verify-email", &[("token", &links[0])]).await.goes_to("/me");
    kept.get("/me").await.is(200);
}

#[actix_web::test]
async fn fifty_times_at_once_as_well() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    let pressed = at(&app, "/signup", 50).await;

    for answer in join_all(pressed.iter().map(|jar| sign_up(jar, PASSWORD))).await {
        answer.goes_to("/me");
    }

    assert_eq!((app.count("users").await, app.count("sessions").await), (1, 1));
    assert_eq!(signed_in(&pressed).await, 1);
    assert_eq!(links(&app).await.len(), 1);

    let pressed = at(&app, "/login", 50).await;
    for answer in join_all(pressed.iter().map(|jar| sign_in(jar, PASSWORD))).await {
        answer.goes_to("/me");
    }
    assert_eq!(app.count("sessions").await, 2, "one more");
    assert_eq!(signed_in(&pressed).await, 1);
}

#[actix_web::test]
async fn the_sign_in_form_sent_twice_at_once_is_one_device_in_the_list() {
    let app = TestApp::open().await;
    let elsewhere = app.verified(ADDRESS).await;
    let pressed = at(&app, "/login", 2).await;

    let (first, second) = join(sign_in(&pressed[0], PASSWORD), sign_in(&pressed[1], PASSWORD)).await;

    first.goes_to("/me");
    second.goes_to("/me");
    assert_eq!(signed_in(&pressed).await, 1);
    let list = elsewhere.get("/me/sessions").await.is(200).json();
    assert_eq!(list["sessions"].as_array().unwrap().len(), 2, "{list}");
}

#[actix_web::test]
async fn two_browsers_that_sign_in_at_once_are_two_devices() {
    let app = TestApp::open().await;
    app.verified(ADDRESS).await;
    let mut browsers = at(&app, "/login", 1).await;
    browsers.extend(at(&app, "/login", 1).await);
    // Programs hold no mark: each is for itself.
    browsers.extend([app.browser(), app.browser()]);

    for answer in join_all(browsers.iter().map(|browser| sign_in(browser, PASSWORD))).await {
        answer.goes_to("/me");
    }

    assert_eq!(signed_in(&browsers).await, 4);
}

#[actix_web::test]
async fn a_jar_that_is_copied_later_is_not_signed_out() {
    let app = TestApp::open().await;
    app.verified(ADDRESS).await;
    let browsers = at(&app, "/login", 2).await;
    sign_in(&browsers[0], PASSWORD).await.goes_to("/me");
    app.wait(TimeDelta::minutes(1));

    sign_in(&browsers[1], PASSWORD).await.goes_to("/me");

    assert_eq!(signed_in(&browsers).await, 2);
}

#[actix_web::test]
async fn another_person_in_the_same_browser_ends_nobody_elses_session() {
    let app = TestApp::open().await;
    app.verified(ADDRESS).await;
    app.verified("ben@example.com").await;
    let browsers = at(&app, "/login", 2).await;

    sign_in(&browsers[0], PASSWORD).await.goes_to("/me");
    browsers[1].post("/login", &[("email", "ben@example.com"), ("password", PASSWORD)]).await.goes_to("/me");

    assert_eq!(signed_in(&browsers).await, 2);
}

#[actix_web::test]
async fn with_another_password_the_form_makes_another_account_and_ends_nothing() {
    let app = TestApp::open().await;
    let browser = at(&app, "/signup", 1).await.remove(0);
    sign_up(&browser, PASSWORD).await.goes_to("/me");
    let before = links(&app).await.remove(0);
    let owner = id_of(&browser).await;

    // Whoever holds the session of the first, and not its password.
    sign_up(&browser.clone(), OTHER).await.goes_to("/me");

    assert_eq!(app.count("users").await, 2);
    assert_eq!(links(&app).await.len(), 2);
    let device = app.browser();
    sign_in(&device, PASSWORD).await.goes_to("/me");
    assert_eq!(id_of(&device).await, owner);
    sign_in(&app.browser(), OTHER).await.goes_to("/me");
    device.post("/verify-email", &[("token", &before)]).await.goes_to("/me");
    sign_in(&app.browser(), OTHER).await.is(401);
    sign_in(&app.browser(), PASSWORD).await.goes_to("/me");
}

#[actix_web::test]
async fn whoever_signs_up_again_because_no_email_came_gets_another_one() {
    let app = TestApp::open().await;
    let curl = app.curl();
    curl.post_json("/signup", json!({ "email": ADDRESS, "password": PASSWORD, "name": "Ada" })).await.is(201);
    let id = curl.get("/me").await.json()["user"]["id"].clone();
    app.wait(TimeDelta::minutes(2));

    // A program that holds its session is the same as a browser.
    let told = curl
        .post_json("/signup", json!({ "email": ADDRESS, "password": PASSWORD, "name": "Ada" }))
        .await
        .is(201)
        .json();

    assert_eq!(told["user"]["id"], id);
    assert_eq!(links(&app).await.len(), 2);
    curl.get("/me").await.is(200);
}

#[actix_web::test]
async fn two_browsers_are_two_unverified_accounts_and_each_password_opens_its_own() {
    let app = TestApp::open().await;
    let mut who = Vec::new();
    for password in [PASSWORD, OTHER] {
        let browser = at(&app, "/signup", 1).await.remove(0);
        sign_up(&browser, password).await.goes_to("/me");
        who.push(id_of(&browser).await);
    }
    assert_ne!(who[0], who[1]);

    for (password, id) in [PASSWORD, OTHER].iter().zip(&who) {
        let device = app.browser();
        sign_in(&device, password).await.goes_to("/me");
        assert_eq!(id_of(&device).await, *id, "{password}");
    }
    sign_in(&app.browser(), "neither of the two").await.is(401);
}

#[actix_web::test]
async fn a_stranger_who_signs_up_with_somebodys_address_gets_an_account_of_their_own() {
    let app = TestApp::open().await;
    let ada = at(&app, "/signup", 1).await.remove(0);
    sign_up(&ada, PASSWORD).await.goes_to("/me");
    let eve = at(&app, "/signup", 1).await.remove(0);

    // Even with the same password: it is the browser that counts.
    sign_up(&eve, PASSWORD).await.goes_to("/me");

    assert_ne!(id_of(&ada).await, id_of(&eve).await);
    assert_eq!(app.count("users").await, 2);
}

#[actix_web::test]
async fn an_account_that_is_confirmed_is_never_taken_for_the_form_sent_twice() {
    let app = TestApp::open().await;
    let browser = at(&app, "/signup", 1).await.remove(0);
    sign_up(&browser, PASSWORD).await.goes_to("/me");
    let link = links(&app).await.remove(0);
    browser.post("/verify-email", &[("token", &link)]).await.goes_to("/me");
    let owner = id_of(&browser).await;

    sign_up(&browser, OTHER).await.goes_to("/me");

    assert_ne!(id_of(&browser).await, owner);
    assert_eq!(app.count("users WHERE email_verified_at IS NOT NULL").await, 1);
    sign_in(&app.browser(), PASSWORD).await.goes_to("/me");
}

async fn id_of(browser: &Visitor) -> Value {
    browser.clone().with("accept", "application/json").get("/me").await.is(200).json()["user"]["id"].clone()
}
