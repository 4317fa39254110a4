//! The way back for whoever lost every second factor.

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use vestibule::{
    internals::{Actor, FactorResetAsked, ask_for_factor_reset},
    jobs::{self, Job, Outcome},
    mail::EmailAddress,
};

use crate::{
    harness::{PASSWORD, TestApp, token_in},
    magic_link::App,
};

/// An operator asks for it, at the house's own time.
async fn ask(app: &TestApp, address: &str) -> FactorResetAsked {
    let email = EmailAddress::parse(address).unwrap();
    app.inner.write(move |tx| ask_for_factor_reset(tx, &Actor::operator(), &email)).await.unwrap()
}

/// Runs the job; from how many it took their second factors.
async fn reset(app: &TestApp) -> usize {
    match jobs::run_once(&app.inner, Job::FactorResets, true).await.unwrap() {
        Outcome::Done(count) => count,
        // Another run had it at that moment.
        _ => 0,
    }
}

async fn guarded(test_app: &TestApp, address: &str) -> (crate::harness::Visitor, App) {
    let curl = test_app.verified(address).await;
    let app = App::of(test_app, address).await;
    (curl, app)
}

async fn sign_in(app: &TestApp, address: &str) -> Value {
    let form = json!({ "email": address, "password": PASSWORD });
    app.curl().post_json("/login", form).await.is(200).json()
}

#[actix_web::test]
async fn after_the_delay_every_second_factor_and_session_is_gone_and_the_owner_is_told() {
    let app = TestApp::open().await;
    let (laptop, _) = guarded(&app, "ada@example.com").await;
    app.send_emails().await;

    let FactorResetAsked::Until(at) = ask(&app, "Ada@Example.com").await else { panic!("it did not start") };
    assert_eq!(at.iso(), "2026-11-22T14:06:00Z");
    let emails = app.emails_to("ada@example.com").await;
    let asked = &emails[emails.len() - 1];
    assert_eq!(asked.subject, "A reset of your two-step verification at Vestibule was requested");
    assert!(asked.text.contains("22 November 2026, 14:06 UTC") && asked.text.contains("You have 24 hours."));
    app.wait(TimeDelta::hours(24) - TimeDelta::seconds(1));
    assert_eq!(reset(&app).await, 0);
    assert_eq!(sign_in(&app, "ada@example.com").await["twoFactorRequired"], true);
    app.wait(TimeDelta::seconds(1));
    assert_eq!(reset(&app).await, 1);
    assert_eq!(reset(&app).await, 0);

    for table in ["totp", "totp_setups", "passkeys", "recovery_codes", "sessions"] {
        assert_eq!(app.count(table).await, 0, "{table}");
    }
    laptop.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(sign_in(&app, "ada@example.com").await["user"]["email"], "ada@example.com");
    let emails = app.emails_to("ada@example.com").await;
    assert!(emails.iter().any(|email| email.subject == "Your two-step verification at Vestibule was reset"));
    let acts = app.texts("SELECT event || ' ' || actor_kind AS text FROM audit WHERE event LIKE 'second_factors_reset%' ORDER BY at").await;
    assert_eq!(acts, ["second_factors_reset_asked operator", "second_factors_reset operator"]);
}

#[actix_web::test]
async fn the_owner_stops_it_by_the_link_which_does_nothing_when_it_is_only_opened_case_01() {
    let test_app = TestApp::open().await;
    let (_, app) = guarded(&test_app, "ada@example.com").await;
    ask(&test_app, "ada@example.com").await;
    let token = test_app.token_for("ada@example.com").await;
    let link = format!("/factor-reset/stop?token={token}");

    test_app.browser().head(&link).await.is(200);
    let page =
        test_app.browser().get(&link).await.is(200).says("Cancel the reset of your two-step verification?");
    page.says("2026-11-22T14:06:00Z").says("Cancel the reset</button>");
    let told = test_app.curl().get(&link).await.is(200).hides(&token).json();
    assert_eq!(told, json!({ "email": "ada@example.com", "takesEffectAt": "2026-11-22T14:06:00Z" }));
    assert_eq!(test_app.count("users WHERE factors_reset_at IS NOT NULL").await, 1);
    test_app.browser().post("/factor-reset/stop", &[("token", &token)]).await.goes_to("/login");

    test_app.wait(TimeDelta::hours(25));
    assert_eq!(reset(&test_app).await, 0);
    let curl = test_app.curl();
    let form = json!({ "email": "ada@example.com", "password": PASSWORD });
    curl.post_json("/login", form).await.is(200);
    curl.post_json("/login/2fa", json!({ "code": app.code(&test_app) })).await.is(200);
    let emails = test_app.emails_to("ada@example.com").await;
    let subjects: Vec<_> = emails.iter().map(|email| email.subject.as_str()).collect();
    assert!(
        subjects.contains(&"The reset of your two-step verification at Vestibule was cancelled"),
        "{subjects:?}"
    );
    test_app.browser().get(&link).await.is(200).says("Nothing to cancel");
    let again =
        test_app.curl().post_json("/factor-reset/stop", json!({ "token": token })).await.is(200).json();
    assert_eq!(again["stopped"], false);
}

