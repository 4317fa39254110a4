//! Handing an organisation over: by consent, once, and never without an owner.

use actix_web::http::Method;
use chrono::TimeDelta;
use futures_util::future::join;
use serde_json::{Value, json};
use vestibule::jobs::{self, Job};

use crate::harness::{
    Answer, TestApp, Visitor,
    organisations::{Acme, stepped_up},
    rounds,
};

const OFFER: &str = "/organisations/acme/hand-over";
const ADA: &str = "ada@example.com";
const BEA: &str = "bea@example.com";

/// Ada offers Acme to a member, and becomes something when they accept: the token in the email.
async fn offers(acme: &Acme, address: &str, then: &str) -> String {
    let user = acme.app.user_id(address).await;
    let form = json!({ "member": user.as_str(), "then": then });
    acme.ada.post_json(OFFER, form).await.is(200);
    acme.app.token_for(address).await
}

async fn accepts(visitor: &Visitor, token: &str) -> Answer {
    visitor.post_json("/hand-over", json!({ "token": token })).await
}

/// Address and role of each member.
async fn roles(app: &TestApp) -> Vec<String> {
    let query = "SELECT users.email || ' ' || memberships.role AS text FROM memberships JOIN users ON users.id = user_id \
                 ORDER BY users.email";
    app.texts(query).await
}

#[actix_web::test]
async fn a_member_becomes_an_owner_when_they_accept_and_not_before_case_143() {
    let acme = Acme::of(TestApp::open().await).await;
    let (bea, id) = acme.joins(BEA, "viewer").await;

    let token = offers(&acme, BEA, "editor").await;

    assert_eq!(roles(&acme.app).await, ["ada@example.com owner", "bea@example.com viewer"]);
    let waiting = acme.ada.get(OFFER).await.is(200).json()["handOver"].clone();
    assert_eq!((&waiting["to"]["id"], &waiting["then"]), (&json!(id), &json!("editor")));
    assert_eq!(waiting["expiresAt"], "2026-11-28T14:05:02Z");
    let email = acme.app.requested_email(BEA).await;
    assert_eq!(email.subject, "Become an owner of Acme");
    assert!(email.text.contains("If you accept, Ada becomes an editor."), "{}", email.text);
    // The link shows it, as often as it is opened, and changes nothing.
    for _ in 0..2 {
        let shown = bea.get(&format!("/hand-over?token={token}")).await.is(200).json();
        assert_eq!((&shown["organisation"]["slug"], &shown["then"]), (&json!("acme"), &json!("editor")));
        assert_eq!(shown["from"]["email"], ADA);
    }
    assert_eq!(roles(&acme.app).await, ["ada@example.com owner", "bea@example.com viewer"]);
    assert!(acme.is_stepped_up(&id).await);

    let accepted = accepts(&bea, &token).await.is(200).json();

    assert_eq!(accepted["organisation"]["name"], "Acme");
    assert_eq!(roles(&acme.app).await, ["ada@example.com editor", "bea@example.com owner"]);
    // What was confirmed as a viewer or as an owner counts no more.
    let ada = acme.app.user_id(ADA).await;
    assert!(!acme.is_stepped_up(&id).await && !acme.is_stepped_up(ada.as_str()).await);
    accepts(&bea, &token).await.refuses(422, "dead_link");
    acme.ada.get(OFFER).await.refuses(403, "forbidden");
    for (address, subject) in [
        (BEA, "You are now an owner of Acme"),
        (ADA, "There is a new owner of Acme"),
        (ADA, "Your role in Acme has changed"),
    ] {
        assert_eq!(acme.app.emails_that_say(address, subject).await, 1, "{subject}");
    }
    let told =
        "SELECT event || ' ' || detail AS text FROM audit WHERE event LIKE 'hand%' ORDER BY at, event DESC";
    let told = acme.app.texts(told).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|row| row.contains("\"then\":\"editor\"")), "{told:?}");
    let changes = "audit WHERE event = 'role_changed' AND actor_id = ";
    assert_eq!(acme.app.count(&format!("{changes}'{id}'")).await, 2);
    assert_eq!(acme.app.count("tokens WHERE purpose = 'hand_over'").await, 0);
}

