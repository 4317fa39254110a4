//! Signing up.

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::json;

use crate::harness::{PASSWORD, TestApp, Visitor, visitor::Answer};

/// Signs up with a form, as a browser does.
async fn sign_up(browser: &Visitor, address: &str, name: &str, password: &str) -> Answer {
    browser.post("/signup", &[("name", name), ("email", address), ("password", password)]).await
}

fn account(address: &str, password: &str) -> serde_json::Value {
    json!({ "email": address, "password": password, "name": "Ada" })
}

#[actix_web::test]
async fn a_stranger_signs_up_and_is_signed_in_with_an_unconfirmed_address() {
    let app = TestApp::open().await;
    let curl = app.curl();

    let answer = curl
        .post_json("/signup", json!({ "email": "ada@example.com", "password": PASSWORD, "name": "Ada" }))
        .await;

    let user = &answer.is(201).json()["user"];
    assert_eq!(
        (user["email"].as_str(), user["emailVerified"].as_bool()),
        (Some("ada@example.com"), Some(false))
    );
    assert_eq!(curl.get("/me").await.is(200).json()["user"], *user);
}

#[actix_web::test]
async fn a_browser_that_signs_up_lands_on_its_account_and_is_told_to_look_at_its_mail() {
    let app = TestApp::open().await;
    let browser = app.browser();

    let answer = sign_up(&browser, "ada@example.com", "Ada", PASSWORD).await.goes_to("/me");

    let cookies: Vec<_> = answer.headers.get_all("set-cookie").map(|value| value.to_str().unwrap()).collect();
    let session = cookies.iter().find(|cookie| cookie.starts_with("session=")).unwrap();
    assert!(session.contains("HttpOnly") && session.contains("SameSite=Lax") && session.contains("Path=/"));
    assert!(!session.contains("Max-Age") && !session.contains("Expires"), "{session}");
    let page = browser.get("/me").await.is(200).says("Not confirmed yet");
    page.says("We sent a link to ada@example.com: open it to confirm that the address is yours.");
    browser.get("/me").await.is(200).hides("We sent a link to");
    let [email] = &app.emails_to("ada@example.com").await[..] else { panic!("one letter") };
    assert!(email.text.contains(&format!("{}/verify-email?token=", app.base_url)));
}

#[actix_web::test]
async fn unknown_claimed_and_confirmed_addresses_are_answered_alike() {
    let app = TestApp::open().await;
    app.unverified_user("claimed@example.com").await;
    app.verified("settled@example.com").await;

    let (mut programs, mut browsers) = (Vec::new(), Vec::new());
    for address in ["unknown@example.com", "claimed@example.com", "settled@example.com"] {
        let answer = app.curl().post_json("/signup", account(address, PASSWORD)).await;
        programs.push(answer.is(201).outline(address));
        let answer = sign_up(&app.browser(), address, "Ada", PASSWORD).await;
        browsers.push(answer.goes_to("/me").outline(address));
    }

    for outlines in [programs, browsers] {
        assert_eq!(outlines[0], outlines[1]);
        assert_eq!(outlines[0], outlines[2]);
    }
}

#[actix_web::test]
async fn an_account_that_claims_a_confirmed_address_looks_like_any_other_from_inside() {
    let app = TestApp::open().await;
    app.verified("settled@example.com").await;

    let mut outlines = Vec::new();
    for address in ["unknown@example.com", "settled@example.com"] {
        let browser = app.browser();
        sign_up(&browser, address, "Ada", PASSWORD).await.goes_to("/me");
        let me = browser.clone().with("accept", "application/json").get("/me").await.is(200);
        let id = me.json()["user"]["id"].as_str().unwrap().to_owned();
        let mut seen = me.outline(address);
        for _ in 0..2 {
            seen += &browser.get("/me").await.is(200).outline(address);
            seen += &browser.post("/verify-email/resend", &[]).await.goes_to("/me").outline(address);
        }
        let seen = seen.replace(&id, "ID");
        outlines.push(seen);
    }

    assert_eq!(outlines[0], outlines[1]);
}

