//! What comes along in the field: odd addresses, headers twice, a busy database.

use std::{sync::mpsc, time::Instant};

use chrono::TimeDelta;
use serde_json::Value;

use super::{Gate, WIKI, asks, check};
use crate::{
    harness::{
        TestApp,
        organisations::stepped_up,
        wire::{request, speak},
    },
    keys::{account_key, by_key},
};

/// What a proxy asks about a path, with more headers.
async fn ask(gate: &Gate, uri: &[u8], more: &[Vec<u8>]) -> crate::harness::Answer {
    let line = |name: &str, value: &[u8]| [name.as_bytes(), b": ", value].concat();
    let mut headers = vec![
        line("x-forwarded-host", WIKI.as_bytes()),
        line("x-forwarded-method", b"GET"),
        line("x-forwarded-proto", b"http"),
        line("x-forwarded-uri", uri),
    ];
    headers.extend_from_slice(more);
    speak(gate.app.port, request("GET /gate/check HTTP/1.1", &headers, "")).await
}

#[actix_web::test]
async fn an_address_that_no_browser_sends_is_judged_and_never_open() {
    let gate = Gate::with(&["--open", "/public"]).await;
    let whole = format!("http://{WIKI}/x?y");
    let (bare, open) = (format!("http://{WIKI}"), format!("http://{WIKI}/public"));
    for (uri, to) in [
        (&b"/caf\xc3\xa9"[..], Some("/caf%C3%A9")),
        (b"/caf\xe9", Some("/caf%E9")),
        (b"/public/\xff", Some("/public/%FF")),
        (b"/a b", Some("/a%20b")),
        (b"/a\"b<c>", Some("/a%22b%3Cc%3E")),
        (b"/public/<", Some("/public/%3C")),
        (b"/%zz?%", Some("/%zz?%")),
        (b"/x?q=\xc3\xbc", Some("/x?q=%C3%BC")),
        (whole.as_bytes(), Some("/x?y")),
        (bare.as_bytes(), Some("/")),
        (open.as_bytes(), Some("/public")),
        (b"http://evil.example/x", None),
        (b"http://evil.example@wiki.localhost:8080/x", None),
        (b"ftp://wiki.localhost:8080/x", None),
        (b"*", None),
        (b"x", None),
        (b"", None),
    ] {
        let answer = ask(&gate, uri, &[]).await;
        let shown = String::from_utf8_lossy(uri);
        let Some(to) = to else {
            answer.refuses(403, "gate_untrusted");
            continue;
        };
        let told: Value = answer.refuses(401, "sign_in_required").json();
        let start = told["signIn"].as_str().unwrap();
        let query = start.split_once('?').unwrap().1;
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
        assert_eq!(pairs, [("to".to_owned(), to.to_owned())], "{shown}");
    }
    ask(&gate, b"/public/a", &[]).await.is(200);
}

#[actix_web::test]
async fn of_a_header_that_comes_twice_nothing_is_guessed() {
    let gate = Gate::with(&["--bearer", "on"]).await;
    let ada = stepped_up(&gate.app, "ada@example.com").await;
    let (_, secret) = account_key(&ada).await;
    let host = gate.lets_in(&ada).await;
    let key = format!("authorization: Bearer {secret}").into_bytes();
    let foreign = || b"authorization: Basic YTpi".to_vec();
    let cookie = format!("cookie: gate={}", host.cookie("gate").unwrap()).into_bytes();
    let neighbour = || b"cookie: theme=dark; gate=neighbour".to_vec();
    for (more, status) in [
        (vec![key.clone()], 200),
        // Each program takes the one that it likes.
        (vec![key.clone(), foreign()], 401),
        (vec![foreign(), key.clone()], 401),
        (vec![key.clone(), key.clone()], 401),
        (vec![foreign(), foreign()], 401),
        // A cookie beside them does not count, unless none is ours.
        (vec![key.clone(), foreign(), cookie.clone()], 401),
        (vec![foreign(), foreign(), cookie.clone()], 200),
        // HTTP/2 sends a line for each cookie (RFC 9113 section 8.2.3).
        (vec![neighbour(), cookie.clone()], 200),
        (vec![cookie.clone(), neighbour()], 200),
        (vec![neighbour(), neighbour()], 401),
    ] {
        let answer = ask(&gate, b"/x", &more).await;
        let shown: Vec<_> = more.iter().map(|line| String::from_utf8_lossy(line)).collect();
        assert_eq!(answer.status, status, "{shown:?}");
    }
    // So it is at every route.
    let both = [key, foreign()];
    speak(gate.app.port, request("GET /me HTTP/1.1", &both, "")).await.refuses(401, "invalid_token");
}

#[actix_web::test]
async fn more_headers_than_are_read_let_nobody_through() {
    let gate = Gate::with(&["--open", "/public"]).await;
    let many =
        |count: usize| -> Vec<Vec<u8>> { (0..count).map(|n| format!("x-n-{n}: 1").into_bytes()).collect() };
    ask(&gate, b"/public", &many(80)).await.is(200);
    let answer = ask(&gate, b"/public", &many(100)).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
}

/// Somebody holds the only writer (SQLite), as a long clean-up or a slow disk does.
#[actix_web::test]
async fn a_check_waits_for_no_writer() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let gate = Gate::of(app, &["--bearer", "on"]);
    let ada = stepped_up(&gate.app, "ada@example.com").await;
    let (_, secret) = account_key(&ada).await;
    let host = gate.lets_in(&ada).await;
    let program = asks(by_key(&gate.app, &secret), "GET", "/x");
    // Now every use is to be noted.
    gate.app.wait(TimeDelta::minutes(2));
    let (release, held) = mpsc::channel::<()>();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let house = gate.app.inner.clone();
    let writer = tokio::spawn(async move {
        house
            .write(move |_| {
                let _ = begun.send(());
                let _ = held.recv();
                Ok(())
            })
            .await
    });
    begins.await.unwrap();
    let began = Instant::now();
    check(&host).await.is(200);
    check(&program).await.is(200);
    by_key(&gate.app, &secret).get("/me").await.is(200);
    ada.get("/me").await.is(200);
    assert!(began.elapsed().as_secs() < 4, "{:?}", began.elapsed());
    release.send(()).unwrap();
    writer.await.unwrap().unwrap();
}
