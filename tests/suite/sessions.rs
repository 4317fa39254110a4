//! Where one is signed in: the list, signing devices out, and how long a session lasts.

use std::sync::mpsc;

use actix_web::cookie::{Cookie, SameSite};
use chrono::TimeDelta;
use diesel::{
    connection::{Connection, InstrumentationEvent},
    prelude::*,
    sql_types::Text,
};
use serde_json::{Value, json};
use vestibule::{db::Conn, ids::Id, internals::list_sessions};

use crate::harness::{Answer, PASSWORD, TestApp, Visitor};

pub const ADA: &str = "ada@example.com";

/// Signs in with curl under this user agent, remembered or not.
pub async fn device(app: &TestApp, address: &str, user_agent: &str, remember: bool) -> Visitor {
    let curl = app.curl().named(user_agent);
    let body = json!({ "email": address, "password": PASSWORD, "remember": remember });
    curl.post_json("/login", body).await.is(200);
    curl
}

/// The same device with the same jar, asking for pages.
pub fn in_a_browser(visitor: &Visitor) -> Visitor {
    visitor.clone().with("accept", "text/html").with("sec-fetch-site", "same-origin")
}

async fn sessions(visitor: &Visitor) -> Vec<Value> {
    visitor.get("/me/sessions").await.is(200).json()["sessions"].as_array().unwrap().clone()
}

pub async fn is_signed_in(visitor: &Visitor) -> bool {
    let answer = visitor.get("/me").await;
    if answer.status != 200 {
        answer.refuses(401, "sign_in_required");
        return false;
    }
    true
}

pub fn cookie_of(answer: &Answer, name: &str) -> Cookie<'static> {
    let mut cookies = answer.headers.get_all("set-cookie").map(|value| value.to_str().unwrap().to_owned());
    let found = cookies.find(|cookie| cookie.starts_with(&format!("{name}=")));
    Cookie::parse(found.unwrap_or_else(|| panic!("no cookie {name} in {answer:?}"))).unwrap()
}

#[actix_web::test]
async fn the_list_tells_when_where_and_with_what_one_signed_in() {
    let app = TestApp::open().await;
    let home = app.verified(ADA).await;
    app.wait(TimeDelta::minutes(10));
    let laptop = device(&app, ADA, "Chrome/120 macOS", true).await;

    let listed = laptop.get("/me/sessions").await.is(200).json();

    let ids = (laptop.session_id().await, home.session_id().await);
    assert_eq!(
        listed,
        json!({ "next": null, "sessions": [
            {
                "id": ids.0,
                "current": true,
                "deviceName": "Chrome on macOS",
                "browser": "Chrome",
                "os": "macOS",
                "deviceType": "computer",
                "ip": "127.0.0.1",
                "createdAt": "2026-11-21T14:15:00Z",
                "lastActiveAt": "2026-11-21T14:15:00Z",
                "expiresAt": "2026-12-21T14:15:00Z",
                "method": "password",
                "secondFactor": null,
                "remembered": true,
                "warning": null,
            },
            {
                "id": ids.1,
                "current": false,
                "deviceName": "curl",
                "browser": "curl",
                "os": "Unknown",
                "deviceType": "program",
                "ip": "127.0.0.1",
                "createdAt": "2026-11-21T14:05:00Z",
                "lastActiveAt": "2026-11-21T14:05:00Z",
                "expiresAt": "2026-11-22T14:05:00Z",
                "method": "sign_up",
                "secondFactor": null,
                "remembered": false,
                "warning": null,
            },
        ]})
    );
}

