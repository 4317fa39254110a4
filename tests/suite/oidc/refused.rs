//! Answers that are refused: nobody comes in, and the audit says why.

use serde_json::{Value, json};

use super::{
    gina,
    provider::{LOGIN, Provider, Request, Signer},
};

/// Claims with changes; null takes one out.
fn with(mut claims: Value, changes: Value) -> Value {
    for (name, change) in changes.as_object().unwrap() {
        match change {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            change => claims[name] = change.clone(),
        }
    }
    claims
}

#[actix_web::test]
async fn a_token_that_is_not_quite_right_lets_nobody_in() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    let now = app.clock.now().unix();
    let changes = [
        ("another_issuer", json!({"iss": format!("{}/", provider.issuer)})),
        ("another_issuer", json!({"iss": null})),
        ("another_audience", json!({"aud": "them"})),
        ("another_audience", json!({"aud": ["us", "them"]})),
        ("another_audience", json!({"aud": ["us", "them"], "azp": "them"})),
        ("too_old", json!({"exp": now - 60})),
        ("too_old", json!({"iat": now - 61})),
        ("too_new", json!({"iat": now + 61})),
        ("too_new", json!({"nbf": now + 61})),
        ("no_time", json!({"exp": null})),
        ("no_time", json!({"iat": "now"})),
        ("another_nonce", json!({"nonce": "x"})),
        ("another_nonce", json!({"nonce": null})),
        ("another_access_token", json!({"at_hash": "x"})),
        ("no_name", json!({"sub": ""})),
        ("no_name", json!({"sub": 7})),
        ("no_name", json!({"sub": "x".repeat(256)})),
    ];
    let mut cases = Vec::new();
    for (reason, change) in changes {
        let browser = app.browser();
        let request = Request::of(&browser.get(LOGIN).await);
        let token = provider.signer().sign(&with(provider.claims(&app, &request, &gina()), change));
        cases.push((reason, browser, provider.grants(&request, token)));
    }
    let headers = [
        ("bad_algorithm", json!({"alg": "none"})),
        ("bad_algorithm", json!({"alg": "HS256", "kid": "first"})),
        ("unknown_key", json!({"alg": "ES256", "kid": "nobody's"})),
        ("bad_token", json!({"alg": "ES256", "kid": "first", "crit": ["exp"]})),
        ("bad_token", json!({"alg": "ES256", "kid": "first", "typ": "logout+jwt"})),
    ];
    for (reason, header) in headers {
        let browser = app.browser();
        let request = Request::of(&browser.get(LOGIN).await);
        let token = provider.signer().sign_with(&header, &provider.claims(&app, &request, &gina()));
        cases.push((reason, browser, provider.grants(&request, token)));
    }
    let browser = app.browser();
    let request = Request::of(&browser.get(LOGIN).await);
    let forged = Signer::new("first").sign(&provider.claims(&app, &request, &gina()));
    cases.push(("bad_signature", browser, provider.grants(&request, forged)));

    for (reason, browser, back) in cases {
        browser.get(&back).await.is(403).says("Signing in with Acme did not work.");
        let refusals = format!("audit WHERE detail LIKE '%\"{reason}\"%'");
        assert!(app.count(&refusals).await > 0, "{reason}");
        browser.get("/me").await.goes_to("/login?next=%2Fme");
    }
    assert_eq!((app.count("users").await, app.count("sessions").await), (0, 0));
}

#[actix_web::test]
async fn odd_but_honest_tokens_are_taken() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    let now = app.clock.now().unix();
    let changes = [
        json!({"aud": ["us"]}),
        json!({"aud": ["us", "them"], "azp": "us"}),
        json!({"iat": now + 59, "nbf": now + 59}),
        json!({"iat": now - 59, "exp": now - 59}),
        json!({"email_verified": "true"}),
    ];
    for change in changes {
        let browser = app.browser();
        let request = Request::of(&browser.get(LOGIN).await);
        let token = provider.signer().sign(&with(provider.claims(&app, &request, &gina()), change));
        browser.get(&provider.grants(&request, token)).await.goes_to("/me");
    }
}

#[actix_web::test]
async fn an_answer_counts_in_the_browser_that_asked_and_from_the_provider_that_was_asked() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    let browser = app.browser();
    let back = provider.knows(&app, &browser, LOGIN, &gina()).await;
    app.browser().get(&back).await.is(403);
    let (without, _) = back.split_once("&iss=").unwrap();
    browser.get(without).await.is(403);
    browser.get(&format!("{without}&iss=https%3A%2F%2Felsewhere.example")).await.is(403);
    browser.get(&back.replace("/acme?", "/other?")).await.is(404);
    assert_eq!((provider.asked("/token"), app.count("users").await), (0, 0), "nothing was exchanged");
    // None of that took the sign-in away from whoever began it.
    browser.get(&back).await.goes_to("/me");
}

#[actix_web::test]
async fn user_information_has_to_be_about_the_same_person() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    for userinfo in [json!({"sub": "hugo", "email": "hugo@example.com"}), json!({"email": "g@example.com"})] {
        provider.says(userinfo);
        provider.signs_in(&app, &app.browser(), &json!({"sub": "gina"})).await.is(403);
    }
    provider.says(gina());
    provider.signs_in(&app, &app.browser(), &json!({"sub": "gina"})).await.goes_to("/me");
}

#[actix_web::test]
async fn a_code_that_was_used_and_a_secret_that_is_wrong_let_nobody_in() {
    let provider = Provider::start();
    let app = provider.site(&[("OIDC_ACME_CLIENT_SECRET", "another")]).await;
    provider.signs_in(&app, &app.browser(), &gina()).await.is(403);
    assert!(app.count("audit WHERE detail LIKE '%bad_secret%'").await > 0);

    let app = provider.site(&[]).await;
    let browser = app.browser();
    let request = Request::of(&browser.get(LOGIN).await);
    let query = [("code", "made-up"), ("state", request.get("state")), ("iss", provider.issuer.as_str())];
    let back = format!("/auth/oidc/callback/acme?{}", serde_urlencoded::to_string(query).unwrap());
    browser.get(&back).await.is(403);
    assert!(app.count("audit WHERE detail LIKE '%bad_code%'").await > 0);
}
