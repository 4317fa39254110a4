//! What never lets anybody in: responses used twice, brought by another browser, asked for by nobody, or forged.

use std::collections::BTreeMap;

use actix_web::http::Method;
use base64::prelude::{BASE64_STANDARD, Engine};
use futures_util::future::{join, join_all};
use vestibule::{
    ids::{Id, UserId},
    internals::{
        Actor, AuthnRequestState, SamlRequest, SsoIntent, announce_service_key, begin_service_key,
        issue_unowned_token,
    },
    saml::{Presented, Reason},
    secret,
};

use crate::{
    harness::{Answer, TestApp, test_server},
    idp::{ANSWERED, Acme, abroad, ada, comes_back, is_nobody, posts, request_in, resident},
    saml::{self, collected, content, cost, encrypted, hostile, parsers, signatures, wrapping},
};

async fn https() -> TestApp {
    TestApp::with(&[("BASE_URL", "https://app.example")]).await
}

/// Whether a response passed; its browser comes for what was proved.
fn is_handoff(answer: &Answer) -> bool {
    answer.status == 303 && answer.header("location").starts_with("/auth/saml/arrive?")
}

#[actix_web::test]
async fn a_response_is_good_once_case_81() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    let request = acme.leave(&browser, &ada()).await;
    let response = acme.says(&app, &request, &ada());

    let hop = posts(&app, &browser, &response, &request.relay_state).await.is(303);
    posts(&app, &browser, &response, &request.relay_state).await.goes_to(ANSWERED);
    browser.get(ANSWERED).await.is(403).says("You are not signed in");
    let handoff = hop.header("location").to_owned();
    browser.head(&handoff).await;
    browser.get(&handoff).await.goes_to("/me");
    // Whoever loads either page again is in already, and goes on.
    browser.get(&handoff).await.goes_to("/me");
    posts(&app, &browser, &response, &request.relay_state).await.goes_to(ANSWERED);
    browser.get(ANSWERED).await.goes_to("/me");
    app.browser().get(&handoff).await.is(403);

    assert_eq!(app.count("sessions WHERE method = 'sso'").await, 1);
}

#[actix_web::test]
async fn of_fifty_at_once_one_gets_in_case_81() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    let request = acme.leave(&browser, &ada()).await;
    let response = acme.says(&app, &request, &ada());

    let answers = join_all((0..50).map(|_| posts(&app, &browser, &response, &request.relay_state))).await;

    let handoffs: Vec<_> = answers.iter().filter(|answer| is_handoff(answer)).collect();
    assert_eq!(handoffs.len(), 1);
    let handoff = handoffs[0].header("location").to_owned();
    join_all((0..50).map(async |_| browser.clone().get(&handoff).await)).await;
    assert_eq!(app.count("sessions WHERE method = 'sso'").await, 1);
}

#[actix_web::test]
async fn on_two_nodes_at_once_one_gets_in_case_81() {
    let app = TestApp::open().await;
    let other = match test_server() {
        Some(_) => app.second_node().await,
        // Two processes share a file as well.
        None => app.second_node_with(&[]).await,
    };
    let acme = Acme::of(&app).await;
    for _ in 0..10 {
        let browser = app.browser();
        let request = acme.leave(&browser, &ada()).await;
        let response = acme.says(&app, &request, &ada());

        let (here, there) = join(
            posts(&app, &browser, &response, &request.relay_state),
            posts(&other, &browser, &response, &request.relay_state),
        )
        .await;

        assert_ne!(is_handoff(&here), is_handoff(&there));
    }
}

#[actix_web::test]
async fn an_assertion_is_remembered_even_if_it_is_wrapped_anew_case_81() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let (first, second) = (app.browser(), app.browser());
    let request = acme.leave(&first, &ada()).await;
    let response = acme.says(&app, &request, &ada());
    comes_back(&app, &first, &response, &request.relay_state).await.goes_to("/me");

    // Even where a second request had the same ID, which none has.
    let again = acme.leave(&second, &ada()).await;
    let nonce = secret::digest(&second.cookie("saml").unwrap());
    app.db_execute(&format!(
        "UPDATE tokens SET used_at = NULL, claim = replace(claim, '{}', '{}') WHERE claim LIKE \
        '%{nonce}%'",
        again.id, request.id
    ))
    .await;
    comes_back(&app, &second, &response, &again.relay_state).await.is(403);

    assert!(is_nobody(&second).await);
    assert!(acme.attempts(&app).await.contains(&"replayed".to_owned()));
}