#[actix_web::test]
async fn the_owner_becomes_what_was_said() {
    for (then, ada) in [("viewer", Some("viewer")), ("owner", Some("owner")), ("leave", None)] {
        let acme = Acme::of(TestApp::open().await).await;
        let (bea, _) = acme.joins(BEA, "editor").await;
        let token = offers(&acme, BEA, then).await;

        accepts(&bea, &token).await.is(200);

        let mut expected = vec!["bea@example.com owner".to_owned()];
        expected.extend(ada.map(|role| format!("{ADA} {role}")));
        expected.sort();
        assert_eq!(roles(&acme.app).await, expected, "{then}");
        // Whoever leaves by themselves stays signed in.
        acme.ada.get("/me").await.is(200);
    }
}

#[actix_web::test]
async fn nobody_else_accepts_and_nobody_learns_of_it_case_143() {
    let acme = Acme::of(TestApp::open().await).await;
    let (bea, _) = acme.joins(BEA, "viewer").await;
    let (cleo, _) = acme.joins("cleo@example.com", "editor").await;
    let eve = stepped_up(&acme.app, "eve@example.com").await;
    let token = offers(&acme, BEA, "leave").await;

    for other in [&cleo, &eve, &acme.ada] {
        other.get(&format!("/hand-over?token={token}")).await.refuses(404, "not_found");
        accepts(other, &token).await.refuses(404, "not_found");
    }
    acme.app.curl().post_json("/hand-over", json!({ "token": token })).await.refuses(401, "sign_in_required");
    accepts(&bea, "none").await.refuses(422, "dead_link");
    assert_eq!(acme.app.count("memberships WHERE role = 'owner'").await, 1);
    accepts(&bea, &token).await.is(200);
}

#[actix_web::test]
async fn an_offer_that_was_taken_back_replaced_or_not_answered_in_time_is_dead() {
    let acme = Acme::of(TestApp::open().await).await;
    let (bea, _) = acme.joins(BEA, "viewer").await;
    let (cleo, _) = acme.joins("cleo@example.com", "editor").await;

    let first = offers(&acme, BEA, "editor").await;
    acme.ada.delete(OFFER).await.is(200);
    accepts(&bea, &first).await.refuses(422, "dead_link");
    assert_eq!(acme.ada.get(OFFER).await.is(200).json()["handOver"], Value::Null);
    acme.ada.delete(OFFER).await.is(200).says("There was no open offer.");
    assert_eq!(acme.app.count("audit WHERE event = 'hand_over_taken_back'").await, 1);

    let second = offers(&acme, BEA, "editor").await;
    let third = offers(&acme, "cleo@example.com", "editor").await;
    accepts(&bea, &second).await.refuses(422, "dead_link");

    acme.app.wait(TimeDelta::days(7));
    let cleo_later = acme.app.curl();
    let form = json!({ "email": "cleo@example.com", "password": crate::harness::PASSWORD });
    cleo_later.post_json("/login", form).await.is(200);
    accepts(&cleo_later, &third).await.refuses(422, "dead_link");
    drop(cleo);
    assert_eq!(acme.app.count("memberships WHERE role = 'owner'").await, 1);
}