#[actix_web::test]
async fn the_owner_of_a_confirmed_address_is_told_at_their_own_spelling_and_nobody_gets_a_link_case_118() {
    let app = TestApp::open().await;
    app.verified("Ada.Lovelace@example.com").await;

    let eve = app.curl();
    let body = json!({ "email": "ada.lovelace@EXAMPLE.com", "password": PASSWORD, "name": "Eve" });
    eve.post_json("/signup", body).await.is(201);
    eve.post_json("/verify-email/resend", json!({})).await.is(200);

    let emails = app.emails_to("Ada.Lovelace@example.com").await;
    assert_eq!(app.catcher.received(), 3);
    assert_eq!(emails.len(), 3);
    for email in &emails[1..] {
        assert_eq!(email.subject, "You already have an account at Vestibule");
        for face in [&email.text, &email.html] {
            assert!(face.contains(&format!("{}/login", app.base_url)));
            assert!(face.contains(&format!("{}/forgot-password", app.base_url)));
            assert!(!face.contains("token=") && !face.contains("verify-email"), "{face}");
            assert!(face.contains("Hello Ada,") && !face.contains("Eve"), "{face}");
        }
    }
}

#[actix_web::test]
async fn a_form_that_is_wrong_comes_back_with_what_was_typed_but_never_the_password() {
    let app = TestApp::open().await;
    let browser = app.browser();

    let page = sign_up(&browser, "ada at example.com", "Ada \"the\" Countess", "hunter2").await.is(422);

    let page = page.says("value=\"ada at example.com\"").says("Ada &#34;the&#34; Countess").hides("hunter2");
    let page = page.says("Use at least 8 characters.").says("The address contains a space");
    page.says("aria-invalid=\"true\"")
        .says("href=\"#email\"")
        .says("href=\"#password\"")
        .hides("href=\"#name\"");
    assert_eq!(browser.cookie("session"), None);
    assert_eq!(app.count("users").await, 0);
}

#[actix_web::test]
async fn a_program_learns_which_fields_are_wrong() {
    let app = TestApp::open().await;
    let curl = app.curl();

    let body = json!({ "email": "ada", "password": "hunter2", "name": " " });
    let refusal = curl.post_json("/signup", body).await.refuses(422, "invalid").hides("hunter2").json();

    let fields = refusal["fields"].as_object().unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["email", "name", "password"]);
    assert_eq!(fields["email"], "Enter an email address like name@example.com.");
    assert_eq!(fields["password"], "Use at least 8 characters.");

    let refusal = curl.post_json("/signup", json!({})).await.refuses(422, "invalid").json();
    assert_eq!(refusal["fields"].as_object().unwrap().len(), 3);
}

#[actix_web::test]
async fn pass12345_is_good_enough_and_the_commonest_are_not() {
    let app = TestApp::open().await;

    app.curl().post_json("/signup", account("ada@example.com", "pass12345")).await.is(201);

    for common in [
        "password",
        "12345678",
        "password1",
        "qwertyuiop",
        "iloveyou",
        "summer2023",
        "Winter2024!",
        "PASSWORD",
    ] {
        let refusal = app.curl().post_json("/signup", account("ben@example.com", common)).await;
        let fields = refusal.refuses(422, "invalid").json()["fields"].clone();
        let says = fields["password"].as_str().unwrap_or_default();
        assert!(says.contains("too common and easy to guess"), "{common}: {fields}");
    }
}

#[actix_web::test]
async fn a_password_that_is_mostly_the_address_or_the_house_is_refused() {
    let app = TestApp::open().await;
    for near in ["adalovelace", "ada.lovelace@example.com", "vestibule"] {
        let body = account("ada.lovelace@example.com", near);
        let refusal = app.curl().post_json("/signup", body).await.refuses(422, "invalid");
        assert!(refusal.json()["fields"]["password"].is_string(), "{near}");
    }
}

