//! Proving an address: it belongs to whoever confirms it first.

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::json;

use crate::harness::{Answer, PASSWORD, TestApp, Visitor};

const CONFIRMED: &str = "users WHERE email_verified_at IS NOT NULL";

/// Somebody with a browser signs up; the address is a claim.
async fn unverified_user_in_a_browser(app: &TestApp, address: &str) -> Visitor {
    let browser = app.browser();
    browser
        .post("/signup", &[("name", "Ada"), ("email", address), ("password", PASSWORD)])
        .await
        .goes_to("/me");
    browser
}

/// Somebody claims an address with a password of their own, a minute after whoever came before.
async fn unverified_user_with(app: &TestApp, address: &str, password: &str) -> Visitor {
    app.wait(TimeDelta::minutes(1));
    let curl = app.curl();
    let body = json!({ "email": address, "password": password, "name": "Ada" });
    curl.post_json("/signup", body).await.is(201);
    curl
}

/// Presses the button of the page behind a link.
async fn presses(browser: &Visitor, token: &str) -> Answer {
    browser.post(&link(token), &[("token", token)]).await
}

fn link(token: &str) -> String {
    format!("/verify-email?token={token}")
}

#[actix_web::test]
async fn the_browser_that_made_the_account_confirms_with_a_button() {
    let app = TestApp::open().await;
    let browser = unverified_user_in_a_browser(&app, "ada@example.com").await;
    let token = app.token_for("ada@example.com").await;

    let page = browser.get(&link(&token)).await.is(200);
    page.says("Confirm email address").hides("type=\"password\"");
    assert_eq!(app.count(CONFIRMED).await, 0);
    presses(&browser, &token).await.goes_to("/me");

    let page = browser.get("/me").await.is(200);
    page.says("Your address is confirmed.").hides("Not confirmed yet").says("Confirmed");
}

#[actix_web::test]
async fn looking_ahead_confirms_nothing_case_03() {
    let app = TestApp::open().await;
    let browser = unverified_user_in_a_browser(&app, "ada@example.com").await;
    let token = app.token_for("ada@example.com").await;

    browser.head(&link(&token)).await.is(200);
    for (header, value) in
        [("sec-purpose", "prefetch"), ("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch")]
    {
        browser.clone().with(header, value).get(&link(&token)).await.is(200).says("Confirm email address");
        app.curl().with(header, value).get(&link(&token)).await.refuses(405, "confirm_by_post");
    }
    app.curl().head(&link(&token)).await.is(405);
    assert_eq!(app.count(CONFIRMED).await, 0);

    presses(&browser, &token).await.goes_to("/me");
    assert_eq!(app.count(CONFIRMED).await, 1);
}

#[actix_web::test]
async fn another_browser_is_shown_what_it_would_confirm_and_nothing_happens_case_01() {
    let app = TestApp::open().await;
    unverified_user_in_a_browser(&app, "Ada@example.com").await;
    let token = app.token_for("Ada@example.com").await;
    app.wait(TimeDelta::minutes(7));

    let scanner = app.browser().named("A scanner that follows links");
    let page = scanner.get(&link(&token)).await.is(200);

    let page = page
        .says("Ada@example.com")
        .says("7 minutes ago")
        .says("21 November 2026, 14:05 UTC")
        .says("Firefox on Linux");
    let page = page.says("Password").says("I didn't create this account");
    page.says("action=\"/verify-email\"").says(&format!("name=\"token\" value=\"{token}\""));
    assert_eq!((scanner.cookie("session"), app.count(CONFIRMED).await), (None, 0));
}

#[actix_web::test]
async fn the_same_browser_is_asked_for_the_password_once_its_session_has_ended() {
    let app = TestApp::open().await;
    let browser = unverified_user_in_a_browser(&app, "ada@example.com").await;
    let token = app.token_for("ada@example.com").await;
    app.wait(TimeDelta::minutes(31));

    browser.get(&link(&token)).await.is(200).says("Password");

    browser.post("/verify-email", &[("token", &token), ("password", PASSWORD)]).await.goes_to("/me");
    browser.get("/me").await.is(200).hides("Not confirmed yet");
}

