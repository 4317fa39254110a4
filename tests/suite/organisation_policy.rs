//! What an organisation asks of whoever acts in it: met and unmet, on pages, in JSON and in checks, and nobody locked out.

use actix_web::http::Method;
use chrono::TimeDelta;
use futures_util::future::join;
use serde_json::{Value, json};

use crate::{
    harness::{PASSWORD, TestApp, Visitor, organisations::Acme},
    idp,
};

pub const POLICY: &str = "/organisations/acme/policy";
const DRY: &str = "/organisations/acme/policy?dry=1";
const ADA: &str = "ada@example.com";
const BEA: &str = "bea@example.com";
const OFFICE: &str = "203.0.113.9";
const HOME: &str = "198.51.100.7";

/// Acme behind a proxy that tells where its visitors are. Ada is in the office, and so is everybody made by [`office`].
pub async fn open() -> Acme {
    let mut acme = Acme::of(TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await).await;
    acme.ada = office(acme.ada.clone());
    acme
}

fn office(visitor: Visitor) -> Visitor {
    visitor.with("x-forwarded-for", OFFICE)
}

/// Signed in again with the password, where the visitor is.
async fn again(visitor: &Visitor, address: &str) {
    let form = json!({ "email": address, "password": PASSWORD });
    visitor.post_json("/login", form).await.is(200);
}

/// Sets up an authenticator app: its secret.
async fn secures(app: &TestApp, visitor: &Visitor) -> String {
    visitor.steps_up().await;
    let secret = app.waiting_app(visitor).await;
    visitor.confirms_app(&app.code(&secret)).await.is(200);
    secret
}

pub fn page(visitor: &Visitor) -> Visitor {
    visitor.clone().with("accept", "text/html")
}

async fn why(visitor: &Visitor, permission: &str) -> Value {
    let form = json!({ "organisation": "acme", "permission": permission, "activity": false });
    visitor.post_json("/auth/check", form).await.is(200).json()["why"].clone()
}

/// A session that lacks something is told so by page, JSON and check alike, and shown the way on.
async fn lacks(visitor: &Visitor, code: &str, says: &str) {
    visitor.get("/organisations/acme").await.refuses(403, code);
    page(visitor).get("/organisations/acme").await.is(403).says(says).says("/organisations\"");
    assert_eq!(why(visitor, "organisation:read").await, code);
    // Nobody learns a rule of what is not theirs to do.
    assert_eq!(why(visitor, "sso:manage").await, "not_permitted");
    visitor.get("/organisations/acme/roles").await.refuses(403, "forbidden");
    let mine = visitor.get("/organisations").await.is(200).json();
    assert_eq!(mine["organisations"][0]["unmet"], code, "{mine}");
    page(visitor).get("/organisations").await.is(200).says("action=\"/organisations/acme/leave\"");
}

async fn meets(visitor: &Visitor) {
    visitor.get("/organisations/acme").await.is(200);
    page(visitor).get("/organisations/acme").await.is(200).says("Members");
    assert_eq!(why(visitor, "organisation:read").await, Value::Null);
    let mine = visitor.get("/organisations").await.is(200).json();
    assert_eq!(mine["organisations"][0]["unmet"], Value::Null, "{mine}");
}

