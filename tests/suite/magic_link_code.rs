//! A link to sign in that is opened elsewhere: who asked, and the short code for where it was asked for.

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use serde_json::json;

use crate::{
    harness::TestApp,
    magic_link::{PHONE, asked, code_of, enter, link, type_code},
};

#[actix_web::test]
async fn opened_elsewhere_the_link_tells_who_asked_and_shows_a_code_for_there() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let (laptop, phone) = (app.browser(), app.browser().named(PHONE));
    laptop.post("/login/magic-link", &[("email", "ada@example.com")]).await.is(303);
    let token = app.token_for("ada@example.com").await;
    let sessions = app.count("sessions").await;

    let page = phone.get(&link(&token)).await.is(200).says("Did you ask for this link?");
    let page = page.says("<bdi>Firefox on Linux</bdi>").says("127.0.0.1").says("Never share this code");
    let code = page.body.split_once("\"shortcode\">").unwrap().1.split_once('<').unwrap().0.to_owned();
    assert_eq!((code.len(), code.as_bytes()[3]), (7, b'-'), "{code}");
    phone.post("/login/magic-link/verify", &[("code", &code)]).await.goes_to("/login");
    let typed = code.to_uppercase().replace('-', " ");
    laptop.post("/login/magic-link/verify", &[("code", &typed)]).await.goes_to("/me");

    laptop.get("/me").await.is(200);
    phone.get("/me").await.goes_to("/login?next=%2Fme");
    phone.get(&link(&token)).await.is(422);
    assert_eq!(app.count("sessions").await, sessions + 1);
}

#[actix_web::test]
async fn opened_elsewhere_a_button_signs_in_there_instead() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let (laptop, phone) = (app.browser(), app.browser().named(PHONE));
    let form = [("email", "ada@example.com"), ("remember", "true"), ("next", "/me/logins")];
    laptop.post("/login/magic-link", &form).await.is(303);
    let token = app.token_for("ada@example.com").await;
    let code = code_of(&app, &token).await;

    phone.get(&link(&token)).await.is(200).says("Sign in here");
    phone.post("/login/magic-link/verify", &[("token", &token)]).await.goes_to("/me/logins");

    phone.get("/me").await.is(200);
    let remembered = app.count("sessions WHERE method = 'magic_link' AND remembered").await;
    assert_eq!(remembered, 0, "what was ticked there was about that device");
    laptop.post("/login/magic-link/verify", &[("code", &code)]).await.goes_to("/login");
    laptop.get("/login").await.is(200).says("That sign-in has ended");
}

#[actix_web::test]
async fn five_wrong_codes_end_it_for_everybody_alike() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    app.unverified_user("eva@example.com").await;
    app.send_emails().await;
    let mut stories = Vec::new();
    for address in ["ada@example.com", "eva@example.com", "bob@example.com"] {
        let (curl, browser) = (app.curl(), app.browser());
        let mut story = Vec::new();
        for visitor in [&curl, &browser] {
            visitor.post_json("/login/magic-link", json!({ "email": address })).await;
            for _ in 0..4 {
                story.push(type_code(visitor, "000-000").await.is(422).outline(address));
            }
            for _ in 0..3 {
                story.push(type_code(visitor, "000-000").await.outline(address));
            }
        }
        curl.post_json("/login/magic-link", json!({ "email": address })).await;
        for _ in 0..5 {
            type_code(&curl, "zzzzzz").await;
        }
        type_code(&curl, "zzzzzz").await.refuses(401, "sign_in_ended");
        stories.push(story);
    }
    assert_eq!(stories[0], stories[1]);
    assert_eq!(stories[0], stories[2]);
    assert!(stories[0][0].contains("That is not the code") && stories[0][4].contains("sign_in_ended"));

    // The right one is too late, and the link is dead with it.
    let curl = app.curl();
    let token = asked(&app, &curl, "ada@example.com").await;
    let code = code_of(&app, &token).await;
    for _ in 0..5 {
        type_code(&curl, "zzzzzz").await;
    }
    type_code(&curl, &code).await.refuses(401, "sign_in_ended");
    enter(&curl, &token).await.refuses(422, "dead_magic_link");
    assert!(app.count("sign_ins WHERE method = 'magic_link' AND outcome = 'wrong_link_code'").await >= 20);
    assert_eq!(app.count("sessions WHERE method = 'magic_link'").await, 0);
}