#[actix_web::test]
async fn each_device_sees_itself_marked_and_named_as_people_call_it() {
    let app = TestApp::open().await;
    app.unverified_user(ADA).await;
    let laptop = device(&app, ADA, "Chrome/120 macOS", false).await;
    let phone = device(&app, ADA, "Safari/17 iPhone", false).await;

    for (visitor, name) in [(&laptop, "Chrome on macOS"), (&phone, "Safari on iPhone")] {
        let listed = sessions(visitor).await;
        assert_eq!(listed.len(), 3);
        let current: Vec<&Value> = listed.iter().filter(|session| session["current"] == true).collect();
        assert_eq!(current.len(), 1);
        assert_eq!(current[0]["deviceName"], name);

        for page in ["/me/sessions", "/me/security"] {
            let page = in_a_browser(visitor).get(page).await.is(200);
            let page = page.says("Chrome on macOS").says("Safari on iPhone").says("curl");
            let (before, after) = page.body.split_once("<p class=\"dot\">This device</p>").unwrap();
            assert!(!after.contains("This device</p>"), "{}", page.body);
            let is_named = ["h2", "h3"]
                .iter()
                .any(|tag| before.trim_end().ends_with(&format!("<bdi>{name}</bdi></{tag}>")));
            assert!(is_named, "{}", page.body);
            assert!(page.body.matches("/revoke\"").count() >= 2, "the two others can be signed out");
        }
    }
    let kinds = sessions(&phone).await;
    let phone = kinds.iter().find(|session| session["deviceName"] == "Safari on iPhone").unwrap();
    assert_eq!(phone["deviceType"], "phone");
}

#[actix_web::test]
async fn a_list_of_one_offers_nothing_to_sign_out_elsewhere() {
    let app = TestApp::open().await;
    let ada = app.unverified_user(ADA).await;
    in_a_browser(&ada).get("/me/sessions").await.is(200).says("No other devices").hides("everywhere else (");
}

#[actix_web::test]
async fn a_user_agent_is_a_strangers_text() {
    let app = TestApp::open().await;
    app.unverified_user(ADA).await;
    for agent in ["<script>alert(1)</script>", "Chrome/1 <b>macOS</b>", "' OR 1=1 --", "{{ 7*7 }}", ""] {
        let visitor = device(&app, ADA, agent, false).await;
        app.wait(TimeDelta::minutes(2));
        let page = in_a_browser(&visitor).get("/me/sessions").await.is(200);
        page.hides("alert(").hides("<b>").hides("OR 1=1").hides("7*7");
    }
}

#[actix_web::test]
async fn a_device_that_is_signed_out_is_out_at_its_next_request_case_42() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let laptop = device(&app, ADA, "Chrome/120 macOS", false).await;
    let phone = device(&app, ADA, "Safari/17 iPhone", true).await;
    let tablet = device(&app, ADA, "Safari/17 iPad", false).await;

    let done = laptop.delete(&format!("/me/sessions/{}", phone.session_id().await)).await.is(200);
    assert_eq!(done.json(), json!({ "message": "That device is signed out." }));
    assert!(!is_signed_in(&phone).await);
    in_a_browser(&phone).get("/me/sessions").await.goes_to("/login?next=%2Fme%2Fsessions");

    let browser = in_a_browser(&laptop);
    let path = format!("/me/sessions/{}/revoke", tablet.session_id().await);
    browser.post(&path, &[]).await.goes_to("/me/sessions");
    assert!(!is_signed_in(&tablet).await);
    browser.get("/me/sessions").await.is(200).says("That device is signed out.").hides("iPad");
    assert!(is_signed_in(&laptop).await);
}

#[actix_web::test]
async fn a_device_is_signed_out_on_every_node_at_once_case_42() {
    let app = TestApp::open().await;
    let node = app.second_node().await;
    let ada = app.verified(ADA).await;
    let phone = device(&app, ADA, "Safari/17 iPhone", false).await.at(node.port);
    assert!(is_signed_in(&phone).await);

    ada.delete(&format!("/me/sessions/{}", phone.session_id().await)).await.is(200);

    assert!(!is_signed_in(&phone).await);
}