#[actix_web::test]
async fn without_a_second_factor_one_is_led_to_set_one_up() {
    let acme = open().await;
    let bea = office(acme.joins(BEA, "viewer").await.0);
    secures(&acme.app, &acme.ada).await;
    let day = (acme.app.clock.now() + TimeDelta::days(2)).iso();
    acme.ada.put_json(POLICY, json!({ "secondFactorFrom": day })).await.is(200);
    meets(&bea).await;
    assert_eq!(acme.ada.get(POLICY).await.is(200).json()["secondFactorFrom"], day);

    acme.app.wait(TimeDelta::days(2));
    again(&bea, BEA).await;

    lacks(&bea, "second_factor_required", "href=\"/me/2fa\"").await;
    assert_eq!(bea.get("/organisations/acme").await.json()["setUp"], "/me/2fa");
    let secret = secures(&acme.app, &bea).await;
    meets(&bea).await;
    // A session that began without is one with it after a step-up.
    let forget = "UPDATE sessions SET second_factor = NULL, stepped_up_at = NULL, stepped_up_with = NULL";
    acme.app.db_execute(forget).await;
    lacks(&bea, "second_factor_required", "href=\"/auth/confirm?next=%2Forganisations%2Facme\"").await;
    assert_eq!(bea.get("/organisations/acme").await.json()["confirm"], "/auth/confirm");
    let code = acme.app.next_code(&secret);
    bea.post_json("/auth/confirm", json!({ "code": code })).await.is(200);
    meets(&bea).await;

    // It can be removed, and one is told what that means.
    let shown = page(&bea).get("/me/2fa").await.is(200);
    shown.says("Acme asks for two-step verification: without it");
    let removed = bea.delete("/me/2fa/totp").await.is(200);
    removed.says("Acme asks for two-step verification: without it you can't use Acme.");
    lacks(&bea, "second_factor_required", "href=\"/me/2fa\"").await;
    bea.post_json("/organisations/acme/leave", json!({})).await.is(200);
}

#[actix_web::test]
async fn an_old_session_signs_in_again() {
    let acme = open().await;
    let bea = office(acme.joins(BEA, "viewer").await.0);
    acme.ada.put_json(POLICY, json!({ "sessionLife": 60 })).await.is(200);
    for _ in 0..3 {
        acme.app.wait(TimeDelta::minutes(19));
        meets(&bea).await;
    }

    acme.app.wait(TimeDelta::minutes(3));

    lacks(&bea, "session_too_old", "action=\"/logout?next=%2Forganisations%2Facme\"").await;
    assert_eq!(bea.get("/organisations/acme").await.json()["signIn"], "/login");
    let browser = page(&bea);
    let back = "/login?next=%2Forganisations%2Facme";
    browser.post("/logout?next=%2Forganisations%2Facme", &[]).await.goes_to(back);
    browser.post("/logout?next=//evil.example", &[]).await.goes_to("/login");
    again(&browser.clone().with("accept", "*/*"), BEA).await;
    again(&bea, BEA).await;
    meets(&bea).await;
}

#[actix_web::test]
async fn a_session_that_went_unused_does_not_become_younger_by_its_use() {
    let acme = open().await;
    let bea = office(acme.joins(BEA, "viewer").await.0);
    acme.ada.put_json(POLICY, json!({ "sessionIdle": 15 })).await.is(200);
    for _ in 0..6 {
        acme.app.wait(TimeDelta::minutes(14));
        meets(&bea).await;
    }

    acme.app.wait(TimeDelta::minutes(15));

    lacks(&bea, "session_too_old", "You signed in too long ago for Acme").await;
    bea.get("/me").await.is(200);
    acme.app.wait(TimeDelta::minutes(2));
    lacks(&bea, "session_too_old", "Sign in again").await;
    again(&bea, BEA).await;
    meets(&bea).await;
}

#[actix_web::test]
async fn who_signed_in_another_way_signs_in_again() {
    let acme = open().await;
    let bea = office(acme.joins(BEA, "viewer").await.0);
    acme.ada.put_json(POLICY, json!({ "signInMethods": ["sso", "password"] })).await.is(200);
    assert_eq!(acme.ada.get(POLICY).await.json()["signInMethods"], json!(["password", "sso"]));
    // An account begins with a password.
    meets(&bea).await;

    let by_link = office(acme.app.curl());
    by_link.post_json("/login/magic-link", json!({ "email": BEA })).await.is(200);
    let token = acme.app.token_for(BEA).await;
    by_link.post_json("/login/magic-link/verify", json!({ "token": token })).await.is(200);

    let says = "Acme asks its members to sign in with a password or its single sign-on.";
    lacks(&by_link, "sign_in_method_not_allowed", says).await;
    let told = by_link.get("/organisations/acme").await.json();
    assert_eq!((&told["signInMethods"], &told["signIn"]), (&json!(["password", "sso"]), &json!("/login")));
    again(&by_link, BEA).await;
    meets(&by_link).await;

    // With another service, which the policy may name as well.
    let her = format!("user_id = (SELECT id FROM users WHERE email = '{BEA}')");
    acme.app.db_execute(&format!("UPDATE sessions SET method = 'provider' WHERE {her}")).await;
    lacks(&by_link, "sign_in_method_not_allowed", says).await;
    acme.ada.put_json(POLICY, json!({ "signInMethods": ["provider", "password"] })).await.is(200);
    meets(&by_link).await;
}

