//! What an application needs of its visitors: met on the way, raised by a check and never lowered.

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::json;

use super::{Gate, WIKI, asks, check, local, origin, user_in};
use crate::harness::{PASSWORD, TestApp, Visitor, organisations::Acme};

/// Goes to the host as somebody signed in here, and says where that ends: a path here, or the host itself.
async fn goes(gate: &Gate, host: &Visitor, me: &Visitor) -> String {
    let start = check(host).await.is(303);
    let start = local(start.location().unwrap(), &origin(WIKI));
    let enter = local(host.get_once(&start).await.is(303).location().unwrap(), &gate.app.base_url);
    let here = me.clone().with("accept", "text/html").with("sec-fetch-site", "cross-site");
    here.get_once(&enter).await.is(303).location().unwrap().to_owned()
}

/// The same, and all the way in.
async fn comes_in(gate: &Gate, host: &Visitor, me: &Visitor) {
    let back = local(&goes(gate, host, me).await, &origin(WIKI));
    host.get_once(&back).await.is(303);
    check(host).await.is(200);
}

#[actix_web::test]
async fn somebody_whose_address_is_not_confirmed_confirms_it_first() {
    let gate = Gate::with(&["--need", "verified"]).await;
    let ada = gate.app.unverified_user("ada@example.com").await;
    let host = gate.browser();
    let there = goes(&gate, &host, &ada).await;
    assert!(there.starts_with("/verify-email/needed?next=%2Fgate%2Fenter"), "{there}");
    let token = gate.app.token_for("ada@example.com").await;
    ada.post_json("/verify-email", json!({ "token": token })).await.is(200);
    comes_in(&gate, &host, &ada).await;
}

#[actix_web::test]
async fn a_second_factor_is_asked_for_on_the_way() {
    let gate = Gate::with(&["--need", "second-factor"]).await;
    let without = gate.app.verified("bob@example.com").await;
    let host = gate.browser();
    let there = goes(&gate, &host, &without).await;
    assert!(
        there.starts_with("/gate/trouble?host=wiki.localhost%3A8080&code=second_factor_required"),
        "{there}"
    );
    let page = without.clone().with("accept", "text/html").get_once(&there).await.is(200);
    page.says("/me/2fa").says("Turn on two-step verification");

    let owner = gate.app.with_app("ada@example.com").await;
    gate.app.wait(TimeDelta::seconds(30));
    let me = gate.app.curl();
    owner.submits_password(&me).await.is(200);
    me.submits_code(&gate.app.code(&owner.secret)).await.is(200);
    let host = gate.browser();
    comes_in(&gate, &host, &me).await;
    assert_eq!(check(&host).await.header("vestibule-acr"), "2fa");
}

#[actix_web::test]
async fn a_session_with_one_factor_shows_the_second_before_it_goes_on() {
    let gate = Gate::with(&[]).await;
    // The app was set up elsewhere after this session began, which stayed.
    let owner = gate.app.with_app("ada@example.com").await;
    gate.app.db_execute("UPDATE sessions SET second_factor = NULL, stepped_up_with = 'password'").await;
    let host = gate.browser();
    comes_in(&gate, &host, &owner.curl).await;
    assert_eq!(gate.app.command(&["app", "set", WIKI, "--need", "second-factor"]).code, Some(0));
    // What a program is told, of the session that came in before.
    check(&gate_script(&host)).await.refuses(403, "second_factor_required");
    let there = goes(&gate, &host, &owner.curl).await;
    assert!(there.starts_with("/auth/confirm?next=%2Fgate%2Fenter"), "{there}");
    let code = gate.app.next_code(&owner.secret);
    owner.curl.post_json("/auth/confirm", json!({ "code": code })).await.is(200);
    // The cookie of the host is still the one from before.
    check(&host).await.is(200);
    comes_in(&gate, &gate.browser(), &owner.curl).await;
}

fn gate_script(host: &Visitor) -> Visitor {
    host.clone().with("sec-fetch-mode", "cors").with("accept", "*/*")
}

