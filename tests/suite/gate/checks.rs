//! What a proxy is told, and what it has to say first.

use actix_web::http::Method;
use serde_json::Value;

use super::{Gate, SAFARI, WIKI, asks, check, origin, post_at, user_in, verify};
use crate::harness::{
    TestApp,
    wire::{request, speak},
};

const HEADERS: [&str; 6] =
    ["remote-user", "remote-email", "remote-name", "remote-groups", "vestibule-acr", "vestibule-auth-time"];

#[actix_web::test]
async fn a_peer_that_no_setting_names_is_refused_and_an_operator_reads_its_address_case_a8_1() {
    let gate = Gate::of(TestApp::open().await, &[]);
    for path in ["/gate/verify", "/gate/refused", "/gate/check", "/.vestibule/start", "/.vestibule/me"] {
        gate.program().get_once(path).await.refuses(403, "gate_untrusted");
    }
    let shown = gate.app.command(&["app", "show", WIKI, "--json"]);
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["refusedPeer"]["address"], "127.0.0.1");
    assert_eq!(shown["askedBy"], Value::Null);
}

#[actix_web::test]
async fn what_a_proxy_does_not_say_once_is_not_guessed_case_a8_2_case_a8_16() {
    let gate = Gate::with(&["--open", "/public"]).await;
    let line = |name: &str, value: &str| format!("{name}: {value}").into_bytes();
    let right = || {
        vec![
            line("x-forwarded-host", WIKI),
            line("x-forwarded-method", "GET"),
            line("x-forwarded-proto", "http"),
            line("x-forwarded-uri", "/public"),
        ]
    };
    let ask = async |headers: Vec<Vec<u8>>| {
        speak(gate.app.port, request("GET /gate/check HTTP/1.1", &headers, "")).await
    };
    ask(right()).await.is(200);
    for (number, name) in
        ["x-forwarded-host", "x-forwarded-method", "x-forwarded-proto", "x-forwarded-uri"].iter().enumerate()
    {
        let mut missing = right();
        missing.remove(number);
        ask(missing).await.refuses(403, "gate_untrusted");
        let mut twice = right();
        twice.push(right()[number].clone());
        ask(twice).await.refuses(403, "gate_untrusted");
        for value in ["", " ", "\u{fc}", "a b, c"] {
            let mut wrong = right();
            wrong[number] = line(name, value);
            ask(wrong).await.refuses(403, "gate_untrusted");
        }
    }
    // What two programs may read differently is never open.
    for uri in ["/public#/../private", "/public/#", "/public/caf\u{e9}", "/public?a#b"] {
        let mut headers = right();
        headers[3] = line("x-forwarded-uri", uri);
        let is_open = uri.starts_with("/public?");
        let answer = ask(headers).await;
        assert_eq!(answer.status == 200, is_open, "{uri}: {}", answer.status);
    }
    // What a visitor writes into headers that nothing asks for counts for nothing.
    let spoofed = |more: &[(&str, &str)]| {
        let mut headers = right();
        headers[3] = line("x-forwarded-uri", "/private");
        headers.extend(more.iter().map(|(name, value)| line(name, value)));
        headers
    };
    for more in [
        [("x-original-url", "/public"), ("x-original-method", "GET")],
        [("forwarded", "for=1.2.3.4;host=evil;proto=https"), ("x-rewrite-url", "/public")],
        [("remote-user", "root"), ("proxy-authorization", "Basic eDp5")],
        [("authorization", "Bearer of-the-application"), ("x-forwarded-prefix", "/public")],
    ] {
        ask(spoofed(&more)).await.refuses(401, "sign_in_required");
    }
}

