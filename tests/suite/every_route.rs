//! Every route with what it takes, who tries it, and what every answer of every route carries.

use std::{collections::BTreeMap, sync::OnceLock};

use actix_web::http::Method;
use serde_json::{Value, json};
use vestibule::{
    error::Error,
    ids::Id,
    kinds::Role,
    model::{audit::Actor, membership},
    routes::Who,
};

use crate::{
    harness::{
        Answer, Owner, PASSWORD, TestApp, Visitor,
        outbound::{Names, Record},
    },
    saml::forger::{self, Idp},
};

/// An id that nobody has.
pub const NOBODY: &str = "0123456789abcdef0123456789abcdef";

/// A route, who may enter, and a body that it takes where it takes one, as a form. `$ADDRESS`, `$PASSWORD`,
/// `$TOKEN`, `$RESET`, `$NEW` and `$CODE` stand for the visitor's own; `{id}` in a path for another of their sessions.
pub struct Row {
    pub method: Method,
    pub path: &'static str,
    pub who: Who,
    pub body: Option<&'static str>,
}

#[rustfmt::skip]
pub fn rows() -> Vec<Row> {
    use Who::{Anyone, IncludingScheduledDeletion, Pending, SteppedUp, SignedIn, Verified, VerifiedSteppedUp, VerifiedSteppedUpByAny};
    let get = |path, who| Row { method: Method::GET, path, who, body: None };
    let bare = |method, path, who| Row { method, path, who, body: None };
    let write = |method, path, who, body| Row { method, path, who, body: Some(body) };
    let (post, put, delete) = (Method::POST, Method::PUT, Method::DELETE);
    vec![
        get("/", Anyone),
        get("/signup", Anyone),
        write(post.clone(), "/signup", Anyone, "email=$NEW&password=$PASSWORD&name=Ada"),
        get("/verify-email", Anyone),
        write(post.clone(), "/verify-email", Anyone, "token=$TOKEN"),
        write(post.clone(), "/verify-email/disown", Anyone, "token=$TOKEN"),
        get("/verify-email/needed", SignedIn),
        bare(post.clone(), "/verify-email/resend", SignedIn),
        get("/use-address", Anyone),
        write(post.clone(), "/use-address", Anyone, "token=$TOKEN&email=$ADDRESS&name=Ada&password=$PASSWORD"),
        get("/login", Anyone),
        write(post.clone(), "/login", Anyone, "email=$ADDRESS&password=$PASSWORD"),
        get("/login/2fa", Pending),
        write(post.clone(), "/login/2fa", Pending, "code=123456"),
        get("/login/magic-link", Anyone),
        write(post.clone(), "/login/magic-link", Anyone, "email=$ADDRESS"),
        get("/login/magic-link/sent", Anyone),
        get("/login/magic-link/verify", Anyone),
        write(post.clone(), "/login/magic-link/verify", Anyone, "token=$TOKEN"),
        write(post.clone(), "/auth/methods", Anyone, "email=$ADDRESS"),
        bare(post.clone(), "/login/2fa/passkey/options", Pending),
        bare(post.clone(), "/login/passkey/options", Anyone),
        write(post.clone(), "/login/passkey", Anyone, "next=/me"),
        bare(post.clone(), "/logout", Anyone),
        get("/forgot-password", Anyone),
        write(post.clone(), "/forgot-password", Anyone, "email=$ADDRESS"),
        get("/reset-password", Anyone),
        write(post.clone(), "/reset-password", Anyone, "token=$RESET&password=$PASSWORD"),
        get("/not-me", Anyone),
        write(post.clone(), "/not-me", Anyone, "token=$TOKEN"),
        write(post.clone(), "/not-me/was-me", Anyone, "token=$TOKEN"),
        get("/factor-reset/stop", Anyone),
        write(post.clone(), "/factor-reset/stop", Anyone, "token=$TOKEN"),
        get("/auth/confirm", SignedIn),
        write(post.clone(), "/auth/confirm", SignedIn, "password=$PASSWORD"),
        bare(post.clone(), "/auth/confirm/passkey/options", SignedIn),
        get("/auth/continue", SignedIn),
        get("/me", SignedIn),
        get("/me/email", VerifiedSteppedUp),
        write(put.clone(), "/me/email", VerifiedSteppedUp, "email=$NEW"),
        write(post.clone(), "/me/email", VerifiedSteppedUp, "email=$NEW"),
        get("/me/email/confirm", Anyone),
        write(post.clone(), "/me/email/confirm", Anyone, "token=$TOKEN"),
        get("/me/email/undo", Anyone),
        write(post.clone(), "/me/email/undo", Anyone, "token=$TOKEN"),
        get("/me/password", SteppedUp),
        write(put.clone(), "/me/password", SteppedUp, "newPassword=$PASSWORD&currentPassword=$PASSWORD"),
        write(post.clone(), "/me/password", SteppedUp, "newPassword=$PASSWORD&currentPassword=$PASSWORD"),
        get("/me/2fa", SignedIn),
        bare(post.clone(), "/me/2fa/totp", VerifiedSteppedUp),
        get("/me/2fa/totp/confirm", VerifiedSteppedUp),
        write(post.clone(), "/me/2fa/totp/confirm", VerifiedSteppedUp, "code=$CODE"),
        bare(delete.clone(), "/me/2fa/totp", VerifiedSteppedUp),
        bare(post.clone(), "/me/2fa/totp/disable", VerifiedSteppedUp),
        bare(post.clone(), "/me/2fa/recovery-codes", VerifiedSteppedUp),
        write(post.clone(), "/me/2fa/recovery-codes/download", SignedIn, "codes=0000-0000-0000"),
        get("/me/passkeys", SignedIn),
        bare(post.clone(), "/me/passkeys/options", VerifiedSteppedUp),
        write(post.clone(), "/me/passkeys", VerifiedSteppedUp, "name=Phone"),
        write(put.clone(), "/me/passkeys/{id}", SignedIn, "name=Phone"),
        write(post.clone(), "/me/passkeys/{id}/rename", SignedIn, "name=Phone"),
        bare(delete.clone(), "/me/passkeys/{id}", VerifiedSteppedUp),
        bare(post.clone(), "/me/passkeys/{id}/remove", VerifiedSteppedUp),
        get("/me/logins", SignedIn),
        write(put.clone(), "/me/name", SignedIn, "name=Countess"),
        write(post.clone(), "/me/name", SignedIn, "name=Countess"),
        get("/me/security", SignedIn),
        bare(post.clone(), "/me/security/removed/{id}/put-back", VerifiedSteppedUp),
        bare(post.clone(), "/me/factor-reset/stop", SignedIn),
        get("/me/sessions", SignedIn),
        bare(delete.clone(), "/me/sessions/{id}", SignedIn),
        bare(post.clone(), "/me/sessions/{id}/revoke", SignedIn),
        bare(post.clone(), "/me/sessions/{id}/was-me", SteppedUp),
        bare(post.clone(), "/me/sessions/revoke-all", SignedIn),
        get("/me/export", VerifiedSteppedUpByAny),
        get("/me/delete", SteppedUp),
        bare(post.clone(), "/me/delete", SteppedUp),
        get("/me/delete/status", IncludingScheduledDeletion),
        bare(post.clone(), "/me/delete/cancel", IncludingScheduledDeletion),
        get("/cancel-deletion", Anyone),
        write(post.clone(), "/cancel-deletion", Anyone, "token=$TOKEN"),
        get("/privacy/data", Anyone),
        get("/organisations", Verified),
        write(post.clone(), "/organisations", Verified, "name=$NEW"),
        get("/organisations/{slug}", Verified),
        bare(post.clone(), "/organisations/{slug}/leave", Verified),
        write(put.clone(), "/organisations/{slug}/members/{member}", VerifiedSteppedUp, "role=viewer"),
        write(post.clone(), "/organisations/{slug}/members/{member}/role", VerifiedSteppedUp, "role=viewer"),
        bare(delete.clone(), "/organisations/{slug}/members/{member}", VerifiedSteppedUp),
        bare(post.clone(), "/organisations/{slug}/members/{member}/remove", VerifiedSteppedUp),
        get("/auth/saml/metadata", Anyone),
        get("/auth/saml/login", Anyone),
        write(post.clone(), "/auth/saml/login", Anyone, "connection=x"),
        write(post.clone(), "/auth/saml/callback", Anyone, "SAMLResponse=x"),
        get("/auth/saml/arrive", Anyone),
        get("/auth/saml/refused", Anyone),
        get("/auth/saml/link", Anyone),
        bare(post.clone(), "/auth/saml/link", SignedIn),
        get("/auth/saml/confirm", SignedIn),
        get("/organisations/{slug}/sso", VerifiedSteppedUp),
        write(post.clone(), "/organisations/{slug}/sso", VerifiedSteppedUp, "name=Okta&metadata=$METADATA"),
        get("/organisations/{slug}/sso/new", VerifiedSteppedUp),
        get("/organisations/{slug}/sso/{connection}", VerifiedSteppedUp),
        write(put.clone(), "/organisations/{slug}/sso/{connection}", VerifiedSteppedUp, "name=Okta"),
        write(post.clone(), "/organisations/{slug}/sso/{connection}", VerifiedSteppedUp, "name=Okta"),
        bare(delete.clone(), "/organisations/{slug}/sso/{connection}", VerifiedSteppedUp),
        bare(post.clone(), "/organisations/{slug}/sso/{connection}/remove", VerifiedSteppedUp),
        get("/organisations/{slug}/sso/{connection}/metadata", VerifiedSteppedUp),
        write(post.clone(), "/organisations/{slug}/sso/{connection}/metadata", VerifiedSteppedUp, "metadata=$METADATA"),
        bare(post.clone(), "/organisations/{slug}/sso/{connection}/test", VerifiedSteppedUp),
        get("/organisations/{slug}/sso/{connection}/attempts/{attempt}", VerifiedSteppedUp),
        write(post.clone(), "/organisations/{slug}/sso/domains", VerifiedSteppedUp, "domain=example.com"),
        bare(delete.clone(), "/organisations/{slug}/sso/domains/{domain}", VerifiedSteppedUp),
        bare(post.clone(), "/organisations/{slug}/sso/domains/{domain}/remove", VerifiedSteppedUp),
        bare(post.clone(), "/organisations/{slug}/sso/domains/{domain}/check", VerifiedSteppedUp),
        write(post.clone(), "/organisations/{slug}/sso/domains/{domain}/connection", VerifiedSteppedUp, "connection="),
        write(post.clone(), "/organisations/{slug}/sso/domains/{domain}/enforce", VerifiedSteppedUp, "breakGlass=x"),
        bare(post.clone(), "/organisations/{slug}/sso/domains/{domain}/release", VerifiedSteppedUp),
        get("/healthz", Anyone),
        get("/readyz", Anyone),
        get("/metrics", Anyone),
        get("/.well-known/change-password", Anyone),
        get("/.well-known/passkey-endpoints", Anyone),
        get("/static/{name}", Anyone),
        get("/dev/mail", Anyone),
        get("/dev/mail/{id}", Anyone),
        get("/dev/idp", Anyone),
        get("/dev/idp/metadata", Anyone),
    ]
}

