//! The modules of the OpenID Foundation's conformance suite by their names: the plans Basic, Form Post, Config, RP-Initiated Logout
//! and Back-Channel Logout of an OpenID provider. Each does what its module does, over HTTP. The suite itself needs a public address.

use std::{collections::BTreeMap, panic::AssertUnwindSafe};

use actix_web::http::Method;
use futures_util::FutureExt;
use serde_json::{Value, json};
use vestibule::jobs::{self, Job};

use super::{
    ADA, Notes, REDIRECT_URI, back_channel::Listener, claims, leads_on, part, posts, refused, text, told,
};
use crate::harness::{Answer, PASSWORD, Visitor};

const GONE: &str = "http://localhost:9/gone";

type Answered = BTreeMap<String, String>;

/// A plan that runs against one site, with somebody signed in.
struct Plan {
    notes: Notes,
    ada: Visitor,
    /// How answers come back, where that is asked for.
    mode: Option<&'static str>,
}

/// Runs every module of a plan, whatever became of those before, and says which fail.
macro_rules! modules {
    ($plan:ident: $($name:literal $module:ident;)+) => {
        impl Plan {
            async fn $plan(&self) {
                let mut failed = Vec::new();
                $(
                    if AssertUnwindSafe(self.$module()).catch_unwind().await.is_err() {
                        failed.push($name);
                    }
                )+
                assert!(failed.is_empty(), "{:?}: {failed:#?}", self.mode);
            }
        }
    };
}

modules! { basic_plan:
    "oidcc-server" server;
    "oidcc-response-type-missing" response_type_missing;
    "oidcc-userinfo-get" userinfo_get;
    "oidcc-userinfo-post-header" userinfo_post_header;
    "oidcc-userinfo-post-body" userinfo_post_body;
    "oidcc-ensure-request-without-nonce-succeeds-for-code-flow" without_nonce;
    "oidcc-scope-profile" scope_profile;
    "oidcc-scope-email" scope_email;
    "oidcc-scope-address" scopes_that_are_not_held;
    "oidcc-scope-phone" scopes_that_are_not_held;
    "oidcc-scope-all" scope_all;
    "oidcc-ensure-other-scope-order-succeeds" other_scope_order;
    "oidcc-display-page" what_is_ignored;
    "oidcc-display-popup" what_is_ignored;
    "oidcc-prompt-login" prompt_login;
    "oidcc-prompt-none-not-logged-in" prompt_none_not_logged_in;
    "oidcc-prompt-none-logged-in" prompt_none_logged_in;
    "oidcc-max-age-1" max_age_1;
    "oidcc-max-age-10000" max_age_10000;
    "oidcc-ensure-request-with-unknown-parameter-succeeds" what_is_ignored;
    "oidcc-id-token-hint" id_token_hint;
    "oidcc-login-hint" login_hint;
    "oidcc-ui-locales" what_is_ignored;
    "oidcc-claims-locales" what_is_ignored;
    "oidcc-ensure-request-with-acr-values-succeeds" acr_values;
    "oidcc-codereuse" codereuse;
    "oidcc-codereuse-30seconds" codereuse_30seconds;
    "oidcc-ensure-registered-redirect-uri" ensure_registered_redirect_uri;
    "oidcc-ensure-post-request-succeeds" ensure_post_request_succeeds;
    "oidcc-server-client-secret-post" client_secret_post;
    "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported" request_object;
    "oidcc-claims-essential" what_is_ignored;
    "oidcc-ensure-request-object-with-redirect-uri" request_object;
    "oidcc-refresh-token" refresh_token;
    "oidcc-ensure-request-with-valid-pkce-succeeds" server;
    "oidcc-redirect-uri-query-OK" redirect_uri_query_ok;
    "oidcc-redirect-uri-query-mismatch" redirect_uri_query_mismatch;
    "oidcc-redirect-uri-query-added" redirect_uri_query_added;
}

modules! { config_plan:
    "oidcc-discovery-endpoint-verification" discovery;
    "oidcc-server-rotate-keys" rotate_keys;
}

