//! What an operator may do to an account, from the command line.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use vestibule::db::schema::jobs;

use crate::harness::{CommandOutput, PASSWORD, TestApp};

const ADA: &str = "ada@example.com";
const CHROME: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";

fn lines(output: &CommandOutput) -> Vec<Value> {
    output.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[actix_web::test]
async fn everybody_is_listed_in_words_and_as_json() {
    let app = TestApp::today().await;
    app.verified(ADA).await;
    app.unverified_user("ben@example.com").await;

    let (words, json) = (app.command(&["user", "list"]), app.command(&["user", "list", "--json"]));

    assert_eq!((words.code, json.code), (Some(0), Some(0)), "{words:?} {json:?}");
    assert!(words.out.contains("ben@example.com") && words.out.contains("not confirmed"), "{words:?}");
    let mut people = lines(&json);
    people.sort_by_key(|person| person["email"].to_string());
    assert_eq!((&people[0]["email"], &people[0]["emailVerified"]), (&json!(ADA), &json!(true)));
    assert_eq!(
        (&people[1]["email"], &people[1]["emailVerified"]),
        (&json!("ben@example.com"), &json!(false))
    );
    assert!(!words.out.contains("$2"), "no hash");
}

#[actix_web::test]
async fn one_account_is_shown_with_its_devices_and_who_tried() {
    let app = TestApp::today().await;
    let curl = app.verified(ADA).await;
    curl.put_json("/me/name", json!({ "name": "Ada \u{7f}Lovelace" })).await.is(422);
    let shown = app.command(&["user", "show", "Ada@Example.com"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for part in [ADA, "confirmed", "signed in", "curl", "127.0.0.1", "success"] {
        assert!(shown.out.contains(part), "{part}: {shown:?}");
    }
    let shown = &lines(&app.command(&["user", "show", ADA, "--json"]))[0];
    assert_eq!(
        (&shown["lockedAt"], &shown["deleteAt"], &shown["holdReason"]),
        (&json!(null), &json!(null), &json!(null))
    );
}

#[actix_web::test]
async fn who_tried_is_shown_of_an_account_with_an_address_confirmed_or_not() {
    let app = TestApp::today().await;
    let ben = "ben@example.com";
    app.verified(ADA).await;
    app.unverified_user(ben).await;
    for email in [ADA, ben] {
        let stranger = app.curl();
        stranger.post_json("/login", json!({ "email": email, "password": "a wrong guess" })).await.is(401);
        stranger.post_json("/login/magic-link", json!({ "email": email })).await.is(200);
        stranger.post_json("/login/magic-link/verify", json!({ "code": "000-000" })).await.is(422);

        let shown = app.command(&["user", "show", email]).out;

        let id = shown.split(' ').next().unwrap();
        for outcome in ["wrong_password", "wrong_link_code"] {
            assert!(shown.contains(outcome), "{shown}");
        }
        let failed = format!("audit WHERE event = 'sign_in_failed' AND subject_id = '{id}'");
        assert_eq!(app.count(&failed).await, 2, "{shown}");
    }
}

#[actix_web::test]
async fn a_locked_session_is_not_shown_as_signed_in() {
    let app = TestApp::today().await;
    let curl = app.verified(ADA).await.named(CHROME);
    curl.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
    curl.named(FIREFOX).get("/me").await.refuses(401, "session_locked");

    let shown = app.command(&["user", "show", ADA]).out;
    let json = &lines(&app.command(&["user", "show", ADA, "--json"]))[0];

    assert!(!shown.contains("signed in"), "{shown}");
    let line = shown.lines().find(|line| line.starts_with("  locked     ")).unwrap();
    assert!(line.contains("Chrome on macOS, 127.0.0.1; locked because it was used from Firefox on Windows"));
    assert!(json["sessions"][0].as_str().is_some_and(|told| line.ends_with(told)), "{json}");
}

#[actix_web::test]
async fn nobody_and_several_are_refused_with_a_sentence() {
    let app = TestApp::today().await;
    app.unverified_user(ADA).await;
    app.unverified_user(ADA).await;
    for (who, says) in [
        ("nobody@example.com", "There is no account called nobody@example.com."),
        ("0123456789abcdef0123456789abcdef", "There is no account called 0123456789abcdef0123456789abcdef."),
        ("not an address", "."),
        (ADA, "Several accounts claim ada@example.com. Name one by its id: "),
    ] {
        let output = app.command(&["user", "lock", who]);
        assert_eq!((output.code, output.out.as_str()), (Some(1), ""), "{output:?}");
        assert!(output.err.contains(says), "{output:?}");
    }
    let ids = app.texts("SELECT id AS text FROM users").await;
    assert_eq!(app.command(&["user", "lock", &ids[0]]).code, Some(0));
    assert_eq!(app.count("users WHERE locked_at IS NOT NULL").await, 1);
    let wrong = app.command(&["user", "hold", ADA]);
    assert_eq!(wrong.code, Some(2), "a hold has a reason: {wrong:?}");
}

#[actix_web::test]
async fn a_change_is_told_once_and_the_second_time_as_none() {
    let app = TestApp::today().await;
    app.verified(ADA).await;
    for (arguments, changed) in [
        (&["user", "lock", ADA, "--json"][..], true),
        (&["user", "lock", ADA, "--json"], false),
        (&["user", "unlock", ADA, "--json"], true),
        (&["user", "unlock", ADA, "--json"], false),
        (&["user", "delete", ADA, "--json"], true),
        (&["user", "delete", ADA, "--json"], false),
    ] {
        let output = app.command(arguments);
        assert_eq!(output.code, Some(i32::from(!changed)), "{output:?}");
        assert_eq!(lines(&output)[0]["changed"], changed, "{output:?}");
        assert_eq!(output.err.is_empty(), changed, "{output:?}");
    }
    assert_eq!(app.count("audit WHERE event LIKE 'user_%' AND actor_kind = 'operator'").await, 2);
    assert_eq!(app.count("audit WHERE event = 'deletion_scheduled' AND actor_kind = 'operator'").await, 1);
}

#[actix_web::test]
async fn an_account_is_deleted_like_by_its_person_or_at_once() {
    let app = TestApp::today().await;
    let ada = app.verified(ADA).await;
    assert_eq!(app.command(&["user", "delete", ADA]).out, "ada@example.com is going to be deleted.\n");
    ada.get("/me").await.refuses(401, "sign_in_required");
    let curl = app.curl();
    curl.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
    curl.get("/me").await.refuses(403, "deletion_scheduled");
    // The command was a moment later than this house, whose clock stands still. Two emails go out side by side.
    app.wait(TimeDelta::minutes(10));
    let emails = app.emails_to(ADA).await;
    assert!(emails.iter().any(|email| email.subject == "Your account at Vestibule will be deleted"));

    assert_eq!(app.command(&["user", "hold", ADA, "--reason", "A court"]).code, Some(0));
    let output = app.command(&["user", "delete", ADA, "--now", "--json"]);
    assert_eq!((output.code, &lines(&output)[0]["changed"]), (Some(1), &json!(false)), "{output:?}");
    assert_eq!(app.count("users").await, 1);
    assert_eq!(app.command(&["user", "hold", ADA, "--release"]).code, Some(0));

    assert_eq!(app.command(&["user", "delete", ADA, "--now"]).out, "ada@example.com is deleted.\n");

    assert_eq!(app.count("users").await, 0);
    assert!(!app.dump_storage().await.contains(ADA));
    assert_eq!(app.count("audit WHERE event = 'purged' AND actor_kind = 'operator'").await, 1);
}

#[actix_web::test]
async fn jobs_run_by_name_and_all_together() {
    let app = TestApp::today().await;
    let output = app.command(&["jobs", "run"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let first = "deletions: 0 done\nunconfirmed: 0 done\nfactor-resets: 0 done\napi-keys: 0 done\ndeliveries: 0 done\nsigning-keys: 0 done\nsso: 0 done\nsweep: 0 done\nvacuum: 1 done\noutbox: 0 email(s) tried\n";
    assert_eq!(output.out, first);
    assert_eq!(app.command(&["jobs", "run"]).out.matches("not due").count(), 9);
    assert_eq!(app.command(&["jobs", "run", "sweep"]).out, "sweep: 0 done\n");
    let wrong = app.command(&["jobs", "run", "dance"]);
    assert_eq!(wrong.code, Some(1));
    assert!(
        wrong.err.contains(
            "There are: outbox, deletions, unconfirmed, factor-resets, api-keys, deliveries, signing-keys, sso, sweep, vacuum."
        ),
        "{wrong:?}"
    );
    let listed = app.command(&["jobs", "list"]).out;
    assert!(listed.starts_with("outbox: 0 waiting; 0 given up\n"), "{listed}");
    assert_eq!(listed.matches("last finished just now").count(), 9, "{listed}");
}

#[actix_web::test]
async fn an_account_is_signed_out_everywhere_and_its_person_comes_in_again() {
    let app = TestApp::today().await;
    let (ada, ben) = (app.verified(ADA).await, app.verified("ben@example.com").await);

    let output = app.command(&["user", "sign-out", ADA]);

    assert_eq!(
        (output.code, output.out.as_str()),
        (Some(0), "ada@example.com is signed out everywhere.\n"),
        "{output:?}"
    );
    ada.get("/me").await.refuses(401, "sign_in_required");
    ben.get("/me").await.is(200);
    app.curl().post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
    let by_operator = "audit WHERE event = 'other_sessions_revoked' AND actor_kind = 'operator'";
    assert_eq!(app.count(by_operator).await, 1);
    assert_eq!(lines(&app.command(&["user", "sign-out", ADA, "--json"]))[0]["changed"], true);
}

#[actix_web::test]
async fn everybody_is_signed_out_by_whoever_says_that_they_mean_it() {
    let app = TestApp::today().await;
    let people = [app.verified(ADA).await, app.verified("ben@example.com").await];
    let owner = app.with_app("cleo@example.com").await;
    let half_in = app.curl();
    owner.submits_password(&half_in).await.is(200);

    let asked = app.command(&["session", "revoke-all"]);
    assert_eq!((asked.code, asked.out.as_str()), (Some(1), ""), "{asked:?}");
    assert!(asked.err.contains("3 session(s)") && asked.err.contains("--yes"), "{asked:?}");
    people[0].get("/me").await.is(200);

    let output = app.command(&["session", "revoke-all", "--yes", "--json"]);

    assert_eq!((output.code, &lines(&output)[0]["revoked"]), (Some(0), &json!(3)), "{output:?}");
    for person in people.iter().chain([&owner.curl]) {
        person.get("/me").await.refuses(401, "sign_in_required");
    }
    half_in.submits_code(&app.next_code(&owner.secret)).await.refuses(401, "sign_in_ended");
    let row =
        "audit WHERE event = 'every_session_revoked' AND actor_kind = 'operator' AND subject_id IS NULL";
    assert_eq!(app.count(row).await, 1);
}

/// An act that changes nothing is told on stderr, ends with 1, and is not in the audit.
#[actix_web::test]
async fn an_act_that_did_nothing_says_so() {
    let app = TestApp::today().await;
    app.verified(ADA).await;
    app.verified("ben@example.com").await;
    let done = |arguments: &[&str]| {
        let output = app.command(arguments);
        assert_eq!((output.code, output.err.as_str()), (Some(0), ""), "{arguments:?}: {output:?}");
    };
    let did_nothing = async |arguments: &[&str], says: &str| {
        let before = app.count("audit").await;
        let output = app.command(arguments);
        assert_eq!((output.code, output.out.as_str()), (Some(1), ""), "{arguments:?}: {output:?}");
        assert!(output.err.contains(says) && output.err.lines().count() == 1, "{arguments:?}: {output:?}");
        assert_eq!(app.count("audit").await, before, "{arguments:?}");
    };
    did_nothing(&["user", "unlock", ADA], "was not locked: nothing was changed.").await;
    done(&["user", "lock", ADA]);
    did_nothing(&["user", "lock", ADA], "was locked already: nothing was changed.").await;
    did_nothing(&["user", "sign-out", ADA], "was signed in nowhere: nothing was changed.").await;
    did_nothing(&["user", "hold", ADA, "--release"], "was not held").await;
    done(&["user", "hold", ADA, "--reason", "A court"]);
    did_nothing(&["user", "hold", ADA, "--reason", "A court"], "was held for that reason already").await;
    done(&["user", "hold", ADA, "--reason", "Another court"]);
    did_nothing(&["user", "delete", ADA, "--now"], "is held").await;
    done(&["user", "delete", ADA]);
    did_nothing(&["user", "delete", ADA], "was going to be deleted already").await;
    did_nothing(&["user", "reset-2fa", "ben@example.com"], "no second factor").await;
    did_nothing(&["user", "reset-2fa", "ben@example.com", "--cancel"], "Nothing is under way").await;
    did_nothing(&["user", "show", "nobody@example.com"], "There is no account").await;
    did_nothing(&["jobs", "retry"], "nothing is put back").await;
    did_nothing(&["jobs", "run", "laundry"], "There is no job called laundry").await;
    done(&["jobs", "run", "sweep"]);
    did_nothing(&["limits", "clear", ADA], "nothing was cleared").await;
    did_nothing(&["limits", "clear", "--all"], "nothing was cleared").await;
    did_nothing(&["sso", "key", "switch"], "no announced key").await;
    did_nothing(&["sso", "test", "0123456789abcdef0123456789abcdef"], "no such connection").await;
    did_nothing(&["sso", "domain", "approve", "example.com"], "No organisation says").await;
    done(&["session", "revoke-all", "--yes"]);
    did_nothing(&["session", "revoke-all", "--yes"], "Nobody is signed in").await;
    did_nothing(&["session", "revoke-all"], "0 session(s)").await;
}

#[actix_web::test]
async fn a_job_that_another_node_has_is_not_run_and_a_domain_is_approved_once() {
    let app = TestApp::today().await;
    assert_eq!(app.command(&["jobs", "run", "sweep"]).code, Some(0));
    let taken = app.inner.write(|tx| {
        let lease = (jobs::holder.eq("another"), jobs::held_until.eq(tx.now + TimeDelta::minutes(1)));
        Ok(diesel::update(jobs::table.find("sweep")).set(lease).execute(tx.conn)?)
    });
    assert_eq!(taken.await.unwrap(), 1);
    let output = app.command(&["jobs", "run", "sweep"]);
    assert_eq!((output.code, output.out.as_str()), (Some(1), ""), "{output:?}");
    assert_eq!(output.err, "sweep runs elsewhere right now: nothing was done.\n");

    assert_eq!(app.command(&["seed"]).code, Some(0));
    let output = app.command(&["sso", "domain", "approve", "demo.example", "--json"]);
    assert_eq!((output.code, &lines(&output)[0]["changed"]), (Some(1), &json!(false)), "{output:?}");
    assert!(output.err.contains("nothing was changed"), "{output:?}");
}
