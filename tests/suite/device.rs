//! Devices without a browser (RFC 8628): a code is typed elsewhere, and what comes of it is a row of the list of devices.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
};

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::harness::{Answer, TestApp, Visitor};
use crate::oauth::{ADA, Notes, claims, posts, refused, text};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const TV: &str = "Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/4.0 TV Safari/537.36";

async fn open(options: &[&str]) -> Notes {
    let notes = Notes::of(TestApp::open().await, "native", &[&["--device", "on"], options].concat());
    assert!(notes.secret.is_none());
    notes
}

async fn asks(notes: &Notes) -> Value {
    let form = [("client_id", notes.client_id.as_str()), ("scope", "openid email")];
    posts(&notes.app.curl().named(TV), "/oauth/device_authorization", &form).await.is(200).json()
}

async fn polls(notes: &Notes, asked: &Value) -> Answer {
    notes.asks(&[("grant_type", GRANT_TYPE), ("device_code", asked["device_code"].as_str().unwrap())]).await
}

async fn answers(me: &Visitor, asked: &Value, decision: &str) -> Answer {
    me.post_json("/device", json!({ "user_code": asked["user_code"], "decision": decision })).await
}

#[actix_web::test]
async fn a_device_waits_is_let_in_and_is_a_row_of_the_list() {
    let notes = open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    let asked = asks(&notes).await;
    assert_eq!((&asked["expires_in"], &asked["interval"]), (&json!(600), &json!(5)));
    let code = text(&asked["user_code"]);
    assert_eq!(asked["verification_uri"], format!("{}/device", notes.app.base_url));
    assert_eq!(asked["verification_uri_complete"], format!("{}/device?user_code={code}", notes.app.base_url));
    refused(polls(&notes, &asked).await, 400, "authorization_pending");
    // Too early, twice: it has to wait for longer, from when it last asked in time.
    refused(polls(&notes, &asked).await, 400, "slow_down");
    notes.app.wait(TimeDelta::seconds(6));
    refused(polls(&notes, &asked).await, 400, "slow_down");
    notes.app.wait(TimeDelta::seconds(9));
    refused(polls(&notes, &asked).await, 400, "authorization_pending");

    // A second early is not too early: clocks and networks are not even.
    let other = asks(&notes).await;
    refused(polls(&notes, &other).await, 400, "authorization_pending");
    notes.app.wait(TimeDelta::seconds(4));
    refused(polls(&notes, &other).await, 400, "authorization_pending");

    // A link opens nothing by itself.
    let page = notes.app.browser();
    let led = page.get_once(&format!("/device?user_code={code}")).await.is(303);
    assert!(led.location().unwrap().starts_with("/login?next=%2Fdevice%3Fuser_code%3D"));
    let told = ada.post_json("/device", json!({ "user_code": code.to_lowercase() })).await.is(200).json();
    assert_eq!((&told["application"], &told["email"]), (&json!("Notes"), &json!(ADA)));
    assert!(text(&told["place"]).contains("127.0.0.0/24") && told["askedAt"].is_string(), "{told}");
    refused(polls(&notes, &asked).await, 400, "slow_down");
    answers(&ada, &asked, "allow").await.is(200);
    let all = join_all((0..50).map(|_| polls(&notes, &asked))).await;
    let (got, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((got.len(), others.len()), (1, 49), "one token set");
    let tokens = got[0].json();
    others.into_iter().for_each(|answer| refused(answer, 400, "invalid_grant"));
    assert_eq!(
        (claims(&tokens["id_token"])["email"].clone(), &tokens["token_type"]),
        (json!(ADA), &json!("Bearer"))
    );
    assert_eq!(
        (&tokens["scope"], &tokens["refresh_expires_in"]),
        (&json!("email offline_access openid"), &json!(14 * 86_400))
    );
    notes.userinfo(&tokens).await.is(200);
    let tokens = notes.refreshes(&tokens["refresh_token"]).await.is(200).json();
    assert_eq!(notes.app.emails_that_say(ADA, "Notes can act for you while you are away").await, 1);

    let listed = ada.get("/me/sessions").await.is(200).json();
    let row =
        listed["sessions"].as_array().unwrap().iter().find(|one| one["application"] == "Notes").unwrap();
    assert_eq!(row["current"], false);
    ada.delete(&format!("/me/sessions/{}", text(&row["id"]))).await.is(200);
    refused(notes.refreshes(&tokens["refresh_token"]).await, 400, "invalid_grant");
    refused(notes.userinfo(&tokens).await, 401, "invalid_token");
}

#[actix_web::test]
async fn a_device_hears_no_is_late_or_loses_what_it_was_given() {
    let notes = open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    let asked = asks(&notes).await;
    answers(&ada, &asked, "deny").await.is(200);
    refused(polls(&notes, &asked).await, 400, "access_denied");
    answers(&ada, &asked, "allow").await.refuses(422, "invalid");
    assert_eq!(notes.app.count("audit WHERE event = 'device_denied'").await, 1);
    let late = asks(&notes).await;
    let taken = asks(&notes).await;
    answers(&ada, &taken, "allow").await.is(200);
    // Whoever lets it in and is signed out by the list takes it back, too.
    ada.post_json("/me/sessions/revoke-all", json!({})).await.is(200);
    refused(polls(&notes, &taken).await, 400, "access_denied");
    let unfetched = asks(&notes).await;
    answers(&ada, &unfetched, "allow").await.is(200);
    notes.app.wait(TimeDelta::minutes(10));
    for asked in [&late, &unfetched] {
        refused(polls(&notes, asked).await, 400, "expired_token");
        answers(&ada, asked, "allow").await.refuses(422, "invalid");
    }
    let listed = ada.get("/me/sessions").await.is(200).json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1, "nobody came for it");
    // Another application's code, none, and an application that is not registered for it.
    let other = open_other(&notes).await;
    let asked = asks(&notes).await;
    refused(polls(&other, &asked).await, 400, "invalid_grant");
    refused(notes.asks(&[("grant_type", GRANT_TYPE)]).await, 400, "invalid_request");
    other.app.command(&["app", "set", &other.client_id, "--device", "off"]);
    refused(polls(&other, &asked).await, 400, "unauthorized_client");
    let form = [("client_id", other.client_id.as_str())];
    refused(posts(&other.app.curl(), "/oauth/device_authorization", &form).await, 400, "unauthorized_client");
}

