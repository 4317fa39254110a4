//! The way back for whoever lost every second factor.

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use vestibule::{
    accounts::factor_reset::{self, Asked},
    jobs::{self, Chore, Outcome},
    mail::EmailAddress,
    model::audit::Actor,
};

use crate::{
    house::{House, PASSWORD, token_in},
    magic_link::App,
};

/// An operator asks for it, at the house's own time.
async fn ask(house: &House, address: &str) -> Asked {
    let email = EmailAddress::parse(address).unwrap();
    house.app.write(move |tx| factor_reset::ask(tx, &Actor::operator(), &email)).await.unwrap()
}

/// Runs the job; from how many it took their second factors.
async fn reset(house: &House) -> usize {
    match jobs::run_once(&house.app, Chore::FactorResets, true).await.unwrap() {
        Outcome::Done(count) => count,
        // Another run had it at that moment.
        _ => 0,
    }
}

async fn guarded(house: &House, address: &str) -> (crate::house::Visitor, App) {
    let curl = house.verified(address).await;
    let app = App::of(house, address).await;
    (curl, app)
}

async fn sign_in(house: &House, address: &str) -> Value {
    let form = json!({ "email": address, "password": PASSWORD });
    house.curl().post_json("/login", form).await.is(200).json()
}

#[actix_web::test]
async fn after_the_delay_every_second_factor_and_session_is_gone_and_the_owner_is_told() {
    let house = House::open().await;
    let (laptop, _) = guarded(&house, "ada@example.com").await;
    house.send_letters().await;

    let Asked::Until(at) = ask(&house, "Ada@Example.com").await else { panic!("it did not start") };
    assert_eq!(at.iso(), "2026-11-22T14:06:00Z");
    let letters = house.letters_to("ada@example.com").await;
    let asked = &letters[letters.len() - 1];
    assert_eq!(asked.subject, "Somebody asked to reset how you sign in to Vestibule");
    assert!(asked.text.contains("22 November 2026, 14:06 UTC") && asked.text.contains("You have 24 hours."));
    house.wait(TimeDelta::hours(24) - TimeDelta::seconds(1));
    assert_eq!(reset(&house).await, 0);
    assert_eq!(sign_in(&house, "ada@example.com").await["twoFactorRequired"], true);
    house.wait(TimeDelta::seconds(1));
    assert_eq!(reset(&house).await, 1);
    assert_eq!(reset(&house).await, 0);

    for table in ["totp", "totp_setups", "passkeys", "recovery_codes", "sessions"] {
        assert_eq!(house.count(table).await, 0, "{table}");
    }
    laptop.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(sign_in(&house, "ada@example.com").await["user"]["email"], "ada@example.com");
    let letters = house.letters_to("ada@example.com").await;
    assert!(letters.iter().any(|letter| letter.subject == "Your second proofs for Vestibule are removed"));
    let acts = house.texts("SELECT event || ' ' || actor_kind AS text FROM audit WHERE event LIKE 'second_factors_reset%' ORDER BY at").await;
    assert_eq!(acts, ["second_factors_reset_asked operator", "second_factors_reset operator"]);
}

#[actix_web::test]
async fn the_owner_stops_it_by_the_link_which_does_nothing_when_it_is_only_opened_case_01() {
    let house = House::open().await;
    let (_, app) = guarded(&house, "ada@example.com").await;
    ask(&house, "ada@example.com").await;
    let token = house.token_for("ada@example.com").await;
    let link = format!("/factor-reset/stop?token={token}");

    house.browser().head(&link).await.is(200);
    let page = house.browser().get(&link).await.is(200).says("Did you lose your second proofs?");
    page.says("2026-11-22T14:06:00Z").says("Stop it</button>");
    let told = house.curl().get(&link).await.is(200).hides(&token).json();
    assert_eq!(told, json!({ "email": "ada@example.com", "takesEffectAt": "2026-11-22T14:06:00Z" }));
    assert_eq!(house.count("users WHERE factors_reset_at IS NOT NULL").await, 1);
    house.browser().post("/factor-reset/stop", &[("token", &token)]).await.goes_to("/login");

    house.wait(TimeDelta::hours(25));
    assert_eq!(reset(&house).await, 0);
    let curl = house.curl();
    let form = json!({ "email": "ada@example.com", "password": PASSWORD });
    curl.post_json("/login", form).await.is(200);
    curl.post_json("/login/2fa", json!({ "code": app.code(&house) })).await.is(200);
    let letters = house.letters_to("ada@example.com").await;
    let subjects: Vec<_> = letters.iter().map(|letter| letter.subject.as_str()).collect();
    assert!(subjects.contains(&"How you sign in to Vestibule stays as it is"), "{subjects:?}");
    house.browser().get(&link).await.is(200).says("Nothing to stop");
    let again = house.curl().post_json("/factor-reset/stop", json!({ "token": token })).await.is(200).json();
    assert_eq!(again["stopped"], false);
}

