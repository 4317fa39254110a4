//! Leaving: asking, thirty days to change one's mind, and being gone.

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use vestibule::{
    jobs::{self, Job, Outcome},
    routes::entries,
    web::Access,
};

use crate::harness::{PASSWORD, TestApp, Visitor, token_in};

pub const ADA: &str = "ada@example.com";

pub async fn sign_in(app: &TestApp, address: &str) -> Visitor {
    let curl = app.curl();
    curl.post_json("/login", json!({ "email": address, "password": PASSWORD })).await.is(200);
    curl
}

pub async fn step_up(visitor: &Visitor) {
    visitor.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
}

/// Somebody confirmed who has asked to be deleted just now.
pub async fn leaver(app: &TestApp, address: &str) -> Visitor {
    let curl = app.verified(address).await;
    step_up(&curl).await;
    curl.post_json("/me/delete", json!({})).await.is(200);
    curl
}

pub async fn run_deletions(app: &TestApp) -> usize {
    match jobs::run_once(&app.inner, Job::Deletions, true).await.unwrap() {
        Outcome::Done(count) => count,
        other => panic!("{other:?}"),
    }
}

pub async fn subjects(app: &TestApp, address: &str) -> Vec<String> {
    app.emails_to(address).await.into_iter().map(|email| email.subject).collect()
}

#[actix_web::test]
async fn asking_takes_a_fresh_proof_and_signs_out_everywhere_else_case_77() {
    let app = TestApp::open().await;
    let laptop = app.verified(ADA).await;
    let phone = sign_in(&app, ADA).await;
    laptop.post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
    let reset = app.token_for(ADA).await;
    laptop.get("/me/delete").await.refuses(403, "reauthentication_required");
    laptop.post_json("/me/delete", json!({})).await.refuses(403, "reauthentication_required");
    assert_eq!(laptop.get("/me/delete/status").await.is(200).json(), json!({ "scheduled": false }));
    step_up(&laptop).await;

    let page = laptop.get("/me/delete").await.is(200).json();
    let asked = laptop.post_json("/me/delete", json!({})).await.is(200).json();

    assert_eq!(page["deleteAt"], "2026-12-21T14:05:00Z");
    assert_eq!((&asked["scheduled"], &asked["daysRemaining"]), (&json!(true), &json!(30)));
    assert_eq!(asked["deleteAt"], "2026-12-21T14:05:00Z");
    assert!(asked["message"].is_string(), "{asked}");
    let status = laptop.get("/me/delete/status").await.is(200).json();
    assert_eq!(status, json!({ "scheduled": true, "daysRemaining": 30, "deleteAt": "2026-12-21T14:05:00Z" }));
    phone.get("/me").await.refuses(401, "sign_in_required");
    let spend = json!({ "token": reset, "password": "another good battery staple" });
    app.curl().post_json("/reset-password", spend).await.refuses(422, "dead_reset_link");
    assert_eq!(app.count("audit WHERE event = 'deletion_scheduled'").await, 1);
    let emails = app.emails_to(ADA).await;
    let email = emails.last().unwrap();
    assert_eq!(email.subject, "Your account at Vestibule will be deleted");
    for output in ["21 December 2026, 14:05 UTC", "/cancel-deletion?token=", "If you didn't ask for it"] {
        assert!(email.text.contains(output), "{output}: {}", email.text);
    }
}

#[actix_web::test]
async fn the_page_says_what_goes_and_what_stays_and_offers_a_copy_first() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let browser = app.browser();
    browser.post("/login", &[("email", ADA), ("password", PASSWORD)]).await.goes_to("/me");
    browser.get("/me").await.is(200).says("href=\"/me/delete\"").says("href=\"/me/export\"");
    browser.get("/me/delete").await.goes_to("/auth/confirm?next=%2Fme%2Fdelete");
    browser
        .post("/auth/confirm", &[("password", PASSWORD), ("next", "/me/delete")])
        .await
        .goes_to("/me/delete");

    let page = browser.get("/me/delete").await.is(200);

    let (copy, button) = (
        page.body.find("Download my data").unwrap(),
        page.body.find("Delete my account in 30 days").unwrap(),
    );
    assert!(copy < button);
    page.says("21 December 2026, 14:05 UTC").says("What stays").says("href=\"/privacy/data\"");
    browser.post("/me/delete", &[]).await.goes_to("/me/delete/status");
    let page = browser.get("/me/delete/status").await.is(200);
    page.says("You have 30 days left").says("action=\"/me/delete/cancel\"").hides("href=\"/me/security\"");
}

