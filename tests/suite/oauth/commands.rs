//! `vestibule app` for what is no gate.

use serde_json::{Value, json};

use super::{ADA, REDIRECT_URI};
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

#[actix_web::test]
async fn an_operator_reads_what_is_registered_and_what_somebody_would_meet() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let added = |kind: &str, options: &[&str]| {
        let redirect: &[&str] = if kind == "service" { &[] } else { &["--redirect", REDIRECT_URI] };
        let add = [&["app", "add", "Notes", "--kind", kind, "--json"], redirect, options].concat();
        done(&app.command(&add))["clientId"].as_str().unwrap().to_owned()
    };
    let none = app.command(&["keys", "list"]);
    assert!(none.out.contains("There are none yet"), "{}", none.out);
    assert_eq!(app.command(&["keys", "list", "--json"]).out, "");
    let listener = "https://notes.example/gone";
    let strict =
        ["--need", "second-factor", "--need", "recent=5m", "--third-party", "on", "--backchannel", listener];
    let web = added("web", &strict);
    let shown = app.command(&["app", "show", &web]).out;
    for line in [
        "needs a confirmed address, a second factor, a sign-in at most 300 seconds old",
        "members of: none",
        "run by: someone else; people are asked",
        "PKCE: required",
        "ID tokens: RS256",
        "told of endings at: https://notes.example/gone; 0 never arrived",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let (browser, native, service) = (added("browser", &[]), added("native", &[]), added("service", &[]));
    let plain = added("web", &[]);
    for (client, who, outcome, says) in [
        (&web, None, "sign_in_required", "login_required"),
        (&web, Some(ADA), "refused", "They have no second factor"),
        (&plain, Some(ADA), "allowed", "The application gets its code."),
        (&browser, Some(ADA), "allowed", "The application gets its code."),
        (&native, Some(ADA), "allowed", "They are asked each time"),
        (&service, None, "allowed", "Nobody signs in"),
    ] {
        let who: &[&str] = if who.is_some() { &["--as", ADA] } else { &[] };
        let arguments = [&["app", "test", client.as_str()][..], who].concat();
        let output = app.command(&arguments);
        assert_eq!(output.code, Some(0), "{client}: {}", output.err);
        assert!(
            output.out.contains(&format!("{client}: {outcome}")) && output.out.contains(says),
            "{client}: {}",
            output.out
        );
        let told = done(&app.command(&[&arguments[..], &["--json"]].concat()));
        assert_eq!((&told["clientId"], &told["outcome"]), (&json!(client), &json!(outcome)));
    }
    for (client, software, says, hides) in [
        (&browser, "openid-client", "sessionStorage", "process.env"),
        (&native, "openid-client", "oidc.None()", "request.url"),
        (&service, "openid-client", "clientCredentialsGrant", "redirect"),
        (&service, "authlib", "client_credentials", "redirect"),
        (&native, "authlib", "token_endpoint_auth_method=\"none\"", "CLIENT_SECRET"),
        (&service, "curl", "-d grant_type=client_credentials", "redirect"),
        (&plain, "openid-client", "process.env.CLIENT_SECRET", "sessionStorage"),
        (&plain, "authlib", "authorize_redirect", "client_credentials"),
    ] {
        let printed = app.command(&["app", "config", client, software]);
        assert_eq!(printed.code, Some(0), "{client} {software}: {}", printed.err);
        assert!(
            printed.out.contains(says) && !printed.out.contains(hides),
            "{client} {software}: {}",
            printed.out
        );
        assert!(!printed.out.contains("{{") && !printed.out.contains("{%"), "{}", printed.out);
    }
    for (client, software) in [(&plain, "curl"), (&browser, "authlib"), (&native, "mod_auth_openidc")] {
        assert_eq!(app.command(&["app", "config", client, software]).code, Some(1), "{client} {software}");
    }
    // Without an origin its scripts can ask for nothing, which is output at once.
    let spa = app.command(&["app", "add", "Spa", "--kind", "browser", "--redirect", REDIRECT_URI]);
    assert!(spa.err.contains("--origin"), "{}", spa.err);
}

#[actix_web::test]
async fn the_doctor_looks_for_the_issuer_where_applications_look() {
    let app = TestApp::open().await;
    let finding = |app: &TestApp| {
        let out = app.command(&["doctor", "--json"]).out;
        let findings = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        findings.into_iter().find(|one| one["what"] == "issuer")
    };
    assert_eq!(finding(&app), None, "no application asks");
    let notes = super::Notes::of(app, "web", &[]);
    notes.app.curl().get("/healthz").await.is(200);
    let found = finding(&notes.app).unwrap();
    assert_eq!(found["health"], "fine", "{found}");
    // Another server answers there, and then none does.
    let other = TestApp::open().await;
    other.curl().get("/healthz").await.is(200);
    let elsewhere = |port: u16| {
        let mut settings = notes.app.settings.clone();
        settings.insert("BASE_URL".to_owned(), format!("http://localhost:{port}"));
        let out = crate::harness::run_program(&["doctor", "--json"], &settings).out;
        let mut findings = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        findings.find(|one| one["what"] == "issuer").unwrap()
    };
    let unreachable = elsewhere(crate::harness::free_port());
    assert_eq!(unreachable["health"], "warning", "{unreachable}");
    let mut settings = notes.app.settings.clone();
    settings.insert("BASE_URL".to_owned(), format!("http://127.0.0.1:{}", other.port));
    let out = crate::harness::run_program(&["doctor", "--json"], &settings).out;
    assert!(out.contains("names the issuer http://localhost:"), "{out}");
}