modules! { logout_plan:
    "oidcc-rp-initiated-logout-discovery-endpoint-verification" logout_discovery;
    "oidcc-rp-initiated-logout" rp_initiated_logout;
    "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri" bad_post_logout_redirect_uri;
    "oidcc-rp-initiated-logout-modified-id-token-hint" modified_id_token_hint;
    "oidcc-rp-initiated-logout-bad-id-token-hint" bad_id_token_hint;
    "oidcc-rp-initiated-logout-no-id-token-hint" no_id_token_hint;
    "oidcc-rp-initiated-logout-no-params" no_params;
    "oidcc-rp-initiated-logout-no-post-logout-redirect-uri" no_post_logout_redirect_uri;
    "oidcc-rp-initiated-logout-no-state" no_state;
    "oidcc-rp-initiated-logout-only-state" only_state;
    "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri" query_added_to_logout_uri;
}

async fn plan(mode: Option<&'static str>, options: &[&str]) -> Plan {
    let with_query = format!("{REDIRECT_URI}?foo=bar");
    let options =
        [&["--redirect", REDIRECT_URI, "--redirect", &with_query, "--logout", GONE], options].concat();
    let notes = Notes::of(crate::harness::TestApp::open().await, "web", &options);
    let ada = notes.app.verified(ADA).await.with("accept", "text/html").with("sec-fetch-site", "same-origin");
    Plan { notes, ada, mode }
}

#[actix_web::test]
async fn basic_certification() {
    plan(None, &[]).await.basic_plan().await;
}

#[actix_web::test]
async fn form_post_certification() {
    plan(Some("form_post"), &[]).await.basic_plan().await;
}

#[actix_web::test]
async fn config_certification() {
    plan(None, &[]).await.config_plan().await;
}

#[actix_web::test]
async fn rp_initiated_logout_certification() {
    plan(None, &[]).await.logout_plan().await;
}

#[actix_web::test]
async fn back_channel_logout_certification() {
    let listener = Listener::start();
    let plan = plan(None, &["--backchannel", &listener.address]).await;
    // oidcc-backchannel-logout-discovery-endpoint-verification
    let document = plan.notes.app.curl().get("/.well-known/openid-configuration").await.is(200).json();
    for name in ["backchannel_logout_supported", "backchannel_logout_session_supported"] {
        assert_eq!(document[name], true, "{name}");
    }
    // oidcc-backchannel-rp-initiated-logout
    let (browser, tokens) = plan.signed_in().await;
    let id_token = claims(&tokens["id_token"]);
    plan.signs_out(&browser, &[("id_token_hint", &text(&tokens["id_token"]))]).await.is(303);
    jobs::run_once(&plan.notes.app.inner, Job::Deliveries, true).await.unwrap();
    let heard = listener.heard();
    assert_eq!(heard.len(), 1);
    let token = json!(heard[0]);
    let logout = claims(&token);
    assert_eq!(part(&token, 0)["alg"], "RS256");
    for name in ["iss", "sub", "aud", "sid"] {
        assert_eq!(logout[name], id_token[name], "{name}");
    }
    assert!(logout["events"]["http://schemas.openid.net/event/backchannel-logout"].is_object());
    assert!(logout["jti"].is_string() && logout["iat"].is_i64() && logout["nonce"].is_null(), "{logout}");
}

impl Plan {
    fn request(&self, more: &[(&str, &str)]) -> String {
        let mode = self.mode.map(|mode| ("response_mode", mode));
        self.notes.request(&more.iter().copied().chain(mode).collect::<Vec<_>>())
    }

    /// What the application is told, however that comes.
    fn answered(&self, answer: &Answer) -> Answered {
        let answered: Answered = match self.mode {
            None => {
                let to = match answer.location() {
                    Some(to) => to.to_owned(),
                    None => leads_on(answer),
                };
                assert!(to.starts_with(REDIRECT_URI), "{to}");
                serde_urlencoded::from_str(to.split_once('?').unwrap().1).unwrap()
            }
            Some(_) => {
                let form = answer.body.split(&format!("action=\"{REDIRECT_URI}")).nth(1).unwrap();
                let fields = form.split("<input type=\"hidden\" name=\"").skip(1);
                fields
                    .map(|field| {
                        let (name, rest) = field.split_once("\" value=\"").unwrap();
                        let value = rest.split('"').next().unwrap();
                        (name.to_owned(), value.replace("&#38;", "&").replace("&#61;", "="))
                    })
                    .collect()
            }
        };
        assert_eq!(answered["iss"], self.notes.app.base_url);
        assert_eq!(answered["state"], "s t&t=é");
        answered
    }