#[actix_web::test]
async fn nobody_signs_out_or_learns_of_a_strangers_device_case_43() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    let eve = app.verified("eve@example.com").await;
    let (hers, nobodys) = (ada.session_id().await, "0123456789abcdef0123456789abcdef");
    let browser = in_a_browser(&eve);

    let mut told = Vec::new();
    for id in [hers.as_str(), nobodys] {
        let (path, twin) = (format!("/me/sessions/{id}"), format!("/me/sessions/{id}/revoke"));
        told.push([
            eve.delete(&path).await.refuses(404, "not_found").outline(id),
            eve.post(&twin, &[]).await.refuses(404, "not_found").outline(id),
            browser.post(&twin, &[]).await.is(404).outline(id),
        ]);
    }

    assert_eq!(told[0], told[1], "a stranger's device and none at all look alike");
    assert!(is_signed_in(&ada).await);
    assert_eq!(sessions(&ada).await.len(), 1);
    eve.get("/me/sessions").await.hides(&hers);
}

#[actix_web::test]
async fn signing_out_this_very_device_is_signing_out_case_40() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    for twin in ["DELETE", "POST"] {
        let (one, other) = (device(&app, ADA, "one", false).await, device(&app, ADA, "other", false).await);
        let id = one.session_id().await;
        let secret = one.cookie("session").unwrap();

        let left = match twin {
            "DELETE" => one.delete(&format!("/me/sessions/{id}")).await,
            _ => one.post(&format!("/me/sessions/{id}/revoke"), &[]).await,
        };
        let logged_out = other.post("/logout", &[]).await.is(200);

        assert_eq!(left.outline(&id), logged_out.outline(&id));
        assert_eq!(left.header("clear-site-data"), "");
        assert_eq!(one.cookie("session"), None);
        one.set_cookie("session", &secret);
        assert!(!is_signed_in(&one).await);
    }

    let browser = app.browser();
    browser.post("/login", &[("email", ADA), ("password", PASSWORD)]).await.goes_to("/me");
    let id = browser.session_id().await;
    let left = browser.post(&format!("/me/sessions/{id}/revoke"), &[]).await.goes_to("/login");
    assert_eq!(left.header("clear-site-data"), "");
    assert_eq!(browser.cookie("session"), None);
    browser.get("/login").await.is(200).says("You are signed out on this device.");
}

#[actix_web::test]
async fn signing_out_everywhere_else_keeps_this_device_and_other_people_case_39() {
    let app = TestApp::open().await;
    let home = app.verified(ADA).await;
    let ben = app.verified("ben@example.com").await;
    let phone = device(&app, ADA, "Safari/17 iPhone", true).await;
    let laptop = device(&app, ADA, "Chrome/120 macOS", true).await;
    let secret = laptop.cookie("session");

    let done = laptop.post("/me/sessions/revoke-all", &[]).await.is(200).json();

    assert_eq!(done, json!({ "revoked": 2, "message": "2 other devices are signed out." }));
    assert!(!is_signed_in(&home).await && !is_signed_in(&phone).await);
    assert!(is_signed_in(&laptop).await && is_signed_in(&ben).await);
    assert_eq!(laptop.cookie("session"), secret);
    assert_eq!(sessions(&laptop).await.len(), 1);
    // Again: nothing is left to do, and that is no error.
    let again = laptop.post_json("/me/sessions/revoke-all", json!({})).await.is(200).json();
    assert_eq!(again["revoked"], 0);
    let browser = in_a_browser(&laptop);
    browser.post("/me/sessions/revoke-all", &[]).await.goes_to("/me/sessions");
    browser.get("/me/sessions").await.is(200).says("You were not signed in anywhere else.");
}