#[actix_web::test]
async fn from_another_network_it_is_not_used_case_150() {
    let acme = open().await;
    let bea = acme.joins(BEA, "viewer").await.0;
    let form = json!({ "networks": ["203.0.113.77/24", "2001:db8::1"] });
    acme.ada.put_json(POLICY, form).await.is(200);
    let kept = acme.ada.get(POLICY).await.json();
    assert_eq!(kept["networks"], json!(["203.0.113.0/24", "2001:db8::1/128"]));
    assert_eq!(kept["yourAddress"], OFFICE);

    meets(&office(bea.clone())).await;
    meets(&bea.clone().with("x-forwarded-for", "2001:db8::1")).await;
    let elsewhere = bea.clone().with("x-forwarded-for", HOME);
    lacks(&elsewhere, "network_not_allowed", "be used from this network. Connect from a network").await;
    // Where nobody says where somebody is, they are nowhere.
    lacks(&bea, "network_not_allowed", "Your organisations").await;
    elsewhere.get("/me").await.is(200);

    // Their own policy is no trap for owners: they see it, may leave, and change it after a step-up, and nothing else.
    let away = acme.ada.clone().with("x-forwarded-for", HOME);
    let seen = away.get(POLICY).await.is(200).json();
    assert_eq!((&seen["unmet"], &seen["yourAddress"]), (&json!("network_not_allowed"), &json!(HOME)));
    page(&away).get(POLICY).await.is(200).says("As an owner you can still change this policy.");
    page(&away).get("/organisations").await.is(200).says("href=\"/organisations/acme/policy\"");
    away.put_json(DRY, json!({})).await.is(200);
    away.put_json(POLICY, json!({ "networks": ["192.0.2.0/24"] })).await.refuses(422, "invalid");
    away.post_json("/organisations/acme/roles", json!({ "name": "Clerk" }))
        .await
        .refuses(403, "network_not_allowed");
    away.post_json("/organisations/acme/leave", json!({})).await.refuses(409, "last_owner");
    acme.app.wait(TimeDelta::minutes(16));
    away.put_json(POLICY, json!({})).await.refuses(403, "reauthentication_required");
    away.steps_up().await;
    away.put_json(POLICY, json!({})).await.is(200);
    away.get("/organisations/acme").await.is(200);
    elsewhere.post_json("/organisations/acme/leave", json!({})).await.is(200);
}

