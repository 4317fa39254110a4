//! Invitations as an organisation sends them: to whom, in which role, how often, and when they end.

use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::{jobs, kinds::Role};

use crate::{
    connections::{acme, again, joins, stepped_up},
    harness::{Answer, PASSWORD, TestApp, Visitor, token_in},
    recovery::{X, not_me, ways_back},
};

pub const INVITATIONS: &str = "/organisations/acme/invitations";
pub const BEN: &str = "ben@example.com";

/// Invites somebody; what is told of the invitation.
pub async fn invites(by: &Visitor, email: &str, role: &str) -> Value {
    let told = by.post_json(INVITATIONS, json!({ "email": email, "role": role })).await.is(201).json();
    told["invitations"][0].clone()
}

/// The token in the newest email with an invitation to this address.
pub async fn link_of(app: &TestApp, address: &str) -> String {
    let emails = app.emails_to(address).await;
    let newest = emails.iter().rev().find(|email| email.text.contains("/invitations/accept?token=")).unwrap();
    token_in(&newest.text).unwrap()
}

pub async fn accepts(visitor: &Visitor, token: &str) -> Answer {
    visitor.post_json("/invitations/accept", json!({ "token": token })).await
}

/// A member with a role of Acme's own that has these permissions; their id.
async fn with_own_role(app: &TestApp, owner: &Visitor, member: &Visitor, permissions: &[&str]) -> String {
    let form = json!({ "name": "Helpers", "permissions": permissions });
    let made = owner.post_json("/organisations/acme/roles", form).await.is(201).json();
    let id = joins(app, member, Role::Viewer).await;
    let role = json!({ "role": made["role"]["id"] });
    owner.put_json(&format!("/organisations/acme/members/{id}"), role).await.is(200);
    id
}

async fn states(app: &TestApp) -> Vec<String> {
    app.texts("SELECT state AS text FROM invitations ORDER BY created_at, email").await
}

#[actix_web::test]
async fn whoever_invites_never_sees_the_link_and_hears_what_came_of_it_case_133_case_136() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    let ben = app.verified(BEN).await;

    let told =
        owner.post_json(INVITATIONS, json!({ "email": "Ben@example.com", "role": "editor" })).await.is(201);
    let email = app.emails_to("Ben@example.com").await.pop().unwrap();
    assert!(email.subject.contains("invites you to Acme"), "{}", email.subject);
    let token = token_in(&email.text).unwrap();
    assert!(email.text.contains("It works until 28 November 2026, 14:05 UTC"), "{}", email.text);
    assert!(!told.body.contains(&token));
    let list = owner.get(INVITATIONS).await.is(200);
    assert!(!list.body.contains(&token));
    let one = list.json()["invitations"][0].clone();
    assert_eq!(
        (&one["email"], &one["state"], &one["emailsSent"]),
        (&json!("Ben@example.com"), &json!("open"), &json!(1))
    );
    assert_eq!(owner.get("/organisations/acme").await.json()["invited"], 1);

    let page = ben.get(&format!("/invitations/accept?token={token}")).await.is(200).json();
    assert_eq!(page["you"], "match");
    assert_eq!(page["invitation"]["organisation"]["name"], "Acme");
    assert_eq!(page["invitation"]["invited"], "B•••@example.com");
    let joined = accepts(&ben, &token).await.is(200).json();
    assert_eq!(joined["organisation"]["slug"], "acme");
    let found = owner.get("/organisations/acme?q=ben").await.json()["members"].clone();
    assert_eq!((&found[0]["email"], &found[0]["role"]), (&json!(BEN), &json!("editor")));
    assert_eq!(app.emails_that_say("ada@example.com", "accepted your invitation").await, 1);
    assert_eq!(app.count("audit WHERE event = 'invitation_accepted'").await, 1);
    assert_eq!(owner.get("/organisations/acme").await.json()["invited"], 0);
}

/// The answer is the same whether or not an account has the address, confirmed or claimed.
#[actix_web::test]
async fn inviting_tells_nothing_about_accounts_case_137() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    app.verified(BEN).await;
    app.unverified_user("cleo@example.com").await;

    let shape = |mut one: Value| {
        for key in ["id", "email"] {
            one.as_object_mut().unwrap().remove(key);
        }
        one
    };
    let mut told = Vec::new();
    for address in [BEN, "cleo@example.com", "dora@example.com"] {
        told.push(shape(invites(&owner, address, "viewer").await));
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[1], told[2]);
}

