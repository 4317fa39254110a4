//! The token of a mailed link stands in no address that a browser keeps.

use serde_json::json;

use crate::harness::{TestApp, token_in};

const PATHS: [&str; 10] = [
    "/cancel-deletion",
    "/factor-reset/stop",
    "/login/magic-link/verify",
    "/me/email/confirm",
    "/me/email/undo",
    "/not-me",
    "/reset-password",
    "/sso/setup",
    "/use-address",
    "/verify-email",
];

#[actix_web::test]
async fn each_link_leads_a_browser_to_a_clean_address_and_a_program_nowhere() {
    let app = TestApp::open().await;
    for path in PATHS {
        let browser = app.browser();
        let sent = browser.get_once(&format!("{path}?token=s3cret&email=a%40example.com")).await;
        let sent = sent.goes_to(&format!("{path}?email=a%40example.com"));
        assert!(!sent.body.contains("s3cret"), "{path}");
        let cookies: Vec<_> = sent.headers.get_all("set-cookie").collect();
        assert!(!cookies.is_empty(), "{path}");
        for cookie in cookies {
            let cookie = cookie.to_str().unwrap();
            assert!(!cookie.contains("s3cret") && cookie.contains("HttpOnly"), "{path}: {cookie}");
        }
        // The page knows the token: it is refused for what it is, not for being absent.
        let page = browser.get_once(path).await.hides("Open the link in the email again");
        assert_ne!(page.status, 400, "{path}");
        app.browser().get_once(path).await.is(400).says("Open the link in the email again");
        let program = app.curl().get_once(&format!("{path}?token=s3cret")).await;
        assert!(program.location().is_none(), "{path}");
    }
}

#[actix_web::test]
async fn of_two_links_to_two_pages_each_works_and_of_two_to_one_page_the_last_opened() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let browser = app.browser();
    for _ in 0..2 {
        app.curl().post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
        app.send_emails().await;
    }
    let emails = app.emails_to("ada@example.com").await;
    let resets = emails.iter().filter(|email| email.text.contains("/reset-password?token="));
    let tokens: Vec<_> = resets.map(|email| token_in(&email.text).unwrap()).collect();
    browser.get_once(&format!("/reset-password?token={}", tokens[0])).await.is(303);
    browser.get_once("/not-me?token=other").await.is(303);
    browser.get_once(&format!("/reset-password?token={}", tokens[1])).await.is(303);

    let page = browser.get_once("/reset-password").await.is(200);

    page.says("ada@example.com").says(&tokens[1]);
}

#[actix_web::test]
async fn what_is_no_token_of_ours_is_not_kept() {
    let app = TestApp::open().await;
    for strange in ["", "%00", "%ff", &"x".repeat(4_000), "a&token=b"] {
        let answer = app.browser().get_once(&format!("/not-me?token={strange}")).await;
        assert!([303, 400, 422].contains(&answer.status.as_u16()), "{strange}: {}", answer.status);
        let length: usize = answer.headers.get_all("set-cookie").map(|value| value.len()).sum();
        assert!(length < 1_000, "{strange}: {length}");
    }
}

#[actix_web::test]
async fn a_link_works_as_mail_programs_hand_it_on() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    app.curl().post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let emails = app.emails_to("ada@example.com").await;
    let newest = emails.iter().rev().find(|email| email.text.contains("/reset-password?token=")).unwrap();
    let token = token_in(&newest.text).unwrap();
    let (first, second) = token.split_at(20);
    let cases = [
        format!("token={token}"),
        format!("token={token}."),
        format!("token={token},"),
        format!("token={token})"),
        format!("token={token}%3E"),
        format!("token={token}%20"),
        format!("token={token}%0D%0A"),
        format!("token=%20{token}"),
        format!("token=3D{token}"),
        format!("token=%3D3D{token}"),
        format!("token={first}%20{second}"),
        format!("token={first}%0D%0A%20{second}"),
        format!("utm_source=mail&amp;token={token}"),
        format!("token={token}&utm_source=mail"),
        format!("token={token}&fbclid=x%20y"),
    ];
    for query in cases {
        app.browser().get(&format!("/reset-password?{query}")).await.is(200).says(&token);
    }
    for query in [format!("token={first}"), format!("token={token}x"), "token=.".to_owned()] {
        let page = app.browser().get(&format!("/reset-password?{query}")).await;
        assert!([400, 422].contains(&page.status.as_u16()), "{query}: {}", page.status);
    }
}