#[actix_web::test]
async fn an_operator_lets_owners_in_again_case_150() {
    let app = TestApp::today_with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let mut acme = Acme::of(app).await;
    acme.ada = office(acme.ada.clone());
    acme.ada.put_json(POLICY, json!({ "networks": [OFFICE], "sessionLife": 90 })).await.is(200);
    let away = acme.ada.clone().with("x-forwarded-for", HOME);
    away.get("/organisations/acme").await.refuses(403, "network_not_allowed");
    let run =
        |arguments: &[&str]| acme.app.command(&[&["organisation", "policy", "acme"], arguments].concat());

    let shown: Value = serde_json::from_str(&run(&["--json"]).out).unwrap();
    assert_eq!((&shown["networks"], &shown["sessionLife"]), (&json!(["203.0.113.9/32"]), &json!(90)));
    assert!(run(&[]).out.contains("sessionLife       90"), "{:?}", run(&[]));
    assert_eq!(run(&["--clear", "everything"]).code, Some(2));
    let cleared = run(&["--clear", "networks"]);
    assert_eq!(
        (cleared.code, cleared.out.trim()),
        (Some(0), "acme asks for networks no more."),
        "{cleared:?}"
    );

    away.get("/organisations/acme").await.is(200);
    assert_eq!(away.get(POLICY).await.json()["sessionLife"], 90);
    let by = "SELECT actor_kind AS text FROM audit WHERE event = 'organisation_policy_changed' ORDER BY 1";
    assert_eq!(acme.app.texts(by).await, ["operator", "user"]);
    let twice = run(&["--clear", "networks", "--clear", "sessionIdle"]);
    let refusal = "acme did not ask for networks, sessionIdle: nothing was changed.";
    assert_eq!((twice.code, twice.err.trim()), (Some(1), refusal), "{twice:?}");
}

#[actix_web::test]
async fn nobody_locks_themselves_out_and_what_is_wrong_changes_nothing_case_150() {
    let acme = open().await;
    let (bea, _) = acme.joins(BEA, "editor").await;
    let now = acme.app.clock.now();
    let (today, yesterday) = (now.iso(), (now - TimeDelta::days(1)).iso());
    let many: Vec<String> = (0..51).map(|n| format!("203.0.113.{n}")).collect();
    for (form, field) in [
        (json!({ "secondFactorFrom": today }), "secondFactorFrom"),
        (json!({ "secondFactorFrom": (now + TimeDelta::days(7)).iso() }), "secondFactorFrom"),
        (json!({ "secondFactorFrom": yesterday }), "secondFactorFrom"),
        (json!({ "secondFactorFrom": "soon" }), "secondFactorFrom"),
        (json!({ "sessionIdle": 14 }), "sessionIdle"),
        (json!({ "sessionIdle": 20.5 }), "sessionIdle"),
        (json!({ "sessionIdle": "a while" }), "sessionIdle"),
        (json!({ "sessionLife": 59 }), "sessionLife"),
        (json!({ "sessionLife": 43_201 }), "sessionLife"),
        (json!({ "signInMethods": [] }), "signInMethods"),
        (json!({ "signInMethods": ["passkey"] }), "signInMethods"),
        (json!({ "signInMethods": ["sso"] }), "signInMethods"),
        (json!({ "signInMethods": ["telepathy"] }), "signInMethods"),
        (json!({ "networks": ["198.51.100.0/24"] }), "networks"),
        (json!({ "networks": ["203.0.113.0/33"] }), "networks"),
        (json!({ "networks": "the office" }), "networks"),
        (json!({ "networks": many }), "networks"),
        (json!({ "invitedDomains": ["no domain"] }), "invitedDomains"),
    ] {
        for path in [POLICY, DRY] {
            let refused = acme.ada.put_json(path, form.clone()).await.refuses(422, "invalid").json();
            assert!(refused["fields"][field].is_string(), "{form}: {refused}");
        }
    }
    // Only who has the permission, and has stepped up.
    bea.get(POLICY).await.refuses(403, "forbidden");
    bea.put_json(POLICY, json!({})).await.refuses(403, "forbidden");
    acme.app.curl().get(POLICY).await.refuses(401, "sign_in_required");
    acme.app.wait(TimeDelta::minutes(16));
    acme.ada.put_json(POLICY, json!({ "sessionIdle": 30 })).await.refuses(403, "reauthentication_required");
    // Away for a quarter of an hour, and signed in for more than one.
    acme.ada.steps_up().await;
    acme.ada.put_json(POLICY, json!({ "sessionIdle": 15 })).await.refuses(422, "invalid");
    for _ in 0..3 {
        acme.app.wait(TimeDelta::minutes(20));
        acme.ada.steps_up().await;
    }
    acme.ada.put_json(POLICY, json!({ "sessionLife": 60 })).await.refuses(422, "invalid");
    assert_eq!(acme.app.count("organisations WHERE policy IS NOT NULL").await, 0);
    assert_eq!(acme.app.count("audit WHERE event = 'organisation_policy_changed'").await, 0);

    // What is refused in a browser keeps what was typed.
    let form = [("secondFactor", "off"), ("networks", "198.51.100.0/24"), ("byWord", "on")];
    let refused = page(&acme.ada).post(POLICY, &form).await.is(422);
    refused
        .says("Your own address, 203.0.113.9, is in none of these networks.")
        .says("198.51.100.0/24</textarea>");
    page(&acme.ada).post(POLICY, &[("secondFactor", "off")]).await.is(422).says("Choose at least one.");
}

