//! The demonstration provider, on a developer's machine: as strict as a real one.

use actix_web::http::Method;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::TimeDelta;
use openssl::sha::sha256;
use serde_json::Value;

use crate::harness::{Answer, TestApp, Visitor};

const VERIFIER: &str = "a-verifier-of-one-test-and-of-no-other-at-all-00";
// As it is sent: form-encoded, then in Basic.
const SECRET: &str = "made+up%3A+a%2Bb%2Fc%3Dd%2520%26%C3%A9";

/// Opens what is in the path of an address of this site.
pub async fn opens(visitor: &Visitor, app: &TestApp, location: &str) -> Answer {
    let path = location.strip_prefix(&app.base_url).unwrap_or_else(|| panic!("{location} is elsewhere"));
    visitor.get_once(path).await
}

/// The address that somebody's answer leads to, of those that the page at `location` offers.
pub async fn chooses(app: &TestApp, location: &str, name: &str) -> String {
    let page = opens(&app.curl(), app, location).await.is(200).json();
    let choice = page["people"].as_array().unwrap().iter().find(|one| one["name"] == name);
    choice.unwrap_or_else(|| panic!("no {name} in {page}"))["location"].as_str().unwrap().to_owned()
}

fn request(app: &TestApp, with: &[(&str, &str)]) -> String {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(sha256(VERIFIER.as_bytes()));
    let redirect_address = format!("{}/auth/oidc/callback/demo", app.base_url);
    let mut fields = vec![
        ("client_id", "vestibule"),
        ("redirect_uri", &redirect_address),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("state", "s"),
        ("nonce", "n"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    fields.retain(|(name, _)| !with.iter().any(|(other, _)| name == other));
    fields.extend(with);
    format!("{}/dev/oidc/authorize?{}", app.base_url, serde_urlencoded::to_string(fields).unwrap())
}

fn parameter(location: &str, name: &str) -> Option<String> {
    let query = url::Url::parse(location).unwrap();
    query.query_pairs().find(|(its, _)| its == name).map(|(_, value)| value.into_owned())
}

async fn code(app: &TestApp) -> String {
    parameter(&chooses(app, &request(app, &[]), "Gina").await, "code").unwrap()
}

async fn exchange(app: &TestApp, secret: &str, with: &[(&str, &str)]) -> Answer {
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("vestibule:{secret}")));
    let redirect_address = format!("{}/auth/oidc/callback/demo", app.base_url);
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("redirect_uri", &redirect_address),
        ("code_verifier", VERIFIER),
    ];
    fields.retain(|(name, _)| !with.iter().any(|(other, _)| name == other));
    fields.extend(with);
    app.curl().with("authorization", &basic).post("/dev/oidc/token", &fields).await
}

fn claims(token: &str) -> Value {
    let body = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[actix_web::test]
async fn there_is_no_demonstration_provider_in_production_nor_from_elsewhere_nor_where_it_is_off() {
    let production = [("MODE", "production"), ("BASE_URL", "https://id.example.com"), ("BCRYPT_COST", "10")];
    let demo = [("DEMO_PROVIDER", "on")];
    let apps = [TestApp::with(&production).await, TestApp::open().await, TestApp::with(&demo).await];
    for (app, elsewhere) in apps.iter().zip([false, false, true]) {
        let visitor = match elsewhere {
            true => app.curl().with("x-forwarded-for", "203.0.113.9"),
            false => app.curl(),
        };
        for path in [".well-known/openid-configuration", "authorize", "userinfo", "jwks"] {
            visitor.get(&format!("/dev/oidc/{path}")).await.refuses(404, "not_found");
        }
    }
    apps[1].curl().post("/dev/oidc/token", &[("code", "x")]).await.refuses(404, "not_found");
    let metadata = apps[2].curl().get("/dev/oidc/.well-known/openid-configuration").await.is(200).json();
    assert_eq!(metadata["issuer"], format!("{}/dev/oidc", apps[2].base_url));
}

#[actix_web::test]
async fn it_answers_the_client_that_asked_and_to_its_own_address_only() {
    let app = TestApp::with(&[("DEMO_PROVIDER", "on")]).await;
    for with in [("redirect_uri", "https://evil.example/"), ("client_id", "another")] {
        let page = opens(&app.curl(), &app, &request(&app, &[with])).await.is(200).json();
        assert_eq!(page["people"], serde_json::json!([]), "{with:?}");
    }
    for (with, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("scope", "email"), "invalid_scope"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
    ] {
        let told = opens(&app.curl(), &app, &request(&app, &[with])).await.is(200).json();
        let location = told["location"].as_str().unwrap();
        assert_eq!(parameter(location, "error").as_deref(), Some(error), "{with:?}");
        assert_eq!(parameter(location, "state").as_deref(), Some("s"));
    }
    let refusal = chooses(&app, &request(&app, &[]), "Say no").await;
    assert_eq!(parameter(&refusal, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&refusal, "iss").unwrap(), format!("{}/dev/oidc", app.base_url));

    let good = code(&app).await;
    let tell = |answer: Answer| answer.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(tell(exchange(&app, "guessed", &[("code", &good)]).await.is(401)), "invalid_client");
    assert_eq!(
        tell(exchange(&app, SECRET, &[("code", &good), ("grant_type", "password")]).await.is(400)),
        "unsupported_grant_type"
    );
    for with in [("code_verifier", "another"), ("redirect_uri", "https://evil.example/"), ("code", "x.y")] {
        let mut fields = vec![("code", good.as_str())];
        fields.retain(|(name, _)| *name != with.0);
        fields.push(with);
        assert_eq!(tell(exchange(&app, SECRET, &fields).await.is(400)), "invalid_grant", "{with:?}");
    }
    app.curl().with("authorization", &format!("Bearer {good}")).get("/dev/oidc/userinfo").await.is(401);
    let tokens = exchange(&app, SECRET, &[("code", &good)]).await.is(200).json();
    let again = exchange(&app, SECRET, &[("code", &good)]).await.is(400);
    assert_eq!(tell(again), "invalid_grant", "a code is good once");
    let told = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(
        (&told["sub"], &told["aud"], &told["nonce"]),
        (&"gina".into(), &"vestibule".into(), &"n".into())
    );
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let known = app.curl().with("authorization", &bearer).get("/dev/oidc/userinfo").await.is(200).json();
    assert_eq!((&known["sub"], &known["email_verified"]), (&"gina".into(), &true.into()));

    app.wait(TimeDelta::minutes(10));
    assert_eq!(tell(exchange(&app, SECRET, &[("code", &good)]).await.is(400)), "invalid_grant");
    app.curl().with("authorization", &bearer).get("/dev/oidc/userinfo").await.is(401);
}

#[actix_web::test]
async fn it_answers_by_a_form_where_that_is_asked_for() {
    let app = TestApp::with(&[("DEMO_PROVIDER", "on")]).await;
    let page = opens(&app.browser(), &app, &request(&app, &[])).await.is(200);
    page.says("Who do you want to be?").says("Answer by a form, as Apple does");
    let page = opens(&app.browser(), &app, &request(&app, &[("response_mode", "form_post")])).await.is(200);
    page.says(&format!("action=\"{}/auth/oidc/callback/demo\"", app.base_url)).says("name=\"code\"");
    app.browser()
        .send(Method::GET, "/dev/oidc/authorize", None)
        .await
        .is(200)
        .says("Nothing has been asked yet.");
}