#[actix_web::test]
async fn a_sign_in_that_is_too_old_is_confirmed_on_the_way() {
    let gate = Gate::with(&["--need", "recent=5m"]).await;
    let ada = gate.app.verified("ada@example.com").await;
    let host = gate.browser();
    comes_in(&gate, &host, &ada).await;
    gate.app.wait(TimeDelta::seconds(301));
    let answer = check(&gate_script(&host)).await.refuses(403, "reauthentication_required");
    assert_eq!(answer.json()["confirm"], format!("{}/.vestibule/start?to=%2Fx", origin(WIKI)).as_str());
    let there = goes(&gate, &host, &ada).await;
    assert!(
        there.starts_with("/auth/confirm?next=%2Fgate%2Fenter") && there.ends_with("&strength=any"),
        "{there}"
    );
    ada.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    // The cookie of the host is still the one from before.
    check(&host).await.is(200);
    comes_in(&gate, &gate.browser(), &ada).await;
}

#[actix_web::test]
async fn a_check_asks_for_more_and_never_for_less() {
    let gate = Gate::with(&["--need", "recent=1h"]).await;
    let ada = gate.app.verified("ada@example.com").await;
    let host = gate.browser();
    comes_in(&gate, &host, &ada).await;
    gate.app.wait(TimeDelta::minutes(10));
    let ask = async |query: &str| gate_script(&host).get_once(&format!("/gate/check?{query}")).await;
    for (query, code) in [
        ("vestibule-recent=300", "reauthentication_required"),
        ("vestibule-acr=2fa", "second_factor_required"),
        ("vestibule-acr=phr", "second_factor_required"),
        ("vestibule-role=acme", "application_forbidden"),
        ("vestibule-role=nowhere:owner", "application_forbidden"),
        ("vestibule-role=acme:nothing:read", "application_forbidden"),
        // What cannot be read is not let through.
        ("Vestibule-acr=2fa", "gate_untrusted"),
        ("vestibule_acr=2fa", "gate_untrusted"),
        ("vestibule-recent=soon", "gate_untrusted"),
        ("vestibule-acr=0fa", "gate_untrusted"),
        ("vestibule-rule=acme", "gate_untrusted"),
    ] {
        ask(query).await.refuses(403, code);
    }
    ask("vestibule-recent=86400&vestibule-acr=1fa&recent=1&role=x").await.is(200);
    gate.app.wait(TimeDelta::minutes(51));
    ada.get("/me").await;
    ask("vestibule-recent=86400").await.is(401);

    // What was asked for besides goes along, so that it is met on the way.
    let host = asks(gate.browser(), "GET", "/x");
    let answer = host.get_once("/gate/check?vestibule-recent=300&vestibule-role=acme").await.is(303);
    let start = local(answer.location().unwrap(), &origin(WIKI));
    assert_eq!(start, "/.vestibule/start?to=%2Fx&vestibule-recent=300&vestibule-role=acme");
    let enter = host.get_once(&start).await.is(303);
    assert!(enter.location().unwrap().ends_with("&to=%2Fx&vestibule-recent=300&vestibule-role=acme"));
}

/// Acme behind a proxy that is trusted, with an application that its members use.
async fn acme(options: &[&str]) -> (Acme, Gate) {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let node = app.second_node().await;
    let acme = Acme::of(app).await;
    (acme, Gate::of(node, options))
}

#[actix_web::test]
async fn members_come_in_and_others_are_told_whom_to_ask_case_a8_19() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let acme = Acme::of(app).await;
    let gate = Gate::of(acme.app.second_node().await, &["--need", "member=acme:editor"]);
    let (bob, id) = acme.joins("bob@example.com", "viewer").await;
    let eve = gate.app.verified("eve@example.com").await;
    for stranger in [&bob, &eve] {
        let host = gate.browser();
        let there = goes(&gate, &host, stranger).await;
        assert!(
            there.starts_with("/gate/trouble?host=wiki.localhost%3A8080&code=application_forbidden"),
            "{there}"
        );
        let page = stranger.clone().with("accept", "text/html").get_once(&there).await.is(200);
        page.says("You may not use Wiki").says("Use another account");
        assert!(!gate.is_let_in(&host).await);
    }
    comes_in(&gate, &gate.browser(), &acme.ada).await;
    acme.enters(&vestibule::ids::Id::from_text(id.clone()), "editor").await;
    let host = gate.browser();
    comes_in(&gate, &host, &bob).await;
    assert_eq!(check(&host).await.header("remote-groups"), "acme:editor");

    // Whoever loses it is out at the next request, and no other sign-in is asked for.
    acme.ada.delete(&Acme::member_path(&id)).await.is(200);
    check(&gate_script(&host)).await.refuses(403, "application_forbidden");
    let trouble =
        format!("{}/gate/trouble?host=wiki.localhost%3A8080&code=application_forbidden", gate.app.base_url);
    check(&host).await.goes_to(&trouble);

    let away = post(&bob, &[("host", WIKI), ("to", "/x")]).await.is(303);
    let to = "/login?next=%2Fgate%2Fenter%3Fhost%3Dwiki.localhost%253A8080%26to%3D%252Fx";
    assert_eq!(away.location(), Some(to));
    bob.get("/me").await.is(401);
    let next = acme.ada.get_once("/gate/enter?host=wiki.localhost%3A8080&to=%2Fx").await.is(200).json();
    assert_eq!(next["location"], format!("{}/.vestibule/start?to=%2Fx", origin(WIKI)).as_str());
}