#[actix_web::test]
async fn a_form_says_the_whole_policy_and_the_last_one_counts() {
    let acme = open().await;
    secures(&acme.app, &acme.ada).await;
    let today = acme.app.clock.now();
    let browser = page(&acme.ada);
    let form = [
        ("secondFactor", "on"),
        ("secondFactorFrom", &today.iso()[..10]),
        ("sessionIdle", "20"),
        ("sessionLife", ""),
        ("byWord", "on"),
        ("bySso", "on"),
        ("networks", "203.0.113.0/24\r\n2001:db8::/32"),
        ("invitedDomains", "Example.com, example.com bücher.example"),
    ];
    browser.post(POLICY, &form).await.goes_to(POLICY);

    let policy = acme.ada.get(POLICY).await.is(200).json();
    // Today is from now on.
    assert_eq!(policy["secondFactorFrom"], today.iso());
    assert_eq!((&policy["sessionIdle"], &policy["sessionLife"]), (&json!(20), &Value::Null));
    assert_eq!(policy["signInMethods"], json!(["password", "sso"]));
    assert_eq!(policy["networks"], json!(["203.0.113.0/24", "2001:db8::/32"]));
    assert_eq!(policy["invitedDomains"], json!(["example.com", "xn--bcher-kva.example"]));
    browser
        .get(POLICY)
        .await
        .is(200)
        .says("2001:db8::/32</textarea>")
        .says("name=\"byWord\" value=\"on\" checked");

    let changes = "audit WHERE event = 'organisation_policy_changed'";
    assert_eq!(acme.app.count(changes).await, 1);
    let detail = acme.app.texts(&format!("SELECT detail AS text FROM {changes}")).await.remove(0);
    let detail: Value = serde_json::from_str(&detail).unwrap();
    assert_eq!(
        (&detail["before"]["sessionIdle"], &detail["after"]["sessionIdle"]),
        (&Value::Null, &json!(20))
    );
}

#[actix_web::test]
async fn a_day_that_is_past_stays_what_it_is_and_two_owners_change_one_after_the_other() {
    let acme = open().await;
    secures(&acme.app, &acme.ada).await;
    let from = acme.app.clock.now();
    acme.ada.put_json(POLICY, json!({ "secondFactorFrom": from.iso() })).await.is(200);
    let cleo = office(acme.joins("cleo@example.com", "owner").await.0);
    secures(&acme.app, &cleo).await;
    // As if it had been set a year ago.
    let before = "UPDATE organisations SET policy = REPLACE(policy, '2026', '2025')";
    acme.app.db_execute(before).await;
    let day = from.iso()[..10].replace("2026", "2025");
    let form = [("secondFactor", "on"), ("secondFactorFrom", &day), ("sessionLife", "600"), ("byWord", "on")];
    page(&acme.ada).post(POLICY, &form).await.goes_to(POLICY);
    let kept = acme.ada.get(POLICY).await.json();
    assert_eq!(kept["secondFactorFrom"], from.iso().replace("2026", "2025"));

    let (one, other) = join(
        acme.ada.put_json(POLICY, json!({ "sessionLife": 100 })),
        cleo.put_json(POLICY, json!({ "sessionLife": 200 })),
    )
    .await;
    one.is(200);
    other.is(200);

    let query = "SELECT detail AS text FROM audit WHERE event = 'organisation_policy_changed'";
    let details = acme.app.texts(query).await;
    let lives = |key: &str| -> Vec<Value> {
        let details = details.iter().map(|detail| serde_json::from_str::<Value>(detail).unwrap());
        details.map(|detail| detail[key]["sessionLife"].clone()).collect()
    };
    // Each found what another had left behind, and nothing is mixed of two.
    let (before, after) = (lives("before"), lives("after"));
    let last = acme.ada.get(POLICY).await.json();
    assert_eq!((details.len(), &last["secondFactorFrom"]), (4, &Value::Null));
    let first = if last["sessionLife"] == 100 { json!(200) } else { json!(100) };
    assert!(before.contains(&first) && before.contains(&json!(600)), "{before:?}");
    assert!(after.contains(&json!(100)) && after.contains(&json!(200)), "{after:?}");
}

