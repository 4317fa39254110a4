//! What follows a press of "this wasn't me": for factors that stay, for organisations, and what an older session says of a
//! younger one.

use chrono::TimeDelta;
use serde_json::json;
use vestibule::jobs::{self, Job};

use crate::{
    harness::{PASSWORD, TestApp, Visitor},
    idp::Acme,
    passkeys,
    recovery::{ADA, X, Y, adds_passkey, intruder, not_me, signs_in, ways_back},
};

/// A factor that was added in a browser known before stays; of two, the one that is ticked goes after the delay.
#[actix_web::test]
async fn of_two_factors_the_one_that_was_ticked_is_removed_after_the_delay() {
    let app = TestApp::open().await;
    let stolen = app.verified(ADA).await;
    app.wait(TimeDelta::minutes(2));
    stolen.steps_up().await;
    let mut mine = adds_passkey(&app, &stolen).await;
    app.send_emails().await;
    app.wait(TimeDelta::minutes(2));
    passkeys::confirms(&stolen, &mut mine).await;
    let mut theirs = adds_passkey(&app, &stolen).await;
    app.wait(TimeDelta::minutes(2));
    let told = ways_back(&app, ADA, false).await.remove(0);
    let kept = app.curl().get(&format!("/not-me?token={told}")).await.json()["kept"].clone();
    assert_eq!(kept["passkeys"].as_array().unwrap().len(), 2, "{kept}");
    let id = kept["passkeys"][1]["id"].as_str().unwrap();
    let (form, ticked) = (app.browser(), format!("remove-{id}"));
    form.post("/not-me", &[("token", &told), ("offered", "true"), (&ticked, "true")]).await.is(200);
    assert_eq!(app.count("passkeys").await, 2);
    app.wait(TimeDelta::hours(25));

    jobs::run_once(&app.inner, Job::FactorResets, true).await.unwrap();

    assert_eq!(app.count("passkeys").await, 1);
    assert_eq!(app.emails_that_say(ADA, "were removed on").await, 1);
    passkeys::signs_in(&app.curl(), &mut theirs).await.refuses(401, "unknown_passkey");
    passkeys::signs_in(&app.curl(), &mut mine).await.is(200);
}

/// An answer from a session counts where that one is older, stepped up, and not disowned itself.
#[actix_web::test]
async fn an_older_session_answers_for_a_younger_one_unless_it_is_disowned() {
    for is_owner in [true, false] {
        let app = TestApp::open().await;
        let laptop = app.verified(ADA).await;
        app.wait(TimeDelta::minutes(1));
        let thief = intruder(&app, X).await;
        app.send_emails().await;
        app.wait(TimeDelta::minutes(1));
        let phone = app.curl().named(Y);
        signs_in(&phone, PASSWORD).await;
        app.send_emails().await;
        app.wait(TimeDelta::minutes(1));
        let from = if is_owner { &laptop } else { &thief };
        let way = format!("/me/sessions/{}/was-me", phone.session_id().await);
        from.post_json(&way, json!({})).await.refuses(403, "reauthentication_required");
        from.steps_up().await;
        from.clone().with("accept", "text/html").get("/me/security").await.says("Yes, this was me");
        from.post_json(&way, json!({})).await.is(200);
        from.post_json(&way, json!({})).await.refuses(404, "not_found");
        // Younger than what it would answer for.
        phone.steps_up().await;
        let back = format!("/me/sessions/{}/was-me", thief.session_id().await);
        phone.post_json(&back, json!({})).await.refuses(404, "not_found");
        adds_passkey(&app, &phone).await;
        let alert = ways_back(&app, ADA, true).await.remove(0);

        not_me(&app, &alert).await;

        assert_eq!(app.count("passkeys").await, i64::from(is_owner), "answered by the owner: {is_owner}");
    }
}

/// What a disowned session did in an organisation stays; its owners read it.
#[actix_web::test]
async fn owners_read_what_a_disowned_session_changed_in_their_organisation() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    app.wait(TimeDelta::minutes(1));
    let thief = intruder(&app, X).await;
    thief.steps_up().await;
    thief.post_json("/organisations", json!({ "name": "Acme" })).await.is(201);
    thief.post_json("/organisations/acme/sso/domains", json!({ "domain": "evil.example" })).await.is(201);
    app.send_emails().await;
    let alert = ways_back(&app, ADA, true).await.remove(0);

    not_me(&app, &alert).await;

    let emails = app.emails_to(ADA).await;
    let told = emails.iter().find(|email| email.subject == "Someone else made changes in Acme").unwrap();
    assert!(told.text.contains("domain added, evil.example"), "{}", told.text);
    assert!(told.text.contains("/organisations/acme"), "{}", told.text);
}

/// Where people sign in through their organisation only, the email leads there, and to no password.
#[actix_web::test]
async fn where_sso_is_required_the_email_leads_to_the_organisation() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let ada = app.verified("ada@example.com").await;
    app.wait(TimeDelta::minutes(1));
    let thief = app.curl().named(X);
    let form = json!({ "email": "ada@example.com", "password": PASSWORD });
    thief.post_json("/login", form).await.is(200);
    app.send_emails().await;
    let alert = ways_back(&app, "ada@example.com", true).await.remove(0);
    acme.enforces(&app, None).await;

    not_me(&app, &alert).await;

    let emails = app.emails_to("ada@example.com").await;
    let newest = emails.last().unwrap();
    assert!(newest.subject.starts_with("Sign in to "), "{}", newest.subject);
    assert!(newest.text.contains("/auth/sso/login?email=ada%40example.com"), "{}", newest.text);
    assert!(!emails.iter().any(|email| email.text.contains("/reset-password?token=")));
    is_out(&ada).await;
}

async fn is_out(visitor: &Visitor) {
    visitor.get("/me").await.refuses(401, "sign_in_required");
}