#[actix_web::test]
async fn a_form_takes_an_address_on_each_line_and_says_which_it_did_not_take_case_106() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    let ben = app.verified(BEN).await;
    joins(&app, &ben, Role::Viewer).await;
    let browser = app.browser();
    browser.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await;

    let lines =
        "cleo@example.com\r\n\r\nben@example.com\r\nnot an address\r\ndora@example.com, cleo@example.com";
    let form = [("emails", lines), ("role", "viewer")];
    let page = browser.post(INVITATIONS, &form).await.is(422);
    page.says("2 invitations sent. Not sent: ")
        .says("ben@example.com belongs to the organisation already")
        .says(">not an address\nben@example.com</textarea>");

    browser.post(INVITATIONS, &form).await.is(422).says("cleo@example.com is invited already");
    let told = owner
        .post_json(INVITATIONS, json!({ "emails": [BEN, "eve@example.com", "x"], "role": "viewer" }))
        .await
        .is(201)
        .json();
    let why: Vec<&str> =
        told["refused"].as_array().unwrap().iter().map(|one| one["why"].as_str().unwrap()).collect();
    assert_eq!(why, ["invalid", "member"]);
    for (bad, field) in [
        (json!({ "emails": [], "role": "viewer" }), "emails"),
        (json!({ "email": "fay@example.com", "role": "king" }), "role"),
        (json!({ "emails": (0..51).map(|n| format!("p{n}@example.com")).collect::<Vec<_>>() }), "emails"),
    ] {
        let refused = owner.post_json(INVITATIONS, bad).await.is(422).json();
        assert!(refused["fields"][field].is_array() || refused["fields"][field].is_string(), "{refused}");
    }
    assert_eq!(app.count("invitations").await, 3);
}

/// What a mail program has in its field, and a word processor in its column.
#[actix_web::test]
async fn a_pasted_list_is_read_and_each_address_counts_once() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    let browser = app.browser();
    browser.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await;
    let pasted = "\u{feff}\"Smith, Alice\" <alice@example.com>; Bob <mailto:bob@example.com>\r\n\
                  Alice@Example.com\tTeam: cleo@example.com, dora@example.com.;";
    browser.post(INVITATIONS, &[("emails", pasted), ("role", "viewer")]).await.goes_to(INVITATIONS);
    browser.get(INVITATIONS).await.is(200).says("4 invitations sent.");
    let sent = app.texts("SELECT email AS text FROM invitations ORDER BY email").await;
    assert_eq!(sent, ["alice@example.com", "bob@example.com", "cleo@example.com", "dora@example.com"]);
    // Fifty-one spellings of one address are one.
    let many: Vec<String> =
        (0..51).map(|n| if n % 2 == 0 { BEN } else { "BEN@Example.com" }.to_owned()).collect();
    owner.post_json(INVITATIONS, json!({ "emails": many })).await.is(201);
    // Nobody was invited: a program still learns whom and why.
    let told =
        owner.post_json(INVITATIONS, json!({ "emails": "x, x, BOB@example.com" })).await.is(422).json();
    assert_eq!(told["refused"][0], json!({ "email": "x", "why": "invalid" }));
    assert_eq!(told["refused"][1], json!({ "email": "BOB@example.com", "why": "invited" }));
    assert_eq!(told["refused"].as_array().unwrap().len(), 2);
}

/// To invite an owner takes a step-up. What was typed waits meanwhile.
#[actix_web::test]
async fn an_invitation_as_owner_waits_for_the_step_up() {
    let app = TestApp::open().await;
    acme(&app).await;
    let browser = app.browser();
    browser.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await;
    let form = [("emails", "cleo@example.com\r\ndora@example.com"), ("role", "owner")];
    let interrupted = browser.post(INVITATIONS, &form).await.is(303);
    let resume = interrupted.header("location").split_once("resume=").unwrap().1.to_owned();
    let way = format!("/auth/continue?resume={resume}");
    browser.post("/auth/confirm", &[("password", PASSWORD), ("resume", &resume)]).await.goes_to(&way);
    browser.get(&way).await.is(200).says("Invite people to Acme").says("cleo@example.com\ndora@example.com");
    browser.post(INVITATIONS, &form).await.goes_to(INVITATIONS);
    browser.get(INVITATIONS).await.is(200).says("2 invitations sent.");
    assert_eq!(app.count("invitations WHERE role = 'owner'").await, 2);
}

