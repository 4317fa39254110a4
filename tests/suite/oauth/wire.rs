//! What applications in the field send, and what they wait for.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::{ADA, Notes, REDIRECT_URI, VERIFIER, basic, claims, posts, refused, text, told};
use crate::{
    harness::{Authenticator, TestApp},
    passkeys::adds,
};

#[actix_web::test]
async fn userinfo_takes_its_token_from_a_form_too_and_once() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    let tokens = notes.tokens(&ada, &[]).await;
    let token = text(&tokens["access_token"]);
    let program = notes.app.curl();
    let told = posts(&program, "/oauth/userinfo", &[("access_token", &token)]).await.is(200).json();
    assert_eq!(told["email"], ADA);
    let bearer = program.clone().with("authorization", &format!("bearer  {token}"));
    bearer.send(Method::POST, "/oauth/userinfo", None).await.is(200);
    let both = posts(&bearer, "/oauth/userinfo", &[("access_token", &token)]).await;
    refused(both, 400, "invalid_request");
    let twice = [("access_token", &*token), ("access_token", &token)];
    refused(posts(&program, "/oauth/userinfo", &twice).await, 400, "invalid_request");
    // Never from the address, where it would stay in logs.
    for answer in [
        program.get_once(&format!("/oauth/userinfo?access_token={token}")).await,
        program.send(Method::POST, "/oauth/userinfo", None).await,
    ] {
        // Nothing was sent that could be wrong (RFC 6750 §3.1).
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        refused(answer, 401, "invalid_token");
    }
    let wrong = program.with("authorization", "Bearer x").get_once("/oauth/userinfo").await;
    assert_eq!(wrong.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    refused(wrong, 401, "invalid_token");
}

#[actix_web::test]
async fn a_refresh_brings_an_id_token_of_the_same_sign_in() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    for (scope, has_one) in
        [("openid email", true), ("openid email offline_access", true), ("email offline_access", false)]
    {
        let first = notes.tokens(&ada, &[("scope", scope)]).await;
        notes.app.wait(chrono::TimeDelta::seconds(60));
        let next = notes.refreshes(&first["refresh_token"]).await.is(200).json();
        assert_eq!(next["id_token"].is_string(), has_one, "{scope}");
        let access = claims(&next["access_token"]);
        let introspected = notes.introspects(&next["access_token"]).await;
        if !has_one {
            continue;
        }
        let (before, after) = (claims(&first["id_token"]), claims(&next["id_token"]));
        for name in ["iss", "sub", "aud", "auth_time", "acr", "amr", "sid", "email"] {
            assert_eq!(before[name], after[name], "{scope}: {name}");
        }
        assert_eq!(after["nonce"], Value::Null);
        assert_eq!(after["iat"].as_i64().unwrap() - before["iat"].as_i64().unwrap(), 60);
        assert_ne!(before["at_hash"], after["at_hash"]);
        // An API that hears of the end of a session knows it by one name, whatever it holds.
        for (what, sid) in [
            ("access token", &access["sid"]),
            ("the first", &claims(&first["access_token"])["sid"]),
            ("introspection", &introspected["sid"]),
            ("refresh token", &notes.introspects(&next["refresh_token"]).await["sid"]),
        ] {
            assert_eq!(*sid, before["sid"], "{scope}: {what}");
        }
    }
}

#[actix_web::test]
async fn silence_may_be_asked_for_by_post_and_is_not_ended_by_a_wish() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    let asked = notes.request(&[("prompt", "none")]);
    let (path, query) = asked.split_once('?').unwrap();
    let form: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let stranger = notes.app.browser().with("sec-fetch-site", "cross-site");
    let again = posts(&stranger, path, &form).await.is(303).location().unwrap().to_owned();
    let back = ada.get_once(&again).await.is(303);
    assert!(told(back.location().unwrap(), "code").is_some(), "{:?}", back.location());
    // What the account could show besides is a wish (OpenID Connect Core 1.0 §5.5.1.1).
    ada.steps_up().await;
    adds(&ada, &mut Authenticator::new(&notes.app)).await.is(201);
    let wished = notes.request(&[("prompt", "none"), ("acr_values", "phr 2fa")]);
    let back = ada.get_once(&wished).await.is(303);
    assert!(told(back.location().unwrap(), "code").is_some(), "{:?}", back.location());
}

#[actix_web::test]
async fn scripts_may_ask_for_what_is_everybody_s_and_read_every_refusal() {
    let notes = Notes::of(TestApp::open().await, "browser", &["--origin", "https://notes.example"]);
    let script =
        notes.app.curl().with("origin", "https://notes.example").with("sec-fetch-site", "cross-site");
    let asked = "authorization, traceparent, x-requested-with";
    for (path, origin) in [
        ("/.well-known/openid-configuration", "*"),
        ("/.well-known/oauth-authorization-server", "*"),
        ("/oauth/jwks", "*"),
        ("/oauth/token", "https://notes.example"),
        ("/oauth/userinfo", "https://notes.example"),
        ("/oauth/revoke", "https://notes.example"),
    ] {
        let preflight = script.clone().with("access-control-request-method", "GET");
        let preflight = preflight.with("access-control-request-headers", asked);
        let answer = preflight.send(Method::OPTIONS, path, None).await.is(204);
        assert_eq!(answer.header("access-control-allow-origin"), origin, "{path}");
        assert_eq!(answer.header("access-control-allow-headers"), asked, "{path}");
        let stranger = script.clone().with("origin", "https://evil.example");
        let stranger = stranger.get_once(path).await.header("access-control-allow-origin").to_owned();
        assert_eq!(stranger, if origin == "*" { "*" } else { "" }, "{path}");
    }
    // Also what is refused before anything of it is read.
    for (method, path, kind, status) in [
        (Method::POST, "/oauth/token", "application/json", 415),
        (Method::POST, "/oauth/token", "multipart/form-data; boundary=x", 415),
        (Method::POST, "/oauth/revoke", "text/plain", 415),
        (Method::GET, "/oauth/token", "text/plain", 405),
        (Method::PUT, "/oauth/userinfo", "text/plain", 405),
    ] {
        let answer = script.send(method, path, Some((kind, "{}".to_owned()))).await;
        assert_eq!(answer.header("access-control-allow-origin"), "https://notes.example", "{path} {kind}");
        assert_eq!(answer.header("vary"), "origin");
        refused(answer, status, "invalid_request");
    }
}