#[actix_web::test]
async fn a_late_reader_of_the_email_learns_that_it_has_happened() {
    let app = TestApp::open().await;
    guarded(&app, "ada@example.com").await;
    ask(&app, "ada@example.com").await;
    let token = app.token_for("ada@example.com").await;
    app.wait(TimeDelta::hours(30));
    reset(&app).await;

    let page = app.browser().get(&format!("/factor-reset/stop?token={token}")).await.is(200);
    page.says("Nothing to cancel").says("removed by now");
    let late = app.curl().post_json("/factor-reset/stop", json!({ "token": token })).await.is(200).json();
    assert_eq!(late["stopped"], false);
    app.wait(TimeDelta::days(8));
    app.browser().get(&format!("/factor-reset/stop?token={token}")).await.is(422);
    app.browser().get("/factor-reset/stop?token=nothing").await.is(422).says("This link no longer works");
}

#[actix_web::test]
async fn whoever_signs_in_during_the_delay_sees_it_and_a_browser_from_before_stops_it_with_a_button() {
    let test_app = TestApp::open().await;
    let (owner, app) = guarded(&test_app, "ada@example.com").await;
    ask(&test_app, "ada@example.com").await;
    let browser = test_app.browser();
    let form = [("email", "ada@example.com"), ("password", PASSWORD)];
    browser.post("/login", &form).await.goes_to("/login/2fa?next=%2Fme");
    browser.post("/login/2fa", &[("code", &app.code(&test_app))]).await.goes_to("/me");

    let page = browser.get("/me/security").await.is(200);
    page.says("A reset of your two-step verification was requested").says("action=\"/me/factor-reset/stop\"");
    // What opened this session is to be removed, and the browser is a new one: it may be whoever added that factor.
    browser.post("/me/factor-reset/stop", &[]).await.is(422).says("use the link in the email");
    owner.post_json("/me/factor-reset/stop", json!({})).await.is(200);
    browser.get("/me/security").await.is(200).hides("about to be removed");

    test_app.wait(TimeDelta::hours(25));
    assert_eq!(reset(&test_app).await, 0);
    let acts = test_app
        .texts("SELECT actor_kind AS text FROM audit WHERE event = 'second_factors_reset_stopped'")
        .await;
    assert_eq!(acts, ["user"]);
}

#[actix_web::test]
async fn nobody_can_stop_or_see_what_concerns_somebody_else() {
    let app = TestApp::open().await;
    guarded(&app, "ada@example.com").await;
    let eve = app.verified("eve@example.com").await;
    ask(&app, "ada@example.com").await;

    let answer = eve.post_json("/me/factor-reset/stop", json!({})).await.is(200).json();

    assert_eq!(answer["stopped"], false);
    assert_eq!(eve.get("/me/security").await.is(200).json()["ways"]["resetAt"], Value::Null);
    app.curl().post_json("/me/factor-reset/stop", json!({})).await.refuses(401, "sign_in_required");
    assert_eq!(app.count("users WHERE factors_reset_at IS NOT NULL").await, 1);
}

#[actix_web::test]
async fn a_new_password_does_not_take_the_stop_away_from_the_owner() {
    let app = TestApp::open().await;
    guarded(&app, "ada@example.com").await;
    ask(&app, "ada@example.com").await;
    let token = app.token_for("ada@example.com").await;
    app.curl().post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let reset = app.token_for("ada@example.com").await;
    let body = json!({ "token": reset, "password": "a new and better password" });
    app.curl().post_json("/reset-password", body).await.is(200);

    let answer = app.curl().post_json("/factor-reset/stop", json!({ "token": token })).await.is(200).json();

    assert_eq!(answer["stopped"], true);
}

#[actix_web::test]
async fn it_starts_once_and_only_where_there_is_something_to_reset() {
    let app = TestApp::open().await;
    guarded(&app, "ada@example.com").await;
    app.verified("eve@example.com").await;
    app.unverified_user("bob@example.com").await;

    let FactorResetAsked::Until(at) = ask(&app, "ada@example.com").await else { panic!("it did not start") };
    app.wait(TimeDelta::hours(1));
    assert_eq!(ask(&app, "ada@example.com").await, FactorResetAsked::UnderWay(at));
    assert_eq!(ask(&app, "eve@example.com").await, FactorResetAsked::NothingToReset);
    assert_eq!(ask(&app, "bob@example.com").await, FactorResetAsked::Nobody);
    assert_eq!(ask(&app, "nobody@example.com").await, FactorResetAsked::Nobody);
    let emails = app.emails_to("ada@example.com").await;
    assert_eq!(emails.iter().filter(|email| email.text.contains("/factor-reset/stop")).count(), 1);
}

