//! What a browser brings, what is asked on the way, and how the answer goes back.

use chrono::TimeDelta;
use serde_json::json;

use super::{ADA, Notes, REDIRECT_URI, claims, leads_on, posts, told};
use crate::harness::{Answer, PASSWORD, TestApp, Visitor};

/// Signs somebody in by the page that a request led to, and follows it to the page that leads on: the address there.
async fn signs_in(notes: &Notes, browser: &Visitor, more: &[(&str, &str)]) -> String {
    let kept = browser.get_once(&notes.request(more)).await.is(303);
    let login = browser.get_once(kept.location().unwrap()).await.is(303);
    assert!(login.location().unwrap().starts_with("/login?"), "{:?}", login.location());
    let next = told(login.location().unwrap(), "next").unwrap();
    let form = [("email", ADA), ("password", PASSWORD), ("next", next.as_str())];
    browser.post("/login", &form).await.goes_to(&next);
    leads_on(&browser.get_once(&next).await.is(200))
}

/// Allows what a request or the page of one asks about: where that leads.
async fn allows(me: &Visitor, path: &str) -> String {
    let mut at = path.to_owned();
    while !at.starts_with("/oauth/consent") {
        at = me.get_once(&at).await.is(303).location().unwrap().to_owned();
    }
    let request = told(&at, "request").unwrap();
    leads_on(&me.post("/oauth/consent", &[("request", &request), ("decision", "allow")]).await.is(200))
}

/// What an application is told that is wrong.
fn error_at(answer: &Answer) -> String {
    let location = answer.location().unwrap_or_else(|| panic!("{}: {}", answer.status, answer.body));
    assert!(location.starts_with(REDIRECT_URI), "{location}");
    assert_eq!(told(location, "state").as_deref(), Some("s t&t=é"), "{location}");
    assert!(told(location, "iss").unwrap().starts_with("http://localhost:"), "{location}");
    assert_eq!(told(location, "code"), None);
    told(location, "error").unwrap()
}

#[actix_web::test]
async fn somebody_signs_in_on_the_way_and_the_application_learns_who_they_are() {
    let notes = Notes::open(&[]).await;
    notes.app.verified(ADA).await;
    let browser = notes.app.browser();
    let back = signs_in(&notes, &browser, &[]).await;
    assert_eq!(told(&back, "state").as_deref(), Some("s t&t=é"), "{back}");
    assert_eq!(told(&back, "iss").as_deref(), Some(notes.app.base_url.as_str()));
    let tokens = notes.exchanges(&told(&back, "code").unwrap()).await.is(200).json();
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(600)));
    let token = claims(&tokens["id_token"]);
    let id = notes.app.user_id(ADA).await;
    for (name, value) in [
        ("iss", json!(notes.app.base_url)),
        ("sub", json!(id.as_str())),
        ("aud", json!(notes.client_id)),
        ("nonce", json!("n-1")),
        ("email", json!(ADA)),
        ("email_verified", json!(true)),
        ("name", json!("Ada")),
        ("acr", json!("1fa")),
        ("amr", json!(["pwd"])),
        ("iat", json!(notes.app.clock.now().unix())),
        ("exp", json!(notes.app.clock.now().unix() + 300)),
        ("auth_time", json!(notes.app.clock.now().unix())),
    ] {
        assert_eq!(token[name], value, "{name}");
    }
    let told = notes.userinfo(&tokens).await.is(200).json();
    assert_eq!((&told["sub"], &told["email"]), (&token["sub"], &json!(ADA)));
    // The next time nothing is asked.
    let again = claims(&notes.tokens(&browser, &[]).await["id_token"]);
    assert_eq!((&again["sid"], &again["sub"]), (&token["sid"], &token["sub"]));
}

