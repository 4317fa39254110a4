//! People of an enforced domain sign in through their organisation, and in no other way.

use serde_json::json;

use crate::{
    harness::{Answer, PASSWORD, TestApp, Visitor},
    idp::{Acme, ada, id_of, is_nobody, resident},
};

const NEW_PASSWORD: &str = "another fine passphrase";

/// Acme with an enforced domain; Ada has a password there, and the break-glass owner too.
async fn enforced(app: &TestApp) -> Acme {
    let acme = Acme::of(app).await;
    app.verified("ada@example.com").await;
    let owner = id_of(&app.verified("bob@example.com").await).await;
    acme.enforces(app, Some(&owner)).await;
    acme
}

#[actix_web::test]
async fn a_password_opens_nothing_but_for_the_break_glass_owner_case_88() {
    let app = TestApp::open().await;
    let acme = enforced(&app).await;
    let login = async |email: &str, password: &str| {
        app.curl().post_json("/login", json!({ "email": email, "password": password })).await
    };

    let refused = login("ada@example.com", PASSWORD).await.refuses(403, "sso_required");
    assert_eq!(refused.json()["signIn"], "/auth/sso/login?email=ada%40example.com");
    login("bob@example.com", PASSWORD).await.is(200);

    // Right or wrong, there or not, the safe one included: the same answer.
    let told =
        |answer: Answer, email: &str| answer.outline(email).replace(&email.replace('@', "%40"), "ADDRESS");
    let expected = told(login("ada@example.com", PASSWORD).await, "ada@example.com");
    for (email, password) in
        [("ada@example.com", "wrong"), ("eve@example.com", "wrong"), ("bob@example.com", "wrong")]
    {
        assert_eq!(told(login(email, password).await, email), expected, "{email}");
    }
    // In a browser it is a page with a link: a form must not lead to another site.
    let form = [("email", "ada@example.com"), ("password", PASSWORD)];
    let page = app.browser().post("/login", &form).await.is(403);
    page.says("Continue to your organisation").says("/auth/sso/login?email=ada%40example.com");
    assert_eq!(app.count("sessions WHERE method = 'password'").await, 1);
    drop(acme);
}

#[actix_web::test]
async fn nobody_of_the_domain_resets_a_password_and_all_are_told_the_same_case_88() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    app.verified("ada@example.com").await;
    let owner = id_of(&app.verified("bob@example.com").await).await;
    let curl = app.curl();
    curl.post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let token = app.token_for("ada@example.com").await;
    acme.enforces(&app, Some(&owner)).await;
    let emails = async |email: &str| app.emails_to(email).await.len();
    let before = (emails("ada@example.com").await, emails("bob@example.com").await);

    let ask = async |email: &str| {
        let answer = app.curl().post_json("/forgot-password", json!({ "email": email })).await;
        answer.outline(email).replace(&email.replace('@', "%40"), "ADDRESS")
    };
    let expected = ask("ada@example.com").await;
    assert!(expected.contains("sso_required"), "{expected}");
    assert_eq!(ask("eve@example.com").await, expected);
    assert_eq!(ask("bob@example.com").await, expected);

    assert_eq!(emails("ada@example.com").await, before.0);
    assert_eq!(emails("bob@example.com").await, before.1 + 1, "the safe one must be able to come in");
    // A link from before is closed as well.
    let form = json!({ "token": token, "password": NEW_PASSWORD });
    curl.post_json("/reset-password", form).await.refuses(403, "sso_required");
    let safe = json!({ "token": app.token_for("bob@example.com").await, "password": NEW_PASSWORD });
    curl.post_json("/reset-password", safe).await.is(200);
}

#[actix_web::test]
async fn nobody_of_the_domain_signs_up_and_all_are_told_the_same_case_88() {
    let app = TestApp::open().await;
    enforced(&app).await;
    let sign_up = async |email: &str| {
        let form = json!({ "email": email, "password": NEW_PASSWORD, "name": "Ada" });
        let answer = app.curl().post_json("/signup", form).await;
        answer.outline(email).replace(&email.replace('@', "%40"), "ADDRESS")
    };
    let accounts = app.count("users").await;

    let expected = sign_up("ada@example.com").await;
    assert!(expected.contains("sso_required"), "{expected}");
    for email in ["eve@example.com", "bob@example.com", "ADA@EXAMPLE.COM"] {
        assert_eq!(sign_up(email).await, expected.replace("ada%40example.com", "ADDRESS"), "{email}");
    }

    assert_eq!(app.count("users").await, accounts);
    app.unverified_user("eve@example.org").await;
}

#[actix_web::test]
async fn the_organisation_s_way_stays_open_and_connects_what_was_there_case_88() {
    let app = TestApp::open().await;
    let acme = enforced(&app).await;
    let browser = app.browser();

    acme.signs_in(&app, &browser, &ada()).await.goes_to("/auth/link");
    let old = [("email", "ada@example.com"), ("password", PASSWORD), ("next", "/auth/link")];
    browser.post("/login", &[("email", "ada@example.com"), ("password", "wrong")]).await.is(401);
    browser.post("/login", &old).await.goes_to("/auth/link");
    browser.post("/auth/saml/link", &[]).await.goes_to("/me");

    // From now on only that way.
    browser.post("/logout", &[]).await.is(303);
    browser.post("/login", &old).await.is(403);
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
}