    async fn asks(&self, visitor: &Visitor, more: &[(&str, &str)]) -> Answered {
        self.answered(&visitor.get_once(&self.request(more)).await)
    }

    async fn code(&self, more: &[(&str, &str)]) -> String {
        self.asks(&self.ada, more).await["code"].clone()
    }

    async fn tokens(&self, more: &[(&str, &str)]) -> Value {
        let code = self.code(more).await;
        self.notes.exchanges(&code).await.is(200).json()
    }

    /// What somebody meets who has to do something: the page, and where it goes on.
    async fn stops(&self, visitor: &Visitor, more: &[(&str, &str)]) -> (String, String) {
        let here = visitor.get_once(&self.request(more)).await.is(303).location().unwrap().to_owned();
        let page = visitor.get_once(&here).await.is(303).location().unwrap().to_owned();
        (page, here)
    }

    /// Confirms in the same session that it is them: the tokens before and after.
    async fn reauthenticates(&self, more: &[(&str, &str)]) {
        let before = claims(&self.tokens(&[]).await["id_token"]);
        self.notes.app.wait(chrono::TimeDelta::seconds(2));
        let (page, here) = self.stops(&self.ada, more).await;
        assert!(page.starts_with("/auth/confirm?next="), "{page}");
        self.ada.post("/auth/confirm", &[("password", PASSWORD), ("next", &here)]).await.goes_to(&here);
        let answered = self.answered(&self.ada.get_once(&here).await.is(200));
        let tokens = self.notes.exchanges(&answered["code"]).await.is(200).json();
        let after = claims(&tokens["id_token"]);
        assert_eq!(after["sub"], before["sub"]);
        assert!(after["auth_time"].as_i64() > before["auth_time"].as_i64(), "{before} {after}");
    }

    async fn server(&self) {
        let tokens = self.tokens(&[]).await;
        assert_eq!((&tokens["token_type"], tokens["expires_in"].is_i64()), (&json!("Bearer"), true));
        let token = claims(&tokens["id_token"]);
        for (name, is_right) in [
            ("iss", token["iss"] == json!(self.notes.app.base_url)),
            ("aud", token["aud"] == json!(self.notes.client_id)),
            ("nonce", token["nonce"] == "n-1"),
            ("sub", token["sub"].as_str().is_some_and(|sub| sub.len() <= 255)),
            ("exp", token["exp"].as_i64() > token["iat"].as_i64()),
        ] {
            assert!(is_right, "{name}: {token}");
        }
        assert_eq!(part(&tokens["id_token"], 0)["alg"], "RS256");
    }

    async fn response_type_missing(&self) {
        let answered = self.asks(&self.ada, &[("response_type", "")]).await;
        assert_eq!(answered["error"], "invalid_request");
    }

    async fn userinfo_get(&self) {
        let tokens = self.tokens(&[]).await;
        let told = self.notes.userinfo(&tokens).await.is(200).json();
        assert_eq!(told["sub"], claims(&tokens["id_token"])["sub"]);
    }

    async fn userinfo_post_header(&self) {
        let token = text(&self.tokens(&[]).await["access_token"]);
        let program = self.notes.app.curl().with("authorization", &format!("Bearer {token}"));
        program.send(Method::POST, "/oauth/userinfo", None).await.is(200);
    }

    async fn userinfo_post_body(&self) {
        let token = text(&self.tokens(&[]).await["access_token"]);
        posts(&self.notes.app.curl(), "/oauth/userinfo", &[("access_token", &token)]).await.is(200);
    }

    async fn without_nonce(&self) {
        let tokens = self.tokens(&[("nonce", "")]).await;
        assert_eq!(claims(&tokens["id_token"])["nonce"], Value::Null);
    }

    /// The names of what userinfo tells for a scope.
    async fn names(&self, scope: &str) -> Vec<String> {
        let tokens = self.tokens(&[("scope", scope)]).await;
        let told = self.notes.userinfo(&tokens).await.is(200).json();
        told.as_object().unwrap().keys().cloned().collect()
    }

    async fn scope_profile(&self) {
        assert_eq!(self.names("openid profile").await, ["name", "sub"]);
    }