#[actix_web::test]
async fn of_stops_and_jobs_at_once_one_decides() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    for round in 0..6 {
        let address = format!("ada{round}@example.com");
        guarded(&app, &address).await;
        ask(&app, &address).await;
        let emails = app.emails_to(&address).await;
        let token = emails.iter().rev().find_map(|email| token_in(&email.text)).unwrap();
        app.wait(TimeDelta::hours(24));

        let stops = join_all((0..25).map(async |_| {
            let answer = app.curl().post_json("/factor-reset/stop", json!({ "token": token })).await;
            answer.is(200).json()["stopped"] == true
        }));
        let runs = join_all((0..25).map(|_| reset(&app)));
        let (stops, runs) = match round % 2 {
            0 => join(stops, runs).await,
            _ => {
                let (runs, stops) = join(runs, stops).await;
                (stops, runs)
            }
        };

        let stopped = stops.iter().filter(|stopped| **stopped).count();
        let reset: usize = runs.into_iter().sum();
        assert_eq!(stopped + reset, 1, "{stopped} stopped, {reset} reset");
        let left = app
            .count(&format!("totp JOIN users ON users.id = totp.user_id WHERE users.email = '{address}'"))
            .await;
        assert_eq!(left, stopped as i64, "stopped, the app is there; reset, it is not");
    }
}

#[actix_web::test]
async fn the_operator_asks_asks_again_and_stops_it_by_command() {
    let app = TestApp::open().await;
    guarded(&app, "ada@example.com").await;
    app.verified("eve@example.com").await;

    let output = app.command(&["user", "reset-2fa", "Ada@example.com", "--json"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let told: Value = serde_json::from_str(&output.out).unwrap();
    assert!(told["takesEffectAt"].as_str().unwrap().ends_with('Z'), "{told}");
    assert_eq!(app.count("users WHERE factors_reset_at IS NOT NULL").await, 1);

    let again = app.command(&["user", "reset-2fa", "ada@example.com"]);
    assert_eq!((again.code, again.out.as_str()), (Some(1), ""), "{again:?}");
    assert!(again.err.contains("already under way") && again.err.contains("--cancel"), "{again:?}");
    let stopped = app.command(&["user", "reset-2fa", "ada@example.com", "--cancel"]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert!(stopped.out.contains("It is cancelled."), "{stopped:?}");
    for (arguments, sentence) in [
        (&["user", "reset-2fa", "ada@example.com", "--cancel"][..], "Nothing is under way"),
        (&["user", "reset-2fa", "eve@example.com"], "no second factor"),
        (&["user", "reset-2fa", "nobody@example.com"], "Nobody has nobody@example.com confirmed"),
        (&["user", "reset-2fa", "nobody@example.com", "--cancel"], "Nobody has nobody@example.com confirmed"),
    ] {
        let output = app.command(arguments);
        assert_eq!((output.code, output.out.as_str()), (Some(1), ""), "{output:?}");
        assert!(output.err.contains(sentence), "{output:?}");
    }
    assert_eq!(app.command(&["user", "reset-2fa"]).code, Some(2));
    let output = app.command(&["user", "reset-2fa", "ada at home"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    let again = app.command(&["user", "reset-2fa", "ada@example.com"]);
    assert!(again.out.contains("can cancel it for 24 hours"), "{again:?}");

    app.db_execute(
        "UPDATE users SET factors_reset_at = '2020-01-01 00:00:00' WHERE factors_reset_at IS NOT NULL",
    )
    .await;
    let ran = app.command(&["jobs", "run", "factor-resets"]);
    assert_eq!(ran.out, "factor-resets: 1 done\n", "{ran:?}");
    assert_eq!(app.count("totp").await, 0);
}

#[actix_web::test]
async fn the_delay_is_a_setting() {
    let app = TestApp::with(&[("FACTORS_RESET_DELAY", "2d")]).await;
    guarded(&app, "ada@example.com").await;
    let FactorResetAsked::Until(at) = ask(&app, "ada@example.com").await else { panic!("it did not start") };
    assert_eq!(at.iso(), "2026-11-23T14:06:00Z");
    let emails = app.emails_to("ada@example.com").await;
    assert!(emails[emails.len() - 1].text.contains("You have 2 days."));
}
