//! Every page that somebody passes between an application's request and its answer leads on to that answer, names the application,
//! and leads back to it with a no.

use super::{ADA, Notes, REDIRECT_URI, leads_on, told};
use crate::harness::{Answer, PASSWORD, Visitor};

/// Sends a browser from the application to here, where it waits for its person.
async fn leaves(notes: &Notes, browser: &Visitor, more: &[(&str, &str)]) -> String {
    let kept = browser.get_once(&notes.request(more)).await.is(303);
    let here = kept.location().unwrap().to_owned();
    browser.get_once(&here).await;
    here
}

/// That a page is on the way to where somebody waits. `is_step`: it leads on by its own form.
#[track_caller]
fn is_on_the_way(page: &Answer, here: &str, is_step: bool) {
    let request = told(here, "request").unwrap();
    let at = &page.request;
    assert!(page.body.contains("signing in to <bdi>Notes</bdi>"), "{at} names nobody: {}", page.body);
    let cancel = format!(
        "action=\"/oauth/cancel\">\n<p>You are signing in to <bdi>Notes</bdi>.</p>\n<input type=\"hidden\" name=\"request\" \
         value=\"{request}\">"
    );
    assert!(page.body.contains(&cancel), "{at} does not lead back: {}", page.body);
    let on = page.body.contains(&format!("href=\"{here}\""));
    assert_eq!(on, !is_step, "{at}: {}", page.body);
    // The page's own way out would leave the application waiting.
    assert!(!page.body.contains("<a href=\"/me\">Cancel</a>"), "{at}");
}

#[actix_web::test]
async fn every_page_between_a_request_and_its_answer_leads_on_to_it() {
    let notes = Notes::open(&["--need", "second-factor"]).await;
    let app = &notes.app;
    app.verified(ADA).await;
    let owner = app.with_app("bob@example.com").await;

    let browser = app.browser();
    browser.get_once("/login").await.is(200).hides("/oauth/cancel");
    let here = leaves(&notes, &browser, &[]).await;
    for (path, is_step) in [
        ("/login", true),
        ("/login?with=password", true),
        ("/login?email=x", true),
        ("/signup", true),
        ("/forgot-password", false),
        ("/login/magic-link", false),
        ("/privacy/data", false),
        ("/nothing", false),
        ("/reset-password?token=x", false),
        ("/verify-email?token=x", false),
    ] {
        is_on_the_way(&browser.get(path).await, &here, is_step);
    }
    // Whatever they do there, they go on.
    for (path, form) in [
        ("/login", &[("email", ADA), ("password", "wrong")][..]),
        ("/signup", &[("email", ""), ("name", ""), ("password", "")]),
        ("/forgot-password", &[("email", ADA)]),
        ("/forgot-password", &[("email", "x")]),
        ("/login/magic-link", &[("email", "x")]),
        ("/auth/methods", &[("email", ADA)]),
    ] {
        let is_step = ["/login", "/signup"].contains(&path);
        is_on_the_way(&browser.post(path, form).await, &here, is_step);
    }
    browser
        .post("/login/magic-link", &[("email", "eve@example.com")])
        .await
        .goes_to("/login/magic-link/sent");
    is_on_the_way(&browser.get_once("/login/magic-link/sent").await, &here, false);

    // A new password leads nowhere else, though its link knows nothing of the application.
    let token = app.token_for(ADA).await;
    is_on_the_way(&browser.get(&format!("/reset-password?token={token}")).await, &here, false);
    let form =
        [("token", &*token), ("password", "another horse battery"), ("repeat", "another horse battery")];
    browser.post("/reset-password", &form).await.goes_to("/login");
    browser.post("/login", &[("email", ADA), ("password", "another horse battery")]).await.goes_to(&here);

    // What the application needs is set up on the way.
    let page = browser.get_once(&here).await.is(403).says("/me/2fa").says("action=\"/oauth/cancel\"");
    assert!(page.body.contains("Back to <bdi>Notes</bdi>"), "{}", page.body);
    for (path, is_step) in [
        ("/me", false),
        ("/me/2fa", false),
        ("/me/passkeys", false),
        ("/me/security", false),
        ("/auth/confirm?next=/me/2fa", true),
        ("/organisations", false),
    ] {
        is_on_the_way(&browser.get_once(path).await.is(200), &here, is_step);
    }
    is_on_the_way(&browser.post("/auth/confirm", &[("password", "wrong")]).await.is(422), &here, true);
    let form = [("password", "another horse battery"), ("next", "/me/2fa")];
    browser.post("/auth/confirm", &form).await.goes_to("/me/2fa");
    browser.post("/me/2fa/totp", &[]).await.goes_to("/me/2fa/totp/confirm");
    let page = browser.get_once("/me/2fa/totp/confirm").await.is(200);
    is_on_the_way(&page, &here, false);
    let key =
        page.body.split("id=\"key\"").nth(1).unwrap().split(['>', '<']).nth(1).unwrap().replace(' ', "");
    let codes = browser.post("/me/2fa/totp/confirm", &[("code", &app.code(&key))]).await.is(200);
    let saved = format!("<a class=\"button primary\" href=\"{here}\">I've saved my codes</a>");
    codes.says(&saved);
    let back = leads_on(&browser.get_once(&here).await.is(200));
    assert!(told(&back, "code").is_some(), "{back}");
    browser.get_once("/me").await.is(200).hides("/oauth/cancel");

    // A second step on the way in.
    let browser = app.browser();
    let here = leaves(&notes, &browser, &[]).await;
    let second = owner.submits_password(&browser).await.is(303).location().unwrap().to_owned();
    assert_eq!(told(&second, "next").as_deref(), Some(&*here), "{second}");
    is_on_the_way(&browser.get_once(&second).await.is(200), &here, true);
    let code = app.next_code(&owner.secret);
    browser.post("/login/2fa", &[("code", &*code)]).await.goes_to(&here);
    assert!(told(&leads_on(&browser.get_once(&here).await.is(200)), "code").is_some());
}