/// The one write that comes from other sites, by a form of its own kind; `sso` looks at it.
pub const ACS: &str = "/auth/saml/callback";

/// In which face the visitor wants its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    Html,
    Json,
}

pub const FACES: [Face; 2] = [Face::Html, Face::Json];

impl Face {
    pub fn visitor(self, app: &TestApp, session: Option<&str>) -> Visitor {
        let visitor = match self {
            Face::Html => app.browser(),
            Face::Json => app.curl(),
        };
        // The program that the sessions here began with: in another one they would be locked.
        let visitor = visitor.named("curl/8.9.1");
        if let Some(secret) = session {
            visitor.set_cookie(cookie_name(app), secret);
        }
        visitor
    }

    /// Somebody whose sign-in waits for its second factor.
    pub fn pending(self, app: &TestApp, state: &str) -> Visitor {
        let visitor = self.visitor(app, None);
        visitor.set_cookie("state", state);
        visitor
    }
}

/// A person with a session, another one elsewhere, and links that still work.
pub struct Person {
    pub address: String,
    pub session: String,
    pub other: String,
    pub token: String,
    pub reset: String,
    pub code: String,
    pub slug: String,
    pub member: String,
    pub connection: String,
    pub domain: String,
}

impl Person {
    /// Signs up under `address`; its links are in the mail that arrived.
    pub async fn arrive(app: &TestApp, address: &str) -> Self {
        let here = app.unverified_user(address).await;
        let token = app.token_for(address).await;
        here.post_json("/forgot-password", json!({ "email": address })).await.is(200);
        let reset = app.token_for(address).await;
        assert_ne!(token, reset);
        let there = app.curl();
        there.post_json("/login", json!({ "email": address, "password": PASSWORD })).await.is(200);
        let session = here.cookie(cookie_name(app)).unwrap();
        let (other, code) = (there.session_id().await, "123456".to_owned());
        let [slug, member, connection, domain] = ["nowhere", NOBODY, NOBODY, NOBODY].map(str::to_owned);
        let address = address.to_owned();
        Self { address, session, other, token, reset, code, slug, member, connection, domain }
    }

