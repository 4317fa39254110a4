//! Invitations as whoever got one answers it: as the right account, as another, as nobody, as somebody new.

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use vestibule::kinds::Role;

use crate::{
    connections::{acme, again, joins},
    harness::{PASSWORD, TestApp, rounds},
    invitations::{BEN, INVITATIONS, accepts, invites, link_of},
};

/// Somebody else who holds the link learns for whom it is, changes nothing, and comes back as the right one.
#[actix_web::test]
async fn another_account_is_told_and_switches_case_126_case_127() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    app.verified(BEN).await;
    let cleo = app.verified("cleo@example.com").await;
    invites(&owner, BEN, "viewer").await;
    let token = link_of(&app, BEN).await;

    let page = cleo.get(&format!("/invitations/accept?token={token}")).await.is(200);
    assert_eq!(page.json()["you"], "another");
    assert!(!page.body.contains(BEN));
    let refused = accepts(&cleo, &token).await.refuses(403, "invitation_for_another").json();
    assert_eq!(refused["invited"], "b•••@example.com");
    assert_eq!(app.count("memberships").await, 1);

    let browser = app.browser();
    browser.post("/login", &[("email", "cleo@example.com"), ("password", PASSWORD)]).await;
    browser.get(&format!("/invitations/accept?token={token}")).await.is(200).says("someone else");
    let to = browser.post("/invitations/switch", &[("token", &token)]).await;
    let to = to.location().unwrap().to_owned();
    assert_eq!(to, "/login?next=%2Finvitations%2Faccept", "no address has the token");
    browser.get("/me").await.goes_to("/login?next=%2Fme");
    let next = "/invitations/accept";
    browser.post("/login", &[("email", BEN), ("password", PASSWORD), ("next", next)]).await.goes_to(next);
    browser.get(next).await.is(200).says("Join <bdi>Acme</bdi>");
    browser.post("/invitations/accept", &[("token", &token)]).await.goes_to("/organisations/acme");
    // The link of somebody who belongs there leads there.
    browser
        .get(next)
        .await
        .is(422)
        .says("You already belong to <bdi>Acme</bdi>")
        .says("href=\"/organisations/acme\"");
    let other = app.browser();
    other.get(&format!("/invitations/accept?token={token}")).await.is(422).hides("You already belong");
}

/// Whoever has no account makes one by the link, which proves the address.
#[actix_web::test]
async fn a_newcomer_makes_an_account_by_the_link_case_131() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    // Somebody lies in wait with the address.
    let claim = app.unverified_user(BEN).await;
    invites(&owner, BEN, "editor").await;
    let token = link_of(&app, BEN).await;
    let browser = app.browser();
    browser.get(&format!("/invitations/accept?token={token}")).await.is(200).says("Create account and join");
    let ben = app.curl();
    let weak = json!({ "token": token, "name": "", "password": "short" });
    let refused = ben.post_json("/invitations/accept", weak).await.is(422).json();
    assert!(refused["fields"]["name"].is_string() || refused["fields"]["name"].is_array(), "{refused}");

    let form = json!({ "token": token, "name": "Ben", "password": PASSWORD });
    let told = ben.post_json("/invitations/accept", form.clone()).await.is(201).json();
    assert_eq!((&told["user"]["email"], &told["user"]["emailVerified"]), (&json!(BEN), &json!(true)));
    assert_eq!(told["organisation"]["slug"], "acme");
    assert_eq!(ben.get("/organisations").await.json()["organisations"][0]["role"], "editor");
    claim.get("/me").await.is(401);
    // Pressed again: by whoever belongs already, and by nobody.
    accepts(&ben, &token).await.is(200);
    app.curl().post_json("/invitations/accept", form).await.refuses(422, "dead_invitation");
    assert_eq!(app.count("memberships").await, 2);
    assert_eq!(app.count("audit WHERE event = 'member_added'").await, 2);
}

/// Whoever has an account is led to it, and a link gives nobody another password.
#[actix_web::test]
async fn an_account_that_is_there_signs_in() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    app.verified(BEN).await;
    invites(&owner, BEN, "viewer").await;
    let token = link_of(&app, BEN).await;
    let browser = app.browser();
    browser
        .get(&format!("/invitations/accept?token={token}"))
        .await
        .is(200)
        .says("Sign in with this address");

    let form = json!({ "token": token, "name": "Eve", "password": "another fine passphrase" });
    app.curl().post_json("/invitations/accept", form).await.refuses(409, "already_confirmed");
    // The link waits in the browser.
    browser
        .post("/login", &[("email", BEN), ("password", PASSWORD), ("next", "/invitations/accept")])
        .await
        .goes_to("/invitations/accept");
    browser.get("/invitations/accept").await.is(200).says("Join <bdi>Acme</bdi>");
    assert_eq!(app.count("memberships").await, 1, "looking changes nothing");
}

