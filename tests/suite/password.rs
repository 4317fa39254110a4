//! Another password, by its person.

use serde_json::json;

use crate::harness::{PASSWORD, TestApp};

const NEW: &str = "another fine passphrase";

#[actix_web::test]
async fn a_new_password_signs_out_everywhere_else_and_rotates_here_case_41() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    let other = app.curl();
    other.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
    curl.put_json("/me/password", json!({ "newPassword": NEW }))
        .await
        .refuses(403, "reauthentication_required");
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    let old_secret = curl.cookie("session").unwrap();

    curl.put_json("/me/password", json!({ "newPassword": NEW })).await.is(200);

    assert_ne!(curl.cookie("session").unwrap(), old_secret);
    let sessions = curl.get("/me/sessions").await.is(200).json();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1, "the current one is still in the list");
    other.get("/me").await.refuses(401, "sign_in_required");
    let login = |password: &str| json!({ "email": "ada@example.com", "password": password });
    app.curl().post_json("/login", login(PASSWORD)).await.is(401);
    app.curl().post_json("/login", login(NEW)).await.is(200);
    let told = app.emails_to("ada@example.com").await;
    assert!(told.iter().any(|email| email.subject.contains("was changed")), "the owner is told");
}

#[actix_web::test]
async fn every_link_dies_with_the_old_password_case_08() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    app.curl().post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let reset = app.token_for("ada@example.com").await;
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);

    curl.put_json("/me/password", json!({ "newPassword": NEW })).await.is(200);

    let form = json!({ "token": reset, "password": "yet another passphrase" });
    app.curl().post_json("/reset-password", form).await.refuses(422, "dead_reset_link");
}

#[actix_web::test]
async fn a_weak_password_or_a_slip_changes_nothing() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);

    for (new, repeat, field) in [
        ("short", "short", "newPassword"),
        ("iloveyou", "iloveyou", "newPassword"),
        (NEW, "a slip", "repeat"),
    ] {
        let refused = curl.put_json("/me/password", json!({ "newPassword": new, "repeat": repeat })).await;
        assert!(refused.refuses(422, "invalid").json()["fields"][field].is_string());
    }

    app.curl().post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
}

#[actix_web::test]
async fn a_unverified_user_may_change_their_password_too() {
    let app = TestApp::open().await;
    let curl = app.unverified_user("ada@example.com").await;
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);

    curl.put_json("/me/password", json!({ "newPassword": NEW })).await.is(200);

    // The mailbox may be somebody's who has nothing to do with this account.
    let told = app.emails_to("ada@example.com").await;
    assert!(told.iter().all(|email| !email.subject.contains("was changed")), "{told:?}");
}

#[actix_web::test]
async fn whoever_stepped_up_with_something_else_gives_the_current_password_too() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    ada.curl.post_json("/auth/confirm", json!({ "code": app.next_code(&ada.secret) })).await.is(200);
    let form = ada.curl.clone().with("accept", "text/html").get("/me/password").await.is(200);
    form.says("Current password").says("autocomplete=\"current-password\"");

    for (current, says) in [
        (json!(null), "Enter your current password."),
        (json!(""), "Enter your current password."),
        (json!("a wrong guess"), "That is not your password."),
        (json!(NEW), "That is not your password."),
    ] {
        let mut body = json!({ "newPassword": NEW });
        if !current.is_null() {
            body["currentPassword"] = current;
        }
        let refused = ada.curl.put_json("/me/password", body).await.refuses(422, "invalid").json();
        assert_eq!(refused["fields"]["currentPassword"], says, "{refused}");
    }
    let weak = json!({ "newPassword": "iloveyou", "currentPassword": PASSWORD });
    ada.curl.put_json("/me/password", weak).await.refuses(422, "invalid");

    let body = json!({ "newPassword": NEW, "currentPassword": PASSWORD });
    ada.curl.put_json("/me/password", body).await.is(200);

    let login = |password: &str| json!({ "email": "ada@example.com", "password": password });
    app.curl().post_json("/login", login(PASSWORD)).await.is(401);
    app.curl().post_json("/login", login(NEW)).await.is(200);
}

#[actix_web::test]
async fn a_wrong_current_password_counts_as_a_wrong_step_up_and_the_tenth_ends_the_session() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let ada = app.with_app("ada@example.com").await;
    ada.curl.post_json("/auth/confirm", json!({ "code": app.next_code(&ada.secret) })).await.is(200);
    let guess = json!({ "newPassword": NEW, "currentPassword": "a wrong guess" });
    let right = json!({ "newPassword": NEW, "currentPassword": PASSWORD });

    let mut seen = Vec::new();
    while seen.len() < 30 {
        let status = ada.curl.put_json("/me/password", guess.clone()).await.status.as_u16();
        seen.push(status);
        match status {
            422 => {}
            429 => app.wait(chrono::TimeDelta::minutes(1)),
            _ => break,
        }
    }

    assert_eq!(seen.iter().filter(|status| **status == 422).count(), 9, "{seen:?}");
    assert_eq!(seen.last(), Some(&401), "{seen:?}");
    ada.curl.put_json("/me/password", right).await.refuses(401, "sign_in_required");
}

#[actix_web::test]
async fn whoever_has_no_password_sets_one() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    app.db_execute("UPDATE users SET password_blocked_at = created_at").await;
    app.db_execute("UPDATE sessions SET stepped_up_at = created_at, stepped_up_with = 'passkey'").await;
    let page = curl.clone().with("accept", "text/html").get("/me/password").await.is(200);
    page.says("Set a password").hides("Current password");

    curl.put_json("/me/password", json!({ "newPassword": NEW })).await.is(200);

    let login = json!({ "email": "ada@example.com", "password": NEW });
    app.curl().post_json("/login", login).await.is(200);
}
