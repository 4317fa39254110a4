//! Nobody below an owner takes anything from an owner, and nobody reads of others what is not shown.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{TestApp, organisations::Acme, wire};

const POLICY: &str = "/organisations/acme/policy";
const DRY: &str = "/organisations/acme/policy?dry=1";
const INVITATIONS: &str = "/organisations/acme/invitations";
const ADA: &str = "ada@example.com";
const BEA: &str = "bea@example.com";

#[actix_web::test]
async fn every_owner_hears_of_a_stricter_policy_and_may_take_it_back() {
    let acme = Acme::of(TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await).await;
    let (bea, _) = acme.joins(BEA, "owner").await;
    let (bea, ada) = (
        bea.with("x-forwarded-for", "198.51.100.7"),
        acme.ada.clone().with("x-forwarded-for", "203.0.113.9"),
    );
    acme.joins("cleo@example.com", "editor").await;
    let told = async |address: &str| acme.app.emails_that_say(address, "has a stricter policy").await;

    bea.put_json(POLICY, json!({ "networks": ["198.51.100.7"] })).await.is(200);

    assert_eq!((told(ADA).await, told(BEA).await, told("cleo@example.com").await), (1, 1, 0));
    assert_eq!(acme.app.emails_that_say(ADA, "bea@example.com changed the policy of Acme").await, 1);
    ada.get("/organisations/acme").await.refuses(403, "network_not_allowed");
    ada.put_json(POLICY, json!({})).await.is(200);
    ada.get("/organisations/acme").await.is(200);
    // What asks for less is no news.
    assert_eq!(told(ADA).await, 1);
}

#[actix_web::test]
async fn whom_a_policy_keeps_out_is_told_roughly_and_not_without_end() {
    let acme = Acme::of(TestApp::with(&[("THROTTLE", "on")]).await).await;
    for name in ["bea", "cleo", "dan"] {
        acme.joins(&format!("{name}@example.com"), "viewer").await;
    }
    let shares = async |form: Value| {
        let told = acme.ada.put_json(DRY, form).await.is(200).json();
        told["effects"]["otherSignInMethods"].clone()
    };
    let by_word = json!({ "signInMethods": ["password", "passkey"] });
    // Four are too few to say.
    assert_eq!(shares(by_word.clone()).await, Value::Null);
    acme.joins("eve@example.com", "viewer").await;
    assert_eq!(shares(by_word.clone()).await, "none");
    let of = |address: &str| format!("WHERE user_id IN (SELECT id FROM users WHERE email LIKE '{address}%')");
    for (names, share) in [(&["bea"][..], "some"), (&["cleo", "dan"], "most")] {
        for name in names {
            acme.app.db_execute(&format!("UPDATE sessions SET method = 'magic_link' {}", of(name))).await;
        }
        assert_eq!(shares(by_word.clone()).await, share);
    }
    for _ in 0..16 {
        acme.ada.get(DRY).await.is(200);
    }
    acme.ada.get(DRY).await.is(429);
    acme.ada.put_json(DRY, by_word.clone()).await.is(429);
    // Reading and setting it is something else.
    acme.ada.get(POLICY).await.is(200);
    for minutes in 0..30 {
        acme.ada.put_json(POLICY, json!({ "sessionLife": 100 + minutes })).await.is(200);
    }
    acme.ada.put_json(POLICY, by_word).await.is(429);
}

#[actix_web::test]
async fn a_role_that_manages_something_is_given_and_given_again_after_a_step_up() {
    let acme = Acme::open().await;
    let manager = acme.role("Manager", &["members:manage"]).await;
    let clerk = acme.role("Clerk", &["notes:update", "members:read"]).await;
    let invites = async |address: &str, role: &str| {
        acme.ada.post_json(INVITATIONS, json!({ "email": address, "role": role })).await
    };
    let made = invites(BEA, &manager).await.is(201).json();
    let again = format!("{INVITATIONS}/{}/resend", made["invitations"][0]["id"].as_str().unwrap());
    let made = invites("cleo@example.com", "owner").await.is(201).json();
    let owner_again = format!("{INVITATIONS}/{}/resend", made["invitations"][0]["id"].as_str().unwrap());
    let made = invites("dan@example.com", &clerk).await.is(201).json();
    let clerk_again = format!("{INVITATIONS}/{}/resend", made["invitations"][0]["id"].as_str().unwrap());

    acme.app.wait(TimeDelta::minutes(16));

    invites("eve@example.com", &manager).await.refuses(403, "reauthentication_required");
    invites("eve@example.com", "owner").await.refuses(403, "reauthentication_required");
    acme.ada.post_json(&again, json!({})).await.refuses(403, "reauthentication_required");
    acme.ada.post_json(&owner_again, json!({})).await.refuses(403, "reauthentication_required");
    let page = acme.ada.clone().with("accept", "text/html");
    let kept = page.post(&owner_again, &[]).await.is(303);
    assert!(kept.header("location").contains("resume="), "{}", kept.header("location"));
    assert_eq!(acme.app.count("invitations WHERE emails_sent > 1").await, 0);
    invites("fay@example.com", "editor").await.is(201);
    invites("gus@example.com", &clerk).await.is(201);
    acme.ada.post_json(&clerk_again, json!({})).await.is(200);
    acme.ada.steps_up().await;
    invites("eve@example.com", &manager).await.is(201);
    acme.ada.post_json(&again, json!({})).await.is(200);
    acme.ada.post_json(&owner_again, json!({})).await.is(200);
}