#[actix_web::test]
async fn the_page_wants_the_address_typed_and_a_wrong_one_deletes_nothing() {
    let app = TestApp::open().await;
    let browser = app.verified("ada@example.com").await;
    browser.steps_up().await;
    for typed in ["", "eve@example.com", "ada@example.com.evil.example", "ada"] {
        let page = browser.clone().with("accept", "text/html").post("/me/delete", &[("email", typed)]).await;
        page.is(422)
            .says("Enter the email address of this account to confirm.")
            .says("aria-invalid=\"true\"");
        let refused = browser.post_json("/me/delete", json!({ "email": typed })).await;
        refused.refuses(422, "invalid");
    }
    assert_eq!(browser.get("/me/delete/status").await.json()["scheduled"], false);
    let done = browser.post("/me/delete", &[("email", " Ada@Example.com ")]).await.is(200).json();
    assert_eq!(done["scheduled"], true);
}

#[actix_web::test]
async fn every_way_in_works_and_every_door_leads_to_the_way_back_case_111() {
    let app = TestApp::open().await;
    leaver(&app, ADA).await;
    app.wait(TimeDelta::days(1));
    let curl = sign_in(&app, ADA).await;
    let browser = curl.clone().with("accept", "text/html");

    let closed = entries().into_iter().filter(|entry| {
        !matches!(
            entry.access,
            Access::Anyone | Access::Pending | Access::Directory | Access::IncludingScheduledDeletion
        )
    });
    let mut count = 0;
    for entry in closed {
        let path = entry.path.replace("{id}", "0123456789abcdef0123456789abcdef");
        let form = || Some(("application/x-www-form-urlencoded", "name=Eve".to_owned()));
        let body = if entry.method.is_safe() { None } else { form() };
        curl.send(entry.method.clone(), &path, body.clone()).await.refuses(403, "deletion_scheduled");
        // What only programs ask is answered in JSON.
        match entry.path {
            "/auth/check" | "/auth/token" => {
                _ = browser.send(entry.method, &path, body).await.refuses(403, "deletion_scheduled")
            }
            _ => _ = browser.send(entry.method, &path, body).await.goes_to("/me/delete/status"),
        }
        count += 1;
    }

    assert!(count > 15, "{count}");
    browser.get("/").await.goes_to("/me");
    assert_eq!(curl.get("/me/delete/status").await.is(200).json()["daysRemaining"], 29);
    curl.post_json("/logout", json!({})).await.is(200);
    curl.get("/me/delete/status").await.refuses(401, "sign_in_required");
}

#[actix_web::test]
async fn keeping_the_account_needs_no_proof_and_brings_everything_back() {
    let app = TestApp::open().await;
    let curl = leaver(&app, ADA).await;
    app.send_emails().await;
    app.wait(TimeDelta::minutes(10));

    let kept = curl.post_json("/me/delete/cancel", json!({})).await.is(200).json();

    assert_eq!(kept["scheduled"], false);
    assert_eq!(curl.get("/me").await.is(200).json()["user"]["name"], "Ada");
    assert_eq!(curl.get("/me/delete/status").await.is(200).json(), json!({ "scheduled": false }));
    let again = curl.post_json("/me/delete/cancel", json!({})).await.is(200).json();
    assert_eq!(again["scheduled"], false);
    assert_eq!(app.count("audit WHERE event = 'deletion_cancelled'").await, 1);
    assert_eq!(subjects(&app, ADA).await.last().unwrap(), "Your account at Vestibule won't be deleted");
    app.wait(TimeDelta::days(31));
    assert_eq!(run_deletions(&app).await, 0);
    sign_in(&app, ADA).await.get("/me").await.is(200);
}