#[actix_web::test]
async fn half_an_hour_without_a_request_ends_a_session_case_56() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    app.wait(TimeDelta::minutes(30) - TimeDelta::seconds(1));
    assert!(is_signed_in(&ada).await);
    app.wait(TimeDelta::minutes(30) - TimeDelta::seconds(1));
    assert!(is_signed_in(&ada).await, "the last request began a new half hour");
    app.wait(TimeDelta::minutes(30));
    assert!(!is_signed_in(&ada).await);
    assert!(!is_signed_in(&ada).await, "asking does not bring it back");
}

#[actix_web::test]
async fn a_day_ends_a_session_however_busy_it_is_case_56() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    for _ in 0..49 {
        app.wait(TimeDelta::minutes(29));
        assert!(is_signed_in(&ada).await);
    }
    app.wait(TimeDelta::minutes(24 * 60 - 49 * 29) - TimeDelta::seconds(1));
    assert!(is_signed_in(&ada).await);
    assert_eq!(sessions(&ada).await[0]["expiresAt"], "2026-11-22T14:05:00Z", "activity does not extend it");
    app.wait(TimeDelta::seconds(1));
    assert!(!is_signed_in(&ada).await);
}

#[actix_web::test]
async fn a_remembered_device_may_rest_for_two_weeks_and_lasts_thirty_days_case_56() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let resting = device(&app, ADA, "resting", true).await;
    let busy = device(&app, ADA, "busy", true).await;

    app.wait(TimeDelta::days(14) - TimeDelta::seconds(1));
    assert!(is_signed_in(&busy).await);
    app.wait(TimeDelta::seconds(1));
    assert!(!is_signed_in(&resting).await);
    app.wait(TimeDelta::days(14) - TimeDelta::seconds(2));
    assert!(is_signed_in(&busy).await);
    app.wait(TimeDelta::days(2) + TimeDelta::seconds(1));
    assert!(is_signed_in(&busy).await);
    app.wait(TimeDelta::seconds(1));
    assert!(!is_signed_in(&busy).await);
}

#[actix_web::test]
async fn an_operator_chooses_how_long_sessions_last() {
    let app = TestApp::with(&[("SESSION_IDLE", "5m"), ("SESSION_LIFE", "8m")]).await;
    let ada = app.verified(ADA).await;
    app.wait(TimeDelta::minutes(4));
    assert!(is_signed_in(&ada).await);
    app.wait(TimeDelta::minutes(4));
    assert!(!is_signed_in(&ada).await);
    let ben = app.verified("ben@example.com").await;
    app.wait(TimeDelta::minutes(5));
    assert!(!is_signed_in(&ben).await);
}

#[actix_web::test]
async fn a_session_that_has_ended_is_not_listed() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    device(&app, ADA, "Safari/17 iPhone", false).await;
    let laptop = device(&app, ADA, "Chrome/120 macOS", true).await;
    assert_eq!(sessions(&laptop).await.len(), 3);

    app.wait(TimeDelta::minutes(30));

    let left = sessions(&laptop).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["deviceName"], "Chrome on macOS");
}

#[actix_web::test]
async fn activity_is_written_at_most_once_a_minute_and_a_request_writes_nothing_else_case_56() {
    let app = TestApp::open().await;
    let phone = app.verified(ADA).await;
    let rows = async || {
        let sessions = "SELECT id || CAST(last_active_at AS TEXT) || CAST(idle_expires_at AS TEXT) AS text \
            FROM sessions ORDER BY id";
        let mut rows = app.texts(sessions).await;
        for table in ["users", "tokens", "outbox", "audit"] {
            rows.push(format!("{table}: {}", app.count(table).await));
        }
        rows
    };
    let before = rows().await;

    for _ in 0..59 {
        app.wait(TimeDelta::seconds(1));
        phone.get("/me").await.is(200);
    }
    assert_eq!(rows().await, before);

    app.wait(TimeDelta::seconds(1));
    phone.get("/me").await.is(200);
    let after = rows().await;
    assert_ne!(after[0], before[0]);
    assert_eq!(after[1..], before[1..]);
    assert_eq!(sessions(&phone).await[0]["lastActiveAt"], "2026-11-21T14:06:00Z");
}

