//! Who it is that arrives: first arrivals, later ones, and accounts that are there already.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;
use vestibule::{
    ids::UserId,
    internals::{Actor, connection_by_id, link_identity},
    saml::{Name, NameFormat},
};

use crate::{
    harness::{PASSWORD, TestApp},
    idp::{Acme, Person, ada, comes_back, id_of, is_nobody, later, me, posts, request_in, resident},
};

#[actix_web::test]
async fn a_first_arrival_makes_an_account_with_a_confirmed_address_and_a_role_case_78() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();

    let request = acme.leave(&browser, &ada()).await;
    assert!(request.relay_state.len() <= 80, "saml-bindings §3.4.3");
    let response = acme.says(&app, &request, &ada().in_groups(&["makers"]));
    let hop = posts(&app, &browser, &response, &request.relay_state).await.is(303);
    assert!(hop.header("location").starts_with("/auth/saml/arrive?handoff="), "{}", hop.header("location"));
    assert!(is_nobody(&browser).await, "the cross-site POST signs nobody in");
    browser.get(hop.header("location")).await.goes_to("/me");

    let account = me(&browser).await;
    assert_eq!((&account["email"], &account["emailVerified"]), (&json!("ada@example.com"), &json!(true)));
    assert_eq!(account["name"], "Ada Lovelace");
    assert_eq!(acme.roles(&app).await, ["ada@example.com editor", "boss@acme.example owner"]);
    assert_eq!(acme.attempts(&app).await, ["success"]);
    assert_eq!(app.count("sessions WHERE method = 'sso'").await, 1);
    assert_eq!(app.count("users WHERE password_hash IS NULL").await, 1);
    assert!(app.emails_to("ada@example.com").await.is_empty(), "no password yet");
}

#[actix_web::test]
async fn claims_to_the_address_die_with_the_first_arrival_case_21() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let squatter = app.unverified_user("ada@example.com").await;
    let browser = app.browser();

    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");

    squatter.get("/me").await.refuses(401, "sign_in_required");
    let credentials = json!({ "email": "ada@example.com", "password": PASSWORD });
    app.curl().post_json("/login", credentials).await.refuses(401, "wrong_credentials");
    assert_eq!(app.count("users WHERE email_normalized = 'ada@example.com'").await, 1);
}

#[actix_web::test]
async fn a_later_arrival_follows_name_and_role_down_and_up_again_case_87() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    let role = async |groups: &[&'static str]| {
        later(&app);
        acme.signs_in(&app, &browser, &ada().in_groups(groups)).await.goes_to("/me");
        acme.roles(&app).await[0].clone()
    };

    assert_eq!(role(&["makers", "owners"]).await, "ada@example.com owner", "the most powerful of several");
    let first = id_of(&browser).await;
    assert_eq!(role(&["makers"]).await, "ada@example.com editor");
    assert_eq!(role(&["strangers"]).await, "ada@example.com viewer", "the default");
    assert_eq!(role(&["owners"]).await, "ada@example.com owner");
    assert_eq!(id_of(&browser).await, first, "it is the same account");

    let renamed = ada().named("Ada King");
    acme.signs_in(&app, &browser, &renamed).await.goes_to("/me");
    assert_eq!(me(&browser).await["name"], "Ada King");
}

#[actix_web::test]
async fn the_last_owner_stays_one_whatever_the_groups_say_case_87() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada().in_groups(&["owners"])).await.goes_to("/me");
    acme.owner.post_json("/organisations/acme/leave", json!({})).await.is(200);

    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");

    assert_eq!(acme.roles(&app).await, ["ada@example.com owner"]);
}