/// Another application at the same site.
async fn open_other(notes: &Notes) -> Notes {
    Notes::of(notes.app.second_node().await, "native", &["--device", "on"])
}

#[actix_web::test]
async fn codes_are_not_guessed_and_a_link_from_elsewhere_is_typed_again() {
    let app = TestApp::with(&[("THROTTLE", "on"), ("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let notes = Notes::of(app, "native", &["--device", "on", "--third-party", "on"]);
    let ada = notes.app.verified(ADA).await;
    let form = [("client_id", notes.client_id.as_str()), ("scope", "openid")];
    let away = notes.app.curl().with("x-forwarded-for", "203.0.113.9");
    let asked = posts(&away, "/oauth/device_authorization", &form).await.is(200).json();
    let code = text(&asked["user_code"]);
    let linked = json!({ "user_code": code, "linked": true });
    let told = ada.post_json("/device", linked).await.is(200).json();
    assert_eq!((&told["asksCode"], &told["thirdParty"]), (&json!(true), &json!(true)));
    assert!(text(&told["place"]).contains("203.0.113.0/24"));
    let typed = ada.post_json("/device", json!({ "user_code": code })).await.is(200).json();
    assert_eq!(typed["asksCode"], false);
    let page = ada.clone().with("accept", "text/html");
    page.get(&format!("/device?user_code={code}"))
        .await
        .is(200)
        .says(&code)
        .says("Did someone send you a code");
    let shown = page.post("/device", &[("user_code", &code), ("linked", "on")]).await.is(200);
    shown
        .says("Let in")
        .says("Notes")
        .says("as the device shows it")
        .says("is run by someone else")
        .hides(&code);
    // So many a minute, right or wrong, of one account.
    for _ in 0..7 {
        ada.post_json("/device", json!({ "user_code": "BCDF-GHJK" })).await.refuses(422, "invalid");
    }
    ada.post_json("/device", json!({ "user_code": code })).await.refuses(429, "too_many_attempts");
    notes.app.wait(TimeDelta::minutes(1));
    answers(&ada, &asked, "allow").await.is(200);
    let tokens = polls(&notes, &asked).await.is(200).json();
    assert_eq!(notes.app.count("consents").await, 1);
    notes.userinfo(&tokens).await.is(200);
    ada.delete(&format!("/me/applications/{}", application(&ada).await)).await.is(200);
    refused(notes.userinfo(&tokens).await, 401, "invalid_token");
}

async fn application(me: &Visitor) -> String {
    text(&me.get("/me/applications").await.is(200).json()["applications"][0]["id"])
}

#[actix_web::test]
async fn what_an_application_needs_of_people_is_needed_here_as_well() {
    let notes = open(&["--need", "second-factor"]).await;
    let ada = notes.app.verified(ADA).await;
    let asked = asks(&notes).await;
    for decision in ["", "allow"] {
        answers(&ada, &asked, decision).await.refuses(403, "second_factor_required");
    }
    answers(&ada, &asked, "deny").await.is(200);
    let document = notes.app.curl().get("/.well-known/openid-configuration").await.is(200).json();
    assert_eq!(
        document["device_authorization_endpoint"],
        format!("{}/oauth/device_authorization", notes.app.base_url)
    );
    assert!(document["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT_TYPE)));
    let wrong = notes.app.command(&[
        "app",
        "add",
        "Page",
        "--kind",
        "browser",
        "--redirect",
        crate::oauth::REDIRECT_URI,
        "--device",
        "on",
    ]);
    assert!(wrong.err.contains("of kind web or native"), "{}", wrong.err);
}

#[actix_web::test]
async fn what_the_command_prints_for_a_device_brings_it_tokens() {
    let app = TestApp::open().await;
    let arguments = ["app", "add", "Acme CLI", "--kind", "native", "--device", "on"];
    let added = app.command(&arguments);
    assert_eq!(added.code, Some(0), "{}", added.err);
    let (_, next) = added.out.split_once("Next:").unwrap();
    let next: Vec<&str> = next.split_whitespace().skip(1).collect();
    assert_eq!((next[1], next[3]), ("config", "curl"), "{}", added.out);
    let printed = app.command(&next);
    let script = printed.out.replace("sleep 5", "sleep 0.05");
    assert_ne!(script, printed.out, "{}", printed.err);
    assert!(app.command(&["app", "show", next[2]]).out.contains("devices without a browser: yes"));
    assert_eq!(app.command(&["app", "config", next[2], "openid-client"]).code, Some(1));

    let mut device = Command::new("bash").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(device.stdout.take().unwrap());
    let reads = move || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        (line, output)
    };
    let (line, mut output) = spawn_blocking(reads).await.unwrap();
    let (place, code) = line.trim().split_once(" and enter ").unwrap();
    assert_eq!(place, format!("Open {}/device", app.base_url));
    let ada = app.verified(ADA).await;
    ada.post_json("/device", json!({ "user_code": code, "decision": "allow" })).await.is(200);
    let tokens = spawn_blocking(move || {
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        rest
    });
    let tokens: Value = serde_json::from_str(&tokens.await.unwrap()).unwrap();
    assert!(tokens["access_token"].is_string() && tokens["refresh_token"].is_string(), "{tokens}");
    assert!(device.wait().unwrap().success());
}
