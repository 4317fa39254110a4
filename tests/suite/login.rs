//! Signing in with a password.

use chrono::TimeDelta;
use futures_util::future;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp, Visitor, visitor::Answer};

async fn sign_in(visitor: &Visitor, address: &str, password: &str) -> Answer {
    visitor.post_json("/login", json!({ "email": address, "password": password })).await
}

/// Somebody claims an address with a password of their own, a minute after whoever came before.
async fn claim(app: &TestApp, address: &str, password: &str) -> Value {
    app.wait(TimeDelta::minutes(1));
    let body = json!({ "email": address, "password": password, "name": "Ada" });
    app.curl().post_json("/signup", body).await.is(201).json()["user"]["id"].clone()
}

/// The session cookie of an answer, attributes and all.
fn session_cookie(answer: &Answer) -> String {
    let mut cookies = answer.headers.get_all("set-cookie").map(|value| value.to_str().unwrap());
    cookies.find(|cookie| cookie.starts_with("session=")).unwrap().to_owned()
}

#[actix_web::test]
async fn a_person_signs_in_in_both_faces() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;

    let curl = app.curl();
    let user = sign_in(&curl, "ada@example.com", PASSWORD).await.is(200).json()["user"].clone();
    assert_eq!((&user["email"], &user["emailVerified"]), (&json!("ada@example.com"), &json!(true)));
    assert_eq!(curl.get("/me").await.is(200).json()["user"], user);

    let browser = app.browser();
    let fields = [("email", "ada@example.com"), ("password", PASSWORD)];
    browser.post("/login", &fields).await.goes_to("/me");
    browser.get("/me").await.is(200).says("ada@example.com");
    browser.get("/login").await.goes_to("/me");
}

#[actix_web::test]
async fn wrong_unknown_and_claimed_are_answered_alike_case_35() {
    let app = TestApp::open().await;
    app.verified("settled@example.com").await;
    app.unverified_user("claimed@example.com").await;

    let (mut programs, mut browsers) = (Vec::new(), Vec::new());
    for address in
        ["settled@example.com", "claimed@example.com", "unknown@example.com", "rubbish@no..where.x"]
    {
        let answer = sign_in(&app.curl(), address, "somebody else's").await;
        programs.push(answer.refuses(401, "wrong_credentials").outline(address));
        let fields = [("email", address), ("password", "somebody else's")];
        let page = app.browser().post("/login", &fields).await.is(401).hides("somebody else");
        browsers.push(page.says(&format!("value=\"{address}\"")).outline(address));
    }

    for outlines in [programs, browsers] {
        assert!(outlines.iter().all(|outline| *outline == outlines[0]), "{outlines:#?}");
    }
}

#[actix_web::test]
async fn an_empty_form_says_what_is_missing() {
    let app = TestApp::open().await;
    let fields =
        app.curl().post_json("/login", json!({})).await.refuses(422, "invalid").json()["fields"].clone();
    assert_eq!(fields.as_object().unwrap().keys().collect::<Vec<_>>(), ["email", "password"]);

    let form = [("email", "ada@example.com"), ("password", ""), ("remember", "true")];
    let page = app.browser().post("/login", &form).await.is(422).says("Enter your password.");
    page.says("value=\"ada@example.com\"").says(" checked>");
}

#[actix_web::test]
async fn the_confirmed_account_comes_first_then_the_newest_and_the_oldest_claim() {
    let app = TestApp::open().await;
    let owner = app.verified("ada@example.com").await.get("/me").await.json()["user"]["id"].clone();
    let oldest = claim(&app, "ada@example.com", "the oldest claimant").await;
    claim(&app, "ada@example.com", "the older claimant").await;
    let newest = claim(&app, "Ada@example.com", "the newest claimant").await;

    let who = async |password: &str| {
        sign_in(&app.curl(), "ADA@example.com", password).await.is(200).json()["user"]["id"].clone()
    };
    assert_eq!(who(PASSWORD).await, owner);
    assert_eq!(who("the newest claimant").await, newest);
    assert_eq!(who("the oldest claimant").await, oldest);
    sign_in(&app.curl(), "ada@example.com", "the older claimant").await.refuses(401, "wrong_credentials");
}