/// Day by day, with a new process on the fifteenth.
#[actix_web::test]
async fn thirty_days_with_a_restart_in_the_middle_case_114() {
    let first = TestApp::open().await;
    let second = first.second_node().await;
    leaver(&first, ADA).await;
    let mut told = Vec::new();
    for day in 1..=30 {
        let app = if day < 15 { &first } else { &second };
        app.wait(TimeDelta::seconds(1));
        app.send_emails().await;
        run_deletions(app).await;
        let curl = sign_in(app, ADA).await;
        told.push(curl.get("/me/delete/status").await.is(200).json()["daysRemaining"].as_i64().unwrap());
        // Taken, but not by anybody whom a stranger could ask about.
        if day == 20 {
            app.unverified_user(ADA).await.get("/me").await.is(200);
            let subjects = subjects(app, ADA).await;
            assert_eq!(subjects.last().unwrap(), "You already have an account at Vestibule");
        }
        app.wait(TimeDelta::days(1) - TimeDelta::seconds(1));
    }
    assert_eq!(told, (1..=30).rev().collect::<Vec<_>>());
    let app = second;
    assert_eq!(app.count("users WHERE email_verified_at IS NOT NULL").await, 1, "its last moment");

    assert_eq!(run_deletions(&app).await, 1);
    assert_eq!(run_deletions(&app).await, 0);

    let offer = json!({ "email": ADA, "password": PASSWORD });
    let subjects = subjects(&app, ADA).await;
    let ours = subjects.iter().filter(|subject| subject.contains("delete")).collect::<Vec<_>>();
    assert_eq!(
        ours,
        [
            "Your account at Vestibule will be deleted",
            "Your account at Vestibule will be deleted in 3 days",
            "Your account at Vestibule is deleted"
        ]
    );
    // The claim of the twentieth day lives, and the address is free for it.
    assert_eq!(app.count("users").await, 1);
    let unverified_user = app.curl();
    unverified_user.post_json("/login", offer).await.is(200);
    unverified_user.post_json("/verify-email/resend", json!({})).await.is(200);
    let token = app.token_for(ADA).await;
    unverified_user.post_json("/verify-email", json!({ "token": token })).await.is(200);
    assert_eq!(unverified_user.get("/me").await.is(200).json()["user"]["emailVerified"], true);
}

#[actix_web::test]
async fn a_sign_up_with_an_address_in_its_grace_is_answered_like_any_other_case_33() {
    let app = TestApp::open().await;
    leaver(&app, ADA).await;
    app.send_emails().await;
    let sign_up = async |address: &str| {
        let fields = json!({ "email": address, "password": PASSWORD, "name": "Eve" });
        app.curl().post_json("/signup", fields).await.is(201).outline(address)
    };

    assert_eq!(sign_up(ADA).await, sign_up("eva@example.com").await);

    let emails = app.emails_to(ADA).await;
    assert_eq!(emails.last().unwrap().subject, "You already have an account at Vestibule");
    assert!(token_in(&emails.last().unwrap().text).is_none());
    // The owner's password opens the owner's account, and there the grace goes on.
    sign_in(&app, ADA).await.get("/me").await.refuses(403, "deletion_scheduled");
}

#[actix_web::test]
async fn of_fifty_who_ask_at_once_one_is_told_by_mail() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    let curl = app.verified(ADA).await;
    step_up(&curl).await;

    let answers = join_all((0..50).map(|_| curl.post_json("/me/delete", json!({})))).await;

    for answer in answers {
        let status = answer.status.as_u16();
        assert!(status == 200 || answer.json()["code"] == "deletion_scheduled", "{}", answer.body);
    }
    assert_eq!(app.count("outbox WHERE kind = 'deletion_scheduled'").await, 1);
    assert_eq!(app.count("audit WHERE event = 'deletion_scheduled'").await, 1);
}