#[actix_web::test]
async fn a_password_has_8_to_256_characters_of_any_alphabet() {
    let app = TestApp::open().await;
    let long: String = "Übergrößenträger žluťoučký kůň ".chars().cycle().take(257).collect();
    let longest: String = long.chars().take(256).collect();

    app.curl().post_json("/signup", account("ada@example.com", &longest)).await.is(201);
    app.curl().post_json("/login", json!({ "email": "ada@example.com", "password": longest })).await.is(200);
    app.curl().post_json("/signup", account("ben@example.com", "žlutý ků")).await.is(201);

    for (wrong, says) in
        [(long.as_str(), "Use at most 256 characters."), ("žlutý k", "Use at least 8 characters.")]
    {
        let refusal = app.curl().post_json("/signup", account("cleo@example.com", wrong)).await;
        assert_eq!(refusal.refuses(422, "invalid").json()["fields"]["password"], says);
    }
}

#[actix_web::test]
async fn nothing_of_a_password_is_cut_at_72_bytes_or_at_nul_case_36() {
    let app = TestApp::open().await;
    let start = "a".repeat(40) + &"wjx7".repeat(8);
    for (address, whole, part, other) in [
        ("long@example.com", format!("{start} one ending"), start.clone(), format!("{start} two ending")),
        ("nul@example.com", "before\0after and more".into(), "before".into(), "before\0another".into()),
    ] {
        app.curl().post_json("/signup", account(address, &whole)).await.is(201);
        for wrong in [&part, &other] {
            let offer = json!({ "email": address, "password": wrong });
            app.curl().post_json("/login", offer).await.refuses(401, "wrong_credentials");
        }
        app.curl().post_json("/login", json!({ "email": address, "password": whole })).await.is(200);
    }
}

#[actix_web::test]
async fn a_password_is_composed_and_never_trimmed_case_121() {
    let app = TestApp::open().await;
    let typed = "  cafe\u{301} on the corner ";

    app.curl().post_json("/signup", account("ada@example.com", typed)).await.is(201);

    let offer = async |password: &str| {
        app.curl().post_json("/login", json!({ "email": "ada@example.com", "password": password })).await
    };
    offer("  caf\u{e9} on the corner ").await.is(200);
    offer("caf\u{e9} on the corner").await.refuses(401, "wrong_credentials");
}

#[actix_web::test]
async fn a_name_is_an_attackers_text_on_every_page_and_in_every_email_case_122() {
    let app = TestApp::open().await;
    for (number, name) in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "You won at evil.example",
        "{{ 7 * 7 }}</bdi>",
    ]
    .into_iter()
    .enumerate()
    {
        let (address, browser) = (format!("victim{number}@example.com"), app.browser());
        sign_up(&browser, &address, name, PASSWORD).await.goes_to("/me");

        let page = browser.get("/me").await.is(200);
        page.hides("<script>alert").hides("<img src=x").hides("7 }}</bdi>");
        let page = browser.get("/me").await.is(200);
        let token = app.token_for(&address).await;
        let seen = app.browser().get(&format!("/verify-email?token={token}")).await.is(200);
        for page in [page, seen] {
            page.hides("<script>alert").hides("<img src=x").hides("7 }}</bdi>");
        }
        let emails = app.emails_to(&address).await;
        for face in [&emails[0].text, &emails[0].html] {
            assert!(face.contains("Hello,") && !face.contains("evil.example"), "{face}");
            assert!(!face.contains("alert(1)") && !face.contains("7 * 7") || name.starts_with('{'), "{face}");
        }
    }
}

