//! Emails as they arrive: over real SMTP, and byte by byte.

use std::fs;

use serde_json::json;

use crate::harness::{TestApp, token_in};

/// One of each email that a person gets, at a house of which she knows the address.
async fn one_of_each(app: &TestApp) -> [&'static str; 4] {
    app.unverified_user("Ada@example.com").await;
    let token = app.token_for("Ada@example.com").await;
    app.curl().post_json("/verify-email", json!({ "token": token })).await.is(200);
    app.unverified_user("ada@example.com").await;
    app.send_emails().await;
    app.curl().post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let token = app.token_for("Ada@example.com").await;
    let body = json!({ "token": token, "password": "a new and better password" });
    app.curl().post_json("/reset-password", body).await.is(200);
    [
        "Confirm your email address for Vestibule",
        "You already have an account at Vestibule",
        "Set a new password for Vestibule",
        "Your password for Vestibule was changed",
    ]
}

/// The addresses of everything a text points to or loads.
fn addresses(text: &str) -> Vec<&str> {
    let starts = text
        .match_indices("http")
        .filter(|(at, _)| text[*at..].starts_with("http://") || text[*at..].starts_with("https://"));
    starts
        .map(|(at, _)| text[at..].split(|c: char| c.is_whitespace() || "\"'<>)".contains(c)).next().unwrap())
        .collect()
}

#[actix_web::test]
async fn every_email_is_text_and_html_with_the_same_links_and_no_tracking() {
    let app = TestApp::open().await;
    let subjects = one_of_each(&app).await;

    let emails = app.emails_to("Ada@example.com").await;

    assert_eq!(emails.iter().map(|email| email.subject.as_str()).collect::<Vec<_>>(), subjects);
    for email in emails {
        assert!(email.html.contains("<!doctype html>") && !email.text.contains("<p>"), "{}", email.subject);
        assert_eq!(token_in(&email.text), token_in(&email.html), "{}", email.subject);
        let in_text = addresses(&email.text);
        let html = email.html.replace("&#38;", "&");
        assert!(!in_text.is_empty());
        for address in addresses(&html).iter().chain(&in_text) {
            assert!(in_text.contains(address), "{}: {address} is in the page alone", email.subject);
            let path = address.strip_prefix(&app.base_url).unwrap();
            let (path, query) = path.split_once('?').unwrap_or((path, ""));
            let known = [
                "/",
                "/login",
                "/forgot-password",
                "/verify-email",
                "/reset-password",
                "/not-me",
                "/use-address",
            ];
            assert!(known.contains(&path), "{path}");
            // Whose address the link starts with is in it as well.
            let query = query.strip_suffix("&email=Ada%40example.com").unwrap_or(query);
            assert!(query.is_empty() || query.len() == "token=".len() + 43, "{}: {query}", email.subject);
        }
        let html = email.html.to_lowercase();
        for loads in
            ["<img", "<link", "<script", "<iframe", "<form", "url(", "@import", "src=", "background="]
        {
            assert!(!html.contains(loads), "{}: {loads}", email.subject);
        }
    }
}

#[actix_web::test]
async fn an_email_says_that_a_program_wrote_it_and_has_two_parts() {
    let folder = tempfile::tempdir().unwrap();
    let route = format!("folder:{}", folder.path().display());
    let app = TestApp::with(&[("SMTP_URL", &route), ("MAIL_FROM", "Acme <hello@acme.example>")]).await;
    app.unverified_user("Ada.L@example.com").await;

    app.send_emails().await;

    let [file] =
        &fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>()[..]
    else {
        panic!("one letter, one file")
    };
    let email = fs::read_to_string(file).unwrap();
    let (head, body) = email.split_once("\r\n\r\n").unwrap();
    for line in [
        "From: Acme <hello@acme.example>",
        "To: Ada.L@example.com",
        "Subject: Confirm your email address for Vestibule",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        "MIME-Version: 1.0",
    ] {
        assert!(head.lines().any(|one| one == line), "{line} is not in {head}");
    }
    let id = file.file_stem().unwrap().to_str().unwrap();
    assert!(head.contains(&format!("Message-ID: <{id}@acme.example>")), "{head}");
    assert!(head.contains("Content-Type: multipart/alternative"), "{head}");
    let (text, html) =
        (body.find("Content-Type: text/plain").unwrap(), body.find("Content-Type: text/html").unwrap());
    assert!(text < html, "a mail program shows the last part that it understands");
    assert!(email.lines().all(|line| line.len() <= 78 || line.contains("boundary")), "{email}");
}

#[actix_web::test]
async fn mail_goes_to_the_stored_spelling_with_the_domain_in_ascii_case_118() {
    let app = TestApp::open().await;
    app.unverified_user("Ada.LOVELACE+Notes@B\u{fc}cher.Example").await;

    let emails = app.emails_to("Ada.LOVELACE+Notes@xn--bcher-kva.example").await;

    assert_eq!((emails.len(), app.catcher.received()), (1, 1));
}

#[actix_web::test]
async fn emails_speak_of_the_house_by_its_name_and_come_from_it() {
    let app = TestApp::with(&[("BRAND_NAME", "Acme & Sons"), ("BASE_URL", "https://id.acme.example")]).await;
    app.unverified_user("ada@example.com").await;

    let emails = app.emails_to("ada@example.com").await;

    let [email] = &emails[..] else { panic!("one letter") };
    assert_eq!(email.subject, "Confirm your email address for Acme & Sons");
    assert_eq!(email.from, "no-reply@id.acme.example");
    assert!(email.text.contains("https://id.acme.example/verify-email?token="));
    assert!(email.html.contains("Acme &#38; Sons") && !email.html.contains("localhost"));
}