#[actix_web::test]
async fn the_list_is_in_the_order_of_last_use() {
    let app = TestApp::open().await;
    let first = app.verified(ADA).await;
    let second = device(&app, ADA, "Chrome/120 macOS", false).await;
    app.wait(TimeDelta::minutes(2));
    first.get("/me").await.is(200);

    let listed = sessions(&first).await;
    assert_eq!(listed[0]["deviceName"], "curl");
    assert_eq!(listed[1]["lastActiveAt"], "2026-11-21T14:05:00Z");
    app.wait(TimeDelta::minutes(2));
    assert_eq!(sessions(&second).await[0]["deviceName"], "Chrome on macOS");
}

#[actix_web::test]
async fn a_cookie_with_one_character_changed_opens_nothing() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    let secret = ada.cookie("session").unwrap();
    assert_eq!(secret.len(), 43, "256 random bits in base64url");
    let stranger = app.curl();

    for place in 0..secret.len() {
        let mut altered = secret.clone().into_bytes();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        stranger.set_cookie("session", std::str::from_utf8(&altered).unwrap());
        assert!(!is_signed_in(&stranger).await, "place {place}");
    }
    let id = ada.session_id().await;
    let shapes = [&secret[..42], &format!("{secret}A"), &secret.to_lowercase(), &id, "", "%"];
    for shape in shapes.into_iter().filter(|shape| *shape != secret) {
        stranger.set_cookie("session", shape);
        assert!(!is_signed_in(&stranger).await, "{shape}");
    }
    stranger.set_cookie("session", &secret);
    assert!(is_signed_in(&stranger).await);
}

#[actix_web::test]
async fn the_secret_stands_in_its_cookie_and_nowhere_else_case_43() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let curl = app.curl();
    let entered =
        curl.post_json("/login", json!({ "email": ADA, "password": PASSWORD, "remember": true })).await;
    let secret = curl.cookie("session").unwrap();

    entered.is(200).hides(&secret);
    for visitor in [curl.clone(), in_a_browser(&curl)] {
        for path in ["/me", "/me/sessions", "/me/security", "/metrics", "/nowhere"] {
            let answer = visitor.get(path).await.hides(&secret);
            let headers = format!("{:?}", answer.headers);
            assert!(!headers.contains(&secret), "{path}: {headers}");
        }
    }
    let disk = app.dump_storage().await;
    assert!(disk.contains(ADA), "the disk was read");
    assert!(!disk.contains(&secret));
    assert!(!app.emails_to(ADA).await.iter().any(|email| email.text.contains(&secret)));
}

#[actix_web::test]
async fn the_cookie_is_kept_from_scripts_and_other_sites_and_forgotten_with_the_browser() {
    let app = TestApp::open().await;
    app.verified(ADA).await;

    let answer = app.curl().post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
    let cookie = cookie_of(&answer, "session");
    assert_eq!((cookie.http_only(), cookie.same_site()), (Some(true), Some(SameSite::Lax)));
    assert_eq!((cookie.path(), cookie.domain()), (Some("/"), None));
    assert_eq!((cookie.max_age(), cookie.expires(), cookie.secure()), (None, None, None));

    let remember = json!({ "email": ADA, "password": PASSWORD, "remember": true });
    let answer = app.curl().post_json("/login", remember).await.is(200);
    assert_eq!(cookie_of(&answer, "session").max_age().unwrap().whole_days(), 30);
}

