//! Known corners of HTTP, as clients and proxies take them: old versions, a slash too many, a parameter twice, long
//! addresses and those that are not ASCII, and what password managers look for.

use actix_web::http::Method;
use serde_json::Value;

use crate::harness::{
    PASSWORD, TestApp, Visitor,
    wire::{request, speak},
};

pub const ADA: &str = "ada@example.com";

fn cookie(visitor: &Visitor) -> Vec<u8> {
    format!("cookie: session={}", visitor.cookie("session").unwrap()).into_bytes()
}

/// Request lines and header lines, and the status that comes back to Ada with her session.
const ASKED: &[(&str, &[&str], u16)] = &[
    ("GET /me HTTP/1.1", &[], 200),
    ("GET /me HTTP/1.0", &[], 200),
    ("HEAD /me HTTP/1.0", &[], 200),
    ("GET http://localhost/me HTTP/1.1", &[], 200),
    ("GET http://evil.example/me HTTP/1.1", &[], 200),
    ("GET https://localhost:8443/me?x=1 HTTP/1.1", &[], 200),
    ("GET //me HTTP/1.1", &[], 404),
    ("GET /me#fragment HTTP/1.1", &[], 200),
    ("GET /me? HTTP/1.1", &[], 200),
    ("GET /me?&&=&%zz HTTP/1.1", &[], 200),
    ("GET /me?caf%E9=%FF HTTP/1.1", &[], 200),
    ("GET /%6d%65 HTTP/1.1", &[], 200),
    ("GET /%6D%65 HTTP/1.1", &[], 200),
    ("GET /me%2Fsessions HTTP/1.1", &[], 404),
    ("GET /%2e%2e/me HTTP/1.1", &[], 404),
    ("GET /%2E%2E/%2E%2E/etc/passwd HTTP/1.1", &[], 404),
    ("GET /me/%2e HTTP/1.1", &[], 404),
    ("GET /me/../me HTTP/1.1", &[], 404),
    ("GET /ME HTTP/1.1", &[], 404),
    ("GET * HTTP/1.1", &[], 404),
    ("OPTIONS * HTTP/1.1", &[], 404),
    ("OPTIONS /me HTTP/1.1", &[], 405),
    ("FROB /me HTTP/1.1", &[], 405),
    ("get /me HTTP/1.1", &[], 405),
    ("GET /me HTTP/1.1", &["accept:"], 200),
    ("GET /me HTTP/1.1", &["accept: */*"], 200),
    ("GET /me HTTP/1.1", &["accept: application/json, text/plain, */*"], 200),
    ("GET /me HTTP/1.1", &["accept: image/png"], 200),
    ("GET /me HTTP/1.1", &["ACCEPT: TEXT/HTML"], 200),
    ("GET /me HTTP/1.1", &["connection: keep-alive, Upgrade, HTTP2-Settings", "upgrade: h2c"], 200),
    ("GET /me HTTP/1.1", &["te: trailers", "accept-encoding: identity;q=0"], 200),
    ("GET /me HTTP/1.1", &["range: bytes=0-1", "if-none-match: *"], 200),
    ("GET /me HTTP/1.1", &["content-length: 0"], 200),
    ("GET /me HTTP/1.1", &["content-type: application/json", "expect: 100-continue"], 200),
];

#[actix_web::test]
async fn corners_of_the_protocol_are_taken() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    for (line, headers, status) in ASKED {
        let mut lines: Vec<Vec<u8>> = headers.iter().map(|header| header.as_bytes().to_vec()).collect();
        lines.extend([cookie(&ada), b"user-agent: curl/8.9.1".to_vec()]);
        let answer = speak(app.port, request(line, &lines, "")).await;
        assert_eq!(answer.status, *status, "{line} {headers:?}: {}", answer.body);
        assert!(answer.header("location").is_empty(), "{line}");
    }
}

