//! This site as an OpenID provider, as an application and its person's browser meet it.

mod authorize;
mod back_channel;
mod commands;
mod conformance;
mod endings;
mod keys;
mod logout;
mod on_the_way;
mod refresh;
mod still_allowed;
mod tokens;
mod wire;

use actix_web::http::Method;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::harness::{Answer, TestApp, Visitor};

pub const ADA: &str = "ada@example.com";
pub const REDIRECT_URI: &str = "http://localhost:9/callback";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";

/// A site with an application that signs people in.
pub struct Notes {
    pub app: TestApp,
    pub client_id: String,
    pub secret: Option<String>,
}

impl Notes {
    /// Of kind web, with these options of `vestibule app add`.
    pub async fn open(options: &[&str]) -> Self {
        Self::of(TestApp::open().await, "web", options)
    }

    pub fn of(app: TestApp, kind: &str, options: &[&str]) -> Self {
        let usual: &[&str] = if kind == "service" { &[] } else { &["--redirect", REDIRECT_URI] };
        let arguments = [&["app", "add", "Notes", "--kind", kind, "--json"], usual, options].concat();
        let added = app.command(&arguments);
        assert_eq!(added.code, Some(0), "{}", added.err);
        let added: Value = serde_json::from_str(&added.out).unwrap();
        let secret = added["clientSecret"].as_str().map(str::to_owned);
        Self { app, client_id: text(&added["clientId"]), secret }
    }

    /// The path that the application sends a browser to.
    pub fn request(&self, more: &[(&str, &str)]) -> String {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let usual = [
            ("client_id", self.client_id.as_str()),
            ("redirect_uri", REDIRECT_URI),
            ("response_type", "code"),
            ("scope", "openid email profile"),
            ("state", "s t&t=é"),
            ("nonce", "n-1"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let is_given = |name: &str| more.iter().any(|(one, _)| *one == name);
        let pairs = usual.iter().filter(|(name, _)| !is_given(name)).chain(more);
        let pairs: Vec<_> = pairs.filter(|(_, value)| !value.is_empty()).collect();
        format!("/oauth/authorize?{}", serde_urlencoded::to_string(pairs).unwrap())
    }

    /// Sends somebody signed in there and back: the code.
    pub async fn code(&self, me: &Visitor, more: &[(&str, &str)]) -> String {
        let back = me.get_once(&self.request(more)).await.is(303);
        told(back.location().unwrap(), "code").unwrap_or_else(|| panic!("{:?}", back.location()))
    }

    /// Asks the token endpoint with the application's secret.
    pub async fn asks(&self, form: &[(&str, &str)]) -> Answer {
        self.asks_at("/oauth/token", form).await
    }

    pub async fn asks_at(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut form = form.to_vec();
        let mut program = self.app.curl();
        match &self.secret {
            Some(secret) => program = program.with("authorization", &basic(&self.client_id, secret)),
            None => form.push(("client_id", &self.client_id)),
        }
        posts(&program, path, &form).await
    }

    pub async fn exchanges(&self, code: &str) -> Answer {
        self.asks(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ])
        .await
    }

    /// Tokens of somebody signed in.
    pub async fn tokens(&self, me: &Visitor, more: &[(&str, &str)]) -> Value {
        let code = self.code(me, more).await;
        self.exchanges(&code).await.is(200).json()
    }

    pub async fn refreshes(&self, token: &Value) -> Answer {
        self.asks(&[("grant_type", "refresh_token"), ("refresh_token", token.as_str().unwrap())]).await
    }

    /// What the access token tells of its person.
    pub async fn userinfo(&self, tokens: &Value) -> Answer {
        let token = text(&tokens["access_token"]);
        self.app.curl().with("authorization", &format!("Bearer {token}")).get("/oauth/userinfo").await
    }

    pub async fn introspects(&self, token: &Value) -> Value {
        self.asks_at("/oauth/introspect", &[("token", token.as_str().unwrap())]).await.is(200).json()
    }
}

pub async fn posts(program: &Visitor, path: &str, form: &[(&str, &str)]) -> Answer {
    let body = serde_urlencoded::to_string(form).unwrap();
    program.send(Method::POST, path, Some(("application/x-www-form-urlencoded", body))).await
}

pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

/// Where a page leads on to by itself.
pub fn leads_on(page: &Answer) -> String {
    let (_, rest) = page
        .body
        .split_once("http-equiv=\"refresh\" content=\"0;url=")
        .unwrap_or_else(|| panic!("{}", page.body));
    let address = rest.split('"').next().unwrap();
    address.replace("&#38;", "&").replace("&amp;", "&").replace("&#61;", "=")
}

/// A parameter of an address.
pub fn told(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
    pairs.into_iter().find(|(one, _)| one == name).map(|(_, value)| value)
}

/// What a token says, unchecked.
pub fn claims(token: &Value) -> Value {
    part(token, 1)
}

pub fn part(token: &Value, number: usize) -> Value {
    let part = token.as_str().unwrap().split('.').nth(number).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// That an application was refused so, as RFC 6749 §5.2 has it.
#[track_caller]
pub fn refused(answer: Answer, status: u16, error: &str) {
    let answer = answer.is(status);
    let body = answer.json();
    assert_eq!(body["error"], error, "{}", answer.body);
    assert!(body["error_description"].as_str().is_some_and(|text| text.ends_with('.')), "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
}