#[actix_web::test]
async fn another_browser_brings_nothing_in_case_80() {
    for is_https in [true, false] {
        let app = if is_https { https().await } else { TestApp::open().await };
        let acme = Acme::of(&app).await;
        let (victim, attacker) = (app.browser(), app.browser());
        // The attacker's own response, posted by the victim's browser: it would sign the victim in as the attacker.
        let request = acme.leave(&attacker, &ada()).await;
        let response = acme.says(&app, &request, &ada());

        comes_back(&app, &victim, &response, &request.relay_state).await.is(403);

        assert!(is_nobody(&victim).await && is_nobody(&attacker).await);
        assert!(acme.attempts(&app).await.contains(&"another_browser".to_owned()));
        assert_eq!(app.count("sessions WHERE method = 'sso'").await, 0);

        // Nor does one that asked for something itself.
        acme.leave(&victim, &ada()).await;
        let request = acme.leave(&attacker, &ada()).await;
        let response = acme.says(&app, &request, &ada());
        comes_back(&app, &victim, &response, &request.relay_state).await.is(403);
        assert!(is_nobody(&victim).await);
    }
}

#[actix_web::test]
async fn over_https_the_nonce_travels_with_the_cross_site_post_and_nothing_else_does_case_80() {
    let app = https().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    let left = browser.get("/auth/saml/login?email=ada@example.com").await.is(303);
    let cookie = left.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-saml="), "{cookie}");
    for word in ["HttpOnly", "SameSite=None", "Secure", "Path=/", "Max-Age=3900"] {
        assert!(cookie.contains(word), "{word}: {cookie}");
    }
    let request = request_in(&left);

    let response = acme.says(&app, &request, &ada());
    comes_back(&app, &browser, &response, &request.relay_state).await.goes_to("/me");

    assert!(browser.cookie("__Host-session").is_some());
}

#[actix_web::test]
async fn a_relay_state_that_is_unknown_used_or_another_s_opens_nothing_case_79() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let beta = Acme::unproved(&app, "Beta", "boss@beta.example").await;
    let browser = app.browser();
    let request = acme.leave(&browser, &ada()).await;
    let response = acme.says(&app, &request, &ada());
    let elsewhere = beta.leave_for(&browser).await;

    for unknown in ["", "0", "/me", "https://evil.example", &"x".repeat(43)] {
        posts(&app, &browser, &response, unknown).await.is(403);
    }
    // Of another connection: neither its issuer nor its request.
    comes_back(&app, &browser, &response, &elsewhere.relay_state).await.is(403);
    assert_eq!(beta.attempts(&app).await.len(), 1);
    assert!(acme.attempts(&app).await.is_empty() && is_nobody(&browser).await);
    // Of another request of the same one.
    let second = acme.leave(&browser, &ada()).await;
    comes_back(&app, &browser, &response, &second.relay_state).await.is(403);
    assert_eq!(acme.attempts(&app).await, ["wrong_request"]);

    comes_back(&app, &browser, &response, &request.relay_state).await.goes_to("/me");
    app.browser().get("/auth/saml/arrive?handoff=nothing").await.is(403);
    app.browser().get("/auth/saml/arrive").await.is(403);
}

#[actix_web::test]
async fn a_request_is_open_for_an_hour_or_as_long_as_is_set() {
    for (life, minutes) in [(None, 60), (Some(("SAML_REQUEST_LIFE", "5m")), 5)] {
        let app = TestApp::with(life.as_slice()).await;
        let acme = Acme::of(&app).await;
        let browser = app.browser();
        let early = acme.leave(&browser, &ada()).await;
        let late = acme.leave(&browser, &ada()).await;

        app.wait(chrono::TimeDelta::seconds(minutes * 60 - 1));
        let response = acme.says(&app, &early, &ada());
        comes_back(&app, &browser, &response, &early.relay_state).await.goes_to("/me");
        app.wait(chrono::TimeDelta::seconds(1));
        let response = acme.says(&app, &late, &ada());
        posts(&app, &browser, &response, &late.relay_state).await.is(403);
    }
}