#[actix_web::test]
async fn an_organisation_a_person_and_an_address_have_their_limits() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let owner = acme(&app).await;
    let one = invites(&owner, BEN, "viewer").await;
    let again = format!("{INVITATIONS}/{}/resend", one["id"].as_str().unwrap());
    for status in [200, 200, 429] {
        app.wait(TimeDelta::minutes(2));
        assert_eq!(owner.post_json(&again, json!({})).await.status, status);
    }

    let many: Vec<String> = (0..50).map(|n| format!("p{n}@example.com")).collect();
    let told = owner.post_json(INVITATIONS, json!({ "emails": many, "role": "viewer" })).await.is(201).json();
    assert_eq!(told["invitations"].as_array().unwrap().len(), 49, "with Ben that is fifty");
    assert_eq!(told["refused"][0]["why"], "too_many");
    app.wait(TimeDelta::seconds(1));
    let late = json!({ "emails": ["r1@example.com", "r2@example.com"] });
    let told = owner.post_json(INVITATIONS, late).await.is(422).json();
    let limit = "2 addresses can be invited tomorrow: an organisation invites 50 people a day.";
    assert_eq!(told["fields"]["emails"], limit, "once");
    let mut statuses = Vec::new();
    for n in 0..10 {
        let form = json!({ "email": format!("q{n}@example.com"), "role": "viewer" });
        statuses.push(owner.post_json(INVITATIONS, form).await.status.as_u16());
    }
    assert_eq!(statuses, [422, 422, 422, 422, 422, 422, 422, 429, 429, 429]);
    app.wait(TimeDelta::days(1));
    let owner = crate::connections::again(&app, "ada@example.com").await;
    invites(&owner, "q1@example.com", "viewer").await;
}

/// However many organisations somebody makes, no mailbox is filled with their invitations.
#[actix_web::test]
async fn ten_invitations_a_day_go_to_one_address() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let mut sent = 0;
    for turn in 0..12 {
        app.wait(TimeDelta::hours(1));
        let maker = app.verified(&format!("maker{turn}@example.com")).await;
        let name = format!("Org {turn}");
        maker.post_json("/organisations", json!({ "name": name })).await.is(201);
        let path = format!("/organisations/org-{turn}/invitations");
        sent += usize::from(
            maker.post_json(&path, json!({ "email": BEN, "role": "viewer" })).await.status == 201,
        );
    }

    assert_eq!(sent, 10);
    assert_eq!(app.emails_that_say(BEN, "invites you").await, 10);
}

/// Sent again: a new end and a new link, and the older link is dead.
#[actix_web::test]
async fn of_several_emails_the_newest_link_works_case_129() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    let ben = app.verified(BEN).await;
    let one = invites(&owner, BEN, "viewer").await;
    let first = link_of(&app, BEN).await;
    app.wait(TimeDelta::days(6));
    let owner = again(&app, "ada@example.com").await;
    let resend = format!("{INVITATIONS}/{}/resend", one["id"].as_str().unwrap());
    let sent = owner.post_json(&resend, json!({})).await.is(200).json();
    assert_ne!(sent["invitation"]["expiresAt"], one["expiresAt"]);
    let second = link_of(&app, BEN).await;

    let dead = ben.get(&format!("/invitations/accept?token={first}")).await;
    dead.refuses(422, "dead_invitation").says("newest email");
    accepts(&ben, &first).await.refuses(422, "dead_invitation");
    app.wait(TimeDelta::days(6));
    let ben = again(&app, BEN).await;
    accepts(&ben, &second).await.is(200);
    let owner = again(&app, "ada@example.com").await;
    owner.post_json(&resend, json!({})).await.refuses(409, "conflict");
}