async fn post(visitor: &Visitor, fields: &[(&str, &str)]) -> crate::harness::Answer {
    let body = serde_urlencoded::to_string(fields).unwrap();
    let browser = visitor.clone().with("accept", "text/html");
    browser.send(Method::POST, "/gate/trouble", Some(("application/x-www-form-urlencoded", body))).await
}

#[actix_web::test]
async fn a_permission_or_a_role_of_its_own_lets_in_as_well() {
    let (acme, gate) = acme(&[]).await;
    let role = acme.role("Support", &["members:invite"]).await;
    let (bob, _) = acme.joins("bob@example.com", &role).await;
    let (cleo, _) = acme.joins("cleo@example.com", "viewer").await;
    let (of_bob, of_cleo) = (gate.lets_in(&bob).await, gate.lets_in(&cleo).await);
    assert_eq!(check(&of_bob).await.header("remote-groups"), format!("acme:{role}"));
    let by_role = format!("member=acme:{role}");
    for (needs, lets_bob, lets_cleo) in [
        (vec!["member=acme"], true, true),
        (vec!["member=acme:viewer"], true, true),
        (vec!["member=acme:owner"], false, false),
        (vec!["member=acme:members:invite"], true, false),
        (vec![by_role.as_str()], true, false),
        // Any one of them is enough.
        (vec!["member=acme:owner", "member=acme:members:invite"], true, false),
        (vec!["verified"], true, true),
    ] {
        let needed: Vec<&str> = needs.iter().flat_map(|need| ["--need", need]).collect();
        let set = gate.app.command(&[&["app", "set", WIKI][..], &needed].concat());
        assert_eq!(set.code, Some(0), "{}", set.err);
        assert_eq!(gate.is_let_in(&of_bob).await, lets_bob, "{needs:?}");
        assert_eq!(gate.is_let_in(&of_cleo).await, lets_cleo, "{needs:?}");
    }
    // While the organisation waits to be deleted nobody belongs to it.
    gate.app.command(&["app", "set", WIKI, "--need", "member=acme"]);
    assert!(gate.is_let_in(&of_cleo).await);
    assert_eq!(gate.app.command(&["organisation", "delete", "acme"]).code, Some(0));
    assert!(!gate.is_let_in(&of_cleo).await);
}

#[actix_web::test]
async fn too_many_groups_are_left_out_of_the_header_and_told_to_scripts_case_a8_22() {
    let (acme, gate) = acme(&[]).await;
    let host = gate.lets_in(&acme.ada).await;
    let mut needs = Vec::new();
    for number in 0..25 {
        let slug = format!("organisation-with-a-really-long-name-{number:02}");
        acme.ada.post_json("/organisations", json!({ "name": slug, "slug": slug })).await.is(201);
        needs.extend(["--need".to_owned(), format!("member={slug}")]);
        if number == 18 {
            let groups = check(&host).await.header("remote-groups").to_owned();
            assert_eq!(groups.split(',').count(), 20, "{groups}");
        }
    }
    // More than twenty that nobody asked for.
    assert_eq!(check(&host).await.header("remote-groups"), "");
    // And more than a kibibyte of those that somebody did.
    let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
    assert_eq!(gate.app.command(&[&["app", "set", WIKI][..], &needs].concat()).code, Some(0));
    let answer = check(&host).await.is(200);
    assert_eq!((answer.header("remote-groups"), user_in(&answer).is_some()), ("", true));
    let me = host.get_once("/.vestibule/me").await.is(200).json();
    assert_eq!(me["user"]["groups"].as_array().unwrap().len(), 25);
}
