//! What else a browser holds for the same host name: every cookie of ours is found among the others.

use std::collections::BTreeMap;

use actix_web::http::header;
use serde_json::json;

use crate::harness::{
    Answer, PASSWORD, TestApp, Visitor,
    wire::{request, speak},
};

const ADA: &str = "ada@example.com";

/// A secret in the shape of ours that opens nothing.
const STRANGER: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// `Cookie` lines beside our own, which stands where `OURS` does (`session=…`, or another name).
const LINES: &[(&str, &[&[u8]])] = &[
    ("alone", &[b"OURS"]),
    ("a raw Latin-1 byte before it", &[b"city=M\xfcnchen; OURS"]),
    ("a raw Latin-1 byte after it", &[b"OURS; city=M\xe9xico"]),
    ("UTF-8 as it is", &["city=München; OURS".as_bytes()]),
    ("Shift_JIS", &[b"name=\x83e\x83X\x83g; OURS"]),
    ("half a character", &[b"cut=\xe2\x82; OURS"]),
    ("every high byte", &[b"x=\x80\x81\xfe\xff; OURS"]),
    ("a percent sign that escapes no UTF-8", &[b"city=M%FCnchen; OURS"]),
    ("a percent sign that escapes nothing", &[b"rate=100%; OURS"]),
    ("a name that is not ASCII", &[b"st\xe4dt=1; OURS"]),
    ("no name at all", &[b"=1; OURS"]),
    ("no equals sign", &[b"flag; OURS"]),
    ("a name and nothing", &[b"; ;; OURS;"]),
    ("JSON as it is", &[b"prefs={\"a\":[1,2],\"b\":\"c d\"}; OURS"]),
    ("quotes, backslashes and commas", &[b"q=\"a\\\"b,c\"; OURS"]),
    ("a tab", &[b"t=a\tb;\tOURS"]),
    ("the attributes of old (RFC 2965)", &[b"$Version=1; OURS; $Path=/"]),
    ("no blank between the two", &[b"a=1;OURS;b=2"]),
    ("another line before it", &[b"a=1", b"OURS"]),
    ("another line after it that cannot be read", &[b"OURS", b"a=\xff"]),
    ("a long neighbour", &[b"big=LONG; OURS"]),
    ("one of our name that was never ours", &[b"NAME=eyJfZnJlc2giOmZhbHNlfQ.Z1.abc; OURS"]),
    ("one of our name after it", &[b"OURS; NAME=eyJfZnJlc2giOmZhbHNlfQ.Z1.abc"]),
    ("one of our name in the shape of ours", &[b"NAME=STRANGER; OURS"]),
    ("one of our name with raw bytes", &[b"NAME=\xfc\xff; OURS"]),
    ("an empty one of our name", &[b"NAME=; OURS"]),
    ("our name in capitals", &[b"CAPITALS=STRANGER; OURS"]),
    ("our name as the end of another", &[b"xNAME=STRANGER; NAMEx=STRANGER; OURS"]),
    ("several of our name, over several lines", &[b"NAME=STRANGER; NAME=1", b"NAME=\"\"; OURS"]),
];

/// A line of [`LINES`] with our cookie in its place.
fn filled(line: &[u8], name: &str, value: &str) -> Vec<u8> {
    // A byte each, so that those that are not UTF-8 come through.
    let text: String = line.iter().map(|byte| char::from(*byte)).collect();
    let text = text
        .replace("OURS", &format!("{name}={value}"))
        .replace("CAPITALS", &name.to_uppercase())
        .replace("NAME", name)
        .replace("STRANGER", STRANGER)
        .replace("LONG", &"x".repeat(3_000));
    let line = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Vec<_>>();
    [b"cookie: ".to_vec(), line].concat()
}

/// Every row of [`LINES`] as the headers of a request, with `name` and `value` as our cookie.
fn rows(name: &str, value: &str) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let fill = |lines: &&[&[u8]]| lines.iter().map(|line| filled(line, name, value)).collect();
    LINES.iter().map(|(what, lines)| (*what, fill(lines))).collect()
}

async fn get(app: &TestApp, path: &str, mut headers: Vec<Vec<u8>>) -> Answer {
    headers.push(b"user-agent: curl/8.9.1".to_vec());
    speak(app.port, request(&format!("GET {path} HTTP/1.1"), &headers, "")).await
}

#[actix_web::test]
async fn whatever_else_a_browser_holds_its_session_is_found() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    let secret = ada.cookie("session").unwrap();
    for (what, headers) in rows("session", &secret) {
        let answer = get(&app, "/me", headers).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
    }
    // A quoted value is the value (RFC 6265 §4.1.1).
    get(&app, "/me", vec![filled(b"OURS", "session", &format!("\"{secret}\""))]).await.is(200);
    // And nothing that only looks like it is taken for it.
    for line in [&b"NAME=STRANGER"[..], b"xOURS", b"a=OURS", b"\"OURS\"", b"CAPITALS=1; a=\"; OURS\xff"] {
        get(&app, "/me", vec![filled(line, "session", &secret)]).await.refuses(401, "sign_in_required");
    }
}

#[actix_web::test]
async fn over_https_the_name_is_another_and_the_rest_is_the_same() {
    let app = TestApp::with(&[("BASE_URL", "https://id.example.com")]).await;
    let ada = app.verified(ADA).await;
    let secret = ada.cookie("__Host-session").unwrap();
    for (what, headers) in rows("__Host-session", &secret) {
        let answer = get(&app, "/me", headers).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
    }
    let plain = get(&app, "/me", vec![filled(b"OURS", "session", &secret)]).await;
    plain.refuses(401, "sign_in_required");
}