#[actix_web::test]
async fn a_name_is_one_line_of_at_most_80_characters_case_122() {
    let app = TestApp::open().await;
    let with = |name: String| json!({ "email": "ada@example.com", "password": PASSWORD, "name": name });

    for wrong in ["é".repeat(81), "Ada\nBcc: eve@example.com".into(), "Ada\0".into(), "\u{a0} \t".into()] {
        let refusal = app.curl().post_json("/signup", with(wrong)).await.refuses(422, "invalid");
        assert!(refusal.json()["fields"]["name"].is_string());
    }
    let made = app.curl().post_json("/signup", with(format!(" {} ", "é".repeat(80)))).await.is(201);
    assert_eq!(made.json()["user"]["name"], "é".repeat(80));
}

#[actix_web::test]
async fn nobody_signs_up_as_more_than_they_are() {
    let app = TestApp::open().await;
    let mut body = account("ada@example.com", PASSWORD);
    for (field, value) in [
        ("id", json!("chosen")),
        ("emailVerified", json!(true)),
        ("email_verified_at", json!("2026-01-01T00:00:00Z")),
        ("createdAt", json!("1999-01-01T00:00:00Z")),
        ("password_hash", json!("x")),
        ("role", json!("owner")),
    ] {
        body[field] = value;
    }

    let user = app.curl().post_json("/signup", body).await.is(201).json()["user"].clone();

    assert_ne!(user["id"], "chosen");
    assert_eq!((&user["emailVerified"], &user["createdAt"]), (&json!(false), &json!("2026-11-21T14:05:00Z")));
    assert_eq!(user.as_object().unwrap().len(), 5, "{user}");
    assert_eq!(app.count("users WHERE email_verified_at IS NOT NULL").await, 0);
}

#[actix_web::test]
async fn a_field_that_comes_twice_is_refused_in_both_spellings() {
    let app = TestApp::open().await;
    let json =
        r#"{"email":"ada@example.com","name":"Ada","password":"correct horse","email":"eve@example.com"}"#;
    let form = "email=ada%40example.com&name=Ada&password=correct+horse&email=eve%40example.com";
    for (kind, body) in [("application/json", json), ("application/x-www-form-urlencoded", form)] {
        let answer = app.curl().send(Method::POST, "/signup", Some((kind, body.to_owned()))).await;
        answer.refuses(400, "malformed");
    }
    assert_eq!(app.count("users").await, 0);
}

#[actix_web::test]
async fn a_form_that_is_not_unicode_is_refused_and_nothing_in_it_is_replaced_case_119() {
    let app = TestApp::open().await;
    let form = async |body: &str| {
        let body = Some(("application/x-www-form-urlencoded", body.to_owned()));
        app.curl().send(Method::POST, "/signup", body).await
    };
    for wrong in [
        "name=Ada&email=ada%40example.com&password=correct+horse+%FF",
        "name=Ada&email=%C3&password=correct+horse+battery",
        "name=A%ed%a0%80&email=ada%40example.com&password=correct+horse+battery",
    ] {
        form(wrong).await.refuses(400, "malformed");
    }
    assert_eq!(app.count("users").await, 0);

    form("name=%E7%94%A8%E6%88%B7&email=ada%40example.com&password=100%+horse%2&other=%zz").await.is(201);
    let offer = json!({ "email": "ada@example.com", "password": "100% horse%2" });
    app.curl().post_json("/login", offer).await.is(200);
}

#[actix_web::test]
async fn whoever_signs_up_goes_on_to_a_path_here_and_nowhere_else_case_51() {
    let app = TestApp::open().await;
    let browser = app.browser();
    browser.get("/signup?next=/me/security").await.is(200).says("value=\"/me/security\"");

    for (number, (next, lands_on)) in [
        ("/me/security", "/me/security"),
        ("//evil.example", "/me"),
        ("/\\evil.example", "/me"),
        ("https://evil.example/", "/me"),
        ("/\t/evil.example", "/me"),
        ("/%0d%0aSet-Cookie:x=y\r\nX: y", "/me"),
        ("javascript:alert(1)", "/me"),
        ("evil.example", "/me"),
    ]
    .into_iter()
    .enumerate()
    {
        let query = serde_urlencoded::to_string([("next", next)]).unwrap();
        if lands_on == "/me" {
            app.browser().get(&format!("/signup?{query}")).await.is(200).hides("name=\"next\"");
        }
        let address = format!("ada{number}@example.com");
        let fields = [("name", "Ada"), ("email", &address), ("password", PASSWORD), ("next", next)];
        app.browser().post("/signup", &fields).await.goes_to(lands_on);
    }
}