#[actix_web::test]
async fn a_second_factor_and_a_confirmed_address_are_met_in_mid_flow_case_b9_25() {
    let notes = Notes::open(&["--need", "second-factor"]).await;
    let owner = notes.app.with_app("bob@example.com").await;
    let browser = notes.app.browser();
    let kept = browser.get_once(&notes.request(&[])).await.is(303);
    let here = kept.location().unwrap().to_owned();
    let next = told(browser.get_once(&here).await.location().unwrap(), "next").unwrap();
    assert_eq!(next, here);
    let form = [("email", "bob@example.com"), ("password", PASSWORD), ("next", &next)];
    let second = browser.post("/login", &form).await.is(303);
    let second = told(second.location().unwrap(), "next").unwrap();
    let form = [("code", &*notes.app.next_code(&owner.secret)), ("next", &second)];
    browser.post("/login/2fa", &form).await.goes_to(&here);
    let back = leads_on(&browser.get_once(&here).await.is(200));
    let tokens = notes.exchanges(&told(&back, "code").unwrap()).await.is(200).json();
    let token = claims(&tokens["id_token"]);
    assert_eq!((&token["acr"], &token["amr"]), (&json!("2fa"), &json!(["pwd", "otp", "mfa"])));

    // Whoever has none is told, sets one up, and the request is still there.
    let ada = notes.app.unverified_user(ADA).await;
    let page = ada.clone().with("accept", "text/html");
    let here = page.get_once(&notes.request(&[])).await.is(303).location().unwrap().to_owned();
    let way = page.get_once(&here).await.is(303);
    assert!(way.location().unwrap().starts_with("/verify-email/needed?next=%2Foauth%2Fcontinue"));
    let token = notes.app.token_for(ADA).await;
    notes.app.browser().post("/verify-email", &[("token", &token), ("password", PASSWORD)]).await.is(303);
    let page = ada.clone().with("accept", "text/html");
    if page.get_once("/me").await.status == 303 {
        // Confirming elsewhere signed this browser out.
        ada.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
    }
    let page = ada.clone().with("accept", "text/html");
    page.get_once(&here).await.is(403).says("asks for two-step verification").says("/me/2fa");
    ada.steps_up().await;
    let secret = notes.app.waiting_app(&ada).await;
    ada.confirms_app(&notes.app.code(&secret)).await.is(200);
    let page = ada.clone().with("accept", "text/html");
    leads_on(&page.get_once(&here).await.is(200));
    // It was answered: no other code comes of it.
    page.get_once(&here).await.is(422);
}

#[actix_web::test]
async fn what_nobody_can_be_told_stays_here_case_b9_2() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    for (name, value, status) in [
        ("client_id", "nobody-000000", 400),
        ("client_id", "", 400),
        ("redirect_uri", "", 400),
        ("redirect_uri", "http://localhost:9/callback?a=1", 400),
        ("redirect_uri", "http://localhost:9/callback#x", 400),
        ("redirect_uri", "http://localhost:10/callback", 400),
        ("redirect_uri", "http://localhost:9/REDIRECT_URI", 400),
        ("redirect_uri", "https://evil.example/", 400),
    ] {
        let answer = ada.get_once(&notes.request(&[(name, value)])).await.is(status);
        assert_eq!(answer.location(), None, "{name}={value}");
        let page = notes.app.browser().get_once(&notes.request(&[(name, value)])).await.is(status);
        assert!(page.body.contains("<h1"), "{}", page.body);
    }
    let twice = format!("{}&redirect_uri=https://evil.example/", notes.request(&[]));
    ada.get_once(&twice).await.is(400);
    assert_eq!(notes.app.command(&["app", "disable", &notes.client_id]).code, Some(0));
    ada.get_once(&notes.request(&[])).await.is(403);
}

#[actix_web::test]
async fn what_is_wrong_is_told_to_the_application_with_its_state_and_who_says_so_case_b9_22() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    for (name, value, error) in [
        ("response_type", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("scope", "nothing", "invalid_scope"),
        ("resource", "https://elsewhere.example", "invalid_target"),
        ("request", "eyJ", "request_not_supported"),
        ("request_uri", "https://a.example", "request_uri_not_supported"),
        ("prompt", "none login", "invalid_request"),
        ("id_token_hint", "eyJ", "invalid_request"),
        ("login_hint", &"y".repeat(400), "invalid_request"),
    ] {
        let answer = ada.get_once(&notes.request(&[(name, value)])).await.is(303);
        assert_eq!(error_at(&answer), error, "{name}={value}");
    }
    let twice = format!("{}&scope=openid", notes.request(&[]));
    assert_eq!(error_at(&ada.get_once(&twice).await.is(303)), "invalid_request");
    // EnsureRequestWithUnknownParameterSucceeds, EnsureRequestWithAcrValuesSucceeds.
    notes.tokens(&ada, &[("extra", "x"), ("acr_values", "gold phr 1fa"), ("ui_locales", "de")]).await;
    // What goes back goes back as it came, up to four kilobytes.
    let state = "é&=/".repeat(1_000);
    let back = ada.get_once(&notes.request(&[("state", &state)])).await.is(303);
    assert_eq!(told(back.location().unwrap(), "state"), Some(state));
}

#[actix_web::test]
async fn silence_asks_nothing_and_says_why_not() {
    let notes = Notes::open(&["--third-party", "on"]).await;
    let nobody = notes.app.browser();
    let silent = notes.request(&[("prompt", "none")]);
    assert_eq!(error_at(&nobody.get_once(&silent).await.is(303)), "login_required");
    let ada = notes.app.verified(ADA).await;
    assert_eq!(error_at(&ada.get_once(&silent).await.is(303)), "consent_required");
    notes.app.wait(TimeDelta::minutes(2));
    let aged = notes.request(&[("prompt", "none"), ("max_age", "60")]);
    assert_eq!(error_at(&ada.get_once(&aged).await.is(303)), "login_required");
    let other = notes.request(&[("prompt", "none"), ("login_hint", "bob@example.com")]);
    assert_eq!(error_at(&ada.get_once(&other).await.is(303)), "interaction_required");
}