#[actix_web::test]
async fn a_session_of_an_enforced_domain_does_not_confirm_with_a_password_case_88() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = resident(&app, "ada@example.com").await;
    acme.enforces(&app, None).await;

    browser
        .clone()
        .with("accept", "application/json")
        .post_json("/auth/confirm", json!({ "password": PASSWORD }))
        .await
        .refuses(403, "sso_required");
    assert!(!is_nobody(&browser).await);
}

#[actix_web::test]
async fn a_domain_that_is_no_longer_proved_or_lost_its_connection_closes_nothing_case_88() {
    let app = TestApp::open().await;
    let acme = enforced(&app).await;
    let credentials = json!({ "email": "ada@example.com", "password": PASSWORD });
    app.curl().post_json("/login", credentials.clone()).await.refuses(403, "sso_required");

    let (organisation, connection) = (acme.organisation.clone(), acme.connection.clone());
    let removed = app.inner.write(move |tx| {
        let actor = vestibule::internals::Actor::operator();
        vestibule::internals::remove_connection(tx, &actor, &organisation, &connection)
    });
    removed.await.unwrap();

    app.curl().post_json("/login", credentials).await.is(200);
}

#[actix_web::test]
async fn neither_a_link_by_mail_nor_a_passkey_opens_what_is_closed_case_88() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let (_, mut device) = crate::passkeys::with_passkey(&app, "ada@example.com").await;
    let asker = app.curl();
    let link = crate::magic_link::asked(&app, &asker, "ada@example.com").await;
    let waiting = app.curl();
    waiting.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
    acme.enforces(&app, None).await;

    crate::passkeys::signs_in(&app.curl(), &mut device).await.refuses(403, "sso_required");
    asker.post_json("/login/magic-link/verify", json!({ "token": link })).await.refuses(403, "sso_required");
    // Nor does a second factor after a first one from before.
    let options = waiting.post_json("/login/2fa/passkey/options", json!({})).await.is(200).json();
    let second = device.get(&options);
    waiting.post_json("/login/2fa", second).await.refuses(403, "sso_required");
}

#[actix_web::test]
async fn nobody_moves_out_of_an_enforced_domain_or_into_one_case_88() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let stepped_up = async |address: &str| {
        let curl = app.verified(address).await;
        curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
        curl
    };
    let (ada, eve) = (stepped_up("ada@example.com").await, stepped_up("eve@example.org").await);
    let moves = async |curl: &Visitor, to: &str| curl.put_json("/me/email", json!({ "email": to })).await;
    moves(&ada, "ada@home.example").await.is(200);
    let link = app.token_for("ada@home.example").await;
    acme.enforces(&app, None).await;

    let refused = moves(&ada, "ada@home.example").await.refuses(422, "invalid");
    refused.says("Your organisation decides about your address.");
    // Nor by a link from before.
    ada.post_json("/me/email/confirm", json!({ "token": link })).await.refuses(422, "invalid");
    moves(&eve, "eve@example.com").await.refuses(422, "invalid");

    assert_eq!(app.count("users WHERE email IN ('ada@example.com', 'eve@example.org')").await, 2);
}

#[actix_web::test]
async fn an_identity_at_another_organisation_is_no_way_around_case_88() {
    let app = TestApp::open().await;
    let (acme, beta) = (Acme::of(&app).await, Acme::unproved(&app, "Beta", "boss@beta.example").await);
    beta.verifies(&app, "beta.example").await;
    let browser = app.browser();
    let bea = ada().called("bea").at("bea@beta.example");
    beta.signs_in(&app, &browser, &bea).await.goes_to("/me");
    app.db_execute(
        "UPDATE users SET email = 'bea@example.com', email_normalized = 'bea@example.com' \
                  WHERE email = 'bea@beta.example'",
    )
    .await;
    // What another organisation speaks for is not Beta's to change.
    beta.signs_in(&app, &browser, &bea).await.goes_to("/me");
    assert_eq!(app.count("users WHERE email = 'bea@example.com'").await, 1);
    acme.enforces(&app, None).await;

    beta.signs_in(&app, &app.browser(), &bea).await.is(403);

    assert!(beta.attempts(&app).await.contains(&"another_connection".to_owned()));
    // Nor is another connection of the very organisation.
    let other = Acme::unproved(&app, "Other", "boss@other.example").await.connection;
    app.db_execute(&format!("UPDATE domains SET connection_id = '{other}' WHERE is_enforced")).await;
    acme.signs_in(&app, &app.browser(), &ada().called("new").at("new@example.com")).await.is(403);
}

#[actix_web::test]
async fn the_break_glass_owner_stays_usable_case_88() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let bob = app.with_app("bob@example.com").await;
    acme.enforces(&app, Some(&id_of(&bob.curl).await)).await;
    let member = format!("/organisations/acme/members/{}", id_of(&bob.curl).await);
    acme.owner.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);

    acme.owner.put_json(&member, json!({ "role": "viewer" })).await.refuses(409, "break_glass_owner");
    acme.owner.delete(&member).await.refuses(409, "break_glass_owner");
    bob.curl.post_json("/organisations/acme/leave", json!({})).await.refuses(409, "break_glass_owner");
    bob.curl.delete("/me/2fa/totp").await.refuses(409, "break_glass_owner");
    bob.curl.post_json("/me/delete", json!({})).await.refuses(409, "break_glass_owner");
    assert_eq!(app.count("totp").await, 1);
    // Nor do groups take it away.
    let groupless = ada().called("bob").at("bob@example.com");
    acme.signs_in(&app, &app.browser(), &groupless).await.is(303);
    assert!(acme.roles(&app).await.contains(&"bob@example.com owner".to_owned()));
}