#[actix_web::test]
async fn a_look_ahead_counts_whom_it_would_keep_out_and_changes_nothing() {
    let acme = open().await;
    secures(&acme.app, &acme.ada).await;
    let bea = acme.joins(BEA, "viewer").await.0.with("x-forwarded-for", HOME);
    again(&bea, BEA).await;
    acme.joins("cleo@example.com", "viewer").await;
    let invited = json!({ "emails": ["dan@example.com", "eve@elsewhere.example"], "role": "viewer" });
    acme.ada.post_json("/organisations/acme/invitations", invited).await.is(201);
    acme.app.db_execute("DELETE FROM sessions WHERE ip <> '198.51.100.7' AND second_factor IS NULL").await;
    let form = json!({
        "secondFactorFrom": acme.app.clock.now().iso(), "sessionLife": 60, "networks": ["203.0.113.0/24"],
        "signInMethods": ["password"], "invitedDomains": ["example.com"],
    });

    // Ada's session began somewhere that no proxy told.
    acme.app.db_execute("UPDATE sessions SET ip = '203.0.113.9' WHERE second_factor IS NOT NULL").await;
    let told = acme.ada.put_json(DRY, form.clone()).await.is(200).json();

    let expected = json!({
        "members": 3, "withoutSecondFactor": 2, "signedIn": 2, "sessionsTooOld": null, "otherSignInMethods": null,
        "otherNetworks": null, "otherInvitations": 1,
    });
    assert_eq!(told["effects"], expected);
    assert_eq!(acme.app.count("organisations WHERE policy IS NOT NULL").await, 0);
    assert_eq!(acme.app.count("audit WHERE event = 'organisation_policy_changed'").await, 0);
    let fields = [("secondFactor", "off"), ("networks", "203.0.113.0/24"), ("byWord", "on"), ("dry", "1")];
    let shown = page(&acme.ada).post(POLICY, &fields).await.is(200);
    shown
        .says("Nothing is saved yet")
        .says("Too few members are signed in to say how many signed in from outside these networks.")
        .says("203.0.113.0/24</textarea>");
    acme.app.send_emails().await;
    assert_eq!(acme.app.emails_that_say(BEA, "two-step verification").await, 0);

    let saved = acme.ada.put_json(POLICY, form).await.is(200).json();
    assert_eq!(saved["effects"], expected);
    assert_eq!(acme.ada.get(DRY).await.json()["effects"], expected);
    assert_eq!(acme.ada.get(POLICY).await.json()["effects"], Value::Null);
}