    async fn scope_email(&self) {
        assert_eq!(self.names("openid email").await, ["email", "email_verified", "sub"]);
    }

    /// Neither addresses nor telephone numbers are held here: the suite warns, and goes on.
    async fn scopes_that_are_not_held(&self) {
        assert_eq!(self.names("openid address phone").await, ["sub"]);
    }

    async fn scope_all(&self) {
        let names = self.names("openid profile email address phone").await;
        assert_eq!(names, ["email", "email_verified", "name", "sub"]);
    }

    async fn other_scope_order(&self) {
        assert_eq!(self.names("email openid").await, ["email", "email_verified", "sub"]);
    }

    async fn what_is_ignored(&self) {
        let claims = r#"{"userinfo":{"name":{"essential":true}}}"#;
        for more in [
            ("display", "page"),
            ("display", "popup"),
            ("extra", "foobar"),
            ("ui_locales", "se"),
            ("claims_locales", "se"),
            ("claims", claims),
        ] {
            self.tokens(&[more]).await;
        }
    }

    async fn prompt_login(&self) {
        self.reauthenticates(&[("prompt", "login")]).await;
    }

    async fn prompt_none_not_logged_in(&self) {
        let answered = self.asks(&self.notes.app.browser(), &[("prompt", "none")]).await;
        assert_eq!((answered["error"].as_str(), answered.get("code")), ("login_required", None));
    }

    async fn prompt_none_logged_in(&self) {
        let before = claims(&self.tokens(&[]).await["id_token"]);
        let after = claims(&self.tokens(&[("prompt", "none")]).await["id_token"]);
        assert_eq!((&before["sub"], &before["auth_time"]), (&after["sub"], &after["auth_time"]));
    }

    async fn max_age_1(&self) {
        self.reauthenticates(&[("max_age", "1")]).await;
    }

    async fn max_age_10000(&self) {
        let before = claims(&self.tokens(&[]).await["id_token"]);
        let after = claims(&self.tokens(&[("max_age", "10000")]).await["id_token"]);
        assert_eq!(before["auth_time"], after["auth_time"]);
    }

    async fn id_token_hint(&self) {
        let hint = text(&self.tokens(&[]).await["id_token"]);
        let after = self.tokens(&[("prompt", "none"), ("id_token_hint", &hint)]).await;
        assert_eq!(claims(&after["id_token"])["sub"], claims(&json!(hint))["sub"]);
    }

    async fn login_hint(&self) {
        let (page, _) = self.stops(&self.notes.app.browser(), &[("login_hint", "someone@example.com")]).await;
        assert_eq!(told(&page, "email").as_deref(), Some("someone@example.com"), "{page}");
    }

    async fn acr_values(&self) {
        let tokens = self.tokens(&[("acr_values", "1 2")]).await;
        assert!(claims(&tokens["id_token"])["acr"].is_string());
    }

    async fn codereuse(&self) {
        let code = self.code(&[]).await;
        let tokens = self.notes.exchanges(&code).await.is(200).json();
        refused(self.notes.exchanges(&code).await, 400, "invalid_grant");
        // Only a warning of the suite.
        refused(self.notes.userinfo(&tokens).await, 401, "invalid_token");
    }

    async fn codereuse_30seconds(&self) {
        let code = self.code(&[]).await;
        let tokens = self.notes.exchanges(&code).await.is(200).json();
        self.notes.app.wait(chrono::TimeDelta::seconds(30));
        refused(self.notes.exchanges(&code).await, 400, "invalid_grant");
        refused(self.notes.userinfo(&tokens).await, 401, "invalid_token");
    }

    async fn stays_here(&self, redirect_uri: &str) {
        let answer = self.ada.get_once(&self.request(&[("redirect_uri", redirect_uri)])).await.is(400);
        assert_eq!(answer.location(), None);
        assert!(!answer.body.contains("name=\"error\""), "{}", answer.body);
    }

    async fn ensure_registered_redirect_uri(&self) {
        self.stays_here("http://localhost:9/another").await;
    }