#[actix_web::test]
async fn who_waits_to_be_told_to_go_on_is_told_so() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let body = serde_urlencoded::to_string([("email", ADA), ("password", PASSWORD)]).unwrap();
    let form = b"content-type: application/x-www-form-urlencoded".to_vec();
    for line in ["POST /login HTTP/1.1", "POST /login HTTP/1.0"] {
        let headers = [form.clone(), b"expect: 100-continue".to_vec()];
        speak(app.port, request(line, &headers, &body)).await.is(200).says("\"user\"");
    }
}

/// To HTTP/1.0, which is what nginx speaks unless it is told otherwise, there are no chunks: the document ends where the
/// connection does.
#[actix_web::test]
async fn a_client_of_http_1_0_gets_no_chunks() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    ada.steps_up().await;
    for (line, headers, is_chunked) in [
        ("GET /me/export HTTP/1.1", vec![], true),
        ("GET /me/export HTTP/1.0", vec![], false),
        ("GET /me/export HTTP/1.0", vec![b"accept: text/html".to_vec()], false),
    ] {
        let mut lines = headers;
        lines.extend([cookie(&ada), b"user-agent: curl/8.9.1".to_vec()]);
        let answer = speak(app.port, request(line, &lines, "")).await.is(200);
        assert_eq!(answer.header("transfer-encoding"), if is_chunked { "chunked" } else { "" }, "{line}");
        assert_eq!(answer.header("content-length"), "", "{line}");
        if !is_chunked {
            assert_eq!(answer.json()["format"], "vestibule-export-1", "{line}");
        }
    }
    // Also where it would keep the connection.
    let asked = format!(
        "GET /me/export HTTP/1.0\r\nconnection: keep-alive\r\nuser-agent: curl/8.9.1\r\n{}\r\n\r\n",
        String::from_utf8(cookie(&ada)).unwrap(),
    );
    let answer = speak(app.port, asked).await.is(200);
    assert_ne!(answer.header("connection"), "keep-alive");
    assert_eq!(answer.header("transfer-encoding"), "");
    assert_eq!(answer.json()["format"], "vestibule-export-1");
    // Every other answer has its length, so that the connection can be kept.
    for path in ["/me", "/login", "/healthz", "/nowhere"] {
        let answer = speak(app.port, request(&format!("GET {path} HTTP/1.0"), &[cookie(&ada)], "")).await;
        assert_eq!(answer.header("content-length"), answer.body.len().to_string(), "{path}");
    }
}

/// An address, and where it leads; nothing where it leads nowhere.
const SLASHES: &[(&str, Option<&str>)] = &[
    ("/login/", Some("/login")),
    ("/me/", Some("/me")),
    ("/signup/?next=/a", Some("/signup?next=/a")),
    ("/me/sessions/?x=1&x=2", Some("/me/sessions?x=1&x=2")),
    ("/verify-email/?token=a%2Fb", Some("/verify-email?token=a%2Fb")),
    ("/reset-password/?token=abc", Some("/reset-password?token=abc")),
    ("/me/2fa/totp/confirm/", Some("/me/2fa/totp/confirm")),
    ("/organisations/acme/", Some("/organisations/acme")),
    ("/organisations/acme/sso/", Some("/organisations/acme/sso")),
    ("/healthz/", Some("/healthz")),
    ("/auth/saml/metadata/", Some("/auth/saml/metadata")),
    ("/dev/mail/", Some("/dev/mail")),
    ("/login/?next=caf%C3%A9", Some("/login?next=caf%C3%A9")),
    ("/", None),
    ("//", None),
    ("///", None),
    ("//login/", None),
    ("//evil.example/", None),
    ("/\\evil.example/", None),
    ("/%2Fevil.example/", None),
    ("/login//", None),
    ("/nowhere/", None),
    ("/static/", None),
    ("/me/../login/", None),
    ("/LOGIN/", None),
];