#[actix_web::test]
async fn every_header_is_sent_every_time_case_a8_4() {
    let gate = Gate::with(&["--open", "/public"]).await;
    let ada = gate.app.verified("ada@example.com").await;
    let id = gate.app.user_id("ada@example.com").await;
    let nobody = asks(gate.browser(), "GET", "/public/x?y");
    for answer in [check(&nobody).await.is(200), verify(&nobody).await.is(200)] {
        for name in HEADERS {
            assert_eq!(answer.headers.get(name).map(|value| value.as_bytes()), Some(&b""[..]), "{name}");
        }
        assert_eq!(answer.body, "");
    }
    let host = gate.lets_in(&ada).await;
    for host in [host.clone(), asks(host.clone(), "GET", "/public")] {
        for answer in [check(&host).await.is(200), verify(&host).await.is(200)] {
            assert_eq!(user_in(&answer).as_deref(), Some(id.as_str()));
            assert_eq!(answer.header("remote-email"), "ada@example.com");
            assert_eq!(answer.header("remote-name"), "Ada");
            assert_eq!(answer.header("vestibule-acr"), "1fa");
            let at: i64 = answer.header("vestibule-auth-time").parse().unwrap();
            assert_eq!(at, gate.app.clock.now().unix());
            assert!(answer.headers.contains_key("remote-groups"));
            // Nobody would deliver it.
            assert!(!answer.headers.contains_key("set-cookie"));
            let size: usize =
                answer.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
            assert!(size < 2_048, "{size} bytes of headers");
        }
    }
    // A foreign token is the application's own, and the cookie of this site counts for nothing there.
    let with_token = host.clone().with("authorization", "Bearer eyJhbGciOi.x.y");
    assert!(gate.is_let_in(&with_token).await);
    let with_session = gate.browser();
    with_session.set_cookie("session", &ada.cookie("session").unwrap());
    assert!(!gate.is_let_in(&with_session).await);
    ada.get("/me").await.is(200);
}

#[actix_web::test]
async fn the_headers_are_called_as_the_application_wants_them() {
    for (style, user, others) in [
        ("x-auth-request", "x-auth-request-user", vec!["x-auth-request-preferred-username"]),
        ("x-forwarded", "x-forwarded-user", vec!["x-forwarded-email", "x-forwarded-groups"]),
        ("none", "vestibule-acr", vec!["vestibule-auth-time"]),
    ] {
        let gate = Gate::with(&["--style", style, "--user", "email"]).await;
        let host = gate.lets_in(&gate.app.verified("ada@example.com").await).await;
        let answer = check(&host).await.is(200);
        let expected = if style == "none" { "1fa" } else { "ada@example.com" };
        assert_eq!(answer.header(user), expected, "{style}");
        assert!(others.iter().all(|name| answer.headers.contains_key(*name)), "{style}");
        assert!(!answer.headers.contains_key("remote-user"), "{style}");
    }
}

#[actix_web::test]
async fn programs_get_401_and_people_a_page_case_a8_5_case_a8_6() {
    let gate = Gate::with(&[]).await;
    let start = format!("{}/.vestibule/start?to=%2Fx", origin(WIKI));
    let beside = |host: crate::harness::Visitor| host.with("accept", "text/html");
    for program in [
        gate.program(),
        gate.script(),
        beside(gate.script()),
        beside(gate.program()).with("x-requested-with", "XMLHttpRequest"),
        asks(gate.browser(), "POST", "/x"),
        gate.browser().with("sec-fetch-mode", "no-cors"),
        gate.browser().with("sec-fetch-mode", "websocket").with("sec-websocket-key", "x"),
    ] {
        let program = program.with("sec-fetch-site", "none");
        let answer = check(&program).await.refuses(401, "sign_in_required");
        assert_eq!(answer.json()["signIn"], start.as_str());
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        program.get_once("/gate/refused").await.refuses(401, "sign_in_required");
        verify(&program).await.refuses(401, "sign_in_required");
    }
    for person in [
        gate.browser(),
        asks(gate.browser(), "HEAD", "/x"),
        beside(gate.program()),
        gate.browser().with("x-requested-with", "com.android.browser"),
    ] {
        check(&person).await.goes_to(&start);
        person.get_once("/gate/refused").await.goes_to(&start);
        // nginx makes a 500 of anything else.
        verify(&person).await.is(401);
    }
}

