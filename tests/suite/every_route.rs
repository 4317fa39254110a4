//! Every route with what it takes, who tries it, and what every answer of every route carries.

use std::{collections::BTreeMap, sync::OnceLock};

use actix_web::http::Method;
use serde_json::{Value, json};
use vestibule::{
    error::Error,
    ids::Id,
    internals::{Actor, add_member},
    kinds::{Permission, Role},
    routes::{Entry, entries},
    web::Access,
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

/// A route, and a body that it takes where it takes one.
pub struct Row {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
    pub needs: Option<Permission>,
    pub body: Option<&'static str>,
}

/// Every route there is, but for those that identity providers call, which have a form of their own: `scim` looks at them.
pub fn rows() -> Vec<Row> {
    let row = |entry: Entry| {
        let is_its_own =
            |(method, path, _): &&(&str, &str, &str)| (entry.method.as_str(), entry.path) == (*method, *path);
        let body = BODIES.iter().find(is_its_own).map(|(.., body)| *body);
        Row { method: entry.method, path: entry.path, access: entry.access, needs: entry.needs, body }
    };
    entries().into_iter().filter(|entry| entry.access != Access::Directory).map(row).collect()
}

/// What the routes take that take a body, as a form. `$ADDRESS`, `$PASSWORD`, `$TOKEN`, `$RESET`, `$NEW` and `$CODE` stand
/// for the visitor's own; `{id}` in a path for another of their sessions.
#[rustfmt::skip]
pub const BODIES: &[(&str, &str, &str)] = &[
    ("POST", "/signup", "email=$NEW&password=$PASSWORD&name=Ada"),
    ("POST", "/verify-email", "token=$TOKEN"),
    ("POST", "/verify-email/disown", "token=$TOKEN"),
    ("POST", "/use-address", "token=$TOKEN&email=$ADDRESS&name=Ada&password=$PASSWORD"),
    ("POST", "/login", "email=$ADDRESS&password=$PASSWORD"),
    ("POST", "/login/2fa", "code=123456"),
    ("POST", "/login/magic-link", "email=$ADDRESS"),
    ("POST", "/login/magic-link/verify", "token=$TOKEN"),
    ("POST", "/auth/methods", "email=$ADDRESS"),
    ("POST", "/login/passkey", "next=/me"),
    ("POST", "/forgot-password", "email=$ADDRESS"),
    ("POST", "/reset-password", "token=$RESET&password=$PASSWORD"),
    ("POST", "/not-me", "token=$TOKEN"),
    ("POST", "/not-me/was-me", "token=$TOKEN"),
    ("POST", "/factor-reset/stop", "token=$TOKEN"),
    ("POST", "/auth/confirm", "password=$PASSWORD"),
    ("PUT", "/me/email", "email=$NEW"),
    ("POST", "/me/email", "email=$NEW"),
    ("POST", "/me/email/confirm", "token=$TOKEN"),
    ("POST", "/me/email/undo", "token=$TOKEN"),
    ("PUT", "/me/password", "newPassword=$PASSWORD&currentPassword=$PASSWORD"),
    ("POST", "/me/password", "newPassword=$PASSWORD&currentPassword=$PASSWORD"),
    ("POST", "/me/2fa/totp/confirm", "code=$CODE"),
    ("POST", "/me/2fa/recovery-codes/download", "codes=0000-0000-0000"),
    ("POST", "/me/passkeys", "name=Phone"),
    ("PUT", "/me/passkeys/{id}", "name=Phone"),
    ("POST", "/me/passkeys/{id}/rename", "name=Phone"),
    ("PUT", "/me/name", "name=Countess"),
    ("POST", "/me/name", "name=Countess"),
    ("POST", "/cancel-deletion", "token=$TOKEN"),
    ("POST", "/dev/oidc/token", "grant_type=authorization_code"),
    ("POST", "/dev/oidc/sign-out", "person=gina"),
    ("POST", "/oauth/authorize", "client_id=x"),
    ("POST", "/oauth/consent", "request=x&decision=allow"),
    ("POST", "/oauth/cancel", "request=x"),
    ("POST", "/oauth/token", "grant_type=x"),
    ("POST", "/oauth/device_authorization", "scope=openid"),
    ("POST", "/device", "user_code=BCDF-GHJK"),
    ("POST", "/auth/token", "scope=openid"),
    ("POST", "/auth/token/refresh", "refreshToken=x"),
    ("POST", "/auth/token/revoke", "refreshToken=x"),
    ("POST", "/oauth/introspect", "token=x"),
    ("POST", "/oauth/revoke", "token=x"),
    ("POST", "/oauth/logout", "state=x"),
    ("POST", "/gate/trouble", "host=wiki.localhost"),
    ("POST", "/.vestibule/logout", "scope=here"),
    ("POST", "/me/keys", "name=Nightly&permissions=account:read"),
    ("POST", "/me/keys/{id}/roll", "overlap=24h"),
    ("POST", "/keys/found", "secret=x"),
    ("POST", "/organisations/{slug}/keys", "name=Nightly&permissions=organisation:read"),
    ("POST", "/organisations/{slug}/keys/{id}/roll", "overlap=24h"),
    ("POST", "/organisations", "name=$NEW"),
    ("PUT", "/me/organisation", "organisation={slug}"),
    ("POST", "/me/organisation", "organisation={slug}"),
    ("PUT", "/organisations/{slug}", "name=Acme"),
    ("POST", "/organisations/{slug}", "name=Acme"),
    ("PUT", "/organisations/{slug}/policy", "secondFactorFrom=&sessionIdle=30"),
    ("POST", "/organisations/{slug}/policy", "secondFactorFrom=&sessionIdle=40"),
    ("POST", "/organisations/{slug}/delete", "name=$NEW"),
    ("POST", "/organisations/{slug}/hand-over", "member=x&then=editor"),
    ("POST", "/hand-over", "token=$TOKEN"),
    ("PUT", "/organisations/{slug}/members/{member}", "role=viewer"),
    ("POST", "/organisations/{slug}/members/{member}/role", "role=viewer"),
    ("POST", "/auth/check", "organisation={slug}&permission=members:read"),
    ("POST", "/invitations/accept", "token=$TOKEN"),
    ("POST", "/invitations/ask", "token=$TOKEN"),
    ("POST", "/invitations/decline", "token=$TOKEN"),
    ("POST", "/invitations/switch", "token=$TOKEN"),
    ("POST", "/organisations/{slug}/invitations", "email=$NEW&role=viewer"),
    ("POST", "/organisations/{slug}/roles", "name=Billing&permissions=organisation:read"),
    ("PUT", "/organisations/{slug}/roles/{role}", "name=Billing"),
    ("POST", "/organisations/{slug}/roles/{role}", "name=Billing"),
    ("POST", "/organisations/{slug}/roles/{role}/remove", "replaceWith=viewer"),
    ("POST", "/organisations/{slug}/notes", "text=$NEW"),
    ("PUT", "/organisations/{slug}/notes/{note}", "text=$NEW"),
    ("POST", "/organisations/{slug}/notes/{note}", "text=$NEW"),
    ("POST", "/auth/oidc/login", "provider=x"),
    ("POST", "/auth/oidc/callback/{key}", "state=x&code=y"),
    ("POST", "/auth/oidc/complete", "email=$NEW"),
    ("POST", "/auth/oidc/initiate", "iss=x"),
    ("POST", "/auth/oidc/logout/{key}", "logout_token=x"),
    ("POST", "/auth/saml/login", "connection=x"),
    ("POST", "/auth/saml/callback", "SAMLResponse=x"),
    ("POST", "/auth/saml/logout", "SAMLRequest=x"),
    ("POST", "/organisations/{slug}/directory", "isPaused=true"),
    ("POST", "/organisations/{slug}/directory/tokens", "name=Okta"),
    ("PUT", "/organisations/{slug}/directory/groups/{id}", "role=viewer"),
    ("POST", "/organisations/{slug}/directory/groups/{id}/role", "role=viewer"),
    ("POST", "/organisations/{slug}/sso", "name=Okta&metadata=$METADATA"),
    ("PUT", "/organisations/{slug}/sso/{connection}", "name=Okta"),
    ("POST", "/organisations/{slug}/sso/{connection}", "name=Okta"),
    ("POST", "/organisations/{slug}/sso/{connection}/switch-on", "fingerprint=x"),
    ("POST", "/organisations/{slug}/sso/{connection}/metadata", "metadata=$METADATA"),
    ("POST", "/sso/setup", "token=$TOKEN&name=Okta&metadata=$METADATA"),
    ("POST", "/auth/saml/test", "token=$TOKEN"),
    ("POST", "/organisations/{slug}/sso/domains", "domain=example.com"),
    ("POST", "/organisations/{slug}/sso/domains/{domain}/connection", "connection="),
    ("POST", "/organisations/{slug}/sso/domains/{domain}/enforce", "breakGlass=x"),
];

/// The writes that come from other sites, by forms of their own kind, or have another origin; `sso`, `gate` and `oauth` look at them.
pub const FROM_ELSEWHERE: [&str; 13] = [
    "/auth/oidc/callback/{key}",
    "/auth/oidc/initiate",
    "/auth/oidc/logout/{key}",
    "/auth/saml/callback",
    "/auth/saml/logout",
    "/.vestibule/logout",
    "/oauth/authorize",
    "/oauth/device_authorization",
    "/oauth/introspect",
    "/oauth/logout",
    "/oauth/revoke",
    "/oauth/token",
    "/oauth/userinfo",
];

/// What applications ask by standards of their own: documents that may be kept, and answers to scripts of other sites; `oauth` looks
/// at them.
const OF_STANDARDS: [&str; 8] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/oauth/device_authorization",
    "/oauth/introspect",
    "/oauth/jwks",
    "/oauth/revoke",
    "/oauth/token",
    "/oauth/userinfo",
];

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
    pub role: String,
    pub invitation: String,
    pub note: String,
}

