//! People come in by an organisation's connection of OpenID Connect: the same, by the same rules, as by SAML.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    account,
    connections::Ground,
    provider::{Provider, Request},
};
use crate::{
    harness::{Answer, PASSWORD, Visitor},
    idp::{is_nobody, resident},
};

fn bea() -> Value {
    json!({"sub": "bea", "email": "bea@acme.example", "name": "Bea"})
}

/// That an answer is, or leads to, the page which says that it did not work.
trait Refused {
    fn is_refused(&self);
}

impl Refused for Answer {
    #[track_caller]
    fn is_refused(&self) {
        let to = self.location().unwrap_or_default();
        let is_refused = self.status == 403 || to.starts_with("/auth/saml/refused?reference=");
        assert!(is_refused, "{}: {} {to}", self.request, self.status);
    }
}

impl Ground {
    /// Somebody leaves by the domain of their address, is who they say, and comes back.
    pub async fn comes(&self, browser: &Visitor, who: &Value) -> Answer {
        let back =
            self.provider.knows(&self.app, browser, "/auth/sso/login?email=x%40acme.example", who).await;
        browser.get(&back).await
    }

    /// What came of the last answer at a connection.
    pub async fn outcome(&self) -> String {
        self.app.texts("SELECT outcome AS text FROM attempts ORDER BY at DESC, id LIMIT 1").await.remove(0)
    }
}

fn with(who: Value, changes: Value) -> Value {
    let mut who = who;
    for (name, change) in changes.as_object().unwrap() {
        who[name] = change.clone();
    }
    who
}

#[actix_web::test]
async fn people_of_the_domain_come_in_and_their_groups_make_their_role() {
    let ground = Ground::open().await;
    let id = ground.connects(json!({})).await;
    let acme = ground.as_saml(&id).await;
    for (groups, role) in [
        (json!(["makers", "x"]), "editor"),
        (json!(["owners", "makers"]), "owner"),
        (json!([]), "viewer"),
        (json!("makers"), "editor"),
    ] {
        let browser = ground.app.browser();
        ground.comes(&browser, &with(bea(), json!({"groups": groups}))).await.goes_to("/me");
        assert_eq!(account(&browser).await["email"], "bea@acme.example");
        let roles = acme.roles(&ground.app).await;
        assert!(roles.contains(&format!("bea@acme.example {role}")), "{groups}: {roles:?}");
    }
    // Entra leaves groups out where they are too many: the role stays, and the attempt says so.
    for (number, told) in [
        json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}}),
        json!({"hasgroups": true}),
        json!({"hasgroups": "true"}),
    ]
    .into_iter()
    .enumerate()
    {
        ground.app.wait(TimeDelta::seconds(1));
        ground.comes(&ground.app.browser(), &with(bea(), told)).await.goes_to("/me");
        assert!(acme.roles(&ground.app).await.contains(&"bea@acme.example editor".to_owned()), "{number}");
    }
    let page = ground.ada.get(&format!("/organisations/acme/sso/{id}")).await.is(200).json();
    let latest = page["attempts"][0]["id"].as_str().unwrap();
    let detail = ground.ada.get(&format!("/organisations/acme/sso/{id}/attempts/{latest}")).await.json();
    assert!(detail.to_string().contains("so the role stays as it was"), "{detail}");
    assert_eq!(detail["detail"]["role"], "The same as before");
    let history = ground.app.count("users WHERE email = 'bea@acme.example'").await;
    assert_eq!(history, 1, "one account, however often she came");
}