#[actix_web::test]
async fn an_application_without_a_secret_may_show_an_empty_one() {
    let notes = Notes::of(TestApp::open().await, "native", &[]);
    let program = notes.app.curl().with("authorization", &basic(&notes.client_id, ""));
    let form = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    refused(posts(&program, "/oauth/token", &form).await, 400, "invalid_grant");
    let web = Notes::of(notes.app, "web", &[]);
    let program = web.app.curl().with("authorization", &basic(&web.client_id, ""));
    refused(posts(&program, "/oauth/token", &form).await, 401, "invalid_client");
    // Nothing allowed is no scope (RFC 6749 §3.3).
    let service = Notes::of(web.app, "service", &[]);
    let tokens = service.asks(&[("grant_type", "client_credentials")]).await.is(200).json();
    assert_eq!((&tokens["scope"], &claims(&tokens["access_token"])["scope"]), (&Value::Null, &Value::Null));
    assert_eq!(service.introspects(&tokens["access_token"]).await["active"], true);
}

#[actix_web::test]
async fn a_resource_narrows_what_there_is_or_is_refused() {
    let (api, other) = ("https://api.example.com", "https://other.example.com/v1");
    let audiences = ["--audience", api, "--audience", other];
    let notes = Notes::open(&audiences).await;
    let ada = notes.app.verified(ADA).await;
    let usual = ("scope", "openid");
    for (at_authorize, at_token, aud) in [
        (None, None, Some(api)),
        (None, Some(api), Some(api)),
        (None, Some(other), None),
        (Some(other), None, Some(other)),
        (Some(other), Some(other), Some(other)),
        (Some(other), Some(api), None),
        (Some("https://api.example.com/"), None, Some(api)),
        (Some(api), Some("https://evil.example"), None),
    ] {
        let more: Vec<_> = [usual].into_iter().chain(at_authorize.map(|uri| ("resource", uri))).collect();
        let code = notes.code(&ada, &more).await;
        let narrowed = at_token.map(|uri| ("resource", uri));
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        let answer = notes.asks(&form.into_iter().chain(narrowed).collect::<Vec<_>>()).await;
        let tokens = match aud {
            Some(aud) => {
                let tokens = answer.is(200).json();
                assert_eq!(claims(&tokens["access_token"])["aud"][0], aud, "{at_authorize:?} {at_token:?}");
                tokens
            }
            // And nothing is spent.
            None => {
                refused(answer, 400, "invalid_target");
                notes.asks(&form).await.is(200).json()
            }
        };
        let refresh = text(&tokens["refresh_token"]);
        let form = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
        let elsewhere = if aud == Some(other) { api } else { other };
        let narrowed = ("resource", elsewhere);
        if at_authorize.is_none() || aud.is_some() {
            let answer = notes.asks(&[form[0], form[1], narrowed]).await;
            refused(answer, 400, "invalid_target");
        }
        notes.asks(&form).await.is(200);
    }
    let twice = format!("{}&resource={api}&resource={other}", notes.request(&[usual]));
    let back = ada.get_once(&twice).await.is(303);
    assert_eq!(told(back.location().unwrap(), "error").as_deref(), Some("invalid_target"));

    let service = Notes::of(notes.app, "service", &audiences);
    for (resource, aud) in [(other, Some(other)), (api, Some(api)), ("https://evil.example", None)] {
        let answer = service.asks(&[("grant_type", "client_credentials"), ("resource", resource)]).await;
        match aud {
            Some(aud) => assert_eq!(claims(&answer.is(200).json()["access_token"])["aud"], aud),
            None => refused(answer, 400, "invalid_target"),
        }
    }
}

#[actix_web::test]
async fn what_an_application_s_own_scopes_allow_is_said_in_its_own_words() {
    let options = ["--third-party", "on", "--scope", "notes:read=read your notes", "--scope", "notes:write"];
    let notes = Notes::open(&options).await;
    let ada = notes.app.verified(ADA).await;
    let scope = ("scope", "openid notes:read notes:write");
    let here = ada.clone().with("accept", "text/html").get_once(&notes.request(&[scope])).await.is(303);
    let request = told(here.location().unwrap(), "request").unwrap();
    let page = ada.get_once(&format!("/oauth/consent?request={request}")).await.is(200).json();
    let allows =
        ["your account here, to recognise you again", "its own permission notes:write", "read your notes"];
    assert_eq!(page["allows"], json!(allows));
    let shown = notes.app.command(&["app", "show", &notes.client_id, "--json"]).out;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["scopes"], json!(["notes:read", "notes:write"]));
    assert_eq!(shown["scopeWords"], json!({ "notes:read": "read your notes" }));
}