#[actix_web::test]
async fn a_scanner_that_presses_the_button_confirms_nothing_case_02() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    let token = app.token_for("ada@example.com").await;

    let scanner = app.browser();
    scanner.get(&link(&token)).await.is(200);
    let refused = scanner.post("/verify-email", &[("token", &token), ("password", "")]).await.is(422);

    refused.says("Enter the password of this account.");
    assert_eq!((scanner.cookie("session"), app.count(CONFIRMED).await), (None, 0));
}

#[actix_web::test]
async fn another_browser_confirms_and_signs_in_with_the_accounts_password_case_13() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    let token = app.token_for("ada@example.com").await;
    let phone = app.browser();

    let wrong = [("token", token.as_str()), ("password", "a tired recipient's own")];
    let page = phone.post("/verify-email", &wrong).await.is(422).hides("a tired recipient");
    page.says("That is not the password of this account.").says(&token).says("I didn't create this account");
    assert_eq!((phone.cookie("session"), app.count(CONFIRMED).await), (None, 0));

    let right = [("token", token.as_str()), ("password", PASSWORD)];
    phone.post("/verify-email", &right).await.goes_to("/me");
    let page = phone.get("/me").await.is(200).hides("Not confirmed yet");
    page.says("Your address is confirmed, and you are signed in.");
}

#[actix_web::test]
async fn a_blocked_password_confirms_nothing_behind_the_link() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    let token = app.token_for("ada@example.com").await;
    app.db_execute("UPDATE users SET password_blocked_at = created_at").await;
    let phone = app.browser();

    let right = [("token", token.as_str()), ("password", PASSWORD)];
    let page = phone.post("/verify-email", &right).await.is(422);

    page.says("That is not the password of this account.");
    assert_eq!((phone.cookie("session"), app.count(CONFIRMED).await), (None, 0));
}

#[actix_web::test]
async fn a_browser_signed_in_as_somebody_else_is_told_and_swaps_only_with_the_password_case_13() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    let token = app.token_for("ada@example.com").await;
    let ben = unverified_user_in_a_browser(&app, "ben@example.com").await;
    let bens = ben.cookie("session").unwrap();

    ben.get(&link(&token)).await.is(200).says("This browser is signed in as <bdi>ben@example.com</bdi>");
    ben.post("/verify-email", &[("token", &token)])
        .await
        .is(422)
        .says("signed in as <bdi>ben@example.com</bdi>");
    ben.get("/me").await.is(200).says("ben@example.com").hides("ada@example.com");
    assert_eq!((ben.cookie("session"), app.count(CONFIRMED).await), (Some(bens.clone()), 0));

    ben.post("/verify-email", &[("token", &token), ("password", PASSWORD)]).await.goes_to("/me");
    ben.get("/me").await.is(200).says("ada@example.com").hides("ben@example.com");
    let left_behind = app.curl();
    left_behind.set_cookie("session", &bens);
    left_behind.get("/me").await.refuses(401, "sign_in_required");
}

#[actix_web::test]
async fn i_did_not_make_this_account_ends_the_claim_and_whoever_uses_it() {
    let app = TestApp::open().await;
    for face in ["page", "program"] {
        let eve = app.unverified_user("ada@example.com").await;
        let token = app.token_for("ada@example.com").await;

        match face {
            "page" => {
                app.browser().post("/verify-email/disown", &[("token", &token)]).await.goes_to("/login")
            }
            _ => app.curl().post_json("/verify-email/disown", json!({ "token": token })).await.is(200),
        };

        eve.get("/me").await.refuses(401, "sign_in_required");
        let offer = json!({ "email": "ada@example.com", "password": PASSWORD });
        app.curl().post_json("/login", offer).await.refuses(401, "wrong_credentials");
        app.curl().post_json("/verify-email", json!({ "token": token })).await.refuses(422, "dead_link");
        app.curl()
            .post_json("/verify-email/disown", json!({ "token": token }))
            .await
            .refuses(422, "dead_link");
        assert_eq!((app.count("users").await, app.count("sessions").await), (0, 0));
    }
}