#[actix_web::test]
async fn over_https_the_cookie_is_bound_to_this_host_and_a_planted_plain_one_is_ignored_case_54() {
    let app = TestApp::with(&[("BASE_URL", "https://id.example.com")]).await;
    let ada = app.verified(ADA).await;
    let answer = app.curl().post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);

    let cookie = cookie_of(&answer, "__Host-session");
    assert_eq!((cookie.secure(), cookie.http_only()), (Some(true), Some(true)));
    assert_eq!((cookie.path(), cookie.domain(), cookie.same_site()), (Some("/"), None, Some(SameSite::Lax)));

    let planted = app.curl();
    planted.set_cookie("session", &ada.cookie("__Host-session").unwrap());
    assert!(!is_signed_in(&planted).await, "a neighbour's subdomain can plant this one");
    let eve = app.verified("eve@example.com").await;
    let both = app.curl();
    both.set_cookie("__Host-session", &ada.cookie("__Host-session").unwrap());
    both.set_cookie("session", &eve.cookie("__Host-session").unwrap());
    assert_eq!(both.get("/me").await.is(200).json()["user"]["email"], ADA);

    let browser = in_a_browser(&ada);
    let left = browser.post("/logout", &[]).await.goes_to("/login");
    let removal = cookie_of(&left, "__Host-session");
    assert_eq!((removal.secure(), removal.max_age().unwrap().whole_seconds()), (Some(true), 0));
    let flash = cookie_of(&left, "__Host-state");
    assert_eq!((flash.secure(), flash.http_only(), flash.path()), (Some(true), Some(true), Some("/")));
}

#[actix_web::test]
async fn a_stranger_cannot_choose_their_network_address_case_49() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let liars = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-real-ip", "203.0.113.9"),
        ("forwarded", "for=203.0.113.9"),
        ("cf-connecting-ip", "203.0.113.9"),
    ];
    for (name, value) in liars {
        app.wait(TimeDelta::minutes(1));
        let curl = app.curl().with(name, value);
        curl.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
        let listed = sessions(&curl).await;
        assert!(listed.iter().all(|session| session["ip"] == "127.0.0.1"), "{name}: {listed:?}");
    }
    assert_eq!(app.count("audit WHERE ip = '203.0.113.9'").await, 0);
}

#[actix_web::test]
async fn a_proxy_named_in_the_settings_is_believed_about_its_client_case_49() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")]).await;
    app.verified(ADA).await;
    let chains = [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("2001:db8::7", "2001:db8::7"),
    ];
    for (chain, seen) in chains {
        app.wait(TimeDelta::minutes(1));
        let curl = app.curl().with("x-forwarded-for", chain);
        curl.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
        let listed = sessions(&curl).await;
        let current = listed.iter().find(|session| session["current"] == true).unwrap();
        assert_eq!(current["ip"], seen, "{chain}");
    }
}

/// A person's devices stand side by side in one index: with millions of rows, each row would be a page of its own to read.
#[actix_web::test]
async fn on_sqlite_the_list_comes_from_an_index_and_reads_no_rows() {
    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let owner = Id::from_text(app.texts("SELECT id AS text FROM users").await.remove(0));
    let now = app.clock.now();

    let plan = app.inner.read(move |conn| {
        // PostgreSQL chooses by what is in its tables: here, hardly anything.
        let Conn::Sqlite(_) = conn else { return Ok(None) };
        let (told, asked) = mpsc::channel();
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                told.send(query.to_string()).unwrap();
            }
        });
        list_sessions(conn, &owner, now)?;
        conn.set_instrumentation(|_: InstrumentationEvent<'_>| {});
        let asked: Vec<String> = asked.iter().collect();
        let [query] = asked.as_slice() else { panic!("one query: {asked:?}") };
        let (query, _) = query.split_once(" -- binds").unwrap();
        Ok(Some(diesel::sql_query(format!("EXPLAIN QUERY PLAN {query}")).load::<Step>(conn)?))
    });

    if let Some(plan) = plan.await.unwrap() {
        let steps: Vec<String> = plan.into_iter().map(|step| step.detail).collect();
        assert_eq!(steps, ["SEARCH sessions USING COVERING INDEX sessions_shown (user_id=?)"]);
    }
}