#[actix_web::test]
async fn it_decides_as_saml_does() {
    let ground = Ground::open().await;
    let id = ground.connects(json!({"subjectClaim": "oid"})).await;
    let (app, browser) = (&ground.app, ground.app.browser());
    // Of another domain it says what it likes, verified or not.
    resident(app, "carl@elsewhere.example").await;
    for email in ["carl@elsewhere.example", "new@elsewhere.example"] {
        let who = json!({"sub": "s", "oid": "c", "email": email, "email_verified": true});
        ground.comes(&browser, &who).await.is_refused();
        assert_eq!(ground.outcome().await, "domain_not_proved");
        app.wait(TimeDelta::seconds(1));
    }
    ground.comes(&browser, &json!({"sub": "s", "oid": "c"})).await.is_refused();
    assert_eq!(ground.outcome().await, "no_address");
    app.wait(TimeDelta::seconds(1));
    // The claim that identifies people has to be there, and it alone does: `sub` changes with the registration.
    ground.comes(&browser, &bea()).await.is_refused();
    assert_eq!(ground.outcome().await, "no_name");
    app.wait(TimeDelta::seconds(1));
    // Entra tells no address that is verified, nor any `email` at all: the name of the account is one.
    let entra =
        json!({"sub": "s1", "oid": "bea", "preferred_username": "bea@acme.example", "email_verified": false});
    ground.comes(&browser, &entra).await.goes_to("/me");
    let her = account(&browser).await;
    let moved = with(entra, json!({"sub": "s2"}));
    let again = app.browser();
    ground.comes(&again, &moved).await.goes_to("/me");
    assert_eq!(account(&again).await["id"], her["id"], "by oid, whatever her sub is");

    // Whoever has an account signs in once the old way.
    let gus = resident(app, "gus@acme.example").await;
    let gus_id = account(&gus).await["id"].clone();
    let fresh = app.browser();
    let who = json!({"sub": "g", "oid": "gus", "email": "gus@acme.example"});
    ground.comes(&fresh, &who).await.goes_to("/auth/link");
    let old = [("email", "gus@acme.example"), ("password", PASSWORD), ("next", "/auth/link")];
    fresh.post("/login", &old).await.goes_to("/auth/link");
    fresh.post("/auth/link", &[]).await.goes_to("/me");
    let later = app.browser();
    ground.comes(&later, &who).await.goes_to("/me");
    assert_eq!(account(&later).await["id"], gus_id);

    // Where it is required, nobody of the domain comes in otherwise; where it is paused, nobody does by it.
    ground.as_saml(&id).await.enforces(app, None).await;
    let password = json!({"email": "gus@acme.example", "password": PASSWORD});
    app.curl().post_json("/login", password).await.refuses(403, "sso_required");
    let fresh = app.browser();
    let waiting =
        ground.provider.knows(app, &fresh, &format!("/auth/oidc/login?connection={id}"), &who).await;
    app.db_execute("UPDATE connections SET is_paused = TRUE").await;
    fresh.get(&waiting).await.is_refused();
    app.curl().get(&format!("/auth/oidc/login?connection={id}")).await.refuses(403, "sso_refused");
    assert!(is_nobody(&fresh).await);
}

#[actix_web::test]
async fn what_is_refused_says_why_to_the_owners_and_to_nobody_else() {
    let ground = Ground::open().await;
    let id = ground.connects(json!({})).await;
    let Ground { app, provider, ada } = &ground;
    let now = app.clock.now().unix();
    for (changes, outcome) in [
        (json!({"aud": "them"}), "another_audience"),
        (json!({"nonce": "x"}), "another_nonce"),
        (json!({"exp": now - 61}), "too_old"),
        (json!({"iss": "https://evil.example"}), "another_issuer"),
    ] {
        app.wait(TimeDelta::seconds(1));
        let browser = app.browser();
        let refused = ground.comes(&browser, &with(bea(), changes)).await;
        refused.is_refused();
        assert_eq!(ground.outcome().await, outcome);
        assert!(is_nobody(&browser).await);
    }
    // A program gets an error, with nothing of why.
    app.wait(TimeDelta::seconds(1));
    let curl = app.curl();
    let sent = curl.get(&format!("/auth/oidc/login?connection={id}")).await.is(200).json();
    let request = Request::at(sent["location"].as_str().unwrap());
    let code = provider.grants(&request, "not.a.token".to_owned());
    curl.get(&code).await.refuses(403, "sso_refused").hides("bad_token");
    assert_eq!(ground.outcome().await, "bad_token");
    // An answer that names another issuer, or in another browser.
    app.wait(TimeDelta::seconds(1));
    let browser = app.browser();
    let back = provider.knows(app, &browser, &format!("/auth/oidc/login?connection={id}"), &bea()).await;
    app.browser().get(&back).await.is(403);
    browser.get(&back.replace("iss=http", "iss=https")).await.is_refused();
    assert_eq!(ground.outcome().await, "another_issuer");
    // Another connection, or a provider of the settings, does not take it.
    let back = provider.knows(app, &browser, &format!("/auth/oidc/login?connection={id}"), &bea()).await;
    browser.get(&back.replace(&id, "acme")).await.is(404);
    let page = ada.get(&format!("/organisations/acme/sso/{id}")).await.is(200).json();
    assert!(page["attempts"].as_array().unwrap().len() >= 6, "{page}");
}

