//! Whatever ends a session ends it at every host, at the next request.

use chrono::TimeDelta;
use serde_json::json;

use super::{Gate, WIKI, check, local, origin};
use crate::harness::{PASSWORD, TestApp, Visitor};

/// Somebody with a session here, and their browser at the host; another session of theirs elsewhere.
struct Ada {
    gate: Gate,
    here: Visitor,
    host: Visitor,
    elsewhere: Visitor,
}

async fn ada() -> Ada {
    let app = TestApp::today_with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let gate = Gate::of(app, &[]);
    let here = gate.app.verified("ada@example.com").await;
    let elsewhere = gate.app.curl();
    let fields = json!({ "email": "ada@example.com", "password": PASSWORD });
    elsewhere.post_json("/login", fields).await.is(200);
    let host = gate.lets_in(&here).await;
    assert!(gate.is_let_in(&host).await);
    Ada { gate, here, host, elsewhere }
}

impl Ada {
    async fn is_out(&self, what: &str) {
        assert!(!self.gate.is_let_in(&self.host).await, "{what}");
        assert_eq!(self.gate.app.count("gate_sessions").await, 0, "{what}: it is gone with its session");
    }
}

#[actix_web::test]
async fn signing_out_in_any_way_is_signing_out_everywhere() {
    let ada = ada().await;
    ada.here.post("/logout", &[]).await.is(200);
    ada.is_out("signed out here").await;

    let ada = self::ada().await;
    let id = ada.here.session_id().await;
    ada.elsewhere.delete(&format!("/me/sessions/{id}")).await.is(200);
    ada.is_out("one device revoked").await;

    let ada = self::ada().await;
    ada.elsewhere.post("/me/sessions/revoke-all", &[]).await.is(200);
    ada.is_out("signed out everywhere else").await;

    let ada = self::ada().await;
    ada.elsewhere.steps_up().await;
    let fields = json!({ "newPassword": "another horse battery staple" });
    ada.elsewhere.put_json("/me/password", fields).await.is(200);
    ada.is_out("password changed elsewhere").await;
}

#[actix_web::test]
async fn one_s_own_browser_stays_in_where_its_session_stays() {
    let ada = ada().await;
    ada.here.steps_up().await;
    assert!(ada.gate.is_let_in(&ada.host).await, "a step-up turns the session's secret, not this one");
    ada.here.put_json("/me/password", json!({ "newPassword": "another horse battery staple" })).await.is(200);
    assert!(ada.gate.is_let_in(&ada.host).await);
    ada.here.post("/me/sessions/revoke-all", &[]).await.is(200);
    assert!(ada.gate.is_let_in(&ada.host).await);
}

#[actix_web::test]
async fn recovery_and_operators_put_everybody_out() {
    let ada = ada().await;
    ada.elsewhere.post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let token = ada.gate.app.token_for("ada@example.com").await;
    let fields = json!({ "token": token, "password": "another horse battery staple" });
    ada.gate.app.curl().post_json("/reset-password", fields).await.is(200);
    ada.is_out("password reset").await;

    let ada = self::ada().await;
    assert_eq!(ada.gate.app.command(&["user", "lock", "ada@example.com"]).code, Some(0));
    assert!(!ada.gate.is_let_in(&ada.host).await, "an operator locked the account");

    let ada = self::ada().await;
    assert_eq!(ada.gate.app.command(&["session", "revoke-all", "--yes"]).code, Some(0));
    ada.is_out("an operator ended every session").await;

    let ada = self::ada().await;
    ada.gate.app.db_execute("UPDATE sessions SET locked_at = created_at").await;
    assert!(!ada.gate.is_let_in(&ada.host).await, "the session is locked");
}

#[actix_web::test]
async fn time_ends_it_with_the_session() {
    let ada = ada().await;
    ada.gate.app.wait(TimeDelta::minutes(31));
    assert!(!ada.gate.is_let_in(&ada.host).await, "nobody used it");
    let ada = self::ada().await;
    for _ in 0..50 {
        ada.gate.app.wait(TimeDelta::minutes(29));
        check(&ada.host).await;
    }
    assert!(!ada.gate.is_let_in(&ada.host).await, "a day is over");
}

#[actix_web::test]
async fn an_account_that_waits_to_be_deleted_uses_nothing_case_a8_20() {
    let ada = ada().await;
    ada.here.steps_up().await;
    ada.here.post_json("/me/delete", json!({})).await.is(200);
    let script = ada.host.clone().with("sec-fetch-mode", "cors");
    check(&script).await.refuses(403, "deletion_scheduled");
    let start = check(&ada.host).await.is(303);
    let start = local(start.location().unwrap(), &origin(WIKI));
    let enter = local(ada.host.get_once(&start).await.is(303).location().unwrap(), &ada.gate.app.base_url);
    let page = ada.here.clone().with("accept", "text/html").get_once(&enter).await;
    page.goes_to("/me/delete/status");
    ada.here.post_json("/me/delete/cancel", json!({})).await.is(200);
    assert!(ada.gate.is_let_in(&ada.host).await);
}

#[actix_web::test]
async fn what_is_held_is_told_and_goes_with_the_account() {
    let ada = ada().await;
    ada.here.steps_up().await;
    let copy = ada.here.get("/me/export").await.is(200).json();
    assert_eq!(copy["gateSessions"][0]["application"], "Wiki");
    assert_eq!(ada.gate.app.command(&["user", "delete", "ada@example.com", "--now"]).code, Some(0));
    ada.is_out("purged").await;
}

#[actix_web::test]
async fn an_application_that_is_out_of_use_lets_nobody_in() {
    let ada = ada().await;
    let app = &ada.gate.app;
    assert_eq!(app.command(&["app", "disable", WIKI]).code, Some(0));
    let program = ada.host.clone().with("accept", "*/*");
    check(&program).await.refuses(403, "application_unknown");
    program.get_once("/.vestibule/start").await.refuses(403, "application_unknown");
    assert_eq!(app.command(&["app", "enable", WIKI]).code, Some(0));
    assert!(ada.gate.is_let_in(&ada.host).await);
    assert_eq!(app.command(&["app", "remove", WIKI]).code, Some(0));
    check(&program).await.refuses(403, "application_unknown");
    assert_eq!(app.count("gate_sessions").await, 0);
    ada.here.get("/me").await.is(200);
}