/// One that ran out blocks nothing, and can be sent again; what was answered or ran out goes after 30 days.
#[actix_web::test]
async fn an_invitation_that_ran_out_is_asked_for_and_sent_again_case_128() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let owner = acme(&app).await;
    let one = invites(&owner, BEN, "viewer").await;
    let token = link_of(&app, BEN).await;
    app.wait(TimeDelta::days(8));
    let ben = app.verified(BEN).await;

    accepts(&ben, &token).await.refuses(422, "dead_invitation").says("ran out on");
    let page = app.browser().get(&format!("/invitations/accept?token={token}")).await;
    page.is(422).says("Ask for a new one");
    assert_eq!(app.count("memberships").await, 1);
    ben.post_json("/invitations/ask", json!({ "token": token })).await.is(200);
    ben.post_json("/invitations/ask", json!({ "token": token })).await.refuses(429, "too_many_attempts");
    assert_eq!(app.emails_that_say("ada@example.com", "asks for a new").await, 1);

    let owner = again(&app, "ada@example.com").await;
    assert_eq!(owner.get(INVITATIONS).await.json()["invitations"][0]["state"], "expired");
    let resend = format!("{INVITATIONS}/{}/resend", one["id"].as_str().unwrap());
    owner.post_json(&resend, json!({})).await.is(200);
    accepts(&ben, &link_of(&app, BEN).await).await.is(200);
    invites(&owner, "cleo@example.com", "viewer").await;
    app.wait(TimeDelta::days(8));
    let owner = again(&app, "ada@example.com").await;
    invites(&owner, "cleo@example.com", "viewer").await;
    assert_eq!(states(&app).await, ["accepted", "expired", "open"]);
    app.wait(TimeDelta::days(31));
    jobs::run_once(&app.inner, jobs::Job::Sweep, true).await.unwrap();
    jobs::run_once(&app.inner, jobs::Job::Sweep, true).await.unwrap();
    assert!(app.count("invitations").await <= 1);
}

#[actix_web::test]
async fn one_organisation_does_not_touch_the_invitations_of_another_case_132() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    let one = invites(&owner, BEN, "viewer").await;
    let eve = stepped_up(&app, "eve@example.net").await;
    eve.post_json("/organisations", json!({ "name": "Evil" })).await.is(201);
    let id = one["id"].as_str().unwrap();

    for path in [format!("/organisations/evil/invitations/{id}"), format!("{INVITATIONS}/{id}")] {
        eve.delete(&path).await.is(404);
        eve.post_json(&format!("{path}/resend"), json!({})).await.is(404);
    }
    assert_eq!(states(&app).await, ["open"]);
    owner.delete(&format!("{INVITATIONS}/{id}")).await.is(200);
    owner.delete(&format!("{INVITATIONS}/{id}")).await.refuses(409, "conflict");
    let token = link_of(&app, BEN).await;
    let ben = app.verified(BEN).await;
    accepts(&ben, &token).await.refuses(422, "dead_invitation").says("taken back");
}

/// Nobody invites to what they do not have, and an owner is only made with a step-up.
#[actix_web::test]
async fn nobody_invites_in_a_role_that_they_could_not_give_case_105() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    let helper = app.verified("helper@example.com").await;
    with_own_role(&app, &owner, &helper, &["members:read", "members:invite"]).await;

    for (role, status) in [("owner", 403), ("editor", 201), ("viewer", 201)] {
        helper.steps_up().await;
        let form = json!({ "email": format!("{role}@example.com"), "role": role });
        let answer = helper.post_json(INVITATIONS, form).await;
        assert_eq!(answer.status, status, "{role}: {}", answer.body);
    }
    let offered = app.browser();
    offered.post("/login", &[("email", "helper@example.com"), ("password", PASSWORD)]).await;
    offered.get(INVITATIONS).await.is(200).hides("value=\"owner\"").says("value=\"viewer\"").says("Helpers");

    let late = again(&app, "ada@example.com").await;
    app.wait(TimeDelta::minutes(10));
    let form = json!({ "email": "new@example.com", "role": "owner" });
    late.post_json(INVITATIONS, form.clone()).await.refuses(403, "reauthentication_required");
    late.steps_up().await;
    late.post_json(INVITATIONS, form).await.is(201);
}