#[actix_web::test]
async fn a_confirmed_account_cannot_be_disowned() {
    let app = TestApp::open().await;
    let ada = app.unverified_user("ada@example.com").await;
    let token = app.token_for("ada@example.com").await;
    ada.post_json("/verify-email", json!({ "token": token })).await.is(200);

    let answer = app.browser().post("/verify-email/disown", &[("token", &token)]).await;

    assert!(answer.status.is_client_error(), "{}", answer.status);
    ada.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_program_confirms_by_post_without_being_signed_in() {
    let app = TestApp::open().await;
    let ada = app.unverified_user("ada@example.com").await;
    let token = app.token_for("ada@example.com").await;

    let answer = app.curl().post_json("/verify-email", json!({ "token": token })).await.is(200).json();

    assert_eq!(answer["emailVerified"], true);
    assert!(answer["message"].is_string());
    assert_eq!(ada.get("/me").await.json()["user"]["emailVerified"], true);
}

#[actix_web::test]
async fn a_programs_get_confirms_where_the_setting_is_on() {
    for (settings, confirms) in [
        (&[][..], true),
        (&[("VERIFY_ON_GET", "on")][..], true),
        (&[("VERIFY_ON_GET", "off")][..], false),
        (&[("MODE", "production"), ("BASE_URL", "https://id.example.com"), ("BCRYPT_COST", "10")][..], false),
    ] {
        let app = TestApp::with(settings).await;
        app.unverified_user("ada@example.com").await;
        let token = app.token_for("ada@example.com").await;

        let answer = app.curl().get(&link(&token)).await;

        if confirms {
            assert_eq!(answer.is(200).json()["emailVerified"], true);
            continue;
        }
        let refusal = answer.refuses(405, "confirm_by_post");
        assert_eq!(refusal.header("allow"), "POST");
        refusal.says("POST /verify-email");
        assert_eq!(app.count(CONFIRMED).await, 0);
        app.curl().post_json("/verify-email", json!({ "token": token })).await.is(200);
    }
}

#[actix_web::test]
async fn a_used_link_says_already_confirmed_case_14() {
    let app = TestApp::open().await;
    let browser = unverified_user_in_a_browser(&app, "ada@example.com").await;
    let token = app.token_for("ada@example.com").await;
    presses(&browser, &token).await.goes_to("/me");

    let page =
        app.browser().get(&link(&token)).await.is(409).says("Already confirmed").says("href=\"/login\"");
    page.hides("type=\"password\"");
    // Pressed twice by who is signed in: that is what they wanted.
    browser.get(&link(&token)).await.is(200).says("Your email address is confirmed").says("href=\"/me\"");
    presses(&browser, &token).await.is(200).says("Your email address is confirmed");
    app.curl().get(&link(&token)).await.refuses(409, "already_confirmed");
    app.curl().post_json("/verify-email", json!({ "token": token })).await.refuses(409, "already_confirmed");
    app.wait(TimeDelta::days(3));
    app.curl().post_json("/verify-email", json!({ "token": token })).await.refuses(409, "already_confirmed");
}

#[actix_web::test]
async fn a_link_works_for_24_hours() {
    let app = TestApp::open().await;
    for (address, works) in [("ada@example.com", true), ("ben@example.com", false)] {
        app.unverified_user(address).await;
        let token = app.token_for(address).await;
        app.wait(TimeDelta::hours(24) - TimeDelta::seconds(i64::from(works)));

        let (page, answer) = (
            app.browser().get(&link(&token)).await,
            app.curl().post_json("/verify-email", json!({ "token": token })).await,
        );

        if works {
            page.is(200).says("Confirm and sign in");
            answer.is(200);
        } else {
            page.is(422).says("This link no longer works").says("href=\"/verify-email/needed\"");
            answer.refuses(422, "dead_link");
        }
    }
}

#[actix_web::test]
async fn a_new_link_kills_the_older_ones_and_the_email_says_so_case_07() {
    let app = TestApp::open().await;
    let browser = unverified_user_in_a_browser(&app, "ada@example.com").await;
    let first = app.token_for("ada@example.com").await;

    browser.post("/verify-email/resend", &[]).await.goes_to("/me");
    browser.get("/me").await.is(200).says("A link to ada@example.com is on its way.");
    let second = app.token_for("ada@example.com").await;

    assert_ne!(first, second);
    let emails = app.emails_to("ada@example.com").await;
    assert!(emails.len() == 2 && emails[1].text.contains("only the newest works"));
    browser.get(&link(&first)).await.is(422).says("This link no longer works");
    app.curl().post_json("/verify-email", json!({ "token": first })).await.refuses(422, "dead_link");
    presses(&browser, &second).await.goes_to("/me");
}

#[actix_web::test]
async fn a_new_link_is_for_those_who_are_signed_in_and_need_one() {
    let app = TestApp::open().await;
    app.curl().post_json("/verify-email/resend", json!({})).await.refuses(401, "sign_in_required");
    app.browser().post("/verify-email/resend", &[]).await.goes_to("/login");

    let ada = app.verified("ada@example.com").await;
    ada.post_json("/verify-email/resend", json!({})).await.refuses(409, "already_confirmed");
    assert_eq!(app.emails_to("ada@example.com").await.len(), 1);
}

#[actix_web::test]
async fn a_link_of_one_kind_opens_nothing_else() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    let verify = app.token_for("ada@example.com").await;
    app.curl().post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let reset = app.token_for("ada@example.com").await;
    assert_ne!(verify, reset);

    let curl = app.curl();
    curl.post_json("/verify-email", json!({ "token": reset })).await.refuses(422, "dead_link");
    curl.get(&link(&reset)).await.refuses(422, "dead_link");
    curl.post_json("/verify-email/disown", json!({ "token": reset })).await.refuses(422, "dead_link");
    curl.get(&format!("/reset-password?token={verify}")).await.refuses(422, "dead_reset_link");
    let body = json!({ "token": verify, "password": "another fine password" });
    curl.post_json("/reset-password", body).await.refuses(422, "dead_reset_link");

    curl.post_json("/verify-email", json!({ "token": verify })).await.is(200);
}