impl Person {
    /// Links that do not work, so that nobody changes who they are on the way.
    pub fn nobody() -> Self {
        let [other, member, connection, domain, role, invitation, note] = [NOBODY; 7].map(str::to_owned);
        let [token, reset, slug] = ["none", "none", "nowhere"].map(str::to_owned);
        let (address, session) = ("someone@example.com".to_owned(), String::new());
        let code = "123456".to_owned();
        Self {
            address,
            session,
            other,
            token,
            reset,
            code,
            slug,
            member,
            connection,
            domain,
            role,
            invitation,
            note,
        }
    }

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
        let [slug, member, connection, domain, role, invitation, note] =
            ["nowhere", NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY].map(str::to_owned);
        let address = address.to_owned();
        Self {
            address,
            session,
            other,
            token,
            reset,
            code,
            slug,
            member,
            connection,
            domain,
            role,
            invitation,
            note,
        }
    }

    pub fn fill(&self, text: &str) -> String {
        text.replace("{id}", &self.other)
            .replace("{slug}", &self.slug)
            .replace("{member}", &self.member)
            .replace("{connection}", &self.connection)
            .replace("{role}", &self.role)
            .replace("{invitation}", &self.invitation)
            .replace("{key}", "nobody")
            .replace("{note}", &self.note)
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
pub fn asks_for_more(access: Access) -> bool {
    matches!(
        access,
        Access::Verified
            | Access::VerifiedOrApiKey
            | Access::SteppedUp
            | Access::VerifiedSteppedUp
            | Access::VerifiedSteppedUpByAny
    )
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
        .write(move |tx| add_member(tx, &Actor::operator(), &organisation, &user, Role::Owner))
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

/// A role of an organisation's own that nobody has: its id.
pub async fn role_of(app: &TestApp, session: &str, slug: &str) -> String {
    let curl = Face::Json.visitor(app, Some(session));
    let form = json!({ "name": "Support", "permissions": [] });
    let made = curl.post_json(&format!("/organisations/{slug}/roles"), form).await.is(201).json();
    made["role"]["id"].as_str().unwrap().to_owned()
}

/// An open invitation to an organisation: its id.
pub async fn invitation_of(app: &TestApp, session: &str, slug: &str) -> String {
    let curl = Face::Json.visitor(app, Some(session));
    let form = json!({ "email": format!("guest-{slug}@example.com"), "role": "viewer" });
    let made = curl.post_json(&format!("/organisations/{slug}/invitations"), form).await.is(201).json();
    made["invitations"][0]["id"].as_str().unwrap().to_owned()
}

/// A note of an organisation: its id.
pub async fn note_of(app: &TestApp, session: &str, slug: &str) -> String {
    let curl = Face::Json.visitor(app, Some(session));
    let made = curl
        .post_json(&format!("/organisations/{slug}/notes"), json!({ "text": "A note" }))
        .await
        .is(201)
        .json();
    made["note"]["id"].as_str().unwrap().to_owned()
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
    if app.base_url.starts_with("https:") { "__Host-session" } else { "session" }
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
    let is_standard = OF_STANDARDS.iter().any(|path| what.ends_with(path));
    let is_kept = is_standard && answer.status == 200 && answer.header("cache-control") != "no-store";
    is(
        "cache-control",
        match (is_file, is_kept) {
            (true, _) => "public, max-age=31536000, immutable",
            (_, true) => "public, max-age=3600",
            _ => "no-store",
        },
    );
    assert!(
        is_file || is_standard || answer.header("vary") == "accept, cookie",
        "{what}: {}",
        answer.header("vary")
    );
    let is_https = app.base_url.starts_with("https:");
    is("strict-transport-security", if is_https { "max-age=63072000; includeSubDomains" } else { "" });
    for (name, _) in &answer.headers {
        let name = name.as_str();
        assert!(is_standard || !name.starts_with("access-control-"), "{what} has {name}");
        assert!(!["server", "x-powered-by"].contains(&name), "{what} has {name}");
    }
}

/// An HTML caller gets HTML or is sent on, a JSON caller gets JSON; a refusal has the contract's shape.
fn check_face(face: Face, method: &Method, path: &str, answer: &Answer) {
    let what = format!("{face:?} {method} {path}: {} {}", answer.status, answer.body);
    // Only programs ask that, whatever they say that they accept.
    let is_standard = OF_STANDARDS.contains(&path);
    let is_for_programs = path == "/auth/check"
        || path.starts_with("/auth/token")
        || (is_standard && path.starts_with("/oauth/"));
    let face = if is_for_programs { Face::Json } else { face };
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
    // What the standards of applications say of themselves; what is refused before is as everywhere.
    let is_by_oauth = [
        "/oauth/device_authorization",
        "/oauth/introspect",
        "/oauth/revoke",
        "/oauth/token",
        "/oauth/userinfo",
    ]
    .contains(&path);
    if is_by_oauth || (is_standard && ![405, 413, 415].contains(&answer.status.as_u16())) {
        return;
    }
    // Whatever asks for it follows it.
    if path == "/.well-known/change-password" && answer.status == 303 {
        return assert_eq!(answer.header("location"), "/me/password", "{what}");
    }
    if path.starts_with("/auth/oidc/logout/") && answer.status == 400 {
        // Its sender speaks another protocol (OpenID Connect Back-Channel Logout §2.8).
        return assert_eq!(answer.json(), serde_json::json!({ "error": "invalid_request" }), "{what}");
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
        "refused" => code == "invalid" && path.ends_with("/invitations"),
        "confirm" | "methods" => code == "reauthentication_required",
        "signIn" => code == "sso_required",
        // Where a browser reads a sentence at the page that it goes to.
        "message" => path.starts_with("/auth/oidc/"),
        "permission" => code == "forbidden",
        "members" => code == "role_in_use",
        _ => false,
    };
    let mut more = body.as_object().unwrap().keys().filter(|key| !["error", "code"].contains(&key.as_str()));
    assert!(more.all(is_more), "{what}");
}

pub fn code(answer: &Answer) -> Value {
    serde_json::from_str::<Value>(&answer.body).map_or(Value::Null, |body| body["code"].clone())
}