#[actix_web::test]
async fn a_late_reader_of_the_letter_learns_that_it_has_happened() {
    let house = House::open().await;
    guarded(&house, "ada@example.com").await;
    ask(&house, "ada@example.com").await;
    let token = house.token_for("ada@example.com").await;
    house.wait(TimeDelta::hours(30));
    reset(&house).await;

    let page = house.browser().get(&format!("/factor-reset/stop?token={token}")).await.is(200);
    page.says("Nothing to stop").says("they are removed by now");
    let late = house.curl().post_json("/factor-reset/stop", json!({ "token": token })).await.is(200).json();
    assert_eq!(late["stopped"], false);
    house.wait(TimeDelta::days(8));
    house.browser().get(&format!("/factor-reset/stop?token={token}")).await.is(422);
    house.browser().get("/factor-reset/stop?token=nothing").await.is(422).says("This link no longer works");
}

#[actix_web::test]
async fn whoever_signs_in_during_the_delay_sees_it_and_stops_it_with_a_button() {
    let house = House::open().await;
    let (_, app) = guarded(&house, "ada@example.com").await;
    ask(&house, "ada@example.com").await;
    let browser = house.browser();
    let form = [("email", "ada@example.com"), ("password", PASSWORD)];
    browser.post("/login", &form).await.goes_to("/login/2fa?next=%2Fme");
    browser.post("/login/2fa", &[("code", &app.code(&house))]).await.goes_to("/me");

    let page = browser.get("/me/security").await.is(200);
    page.says("Your second proofs are about to be removed").says("action=\"/me/factor-reset/stop\"");
    browser.post("/me/factor-reset/stop", &[]).await.goes_to("/me/security");
    browser.get("/me/security").await.is(200).says("It is stopped.").hides("about to be removed");

    house.wait(TimeDelta::hours(25));
    assert_eq!(reset(&house).await, 0);
    let acts = house
        .texts("SELECT actor_kind AS text FROM audit WHERE event = 'second_factors_reset_stopped'")
        .await;
    assert_eq!(acts, ["user"]);
}

#[actix_web::test]
async fn nobody_can_stop_or_see_what_concerns_somebody_else() {
    let house = House::open().await;
    guarded(&house, "ada@example.com").await;
    let eve = house.verified("eve@example.com").await;
    ask(&house, "ada@example.com").await;

    let answer = eve.post_json("/me/factor-reset/stop", json!({})).await.is(200).json();

    assert_eq!(answer["stopped"], false);
    assert_eq!(eve.get("/me/security").await.is(200).json()["ways"]["resetAt"], Value::Null);
    house.curl().post_json("/me/factor-reset/stop", json!({})).await.refuses(401, "sign_in_required");
    assert_eq!(house.count("users WHERE factors_reset_at IS NOT NULL").await, 1);
}

#[actix_web::test]
async fn a_new_password_does_not_take_the_stop_away_from_the_owner() {
    let house = House::open().await;
    guarded(&house, "ada@example.com").await;
    ask(&house, "ada@example.com").await;
    let token = house.token_for("ada@example.com").await;
    house.curl().post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let reset = house.token_for("ada@example.com").await;
    let body = json!({ "token": reset, "password": "a new and better password" });
    house.curl().post_json("/reset-password", body).await.is(200);

    let answer = house.curl().post_json("/factor-reset/stop", json!({ "token": token })).await.is(200).json();

    assert_eq!(answer["stopped"], true);
}