#[actix_web::test]
async fn of_fifty_codes_at_once_five_are_looked_at_case_49() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    app.verified("ada@example.com").await;
    let curl = app.curl();
    asked(&app, &curl, "ada@example.com").await;

    let answers = join_all((0..50).map(|_| type_code(&curl, "zzzzzz"))).await;

    let looked_at = answers.iter().filter(|answer| answer.status == 422).count();
    assert_eq!(looked_at, 4, "the fifth ends it");
    assert!(answers.iter().all(|answer| [401, 422].contains(&answer.status.as_u16())));
    assert_eq!(app.count("audit WHERE event = 'sign_in_failed'").await, 5);
}

#[actix_web::test]
async fn a_code_is_good_in_the_browser_that_asked_and_in_no_other() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let first = app.curl();
    let token = asked(&app, &first, "ada@example.com").await;
    let code = code_of(&app, &token).await;

    type_code(&app.curl(), &code).await.refuses(401, "sign_in_ended");
    // Somebody who asked for a link to another address.
    let eve = app.curl();
    eve.post_json("/login/magic-link", json!({ "email": "eve@example.com" })).await.is(200);
    type_code(&eve, &code).await.refuses(422, "invalid");

    for _ in 0..7 {
        type_code(&first, " - ").await.refuses(422, "invalid");
    }
    type_code(&first, &code).await.is(200);
    type_code(&first, &code).await.refuses(401, "sign_in_ended");
}

#[actix_web::test]
async fn link_and_code_work_for_ten_minutes() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let (ada, late) = (app.curl(), app.curl());
    let token = asked(&app, &ada, "ada@example.com").await;
    let code = code_of(&app, &token).await;

    app.wait(TimeDelta::seconds(599));
    ada.get(&link(&token)).await.is(200);
    app.wait(TimeDelta::seconds(1));

    ada.get(&link(&token)).await.refuses(422, "dead_magic_link");
    enter(&ada, &token).await.refuses(422, "dead_magic_link");
    type_code(&ada, &code).await.refuses(401, "sign_in_ended");
    assert_eq!(
        ada.get("/login/magic-link/sent").await.is(200).json(),
        json!({}),
        "nothing waits here any more"
    );
    let token = asked(&app, &late, "ada@example.com").await;
    app.wait(TimeDelta::seconds(599));
    enter(&late, &token).await.is(200);
}

#[actix_web::test]
async fn another_node_takes_the_link_and_the_code() {
    let app = TestApp::open().await;
    let other = app.second_node().await;
    app.verified("ada@example.com").await;
    let ada = app.curl();
    let token = asked(&app, &ada, "ada@example.com").await;
    let there = ada.at(other.port);
    assert_eq!(there.get(&link(&token)).await.is(200).json()["sameBrowser"], true);

    type_code(&there, &code_of(&app, &token).await).await.is(200);

    there.get("/me").await.is(200);
}

#[actix_web::test]
async fn of_a_link_and_its_code_at_once_one_gets_in_case_06() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    for round in 0..4 {
        let address = format!("ada{round}@example.com");
        app.verified(&address).await;
        let first = app.curl();
        let token = asked(&app, &first, &address).await;
        let code = code_of(&app, &token).await;
        let before = app.count("sessions").await;

        let by_link = join_all((0..20).map(async |_| enter(&app.curl(), &token).await));
        let by_code = join_all((0..5).map(|_| type_code(&first, &code)));
        let (links, codes) = join(by_link, by_code).await;

        let answers: Vec<_> = links.into_iter().chain(codes).collect();
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!((won, app.count("sessions").await), (1, before + 1));
        assert!(
            answers.iter().all(|answer| [200, 401, 422].contains(&answer.status.as_u16())),
            "{answers:?}"
        );
    }
}