/// Whoever offered it, or was offered it, may be somebody else by now.
#[actix_web::test]
async fn an_offer_ends_with_what_it_was_made_on_case_142() {
    for what in ["removed", "left", "demoted", "gone", "leaving", "reset"] {
        let acme = Acme::of(TestApp::open().await).await;
        let (bea, bea_id) = acme.joins(BEA, "viewer").await;
        let (cleo, _) = acme.joins("cleo@example.com", "owner").await;
        let ada_id = acme.app.user_id(ADA).await.to_string();
        let token = offers(&acme, BEA, "viewer").await;
        match what {
            "removed" => drop(cleo.delete(&Acme::member_path(&bea_id)).await.is(200)),
            "left" => drop(acme.ada.post_json("/organisations/acme/leave", json!({})).await.is(200)),
            "demoted" => {
                let form = json!({ "role": "editor" });
                cleo.put_json(&Acme::member_path(&ada_id), form).await.is(200);
            }
            "gone" => {
                acme.ada.post_json("/me/delete", json!({})).await.is(200);
                acme.app.wait(TimeDelta::days(1));
                let due = format!("UPDATE users SET deletes_at = created_at WHERE id = '{ada_id}'");
                acme.app.db_execute(&due).await;
                jobs::run_once(&acme.app.inner, Job::Deletions, true).await.unwrap();
                acme.app.wait(-TimeDelta::days(1));
            }
            "leaving" => {
                let form = json!({ "name": "Acme" });
                cleo.post_json("/organisations/acme/delete", form).await.is(200);
                cleo.post_json("/organisations/acme/restore", json!({})).await.is(200);
            }
            _ => {
                acme.app.curl().post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
                let reset = acme.app.token_for(ADA).await;
                let form = json!({ "token": reset, "password": "another fine passphrase" });
                acme.app.curl().post_json("/reset-password", form).await.is(200);
            }
        }
        let refused = accepts(&bea, &token).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (422, &json!("dead_link")), "{what}");
        assert!(acme.app.count("memberships WHERE role = 'owner'").await > 0, "{what}");
        assert_eq!(acme.app.count("tokens WHERE purpose = 'hand_over'").await, 0, "{what}");
    }
}

#[actix_web::test]
async fn it_is_offered_to_members_only_and_by_owners_who_stepped_up() {
    let acme = Acme::of(TestApp::open().await).await;
    let (bea, bea_id) = acme.joins(BEA, "editor").await;
    let (_, cleo_id) = acme.joins("cleo@example.com", "owner").await;
    let eve = stepped_up(&acme.app, "eve@example.com").await;
    let eve_id = acme.app.user_id("eve@example.com").await.to_string();
    let offer = |member: &str| json!({ "member": member, "then": "editor" });

    bea.post_json(OFFER, offer(&bea_id)).await.refuses(403, "forbidden");
    eve.post_json(OFFER, offer(&eve_id)).await.refuses(404, "not_found");
    acme.ada.post_json(OFFER, offer(&eve_id)).await.refuses(404, "not_found");
    let refused = acme.ada.post_json(OFFER, offer(&cleo_id)).await.refuses(422, "invalid").json();
    assert_eq!(refused["fields"]["member"], "They are an owner already.");
    let refused = acme.ada.post_json(OFFER, json!({})).await.refuses(422, "invalid").json();
    assert!(refused["fields"]["member"].is_string() && refused["fields"]["then"].is_string(), "{refused}");
    acme.app.db_execute(&format!("UPDATE users SET email_verified_at = NULL WHERE id = '{bea_id}'")).await;
    acme.ada.post_json(OFFER, offer(&bea_id)).await.refuses(422, "invalid");
    acme.app.wait(TimeDelta::minutes(10));
    acme.ada.post_json(OFFER, offer(&bea_id)).await.refuses(403, "reauthentication_required");
    assert_eq!(acme.app.count("tokens WHERE purpose = 'hand_over'").await, 0);
}

#[actix_web::test]
async fn the_emergency_owner_of_a_domain_stays_an_owner() {
    let acme = Acme::of(TestApp::open().await).await;
    let (bea, bea_id) = acme.joins(BEA, "editor").await;
    let early = offers(&acme, BEA, "leave").await;
    let ada = acme.app.user_id(ADA).await;
    acme.app
        .db_execute(&format!(
            "INSERT INTO domains (id, organisation_id, name, challenge, is_enforced, break_glass_id, created_at) \
             SELECT 'd', id, 'acme.example', 'x', TRUE, '{ada}', created_at FROM organisations"
        ))
        .await;

    accepts(&bea, &early).await.refuses(409, "break_glass_owner");
    let form = json!({ "member": bea_id, "then": "viewer" });
    acme.ada.post_json(OFFER, form).await.refuses(409, "break_glass_owner");
    let token = offers(&acme, BEA, "owner").await;
    accepts(&bea, &token).await.is(200);
    assert_eq!(acme.app.count("memberships WHERE role = 'owner'").await, 2);
}