/// The people keep their accounts in the very moment in which the job purges them: each is whole, or gone.
#[actix_web::test]
async fn of_a_word_to_stay_and_the_purge_at_the_same_moment_one_wins_case_112() {
    const PEOPLE: usize = 24;
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let address = format!("person{number}@example.com");
        leaver(&app, &address).await;
        people.push((app.token_for(&address).await, address));
    }
    app.wait(TimeDelta::days(30) - TimeDelta::seconds(1));
    let mut browsers = Vec::new();
    for (_, address) in &people {
        browsers.push(sign_in(&app, address).await);
    }
    app.wait(TimeDelta::seconds(1));

    let stay = join_all(browsers.iter().rev().map(|curl| curl.post_json("/me/delete/cancel", json!({}))));
    let (purged, answers) = join(run_deletions(&app), stay).await;

    let kept = answers.iter().filter(|answer| answer.status == 200).count();
    for answer in &answers {
        assert!([200, 401].contains(&answer.status.as_u16()), "{} {}", answer.status, answer.body);
    }
    assert_eq!(kept + app.count("audit WHERE event = 'purged'").await as usize, PEOPLE);
    assert!(purged >= PEOPLE - kept, "{purged} and {kept}");
    assert_eq!(app.count("users").await as usize, kept);
    assert_eq!(app.count("users WHERE deletes_at IS NOT NULL OR locked_at IS NOT NULL").await, 0);
    for (curl, answer) in browsers.iter().rev().zip(answers) {
        match answer.status == 200 {
            true => curl.get("/me").await.is(200),
            false => curl.get("/me").await.refuses(401, "sign_in_required"),
        };
    }
}

#[actix_web::test]
async fn purging_at_once_on_two_nodes_purges_each_once() {
    const PEOPLE: usize = 20;
    let app = TestApp::with(&[("DATABASE_POOL", "8")]).await;
    for number in 0..PEOPLE {
        leaver(&app, &format!("person{number}@example.com")).await;
    }
    let other = app.second_node().await;
    app.wait(TimeDelta::days(30));

    let (here, there) = join(
        jobs::run_once(&app.inner, Job::Deletions, true),
        jobs::run_once(&other.inner, Job::Deletions, true),
    )
    .await;

    let both = [here.unwrap(), there.unwrap()];
    assert!(both.contains(&Outcome::Done(PEOPLE)), "{both:?}");
    assert!(both.iter().any(|one| matches!(one, Outcome::NotOurs | Outcome::Done(0))), "{both:?}");
    assert_eq!(app.count("users").await, 0);
    assert_eq!(app.count("outbox WHERE kind = 'deletion_done'").await, PEOPLE as i64);
}

#[actix_web::test]
async fn an_operator_can_hold_a_deletion_for_a_reason_that_is_audited_case_116() {
    let app = TestApp::open().await;
    leaver(&app, ADA).await;
    let output = app.command(&["user", "hold", ADA, "--reason", "Police, case 4711"]);
    assert_eq!(
        (output.code, output.out.trim()),
        (Some(0), "ada@example.com is not deleted while it is held.")
    );
    assert_eq!(
        app.texts("SELECT actor_kind || detail AS text FROM audit WHERE event = 'deletion_held'").await,
        [r#"operator{"reason":"Police, case 4711"}"#]
    );
    app.wait(TimeDelta::days(40));
    assert_eq!(run_deletions(&app).await, 0);
    let curl = sign_in(&app, ADA).await;
    assert_eq!(curl.get("/me/delete/status").await.is(200).hides("Police").json()["daysRemaining"], 0);

    let output = app.command(&["user", "hold", ADA, "--release"]);

    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(app.count("audit WHERE event = 'deletion_released'").await, 1);
    assert_eq!(run_deletions(&app).await, 1);
    assert_eq!(app.count("users").await, 0);
}

#[actix_web::test]
async fn an_unverified_account_is_deleted_without_a_word_to_a_mailbox_that_may_be_a_strangers() {
    let app = TestApp::open().await;
    let unverified_user = app.unverified_user(ADA).await;
    app.send_emails().await;
    step_up(&unverified_user).await;
    unverified_user.post_json("/me/delete", json!({})).await.is(200);
    // A week later it would have ended unconfirmed; it was promised thirty days.
    app.wait(TimeDelta::days(20));
    jobs::run_once(&app.inner, Job::Unconfirmed, true).await.unwrap();
    assert_eq!(app.count("users").await, 1);
    sign_in(&app, ADA).await.get("/me").await.refuses(403, "deletion_scheduled");
    app.wait(TimeDelta::days(10));

    assert_eq!(run_deletions(&app).await, 1);

    assert_eq!(app.count("users").await, 0);
    assert_eq!(subjects(&app, ADA).await, ["Confirm your email address for Vestibule"]);
}

#[actix_web::test]
async fn asking_and_changing_ones_mind_does_not_fill_a_mailbox_case_18() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let curl = app.verified(ADA).await;
    step_up(&curl).await;
    for _ in 0..5 {
        curl.post_json("/me/delete", json!({})).await.is(200);
        curl.post_json("/me/delete/cancel", json!({})).await.is(200);
    }

    curl.post_json("/me/delete", json!({})).await.refuses(429, "too_many_attempts");

    assert_eq!(curl.get("/me/delete/status").await.is(200).json(), json!({ "scheduled": false }));
}