#[actix_web::test]
async fn who_they_are_is_shown_anew_in_the_same_session_case_b9_13() {
    let notes = Notes::open(&[]).await;
    notes.app.verified(ADA).await;
    let ada = notes.app.browser();
    ada.post("/login", &[("email", ADA), ("password", PASSWORD)]).await.is(303);
    let before = claims(&notes.tokens(&ada, &[]).await["id_token"]);
    notes.app.wait(TimeDelta::minutes(2));
    // MaxAge10000.
    notes.tokens(&ada, &[("max_age", "10000")]).await;
    for more in [("prompt", "login"), ("max_age", "1"), ("max_age", "0")] {
        notes.app.wait(TimeDelta::minutes(2));
        let here = ada.get_once(&notes.request(&[more])).await.is(303).location().unwrap().to_owned();
        let confirm = ada.get_once(&here).await.is(303);
        assert!(confirm.location().unwrap().starts_with("/auth/confirm?next=%2Foauth"), "{more:?}");
        ada.post("/auth/confirm", &[("password", PASSWORD), ("next", &here)]).await.goes_to(&here);
        let back = leads_on(&ada.get_once(&here).await.is(200));
        let tokens = notes.exchanges(&told(&back, "code").unwrap()).await.is(200).json();
        let token = claims(&tokens["id_token"]);
        assert_eq!(token["sid"], before["sid"], "the same session");
        assert_eq!(token["auth_time"], json!(notes.app.clock.now().unix()), "{more:?}");
    }
}

#[actix_web::test]
async fn an_application_of_someone_else_is_allowed_once_case_b9_17() {
    let notes = Notes::open(&["--third-party", "on", "--scope", "notes:read"]).await;
    let ada = notes.app.verified(ADA).await.with("accept", "text/html").with("sec-fetch-site", "same-origin");
    let more = [("scope", "openid email offline_access notes:read")];
    let ask = async |decision: &str| {
        let here = ada.get_once(&notes.request(&more)).await.is(303).location().unwrap().to_owned();
        let consent = ada.get_once(&here).await.is(303).location().unwrap().to_owned();
        let page = ada.get_once(&consent).await.is(200).says("Allow").says("your email address");
        let page = page.says("to keep this access when you are signed out").says("localhost:9");
        let page = page.says("href=\"/me/applications\"").says("class=\"points\"");
        let [account, permission, last] =
            ["your account here", "notes:read", "to keep this access"].map(|words| page.body.find(words));
        assert!(account.is_some() && account < permission && permission < last, "{}", page.body);
        let request = told(&consent, "request").unwrap();
        leads_on(&ada.post("/oauth/consent", &[("request", &request), ("decision", decision)]).await.is(200))
    };
    let denied = ask("deny").await;
    assert_eq!(told(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(notes.app.count("consents").await, 0);
    let allowed = ask("allow").await;
    let tokens = notes.exchanges(&told(&allowed, "code").unwrap()).await.is(200).json();
    assert!(tokens["refresh_token"].is_string());
    notes.tokens(&ada, &more).await;
    notes.tokens(&ada, &[("scope", "openid")]).await;
    // More is asked about, and so is what is to be asked about.
    for more in [[("scope", "openid profile")], [("prompt", "consent")]] {
        let here = ada.get_once(&notes.request(&more)).await.is(303).location().unwrap().to_owned();
        assert!(here.starts_with("/oauth/continue"), "{here}");
    }
    assert_eq!(notes.app.count("audit WHERE event = 'consent_given'").await, 1);
    // Without `offline_access` such an application gets nothing that lasts.
    assert_eq!(notes.tokens(&ada, &[("scope", "openid")]).await["refresh_token"], json!(null));
}

#[actix_web::test]
async fn another_account_than_the_one_that_is_meant_is_asked_about() {
    let notes = Notes::open(&[]).await;
    notes.app.verified("bob@example.com").await;
    let ada = notes.app.verified(ADA).await.with("accept", "text/html").with("sec-fetch-site", "same-origin");
    notes.tokens(&ada, &[("login_hint", "ADA@example.com")]).await;
    notes.app.wait(TimeDelta::minutes(1));
    let here = ada.get_once(&notes.request(&[("login_hint", "bob@example.com")])).await.is(303);
    let here = here.location().unwrap().to_owned();
    let consent = ada.get_once(&here).await.is(303).location().unwrap().to_owned();
    ada.get_once(&consent).await.is(200).says("Use another account").says(ADA);
    let request = told(&consent, "request").unwrap();
    let login = ada.post("/oauth/consent", &[("request", &request), ("decision", "switch")]).await.is(303);
    let next = told(login.location().unwrap(), "next").unwrap();
    let form = [("email", "bob@example.com"), ("password", PASSWORD), ("next", &next)];
    ada.post("/login", &form).await.goes_to(&here);
    let back = leads_on(&ada.get_once(&here).await.is(200));
    let tokens = notes.exchanges(&told(&back, "code").unwrap()).await.is(200).json();
    assert_eq!(claims(&tokens["id_token"])["email"], "bob@example.com");
}

#[actix_web::test]
async fn a_form_across_sites_is_kept_until_its_browser_comes_case_b9_23() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    let request = notes.request(&[("response_mode", "form_post")]);
    let (path, query) = request.split_once('?').unwrap();
    let form: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // Without its cookie, as a browser sends it.
    let stranger = notes.app.browser().with("sec-fetch-site", "cross-site");
    let here = posts(&stranger, path, &form).await.is(303).location().unwrap().to_owned();
    let page = ada.clone().with("accept", "text/html").get_once(&here).await.is(200);
    // Browsers would hold it against wherever the application leads from there.
    let policy = page.header("content-security-policy").to_owned();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("form-action"), "{policy}");
    page.says(&format!("action=\"{REDIRECT_URI}\"")).says("name=\"code\"").says("name=\"iss\"");
}

