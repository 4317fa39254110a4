//! What proxies write about the client they pass on: read in every form that is in use, believed from those that the
//! settings name, and never mistaken for the proxy itself.

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::json;

use crate::harness::{
    Answer, Ground, PASSWORD, TestApp, Visitor, eventually,
    wire::{request, speak},
};

const ADA: &str = "ada@example.com";
const TRUSTING: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8");

/// `X-Forwarded-For` lines, and the address of the client by them; empty where it is unknown.
const ROWS: &[(&[&[u8]], &str)] = &[
    (&[b"203.0.113.9"], "203.0.113.9"),
    // With a port, as Azure Application Gateway and IIS write it.
    (&[b"203.0.113.9:61598"], "203.0.113.9"),
    (&[b"203.0.113.9:17085, 127.0.0.1"], "203.0.113.9"),
    (&[b"198.51.100.1:1, 203.0.113.9:2, 10.0.0.7:3"], "203.0.113.9"),
    (&[b"[2001:db8::7]:61598"], "2001:db8::7"),
    (&[b"[2001:db8::7]"], "2001:db8::7"),
    (&[b"2001:db8::7"], "2001:db8::7"),
    (&[b"2001:0DB8:0:0:0:0:0:7"], "2001:db8::7"),
    (&[b"2001:db8:0:0:0:0:0:7:61598"], "2001:db8::7"),
    (&[b"203.0.113.9:_hidden"], "203.0.113.9"),
    (&[b"203.0.113.9:"], "203.0.113.9"),
    (&[b"[2001:db8::7]:"], "2001:db8::7"),
    // In quotes.
    (&[b"\"203.0.113.9\""], "203.0.113.9"),
    (&[b"\"[2001:db8::7]:443\""], "2001:db8::7"),
    (&[b"\"203.0.113.9:443\" , 10.1.2.3"], "203.0.113.9"),
    // With a zone.
    (&[b"fe80::1%eth0"], "fe80::1"),
    (&[b"[fe80::1%25eth0]:80"], "fe80::1"),
    (&[b"[fe80::1%en0]:80"], "fe80::1"),
    // IPv4 in IPv6.
    (&[b"::ffff:203.0.113.9"], "203.0.113.9"),
    (&[b"[::ffff:203.0.113.9]:80"], "203.0.113.9"),
    (&[b"203.0.113.9, ::ffff:10.0.0.7"], "203.0.113.9"),
    // Blanks and nothing between commas (RFC 9110 section 5.6.1).
    (&[b"203.0.113.9,"], "203.0.113.9"),
    (&[b" , 203.0.113.9 ,\t, 127.0.0.1"], "203.0.113.9"),
    (&[b"203.0.113.9", b"", b"10.0.0.7"], "203.0.113.9"),
    (&[b"198.51.100.1", b"203.0.113.9"], "203.0.113.9"),
    // A stranger in front of the first proxy may say anything.
    (&[b"127.0.0.1, 203.0.113.9"], "203.0.113.9"),
    (&[b"unknown, 203.0.113.9"], "203.0.113.9"),
    (&[b"\xff\xfe, 203.0.113.9"], "203.0.113.9"),
    (&[b"<script>, 203.0.113.9:80"], "203.0.113.9"),
    // What is no address is nobody's, and not the proxy's.
    (&[], ""),
    (&[b""], ""),
    (&[b" , ,"], ""),
    (&[b"unknown"], ""),
    (&[b"_hidden"], ""),
    (&[b"_SEVKISEK:_1"], ""),
    (&[b"rubbish"], ""),
    (&[b"\xff"], ""),
    (&[b"localhost"], ""),
    (&[b"203.0.113.9, unknown"], ""),
    (&[b"203.0.113.9, unknown, 10.0.0.7"], ""),
    (&[b"203.0.113.256"], ""),
    (&[b"203.0.113"], ""),
    (&[b"010.0.0.1"], ""),
    (&[b"0x7f000001"], ""),
    (&[b"2130706433"], ""),
    (&[b"203.0.113.9:99999"], ""),
    (&[b"203.0.113.9:http"], ""),
    (&[b"203.0.113.9::"], ""),
    (&[b":"], ""),
    (&[b"[2001:db8::7"], ""),
    (&[b"2001:db8::7]"], ""),
    (&[b"[203.0.113.9]x"], ""),
    (&[b"\"203.0.113.9"], ""),
    (&[b"203.0.113.9%eth0"], ""),
    (&[b"fe80::1%"], ""),
    (&[b"203.0.113.9/32"], ""),
    (&[b"203.0.113.9;127.0.0.1"], ""),
    (&[b"for=203.0.113.9"], ""),
];

fn shown(lines: &[&[u8]]) -> String {
    String::from_utf8_lossy(&lines.join(&b" | "[..])).into_owned()
}