#[actix_web::test]
async fn a_sign_in_that_begins_there_is_refused_or_asked_for_anew_case_79() {
    let app = https().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    let before = acme.leave(&browser, &ada()).await;
    let unasked = |draft: saml::forger::Draft| {
        let own = format!(" InResponseTo=\"{}\"", before.id);
        draft.response(&own, "").assertion(&own, "").both_signed(&acme.idp.pen())
    };
    let response = unasked(acme.draft(&app, &before, &ada()));

    posts(&app, &browser, &response, "").await.is(403);
    acme.sets(&app, "allows_idp_initiated = TRUE").await;

    // Nothing of it is believed: where its person wants it, a fresh request goes there, and its answer is.
    let page = posts(&app, &browser, &response, "").await.is(200);
    page.says("Another site sent you here").says(acme.connection.as_str());
    let fresh = acme.leave_for(&browser).await;
    assert!(is_nobody(&browser).await);
    assert_ne!(fresh.id, before.id);
    comes_back(&app, &browser, &response, &fresh.relay_state).await.is(403);
    posts(&app, &browser, &response, "/somewhere").await.is(200);
    let fresh = acme.leave_for(&browser).await;
    let answer = acme.says(&app, &fresh, &ada());
    comes_back(&app, &browser, &answer, &fresh.relay_state).await.goes_to("/me");

    // One that claims to answer something is no such sign-in.
    let late = acme.says(&app, &before, &ada());
    comes_back(&app, &browser, &late, &before.relay_state).await.goes_to("/me");
    posts(&app, &browser, &late, &before.relay_state).await.goes_to(ANSWERED);
    posts(&app, &browser, &late, "").await.is(403);
}

/// A tile in a portal may lead to a page of this site, and to no other.
#[actix_web::test]
async fn the_relay_state_of_a_tile_leads_to_its_local_path() {
    let app = https().await;
    let acme = Acme::of(&app).await;
    acme.sets(&app, "allows_idp_initiated = TRUE").await;
    let browser = app.browser();
    let before = acme.leave(&browser, &ada()).await;
    let own = format!(" InResponseTo=\"{}\"", before.id);
    let unasked =
        acme.draft(&app, &before, &ada()).response(&own, "").assertion(&own, "").both_signed(&acme.idp.pen());

    for path in ["/me/security", "https://app.example/me/security"] {
        posts(&app, &browser, &unasked, path).await.is(200).says("name=\"next\" value=\"/me/security\"");
    }
    for elsewhere in
        ["https://evil.example/", "//evil.example/", "https://app.example.evil.example/", "x", ""]
    {
        posts(&app, &browser, &unasked, elsewhere).await.is(200).hides("name=\"next\"");
    }
}

/// Else any site could sign its visitors in to an account of its own.
#[actix_web::test]
async fn whoever_is_led_here_by_another_site_is_asked_first() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    let led = browser.clone().with("sec-fetch-site", "cross-site");
    let address = format!("/auth/saml/login?connection={}", acme.connection);

    let page = led.get(&format!("{address}&next=/me/security")).await.is(200);

    page.says("Acme").says(acme.connection.as_str()).says("value=\"/me/security\"");
    assert!(browser.cookie("saml").is_none());
    assert_eq!(app.count("tokens WHERE purpose = 'saml_request'").await, 0);
    // Nor does a sign-in here lead on to another one by itself.
    let led = resident(&app, "eve@example.org").await;
    led.get(&address).await.is(200).says("You are signed in as").says("eve@example.org");
    led.with("sec-fetch-site", "cross-site")
        .post("/auth/saml/login", &[("connection", acme.connection.as_str())])
        .await
        .is(403);
}

#[actix_web::test]
async fn of_several_that_copied_an_issuer_the_one_with_a_domain_takes_what_begins_there() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let twin = Acme::known_as(&app, "Twin", "boss@twin.example", acme.issuer.clone()).await;
    for connection in [&acme, &twin] {
        connection.sets(&app, "allows_idp_initiated = TRUE").await;
    }
    let browser = app.browser();
    let before = acme.leave(&browser, &ada()).await;
    let own = format!(" InResponseTo=\"{}\"", before.id);
    let draft = acme.draft(&app, &before, &ada()).response(&own, "").assertion(&own, "");

    let page = posts(&app, &browser, &draft.both_signed(&acme.idp.pen()), "").await.is(200);

    page.says(acme.connection.as_str()).hides(twin.connection.as_str());
}