    pub fn fill(&self, text: &str) -> String {
        text.replace("{id}", &self.other)
            .replace("{slug}", &self.slug)
            .replace("{member}", &self.member)
            .replace("{connection}", &self.connection)
            .replace("{domain}", &self.domain)
            .replace("$METADATA", &metadata())
            .replace("{attempt}", NOBODY)
            .replace("{name}", "nothing.css")
            .replace("$NEW", &format!("new-{}", self.address))
            .replace("$ADDRESS", &self.address)
            .replace("$PASSWORD", PASSWORD)
            .replace("$TOKEN", &self.token)
            .replace("$RESET", &self.reset)
            .replace("$CODE", &self.code)
    }

    /// The body of a row in the visitor's own language.
    pub fn body(&self, row: &Row, face: Face) -> Option<(&'static str, String)> {
        let fields: Vec<(String, String)> = row
            .body?
            .split('&')
            .filter_map(|field| field.split_once('='))
            .map(|(name, value)| (name.to_owned(), self.fill(value)))
            .collect();
        Some(match face {
            Face::Html => ("application/x-www-form-urlencoded", serde_urlencoded::to_string(fields).unwrap()),
            Face::Json => ("application/json", json!(BTreeMap::from_iter(fields)).to_string()),
        })
    }
}

