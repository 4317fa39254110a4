//! The same requests to us and to the npm package oidc-provider: what an application that comes from there meets here. Where the two
//! differ, docs/edge-cases-provider.md says why.

use actix_web::http::Method;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

use crate::{
    harness::{Answer, TestApp, Visitor, free_port, oidc_provider::OidcProvider},
    oauth::{Notes, REDIRECT_URI, told},
};

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What is asked.
enum Ask {
    /// The authorization endpoint, with these parameters in place of the usual ones; one without a value is left out.
    Authorize(&'static [(&'static str, &'static str)]),
    /// An endpoint for programs: which, who asks, and with what form.
    Post(Endpoint, Who, &'static [(&'static str, &'static str)]),
    /// Userinfo, with this in `Authorization`.
    Userinfo(&'static str),
    /// Another method or type at the token endpoint.
    Token(Method, &'static str),
}

#[derive(Clone, Copy)]
enum Endpoint {
    Token,
    Introspect,
    Revoke,
}

#[derive(Clone, Copy)]
enum Who {
    /// The application, by Basic.
    Right,
    /// The same with another secret.
    Wrong,
    /// Nobody says.
    Nobody,
    /// By Basic, and with a secret in the form.
    Twice,
}

use Ask::{Authorize, Post, Token, Userinfo};
use Endpoint::{Introspect, Revoke};
use Who::{Nobody, Right, Twice, Wrong};

const GRANT: Endpoint = Endpoint::Token;
const BY_CODE: (&str, &str) = ("grant_type", "authorization_code");
const BACK: (&str, &str) = ("redirect_uri", REDIRECT_URI);

/// What is asked, what we answer, and what oidc-provider answers: `told` and the error that comes back to the application; `page`
/// and the status of one that stays; `on` where its person is asked; a status, and the error in JSON.
fn rows() -> Vec<(Ask, &'static str, &'static str)> {
    vec![
        (Authorize(&[]), "on", "on"),
        (Authorize(&[("extra", "x")]), "on", "on"),
        (Authorize(&[("login_hint", "ada@example.com")]), "on", "on"),
        (Authorize(&[("acr_values", "gold 1fa")]), "on", "on"),
        (Authorize(&[("response_mode", "form_post")]), "on", "on"),
        (Authorize(&[("scope", "openid unheard-of")]), "on", "on"),
        (Authorize(&[("nonce", "")]), "on", "on"),
        (Authorize(&[("prompt", "none")]), "told login_required", "told login_required"),
        (Authorize(&[("prompt", "none"), ("response_mode", "form_post")]), "page 200", "page 400"),
        (Authorize(&[("prompt", "none login")]), "told invalid_request", "told invalid_request"),
        (Authorize(&[("prompt", "dance")]), "told invalid_request", "told invalid_request"),
        (Authorize(&[("response_type", "")]), "told invalid_request", "told invalid_request"),
        (
            Authorize(&[("response_type", "token")]),
            "told unsupported_response_type",
            "told unsupported_response_type",
        ),
        (
            Authorize(&[("response_type", "code id_token")]),
            "told unsupported_response_type",
            "told invalid_request",
        ),
        (
            Authorize(&[("response_mode", "unheard-of")]),
            "told invalid_request",
            "told unsupported_response_mode",
        ),
        (Authorize(&[("client_id", "")]), "page 400", "page 400"),
        (Authorize(&[("client_id", "nobody")]), "page 400", "page 400"),
        (Authorize(&[("redirect_uri", "")]), "page 400", "on"),
        (Authorize(&[("redirect_uri", "https://evil.example/")]), "page 400", "page 400"),
        (Authorize(&[("redirect_uri", "http://localhost:9/callback?x=1")]), "page 400", "page 400"),
        (Authorize(&[("code_challenge", "")]), "told invalid_request", "told invalid_request"),
        (Authorize(&[("code_challenge", "short")]), "told invalid_request", "told invalid_request"),
        (Authorize(&[("code_challenge_method", "plain")]), "told invalid_request", "told invalid_request"),
        (Authorize(&[("code_challenge_method", "")]), "told invalid_request", "told invalid_request"),
        (Authorize(&[("scope", "")]), "told invalid_scope", "told invalid_request"),
        (Authorize(&[("scope", "unheard-of")]), "told invalid_scope", "told invalid_request"),
        (Authorize(&[("max_age", "-1")]), "told invalid_request", "told invalid_request"),
        (Authorize(&[("max_age", "soon")]), "told invalid_request", "told invalid_request"),
        (Authorize(&[("request", "eyJ")]), "told request_not_supported", "told request_not_supported"),
        (
            Authorize(&[("request_uri", "https://a.example/")]),
            "told request_uri_not_supported",
            "told request_uri_not_supported",
        ),
        (Authorize(&[("registration", "{}")]), "on", "told registration_not_supported"),
        (Authorize(&[("id_token_hint", "eyJ")]), "told invalid_request", "told invalid_request"),
        (Post(GRANT, Nobody, &[]), "401 invalid_client", "400 invalid_request"),
        (
            Post(GRANT, Nobody, &[("client_id", "nobody"), BY_CODE]),
            "401 invalid_client",
            "401 invalid_client",
        ),
        (Post(GRANT, Wrong, &[BY_CODE]), "401 invalid_client", "401 invalid_client"),
        (Post(GRANT, Twice, &[BY_CODE]), "400 invalid_request", "400 invalid_request"),
        (
            Post(GRANT, Right, &[("client_id", "nobody"), BY_CODE]),
            "400 invalid_request",
            "400 invalid_request",
        ),
        (Post(GRANT, Right, &[]), "400 invalid_request", "400 invalid_request"),
        (Post(GRANT, Right, &[BY_CODE, BY_CODE]), "400 invalid_request", "400 invalid_request"),
        (
            Post(GRANT, Right, &[("grant_type", "password")]),
            "400 unsupported_grant_type",
            "400 unsupported_grant_type",
        ),
        (
            Post(GRANT, Right, &[("grant_type", "client_credentials")]),
            "400 unauthorized_client",
            "400 unsupported_grant_type",
        ),
        (Post(GRANT, Right, &[BY_CODE]), "400 invalid_request", "400 invalid_request"),
        (Post(GRANT, Right, &[BY_CODE, BACK, ("code", "x")]), "400 invalid_grant", "400 invalid_grant"),
        (
            Post(GRANT, Right, &[("grant_type", "refresh_token"), ("refresh_token", "x")]),
            "400 invalid_grant",
            "400 invalid_grant",
        ),
        (Token(Method::GET, "text/plain"), "405 invalid_request", "404"),
        (Token(Method::POST, "application/json"), "415 invalid_request", "400 invalid_request"),
        (Userinfo(""), "401 invalid_token", "401 invalid_token"),
        (Userinfo("Bearer x"), "401 invalid_token", "401 invalid_token"),
        (Userinfo("Basic x"), "401 invalid_token", "400 invalid_request"),
        (Post(Introspect, Nobody, &[("token", "x")]), "401 invalid_client", "400 invalid_request"),
        (Post(Introspect, Right, &[("token", "x")]), "200", "200"),
        (Post(Introspect, Right, &[]), "400 invalid_request", "400 invalid_request"),
        (Post(Revoke, Right, &[("token", "x")]), "200", "200"),
        (Post(Revoke, Right, &[]), "400 invalid_request", "400 invalid_request"),
    ]
}

/// Somebody to ask: where, and at which paths.
struct Site<'a> {
    port: u16,
    paths: [&'static str; 5],
    notes: &'a Notes,
}

impl Site<'_> {
    fn visitor(&self, accept: &str) -> Visitor {
        Visitor::browser(self.port).with("host", &format!("localhost:{}", self.port)).with("accept", accept)
    }

    async fn answers(&self, ask: &Ask) -> String {
        let [authorize, token, userinfo, introspect, revoke] = self.paths;
        let program = self.visitor("application/json");
        match ask {
            Authorize(more) => {
                let usual = [
                    ("client_id", &*self.notes.client_id),
                    ("redirect_uri", REDIRECT_URI),
                    ("response_type", "code"),
                    ("scope", "openid"),
                    ("state", "s"),
                    ("nonce", "n"),
                    ("code_challenge", CHALLENGE),
                    ("code_challenge_method", "S256"),
                ];
                let is_given = |name: &str| more.iter().any(|(one, _)| *one == name);
                let pairs = usual.iter().filter(|(name, _)| !is_given(name)).chain(more.iter());
                let pairs: Vec<_> = pairs.filter(|(_, value)| !value.is_empty()).collect();
                let path = format!("{authorize}?{}", serde_urlencoded::to_string(pairs).unwrap());
                let answer =
                    self.visitor("text/html").with("sec-fetch-site", "cross-site").get_once(&path).await;
                let status = answer.status.as_u16();
                // Of a response type with tokens the other answers in the fragment.
                match answer.location().map(|to| to.replacen('#', "?", 1)).as_deref() {
                    Some(to) if to.starts_with(REDIRECT_URI) => {
                        assert_eq!(told(to, "state").as_deref(), Some("s"), "{to}");
                        assert!(told(to, "iss").is_some(), "{to}");
                        format!("told {}", told(to, "error").unwrap())
                    }
                    Some(_) => "on".to_owned(),
                    None => format!("page {status}"),
                }
            }
            Post(endpoint, who, form) => {
                let path = match endpoint {
                    Endpoint::Token => token,
                    Introspect => introspect,
                    Revoke => revoke,
                };
                let secret = self.notes.secret.as_deref().unwrap();
                let basic = |secret: &str| {
                    let pair = format!("{}:{secret}", self.notes.client_id);
                    format!("Basic {}", BASE64_STANDARD.encode(pair))
                };
                let program = match who {
                    Nobody => program,
                    Wrong => program.with("authorization", &basic("wrong")),
                    Right | Twice => program.with("authorization", &basic(secret)),
                };
                let own = matches!(who, Twice).then_some(("client_secret", secret));
                let form: Vec<_> = form.iter().copied().chain(own).collect();
                in_json(program.post(path, &form).await)
            }
            Userinfo("") => in_json(program.get_once(userinfo).await),
            Userinfo(value) => in_json(program.with("authorization", value).get_once(userinfo).await),
            Token(method, kind) => {
                in_json(program.send(method.clone(), token, Some((kind, "{}".to_owned()))).await)
            }
        }
    }
}

fn in_json(answer: Answer) -> String {
    let status = answer.status.as_u16();
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    match body["error"].as_str() {
        Some(error) => format!("{status} {error}"),
        None => status.to_string(),
    }
}

#[actix_web::test]
async fn the_same_requests_are_answered_here_and_by_oidc_provider() {
    let Some(modules) = OidcProvider::modules() else { return };
    let notes = Notes::of(TestApp::today().await, "web", &[]);
    let port = free_port();
    let client = json!({
        "client_id": notes.client_id, "client_secret": notes.secret, "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
    });
    let _provider = OidcProvider::start(&modules, port, &client);
    let own = ["/oauth/authorize", "/oauth/token", "/oauth/userinfo", "/oauth/introspect", "/oauth/revoke"];
    let theirs = ["/auth", "/token", "/me", "/token/introspection", "/token/revocation"];
    let here = Site { port: notes.app.port, paths: own, notes: &notes };
    let there = Site { port, paths: theirs, notes: &notes };
    let mut wrong = Vec::new();
    for (number, (ask, ours, their)) in rows().iter().enumerate() {
        let answers = (here.answers(ask).await, there.answers(ask).await);
        if (answers.0.as_str(), answers.1.as_str()) != (*ours, *their) {
            wrong.push(format!("{}: {answers:?} and not {:?}", number + 1, (ours, their)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