#[actix_web::test]
async fn a_slash_too_many_leads_to_the_page_and_nowhere_else() {
    let app = TestApp::open().await;
    for (path, leads_to) in SLASHES {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
            for accept in ["text/html", "application/json"] {
                let headers = [format!("accept: {accept}").into_bytes()];
                let answer =
                    speak(app.port, request(&format!("{method} {path} HTTP/1.1"), &headers, "")).await;
                let what = format!("{method} {path}: {}", answer.status);
                match leads_to {
                    Some(there) => {
                        assert_eq!(
                            (answer.status.as_u16(), answer.header("location")),
                            (308, *there),
                            "{what}"
                        );
                        if accept == "application/json" && method != "HEAD" {
                            assert_eq!(answer.json()["location"], *there, "{what}");
                        }
                    }
                    None => {
                        assert!(answer.header("location").is_empty(), "{what}");
                        assert!(answer.status == 404 || *path == "/", "{what}");
                    }
                }
            }
        }
    }
    // From another site, a write is refused before it is led anywhere.
    let foreign = app.curl().with("sec-fetch-site", "cross-site");
    foreign.send(Method::POST, "/logout/", None).await.refuses(403, "cross_origin");
}

/// Queries with a parameter that is there twice, empty or broken, and what the page shows of them.
const QUERIES: &[(&str, &str)] = &[
    ("/login?next=/a&next=/b", "name=\"next\" value=\"/a\""),
    ("/login?next=&next=/b", "name=\"next\" value=\"/b\""),
    ("/login?next=//evil.example&next=/b", "Sign in"),
    ("/login?next[]=/a&next[]=/b", "Sign in"),
    ("/login?next", "Sign in"),
    ("/login?next=", "Sign in"),
    ("/login?email=a%40example.com&email=b%40example.com", "value=\"a@example.com\""),
    ("/login?email=&email=b%40example.com", "value=\"b@example.com\""),
    ("/login?with=password&with=other", "Sign in"),
    ("/login?%FF=%FF&x=%zz&&&=", "Sign in"),
    ("/login?next=/a;next=/b", "value=\"/a;next=/b\""),
    ("/signup?next=/a&next=/a", "name=\"next\" value=\"/a\""),
    ("/signup?next=/a+b", "value=\"/a%20b\""),
    ("/login/magic-link?next=/a&next=/b", "name=\"next\" value=\"/a\""),
    ("/forgot-password?email=a&email=b", "Email address"),
    ("/reset-password?token=a&token=b", "This link no longer works"),
    ("/verify-email?token=a&token=b", "This link no longer works"),
    ("/not-me?token=&token=", "This link no longer works"),
    ("/cancel-deletion?token=a&token=a", "This link no longer works"),
    ("/me/email/undo?token=a&token=b", "This link no longer works"),
    ("/auth/saml/refused?x=1&x=2", "</html>"),
];

#[actix_web::test]
async fn of_a_parameter_that_is_there_twice_the_first_counts() {
    let app = TestApp::open().await;
    for (path, shows) in QUERIES {
        let page = app.browser().get(path).await;
        assert!([200, 422, 403, 404].contains(&page.status.as_u16()), "{path}: {}", page.status);
        page.says(shows);
        assert_ne!(app.curl().get(path).await.status, 400, "{path}");
    }
    let ada = app.verified(ADA).await;
    ada.get("/me/logins?cursor=").await.is(200);
    ada.get("/auth/saml/login?connection=&email=").await.is(200);
}

/// Where a page leads afterwards: as it was typed, and as it goes out; nothing where it would leave this site.
fn ways() -> Vec<(String, Option<String>)> {
    let long = |length: usize| format!("/app?state={}", "x".repeat(length - "/app?state=".len()));
    let fine = |typed: &str, sent: &str| (typed.to_owned(), Some(sent.to_owned()));
    let kept = |typed: &str| fine(typed, typed);
    let refused = |typed: &str| (typed.to_owned(), None);
    vec![
        kept("/me"),
        kept("/app?state=a%2Fb&x=1"),
        kept("/app#part"),
        kept("/a//b"),
        kept("/%2F%2Fevil.example"),
        kept("/caf%C3%A9"),
        fine("/café", "/caf%C3%A9"),
        fine("/日本/東京?場所=駅", "/%E6%97%A5%E6%9C%AC/%E6%9D%B1%E4%BA%AC?%E5%A0%B4%E6%89%80=%E9%A7%85"),
        fine("/привет", "/%D0%BF%D1%80%D0%B8%D0%B2%D0%B5%D1%82"),
        fine("/🎉", "/%F0%9F%8E%89"),
        fine("/a b", "/a%20b"),
        fine("/a\u{202e}b", "/a%E2%80%AEb"),
        kept(&long(513)),
        kept(&long(600)),
        kept(&long(1_000)),
        kept(&long(2_000)),
        fine(&format!("/{}", "é".repeat(300)), &format!("/{}", "%C3%A9".repeat(300))),
        refused(&long(20_000)),
        refused("//evil.example"),
        refused("/\\evil.example"),
        refused("\\\\evil.example"),
        refused("/\t/evil.example"),
        refused("/\n/evil.example"),
        refused("/\u{0}"),
        refused("/\u{85}/evil.example"),
        refused("https://evil.example/"),
        refused("javascript:alert(1)"),
        refused("évil.example"),
        refused("／／evil.example"),
        refused(""),
    ]
}