#[actix_web::test]
async fn it_starts_once_and_only_where_there_is_something_to_reset() {
    let house = House::open().await;
    guarded(&house, "ada@example.com").await;
    house.verified("eve@example.com").await;
    house.claimant("bob@example.com").await;

    let Asked::Until(at) = ask(&house, "ada@example.com").await else { panic!("it did not start") };
    house.wait(TimeDelta::hours(1));
    assert_eq!(ask(&house, "ada@example.com").await, Asked::UnderWay(at));
    assert_eq!(ask(&house, "eve@example.com").await, Asked::NothingToReset);
    assert_eq!(ask(&house, "bob@example.com").await, Asked::Nobody);
    assert_eq!(ask(&house, "nobody@example.com").await, Asked::Nobody);
    let letters = house.letters_to("ada@example.com").await;
    assert_eq!(letters.iter().filter(|letter| letter.text.contains("/factor-reset/stop")).count(), 1);
}

#[actix_web::test]
async fn of_stops_and_jobs_at_once_one_decides() {
    let house = House::with(&[("DATABASE_POOL", "24")]).await;
    for round in 0..6 {
        let address = format!("ada{round}@example.com");
        guarded(&house, &address).await;
        ask(&house, &address).await;
        let letters = house.letters_to(&address).await;
        let token = letters.iter().rev().find_map(|letter| token_in(&letter.text)).unwrap();
        house.wait(TimeDelta::hours(24));

        let stops = join_all((0..25).map(async |_| {
            let answer = house.curl().post_json("/factor-reset/stop", json!({ "token": token })).await;
            answer.is(200).json()["stopped"] == true
        }));
        let runs = join_all((0..25).map(|_| reset(&house)));
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
        let left = house
            .count(&format!("totp JOIN users ON users.id = totp.user_id WHERE users.email = '{address}'"))
            .await;
        assert_eq!(left, stopped as i64, "stopped, the app is there; reset, it is not");
    }
}

#[actix_web::test]
async fn the_operator_asks_asks_again_and_stops_it_by_command() {
    let house = House::open().await;
    guarded(&house, "ada@example.com").await;
    house.verified("eve@example.com").await;

    let said = house.command(&["user", "reset-2fa", "Ada@example.com", "--json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let told: Value = serde_json::from_str(&said.out).unwrap();
    assert!(told["takesEffectAt"].as_str().unwrap().ends_with('Z'), "{told}");
    assert_eq!(house.count("users WHERE factors_reset_at IS NOT NULL").await, 1);

    let again = house.command(&["user", "reset-2fa", "ada@example.com"]);
    assert_eq!((again.code, again.out.as_str()), (Some(1), ""), "{again:?}");
    assert!(again.err.contains("already under way") && again.err.contains("--cancel"), "{again:?}");
    let stopped = house.command(&["user", "reset-2fa", "ada@example.com", "--cancel"]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert!(stopped.out.contains("It is stopped."), "{stopped:?}");
    for (arguments, sentence) in [
        (&["user", "reset-2fa", "ada@example.com", "--cancel"][..], "Nothing is under way"),
        (&["user", "reset-2fa", "eve@example.com"], "no second factor"),
        (&["user", "reset-2fa", "nobody@example.com"], "Nobody has nobody@example.com confirmed"),
        (&["user", "reset-2fa", "nobody@example.com", "--cancel"], "Nobody has nobody@example.com confirmed"),
    ] {
        let said = house.command(arguments);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
        assert!(said.err.contains(sentence), "{said:?}");
    }
    assert_eq!(house.command(&["user", "reset-2fa"]).code, Some(2));
    let said = house.command(&["user", "reset-2fa", "ada at home"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let again = house.command(&["user", "reset-2fa", "ada@example.com"]);
    assert!(again.out.contains("can stop it for 24 hours"), "{again:?}");

    house
        .meddle(
            "UPDATE users SET factors_reset_at = '2020-01-01 00:00:00' WHERE factors_reset_at IS NOT NULL",
        )
        .await;
    let ran = house.command(&["jobs", "run", "factor-resets"]);
    assert_eq!(ran.out, "factor-resets: 1 done\n", "{ran:?}");
    assert_eq!(house.count("totp").await, 0);
}

#[actix_web::test]
async fn the_delay_is_a_setting() {
    let house = House::with(&[("FACTORS_RESET_DELAY", "2d")]).await;
    guarded(&house, "ada@example.com").await;
    let Asked::Until(at) = ask(&house, "ada@example.com").await else { panic!("it did not start") };
    assert_eq!(at.iso(), "2026-11-23T14:06:00Z");
    let letters = house.letters_to("ada@example.com").await;
    assert!(letters[letters.len() - 1].text.contains("You have 2 days."));
}