#[actix_web::test]
async fn pages_without_scripts_offer_it_and_accept_it() {
    let acme = Acme::of(TestApp::open().await).await;
    let (bea, bea_id) = acme.joins(BEA, "viewer").await;
    let (ada, bea) = (acme.ada.with("accept", "text/html"), bea.with("accept", "text/html"));
    let form = format!("{OFFER}?member={bea_id}");

    ada.get("/organisations/acme").await.is(200).says(&format!("href=\"{form}\""));
    ada.get(OFFER)
        .await
        .is(200)
        .hides("Choose Manage")
        .says("<select id=\"member\"")
        .says("(bea@example.com)</option>");
    ada.get(&form).await.is(200).says("You become an editor").says(BEA);
    ada.post(OFFER, &[("member", &bea_id), ("then", "viewer")]).await.goes_to(OFFER);
    let offered = ada.get(OFFER).await.is(200);
    offered.says("Take it back").says("Then you become a viewer.").says("Offer it to someone else");
    ada.post(&format!("{OFFER}/revoke"), &[]).await.goes_to(OFFER);
    // The newer of two emails is the one that is read: the first leaves before.
    acme.app.send_emails().await;
    ada.post(OFFER, &[("member", &bea_id), ("then", "viewer")]).await.goes_to(OFFER);
    let token = acme.app.token_for(BEA).await;
    let page = bea.get(&format!("/hand-over?token={token}")).await.is(200);
    page.says("Become an owner of <bdi>Acme</bdi>?").says("becomes a viewer");
    bea.post("/hand-over", &[("token", &token)]).await.goes_to("/organisations/acme");
    bea.get("/organisations/acme").await.is(200).says("You are an owner of Acme now.");
    let told = acme.app.emails_to("ada@example.com").await;
    let words = "You're a viewer now. If this is a mistake, ask an owner.";
    assert!(told.iter().any(|email| email.text.contains(words)), "{:?}", told.last().map(|one| &one.text));
}

#[actix_web::test]
async fn whoever_opens_the_link_signed_out_signs_in_and_comes_back() {
    let acme = Acme::of(TestApp::open().await).await;
    acme.joins(BEA, "viewer").await;
    let token = offers(&acme, BEA, "owner").await;
    let browser = acme.app.browser();

    browser.get(&format!("/hand-over?token={token}")).await.goes_to("/login?next=%2Fhand-over");
    let form = [("email", BEA), ("password", crate::harness::PASSWORD), ("next", "/hand-over")];
    browser.post("/login", &form).await.goes_to("/hand-over");

    browser.get("/hand-over").await.is(200).says("Become an owner of <bdi>Acme</bdi>?").says(&token);
    acme.app.browser().get("/hand-over").await.goes_to("/login?next=%2Fhand-over");
}

/// Removed and accepted at once: the one who was first, and an owner whatever happens.
#[actix_web::test]
async fn of_a_hand_over_and_a_removal_at_once_one_counts_case_142() {
    let acme = Acme::of(TestApp::with(&[("DATABASE_POOL", "8")]).await).await;
    for round in 0..rounds() {
        let address = format!("bea{round}@example.com");
        let (bea, id) = acme.joins(&address, "viewer").await;
        acme.ada.steps_up().await;
        let token = offers(&acme, &address, "editor").await;

        let path = Acme::member_path(&id);
        let (accepted, removed) =
            join(accepts(&bea, &token), acme.ada.send(Method::DELETE, &path, None)).await;

        let statuses = (accepted.status.as_u16(), removed.status.as_u16());
        let is_known = [(200, 403), (422, 200)].contains(&statuses) || statuses.0 == 503 || statuses.1 == 503;
        assert!(is_known, "{statuses:?} {} {}", accepted.body, removed.body);
        assert_eq!(acme.app.count("memberships WHERE role = 'owner'").await, 1, "{statuses:?}");
        // Back to where they began.
        let ada = acme.app.user_id(ADA).await;
        acme.app.db_execute(&format!("UPDATE memberships SET role = 'owner' WHERE user_id = '{ada}'")).await;
        let others = format!("DELETE FROM memberships WHERE user_id <> '{ada}'");
        acme.app
            .inner
            .write(move |tx| Ok(diesel::RunQueryDsl::execute(diesel::sql_query(others), tx.conn)?))
            .await
            .unwrap();
    }
}