#[actix_web::test]
async fn a_changed_address_is_followed_where_it_is_proved_and_free_case_85() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    app.verified("taken@example.com").await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
    let account = id_of(&browser).await;
    let unverified_user = app.unverified_user("countess@example.com").await;

    acme.signs_in(&app, &browser, &ada().at("countess@example.com")).await.goes_to("/me");
    assert_eq!(me(&browser).await["email"], "countess@example.com");
    assert_eq!(id_of(&browser).await, account);
    unverified_user.get("/me").await.refuses(401, "sign_in_required");

    for kept in ["taken@example.com", "ada@elsewhere.example"] {
        acme.signs_in(&app, &browser, &ada().at(kept)).await.goes_to("/me");
        assert_eq!(me(&browser).await["email"], "countess@example.com", "not {kept}");
        assert_eq!(id_of(&browser).await, account);
    }
}

/// Chain 7: whoever gives a victim's own address out as one of its people gets neither an account nor a way into one.
#[actix_web::test]
async fn an_organisation_speaks_only_for_domains_that_it_proved_case_82() {
    for state in ["nobody", "unverified", "confirmed in that browser", "confirmed"] {
        let app = TestApp::open().await;
        let evil = Acme::unproved(&app, "Evil", "eve@evil.example").await;
        let browser = app.browser();
        let before = app.count("users").await;

        if state == "confirmed" {
            app.verified("ada@example.com").await;
        } else if state != "nobody" {
            app.unverified_user("ada@example.com").await;
        }
        evil.signs_in(&app, &browser, &ada()).await.is(403).says("didn't work");
        if state == "confirmed in that browser" {
            let token = app.token_for("ada@example.com").await;
            let form = [("token", token.as_str()), ("password", PASSWORD)];
            browser.post("/verify-email", &form).await.goes_to("/me");
            browser.post("/logout", &[]).await;
        }
        evil.signs_in(&app, &browser, &ada()).await.is(403);

        assert!(is_nobody(&browser).await, "{state}");
        let refused = evil.attempts(&app).await.into_iter().filter(|outcome| outcome == "domain_not_proved");
        assert_eq!(refused.count(), 2, "{state}");
        assert_eq!(app.count("identities").await, 0, "{state}");
        assert_eq!(app.count("users").await, before + i64::from(state != "nobody"), "{state}");
        assert_eq!(evil.roles(&app).await, ["eve@evil.example owner"], "{state}");
        // The domain by itself leads nobody there.
        app.browser().get("/auth/saml/login?email=ada@example.com").await.goes_to("/login");
    }
}

#[actix_web::test]
async fn a_member_of_an_unproved_domain_is_connected_once_they_signed_in_the_old_way_case_82() {
    let app = TestApp::open().await;
    let acme = Acme::unproved(&app, "Acme", "boss@acme.example").await;
    let id = id_of(&resident(&app, "ada@example.com").await).await;
    let browser = app.browser();
    app.db_execute(&format!(
        "INSERT INTO memberships (organisation_id, user_id, role, created_at) SELECT id, '{id}', 'viewer', \
             created_at FROM organisations"
    ))
    .await;

    acme.signs_in(&app, &browser, &ada()).await.goes_to("/auth/link");

    assert!(is_nobody(&browser).await);
    assert_eq!(app.count("identities").await, 0);
    let form = [("email", "ada@example.com"), ("password", PASSWORD)];
    browser.post("/login", &form).await.is(303);
    browser.post("/auth/saml/link", &[]).await.goes_to("/me");
    assert_eq!(app.count("identities").await, 1);
    assert_eq!(app.emails_that_say("ada@example.com", "Single sign-on with Acme was linked").await, 1);
    later(&app);
    let again = app.browser();
    acme.signs_in(&app, &again, &ada()).await.goes_to("/me");
    assert_eq!(id_of(&again).await, id);

    // Whoever proves the mailbox has said nothing of an organisation that does not speak for it.
    resets_by_mail(&app).await;
    assert_eq!(app.count("identities").await, 0);
}

async fn resets_by_mail(app: &TestApp) {
    let curl = app.curl();
    curl.post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let token = app.token_for("ada@example.com").await;
    let form = json!({ "token": token, "password": "another fine passphrase" });
    curl.post_json("/reset-password", form).await.is(200);
}