#[actix_web::test]
async fn a_way_on_is_kept_whatever_its_letters_and_its_length() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let owner = app.with_app("grace@example.com").await;
    for (next, leads_to) in ways() {
        let to = leads_to.clone().unwrap_or_else(|| "/me".to_owned());
        let what = next.chars().take(40).collect::<String>();
        let query = serde_urlencoded::to_string([("next", &next)]).unwrap();

        // The page carries it on in its form.
        let browser = app.browser();
        let page = browser.get(&format!("/login?{query}")).await.is(200);
        let escaped = to.replace('&', "&#38;");
        let field = format!("name=\"next\" value=\"{escaped}\"");
        assert_eq!(page.body.contains(&field), leads_to.is_some(), "{what}: {}", page.body);
        let form = [("email", ADA), ("password", PASSWORD), ("next", next.as_str())];
        browser.post("/login", &form).await.goes_to(&to);
        // Who is signed in already goes there at once.
        browser.get(&format!("/login?{query}")).await.goes_to(&to);

        // Over a second factor.
        let browser = app.browser();
        let form = [("email", owner.address.as_str()), ("password", PASSWORD), ("next", next.as_str())];
        let asked = browser.post("/login", &form).await.is(303);
        let on = serde_urlencoded::to_string([("next", &to)]).unwrap();
        assert_eq!(asked.header("location"), format!("/login/2fa?{on}"), "{what}");
        let code = app.next_code(&owner.secret);
        browser.post("/login/2fa", &[("code", code.as_str()), ("next", &to)]).await.goes_to(&to);
    }
}

/// Until the address is confirmed it waits in a cookie, of which browsers keep 4,096 bytes.
#[actix_web::test]
async fn a_long_way_on_waits_in_a_cookie_that_browsers_keep() {
    let app = TestApp::open().await;
    for (number, (next, leads_to)) in ways().into_iter().enumerate() {
        let browser = app.browser();
        let address = format!("person{number}@example.com");
        let form = [("email", address.as_str()), ("password", PASSWORD), ("name", "Ada")];
        browser.post("/signup", &form).await.is(303);
        let query = serde_urlencoded::to_string([("next", &next)]).unwrap();
        let needed = browser.get(&format!("/verify-email/needed?{query}")).await.is(200);
        for cookie in needed.headers.get_all("set-cookie") {
            assert!(cookie.len() < 4_096, "{number}: {} bytes", cookie.len());
        }
        let token = app.token_for(&address).await;
        let opened = browser.get(&format!("/verify-email?token={token}")).await;
        let opened = match opened.status.as_u16() {
            303 => opened,
            _ => browser.post("/verify-email", &[("token", token.as_str())]).await,
        };
        opened.goes_to(&leads_to.unwrap_or_else(|| "/me".to_owned()));
    }
}

/// The controls of a form in the order of the page: the value of `autocomplete`, or nothing where there is none.
fn controls(page: &str) -> Vec<(String, String)> {
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        rest.split('"').next().map(str::to_owned)
    };
    let tags =
        page.split('<').filter_map(|tag| tag.strip_prefix("input").map(|tag| tag.split('>').next().unwrap()));
    tags.filter(|tag| {
        attribute(tag, "type").is_some_and(|kind| !["hidden", "checkbox"].contains(&kind.as_str()))
    })
    .map(|tag| {
        let name = attribute(tag, "name").or_else(|| attribute(tag, "id")).unwrap_or_default();
        (name, attribute(tag, "autocomplete").unwrap_or_default())
    })
    .collect()
}