/// An open invitation is no way back for whoever may not send it any more.
#[actix_web::test]
async fn invitations_end_with_the_right_to_send_them_case_138() {
    for end in ["demoted", "removed", "leaves", "role narrowed", "role removed", "disowned"] {
        let app = TestApp::open().await;
        let owner = acme(&app).await;
        let helper = app.verified("helper@example.com").await;
        let id = with_own_role(&app, &owner, &helper, &["members:read", "members:invite"]).await;
        let role = app.texts("SELECT id AS text FROM roles").await.remove(0);
        helper.steps_up().await;
        invites(&helper, BEN, &role).await;
        let member = format!("/organisations/acme/members/{id}");
        match end {
            "demoted" => owner.put_json(&member, json!({ "role": "viewer" })).await.is(200),
            "removed" => owner.delete(&member).await.is(200),
            "leaves" => helper.post_json("/organisations/acme/leave", json!({})).await.is(200),
            "role narrowed" => {
                let form = json!({ "permissions": ["members:read"] });
                owner.put_json(&format!("/organisations/acme/roles/{role}"), form).await.is(200)
            }
            "role removed" => {
                owner.delete(&format!("/organisations/acme/roles/{role}?replaceWith=viewer")).await.is(200)
            }
            _ => {
                let thief = app.curl().named(X);
                let form = json!({ "email": "helper@example.com", "password": PASSWORD });
                thief.post_json("/login", form).await.is(200);
                invites(&thief, "thief@example.net", "viewer").await;
                let alert = ways_back(&app, "helper@example.com", true).await.remove(0);
                not_me(&app, &alert).await;
                let thief = app.verified("thief@example.net").await;
                accepts(&thief, &link_of(&app, "thief@example.net").await)
                    .await
                    .refuses(422, "dead_invitation");
                continue;
            }
        };

        let token = link_of(&app, BEN).await;
        let ben = app.verified(BEN).await;
        accepts(&ben, &token).await.refuses(422, "dead_invitation");
        assert_eq!(app.count("audit WHERE event = 'invitation_revoked'").await, 1, "{end}");
        assert!(ben.get("/organisations").await.json()["invitations"].as_array().unwrap().is_empty());
    }
}

/// What is known of whoever invited or was invited goes with their account.
#[actix_web::test]
async fn nothing_of_an_inviter_or_an_invited_person_is_left_after_a_purge() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    let ben = stepped_up(&app, BEN).await;
    joins(&app, &ben, Role::Owner).await;
    let ben_id = app.user_id(BEN).await.to_string();
    invites(&again(&app, BEN).await, "cleo@example.com", "viewer").await;
    invites(&owner, "dora@example.com", "viewer").await;
    let token = link_of(&app, "dora@example.com").await;
    let dora = app.verified("dora@example.com").await;
    accepts(&dora, &token).await.is(200);
    let export = dora.get("/me/export").await;
    if export.status == 403 {
        dora.steps_up().await;
    }
    let export = dora.get("/me/export").await.is(200).body;
    assert!(export.contains("\"invitations\""), "{export}");
    dora.post_json("/me/delete", json!({})).await.is(200);
    ben.steps_up().await;
    ben.post_json("/me/delete", json!({})).await.is(200);
    app.send_emails().await;
    app.wait(TimeDelta::days(31));
    jobs::run_once(&app.inner, jobs::Job::Deletions, true).await.unwrap();
    app.send_emails().await;
    app.wait(TimeDelta::days(40));
    jobs::run_once(&app.inner, jobs::Job::Sweep, true).await.unwrap();

    assert_eq!(app.count("invitations WHERE email LIKE 'dora%'").await, 0);
    assert_eq!(app.count(&format!("invitations WHERE invited_by = '{ben_id}'")).await, 0);
    assert_eq!(app.count(&format!("audit WHERE detail LIKE '%dora@%' OR detail LIKE '%{ben_id}%'")).await, 0);
}

/// A step-up with a second factor is as strong as one can be.
#[actix_web::test]
async fn who_stepped_up_with_a_second_factor_invites_in_a_role_that_manages_something() {
    let app = TestApp::open().await;
    let owner = app.with_app("ada@example.com").await;
    owner.curl.post_json("/organisations", json!({ "name": "Acme" })).await.is(201);
    app.wait(TimeDelta::minutes(10));
    let form = json!({ "email": BEN, "role": "owner" });
    owner.curl.post_json(INVITATIONS, form.clone()).await.refuses(403, "reauthentication_required");
    let code = json!({ "code": app.next_code(&owner.secret) });
    owner.curl.post_json("/auth/confirm", code).await.is(200);
    owner.curl.post_json(INVITATIONS, form).await.is(201);
}