#[actix_web::test]
async fn with_a_proof_the_account_is_connected_once_its_person_signs_in_the_old_way_case_82() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let account = id_of(&resident(&app, "ada@example.com").await).await;
    let browser = app.browser();

    acme.signs_in(&app, &browser, &ada().in_groups(&["makers"])).await.goes_to("/auth/link");
    assert!(is_nobody(&browser).await);
    browser.get("/auth/saml/link").await.is(200).says("ada@example.com").says("Sign in to link them");
    browser.post("/auth/saml/link", &[]).await.goes_to("/login");

    // Somebody else who signs in here connects nothing.
    app.verified("eve@example.org").await;
    let eve = [("email", "eve@example.org"), ("password", PASSWORD)];
    browser.post("/login", &eve).await.goes_to("/me");
    browser.post("/auth/saml/link", &[]).await.is(422);
    assert_eq!(app.count("identities").await, 0);

    let old = [("email", "ada@example.com"), ("password", PASSWORD), ("next", "/auth/link")];
    browser.post("/login", &old).await.goes_to("/auth/link");
    browser.get("/auth/saml/link").await.is(200).says("Link accounts");
    browser.post("/auth/saml/link", &[]).await.goes_to("/me");
    assert_eq!(acme.roles(&app).await[0], "ada@example.com editor");
    browser.post("/auth/saml/link", &[]).await.is(422);

    let later = app.browser();
    acme.signs_in(&app, &later, &ada()).await.goes_to("/me");
    assert_eq!(id_of(&later).await, account);
}

#[actix_web::test]
async fn a_member_s_account_is_connected_at_once() {
    let app = TestApp::open().await;
    let acme = Acme::unproved(&app, "Acme", "boss@acme.example").await;
    acme.verifies(&app, "acme.example").await;
    let boss = ada().at("boss@acme.example").called("boss").in_groups(&["owners"]);
    let browser = app.browser();

    acme.signs_in(&app, &browser, &boss).await.goes_to("/me");

    assert_eq!(id_of(&browser).await, id_of(&acme.owner).await);
}

#[actix_web::test]
async fn another_tenant_s_identity_provider_gets_nobody_of_ours_case_82() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let evil = Acme::unproved(&app, "Evil", "eve@evil.example").await;
    evil.verifies(&app, "evil.example").await;
    let ours = app.browser();
    acme.signs_in(&app, &ours, &ada()).await.goes_to("/me");
    let account = id_of(&ours).await;

    // The same name, the same address: another identity.
    let browser = app.browser();
    evil.signs_in(&app, &browser, &ada()).await.is(403);
    assert!(is_nobody(&browser).await);
    assert!(evil.attempts(&app).await.contains(&"another_domain".to_owned()));

    // Somebody of theirs who is then said to have our address keeps their own.
    let mallory = ada().called("mallory").at("mallory@evil.example");
    evil.signs_in(&app, &browser, &mallory).await.goes_to("/me");
    evil.signs_in(&app, &browser, &mallory.clone().at("ada@example.com")).await.goes_to("/me");
    assert_ne!(id_of(&browser).await, account);
    assert_eq!(me(&browser).await["email"], "mallory@evil.example");

    // Nobody else of our domain either.
    evil.signs_in(&app, &browser, &mallory.called("new").at("bea@example.com")).await.is(403);
    assert_eq!(app.count("users WHERE email = 'bea@example.com'").await, 0);
}