#[actix_web::test]
async fn whoever_signs_up_on_the_way_goes_on_once_their_address_is_confirmed_case_b9_26() {
    let notes = Notes::open(&[]).await;
    let browser = notes.app.browser();
    let here = leaves(&notes, &browser, &[]).await;
    let form = [("name", "Eve"), ("email", "eve@example.com"), ("password", PASSWORD), ("next", &*here)];
    browser.post("/signup", &form).await.goes_to(&here);
    let needed = browser.get_once(&here).await.is(303).location().unwrap().to_owned();
    assert!(needed.starts_with("/verify-email/needed?next="), "{needed}");
    is_on_the_way(&browser.get_once(&needed).await.is(200), &here, false);
    let token = notes.app.token_for("eve@example.com").await;
    is_on_the_way(&browser.get(&format!("/verify-email?token={token}")).await.is(200), &here, false);
    browser.post("/verify-email", &[("token", &token)]).await.goes_to(&here);
    assert!(told(&leads_on(&browser.get_once(&here).await.is(200)), "code").is_some());
}

#[actix_web::test]
async fn cancelling_tells_the_application_so_signed_in_or_not() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    for is_signed_in in [false, true] {
        let browser = match is_signed_in {
            true => ada.clone().with("accept", "text/html").with("sec-fetch-site", "same-origin"),
            false => notes.app.browser(),
        };
        notes.app.wait(chrono::TimeDelta::seconds(2));
        let here = leaves(&notes, &browser, &[("prompt", "login")]).await;
        let request = told(&here, "request").unwrap();
        let page = browser.post("/oauth/cancel", &[("request", &request)]).await.is(200);
        let back = leads_on(&page);
        assert!(back.starts_with(REDIRECT_URI), "{back}");
        assert_eq!(told(&back, "error").as_deref(), Some("access_denied"), "{back}");
        assert_eq!(told(&back, "state").as_deref(), Some("s t&t=é"), "{back}");
        assert_eq!(told(&back, "iss").as_deref(), Some(&*notes.app.base_url), "{back}");
        browser.get_once("/privacy/data").await.is(200).hides("/oauth/cancel");
        // Once: it is over, and nothing leads there any more.
        browser.post("/oauth/cancel", &[("request", &request)]).await.is(422);
        browser.get_once(&here).await.is(422).hides("/oauth/cancel");
    }
    // A page of another site says no in nobody's name.
    let browser = notes.app.browser();
    let request = told(&leaves(&notes, &browser, &[]).await, "request").unwrap();
    let foreign = browser.clone().with("sec-fetch-site", "cross-site");
    foreign.post("/oauth/cancel", &[("request", &request)]).await.is(403);
    // After half an hour nothing leads there either.
    notes.app.wait(chrono::TimeDelta::minutes(30));
    browser.get_once("/login").await.is(200).hides("/oauth/cancel");
}