/// An account that has not confirmed the address yet confirms it first; then the invitation is on its list.
#[actix_web::test]
async fn a_claim_confirms_first_and_answers_without_the_email_case_104_case_130() {
    for answer in ["accept", "decline"] {
        let app = TestApp::open().await;
        let owner = acme(&app).await;
        let ben = app.unverified_user(BEN).await;
        let confirm = app.token_for(BEN).await;
        let one = invites(&owner, BEN, "viewer").await;
        let token = link_of(&app, BEN).await;
        let page = ben.get(&format!("/invitations/accept?token={token}")).await.is(200).json();
        assert_eq!(page["you"], "unconfirmed");
        accepts(&ben, &token).await.refuses(403, "email_unverified");
        ben.post_json("/verify-email", json!({ "token": confirm })).await.is(200);

        let mine = ben.get("/organisations").await.is(200).json();
        assert_eq!(mine["invitations"][0]["organisation"], "Acme");
        let path = format!("/me/invitations/{}/{answer}", one["id"].as_str().unwrap());
        app.verified("cleo@example.com").await.post_json(&path, json!({})).await.is(404);
        ben.post_json(&path, json!({})).await.is(200);
        ben.post_json(&path, json!({})).await.is(404);
        let (members, state) = if answer == "accept" { (2, "accepted") } else { (1, "declined") };
        assert_eq!(app.count("memberships").await, members);
        assert_eq!(app.texts("SELECT state AS text FROM invitations").await, [state]);
    }
}

#[actix_web::test]
async fn whoever_declines_does_so_once_and_the_inviter_hears_of_it() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    invites(&owner, BEN, "viewer").await;
    let token = link_of(&app, BEN).await;
    app.curl().head(&format!("/invitations/accept?token={token}")).await;

    app.curl().post_json("/invitations/decline", json!({ "token": token })).await.is(200);
    app.curl()
        .post_json("/invitations/decline", json!({ "token": token }))
        .await
        .refuses(422, "dead_invitation");
    assert_eq!(app.emails_that_say("ada@example.com", "declined your invitation").await, 1);
    app.curl().post_json("/invitations/ask", json!({ "token": token })).await.refuses(422, "dead_invitation");
    // An answer blocks no other invitation.
    invites(&owner, BEN, "viewer").await;
}

/// Whoever has come by another way meanwhile keeps the role that they have.
#[actix_web::test]
async fn a_member_keeps_their_role() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    let ben = app.verified(BEN).await;
    invites(&owner, BEN, "editor").await;
    joins(&app, &ben, Role::Viewer).await;

    accepts(&ben, &link_of(&app, BEN).await).await.is(200);
    assert_eq!(ben.get("/organisations").await.json()["organisations"][0]["role"], "viewer");
}

#[actix_web::test]
async fn an_owner_who_is_invited_is_told_to_every_owner() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    let ben = app.verified(BEN).await;
    invites(&owner, BEN, "owner").await;
    accepts(&ben, &link_of(&app, BEN).await).await.is(200);
    assert_eq!(app.emails_that_say("ada@example.com", BEN).await, 2, "joined, and is an owner");
    assert_eq!(ben.get("/organisations").await.json()["organisations"][0]["role"], "owner");
}

/// Of an answer and whatever ends it, one wins: never a membership that was not accepted, never two.
#[actix_web::test]
async fn answers_and_ends_take_turns() {
    for _ in 0..rounds() {
        for other in ["revoke", "accept", "resend", "remove the role"] {
            let app = TestApp::open().await;
            let owner = acme(&app).await;
            let ben = app.verified(BEN).await;
            let form = json!({ "name": "Helpers", "permissions": ["members:read"] });
            let made: Value = owner.post_json("/organisations/acme/roles", form).await.is(201).json();
            let role = made["role"]["id"].as_str().unwrap();
            let one = invites(&owner, BEN, role).await;
            let token = link_of(&app, BEN).await;
            let path = format!("{INVITATIONS}/{}", one["id"].as_str().unwrap());
            let act = async {
                match other {
                    "revoke" => owner.delete(&path).await,
                    "resend" => owner.post_json(&format!("{path}/resend"), json!({})).await,
                    "accept" => accepts(&ben, &token).await,
                    _ => owner.delete(&format!("/organisations/acme/roles/{role}")).await,
                }
            };

            let (answer, acted) = join(accepts(&ben, &token), act).await;

            let members = app.count("memberships WHERE role <> 'owner'").await;
            let accepted = app.count("audit WHERE event = 'invitation_accepted'").await;
            let context = format!("{other}: {} {}", answer.status, acted.status);
            assert_eq!(members, accepted, "{context}");
            match other {
                "accept" => {
                    assert_eq!((members, answer.status.as_u16(), acted.status.as_u16()), (1, 200, 200))
                }
                // A role that a member has stays; one that is removed takes the invitation along.
                "remove the role" => assert_eq!(i64::from(acted.status == 200), 1 - members, "{context}"),
                "revoke" => assert_eq!(i64::from(acted.status == 200), 1 - members, "{context}"),
                _ => assert_eq!(i64::from(answer.status == 200), members, "{context}"),
            }
        }
    }
}

#[actix_web::test]
async fn of_fifty_who_press_at_once_one_joins_case_131() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    let ben = app.verified(BEN).await;
    invites(&owner, BEN, "viewer").await;
    let token = link_of(&app, BEN).await;
    let answers = join_all((0..50).map(|_| accepts(&ben, &token))).await;

    assert!(answers.iter().all(|answer| answer.status == 200), "{:?}", answers[0].body);
    assert_eq!(app.count("memberships").await, 2);
    assert_eq!(app.count("audit WHERE event = 'member_added'").await, 2);
    assert_eq!(app.emails_that_say("ada@example.com", "accepted your invitation").await, 1);
    app.wait(TimeDelta::days(2));
    again(&app, BEN).await.get("/organisations/acme").await.is(200);
}