#[actix_web::test]
async fn later_claims_never_keep_the_first_one_out() {
    let app = TestApp::open().await;
    let oldest = claim(&app, "ada@example.com", "the oldest claimant").await;
    claim(&app, "ada@example.com", "the older claimant").await;
    let newest = claim(&app, "ada@example.com", "the newest claimant").await;

    for (password, unverified) in [("the newest claimant", newest), ("the oldest claimant", oldest)] {
        let told = sign_in(&app.curl(), "ada@example.com", password).await.is(200).json();
        assert_eq!(told["user"]["id"], unverified);
    }
    sign_in(&app.curl(), "ada@example.com", "the older claimant").await.refuses(401, "wrong_credentials");
}

#[actix_web::test]
async fn a_unverified_user_who_knows_the_owners_password_is_the_owner() {
    let app = TestApp::open().await;
    let owner = app.verified("ada@example.com").await.get("/me").await.json()["user"]["id"].clone();
    claim(&app, "ada@example.com", PASSWORD).await;

    let user = sign_in(&app.curl(), "ada@example.com", PASSWORD).await.is(200).json()["user"].clone();

    assert_eq!(user["id"], owner);
}

#[actix_web::test]
async fn any_spelling_of_an_address_signs_in_case_117() {
    let app = TestApp::open().await;
    for (stored, typed) in [
        ("Ada@Example.com", "ADA@EXAMPLE.COM"),
        ("\u{c9}lodie@example.com", "e\u{301}LODIE@example.com"),
        ("\u{416}enya@example.com", "\u{436}ENYA@example.com"),
        ("stra\u{df}e@example.com", "STRASSE@example.com"),
    ] {
        app.unverified_user(stored).await;
        let user = sign_in(&app.curl(), typed, PASSWORD).await.is(200).json()["user"].clone();
        assert_eq!(user["email"], stored);
    }
}

#[actix_web::test]
async fn any_spelling_of_a_domain_signs_in_case_119() {
    let app = TestApp::open().await;
    app.unverified_user("ada@B\u{fc}cher.example").await;
    for typed in ["ada@xn--bcher-kva.example", "ada@B\u{dc}CHER.example", "ada@bu\u{308}cher\u{3002}example"]
    {
        sign_in(&app.curl(), typed, PASSWORD).await.is(200);
    }
    sign_in(&app.curl(), "ada@bucher.example", PASSWORD).await.refuses(401, "wrong_credentials");
}

#[actix_web::test]
async fn a_tag_or_a_dot_is_part_of_the_address_case_120() {
    let app = TestApp::open().await;
    app.verified("ada.lovelace@example.com").await;
    for other in ["ada.lovelace+notes@example.com", "adalovelace@example.com"] {
        sign_in(&app.curl(), other, PASSWORD).await.refuses(401, "wrong_credentials");
    }
}

#[actix_web::test]
async fn a_remembered_device_stays_for_thirty_days_if_it_is_used() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let (laptop, phone) = (app.browser(), app.curl());

    let form = [("email", "ada@example.com"), ("password", PASSWORD), ("remember", "true")];
    let cookie = session_cookie(&laptop.post("/login", &form).await.goes_to("/me"));
    let body = json!({ "email": "ada@example.com", "password": PASSWORD, "remember": true });
    let same = session_cookie(&phone.post_json("/login", body).await.is(200));

    for cookie in [cookie, same] {
        assert!(cookie.contains("; Max-Age=2592000"), "{cookie}");
        assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"), "{cookie}");
    }
    for _ in 0..2 {
        app.wait(TimeDelta::days(13));
        laptop.get("/me").await.is(200);
    }
    phone.get("/me").await.refuses(401, "sign_in_required");
    app.wait(TimeDelta::days(4) - TimeDelta::seconds(1));
    laptop.get("/me").await.is(200);
    app.wait(TimeDelta::seconds(1));
    laptop.get("/me").await.goes_to("/login?next=%2Fme");
}