/// Before organisations spoke only for domains that they proved, an unverified account could have an identity.
#[actix_web::test]
async fn an_identity_from_before_ends_when_the_mailbox_is_proved_case_21() {
    for by_link in [true, false] {
        let app = TestApp::open().await;
        let evil = Acme::unproved(&app, "Evil", "eve@evil.example").await;
        let id = id_of(&app.unverified_user("ada@example.com").await).await;
        let connection = evil.connection.clone();
        let linking = app.inner.write(move |tx| {
            let connection = connection_by_id(tx.conn, &connection)?;
            let name = Name { format: NameFormat::Persistent, value: "ada".to_owned() };
            link_identity(tx, &Actor::operator(), &connection.id, &name, &UserId::from_text(id))
        });
        linking.await.unwrap();
        let browser = app.browser();
        evil.signs_in(&app, &browser, &ada().in_groups(&["makers"])).await.goes_to("/me");

        let owner = app.curl();
        if by_link {
            let link = crate::magic_link::asked(&app, &owner, "ada@example.com").await;
            owner.post_json("/login/magic-link/verify", json!({ "token": link })).await.is(200);
            assert_eq!(me(&owner).await["emailVerified"], true);
        } else {
            app.send_emails().await;
            owner.post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
            let token = app.token_for("ada@example.com").await;
            let form = json!({ "token": token, "password": "another fine passphrase" });
            owner.post_json("/reset-password", form).await.is(200);
        }

        assert!(is_nobody(&browser).await);
        evil.signs_in(&app, &browser, &ada()).await.is(403);
        assert!(is_nobody(&browser).await);
        assert_eq!(evil.roles(&app).await, ["eve@evil.example owner"]);
    }
}

#[actix_web::test]
async fn whoever_leaves_is_not_known_there_any_more() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
    assert_eq!(app.count("identities").await, 1);

    browser.post("/organisations/acme/leave", &[]).await.goes_to("/organisations");

    assert_eq!(app.count("identities").await, 0);
    assert_eq!(app.count("audit WHERE event = 'identities_unlinked'").await, 1);
    // The account is theirs: who comes next with its address connects it the old way.
    acme.signs_in(&app, &app.browser(), &ada()).await.goes_to("/auth/link");
}

#[actix_web::test]
async fn an_address_that_somebody_new_has_there_is_not_the_account_of_who_had_it_case_27() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");

    let next = ada().called("another-ada").named("Ada the Second");
    acme.signs_in(&app, &app.browser(), &next).await.is(403);

    assert!(acme.attempts(&app).await.contains(&"another_name".to_owned()));
    assert_eq!(app.count("identities").await, 1);
    assert_eq!(me(&browser).await["name"], "Ada Lovelace");
}

#[actix_web::test]
async fn a_private_address_stays_and_the_old_mailbox_hears_of_a_move_case_12() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    acme.verifies(&app, "example.org").await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
    acme.signs_in(&app, &browser, &ada().at("ada@example.org")).await.goes_to("/me");
    let email = app.emails_to("ada@example.com").await.pop().unwrap();
    assert!(email.text.contains("ada@example.org") && email.text.contains("/me/email/undo"), "{email:?}");

    app.db_execute(
        "UPDATE users SET email = 'ada@home.example', email_normalized = 'ada@home.example' \
                  WHERE email = 'ada@example.org'",
    )
    .await;
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
    assert_eq!(me(&browser).await["email"], "ada@home.example");
}

#[actix_web::test]
async fn an_account_that_is_leaving_or_locked_is_told_so_and_stays_as_it_is_case_91() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
    let changed = ada().named("Somebody else").at("else@example.com").in_groups(&["owners"]);

    assert_eq!(app.command(&["user", "delete", "ada@example.com"]).code, Some(0));
    acme.signs_in(&app, &browser, &changed).await.is(303);
    browser.get("/me").await.goes_to("/me/delete/status");
    browser.post("/me/delete/cancel", &[]).await.is(303);
    assert_eq!(me(&browser).await["name"], "Ada Lovelace");

    assert_eq!(app.command(&["user", "lock", "ada@example.com"]).code, Some(0));
    acme.signs_in(&app, &browser, &changed).await.is(403).says("This account is locked");
    assert!(is_nobody(&browser).await);
    assert_eq!(acme.roles(&app).await, ["ada@example.com viewer", "boss@acme.example owner"]);
}

#[actix_web::test]
async fn names_that_differ_by_case_are_different_people() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let mut accounts = Vec::new();
    for (subject, email) in
        [("ada", "ada@example.com"), ("Ada", "ada2@example.com"), ("ADA", "ada3@example.com")]
    {
        let browser = app.browser();
        acme.signs_in(&app, &browser, &ada().called(subject).at(email)).await.goes_to("/me");
        accounts.push(id_of(&browser).await);
    }
    accounts.sort();
    accounts.dedup();
    assert_eq!(accounts.len(), 3);
}