#[actix_web::test]
async fn signing_up_again_while_signed_in_ends_the_session_that_was_held_case_33() {
    let app = TestApp::open().await;
    let browser = app.browser();
    sign_up(&browser, "ada@example.com", "Ada", PASSWORD).await.goes_to("/me");
    let held = browser.cookie("session").unwrap();

    browser.get("/signup").await.goes_to("/me");
    sign_up(&browser, "ben@example.com", "Ben", PASSWORD).await.goes_to("/me");

    browser.get("/me").await.is(200).says("ben@example.com").hides("ada@example.com");
    let thief = app.curl();
    thief.set_cookie("session", &held);
    thief.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(app.count("users").await, 2);
}

#[actix_web::test]
async fn links_start_with_our_own_address_whatever_host_the_request_names_case_16() {
    let app = TestApp::open().await;
    let eve = app.curl().with("host", "evil.example").with("x-forwarded-host", "evil.example");
    let eve = eve.with("forwarded", "host=evil.example").with("x-forwarded-proto", "https");

    eve.post_json("/signup", account("ada@example.com", PASSWORD)).await.is(201);
    eve.post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);

    let emails = app.emails_to("ada@example.com").await;
    assert_eq!(emails.len(), 2);
    for email in emails {
        assert!(!email.text.contains("evil.example") && !email.html.contains("evil.example"));
        assert!(email.text.contains(&format!("\n{}/", app.base_url).replace('\n', "\r\n")));
    }
}

#[actix_web::test]
async fn what_cannot_be_an_address_is_refused_case_119() {
    let app = TestApp::open().await;
    let long = format!("{}@example.com", "a".repeat(65));
    for wrong in [
        "",
        "ada",
        "ada@",
        "@example.com",
        "a@b@example.com",
        "ada@example",
        "ada@127.0.0.1",
        "ada.@example.com",
        "ada@exa mple.com",
        "ada\0@example.com",
        "ada\u{200b}@example.com",
        "ada@example.com\r\nBcc: eve@example.com",
        "<ada@example.com>",
        &long,
    ] {
        let refusal = app.curl().post_json("/signup", account(wrong, PASSWORD)).await.refuses(422, "invalid");
        assert!(refusal.json()["fields"]["email"].is_string(), "{wrong:?}");
    }
    app.send_emails().await;
    assert_eq!((app.count("users").await, app.catcher.received()), (0, 0));
}

#[actix_web::test]
async fn the_address_is_kept_as_it_was_written_but_composed_case_119() {
    let app = TestApp::open().await;
    let made = app.curl().post_json("/signup", account(" Jose\u{301}@B\u{fc}cher.Example ", PASSWORD)).await;
    assert_eq!(made.is(201).json()["user"]["email"], "Jos\u{e9}@B\u{fc}cher.Example");
}

#[actix_web::test]
async fn a_name_with_a_tag_is_another_address_case_120() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;

    app.verified("ada+notes@example.com").await;

    assert_eq!(app.emails_to("ada@example.com").await.len(), 1);
    assert_eq!(app.count("users WHERE email_verified_at IS NOT NULL").await, 2);
}

#[actix_web::test]
async fn a_session_from_signing_up_ends_when_it_is_not_used() {
    let app = TestApp::open().await;
    let ada = app.unverified_user("ada@example.com").await;

    app.wait(TimeDelta::minutes(29));
    ada.get("/me").await.is(200);
    app.wait(TimeDelta::minutes(31));

    ada.get("/me").await.refuses(401, "sign_in_required");
}