fn headers(lines: &[&[u8]]) -> Vec<Vec<u8>> {
    let line = |line: &&[u8]| [&b"x-forwarded-for: "[..], line].concat();
    lines.iter().map(line).chain([b"user-agent: curl/8.9.1".to_vec()]).collect()
}

async fn get(port: u16, path: &str, headers: &[Vec<u8>]) -> Answer {
    speak(port, request(&format!("GET {path} HTTP/1.1"), headers, "")).await
}

async fn tries(port: u16, lines: &[&[u8]], address: &str, password: &str) -> Answer {
    let mut headers = headers(lines);
    headers.push(b"content-type: application/json".to_vec());
    let body = json!({ "email": address, "password": password }).to_string();
    speak(port, request("POST /login HTTP/1.1", &headers, &body)).await
}

#[actix_web::test]
async fn every_form_in_which_a_proxy_names_its_client_is_read() {
    let app = TestApp::with(&[TRUSTING]).await;
    app.verified(ADA).await;
    for (lines, address) in ROWS {
        let what = shown(lines);
        app.wait(TimeDelta::minutes(1));
        let signed_in = tries(app.port, lines, ADA, PASSWORD).await.is(200);
        let cookies = signed_in.headers.get_all("set-cookie").map(|value| value.to_str().unwrap());
        let session =
            cookies.filter_map(|line| line.split_once(';')).find(|(pair, _)| pair.starts_with("session="));
        let mut headers = headers(lines);
        headers.push(format!("cookie: {}", session.unwrap().0).into_bytes());
        let listed = get(app.port, "/me/sessions", &headers).await.is(200).json();
        let current =
            listed["sessions"].as_array().unwrap().iter().find(|one| one["current"] == true).unwrap();
        assert_eq!(current["ip"], *address, "{what}");

        // No word of a proxy gives anybody the proxy's own rights.
        let metrics = get(app.port, "/metrics", &headers).await;
        assert_eq!(metrics.status, if lines.is_empty() { 200 } else { 404 }, "{what}: /metrics");
        let mail = get(app.port, "/dev/mail", &headers).await;
        assert_eq!(mail.status, if lines.is_empty() { 200 } else { 404 }, "{what}: /dev/mail");
    }
    // Pages say so in words.
    let browser = app.browser();
    browser.post("/login", &[("email", ADA), ("password", PASSWORD)]).await.goes_to("/me");
    browser.get("/me/sessions").await.is(200).says("This device");
    browser.get("/me/logins").await.is(200).hides("<span class=\"ip\"></span>");
}

#[actix_web::test]
async fn from_a_proxy_that_nobody_named_no_word_counts() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    for (lines, _) in ROWS {
        let signed_in = tries(app.port, lines, ADA, PASSWORD).await;
        assert_eq!(signed_in.status, 200, "{}", shown(lines));
    }
    assert_eq!(app.count("sessions WHERE ip <> '127.0.0.1'").await, 0);
}

/// Each from an address and a port of their own, as Azure Application Gateway tells them.
#[actix_web::test]
async fn people_behind_one_proxy_do_not_make_one_another_wait() {
    let settings =
        [("THROTTLE", "on"), ("LOGIN_PER_NETWORK", "2"), ("SIGNUPS_PER_NETWORK", "1000"), TRUSTING];
    let app = TestApp::with(&settings).await;
    let from = |number: u16| format!("203.0.113.{number}:{}", 50_000 + number);
    for number in 1..=24 {
        let address = format!("person{number}@example.com");
        tries(app.port, &[from(number).as_bytes()], &address, "a wrong guess").await.is(401);
        tries(app.port, &[from(number).as_bytes()], &address, "a wrong guess").await.is(401);
        tries(app.port, &[from(number).as_bytes()], &address, "a wrong guess").await.is(429);
    }
}

#[actix_web::test]
async fn clients_that_nobody_can_name_share_a_limit_and_take_it_from_nobody_else() {
    let app = TestApp::with(&[("THROTTLE", "on"), ("LOGIN_PER_NETWORK", "2"), TRUSTING]).await;
    let [unknown, hidden, known]: [&[&[u8]]; 3] = [&[b"unknown"], &[b"_hidden"], &[b"203.0.113.9"]];
    tries(app.port, unknown, "one@example.com", "a wrong guess").await.is(401);
    tries(app.port, hidden, "two@example.com", "a wrong guess").await.is(401);
    for lines in [unknown, hidden, &[b"rubbish"], &[]] {
        tries(app.port, lines, "three@example.com", "a wrong guess").await.refuses(429, "too_many_attempts");
    }
    tries(app.port, known, "four@example.com", "a wrong guess").await.is(401);
    // Somebody at the machine of the proxy, as the proxy says.
    tries(app.port, &[b"127.0.0.1"], "five@example.com", "a wrong guess").await.is(401);
}

