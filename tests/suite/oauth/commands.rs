//! `vestibule app` for what is no gate.

use serde_json::{Value, json};

use super::REDIRECT_URI;
use crate::harness::{CommandOutput, TestApp};

fn done(output: &CommandOutput) -> Value {
    assert_eq!(output.code, Some(0), "{}", output.err);
    serde_json::from_str(&output.out).unwrap()
}

#[actix_web::test]
async fn an_application_is_added_shown_changed_and_removed_on_record() {
    let app = TestApp::open().await;
    let add = [
        "app",
        "add",
        "Ada's Notes",
        "--kind",
        "web",
        "--redirect",
        REDIRECT_URI,
        "--scope",
        "notes:read",
        "--json",
    ];
    let mut added = done(&app.command(&add));
    let id = added["clientId"].as_str().unwrap().to_owned();
    assert!(id.starts_with("ada-s-notes-"), "{id}");
    let secret = added.as_object_mut().unwrap().remove("clientSecret").unwrap();
    assert_eq!(secret.as_str().unwrap().len(), 43);
    assert_eq!((&added["redirectUris"], &added["thirdParty"]), (&json!([REDIRECT_URI]), &json!(false)));
    assert_eq!(done(&app.command(&["app", "show", &id, "--json"])), added);
    assert_eq!(done(&app.command(&["app", "list", "--json"])), added);
    assert!(app.command(&["app", "show", &id]).out.contains("answers go to: http://localhost:9/callback"));
    let set = [
        "app",
        "set",
        &id,
        "--third-party",
        "on",
        "--logout",
        REDIRECT_URI,
        "--need",
        "second-factor",
        "--json",
    ];
    assert_eq!(done(&app.command(&set))["changed"], true);
    let shown = done(&app.command(&["app", "show", &id, "--json"]));
    assert_eq!((&shown["thirdParty"], &shown["redirectUris"]), (&json!(true), &json!([REDIRECT_URI])));
    assert_eq!(shown["needs"]["secondFactor"], true);
    assert_eq!(app.command(&["app", "set", &id, "--third-party", "on"]).code, Some(1));
    let other = done(&app.command(&["app", "rotate-secret", &id, "--overlap", "none", "--json"]));
    assert_ne!(other["clientSecret"], secret);
    for command in ["disable", "enable", "remove"] {
        assert_eq!(app.command(&["app", command, &id]).code, Some(0), "{command}");
        assert_eq!(app.command(&["app", command, &id]).code, Some(1), "{command} twice");
    }
    let mut events = app.texts("SELECT event AS text FROM audit WHERE event LIKE 'client_%'").await;
    events.sort();
    let expected = ["added", "changed", "disabled", "enabled", "removed", "secret_rotated"];
    assert_eq!(events, expected.map(|what| format!("client_{what}")));
}

#[actix_web::test]
async fn what_cannot_be_is_refused_in_a_sentence() {
    let app = TestApp::open().await;
    for (kind, options, says) in [
        ("web", &[][..], "Say where answers go"),
        ("web", &["--redirect", "http://app.example.com/cb"], "is not https"),
        ("web", &["--redirect", "com.example:/cb"], "neither https nor one with a dot"),
        ("native", &["--redirect", "app:/cb"], "neither https nor one with a dot"),
        ("service", &["--redirect", REDIRECT_URI], "Nobody signs in"),
        ("browser", &["--redirect", REDIRECT_URI, "--pkce", "optional"], "can do without PKCE"),
        ("web", &["--redirect", REDIRECT_URI, "--origin", "https://a.example/"], "is no origin"),
        ("web", &["--redirect", REDIRECT_URI, "--scope", "openid"], "is no scope of its own"),
        ("web", &["--redirect", REDIRECT_URI, "--audience", "x"], "is no address"),
        ("web", &["--redirect", REDIRECT_URI, "--style", "none"], "a gate's"),
        ("gate", &["--redirect", REDIRECT_URI], "that are no gate"),
    ] {
        let refused = app.command(&[&["app", "add", "notes.localhost", "--kind", kind], options].concat());
        assert_eq!(refused.code, Some(1), "{kind} {options:?}: {}", refused.out);
        assert!(refused.err.contains(says), "{kind} {options:?}: {}", refused.err);
    }
    for usage in [&["--kind", "mobile"][..], &["--sign-with", "HS256"], &["--pkce", "off"]] {
        assert_eq!(
            app.command(&[&["app", "add", "notes.localhost"], usage].concat()).code,
            Some(2),
            "{usage:?}"
        );
    }
    assert_eq!(app.count("applications").await, 0);
    let web =
        done(&app.command(&["app", "add", "Notes", "--kind", "web", "--redirect", REDIRECT_URI, "--json"]));
    let id = web["clientId"].as_str().unwrap();
    for (software, says) in [
        ("openid-client", format!("new URL('{}')", app.base_url)),
        ("authlib", format!("client_id=\"{id}\"")),
        ("mod_auth_openidc", format!("OIDCRedirectURI {REDIRECT_URI}")),
    ] {
        let printed = app.command(&["app", "config", id, software]);
        assert!(
            printed.code == Some(0) && printed.out.contains(&says),
            "{software}: {} {}",
            printed.out,
            printed.err
        );
    }
    assert_eq!(app.command(&["app", "config", id, "nginx"]).code, Some(1));
    let public = ["app", "add", "Spa", "--kind", "browser", "--redirect", REDIRECT_URI, "--json"];
    let added = done(&app.command(&public));
    assert_eq!(added["clientSecret"], Value::Null);
    let refused = app.command(&["app", "rotate-secret", added["clientId"].as_str().unwrap()]);
    assert!(refused.err.contains("has no secret"), "{}", refused.err);
}
