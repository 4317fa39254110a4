//! The page of "This wasn't me": what its reader says of each sign-in and each second factor decides what is undone.

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    harness::{PASSWORD, TestApp},
    recovery::{ADA, X, Y, adds_passkey, intruder, not_me, signs_in, ways_back},
};

/// "Yes, this was me" takes one's own new phone out of every other alert's doubt; an unticked box does so for once.
#[actix_web::test]
async fn a_sign_in_that_was_answered_for_or_unticked_is_not_somebody_elses() {
    for answer in ["nothing", "yes", "ticked", "unticked", "trusted", "yes, of the one pressed"] {
        let app = TestApp::open().await;
        app.verified(ADA).await;
        app.wait(TimeDelta::minutes(1));
        let thief = intruder(&app, X).await;
        // Emails that leave at once arrive in any order.
        app.send_emails().await;
        app.wait(TimeDelta::minutes(1));
        let phone = app.curl().named(Y);
        signs_in(&phone, PASSWORD).await;
        phone.steps_up().await;
        adds_passkey(&app, &phone).await;
        app.wait(TimeDelta::minutes(1));
        let alerts = ways_back(&app, ADA, true).await;
        let (of_thief, of_phone) = (&alerts[0], &alerts[1]);
        let page = app.browser().get(&format!("/not-me?token={of_thief}")).await.is(200);
        page.says("Sign-ins that may not have been you").says("Yes, this was me");
        // The intruder's has ended: a first second factor signs out whoever came in with one only.
        let listed = app.curl().get(&format!("/not-me?token={of_thief}")).await.json()["signIns"].clone();
        let id = listed[0]["id"].as_str().unwrap();
        assert_eq!(
            (listed.as_array().unwrap().len(), &listed[0]["isToldOf"]),
            (1, &json!(false)),
            "{listed}"
        );
        let reader = app.browser();
        match answer {
            "yes" => reader.post("/not-me/was-me", &[("token", of_phone)]).await.goes_to("/login"),
            "yes, of the one pressed" => {
                reader.post("/not-me/was-me", &[("token", of_thief)]).await.goes_to("/login")
            }
            _ => reader.get("/login").await.is(200),
        };

        match answer {
            "unticked" => {
                let form = [("token", of_thief.as_str()), ("listed", id)];
                reader.post("/not-me", &form).await.is(200);
            }
            "ticked" => {
                let (listed, ticked) = (format!("{id} "), format!("disown-{id}"));
                let form = [("token", of_thief.as_str()), ("listed", &listed), (&ticked, "on")];
                reader.post("/not-me", &form).await.is(200);
            }
            "trusted" => {
                app.curl().post_json("/not-me", json!({ "token": of_thief, "trusted": [id] })).await.is(200);
            }
            _ => not_me(&app, of_thief).await,
        }

        let left = i64::from(matches!(answer, "yes" | "unticked" | "trusted"));
        assert_eq!(app.count("passkeys").await, left, "{answer}");
        phone.get("/me").await.refuses(401, "sign_in_required");
        thief.get("/me").await.refuses(401, "sign_in_required");
    }
}

/// A second factor that a session of a known device added stays; its removal is asked for, told, and can be stopped.
#[actix_web::test]
async fn a_factor_of_a_known_device_goes_the_delayed_way_where_that_is_asked_for() {
    let app = TestApp::open().await;
    let stolen = app.verified(ADA).await;
    app.wait(TimeDelta::minutes(2));
    stolen.steps_up().await;
    adds_passkey(&app, &stolen).await;
    app.wait(TimeDelta::minutes(2));
    let told = ways_back(&app, ADA, false).await.remove(0);
    let kept = app.curl().get(&format!("/not-me?token={told}")).await.json()["kept"].clone();
    let id = kept["passkeys"][0]["id"].as_str().unwrap();
    let page = app.browser().get(&format!("/not-me?token={told}")).await.is(200);
    page.says("Passkeys and apps that may not be yours").says("Remove the passkey");

    app.curl().post_json("/not-me", json!({ "token": told, "removeFactors": [id] })).await.is(200);

    assert_eq!(app.count("passkeys").await, 1);
    assert_eq!(app.count("users WHERE factors_reset_at IS NOT NULL").await, 1);
    assert_eq!(app.emails_that_say(ADA, "these are removed").await, 1);
}