#[actix_web::test]
async fn a_test_shows_every_claim_and_whether_people_can_confirm_there() {
    let ground = Ground::open().await;
    let id = ground.connects(json!({})).await;
    let told = ground.tests(&id, &with(bea(), json!({"department": "R&D", "groups": ["makers"]}))).await;
    let detail = &told["detail"];
    assert_eq!((&detail["email"], &detail["role"]), (&json!("bea@acme.example"), &json!("Editor")));
    assert!(detail["attributes"].as_array().unwrap().contains(&json!(["department", ["R&D"]])), "{detail}");
    let auth_time = |detail: &Value| {
        let checks = detail["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|check| check["says"].to_string().contains("auth_time")).unwrap()["failed"]
            .clone()
    };
    assert!(auth_time(detail).is_string());
    let can_step_up = async || {
        ground.ada.get(&format!("/organisations/acme/sso/{id}")).await.json()["connection"]["canStepUp"]
            .clone()
    };
    assert_eq!(can_step_up().await, false);
    ground.app.wait(TimeDelta::seconds(1));
    let who = with(bea(), json!({"auth_time": ground.app.clock.now().unix()}));
    let told = ground.tests(&id, &who).await;
    assert_eq!(auth_time(&told["detail"]), Value::Null);
    assert_eq!(can_step_up().await, true);
    assert_eq!(ground.app.count("users").await, 1, "a test lets nobody in");
    ground
        .ada
        .clone()
        .with("accept", "text/html")
        .get(&format!("/organisations/acme/sso/{id}"))
        .await
        .is(200);
}

#[actix_web::test]
async fn who_has_no_password_confirms_at_the_provider_and_only_by_a_new_sign_in() {
    let ground = Ground::open().await;
    let id = ground.connects(json!({})).await;
    let (app, provider, browser) = (&ground.app, &ground.provider, ground.app.browser());
    ground.comes(&browser, &bea()).await.goes_to("/me");
    browser.get("/auth/oidc/confirm").await.is(404);
    browser.get("/auth/confirm").await.is(200).hides("/auth/oidc/confirm");
    ground.tests(&id, &with(bea(), json!({"auth_time": app.clock.now().unix()}))).await;
    app.wait(TimeDelta::minutes(3));
    let curl = browser.clone().with("accept", "application/json");
    assert_eq!(curl.get("/auth/confirm").await.is(200).json()["methods"], json!(["sso"]));
    browser.get("/auth/confirm?next=/me/email").await.is(200).says("/auth/oidc/confirm?next=");

    let now = app.clock.now().unix();
    for (changes, outcome) in [
        (json!({}), "not_again"),
        (json!({"auth_time": now - 61}), "not_again"),
        (json!({"auth_time": now * 1000}), "not_again"),
        (json!({"auth_time": now.to_string()}), "not_again"),
        (json!({"auth_time": now, "sub": "eve", "email": "eve@acme.example"}), "another_person"),
    ] {
        app.wait(TimeDelta::seconds(1));
        let who = with(bea(), changes.clone());
        let back = provider.knows(app, &browser, "/auth/oidc/confirm?next=/me/email", &who).await;
        browser.get(&back).await.is_refused();
        assert_eq!(ground.outcome().await, outcome, "{changes}");
        browser.get("/me/email").await.goes_to("/auth/confirm?next=%2Fme%2Femail");
    }
    let secret = browser.cookie("session").unwrap();
    let request = Request::of(&browser.get("/auth/oidc/confirm?next=/me/email").await.is(303));
    assert_eq!((request.get("prompt"), request.get("max_age")), ("login", "0"));
    let who = with(bea(), json!({"auth_time": app.clock.now().unix()}));
    let token = provider.signer().sign(&provider.claims(app, &request, &who));
    browser.get(&provider.grants(&request, token)).await.goes_to("/me/email");
    assert_ne!(browser.cookie("session").unwrap(), secret, "the session has another secret");
    browser.get("/me/email").await.is(200);
    assert_eq!(app.count("users WHERE email = 'eve@acme.example'").await, 0);
}

#[actix_web::test]
async fn a_sign_in_that_begins_at_the_provider_is_asked_about_first() {
    let ground = Ground::open().await;
    let id = ground.connects(json!({})).await;
    let (app, issuer) = (&ground.app, &ground.provider.issuer);
    let tile = |target: &str| {
        let query =
            [("iss", issuer.as_str()), ("login_hint", "bea@acme.example"), ("target_link_uri", target)];
        serde_urlencoded::to_string(query).unwrap()
    };
    let here = format!("{}/me/sessions", app.base_url);
    let initiate = format!("/auth/oidc/initiate?{}", tile(&here));
    app.browser().get(&initiate).await.is(403);
    let changed = ground.form(json!({"takesUnsolicited": true}));
    ground.ada.put_json(&format!("/organisations/acme/sso/{id}"), changed).await.is(200);

    let browser = app.browser();
    let page = browser.get(&initiate).await.is(200).says("You would sign in at <strong>127.0.0.1</strong>");
    page.says("name=\"next\" value=\"/me/sessions\"").says("name=\"email\" value=\"bea@acme.example\"");
    let there = app.browser().with("sec-fetch-site", "cross-site").with("origin", "https://okta.example");
    let form = Some(("application/x-www-form-urlencoded", tile("https://evil.example/")));
    let page = there.send(actix_web::http::Method::POST, "/auth/oidc/initiate", form).await.is(200);
    page.says("Continue").hides("evil.example");
    let yes = [("connection", id.as_str()), ("next", "/me/sessions"), ("email", "bea@acme.example")];
    let sent = browser.clone().with("accept", "application/json").post("/auth/oidc/login", &yes).await;
    let request = Request::at(sent.is(200).json()["location"].as_str().unwrap());
    assert_eq!(request.get("login_hint"), "bea@acme.example");
    app.browser().get("/auth/oidc/initiate?iss=https://nobody.example").await.is(403);

    // At a provider of the settings as well.
    let provider = Provider::start();
    let house = provider.site(&[]).await;
    let query = serde_urlencoded::to_string([("iss", &provider.issuer)]).unwrap();
    let page = house.browser().get(&format!("/auth/oidc/initiate?{query}")).await.is(200);
    page.says("Sign in with <bdi>Acme</bdi>?");
}