#[actix_web::test]
async fn a_name_for_one_visit_is_refused_case_85() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    let request = acme.leave(&browser, &ada()).await;
    let transient = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
    let draft = acme.draft(&app, &request, &ada()).assertion(crate::saml::forger::PERSISTENT, transient);

    let response = draft.both_signed(&acme.idp.pen());
    comes_back(&app, &browser, &response, &request.relay_state).await.is(403);

    assert!(is_nobody(&browser).await);
    assert_eq!(acme.attempts(&app).await, ["name_format"]);
}

#[actix_web::test]
async fn nobody_arrives_without_an_address_case_32() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    let request = acme.leave(&browser, &ada()).await;
    let draft = acme.draft(&app, &request, &ada()).assertion("Name=\"email\"", "Name=\"shoe size\"");

    let response = draft.both_signed(&acme.idp.pen());
    comes_back(&app, &browser, &response, &request.relay_state).await.is(403);

    assert!(is_nobody(&browser).await);
    assert!(acme.attempts(&app).await.contains(&"no_address".to_owned()));
}

#[actix_web::test]
async fn with_its_connection_an_identity_is_gone_case_30() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
    let request = acme.leave_for(&browser).await;
    let response = acme.says(&app, &request, &ada());

    let (organisation, connection) = (acme.organisation.clone(), acme.connection.clone());
    let removed = app.inner.write(move |tx| {
        let actor = Actor::operator();
        vestibule::internals::remove_connection(tx, &actor, &organisation, &connection)
    });
    removed.await.unwrap();

    assert_eq!(app.count("identities").await + app.count("attempts").await, 0);
    assert_eq!(app.count("users WHERE email = 'ada@example.com'").await, 1, "the person stays");
    let other = app.browser();
    posts(&app, &other, &response, &request.relay_state).await.is(403);
    app.browser().get("/auth/saml/login?email=ada@example.com").await.goes_to("/login");
}

#[actix_web::test]
async fn fifty_first_arrivals_of_one_person_make_one_account() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let sign_ins = (0..50).map(async |_| {
        let browser = app.browser();
        acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
        id_of(&browser).await
    });
    let mut accounts = join_all(sign_ins).await;

    accounts.dedup();
    assert_eq!(accounts.len(), 1);
    assert_eq!(app.count("users WHERE email_normalized = 'ada@example.com'").await, 1);
    assert_eq!(app.count("identities").await, 1);
}

#[actix_web::test]
async fn the_session_ends_with_the_one_there_case_89() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    let request = acme.leave(&browser, &ada()).await;
    let draft = acme.draft(&app, &request, &ada());
    let soon = crate::saml::forger::at(600);
    let draft = draft.assertion(&crate::saml::forger::at(28_800), &soon);
    let response = draft.both_signed(&acme.idp.pen());
    comes_back(&app, &browser, &response, &request.relay_state).await.goes_to("/me");

    app.wait(TimeDelta::seconds(599));
    assert!(!is_nobody(&browser).await);
    app.wait(TimeDelta::seconds(1));
    assert!(is_nobody(&browser).await);
}

#[actix_web::test]
async fn one_goes_on_to_where_one_wanted_to_go_and_never_elsewhere() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    for (next, wanted) in [("/me/security", "/me/security"), ("//evil.example", "/me"), ("/me%0d%0ax", "/me")]
    {
        let browser = app.browser();
        let path = format!("/auth/saml/login?email=ada@example.com&next={next}");
        let request = request_in(&browser.get(&path).await);
        let response = acme.says(&app, &request, &ada());
        comes_back(&app, &browser, &response, &request.relay_state).await.goes_to(wanted);
    }
}