#[actix_web::test]
async fn a_form_that_came_too_late_leads_to_its_page_and_says_so() {
    let gate = Gate::with(&[]).await;
    let form = asks(gate.browser(), "POST", "/notes/7")
        .with("referer", "http://wiki.localhost:8080/notes/7/edit?a=1");
    let trouble = format!("{}/gate/trouble?host=wiki.localhost%3A8080&code=send_again", gate.app.base_url);
    check(&form).await.goes_to(&format!("{trouble}&to=%2Fnotes%2F7%2Fedit%3Fa%3D1"));
    let elsewhere = form.with("referer", "https://evil.example/notes");
    let answer = check(&elsewhere).await.goes_to(&format!("{trouble}&to=%2F"));
    let page = gate.app.browser().get(&super::local(answer.location().unwrap(), &gate.app.base_url)).await;
    page.is(200).says("Your form was not sent").says("http://wiki.localhost:8080/.vestibule/start?to=%2F");
}

#[actix_web::test]
async fn a_host_is_one_however_a_visitor_writes_it_and_no_other_case_a8_18() {
    let gate = Gate::with(&[]).await;
    let host = gate.lets_in(&gate.app.verified("ada@example.com").await).await.with("accept", "*/*");
    for same in ["WIKI.localhost:8080", "wiki.localhost.:8080"] {
        check(&host.clone().with("x-forwarded-host", same)).await.is(200);
    }
    for other in ["wiki.localhost", "wiki.localhost:80", "evil.wiki.localhost:8080", "localhost:8080"] {
        check(&host.clone().with("x-forwarded-host", other)).await.refuses(403, "application_unknown");
    }
    for no_host in ["wiki.localhost:8080/x", "a@wiki.localhost:8080", "wiki.localhost:8080, evil", "%77iki"] {
        check(&host.clone().with("x-forwarded-host", no_host)).await.refuses(403, "gate_untrusted");
    }
}

#[actix_web::test]
async fn what_another_site_makes_a_browser_send_is_refused_sockets_included_case_a8_13_case_a8_15() {
    let gate = Gate::with(&["--cross-origin", "https://app.example.com", "--open", "/hook"]).await;
    let host = gate.lets_in(&gate.app.verified("ada@example.com").await).await;
    let own = origin(WIKI);
    let write = |site: &str, from: &str| {
        let host = asks(host.clone(), "POST", "/x").with("sec-fetch-mode", "cors");
        let host =
            if site.is_empty() { host.without("sec-fetch-site") } else { host.with("sec-fetch-site", site) };
        if from.is_empty() { host } else { host.with("origin", from) }
    };
    for (site, from, is_let_in) in [
        ("same-origin", own.as_str(), true),
        ("none", "", true),
        ("", "", true),
        ("", own.as_str(), true),
        ("cross-site", "https://app.example.com", true),
        ("cross-site", "https://evil.example", false),
        ("same-site", "http://other.localhost:8080", false),
        ("cross-site", "", false),
        ("rubbish", "", false),
        ("", "https://evil.example", false),
        ("", "null", false),
        ("cross-site", "null", false),
        // As under `Referrer-Policy: no-referrer`.
        ("same-origin", "null", true),
        ("same-origin", "https://evil.example", false),
    ] {
        for kind in ["POST", "DELETE", "PATCH", "socket"] {
            let asked = match kind {
                "socket" => {
                    asks(write(site, from), "GET", "/x").with("sec-websocket-key", "dGhlIHNhbXBsZQ==")
                }
                method => asks(write(site, from), method, "/x"),
            };
            let answer = check(&asked).await;
            match is_let_in {
                true => drop(answer.is(200)),
                false => drop(answer.refuses(403, "cross_origin")),
            }
        }
        let read = asks(write(site, from), "GET", "/x");
        check(&read).await.is(200);
        // An open path stays open, but whose cookie it is is not said.
        let open = check(&asks(write(site, from), "POST", "/hook")).await.is(200);
        assert_eq!(user_in(&open).is_some(), is_let_in, "{site} {from}");
    }
}