/// Anybody may copy metadata and put an address of their own into it.
#[actix_web::test]
async fn what_begins_at_somebody_else_s_identity_provider_leads_to_no_copy_of_it() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let copy = Acme::known_as(&app, "Twin", "boss@twin.example", acme.issuer.clone()).await;
    copy.sets(&app, "allows_idp_initiated = TRUE").await;
    let browser = app.browser();
    let before = acme.leave(&browser, &ada()).await;
    let own = format!(" InResponseTo=\"{}\"", before.id);
    let unasked =
        acme.draft(&app, &before, &ada()).response(&own, "").assertion(&own, "").both_signed(&acme.idp.pen());

    // Acme takes none, the copy has no domain: nobody is led anywhere.
    posts(&app, &browser, &unasked, "").await.is(403);

    acme.sets(&app, "allows_idp_initiated = TRUE").await;
    let page = posts(&app, &browser, &unasked, "").await.is(200);
    page.says(acme.connection.as_str()).hides(copy.connection.as_str()).says("idp.example");
    // Also where the copy proves a domain of its own, it gets none of Acme's: there are two, so neither is believed.
    copy.verifies(&app, "twin.example").await;
    posts(&app, &browser, &unasked, "").await.is(403);
}

/// One start must not pay for many readings.
#[actix_web::test]
async fn a_request_is_used_up_by_the_first_answer_whatever_it_says() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    for rubbish in ["<a/>", "not XML at all", ""] {
        let request = acme.leave(&browser, &ada()).await;
        posts(&app, &browser, rubbish, &request.relay_state).await.is(303);
        let honest = acme.says(&app, &request, &ada());

        posts(&app, &browser, &honest, &request.relay_state).await.goes_to(ANSWERED);
    }
    assert!(is_nobody(&browser).await);
    assert_eq!(acme.attempts(&app).await.len(), 3);
}

#[actix_web::test]
async fn the_callback_reads_forms_of_a_certain_size_only_case_90() {
    let app = TestApp::open().await;
    Acme::of(&app).await;
    let there = abroad(&app, &app.browser());
    let send = async |kind: &'static str, body: String| {
        there.send(Method::POST, "/auth/saml/callback", Some((kind, body))).await.status.as_u16()
    };
    let form = "application/x-www-form-urlencoded";
    assert_eq!(send(form, "x".repeat(300 << 10)).await, 413);
    assert_eq!(send("application/json", "{}".to_owned()).await, 415);
    assert_eq!(send("text/plain", "SAMLResponse=x".to_owned()).await, 415);
    for rubbish in
        ["", "SAMLResponse=", "SAMLResponse=%00&RelayState=%00", "RelayState=x", "SAMLResponse=PGE%2B"]
    {
        assert_eq!(send(form, rubbish.to_owned()).await, 403, "{rubbish}");
    }
    assert_eq!(send(form, "SAMLResponse=a&SAMLResponse=b".to_owned()).await, 400);
    assert_eq!(send(form, "SAMLResponse=%ff".to_owned()).await, 400);
    app.browser().get("/healthz").await.is(200);
}

#[actix_web::test]
async fn a_test_sign_in_lets_nobody_in_and_changes_nobody() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    let request = acme.leave(&browser, &ada()).await;
    let tester = app.texts("SELECT id AS text FROM users").await.remove(0);
    // The request of an owner who tries the connection.
    let test = serde_json::json!({ "Test": { "user": tester } });
    app.db_execute(&format!(
        "UPDATE tokens SET claim = replace(claim, '\"SignIn\"', '{test}') WHERE purpose = 'saml_request'"
    ))
    .await;
    let response = acme.says(&app, &request, &ada());

    let shown = posts(&app, &browser, &response, &request.relay_state).await.is(303);

    let place = format!("/organisations/acme/sso/{}/attempts/", acme.connection);
    assert!(shown.header("location").starts_with(&place), "{}", shown.header("location"));
    assert!(is_nobody(&browser).await);
    assert_eq!(app.count("users").await, 1);
    assert_eq!(app.count("identities").await, 0);
    assert_eq!(app.count("connections WHERE tested_at IS NOT NULL").await, 1);
    assert_eq!(app.count("attempts WHERE is_test AND outcome = 'success'").await, 1);
}

/// Every list of forgeries there is.
fn forgeries() -> Vec<(Presented, Reason)> {
    collected(|| {
        signatures::a_signature_that_is_missing_or_another_s_or_broken_is_refused();
        wrapping::a_second_assertion_is_refused_wherever_it_is_wrapped();
        signatures::signatures_lie_where_they_belong_and_say_what_they_must();
        cost::transforms_are_exactly_two_and_their_lists_are_short();
        cost::namespaces_are_named_by_absolute_uris();
        parsers::text_that_two_parsers_could_read_differently_is_refused_case_90();
        content::each_time_and_each_address_is_held_against_ours();
        encrypted::encrypted_forgeries_and_encrypted_rubbish_are_refused();
        hostile::nothing_in_a_response_makes_us_open_anything();
        hostile::large_deep_and_wide_documents_are_refused();
    })
}