#[actix_web::test]
async fn what_was_never_a_link_is_a_dead_one() {
    let app = TestApp::open().await;
    let curl = app.curl();
    for rubbish in ["", "x", "%00", "a%0db", "%F0%9F%A6%80", &"x".repeat(4000), "..%2f..%2f", "' OR 1=1 --"] {
        let path = link(&rubbish.replace(' ', "%20"));
        app.browser().get(&path).await.is(422).says("This link no longer works");
        curl.get(&path).await.refuses(422, "dead_link");
    }
    app.browser().get("/verify-email").await.is(400).says("Open the link in the email again");
    for body in [json!({}), json!({ "token": "" }), json!({ "token": "\0" })] {
        curl.post_json("/verify-email", body.clone()).await.refuses(422, "dead_link");
        curl.post_json("/verify-email/disown", body).await.refuses(422, "dead_link");
    }
    curl.post_json("/verify-email", json!({ "token": 7 })).await.refuses(422, "invalid");
    let body = Some(("application/json", "{\"token\": \"a\", \"token\": \"b\"}".to_owned()));
    curl.send(Method::POST, "/verify-email", body).await.refuses(400, "malformed");
}

#[actix_web::test]
async fn confirming_one_claim_ends_the_others_with_their_sessions_and_links() {
    let app = TestApp::open().await;
    let first = unverified_user_with(&app, "ada@example.com", "the first claimant").await;
    let firsts = app.token_for("ada@example.com").await;
    let owner = unverified_user_with(&app, "Ada@Example.com", PASSWORD).await;
    let owners = app.token_for("Ada@example.com").await;
    let third = unverified_user_with(&app, "ADA@example.com", "the third claimant").await;
    let thirds = app.token_for("ADA@example.com").await;
    third.post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let reset = app.token_for("ADA@example.com").await;
    assert_eq!(app.count("users").await, 3);

    app.curl().post_json("/verify-email", json!({ "token": owners })).await.is(200);

    assert_eq!(owner.get("/me").await.is(200).json()["user"]["emailVerified"], true);
    for loser in [&first, &third] {
        loser.get("/me").await.refuses(401, "sign_in_required");
    }
    for token in [&firsts, &thirds] {
        app.curl().post_json("/verify-email", json!({ "token": token })).await.refuses(422, "dead_link");
    }
    app.curl().get(&format!("/reset-password?token={reset}")).await.refuses(422, "dead_reset_link");
    assert_eq!((app.count("users").await, app.count("sessions").await), (1, 1));
    for password in ["the first claimant", "the third claimant"] {
        let offer = json!({ "email": "ada@example.com", "password": password });
        app.curl().post_json("/login", offer).await.refuses(401, "wrong_credentials");
    }
}