#[actix_web::test]
async fn a_program_on_a_device_comes_back_at_any_port_and_two_tabs_both_finish_case_b9_7() {
    let app = TestApp::open().await;
    let notes = Notes::of(app, "native", &["--redirect", "http://127.0.0.1/cb"]);
    let ada = notes.app.verified(ADA).await;
    let at = [("redirect_uri", "http://127.0.0.1:49152/cb"), ("scope", "openid")];
    // Any program can be there, so its person is asked, whoever runs it (RFC 8252 §8.6).
    let silent = [at[0], ("prompt", "none")];
    let back = ada.get_once(&notes.request(&silent)).await.is(303);
    let back = back.location().unwrap();
    assert!(back.starts_with("http://127.0.0.1:49152/cb?"), "{back}");
    assert_eq!(told(back, "error").as_deref(), Some("consent_required"));
    let ada = ada.with("accept", "text/html").with("sec-fetch-site", "same-origin");
    let back = allows(&ada, &notes.request(&at)).await;
    assert!(back.starts_with("http://127.0.0.1:49152/cb?code="), "{back}");
    let browser = notes.app.browser();
    let mut tabs = Vec::new();
    for _ in 0..2 {
        let at = [("redirect_uri", "http://127.0.0.1:1/cb")];
        tabs.push(browser.get_once(&notes.request(&at)).await.is(303).location().unwrap().to_owned());
    }
    browser.post("/login", &[("email", ADA), ("password", PASSWORD)]).await.is(303);
    let browser = browser.with("sec-fetch-site", "same-origin");
    for tab in tabs {
        allows(&browser, &tab).await;
    }
}

#[actix_web::test]
async fn whoever_an_id_token_is_about_gets_the_answer_or_nobody() {
    let notes = Notes::open(&[]).await;
    let (ada, bob) = (notes.app.verified(ADA).await, notes.app.verified("bob@example.com").await);
    let hint = super::text(&notes.tokens(&ada, &[]).await["id_token"]);
    let hint = ("id_token_hint", hint.as_str());
    notes.tokens(&ada, &[hint, ("prompt", "none")]).await;
    let silent = notes.request(&[hint, ("prompt", "none")]);
    assert_eq!(error_at(&bob.get_once(&silent).await.is(303)), "login_required");
    let bob = bob.with("accept", "text/html").with("sec-fetch-site", "same-origin");
    let here = bob.get_once(&notes.request(&[hint])).await.is(303).location().unwrap().to_owned();
    let consent = bob.get_once(&here).await.is(303).location().unwrap().to_owned();
    let request = told(&consent, "request").unwrap();
    bob.post("/oauth/consent", &[("request", &request), ("decision", "allow")]).await.is(409);
}

#[actix_web::test]
async fn without_a_challenge_a_nonce_is_needed() {
    let notes = Notes::open(&["--pkce", "optional"]).await;
    let ada = notes.app.verified(ADA).await;
    let bare = [("code_challenge", ""), ("code_challenge_method", "")];
    notes.code(&ada, &bare).await;
    for more in [("nonce", ""), ("scope", "email")] {
        let answer = ada.get_once(&notes.request(&[bare[0], bare[1], more])).await.is(303);
        assert_eq!(error_at(&answer), "invalid_request", "{more:?}");
    }
}
