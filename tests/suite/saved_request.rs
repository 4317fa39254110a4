//! A form that a step-up interrupts comes back filled, once, and in its own session only.

use chrono::TimeDelta;

use crate::{
    confirm::signed_in,
    harness::{PASSWORD, TestApp, organisations::Acme},
};

#[actix_web::test]
async fn an_interrupted_form_comes_back_filled_once_and_then_goes_through_case_75() {
    let app = TestApp::open().await;
    let browser = signed_in(&app).await;

    let interrupted = browser.post("/me/email", &[("email", "new@example.com")]).await.is(303);
    let confirm = interrupted.header("location").to_owned();
    assert!(confirm.starts_with("/auth/confirm?resume="), "{confirm}");
    let resume = confirm.split_once('=').unwrap().1.to_owned();
    browser.get(&confirm).await.is(200).says(&resume);
    let way = format!("/auth/continue?resume={resume}");
    browser.post("/auth/confirm", &[("password", PASSWORD), ("resume", &resume)]).await.goes_to(&way);

    browser.get(&way).await.is(200).says("new@example.com").says("action=\"/me/email\"").says("Continue");
    browser.get(&way).await.is(422);
    browser.post("/me/email", &[("email", "new@example.com")]).await.goes_to("/me");
    assert_eq!(app.emails_to("new@example.com").await.len(), 1);
}

#[actix_web::test]
async fn an_interrupted_form_is_sealed_and_opens_in_its_own_session_only() {
    let app = TestApp::open().await;
    let browser = signed_in(&app).await;
    let interrupted = browser.post("/me/email", &[("email", "new@example.com")]).await.is(303);
    let resume = interrupted.header("location").split_once('=').unwrap().1.to_owned();

    assert_eq!(app.count("tokens WHERE claim LIKE '%new@example.com%'").await, 0);
    let other = app.browser();
    other.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.is(303);
    other.get(&format!("/auth/continue?resume={resume}")).await.is(422).hides("new@example.com");
}

#[actix_web::test]
async fn an_interrupted_password_is_never_kept() {
    let app = TestApp::open().await;
    let browser = signed_in(&app).await;

    let form = [("newPassword", "another fine passphrase"), ("repeat", "another fine passphrase")];
    browser.post("/me/password", &form).await.goes_to("/auth/confirm?next=%2Fme%2Fpassword");

    assert_eq!(app.count("tokens WHERE purpose = 'interrupted'").await, 0);
}

#[actix_web::test]
async fn an_interrupted_form_is_gone_after_five_minutes() {
    let app = TestApp::open().await;
    let browser = signed_in(&app).await;
    let interrupted = browser.post("/me/email", &[("email", "new@example.com")]).await.is(303);
    let resume = interrupted.header("location").split_once('=').unwrap().1.to_owned();

    app.wait(TimeDelta::minutes(5));

    browser.get(&format!("/auth/continue?resume={resume}")).await.is(422);
}

/// With a script the form goes on by itself; but what takes something away is pressed once more.
#[actix_web::test]
async fn only_what_takes_something_away_waits_for_another_press() {
    let app = TestApp::open().await;
    let browser = signed_in(&app).await;
    for (path, goes_on) in [
        ("/me/email", true),
        ("/me/2fa/totp", true),
        ("/me/2fa/totp/disable", false),
        ("/me/2fa/recovery-codes", false),
        ("/me/passkeys/0123456789abcdef0123456789abcdef/remove", false),
        ("/me/delete", false),
    ] {
        let interrupted = browser.post(path, &[("email", "new@example.com")]).await.is(303);
        let resume = interrupted.header("location").split_once("resume=").unwrap().1.to_owned();
        let page = browser.get(&format!("/auth/continue?resume={resume}")).await.is(200);
        assert_eq!(page.body.contains(" data-continue"), goes_on, "{path}");
    }
}

/// It says what is about to happen, with names for members of the organisation, and leads back to the form.
#[actix_web::test]
async fn an_interrupted_form_of_an_organisation_says_what_it_does() {
    let acme = Acme::open().await;
    let (bea, bea_id) = acme.joins("bea@example.com", "viewer").await;
    let ada = acme.app.browser();
    ada.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.is(303);
    let member = Acme::member_path(&bea_id);
    let nobody = Acme::member_path("0123456789abcdef0123456789abcdef");
    for (path, form, says, button) in [
        (format!("{member}/remove"), vec![], "Remove Ada from Acme", Some("Remove Ada")),
        (format!("{nobody}/remove"), vec![], "Remove this member from Acme", Some("Remove this member")),
        (format!("{member}/role"), vec![("role", "editor")], "Change the role of Ada", None),
        (
            "/organisations/acme/hand-over".to_owned(),
            vec![("member", bea_id.as_str()), ("then", "viewer")],
            "Ada becomes an owner when they accept. You become a viewer.",
            Some("Offer to hand over"),
        ),
        ("/organisations/acme".to_owned(), vec![("name", "Acme & Sons")], "Acme &#38; Sons", None),
        ("/organisations/acme/sso/domains".to_owned(), vec![("domain", "example.com")], "example.com", None),
        (
            "/organisations/acme/delete".to_owned(),
            vec![("name", "Acme")],
            "Delete Acme",
            Some("Delete organisation"),
        ),
    ] {
        let interrupted = ada.post(&path, &form).await.is(303);
        let resume = interrupted.header("location").split_once("resume=").unwrap().1.to_owned();
        let page = ada.get(&format!("/auth/continue?resume={resume}")).await.is(200).says(says);
        assert_eq!(page.body.contains(" data-continue"), button.is_none(), "{path}");
        page.says(button.unwrap_or("Continue")).says("href=\"/organisations/acme").hides("<dt>member</dt>");
    }
    // Whoever is asked to do it by an address that they may not see is told so before.
    bea.clone().with("accept", "text/html").post(&format!("{member}/remove"), &[]).await.is(403);
}

/// Another holder of the session cannot have its owner send something: the form belongs to the browser that sent it.
#[actix_web::test]
async fn a_form_that_another_browser_planted_does_not_go_on() {
    let app = TestApp::open().await;
    let browser = signed_in(&app).await;
    let thief = app.browser();
    thief.get("/login").await.is(200);
    thief.set_cookie("session", &browser.cookie("session").unwrap());
    let planted = thief.post("/me/email", &[("email", "evil@example.com")]).await.is(303);
    let resume = planted.header("location").split_once("resume=").unwrap().1.to_owned();

    browser.get(&format!("/auth/continue?resume={resume}")).await.is(422).hides("evil@example.com");
}