    async fn ensure_post_request_succeeds(&self) {
        let asked = self.request(&[]);
        let (path, query) = asked.split_once('?').unwrap();
        let form = ("application/x-www-form-urlencoded", query.to_owned());
        let stranger = self.notes.app.browser().with("sec-fetch-site", "cross-site");
        let here = stranger.send(Method::POST, path, Some(form)).await.is(303);
        let answered = self.answered(&self.ada.get_once(here.location().unwrap()).await.is(200));
        self.notes.exchanges(&answered["code"]).await.is(200);
    }

    async fn client_secret_post(&self) {
        let code = self.code(&[]).await;
        let secret = self.notes.secret.clone().unwrap();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", super::VERIFIER),
            ("client_id", &*self.notes.client_id),
            ("client_secret", &*secret),
        ];
        posts(&self.notes.app.curl(), "/oauth/token", &form).await.is(200);
    }

    async fn request_object(&self) {
        let answered = self.asks(&self.ada, &[("request", "eyJhbGciOiJub25lIn0.e30.")]).await;
        assert_eq!(answered["error"], "request_not_supported");
    }

    async fn refresh_token(&self) {
        let first = self.tokens(&[("scope", "openid offline_access")]).await;
        let next = self.notes.refreshes(&first["refresh_token"]).await.is(200).json();
        assert_ne!(next["access_token"], first["access_token"]);
        let (before, after) = (claims(&first["id_token"]), claims(&next["id_token"]));
        for name in ["iss", "sub", "aud", "auth_time"] {
            assert_eq!(before[name], after[name], "{name}");
        }
        // Another application gets nothing for it.
        let other = Notes::of(self.notes.app.second_node().await, "web", &[]);
        refused(other.refreshes(&next["refresh_token"]).await, 400, "invalid_grant");
        self.notes.userinfo(&next).await.is(200);
    }

    async fn redirect_uri_query_ok(&self) {
        let with_query = format!("{REDIRECT_URI}?foo=bar");
        let answer = self.ada.get_once(&self.request(&[("redirect_uri", &with_query)])).await;
        match self.mode {
            None => assert_eq!(self.answered(&answer)["foo"], "bar"),
            Some(_) => drop(answer.says(&format!("action=\"{with_query}\""))),
        }
    }

    async fn redirect_uri_query_mismatch(&self) {
        self.stays_here(&format!("{REDIRECT_URI}?foo=baz")).await;
    }

    async fn redirect_uri_query_added(&self) {
        self.stays_here(&format!("{REDIRECT_URI}?foo=bar&bar=foo")).await;
    }

    async fn discovery(&self) {
        let document = self.notes.app.curl().get("/.well-known/openid-configuration").await.is(200).json();
        let is_list = |name: &str, one: &str| document[name].as_array().unwrap().contains(&json!(one));
        assert_eq!(document["issuer"], json!(self.notes.app.base_url));
        for (name, one) in [
            ("response_types_supported", "code"),
            ("subject_types_supported", "public"),
            ("id_token_signing_alg_values_supported", "RS256"),
            ("scopes_supported", "openid"),
            ("claims_supported", "sub"),
            ("grant_types_supported", "authorization_code"),
            ("response_modes_supported", "form_post"),
            ("token_endpoint_auth_methods_supported", "client_secret_basic"),
        ] {
            assert!(is_list(name, one), "{name}");
        }
        for name in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"] {
            assert!(text(&document[name]).starts_with(&self.notes.app.base_url), "{name}");
        }
        for name in
            ["claims_parameter_supported", "request_parameter_supported", "request_uri_parameter_supported"]
        {
            assert_eq!(document[name], false, "{name}");
        }
    }

    async fn rotate_keys(&self) {
        let app = &self.notes.app;
        let kids = async || -> Vec<String> {
            let keys = app.curl().get("/oauth/jwks").await.is(200).json()["keys"].clone();
            keys.as_array().unwrap().iter().map(|key| text(&key["kid"])).collect()
        };
        let before = kids().await;
        let old = text(&part(&self.tokens(&[]).await["id_token"], 0)["kid"]);
        assert_eq!(app.command(&["keys", "rotate", "--now"]).code, Some(0));
        app.wait(chrono::TimeDelta::seconds(61));
        let after = kids().await;
        let new = text(&part(&self.tokens(&[]).await["id_token"], 0)["kid"]);
        assert!(
            !before.contains(&new) && after.contains(&new) && after.contains(&old),
            "{before:?} {after:?}"
        );
    }

    /// A browser of its own, and its tokens.
    async fn signed_in(&self) -> (Visitor, Value) {
        let browser = self.notes.app.browser();
        browser.post("/login", &[("email", ADA), ("password", PASSWORD)]).await.is(303);
        let code = self.asks(&browser, &[]).await["code"].clone();
        (browser, self.notes.exchanges(&code).await.is(200).json())
    }

    async fn signs_out(&self, browser: &Visitor, asked: &[(&str, &str)]) -> Answer {
        browser.get_once(&format!("/oauth/logout?{}", serde_urlencoded::to_string(asked).unwrap())).await
    }

    /// It stays here, with the question or a page, and the application is told nothing.
    async fn is_asked(&self, asked: impl Fn(&str) -> Vec<(&'static str, String)>) {
        let (browser, tokens) = self.signed_in().await;
        let asked = asked(&text(&tokens["id_token"]));
        let asked: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = self.signs_out(&browser, &asked).await.is(200).says("Sign out?");
        assert_eq!(page.location(), None);
        browser.get_once("/me").await.is(200);
    }

    async fn logout_discovery(&self) {
        let document = self.notes.app.curl().get("/.well-known/openid-configuration").await.is(200).json();
        assert_eq!(
            document["end_session_endpoint"],
            json!(format!("{}/oauth/logout", self.notes.app.base_url))
        );
    }

    async fn rp_initiated_logout(&self) {
        let (browser, tokens) = self.signed_in().await;
        let hint = text(&tokens["id_token"]);
        let asked = [("id_token_hint", &*hint), ("post_logout_redirect_uri", GONE), ("state", "x")];
        let back = self.signs_out(&browser, &asked).await.is(303);
        assert_eq!(back.location(), Some(&*format!("{GONE}?state=x")));
        assert_eq!(self.asks(&browser, &[("prompt", "none")]).await["error"], "login_required");
    }

    async fn bad_post_logout_redirect_uri(&self) {
        let (browser, tokens) = self.signed_in().await;
        let hint = text(&tokens["id_token"]);
        let asked =
            [("id_token_hint", &*hint), ("post_logout_redirect_uri", "https://example.com/"), ("state", "x")];
        self.signs_out(&browser, &asked).await.goes_to("/login");
    }

    async fn query_added_to_logout_uri(&self) {
        let (browser, tokens) = self.signed_in().await;
        let hint = text(&tokens["id_token"]);
        let added = format!("{GONE}?foo=bar");
        let asked = [("id_token_hint", &*hint), ("post_logout_redirect_uri", &*added), ("state", "x")];
        self.signs_out(&browser, &asked).await.goes_to("/login");
    }

    async fn modified_id_token_hint(&self) {
        self.is_asked(|hint| {
            let (front, signature) = hint.rsplit_once('.').unwrap();
            let forged = format!("{front}.{}", signature.chars().rev().collect::<String>());
            vec![("id_token_hint", forged), ("post_logout_redirect_uri", GONE.to_owned())]
        })
        .await;
    }

    async fn bad_id_token_hint(&self) {
        self.is_asked(|_| {
            vec![("id_token_hint", "bad".to_owned()), ("post_logout_redirect_uri", GONE.to_owned())]
        })
        .await;
    }

    async fn no_id_token_hint(&self) {
        self.is_asked(|_| vec![("post_logout_redirect_uri", GONE.to_owned()), ("state", "x".to_owned())])
            .await;
    }

    async fn no_params(&self) {
        self.is_asked(|_| Vec::new()).await;
    }

    async fn only_state(&self) {
        self.is_asked(|_| vec![("state", "x".to_owned())]).await;
    }

    async fn no_post_logout_redirect_uri(&self) {
        let (browser, tokens) = self.signed_in().await;
        self.signs_out(&browser, &[("id_token_hint", &text(&tokens["id_token"]))]).await.goes_to("/login");
    }

    async fn no_state(&self) {
        let (browser, tokens) = self.signed_in().await;
        let hint = text(&tokens["id_token"]);
        let asked = [("id_token_hint", &*hint), ("post_logout_redirect_uri", GONE)];
        assert_eq!(self.signs_out(&browser, &asked).await.is(303).location(), Some(GONE));
    }
}