#[actix_web::test]
async fn a_device_that_is_not_remembered_is_out_after_half_an_hour_unused_or_a_day() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let (idle, busy) = (app.curl(), app.curl());

    let cookie = session_cookie(&sign_in(&idle, "ada@example.com", PASSWORD).await.is(200));
    assert!(!cookie.contains("Max-Age") && !cookie.contains("Expires"), "{cookie}");
    let body = json!({ "email": "ada@example.com", "password": PASSWORD, "remember": false });
    let cookie = session_cookie(&busy.post_json("/login", body).await.is(200));
    assert!(!cookie.contains("Max-Age"), "{cookie}");

    for _ in 0..49 {
        app.wait(TimeDelta::minutes(29));
        busy.get("/me").await.is(200);
    }
    idle.get("/me").await.refuses(401, "sign_in_required");
    app.wait(TimeDelta::minutes(19));
    busy.get("/me").await.refuses(401, "sign_in_required");
}

#[actix_web::test]
async fn over_https_the_cookie_is_secure_and_bound_to_this_host() {
    let app = TestApp::with(&[("BASE_URL", "https://id.example.com")]).await;
    app.verified("ada@example.com").await;
    let browser = app.curl();

    let answer = sign_in(&browser, "ada@example.com", PASSWORD).await.is(200);

    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-session=") && cookie.contains("; Secure"), "{cookie}");
    assert!(cookie.contains("; Path=/") && !cookie.contains("Domain"), "{cookie}");
    browser.get("/me").await.is(200);
    let plain = app.curl();
    plain.set_cookie("session", &browser.cookie("__Host-session").unwrap());
    plain.get("/me").await.refuses(401, "sign_in_required");
}

#[actix_web::test]
async fn signing_in_again_brings_a_new_secret_and_ends_the_old_session_case_37() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let browser = app.curl();
    sign_in(&browser, "ada@example.com", PASSWORD).await.is(200);
    let (held, id) = (browser.cookie("session").unwrap(), browser.session_id().await);

    sign_in(&browser, "ada@example.com", PASSWORD).await.is(200);

    assert_ne!(browser.cookie("session").unwrap(), held);
    assert_ne!(browser.session_id().await, id);
    let thief = app.curl();
    thief.set_cookie("session", &held);
    thief.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(app.count("sessions").await, 2);
}

#[actix_web::test]
async fn a_planted_secret_is_never_adopted_case_37() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let victim = app.curl();
    let planted = "A".repeat(43);
    victim.set_cookie("session", &planted);

    sign_in(&victim, "ada@example.com", PASSWORD).await.is(200);

    assert_ne!(victim.cookie("session").unwrap(), planted);
    let eve = app.curl();
    eve.set_cookie("session", &planted);
    eve.get("/me").await.refuses(401, "sign_in_required");
}

#[actix_web::test]
async fn a_failed_sign_in_leaves_the_session_that_is_held_alone() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;

    sign_in(&ada, "ada@example.com", "not this one, sorry").await.refuses(401, "wrong_credentials");

    ada.get("/me").await.is(200);
}

#[actix_web::test]
async fn whoever_was_sent_to_sign_in_comes_back_to_where_they_were_and_nowhere_else_case_51() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let browser = app.browser();

    let asked = browser.get("/me/sessions?page=2").await.is(303).header("location").to_owned();
    assert_eq!(asked, "/login?next=%2Fme%2Fsessions%3Fpage%3D2");
    browser.get(&asked).await.is(200).says("name=\"next\" value=\"/me/sessions?page=2\"");

    let long = format!("/{}", "x".repeat(9_000));
    for (next, lands_on) in [
        ("/me/sessions?page=2", "/me/sessions?page=2"),
        ("//evil.example", "/me"),
        ("/\\evil.example", "/me"),
        ("\\\\evil.example", "/me"),
        ("https://evil.example/", "/me"),
        ("/\n/evil.example", "/me"),
        ("javascript:alert(1)", "/me"),
        (&long, "/me"),
    ] {
        let query = serde_urlencoded::to_string([("next", next)]).unwrap();
        if lands_on == "/me" {
            app.browser().get(&format!("/login?{query}")).await.is(200).hides("name=\"next\"");
        }
        let browser = app.browser();
        let form = [("email", "ada@example.com"), ("password", PASSWORD), ("next", next)];
        browser.post("/login", &form).await.goes_to(lands_on);
        browser.get(&format!("/login?{query}")).await.goes_to(lands_on);
    }
}