#[actix_web::test]
async fn a_preflight_goes_through_where_that_is_meant_case_a8_17() {
    for (options, status) in [(&["--preflight", "pass"][..], 200), (&[], 401)] {
        let gate = Gate::with(options).await;
        let preflight = asks(gate.program(), "OPTIONS", "/x").with("access-control-request-method", "PUT");
        check(&preflight.clone().with("origin", "https://app.example.com")).await.is(status);
        check(&preflight).await.is(401);
        check(&asks(gate.program(), "OPTIONS", "/x").with("origin", "https://app.example.com")).await.is(401);
    }
}

#[actix_web::test]
async fn another_agent_of_a_proxy_locks_nobody_out_and_another_browser_only_itself_case_a8_24() {
    let gate = Gate::with(&[]).await;
    let ada = gate.app.verified("ada@example.com").await;
    let browser = gate.app.browser();
    browser
        .post("/login", &[("email", "ada@example.com"), ("password", crate::harness::PASSWORD)])
        .await
        .is(303);
    let host = gate.lets_in(&browser).await;
    for agent in ["Go-http-client/1.1", "curl/8.9.1", ""] {
        check(&host.clone().named(agent)).await.is(200);
    }
    check(&host.clone().without("user-agent")).await.is(200);
    browser.get("/me").await.is(200);

    let stolen = host.clone().named(SAFARI);
    assert!(!gate.is_let_in(&stolen).await);
    // That cookie is over for both, and the session is not.
    assert!(!gate.is_let_in(&host).await);
    browser.get("/me").await.is(200);
    assert!(gate.is_let_in(&gate.lets_in(&browser).await).await);
    ada.get("/me").await.is(200);
}

#[actix_web::test]
async fn an_application_reads_who_is_there_and_signs_them_out_case_a8_21() {
    let gate = Gate::with(&[]).await;
    let ada = gate.app.verified("ada@example.com").await;
    let host = gate.lets_in(&ada).await;
    let me = host.get_once("/.vestibule/me").await.is(200).json();
    assert_eq!(me["user"]["email"], "ada@example.com");
    assert_eq!(me["session"]["acr"], "1fa");
    gate.browser().get_once("/.vestibule/me").await.refuses(401, "sign_in_required");

    let answer = host.get_once("/.vestibule/logout").await;
    let page = answer.goes_to(&format!("{}/gate/logout?host=wiki.localhost%3A8080", gate.app.base_url));
    let page = super::local(page.location().unwrap(), &gate.app.base_url);
    let asked = ada.clone().with("accept", "text/html").get(&page).await.is(200);
    asked.says("Sign out of Wiki").says("action=\"/logout\"");

    // Another site signs nobody out.
    let foreign = host.clone().with("origin", "https://evil.example").with("accept", "*/*");
    post_at(&foreign, "/.vestibule/logout", &[]).await.refuses(403, "cross_origin");
    assert!(gate.is_let_in(&host).await);

    let secret = host.cookie("gate").unwrap();
    post_at(&host, "/.vestibule/logout", &[("scope", "here")]).await.is(303);
    assert_eq!(host.cookie("gate"), None);
    let kept = gate.browser();
    kept.set_cookie("gate", &secret);
    assert!(!gate.is_let_in(&kept).await);
    ada.get("/me").await.is(200);

    let host = gate.lets_in(&ada).await;
    // Without a body, as a script asks.
    host.send(Method::POST, "/.vestibule/logout", None)
        .await
        .goes_to(&format!("{}/login", gate.app.base_url));
    ada.get("/me").await.is(401);
    assert!(!gate.is_let_in(&host).await);
}