#[actix_web::test]
async fn a_claim_that_was_there_before_confirming_elsewhere_cannot_ask_for_a_link() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    // Made after the address was confirmed, this claim may stay, but no link for it ever leaves.
    let eve = unverified_user_with(&app, "ada@example.com", "the pretender's own").await;
    let before = app.catcher.received();

    eve.post_json("/verify-email/resend", json!({})).await.is(200);

    let emails = app.emails_to("ada@example.com").await;
    assert_eq!(app.catcher.received(), before + 2);
    assert!(emails[1..].iter().all(|email| !email.text.contains("token=")));
    assert_eq!(eve.get("/me").await.is(200).json()["user"]["emailVerified"], false);
}

#[actix_web::test]
async fn a_link_proves_only_the_address_it_was_sent_to_case_09() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    let token = app.token_for("ada@example.com").await;
    app.db_execute("UPDATE users SET email = 'new@example.com', email_normalized = 'new@example.com'").await;

    app.curl().post_json("/verify-email", json!({ "token": token })).await.refuses(422, "dead_link");

    assert_eq!(app.count(CONFIRMED).await, 0);
}

#[actix_web::test]
async fn neither_links_nor_sessions_can_be_read_from_a_stolen_disk_case_05() {
    let app = TestApp::open().await;
    let browser = unverified_user_in_a_browser(&app, "ada@example.com").await;
    let disk = app.dump_storage().await;
    let token = app.token_for("ada@example.com").await;
    let later = app.dump_storage().await;

    assert!(disk.contains("ada@example.com") && later.contains("verify_email"));
    for secret in [token, browser.cookie("session").unwrap(), PASSWORD.to_owned()] {
        assert!(!disk.contains(&secret) && !later.contains(&secret));
    }
}

#[actix_web::test]
async fn a_token_in_an_address_never_leaves_this_site_case_04() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    let verify = app.token_for("ada@example.com").await;
    app.curl().post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let reset = app.token_for("ada@example.com").await;

    for path in [format!("/verify-email?token={verify}"), format!("/reset-password?token={reset}")] {
        let page = app.browser().get(&path).await.is(200);
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert_eq!(page.header("cache-control"), "no-store");
        for part in page.body.split(['"', ' ']).filter(|part| part.contains("://")) {
            assert!(part.starts_with(&app.base_url), "{path} names {part}");
        }
    }
}