#[actix_web::test]
async fn nobody_gets_into_a_locked_account_and_only_its_person_learns_that_it_is_locked_case_55() {
    let app = TestApp::open().await;
    let curl = app.verified(ADA).await;
    curl.get("/me").await.is(200);
    let wrong = json!({ "email": ADA, "password": "a wrong one" });
    let before = app.curl().post_json("/login", wrong.clone()).await.is(401).outline(ADA);

    let output = app.command(&["user", "lock", ADA]);

    assert_eq!(
        (output.code, output.out.trim()),
        (Some(0), "ada@example.com is locked and signed out everywhere.")
    );
    curl.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(app.curl().post_json("/login", wrong).await.is(401).outline(ADA), before);
    let right = json!({ "email": ADA, "password": PASSWORD });
    let refused = app.curl().post_json("/login", right.clone()).await.refuses(403, "account_locked");
    assert_eq!(refused.header("set-cookie"), "");
    let page = app.browser().post("/login", &[("email", ADA), ("password", PASSWORD)]).await.is(403);
    page.says("This account is locked").says("Contact support");
    // A new password does not open it either.
    app.curl().post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
    let reset = app.token_for(ADA).await;
    let another = "another good battery staple";
    app.curl().post_json("/reset-password", json!({ "token": reset, "password": another })).await.is(200);
    let right = json!({ "email": ADA, "password": another });
    app.curl().post_json("/login", right.clone()).await.refuses(403, "account_locked");

    assert_eq!(app.command(&["user", "unlock", ADA]).code, Some(0));
    curl.get("/me").await.refuses(401, "sign_in_required");
    app.curl().post_json("/login", right).await.is(200);
    let kinds = "SELECT event || ' ' || actor_kind AS text FROM audit WHERE event IN ('user_locked', 'user_unlocked') \
                 ORDER BY event";
    assert_eq!(app.texts(kinds).await, ["user_locked operator", "user_unlocked operator"]);
}

/// Even where a session's row stayed behind.
#[actix_web::test]
async fn a_session_that_began_in_the_moment_of_the_lock_is_refused_case_55() {
    let app = TestApp::open().await;
    let curl = app.verified(ADA).await;
    app.db_execute("UPDATE users SET locked_at = created_at").await;
    curl.get("/me").await.refuses(401, "sign_in_required");
    curl.get("/me/delete/status").await.refuses(401, "sign_in_required");
}

#[actix_web::test]
async fn the_status_is_nobody_elses_business() {
    let app = TestApp::open().await;
    leaver(&app, ADA).await;
    app.curl().get("/me/delete/status").await.refuses(401, "sign_in_required");
    app.curl().post_json("/me/delete/cancel", json!({})).await.refuses(401, "sign_in_required");
    for token in ["", "none"] {
        app.curl().get(&format!("/cancel-deletion?token={token}")).await.refuses(422, "dead_link");
        let answer = app.curl().post_json("/cancel-deletion", json!({ "token": token })).await;
        answer.refuses(422, "dead_link");
    }
    let status: Value = sign_in(&app, ADA).await.get("/me/delete/status").await.is(200).json();
    assert_eq!(status["scheduled"], true);
}