#[actix_web::test]
async fn a_check_notes_activity_once_a_minute_and_who_asks() {
    let gate = Gate::with(&[]).await;
    let ada = gate.app.verified("ada@example.com").await;
    let host = gate.lets_in(&ada).await;
    for _ in 0..40 {
        gate.app.wait(chrono::TimeDelta::minutes(10));
        assert!(gate.is_let_in(&host).await, "it is in use");
    }
    let shown = gate.app.command(&["app", "show", WIKI, "--json"]);
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["askedBy"]["address"], "127.0.0.1");
}

#[actix_web::test]
async fn envoy_asks_by_its_visitor_s_own_method_and_path_case_a8_15() {
    let gate = Gate::with(&[]).await;
    let host = gate.lets_in(&gate.app.verified("ada@example.com").await).await;
    let ask = async |host: crate::harness::Visitor, method: Method, from: &str| {
        let envoy = asks(host, method.as_str(), "/x?a=1&b=2").with("sec-fetch-mode", "cors");
        let site = if from == origin(WIKI) { "same-origin" } else { "cross-site" };
        let envoy = envoy.with("origin", from).with("sec-fetch-site", site);
        envoy.send(method, "/gate/check?vestibule=1&path=/x?a=1&b=2", None).await
    };
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        assert!(user_in(&ask(host.clone(), method.clone(), &origin(WIKI)).await.is(200)).is_some());
        ask(host.clone(), method.clone(), "https://evil.example").await.refuses(403, "cross_origin");
        ask(gate.program(), method, &origin(WIKI)).await.refuses(401, "sign_in_required");
    }
    ask(host, Method::OPTIONS, &origin(WIKI)).await.is(200);
    // The others are asked by GET alone.
    gate.program().send(Method::POST, "/gate/verify", None).await.is(405);
}

#[actix_web::test]
async fn a_yes_may_be_kept_for_a_moment_where_that_is_set() {
    let kept = |answer: &crate::harness::Answer| answer.header("cache-control") != "no-store";
    let gate = Gate::with(&["--open", "/public"]).await;
    let host = gate.lets_in(&gate.app.verified("ada@example.com").await).await;
    assert!(!kept(&check(&host).await.is(200)), "by default nothing is");

    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1"), ("GATE_CACHE", "5s")]).await;
    let gate = Gate::of(app, &["--open", "/public", "--preflight", "pass"]);
    let ada = gate.app.verified("ada@example.com").await;
    let host = gate.lets_in(&ada).await;
    for answer in [check(&host).await.is(200), verify(&host).await.is(200)] {
        assert_eq!(answer.header("cache-control"), "max-age=5");
        let vary = answer.header("vary");
        for name in ["Cookie", "Authorization", "User-Agent", "Sec-WebSocket-Key", "X-Forwarded-Uri"] {
            assert!(vary.contains(name), "{vary}");
        }
        assert!(vary.len() <= 128, "nginx keeps nothing with a longer one: {vary}");
    }
    // What changes something, opens a socket, is open to all, or is a no.
    let preflight = asks(gate.program(), "OPTIONS", "/x").with("access-control-request-method", "PUT");
    for (asked, status) in [
        (asks(host.clone(), "POST", "/x"), 200),
        (host.clone().with("sec-websocket-key", "dGhlIHNhbXBsZQ=="), 200),
        (asks(gate.browser(), "GET", "/public"), 200),
        (preflight.with("origin", "https://app.example"), 200),
        (gate.script(), 401),
    ] {
        assert!(!kept(&check(&asked).await.is(status)));
    }
}

#[test]
fn a_yes_is_kept_for_ten_seconds_at_most() {
    let read = |value: &str| {
        let settings = [("SECRET_KEY", crate::harness::KEY), ("GATE_CACHE", value)];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        vestibule::config::from_values(settings.into()).err().map(|problems| problems.to_string())
    };
    for right in ["0s", "1s", "10s"] {
        assert_eq!(read(right), None, "{right}");
    }
    for wrong in ["11s", "1m", "5", "-1s", "off"] {
        assert!(read(wrong).unwrap().contains("Write 0s to 10s"), "{wrong}");
    }
}
