//! What HTTP asks of every route: methods, HEAD, bodies, queries, origins, and addresses that lead nowhere.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::Method;
use chrono::TimeDelta;
use vestibule::web::Access;

use crate::{
    every_route::{
        FACES, FROM_ELSEWHERE, Face, Person, Row, ask, asks_for_more, code, invitation_of, note_of,
        organisation_of, role_of, rows, sso_of, stepped_up_session, waiting_sign_in,
    },
    harness::{TestApp, outbound::Names},
};

#[actix_web::test]
async fn a_method_that_a_route_does_not_take_is_refused_with_those_it_does() {
    let app = TestApp::open().await;
    let ada = Person::arrive(&app, "ada@example.com").await;
    let mut methods: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for row in rows() {
        let taken = methods.entry(row.path).or_default();
        taken.insert(row.method.to_string());
        if row.method == Method::GET {
            taken.insert("HEAD".to_owned());
        }
    }
    // A proxy may ask by its visitor's own method there.
    methods.remove("/gate/check").unwrap();
    for (path, taken) in methods {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            if taken.contains(method) || path.ends_with("revoke-all") && method == "DELETE" {
                continue;
            }
            for face in FACES {
                for session in [None, Some(ada.session.as_str())] {
                    let visitor = face.visitor(&app, session);
                    let answer =
                        ask(&app, face, &visitor, &method.parse().unwrap(), &ada.fill(path), None).await;
                    let answer = answer.is(405);
                    let allowed: BTreeSet<String> =
                        answer.header("allow").split(", ").map(str::to_owned).collect();
                    assert_eq!(allowed, taken, "{}", answer.request);
                }
            }
        }
    }
}

#[actix_web::test]
async fn head_is_get_without_the_body() {
    let app = TestApp::open().await;
    let ada = Person::arrive(&app, "ada@example.com").await;
    for row in rows().iter().filter(|row| row.method == Method::GET) {
        for face in FACES {
            for session in [None, Some(ada.session.as_str())] {
                let visitor = face.visitor(&app, session);
                let path = ada.fill(row.path);
                if (row.path, face) == ("/verify-email", Face::Json) {
                    continue; // Here GET may confirm, so a HEAD, which only looks, is told to POST.
                }
                let once = [
                    "/auth/continue",
                    "/auth/oidc/callback/{key}",
                    "/auth/oidc/finish",
                    "/auth/saml/arrive",
                    "/auth/saml/logout",
                ];
                if once.contains(&row.path) {
                    continue; // What was interrupted, proved or asked for counts once, and not for a HEAD.
                }
                let head = ask(&app, face, &visitor, &Method::HEAD, &path, None).await;
                let get = ask(&app, face, &visitor, &Method::GET, &path, None).await;
                assert_eq!(head.status, get.status, "{path}");
                for name in ["content-type", "location"] {
                    assert_eq!(head.header(name), get.header(name), "{path}");
                }
                assert_eq!(head.body, "", "{path}");
            }
        }
    }
}

#[actix_web::test]
async fn there_is_nothing_behind_an_address_that_only_looks_like_a_door_case_49() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await.cookie("session").unwrap();
    let paths = [
        "/nowhere",
        "//",
        "//me",
        "///me",
        "/me//",
        "/me//sessions",
        "/nowhere/",
        "/ME/",
        "/ME",
        "/Me",
        "/me.json",
        "/me/x.css",
        "/me/sessions.css",
        "/me;x=1",
        "/me%00",
        "/me%20",
        "/%6De%2F",
        "/me%2Fsessions",
        "/me%2f..%2fme",
        "/me/../me",
        "/./me",
        "//login",
        "//login/",
        "/static",
        "/static/",
        "/static/..",
        "/static/../me",
        "/static/..%2f..%2fCargo.toml",
        "/static/%2e%2e/%2e%2e/Cargo.toml",
        "/static/vestibule.css",
        "/static/x/y.css",
        "/.env",
        "/.git/config",
        "/index.html",
        "/dev/mail/x",
        "/dev/mail/-1",
        "/dev/mail/99999999999999999999999",
    ];
    for path in paths {
        for face in FACES {
            for session in [None, Some(ada.as_str())] {
                for method in [Method::GET, Method::HEAD] {
                    let visitor = face.visitor(&app, session);
                    let answer = ask(&app, face, &visitor, &method, path, None).await.is(404);
                    assert!(answer.header("location").is_empty(), "{path}");
                    answer.hides("ada@example.com");
                }
            }
        }
    }
    for path in ["/nowhere", "//logout", "//logout/", "/logout//", "/LOGOUT", "/me/sessions//revoke-all"] {
        for face in FACES {
            let visitor = face.visitor(&app, Some(&ada));
            ask(&app, face, &visitor, &Method::POST, path, None).await.is(404);
        }
    }
    for path in ["/me/sessions/%ff", "/me/sessions/a%2Fb", "/me/sessions/%00", "/me/sessions/'"] {
        for face in FACES {
            let visitor = face.visitor(&app, Some(&ada));
            ask(&app, face, &visitor, &Method::DELETE, path, None).await.is(404);
        }
    }
    assert_eq!(app.count("sessions").await, 1);
}