#[actix_web::test]
async fn a_weak_hash_is_made_again_at_the_next_sign_in() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let node = app.second_node_with(&[("BCRYPT_COST", "5")]).await;
    let (weak, strong) =
        ("users WHERE password_hash LIKE '%$04$%'", "users WHERE password_hash LIKE '%$05$%'");

    sign_in(&node.curl(), "ada@example.com", "not this one, sorry").await.refuses(401, "wrong_credentials");
    assert_eq!((app.count(weak).await, app.count(strong).await), (1, 0));

    for _ in 0..2 {
        sign_in(&node.curl(), "ada@example.com", PASSWORD).await.is(200);
        assert_eq!((app.count(weak).await, app.count(strong).await), (0, 1));
    }
    assert_eq!(app.count("audit WHERE event = 'password_rehashed'").await, 1);
}

#[actix_web::test]
async fn who_would_have_to_wait_for_long_is_told_so_at_once() {
    let app = TestApp::with(&[("BCRYPT_COST", "12"), ("HASH_THREADS", "1")]).await;
    // From now on it is known how long one takes.
    sign_in(&app.curl(), "ada@example.com", PASSWORD).await.refuses(401, "wrong_credentials");
    let tries = (0..120).map(|number| {
        let visitor = app.curl();
        Box::pin(async move {
            let answer = sign_in(&visitor, &format!("n{number}@example.com"), PASSWORD).await;
            if answer.status == 503 { Ok(answer) } else { Err(answer.status) }
        })
    });

    let (answer, _) = future::select_ok(tries).await.unwrap();

    let refused = answer.refuses(503, "busy");
    assert_eq!(refused.header("retry-after"), "5");
    assert!(refused.body.contains("Please try again in a few seconds."), "{}", refused.body);
}

#[actix_web::test]
async fn who_signed_up_under_an_older_key_still_signs_in_and_moves_to_the_new_one_case_124() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let old = app.settings["SECRET_KEY"].clone();
    let new = "another key, which took the place of the first";
    let both = app.second_node_with(&[("SECRET_KEY", new), ("SECRET_KEY_PREVIOUS", &old)]).await;
    let only = both.second_node_with(&[("SECRET_KEY_PREVIOUS", "")]).await;

    sign_in(&only.curl(), "ada@example.com", PASSWORD).await.refuses(401, "wrong_credentials");
    sign_in(&both.curl(), "ada@example.com", PASSWORD).await.is(200);

    sign_in(&only.curl(), "ada@example.com", PASSWORD).await.is(200);
}

#[actix_web::test]
async fn an_account_without_a_password_is_opened_by_none_case_34() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    app.db_execute("UPDATE users SET password_hash = NULL").await;

    for offer in [PASSWORD, " ", "null", "\0"] {
        sign_in(&app.curl(), "ada@example.com", offer).await.refuses(401, "wrong_credentials");
    }
    sign_in(&app.curl(), "ada@example.com", "").await.refuses(422, "invalid");
}

#[actix_web::test]
async fn an_endless_password_is_wrong_and_costs_nothing_more_case_36() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    for endless in ["x".repeat(257), "é".repeat(20_000), format!("{PASSWORD}{}", "\0".repeat(300))] {
        sign_in(&app.curl(), "ada@example.com", &endless).await.refuses(401, "wrong_credentials");
    }
    sign_in(&app.curl(), "ada@example.com", &"x".repeat(70_000)).await.refuses(413, "too_large");
}

/// What a pasted address brings along that nobody sees.
#[actix_web::test]
async fn an_address_is_found_among_what_is_invisible_around_it() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    for typed in
        ["\u{200b}ada@example.com", "\u{202a}ada@example.com\u{202c}", "\u{feff}ada@example.com\u{200f} "]
    {
        let form = json!({ "email": typed, "password": PASSWORD });
        app.curl().post_json("/login", form).await.is(200);
    }
}