#[actix_web::test]
async fn no_forgery_gets_anybody_in_case_90() {
    let app = https().await;
    let acme = Acme::of(&app).await;
    let now = app.clock.now();
    let forgeries: Vec<_> = forgeries().into_iter().filter(|(forgery, _)| forgery.now == now).collect();
    assert!(forgeries.len() > 150, "{}", forgeries.len());
    let owner = app.texts("SELECT id AS text FROM users").await.remove(0);
    let nonce = "n".repeat(43);
    let mut wrong: BTreeMap<String, usize> = BTreeMap::new();
    for (forgery, reason) in forgeries {
        let relay_state = asked(&app, &acme, &forgery, &nonce, &owner).await;
        let browser = app.browser();
        browser.set_cookie("__Host-saml", &nonce);
        let answer = post_raw(&app, &browser, forgery.response, &relay_state).await;
        if answer.status == 413 {
            continue;
        }
        let outcomes = acme.attempts(&app).await;
        let is_told = answer.header("location").starts_with("/auth/saml/refused?reference=");
        if !is_told || outcomes != [reason.code()] {
            let output = format!("{}: {} {outcomes:?}", reason.code(), answer.status);
            *wrong.entry(output).or_default() += 1;
        }
        assert!(browser.cookie("__Host-session").is_none());
    }
    assert_eq!(wrong, BTreeMap::new());
    assert_eq!(app.count("sessions WHERE method = 'sso'").await, 0);
    assert_eq!(app.inner.saml_pool().panics(), 0);
    app.browser().get("/healthz").await.is(200);

    // The same worker still lets honest people in.
    let browser = app.browser();
    let issuer = "https://idp.honest.example".to_owned();
    let honest = Acme::known_as(&app, "Honest", "boss@honest.example", issuer).await;
    honest.verifies(&app, "honest.example").await;
    honest.signs_in(&app, &browser, &ada().at("ada@honest.example")).await.goes_to("/me");
}

/// Makes the house believe that it asked what a forgery answers, of whom it is held against.
async fn asked(app: &TestApp, acme: &Acme, forgery: &Presented, nonce: &str, owner: &str) -> String {
    let keys: String = forgery
        .provider
        .certificates
        .iter()
        .map(|certificate| {
            format!(
                "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"{}\"><ds:X509Data><ds:X509Certificate>{}\
                 </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
                saml::forger::DSIG,
                BASE64_STANDARD.encode(certificate.der())
            )
        })
        .collect();
    let metadata = saml::forger::metadata(&forgery.provider.entity_id, &[]);
    let metadata = metadata.replace("<md:SingleSignOnService", &format!("{keys}<md:SingleSignOnService"));
    let purpose = match forgery.request.force_authn {
        true => SsoIntent::StepUp { user: UserId::from_text(owner), session: Id::from_text("none") },
        false => SsoIntent::SignIn,
    };
    let asked = AuthnRequestState {
        remembered: false,
        connection: acme.connection.clone(),
        request: forgery.request.id.clone(),
        at: forgery.request.sent_at.unix(),
        browser: secret::digest(nonce),
        purpose,
        next: None,
    };
    let (keys, id) = (forgery.service.keys.clone(), acme.connection.clone());
    let begun = app.inner.write(move |tx| {
        use diesel::prelude::*;
        use vestibule::db::schema::{attempts, connections, service_keys};
        diesel::delete(attempts::table).execute(tx.conn)?;
        diesel::delete(service_keys::table).execute(tx.conn)?;
        let here = connections::table.find(&id);
        diesel::update(here).set(connections::metadata.eq(metadata)).execute(tx.conn)?;
        let actor = Actor::operator();
        if let Some(key) = keys.first() {
            begin_service_key(tx, &actor, key)?;
        }
        if let Some(key) = keys.get(1) {
            announce_service_key(tx, &actor, key)?;
        }
        let secret = issue_unowned_token::<SamlRequest>(tx, &asked)?;
        Ok(secret.reveal().to_owned())
    });
    begun.await.unwrap()
}

async fn post_raw(
    app: &TestApp,
    browser: &crate::harness::Visitor,
    response: String,
    relay_state: &str,
) -> Answer {
    let fields = [("SAMLResponse", response), ("RelayState", relay_state.to_owned())];
    let form = ("application/x-www-form-urlencoded", serde_urlencoded::to_string(fields).unwrap());
    abroad(app, browser).send(Method::POST, "/auth/saml/callback", Some(form)).await
}
