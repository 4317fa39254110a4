//! The history of sign-ins, as the owner reads it.

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    harness::TestApp,
    rate_limit::{guarded, tries},
};

#[actix_web::test]
async fn the_owner_reads_that_somebody_keeps_trying_and_strangers_cannot_fill_the_history() {
    let app = guarded().await;
    let ada = app.verified("ada@example.com").await;
    let stranger = app.curl();
    for _ in 0..5 {
        tries(&stranger, "ada@example.com", "a wrong guess").await.is(401);
    }
    for _ in 0..20 {
        tries(&stranger, "ada@example.com", "a wrong guess").await.is(429);
    }

    let logins = ada.get("/me/logins").await.is(200).json();

    let outcomes: Vec<_> =
        logins["logins"].as_array().unwrap().iter().map(|one| one["outcome"].clone()).collect();
    let count = |word: &str| outcomes.iter().filter(|outcome| *outcome == word).count();
    assert_eq!((count("wrong_password"), count("throttled"), count("success")), (5, 1, 1), "{logins}");
}

#[actix_web::test]
async fn history_and_devices_name_both_steps() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    app.wait(TimeDelta::minutes(1));
    let phone = app.browser();
    ada.submits_password(&phone).await.goes_to("/login/2fa?next=%2Fme");
    let code = ada.recovery_codes[0].as_str();
    phone.post("/login/2fa", &[("recovery", code)]).await.goes_to("/me");

    let logins = ada.curl.get("/me/logins").await.is(200).json();
    let newest = &logins["logins"][0];
    assert_eq!((&newest["method"], &newest["secondFactor"]), (&json!("password"), &json!("recovery_code")));
    assert_eq!(logins["logins"].as_array().unwrap().last().unwrap()["secondFactor"], json!(null));
    let sessions = ada.curl.get("/me/sessions").await.is(200).json();
    let theirs = sessions["sessions"].as_array().unwrap().iter().find(|one| one["current"] == false).unwrap();
    assert_eq!(theirs["secondFactor"], "recovery_code");
    phone.get("/me/logins").await.is(200).says("Password + recovery code");
    ada.curl.with("accept", "text/html").get("/me/sessions").await.is(200).says("Password + recovery code");
}