/// Clients that nobody can name are not the same one: the owner is asked about each.
#[actix_web::test]
async fn an_unknown_network_is_familiar_to_nobody() {
    let app = TestApp::with(&[TRUSTING]).await;
    app.verified(ADA).await;
    let unknown: &[&[u8]] = &[b"unknown"];
    for asked in 1..=2 {
        app.wait(TimeDelta::minutes(2));
        tries(app.port, unknown, ADA, PASSWORD).await.is(200);
        assert_eq!(app.emails_that_say(ADA, "a network that is not known").await, asked);
    }
}

#[actix_web::test]
async fn a_proxy_that_cannot_be_understood_is_said_once_in_the_log() {
    let ground = Ground::with(&[("TRUSTED_PROXIES", "127.0.0.1")]);
    let vestibule = ground.serve().await;
    let output = |words: &str| vestibule.log().matches(words).count();
    for _ in 0..3 {
        for lines in [&[&b"unknown"[..]][..], &[b"rubbish"], &[]] {
            tries(vestibule.port, lines, ADA, "a wrong guess").await.is(401);
        }
    }
    for words in ["X-Forwarded-For that holds no address", "sends no X-Forwarded-For"] {
        eventually("a line in the log", async || (output(words) > 0).then_some(())).await;
        assert_eq!(output(words), 1, "{words}: {}", vestibule.log());
    }
    assert_eq!(output("rubbish"), 0, "what a stranger writes is not logged");
    vestibule.stop();
}

/// Headers, and whether caught mail is shown to whoever sends them from this machine.
const AT_THIS_MACHINE: &[(&[&str], bool)] = &[
    (&["host: localhost:PORT"], true),
    (&["host: LOCALHOST:PORT"], true),
    (&["host: localhost"], true),
    (&["host: 127.0.0.1:PORT"], true),
    (&["host: [::1]:PORT"], true),
    (&["host: [::1]"], true),
    (&["host: 127.0.0.2"], true),
    (&["host: localhost:PORT", "accept: text/html"], true),
    (&["host: localhost:PORT", "x-request-id: 7"], true),
    (&["host: evil.example:PORT"], false),
    (&["host: localhost.evil.example"], false),
    (&["host: evil.localhost:PORT"], false),
    (&["host: 127.0.0.1.nip.io:PORT"], false),
    (&["host: 192.168.1.10:PORT"], false),
    (&["host: 0.0.0.0:PORT"], false),
    (&["host: [2001:db8::1]:PORT"], false),
    (&["host: "], false),
    (&["host: localhost@evil.example"], false),
    (&["host: localhost:PORT", "via: 1.1 proxy"], false),
    (&["host: localhost:PORT", "forwarded: for=127.0.0.1"], false),
    (&["host: localhost:PORT", "x-forwarded-for: 127.0.0.1"], false),
    (&["host: localhost:PORT", "x-forwarded-for: "], false),
    (&["host: localhost:PORT", "x-forwarded-host: localhost"], false),
    (&["host: localhost:PORT", "x-forwarded-proto: http"], false),
    (&["host: localhost:PORT", "X-Forwarded-Port: 80"], false),
    (&["host: localhost:PORT", "x-forwarded-server: here"], false),
    (&["host: localhost:PORT", "x-real-ip: 127.0.0.1"], false),
    (&["host: localhost:PORT", "X-Forwarded: for=127.0.0.1"], false),
    (&["host: localhost:PORT", "X-Client-IP: 127.0.0.1"], false),
    (&["host: localhost:PORT", "X-Cluster-Client-IP: 127.0.0.1"], false),
    (&["host: localhost:PORT", "X-Scheme: http"], false),
    (&["host: localhost:PORT", "CF-Connecting-IP: 127.0.0.1"], false),
    (&["host: localhost:PORT", "True-Client-IP: 127.0.0.1"], false),
    (&["host: localhost:PORT", "Fastly-Client-IP: 127.0.0.1"], false),
    (&["host: localhost:PORT", "X-Original-Forwarded-For: 127.0.0.1"], false),
    (&["host: localhost:PORT", "X-Original-URL: /"], false),
];