#[actix_web::test]
async fn members_without_a_second_factor_hear_of_it_ahead() {
    let acme = open().await;
    secures(&acme.app, &acme.ada).await;
    acme.joins(BEA, "viewer").await;
    let dan = office(acme.joins("dan@example.com", "viewer").await.0);
    secures(&acme.app, &dan).await;
    let day = |days| (acme.app.clock.now() + TimeDelta::days(days)).iso();
    let told = async |address: &str| {
        acme.app.emails_that_say(address, "Acme at Vestibule asks for two-step verification").await
    };

    acme.ada.put_json(POLICY, json!({ "secondFactorFrom": day(7) })).await.is(200);

    assert_eq!((told(BEA).await, told("dan@example.com").await, told(ADA).await), (1, 0, 0));
    let email = acme.app.emails_to(BEA).await.pop().unwrap();
    assert!(
        email.text.contains("/me/2fa") && email.text.contains("Without it you can't use Acme from that day")
    );
    // Later, or as before with something else: nothing new. Sooner: again.
    acme.ada.put_json(POLICY, json!({ "secondFactorFrom": day(9) })).await.is(200);
    acme.ada.put_json(POLICY, json!({ "secondFactorFrom": day(9), "sessionIdle": 15 })).await.is(200);
    assert_eq!(told(BEA).await, 1);
    acme.ada.put_json(POLICY, json!({ "secondFactorFrom": day(0) })).await.is(200);
    assert_eq!(told(BEA).await, 2);
    assert_eq!(acme.app.emails_that_say(BEA, "from now on").await, 1);
}

#[actix_web::test]
async fn people_outside_the_domains_are_neither_invited_nor_let_in() {
    let acme = open().await;
    let invitations = "/organisations/acme/invitations";
    let eve = acme.app.verified("eve@elsewhere.example").await;
    let invites = async |address: &str| {
        acme.ada.post_json(invitations, json!({ "email": address, "role": "viewer" })).await
    };
    let made = invites("eve@elsewhere.example").await.is(201).json();
    let id = made["invitations"][0]["id"].as_str().unwrap().to_owned();
    let token = acme.app.token_for("eve@elsewhere.example").await;

    acme.ada.put_json(POLICY, json!({ "invitedDomains": ["@Example.com"] })).await.is(200);

    let refused = invites("dan@elsewhere.example").await.refuses(422, "invalid").json();
    assert!(refused["fields"]["emails"].as_str().unwrap().contains("is at a domain"), "{refused}");
    invites("dan@sub.example.com").await.refuses(422, "invalid");
    let both = json!({ "emails": ["dan@EXAMPLE.com", "fay@elsewhere.example"], "role": "viewer" });
    let both = acme.ada.post_json(invitations, both).await.is(201).json();
    assert_eq!(both["refused"][0]["why"], "domain_not_invited");
    let path = format!("{invitations}/{id}/resend");
    acme.ada.post_json(&path, json!({})).await.refuses(403, "domain_not_invited");
    eve.post_json("/invitations/accept", json!({ "token": token })).await.refuses(403, "domain_not_invited");
    let own = format!("/me/invitations/{id}/accept");
    eve.post_json(&own, json!({})).await.refuses(403, "domain_not_invited");
    page(&eve).post(&own, &[]).await.is(403).says("Use another address.");
    assert_eq!(acme.app.count("invitations WHERE state = 'open'").await, 2);
    assert_eq!(acme.app.count("memberships").await, 1);

    acme.ada.put_json(POLICY, json!({})).await.is(200);
    eve.post_json("/invitations/accept", json!({ "token": token })).await.is(200);
}