/// A slow reader whose session ends gets no more.
#[actix_web::test]
async fn a_download_ends_with_its_session() {
    use std::{
        io::{Read, Write},
        net::TcpStream,
        time::Duration,
    };
    let acme = Acme::open().await;
    crate::audit::fill(&acme, 60_000, "domain_added", r#"{"domain":"acme.example"}"#).await;
    let cookie = format!("cookie: session={}", acme.ada.cookie("session").unwrap()).into_bytes();
    let headers = [cookie, b"user-agent: curl/8.9.1".to_vec()];
    let line = "GET /organisations/acme/audit?format=ndjson HTTP/1.1";
    let mut stream = TcpStream::connect(("127.0.0.1", acme.app.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(&wire::request(line, &headers, "")).unwrap();
    let mut first = [0; 1_000];
    stream.read_exact(&mut first).unwrap();
    assert!(String::from_utf8_lossy(&first).contains("200 OK"));

    acme.ada.post_json("/logout", json!({})).await.is(200);

    let mut rest = Vec::new();
    // The connection may be reset.
    drop(stream.read_to_end(&mut rest));
    let rest = String::from_utf8_lossy(&rest);
    assert!(!rest.ends_with("0\r\n\r\n"), "all of it came");
}

#[actix_web::test]
async fn an_offer_is_accepted_from_where_the_organisation_may_be_used() {
    let acme = Acme::of(TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await).await;
    let (office, home) = ("203.0.113.9", "198.51.100.7");
    let ada = acme.ada.clone().with("x-forwarded-for", office);
    let (bea, id) = acme.joins(BEA, "viewer").await;
    ada.put_json(POLICY, json!({ "networks": [office] })).await.is(200);
    let form = json!({ "member": id, "then": "owner" });
    ada.post_json("/organisations/acme/hand-over", form).await.is(200);
    let token = acme.app.token_for(BEA).await;
    let accepts = json!({ "token": token });

    let away = bea.clone().with("x-forwarded-for", home);
    away.post_json("/hand-over", accepts.clone()).await.refuses(403, "network_not_allowed");
    assert_eq!(acme.app.count("memberships WHERE role = 'owner'").await, 1);

    bea.with("x-forwarded-for", office).post_json("/hand-over", accepts).await.is(200);
}

/// What is retired takes nothing along that is still in the catalogue.
#[actix_web::test]
async fn one_s_own_stays_where_everybody_s_is_retired() {
    let acme = Acme::open().await;
    let (bea, id) = acme.joins(BEA, "editor").await;
    let retired = "UPDATE permissions SET retired_at = '2026-11-21 00:00:00' WHERE name = 'notes:update'";
    acme.app.db_execute(retired).await;
    let asks = async |owner: &str| {
        let form = json!({ "organisation": "acme", "permission": "notes:update", "owner": owner });
        bea.post_json("/auth/check", form).await.is(200).json()
    };
    assert_eq!(asks(&id).await["allowed"], true);
    assert_eq!(asks(acme.app.user_id(ADA).await.as_str()).await["why"], "not_permitted");
    let both = "UPDATE permissions SET retired_at = '2026-11-21 00:00:00' WHERE name LIKE 'notes:update%'";
    acme.app.db_execute(both).await;
    assert_eq!(asks(&id).await["why"], "retired");
}

/// Whoever may invite and not see the members cannot try out who is one.
#[actix_web::test]
async fn who_is_a_member_is_not_told_to_whom_the_members_are_not_shown() {
    let acme = Acme::open().await;
    let role = acme.role("Host", &["members:invite"]).await;
    let (bea, _) = acme.joins(BEA, &role).await;
    let (cleo, cleo_id) = acme.joins("cleo@example.com", "editor").await;
    for address in ["cleo@example.com", "dan@example.com"] {
        let form = json!({ "email": address, "role": role });
        let told = bea.post_json(INVITATIONS, form).await.is(201).json();
        assert_eq!((&told["refused"], &told["invitations"][0]["state"]), (&json!([]), &json!("open")));
    }
    // What a member accepts changes nothing.
    let token = acme.app.token_for("cleo@example.com").await;
    cleo.post_json("/invitations/accept", json!({ "token": token })).await.is(200);
    assert_eq!(acme.role_of(&cleo_id).await.0, "editor");
    let form = json!({ "email": "cleo@example.com", "role": "viewer" });
    acme.ada.post_json(INVITATIONS, form).await.refuses(422, "invalid").says("belongs to the organisation");
}
