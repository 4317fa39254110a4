//! What an operator may do to an organisation, from the command line.

use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::jobs::{self, Job};

use crate::harness::{CommandOutput, TestApp};

const ADA: &str = "ada@example.com";
const BEA: &str = "bea@example.com";

fn run(app: &TestApp, arguments: &[&str]) -> CommandOutput {
    app.command(&[&["organisation"], arguments].concat())
}

fn says(output: CommandOutput, words: &str) {
    assert_eq!((output.code, output.out.trim()), (Some(0), words), "{output:?}");
}

fn refuses(output: CommandOutput, words: &str) {
    assert_eq!((output.code, output.err.trim()), (Some(1), words), "{output:?}");
}

#[actix_web::test]
async fn an_operator_creates_one_and_gives_it_members_and_owners() {
    let app = TestApp::today_with(&[("ORGANISATIONS_BY", "operators")]).await;
    app.verified(ADA).await;
    let bea = app.verified(BEA).await;
    app.unverified_user("eve@example.com").await;

    says(run(&app, &["create", "Acme & Sons", "--owner", ADA]), "Acme & Sons is created as acme-sons.");

    refuses(
        run(&app, &["create", "Acme & Sons", "--owner", ADA]),
        "The short name acme-sons is taken. Choose another with --slug.",
    );
    assert_eq!(run(&app, &["create", "Other", "--owner", "eve@example.com"]).code, Some(1));
    refuses(run(&app, &["show", "nowhere"]), "There is no organisation called nowhere.");
    assert_eq!(run(&app, &["add-member", "acme-sons", BEA, "--role", "king"]).code, Some(2));
    says(run(&app, &["add-member", "acme-sons", BEA]), "acme-sons has bea@example.com as a member.");
    refuses(
        run(&app, &["add-member", "acme-sons", BEA, "--role", "editor"]),
        "acme-sons has bea@example.com as a viewer already: nothing was changed.",
    );
    assert_eq!(bea.get("/organisations/acme-sons").await.is(200).json()["you"]["role"], "viewer");
    says(run(&app, &["owner", "acme-sons", BEA]), "acme-sons is owned by bea@example.com.");
    assert_eq!(run(&app, &["owner", "acme-sons", BEA]).code, Some(1));
    // The command goes by the machine's clock.
    app.wait(TimeDelta::minutes(5));
    assert_eq!(app.emails_that_say(ADA, "There is a new owner of Acme & Sons").await, 1);
    let by =
        "SELECT DISTINCT actor_kind AS text FROM audit WHERE event IN ('organisation_made', 'role_changed')";
    assert_eq!(app.texts(by).await, ["operator"]);

    let shown: Value = serde_json::from_str(&run(&app, &["show", "acme-sons", "--json"]).out).unwrap();
    assert_eq!((&shown["owners"], &shown["members"]), (&json!([ADA, BEA]), &json!(2)));
    let listed = run(&app, &["list", "--json"]).out;
    assert_eq!(listed.lines().count(), 1);
    assert!(run(&app, &["list"]).out.contains("acme-sons"), "{listed}");
    let id = shown["id"].as_str().unwrap();
    assert_eq!(run(&app, &["show", id]).out, run(&app, &["show", "acme-sons"]).out);
    refuses(
        run(&app, &["show", &"0".repeat(32)]),
        &format!("There is no organisation called {}.", "0".repeat(32)),
    );
    assert!(run(&app, &["show", "acme-sons"]).out.contains("owned by ada@example.com, bea@example.com"));
}

#[actix_web::test]
async fn an_operator_deletes_one_with_a_grace_or_at_once_and_restores_it() {
    let app = TestApp::today().await;
    let ada = app.verified(ADA).await;
    app.verified(BEA).await;
    ada.post_json("/organisations", json!({ "name": "Acme" })).await.is(201);

    refuses(run(&app, &["restore", "acme"]), "acme was not going to be deleted: nothing was changed.");
    says(run(&app, &["delete", "acme"]), "acme is going to be deleted.");
    ada.get("/organisations/acme").await.refuses(403, "organisation_leaving");
    refuses(
        run(&app, &["owner", "acme", BEA]),
        "This organisation is going to be deleted. Restore it to use it again.",
    );
    assert!(run(&app, &["list"]).out.contains("will be deleted on "));
    says(run(&app, &["restore", "acme"]), "acme is restored.");
    ada.get("/organisations/acme").await.is(200);

    says(run(&app, &["delete", "acme", "--now"]), "acme is deleted.");
    ada.get("/organisations/acme").await.refuses(404, "not_found");
    assert_eq!(app.count("organisations").await, 0);
    refuses(run(&app, &["restore", "acme"]), "There is no organisation called acme.");
    ada.post_json("/organisations", json!({ "name": "Acme" })).await.refuses(422, "invalid");
    assert_eq!(app.count("audit WHERE event = 'organisation_ended' AND actor_kind = 'operator'").await, 1);
    app.wait(TimeDelta::days(91));
    jobs::run_once(&app.inner, Job::Sweep, true).await.unwrap();
    assert_eq!(app.count("former_slugs").await, 0);
}