#[actix_web::test]
async fn where_single_sign_on_is_the_only_way_its_emergency_owner_mends_it() {
    let app = TestApp::open().await;
    let acme = idp::Acme::of(&app).await;
    let safe = app.with_app("bob@example.com").await;
    let owner = idp::id_of(&safe.curl).await;
    acme.enforces(&app, Some(&owner)).await;
    let domains = "/organisations/acme/sso";
    let domain = app.texts("SELECT id AS text FROM domains").await.remove(0);
    let release = format!("{domains}/domains/{domain}/release");
    // Another owner, who came with a password, would be out.
    acme.owner.steps_up().await;
    acme.owner.put_json(POLICY, json!({ "signInMethods": ["sso"] })).await.refuses(422, "invalid");

    safe.curl.post_json("/auth/confirm", json!({ "code": app.next_code(&safe.secret) })).await.is(200);
    // Signed in with password and code, as one would be where the identity provider fails.
    app.db_execute(&format!("UPDATE sessions SET method = 'password' WHERE user_id = '{owner}'")).await;
    safe.curl.put_json(POLICY, json!({ "signInMethods": ["sso"] })).await.is(200);

    acme.owner.get(domains).await.refuses(403, "sign_in_method_not_allowed");
    assert_eq!(why(&acme.owner, "sso:manage").await, "sign_in_method_not_allowed");
    safe.curl.get(domains).await.is(200);
    assert_eq!(why(&safe.curl, "sso:manage").await, Value::Null);
    let ada = app.browser();
    acme.signs_in(&app, &ada, &idp::ada()).await;
    ada.get("/organisations/acme").await.is(200).says("Members");
    // Its own identity provider stands for a second factor too.
    let both = json!({ "signInMethods": ["sso"], "secondFactorFrom": app.clock.now().iso() });
    safe.curl.put_json(POLICY, both).await.is(200);
    ada.get("/organisations/acme").await.is(200).says("Members");
    // Another's says nothing here.
    let other = idp::Acme::unproved(&app, "Other", "eve@other.example").await;
    app.db_execute(&format!(
        "UPDATE sessions SET connection_id = '{}' WHERE method = 'sso'",
        other.connection
    ))
    .await;
    ada.get("/organisations/acme")
        .await
        .is(403)
        .says("Acme asks its members to sign in with its single sign-on.");

    // The key is not thrown away while it is the only one.
    let refused = safe.curl.post_json(&release, json!({})).await.refuses(422, "invalid").json();
    assert!(refused["error"].as_str().unwrap().contains("Allow another method"), "{refused}");
    safe.curl.delete(&format!("{domains}/domains/{domain}")).await.refuses(422, "invalid");
    safe.curl.delete(&format!("{domains}/{}", acme.connection)).await.refuses(422, "invalid");
    assert_eq!(app.count("domains WHERE is_enforced").await, 1);
    safe.curl.put_json(POLICY, json!({})).await.is(200);
    safe.curl.post_json(&release, json!({})).await.is(200);
}

#[actix_web::test]
async fn it_binds_acting_there_and_neither_the_account_nor_what_brings_an_organisation_back() {
    let acme = open().await;
    let role = acme.role("Steward", &["settings:manage"]).await;
    let bea = office(acme.joins(BEA, &role).await.0);
    // A role of its own reads it, and does not change it.
    bea.get(POLICY).await.is(200);
    bea.put_json(POLICY, json!({ "networks": [OFFICE] })).await.refuses(403, "forbidden");
    page(&bea).get(POLICY).await.is(200).says("Only owners can change this policy.").hides("Save policy");
    acme.ada.put_json(POLICY, json!({ "networks": [OFFICE] })).await.is(200);
    let away = acme.ada.clone().with("x-forwarded-for", HOME);
    away.post_json("/organisations", json!({ "name": "Other" })).await.is(201);
    away.get("/organisations/other").await.is(200);
    away.put_json("/me/organisation", json!({ "organisation": "acme" })).await.is(200);
    // In what is in use, a check says the same.
    let told = away.post_json("/auth/check", json!({ "permission": "members:read" })).await.is(200).json();
    assert_eq!((&told["allowed"], &told["why"]), (&json!(false), &json!("network_not_allowed")));
    let batch = json!({ "organisation": "acme", "checks": [{ "permission": "members:read" }] });
    assert_eq!(away.post_json("/auth/check", batch).await.json()["results"][0]["why"], "network_not_allowed");
    away.post_json("/organisations/acme/delete", json!({ "name": "Acme" }))
        .await
        .refuses(403, "network_not_allowed");
    acme.ada.post_json("/organisations/acme/delete", json!({ "name": "Acme" })).await.is(200);

    away.post_json("/organisations/acme/restore", json!({})).await.is(200);

    let deleted = away.send(Method::GET, POLICY, None).await.is(200).json();
    assert_eq!(deleted["unmet"], "network_not_allowed");
}