#[actix_web::test]
async fn a_sign_in_that_waits_for_its_second_factor_is_found_as_well() {
    let app = TestApp::open().await;
    let owner = app.with_app(ADA).await;
    let curl = app.curl();
    owner.submits_password(&curl).await.is(200);
    let state = curl.cookie("state").unwrap();
    for (what, headers) in rows("state", &state) {
        let answer = get(&app, "/login/2fa", headers).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
    }
    // What does not open is none, and no fault.
    get(&app, "/login/2fa", vec![b"cookie: state=rubbish; state=more".to_vec()])
        .await
        .refuses(401, "sign_in_ended");
}

/// As a person lives it: a form, a redirect, a page, with what a parent domain set in every request.
#[actix_web::test]
async fn beside_a_neighbours_raw_byte_one_signs_in_by_form_and_stays() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    for (what, _) in LINES.iter().skip(1) {
        let mut jar = BTreeMap::new();
        let form = serde_urlencoded::to_string([("email", ADA), ("password", PASSWORD)]).unwrap();
        let signed_in = by_form(&app, what, &mut jar, "POST /login HTTP/1.1", &form).await;
        assert_eq!((signed_in.status.as_u16(), signed_in.header("location")), (303, "/me"), "{what}");
        let page = by_form(&app, what, &mut jar, "GET /me HTTP/1.1", "").await;
        assert_eq!(page.status, 200, "{what}");
        // Signing out leaves a sentence in the short-lived cookie for the next page.
        let left = by_form(&app, what, &mut jar, "POST /logout HTTP/1.1", "").await;
        assert_eq!((left.status.as_u16(), left.header("location")), (303, "/login"), "{what}");
        let page = by_form(&app, what, &mut jar, "GET /login HTTP/1.1", "").await;
        assert!(page.body.contains("You are signed out on this device."), "{what}");
    }
}

async fn by_form(
    app: &TestApp,
    what: &str,
    jar: &mut BTreeMap<String, String>,
    line: &str,
    body: &str,
) -> Answer {
    let (_, lines) = LINES.iter().find(|(row, _)| *row == what).unwrap();
    let ours: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut headers: Vec<Vec<u8>> = Vec::new();
    for line in *lines {
        // The neighbours of a session, and all that this browser was given in the place of ours.
        let line = filled(line, "session", STRANGER);
        let line: String = line.iter().map(|byte| char::from(*byte)).collect();
        let line = line.replacen(&format!("session={STRANGER}"), "OURS", 1).replace("OURS", &ours.join("; "));
        headers.push(line.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect());
    }
    headers.push(b"accept: text/html".to_vec());
    headers.push(b"sec-fetch-site: same-origin".to_vec());
    headers.push(b"content-type: application/x-www-form-urlencoded".to_vec());
    headers
        .push(b"user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_vec());
    let answer = speak(app.port, request(line, &headers, body)).await;
    for cookie in answer.headers.get_all(header::SET_COOKIE) {
        let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
        let value = rest.split(';').next().unwrap();
        jar.insert(name.to_owned(), value.to_owned());
    }
    answer
}

/// Five wrong passwords from anywhere make strangers wait, but not a browser that was let in before: its cookie is found
/// behind another's.
#[actix_web::test]
async fn a_known_device_is_known_behind_a_neighbours_cookie() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let owner = app.verified(ADA).await;
    let known = owner.cookie("known").unwrap();
    let wrong = json!({ "email": ADA, "password": "not the password" });
    let stranger = app.curl();
    while stranger.post_json("/login", wrong.clone()).await.status != 429 {}

    let with = |line: String| {
        let visitor = app.curl();
        visitor.set_cookie("a", &format!("1; {line}"));
        visitor
    };
    let right = json!({ "email": ADA, "password": PASSWORD });
    let sign_in = async |visitor: Visitor| visitor.post_json("/login", right.clone()).await;
    sign_in(with(format!("known={STRANGER}"))).await.refuses(429, "too_many_attempts");
    sign_in(with(format!("known={STRANGER}; known=; known={known}"))).await.is(200);
}

#[actix_web::test]
async fn signing_in_ends_what_the_browser_held_and_signing_out_clears_no_cache() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    let first = ada.cookie("session").unwrap();
    ada.set_cookie("a", &format!("1; session={STRANGER}; session=x"));
    ada.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
    assert_ne!(ada.cookie("session").unwrap(), first);
    assert_eq!(app.count("sessions").await, 1);

    let left = ada.post("/logout", &[]).await.is(200);
    assert_eq!(left.header("clear-site-data"), "");
    assert_eq!(app.count("sessions").await, 0);
}

/// However many there are, only so many are looked at.
#[actix_web::test]
async fn a_flood_of_cookies_of_our_name_costs_a_few_look_ups_and_opens_nothing() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    let secret = ada.cookie("session").unwrap();
    let flood =
        |count: usize| format!("cookie: {}session={secret}", format!("session={STRANGER}; ").repeat(count));
    get(&app, "/me", vec![flood(7).into_bytes()]).await.is(200);
    get(&app, "/me", vec![flood(200).into_bytes()]).await.refuses(401, "sign_in_required");
    // What was never in the shape of ours does not count.
    let shapeless = format!("cookie: {}session={secret}", "session=abc; ".repeat(500));
    get(&app, "/me", vec![shapeless.into_bytes()]).await.is(200);
}