#[actix_web::test]
async fn caught_mail_is_shown_at_this_machine_under_its_own_name_only() {
    let demo = ("DEMO_PROVIDER", "on");
    let apps = [TestApp::with(&[demo]).await, TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1"), demo]).await];
    for app in &apps {
        for (lines, is_shown) in AT_THIS_MACHINE {
            for path in ["/dev/mail", "/dev/idp", "/dev/idp/metadata", "/dev/oidc/jwks"] {
                let head = lines.join("\r\n").replace("PORT", &app.port.to_string());
                let asked = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n{head}\r\n\r\n");
                let answer = speak(app.port, asked).await;
                assert_eq!(answer.status, if *is_shown { 200 } else { 404 }, "{path} {head}");
            }
        }
    }
    // A client of HTTP/1.0 that names no host is no browser at this machine.
    speak(apps[0].port, "GET /dev/mail HTTP/1.0\r\n\r\n").await.is(404);
    speak(apps[0].port, "GET /dev/mail HTTP/1.0\r\nhost: localhost\r\n\r\n").await.is(404);
}

#[actix_web::test]
async fn a_name_below_localhost_is_this_machine_where_the_settings_say_so() {
    let app = TestApp::with(&[("BASE_URL", "http://accounts.localhost:3000")]).await;
    for (host, status) in
        [("accounts.localhost:3000", 200), ("localhost", 200), ("other.localhost:3000", 404)]
    {
        let asked = format!("GET /dev/mail HTTP/1.1\r\nconnection: close\r\nhost: {host}\r\n\r\n");
        let answer = speak(app.port, asked).await;
        assert_eq!(answer.status, status, "{host}");
    }
}

/// `X-Forwarded-Proto` as a trusted proxy writes it, and whether what came so is refused.
const SCHEMES: &[(&[&str], bool)] = &[
    (&["http"], true),
    (&["HTTP"], true),
    (&[" http "], true),
    (&["http, https"], true),
    (&["http,http"], true),
    (&["http", "https"], true),
    (&["https"], false),
    (&["https, http"], false),
    (&["HTTPS"], false),
    (&["https", "http"], false),
    (&[""], false),
    (&["on"], false),
    (&["wss"], false),
    (&[], false),
];

#[actix_web::test]
async fn over_plain_http_nothing_is_written_and_no_secret_taken() {
    let settings = [("BASE_URL", "https://id.example.com"), ("TRUSTED_PROXIES", "127.0.0.1")];
    let app = TestApp::with(&settings).await;
    let ada = app.verified(ADA).await;
    for (schemes, is_refused) in SCHEMES {
        let lines: Vec<Vec<u8>> =
            schemes.iter().map(|scheme| format!("x-forwarded-proto: {scheme}").into_bytes()).collect();
        let cookie = format!("cookie: __Host-session={}", ada.cookie("__Host-session").unwrap()).into_bytes();
        let named = [lines.clone(), vec![b"user-agent: curl/8.9.1".to_vec()]].concat();
        let form = b"content-type: application/x-www-form-urlencoded".to_vec();
        let page = b"accept: text/html".to_vec();
        let before = app.count("sessions").await;
        let body = serde_urlencoded::to_string([("email", ADA), ("password", PASSWORD)]).unwrap();

        let write = request("POST /login HTTP/1.1", &[named.clone(), vec![form.clone()]].concat(), &body);
        let write = speak(app.port, write).await;
        let from = b"referer: http://id.example.com/login?next=%2Fme".to_vec();
        let by_browser =
            request("POST /login HTTP/1.1", &[named.clone(), vec![form, page.clone(), from]].concat(), &body);
        let by_browser = speak(app.port, by_browser).await;
        let api = get(app.port, "/me", &[named.clone(), vec![cookie.clone()]].concat()).await;
        let key = b"authorization: Bearer vstp_x".to_vec();
        let by_key = get(app.port, "/me", &[named.clone(), vec![key]].concat()).await;
        // Pages are read; the proxy leads people on to https.
        get(app.port, "/login", &[named.clone(), vec![page]].concat()).await.is(200);
        get(app.port, "/healthz", &named).await.is(200);
        match is_refused {
            true => {
                let sentence =
                    write.refuses(403, "https_required").json()["error"].as_str().unwrap().to_owned();
                assert!(sentence.contains("https://id.example.com"), "{sentence}");
                let page = by_browser.is(403).says("Not over plain http");
                page.says("href=\"https://id.example.com/login?next=%2Fme\">Go there over https</a>");
                api.refuses(403, "https_required");
                by_key.refuses(403, "https_required");
                assert_eq!(app.count("sessions").await, before, "{schemes:?}");
            }
            false => {
                write.is(200);
                by_browser.goes_to("/me");
                api.is(200);
                by_key.refuses(401, "invalid_token");
            }
        }
    }
}

#[actix_web::test]
async fn who_is_no_trusted_proxy_or_has_no_https_is_not_held_to_it() {
    let says_so = |visitor: Visitor| visitor.with("x-forwarded-proto", "http");
    let untrusting = TestApp::with(&[("BASE_URL", "https://id.example.com")]).await;
    let plain = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    for app in [&untrusting, &plain] {
        app.verified(ADA).await;
        let signed_in = says_so(app.curl()).post("/login", &[("email", ADA), ("password", PASSWORD)]).await;
        signed_in.is(200);
        says_so(app.curl()).send(Method::POST, "/logout", None).await.is(200);
    }
}