/// Whether somebody who only claims an address, or has not stepped up, stays outside.
pub fn asks_for_more(who: Who) -> bool {
    matches!(who, Who::Verified | Who::SteppedUp | Who::VerifiedSteppedUp | Who::VerifiedSteppedUpByAny)
}

/// An organisation with two owners, the first of whom holds `session`: its slug, and the id of the second.
pub async fn organisation_of(app: &TestApp, session: &str, second: &str) -> (String, String) {
    let curl = Face::Json.visitor(app, Some(session));
    let made = curl.post_json("/organisations", json!({ "name": format!("Org of {second}") })).await.is(201);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (id, slug) = (text(&made.json()["organisation"]["id"]), text(&made.json()["organisation"]["slug"]));
    let member = text(&app.verified(second).await.get("/me").await.json()["user"]["id"]);
    let (organisation, user) = (Id::from_text(id), Id::from_text(member.clone()));
    let joined = app
        .inner
        .write(move |tx| membership::add(tx, &Actor::operator(), &organisation, &user, Role::Owner))
        .await;
    assert!(joined.unwrap());
    (slug, member)
}

/// The metadata of an identity provider.
fn metadata() -> String {
    static METADATA: OnceLock<String> = OnceLock::new();
    METADATA.get_or_init(|| forger::metadata(forger::IDP, &[&Idp::rsa()])).clone()
}

/// A connection of an organisation, and a domain that is led to it, with its record set: their ids.
pub async fn sso_of(names: &Names, app: &TestApp, session: &str, slug: &str) -> (String, String) {
    let curl = Face::Json.visitor(app, Some(session));
    let form = json!({ "name": "Mine", "metadata": metadata() });
    let made = curl.post_json(&format!("/organisations/{slug}/sso"), form).await.is(201).json();
    let form = json!({ "domain": format!("{slug}.example") });
    let added = curl.post_json(&format!("/organisations/{slug}/sso/domains"), form).await.is(201).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    names.set(&text(&added["domain"]["recordName"]), Record::Text(text(&added["domain"]["recordText"])));
    (text(&made["connection"]["id"]), text(&added["domain"]["id"]))
}

/// The session of somebody confirmed who stepped up just now, has an app, and sets up another, which shows this code.
pub async fn stepped_up_session(app: &TestApp, address: &str) -> (String, String) {
    let curl = app.with_app(address).await.curl;
    let secret = app.waiting_app(&curl).await;
    (curl.cookie(cookie_name(app)).unwrap(), app.code(&secret))
}

/// A sign-in of `owner` that waits for its second factor, as its browser keeps it.
pub async fn waiting_sign_in(app: &TestApp, owner: &Owner) -> String {
    let curl = app.curl().named("curl/8.9.1");
    owner.submits_password(&curl).await.is(200);
    curl.cookie("state").unwrap()
}

pub fn cookie_name(app: &TestApp) -> &'static str {
    if app.inner.config().site.is_https() { "__Host-session" } else { "session" }
}