#[actix_web::test]
async fn every_form_tells_password_managers_what_goes_where() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    let page_of = async |visitor: &Visitor, path: &str| {
        let page = visitor.clone().with("accept", "text/html").get(path).await.is(200);
        controls(&page.body)
    };
    let reset = async || {
        app.curl().post_json("/forgot-password", serde_json::json!({ "email": ADA })).await.is(200);
        format!("/reset-password?token={}", app.token_for(ADA).await)
    };
    let unverified = app.unverified_user("eve@example.com").await;
    let confirm = format!("/verify-email?token={}", app.token_for("eve@example.com").await);
    let anyone = app.browser();
    let mut found: Vec<(&str, Vec<(String, String)>)> = Vec::new();
    for path in ["/login", "/signup", "/forgot-password", "/login/magic-link"] {
        found.push((path, page_of(&anyone, path).await));
    }
    found.push(("/auth/confirm", page_of(&ada, "/auth/confirm").await));
    found.push(("/reset-password", page_of(&anyone, &reset().await).await));
    found.push(("/verify-email", page_of(&anyone, &confirm).await));
    ada.steps_up().await;
    for path in ["/me/password", "/me/email", "/me"] {
        found.push((path, page_of(&ada, path).await));
    }
    app.waiting_app(&ada).await;
    found.push(("/me/2fa/totp/confirm", page_of(&ada, "/me/2fa/totp/confirm").await));
    drop(unverified);
    let owner = app.with_app("grace@example.com").await;
    let waiting = app.browser();
    waiting.post("/login", &[("email", &owner.address), ("password", PASSWORD)]).await.is(303);
    found.push(("/login/2fa", page_of(&waiting, "/login/2fa").await));
    let asking = app.browser();
    asking.post("/login/magic-link", &[("email", ADA)]).await.is(303);
    found.push(("/login/magic-link/sent", page_of(&asking, "/login/magic-link/sent").await));

    let expected: &[(&str, &[(&str, &str)])] = &[
        ("/login", &[("email", "username webauthn"), ("password", "current-password")]),
        ("/signup", &[("name", "name"), ("email", "username"), ("password", "new-password")]),
        ("/forgot-password", &[("email", "username")]),
        ("/login/magic-link", &[("email", "username")]),
        ("/auth/confirm", &[("", "username"), ("password", "current-password")]),
        ("/reset-password", &[("", "username"), ("password", "new-password"), ("repeat", "new-password")]),
        ("/verify-email", &[("", "username"), ("password", "current-password")]),
        ("/me/password", &[("", "username"), ("newPassword", "new-password"), ("repeat", "new-password")]),
        ("/me/email", &[("email", "email")]),
        ("/me", &[("name", "name")]),
        ("/me/2fa/totp/confirm", &[("code", "one-time-code")]),
        ("/login/2fa", &[("code", "one-time-code"), ("recovery", "off")]),
        ("/login/magic-link/sent", &[("code", "one-time-code")]),
    ];
    for ((path, controls), (row, fields)) in found.iter().zip(expected) {
        let fields: Vec<(String, String)> =
            fields.iter().map(|(name, word)| ((*name).to_owned(), (*word).to_owned())).collect();
        assert_eq!((path, controls), (row, &fields));
    }
    assert_eq!(found.len(), expected.len());
}

/// What is asked of every answer in JSON, also of one that leads elsewhere.
#[actix_web::test]
async fn a_program_that_does_not_follow_is_told_where_to_go() {
    let app = TestApp::open().await;
    let answer = app.curl().get("/me/sessions/?a=1").await.is(308);
    let told: Value = answer.json();
    assert_eq!(told["location"], "/me/sessions?a=1");
    assert_eq!(answer.header("cache-control"), "no-store");
}
