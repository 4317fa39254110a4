//! The npm package oauth2-mock-server as an organisation's provider: forty answers that are not quite right, each refused for its
//! reason, and six that are odd but honest.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    connections::acme,
    harness::{TestApp, Visitor},
    idp::{Acme, is_nobody},
    saml::forger::Idp,
};

struct Mock(Child);

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[actix_web::test]
#[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
async fn what_is_not_quite_right_is_refused_with_its_reason_and_what_is_odd_is_taken() {
    let Ok(modules) = std::env::var("PEER_MODULES") else {
        eprintln!(
            "SKIPPED: PEER_MODULES is not set, so oauth2-mock-server is not asked; `bin/test peers` installs it"
        );
        return;
    };
    let mut mock = Command::new("node")
        .arg("tests/peers/oauth2-mock-server.js")
        .env("NODE_PATH", modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Mock)
        .unwrap();
    let (mut input, mut output) =
        (mock.0.stdin.take().unwrap(), BufReader::new(mock.0.stdout.take().unwrap()).lines());
    let told: Value = serde_json::from_str(&output.next().unwrap().unwrap()).unwrap();
    let app = TestApp::with(&[("SSO_PRIVATE_METADATA", "on"), ("THROTTLE", "off")]).await;
    let ada = acme(&app).await;
    let form = json!({
        "protocol": "oidc", "name": "Mock", "issuer": told["issuer"], "clientId": "us", "clientSecret": "a secret",
    });
    let made = ada.post_json("/organisations/acme/sso", form).await.is(201).json();
    let id = made["connection"]["id"].as_str().unwrap();
    Acme::made(Idp::ec(), "", id, ada, &app).await.verifies(&app, "acme.example").await;

    let cases = told["cases"].as_array().unwrap();
    for case in cases {
        app.wait(TimeDelta::seconds(1));
        writeln!(input, "{}", json!({"name": case[0], "now": app.clock.now().unix()})).unwrap();
        assert_eq!(output.next().unwrap().unwrap(), "ready");
        let browser = app.browser();
        let left = browser.get(&format!("/auth/oidc/login?connection={id}")).await.is(303);
        let back = browser.get(&answered(left.header("location")).await).await.is(303);
        let outcome =
            app.texts("SELECT outcome AS text FROM attempts ORDER BY at DESC, id LIMIT 1").await.remove(0);
        match case[1].as_str() {
            Some(reason) => {
                assert_eq!(outcome, reason, "{case}");
                assert!(back.header("location").starts_with("/auth/saml/refused"), "{case}");
                assert!(is_nobody(&browser).await, "{case}");
            }
            None => assert_eq!(back.header("location"), "/me", "{case}: {outcome}"),
        }
    }
    let honest = cases.iter().filter(|case| case[1].is_null()).count();
    assert!(honest >= 6 && cases.len() - honest >= 40, "{honest} of {}", cases.len());
    assert_eq!(app.count("users WHERE email = 'bea@acme.example'").await, 1);
}

/// The path with which it answers a request.
async fn answered(location: &str) -> String {
    let location = url::Url::parse(location).unwrap();
    let there = Visitor::browser(location.port().unwrap());
    let host = format!("{}:{}", location.host_str().unwrap(), location.port().unwrap());
    let path = format!("{}?{}", location.path(), location.query().unwrap());
    let back = there.with("host", &host).get(&path).await.is(302);
    let back = url::Url::parse(back.header("location")).unwrap();
    format!("{}?{}", back.path(), back.query().unwrap())
}