/// Sends a request and looks at what every answer must have.
pub async fn ask(
    app: &TestApp,
    face: Face,
    visitor: &Visitor,
    method: &Method,
    path: &str,
    body: Option<(&str, String)>,
) -> Answer {
    let answer = visitor.send(method.clone(), path, body).await;
    check_headers(app, &answer);
    check_face(face, method, path, &answer);
    answer
}

fn check_headers(app: &TestApp, answer: &Answer) {
    let what = &answer.request;
    let is = |name: &str, value: &str| assert_eq!(answer.header(name), value, "{name} of {what}");
    let csp = answer.header("content-security-policy");
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"] {
        assert!(csp.split("; ").any(|directive| directive == part), "{what}: {csp}");
    }
    assert!(!csp.contains("unsafe") && !csp.contains('*') && !csp.contains("http"), "{what}: {csp}");
    is("x-content-type-options", "nosniff");
    is("referrer-policy", "same-origin");
    is("cross-origin-opener-policy", "same-origin");
    is("cross-origin-resource-policy", "same-origin");
    assert!(answer.header("permissions-policy").contains("camera=()"), "{what}");
    assert!(!answer.header("x-request-id").is_empty(), "{what}");
    let is_file = what.contains(" /static/") && answer.status == 200;
    is("cache-control", if is_file { "public, max-age=31536000, immutable" } else { "no-store" });
    assert!(is_file || answer.header("vary") == "accept, cookie", "{what}: {}", answer.header("vary"));
    let is_https = app.inner.config().site.is_https();
    is("strict-transport-security", if is_https { "max-age=63072000; includeSubDomains" } else { "" });
    for (name, _) in &answer.headers {
        let name = name.as_str();
        assert!(!name.starts_with("access-control-"), "{what} has {name}");
        assert!(!["server", "x-powered-by"].contains(&name), "{what} has {name}");
    }
}

/// An HTML caller gets HTML or is sent on, a JSON caller gets JSON; a refusal has the contract's shape.
fn check_face(face: Face, method: &Method, path: &str, answer: &Answer) {
    let what = format!("{face:?} {method} {path}: {} {}", answer.status, answer.body);
    let kind = answer.header("content-type");
    let by_itself =
        ["/metrics", "/me/export", "/me/2fa/recovery-codes/download", "/.well-known/passkey-endpoints"];
    let speaks_for_itself =
        path.starts_with("/static/") || path.ends_with("/metadata") || by_itself.contains(&path);
    if speaks_for_itself && answer.status == 200 {
        return;
    }
    if *method == Method::HEAD {
        return assert_eq!(answer.body, "", "{what}");
    }
    // Whatever asks for it follows it.
    if path == "/.well-known/change-password" && answer.status == 303 {
        return assert_eq!(answer.header("location"), "/me/password", "{what}");
    }
    if face == Face::Html {
        if answer.status == 303 {
            assert!(answer.body.is_empty() && answer.header("location").starts_with('/'), "{what}");
            return;
        }
        assert_eq!(kind, "text/html; charset=utf-8", "{what}");
        assert!(answer.body.trim_start().starts_with("<!doctype html>"), "{what}");
        assert!(answer.body.trim_end().ends_with("</html>"), "{what}");
        return;
    }
    assert!(!answer.status.is_redirection(), "{what}");
    assert_eq!(kind, "application/json; charset=utf-8", "{what}");
    let body = answer.json();
    if answer.status.as_u16() < 400 {
        return assert!(body.is_object() && body.get("error").is_none(), "{what}");
    }
    assert!(body["error"].as_str().is_some_and(|sentence| sentence.ends_with('.')), "{what}");
    let (code, status) = (body["code"].as_str().unwrap_or_default(), answer.status.as_u16());
    assert!(Error::CODES.contains(&(code, status)), "{what}");
    let is_more = |key: &String| match key.as_str() {
        "fields" => body[key].is_object(),
        "confirm" | "methods" => code == "reauthentication_required",
        "signIn" => code == "sso_required",
        _ => false,
    };
    let mut more = body.as_object().unwrap().keys().filter(|key| !["error", "code"].contains(&key.as_str()));
    assert!(more.all(is_more), "{what}");
}

pub fn code(answer: &Answer) -> Value {
    serde_json::from_str::<Value>(&answer.body).map_or(Value::Null, |body| body["code"].clone())
}