#[actix_web::test]
async fn where_one_is_led_does_not_tell_who_is_here() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    acme.signs_in(&app, &app.browser(), &ada()).await.goes_to("/me");
    let outline = async |email: &str| {
        let answer = app.browser().get(&format!("/auth/saml/login?email={email}")).await.is(303);
        (answer.status, answer.header("location").split('?').next().unwrap().to_owned())
    };
    assert_eq!(outline("ada@example.com").await, outline("eve@example.com").await);
    assert_eq!(outline("boss@acme.example").await, outline("eve@acme.example").await);
}

#[actix_web::test]
async fn the_second_factor_is_asked_for_unless_the_connection_says_otherwise() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
    let id = id_of(&browser).await;
    with_a_second_factor(&app, &id).await;

    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/login/2fa?next=%2Fme");
    assert!(is_nobody(&browser).await);
    acme.sets(&app, "asks_second_factor = FALSE").await;
    acme.signs_in(&app, &app.browser(), &ada()).await.goes_to("/me");
    // An organisation that has nothing proved any more vouches for no second factor.
    app.db_execute("UPDATE domains SET verified_at = NULL").await;
    acme.signs_in(&app, &app.browser(), &ada()).await.goes_to("/login/2fa?next=%2Fme");
}

#[actix_web::test]
async fn a_sign_in_from_before_connects_nothing_without_a_step_up() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = resident(&app, "ada@example.com").await.with("accept", "text/html");
    app.wait(TimeDelta::minutes(1));
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/auth/link");
    let answer = browser.post("/auth/saml/link", &[]).await.is(303);
    assert!(answer.header("location").starts_with("/auth/confirm"), "{}", answer.header("location"));
    assert_eq!(app.count("identities").await, 0);
}

#[actix_web::test]
async fn a_device_is_remembered_by_this_way_too() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    for (remember, is_remembered) in [("", false), ("&remember=true", true)] {
        let browser = app.browser();
        let way = browser.get(&format!("/login?email=ada%40example.com{remember}")).await.is(200);
        assert_eq!(way.body.contains("remember=true"), is_remembered, "{}", way.body);
        let path = format!("/auth/saml/login?email=ada%40example.com{remember}");
        let request = request_in(&browser.get(&path).await);
        let answer = posts(&app, &browser, &acme.says(&app, &request, &ada()), &request.relay_state).await;
        browser.get(answer.is(303).location().unwrap()).await.goes_to("/me");
        let program = browser.without("accept");
        let mine = program.get("/me/sessions").await.is(200).json()["sessions"][0].clone();
        assert_eq!((&mine["current"], &mine["remembered"]), (&json!(true), &json!(is_remembered)), "{mine}");
    }
}

/// An authenticator app on the account, as far as it makes a second factor due.
async fn with_a_second_factor(app: &TestApp, id: &str) {
    let row = format!("SELECT id, 'sealed', 0, created_at, created_at FROM users WHERE id = '{id}'");
    let columns = "user_id, sealed, last_step, created_at, last_used_at";
    app.db_execute(&format!("INSERT INTO totp ({columns}) {row}")).await;
}

#[actix_web::test]
async fn people_of_one_identity_provider_that_two_organisations_use_stay_apart_case_82() {
    let app = TestApp::open().await;
    let issuer = crate::saml::forger::IDP.to_owned();
    let acme = Acme::of(&app).await;
    let mut twin = Acme::known_as(&app, "Twin", "boss@twin.example", issuer).await;
    twin.idp = acme.idp.clone();
    let metadata = crate::saml::forger::metadata(&twin.issuer, &[&twin.idp]);
    twin.sets(&app, &format!("metadata = '{metadata}'")).await;
    twin.verifies(&app, "twin.example").await;

    // The response is right for the other connection, and was asked for by this one.
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
    twin.signs_in(&app, &app.browser(), &ada()).await.is(403);
    let person: Person = ada().at("ada@twin.example");
    let other = app.browser();
    twin.signs_in(&app, &other, &person).await.goes_to("/me");
    assert_ne!(id_of(&other).await, id_of(&browser).await);
}