#[actix_web::test]
async fn a_query_in_the_wrong_shape_is_explained_in_both_faces() {
    let app = TestApp::open().await;
    let ada = app.unverified_user("ada@example.com").await.cookie("session").unwrap();
    for path in [
        "/me/logins?cursor=x",
        "/me/logins?cursor=%00",
        "/me/logins?cursor=x&cursor=y",
        "/me/sessions?cursor=x",
    ] {
        for face in FACES {
            let visitor = face.visitor(&app, Some(&ada));
            let answer = ask(&app, face, &visitor, &Method::GET, path, None).await.is(400);
            answer.says("its address has another cursor than we gave out");
        }
    }
}

/// What another site can make a browser send, and what only this site, a person or a program sends.
fn origins(app: &TestApp) -> [Vec<Vec<(&'static str, String)>>; 2] {
    let site = |value: &str| vec![("sec-fetch-site", value.to_owned())];
    let origin = |value: &str| vec![("origin", value.to_owned())];
    let port = app.base_url.rsplit(':').next().unwrap();
    let foreign = vec![
        site("cross-site"),
        site("same-site"),
        site("rubbish"),
        origin("https://evil.example"),
        origin("null"),
        origin(""),
        origin(&format!("{}.evil.example", app.base_url)),
        origin(&format!("http://evil.localhost:{port}")),
        origin(&format!("https://localhost:{port}")),
        origin("http://localhost"),
        [site("cross-site"), origin(&app.base_url)].concat(),
    ];
    [foreign, vec![site("same-origin"), site("none"), vec![], origin(&app.base_url)]]
}

#[actix_web::test]
async fn a_write_from_another_site_is_refused_at_every_door_and_changes_nothing_case_52() {
    let names = Names::start();
    let app = TestApp::with(&[("DNS_SERVER", &names.addr.to_string()), ("EXAMPLE_NOTES", "on")]).await;
    let [foreign, own] = origins(&app);
    for (number, row) in
        rows().iter().filter(|row| !row.method.is_safe() && !FROM_ELSEWHERE.contains(&row.path)).enumerate()
    {
        app.wait(TimeDelta::hours(1));
        let mut ada = Person::arrive(&app, &format!("ada{number}@example.com")).await;
        if asks_for_more(row.access) {
            (ada.session, ada.code) = stepped_up_session(&app, &format!("recent{number}@example.com")).await;
        }
        if row.path.contains("{slug}") || row.path == "/me/organisation" {
            (ada.slug, ada.member) =
                organisation_of(&app, &ada.session, &format!("second{number}@example.com")).await;
        }
        if row.path.contains("{slug}/sso") {
            (ada.connection, ada.domain) = sso_of(&names, &app, &ada.session, &ada.slug).await;
        }
        if row.path.contains("{role}") {
            ada.role = role_of(&app, &ada.session, &ada.slug).await;
        }
        if row.path.contains("{slug}/invitations/") {
            ada.invitation = invitation_of(&app, &ada.session, &ada.slug).await;
        }
        if row.path.contains("{note}") {
            ada.note = note_of(&app, &ada.session, &ada.slug).await;
        }
        let waiting = match row.access {
            Access::Pending => {
                let owner = app.with_app(&format!("pending{number}@example.com")).await;
                Some(waiting_sign_in(&app, &owner).await)
            }
            _ => None,
        };
        let path = ada.fill(row.path);
        let send = async |face: Face, headers: &[(&'static str, String)]| {
            let mut visitor = match &waiting {
                Some(state) => face.pending(&app, state),
                None => face.visitor(&app, Some(&ada.session)),
            };
            visitor = visitor.without("sec-fetch-site");
            for (name, value) in headers {
                visitor = visitor.with(name, value);
            }
            ask(&app, face, &visitor, &row.method, &path, ada.body(row, face)).await
        };
        let before = everything(&app).await;
        for headers in &foreign {
            for face in FACES {
                let answer = send(face, headers).await.is(403);
                assert!(answer.headers.get("set-cookie").is_none(), "{}", answer.request);
                if face == Face::Json {
                    assert_eq!(code(&answer), "cross_origin");
                }
            }
        }
        assert_eq!(everything(&app).await, before, "{} {path}", row.method);

        for (turn, headers) in own.iter().enumerate() {
            for face in FACES {
                let answer = send(face, headers).await;
                // Whoever asked to be deleted can do so once.
                let is_leaving = code(&answer) == "deletion_scheduled";
                let is_welcome = answer.status != 403 || is_leaving;
                assert!(is_welcome, "{headers:?}: {} {}", answer.request, answer.body);
                assert_ne!(code(&answer), "cross_origin");
                // The links of these are in other emails, nothing is under way, they only echo, or they take a passkey;
                // their own tests use them.
                let is_apart = [
                    "/not-me",
                    "/not-me/was-me",
                    "/use-address",
                    "/me/email/confirm",
                    "/me/email/undo",
                    "/me/2fa/recovery-codes/download",
                    "/login/magic-link/verify",
                    "/auth/check",
                    "/device",
                    "/auth/token/refresh",
                    "/auth/token/revoke",
                    "/invitations/accept",
                    "/invitations/ask",
                    "/invitations/decline",
                    "/invitations/switch",
                    "/me/invitations/{invitation}/accept",
                    "/me/invitations/{invitation}/decline",
                    "/auth/methods",
                    "/gate/trouble",
                    "/oauth/consent",
                    "/oauth/cancel",
                    "/csp-reports",
                    "/factor-reset/stop",
                    "/me/factor-reset/stop",
                    "/me/security/removed/{id}/put-back",
                    "/me/sessions/{id}/was-me",
                    "/login/passkey",
                    "/cancel-deletion",
                    "/me/delete/cancel",
                    "/auth/link",
                    "/auth/oidc/complete",
                    "/auth/oidc/login",
                    "/auth/saml/link",
                    "/auth/saml/login",
                    "/auth/saml/sign-out",
                    "/auth/saml/test",
                    "/sso/setup",
                ];
                // And a domain is closed, and opened again, only after some steps; nor has every connection a link.
                // Nor does an address wait to be confirmed.
                let is_apart = row.path.ends_with("/enforce")
                    || row.path == "/me/email/cancel"
                    || row.path.ends_with("/metadata/read")
                    || row.path.ends_with("/release")
                    || row.path.ends_with("/switch-on")
                    // Nobody is offered an organisation, its name has to be typed, and it was not going to be deleted.
                    || ["/hand-over", "/hand-over/revoke", "/delete", "/restore"]
                        .iter()
                        .any(|end| row.path.ends_with(end) && row.path != "/me/delete")
                    || is_apart.contains(&row.path)
                    // No organisation has a directory.
                    || row.path.contains("/directory/")
                    || row.path.ends_with("/directory") && row.method == Method::DELETE
                    // Nobody has a key.
                    || row.path.contains("/keys/")
                    || row.path.starts_with("/me/passkeys") && row.path != "/me/passkeys/options"
                    // Nor an account elsewhere.
                    || row.path.starts_with("/me/providers/")
                    // Nor an application.
                    || row.path.starts_with("/me/applications/")
                    || row.path.starts_with("/dev/oidc/");
                if (turn, face) == (0, Face::Html) && !is_apart {
                    // The very same request from here does change something.
                    assert_ne!(everything(&app).await, before, "{}: {}", answer.request, answer.status);
                }
            }
        }
    }
}

#[actix_web::test]
async fn reading_is_open_to_links_from_other_sites_and_nothing_allows_their_scripts() {
    let app = TestApp::open().await;
    let browser = app.browser().with("sec-fetch-site", "cross-site").with("origin", "https://evil.example");
    ask(&app, Face::Html, &browser, &Method::GET, "/login", None).await.is(200);
    let preflight = app
        .curl()
        .with("origin", "https://evil.example")
        .with("access-control-request-method", "DELETE")
        .with("access-control-request-headers", "content-type");
    for path in ["/me", "/login", "/me/sessions/revoke-all"] {
        ask(&app, Face::Json, &preflight, &Method::OPTIONS, path, None).await.is(405);
    }
    ask(&app, Face::Json, &preflight, &Method::OPTIONS, "/nowhere", None).await.is(404);
}

#[actix_web::test]
async fn trace_echoes_nothing() {
    let app = TestApp::open().await;
    let ada = app.unverified_user("ada@example.com").await.with("x-mine", "seen");
    let secret = ada.cookie("session").unwrap();
    for (path, status) in [("/", 405), ("/me", 405), ("/nowhere", 404)] {
        let answer = ask(&app, Face::Json, &ada, &Method::TRACE, path, None).await.is(status);
        answer.hides(&secret).hides("seen");
    }
}

#[actix_web::test]
async fn a_body_is_a_form_or_json_whole_and_of_a_size() {
    let app = TestApp::open().await;
    let ada = Person::arrive(&app, "ada@example.com").await;
    let (stepped_up, _) = stepped_up_session(&app, "recent@example.com").await;
    let waiting = waiting_sign_in(&app, &app.with_app("pending@example.com").await).await;
    let before = everything(&app).await;
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    let limit = app.inner.config().body_limit;
    assert_eq!(limit, 64 * 1024);
    let padded = |length: usize| format!("{{\"pad\":\"{}\"}}", "x".repeat(length - 10));
    let boundary = "--b\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\na@example.com\r\n--b--\r\n";
    let refused = |limit: usize| {
        [
            (
                415,
                "unsupported_media",
                vec![
                    ("text/plain", "{\"email\":\"a@example.com\"}".to_owned()),
                    ("multipart/form-data; boundary=b", boundary.to_owned()),
                    ("application/xml", "<email>a@example.com</email>".to_owned()),
                    ("application/jsonx", "{}".to_owned()),
                    ("text/json", "{}".to_owned()),
                    ("", "email=a@example.com".to_owned()),
                ],
            ),
            (
                413,
                "too_large",
                vec![(json, padded(limit + 1)), (form, "x".repeat(limit + 1)), (json, "[".repeat(4 * limit))],
            ),
            (
                400,
                "malformed",
                vec![
                    (json, String::new()),
                    (json, "{\"email\": ".to_owned()),
                    (json, "{\"email\": \"a\"} trailing".to_owned()),
                    (json, "null".to_owned()),
                    (json, "7".to_owned()),
                    (json, "\"text\"".to_owned()),
                    (json, "[".repeat(1_000)),
                    (json, "email=a@example.com".to_owned()),
                ],
            ),
        ]
    };
    for row in rows().iter().filter(|row| row.body.is_some() && !FROM_ELSEWHERE.contains(&row.path)) {
        let path = ada.fill(row.path);
        // A document may come along.
        let limit = if row.body.unwrap().contains("$METADATA") { 1024 * 1024 } else { limit };
        let enter = |face: Face| match row.access {
            Access::Pending => face.pending(&app, &waiting),
            access if asks_for_more(access) => face.visitor(&app, Some(&stepped_up)),
            _ => face.visitor(&app, Some(&ada.session)),
        };
        let field = row.body.unwrap().split('=').next().unwrap();
        let twice = [
            (form, format!("{field}=a&{field}=b")),
            (json, format!("{{\"{field}\":\"a\",\"{field}\":\"b\"}}")),
        ];
        let shapeless = [(json, format!("{{\"{field}\":{{}}}}")), (json, format!("{{\"{field}\":7}}"))];
        let own = [(400, "malformed", twice.to_vec()), (422, "invalid", shapeless.to_vec())];
        for (status, name, bodies) in refused(limit).iter().chain(&own) {
            for (kind, body) in bodies {
                for face in FACES {
                    let body = Some((*kind, body.clone()));
                    let answer = ask(&app, face, &enter(face), &row.method, &path, body).await.is(*status);
                    if face == Face::Json {
                        assert_eq!(code(&answer), *name, "{}", answer.request);
                    }
                }
            }
        }
        // At the limit, and with parameters, a body is looked at.
        for (kind, body) in [(json, padded(limit)), ("Application/JSON; charset=utf-8", "{}".to_owned())] {
            let visitor = enter(Face::Json);
            let answer = ask(&app, Face::Json, &visitor, &row.method, &path, Some((kind, body))).await;
            let status = answer.status.as_u16();
            // There is no such organisation; members of none learn no more.
            // Nor has anybody such a key.
            let is_hidden = path.starts_with("/organisations/") || path.starts_with("/me/keys/");
            // The demonstration provider is switched off here.
            let is_hidden = is_hidden || path.starts_with("/dev/oidc/");
            let fits = [401, 422].contains(&status) || (status == 404 && is_hidden);
            // Nothing says that none is to be in use.
            let fits = fits || (status == 200 && path == "/me/organisation");
            // Nothing says what is wanted otherwise.
            let fits = fits || (status == 201 && path == "/auth/token");
            assert!(fits, "{}: {status} {}", answer.request, answer.body);
        }
        // Who may not enter is told so, whatever they carry.
        if row.access != Access::Anyone {
            let body = Some(("text/plain", "{".to_owned()));
            let answer = ask(&app, Face::Json, &app.curl(), &row.method, &path, body).await;
            let code = if row.access == Access::Pending { "sign_in_ended" } else { "sign_in_required" };
            answer.refuses(401, code);
        }
    }
    let after = everything(&app).await;
    let but_the_audit =
        |rows: Vec<String>| rows.into_iter().filter(|row| !row.starts_with("audit")).collect();
    let (before, after): (Vec<_>, Vec<_>) = (but_the_audit(before), but_the_audit(after));
    assert_eq!(after, before);
}

#[actix_web::test]
async fn a_route_that_needs_no_body_ignores_one() {
    let names = Names::start();
    let app = TestApp::with(&[("DNS_SERVER", &names.addr.to_string()), ("EXAMPLE_NOTES", "on")]).await;
    // That one needs something to connect.
    let is_bare = |row: &&Row| {
        !row.method.is_safe()
            && row.body.is_none()
            && row.access != Access::Pending
            && !["/auth/link", "/auth/saml/link"].contains(&row.path)
            && !FROM_ELSEWHERE.contains(&row.path)
    };
    for (number, row) in rows().iter().filter(is_bare).enumerate() {
        app.wait(TimeDelta::hours(1));
        let mut ada = Person::arrive(&app, &format!("ada{number}@example.com")).await;
        if asks_for_more(row.access) {
            (ada.session, _) = stepped_up_session(&app, &format!("recent{number}@example.com")).await;
        }
        if row.path.contains("{slug}") {
            (ada.slug, ada.member) =
                organisation_of(&app, &ada.session, &format!("second{number}@example.com")).await;
        }
        if row.path.contains("{slug}/sso") {
            (ada.connection, ada.domain) = sso_of(&names, &app, &ada.session, &ada.slug).await;
        }
        if row.path.contains("{role}") {
            ada.role = role_of(&app, &ada.session, &ada.slug).await;
        }
        if row.path.contains("{slug}/invitations/") {
            ada.invitation = invitation_of(&app, &ada.session, &ada.slug).await;
        }
        if row.path.contains("{note}") {
            ada.note = note_of(&app, &ada.session, &ada.slug).await;
        }
        let visitor = Face::Json.visitor(&app, Some(&ada.session));
        let body = Some(("text/plain", "{".to_owned()));
        // Nobody here has a passkey or a key, or was told of a sign-in.
        let is_absent = [
            "/me/invitations/",
            "/me/passkeys/{id}",
            "/me/providers/{id}",
            "/me/applications/{id}",
            "/me/security/removed/{id}",
            "/me/sessions/{id}/was-me",
            "/me/keys/{id}",
            "/organisations/{slug}/keys/{id}",
        ];
        let status = match row.path {
            // Nor has the organisation a directory.
            path if path.contains("{slug}/directory") && row.method != Method::GET => 404,
            path if is_absent.iter().any(|absent| path.starts_with(absent)) => 404,
            path if path.ends_with("/setup-link") && row.method == Method::POST => 201,
            _ => 200,
        };
        ask(&app, Face::Json, &visitor, &row.method, &ada.fill(row.path), body).await.is(status);
    }
}

#[actix_web::test]
async fn only_who_asks_for_html_by_name_gets_html() {
    let app = TestApp::open().await;
    let accepts = [
        (Face::Html, "text/html"),
        (Face::Html, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        (Face::Html, "application/json;q=0.9, text/html"),
        (Face::Html, "Text/HTML"),
        (Face::Json, "*/*"),
        (Face::Json, "application/json"),
        (Face::Json, "text/*"),
        (Face::Json, "image/avif,image/webp"),
        (Face::Json, ""),
    ];
    for (face, accept) in accepts {
        let visitor = app.curl().with("accept", accept);
        for (path, json_status, html_status) in
            [("/", 200, 200), ("/login", 200, 200), ("/me", 401, 303), ("/nowhere", 404, 404)]
        {
            let status = if face == Face::Html { html_status } else { json_status };
            ask(&app, face, &visitor, &Method::GET, path, None).await.is(status);
        }
        let body = Some(("application/json", "{}".to_owned()));
        ask(&app, face, &visitor, &Method::POST, "/login", body).await.is(422);
    }
    ask(&app, Face::Json, &app.curl().without("accept"), &Method::GET, "/login", None).await.is(200);
}

#[actix_web::test]
async fn over_https_every_answer_says_that_only_https_will_do() {
    let app = TestApp::with(&[("BASE_URL", "https://id.example.com")]).await;
    let ada = Person::arrive(&app, "ada@example.com").await;
    // Each answer is looked at by `ask`.
    for row in rows().iter().filter(|row| row.method == Method::GET) {
        for face in FACES {
            for session in [None, Some(ada.session.as_str())] {
                let visitor = face.visitor(&app, session);
                ask(&app, face, &visitor, &Method::GET, &ada.fill(row.path), None).await;
            }
        }
    }
    for (origin, status) in [
        ("https://id.example.com", 422),
        ("http://id.example.com", 403),
        ("https://id.example.com:8443", 403),
        ("https://evil.id.example.com", 403),
        ("https://example.com", 403),
    ] {
        let visitor = app.curl().with("origin", origin);
        let body = Some(("application/json", "{}".to_owned()));
        ask(&app, Face::Json, &visitor, &Method::POST, "/login", body).await.is(status);
    }
}

/// Everything that a write could change, but for when a session was last used.
async fn everything(app: &TestApp) -> Vec<String> {
    let mut rows = Vec::new();
    for (table, row) in [
        ("users", "id || email || name || coalesce(password_hash, '')"),
        ("users", "id || coalesce(CAST(email_verified_at AS TEXT), '')"),
        ("sessions", "id || secret_hash || coalesce(organisation_id, '')"),
        ("tokens", "hash || coalesce(CAST(used_at AS TEXT), '')"),
        ("outbox", "id"),
        ("audit", "id || event"),
        ("totp", "user_id || sealed"),
        ("totp_setups", "user_id || sealed"),
        ("recovery_codes", "hash || coalesce(CAST(used_at AS TEXT), '')"),
        ("notes", "id || text"),
    ] {
        let mut found = app.texts(&format!("SELECT '{table} ' || {row} AS text FROM {table}")).await;
        found.sort();
        rows.extend(found);
    }
    rows
}
