//! Every door of the house, tried by everybody in both faces: who may enter, what is refused and how, and what
//! every answer carries. A new route needs a row in [`rows`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::{
    error::Error,
    ids::Id,
    kinds::Role,
    model::{audit::Actor, membership},
    routes::{Who, entries},
};

use crate::{
    harness::{
        Answer, Owner, PASSWORD, TestApp, Visitor,
        outbound::{Names, Record},
    },
    saml::forger::{self, Idp},
};

/// An id that nobody has.
const NOBODY: &str = "0123456789abcdef0123456789abcdef";

/// A route, who may enter, and a body that it takes where it takes one, as a form. `$ADDRESS`, `$PASSWORD`,
/// `$TOKEN`, `$RESET`, `$NEW` and `$CODE` stand for the visitor's own; `{id}` in a path for another of their sessions.
struct Row {
    method: Method,
    path: &'static str,
    who: Who,
    body: Option<&'static str>,
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
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
const ACS: &str = "/auth/saml/callback";

/// Who stands before the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Anonymous,
    /// The first factor was given, the second is due.
    Pending,
    Unverified,
    Verified,
    SteppedUp,
}

const STANDINGS: [Standing; 5] =
    [Standing::Anonymous, Standing::Pending, Standing::Unverified, Standing::Verified, Standing::SteppedUp];

/// Why somebody may not enter, by its code; nothing where they may.
fn refusal(who: Who, standing: Standing) -> Option<&'static str> {
    match (who, standing) {
        (Who::Anyone, _) | (Who::Pending, Standing::Pending) => None,
        (Who::Pending, _) => Some("sign_in_ended"),
        (_, Standing::SteppedUp) => None,
        (_, Standing::Anonymous | Standing::Pending) => Some("sign_in_required"),
        (Who::SignedIn | Who::IncludingScheduledDeletion, _) | (Who::Verified, Standing::Verified) => None,
        (Who::Verified | Who::VerifiedSteppedUp | Who::VerifiedSteppedUpByAny, Standing::Unverified) => {
            Some("email_unverified")
        }
        (Who::SteppedUp | Who::VerifiedSteppedUp | Who::VerifiedSteppedUpByAny, _) => {
            Some("reauthentication_required")
        }
    }
}

/// In which face the visitor wants its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Face {
    Html,
    Json,
}

const FACES: [Face; 2] = [Face::Html, Face::Json];

impl Face {
    fn visitor(self, app: &TestApp, session: Option<&str>) -> Visitor {
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
    fn pending(self, app: &TestApp, state: &str) -> Visitor {
        let visitor = self.visitor(app, None);
        visitor.set_cookie("state", state);
        visitor
    }
}

/// A person with a session, another one elsewhere, and links that still work.
struct Person {
    address: String,
    session: String,
    other: String,
    token: String,
    reset: String,
    code: String,
    slug: String,
    member: String,
    connection: String,
    domain: String,
}

impl Person {
    /// Signs up under `address`; its links are in the mail that arrived.
    async fn arrive(app: &TestApp, address: &str) -> Self {
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

    fn fill(&self, text: &str) -> String {
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
    fn body(&self, row: &Row, face: Face) -> Option<(&'static str, String)> {
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
fn asks_for_more(who: Who) -> bool {
    matches!(who, Who::Verified | Who::SteppedUp | Who::VerifiedSteppedUp | Who::VerifiedSteppedUpByAny)
}

/// An organisation with two owners, the first of whom holds `session`: its slug, and the id of the second.
async fn organisation_of(app: &TestApp, session: &str, second: &str) -> (String, String) {
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
async fn sso_of(names: &Names, app: &TestApp, session: &str, slug: &str) -> (String, String) {
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
async fn stepped_up_session(app: &TestApp, address: &str) -> (String, String) {
    let curl = app.with_app(address).await.curl;
    let secret = app.waiting_app(&curl).await;
    (curl.cookie(cookie_name(app)).unwrap(), app.code(&secret))
}

/// A sign-in of `owner` that waits for its second factor, as its browser keeps it.
async fn waiting_sign_in(app: &TestApp, owner: &Owner) -> String {
    let curl = app.curl().named("curl/8.9.1");
    owner.submits_password(&curl).await.is(200);
    curl.cookie("state").unwrap()
}

fn cookie_name(app: &TestApp) -> &'static str {
    if app.inner.config().site.is_https() { "__Host-session" } else { "session" }
}

/// Sends a request and looks at what every answer must have.
async fn ask(
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

/// Why somebody was turned away, by its code, in either face. Signing out leads to the sign-in page as well, and takes
/// the cookie back: that is no refusal.
fn turned_away(answer: &Answer) -> Option<&'static str> {
    let ways = [
        ("sign_in_required", "/login"),
        ("sign_in_ended", "/login"),
        ("email_unverified", "/verify-email/needed"),
        ("reauthentication_required", "/auth/confirm"),
    ];
    let is_refused = |(code, way): &(&str, &str)| {
        let location = answer.header("location");
        // An address that leads to no organisation leads back to the sign-in page: no refusal either.
        if answer.request.contains(" /auth/saml/login") {
            return false;
        }
        let is_sent = answer.status == 303 && location.split('?').next() == Some(way);
        let is_told = answer.body.contains(&format!("\"{code}\""));
        is_told || (is_sent && !answer.request.ends_with(" /logout"))
    };
    ways.into_iter().find(is_refused).map(|(code, _)| code)
}

fn code(answer: &Answer) -> Value {
    serde_json::from_str::<Value>(&answer.body).map_or(Value::Null, |body| body["code"].clone())
}

#[test]
fn every_route_has_a_row_here() {
    let listed: BTreeSet<String> =
        rows().iter().map(|row| format!("{} {} {:?}", row.method, row.path, row.who)).collect();
    let there: BTreeSet<String> =
        entries().iter().map(|entry| format!("{} {} {:?}", entry.method, entry.path, entry.who)).collect();
    let missing: Vec<_> = there.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&there).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "routes without a row: {missing:#?}; rows without a route: {gone:#?}"
    );
}

#[actix_web::test]
async fn whoever_may_enter_enters_and_nobody_else_case_77() {
    let app = TestApp::open().await;
    // Links that do not work, so that nobody changes their standing on the way.
    let someone = Person {
        address: "someone@example.com".to_owned(),
        session: String::new(),
        other: NOBODY.to_owned(),
        slug: "nowhere".to_owned(),
        member: NOBODY.to_owned(),
        connection: NOBODY.to_owned(),
        domain: NOBODY.to_owned(),
        token: "none".to_owned(),
        reset: "none".to_owned(),
        code: "123456".to_owned(),
    };
    app.unverified_user("unverified@example.com").await;
    app.verified("verified@example.com").await;
    let owner = app.with_app("pending@example.com").await;
    for row in rows() {
        let path = someone.fill(row.path);
        for standing in STANDINGS {
            for face in FACES {
                let visitor = match standing {
                    Standing::Pending => face.pending(&app, &waiting_sign_in(&app, &owner).await),
                    _ => face.visitor(&app, session_of(&app, standing).await.as_deref()),
                };
                let answer = ask(&app, face, &visitor, &row.method, &path, someone.body(&row, face)).await;

                let what = format!("{standing:?} {face:?} {}: {}", answer.request, answer.status);
                let mut expected = refusal(row.who, standing);
                if (row.who, face) == (Who::Pending, Face::Html) && standing != Standing::Pending {
                    expected = Some("sign_in_required");
                    assert_eq!(answer.header("location"), "/login", "{what}");
                }
                assert!(answer.status.as_u16() < 500, "{what}");
                assert_eq!(turned_away(&answer), expected, "{what}: {}", answer.body);
                if expected == Some("sign_in_required") && face == Face::Html && row.who != Who::Pending {
                    let back = serde_urlencoded::to_string([("next", &path)]).unwrap();
                    // A POST is not done by coming back to it.
                    let way = if row.method == Method::GET {
                        format!("/login?{back}")
                    } else {
                        "/login".to_owned()
                    };
                    assert_eq!(answer.header("location"), way, "{what}");
                }
            }
        }
    }
}

/// A session of its own for every try: some doors end or change the one they are entered with.
async fn session_of(app: &TestApp, standing: Standing) -> Option<String> {
    let address = match standing {
        Standing::Anonymous | Standing::Pending => return None,
        Standing::Unverified => "unverified@example.com",
        Standing::Verified | Standing::SteppedUp => "verified@example.com",
    };
    let curl = app.curl();
    curl.post_json("/login", json!({ "email": address, "password": PASSWORD })).await.is(200);
    // Somebody went through the door before, and asked for the account to be deleted.
    curl.post_json("/me/delete/cancel", json!({})).await.is(200);
    if standing == Standing::SteppedUp {
        curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    }
    curl.cookie("session")
}

#[actix_web::test]
async fn the_way_back_keeps_its_query_and_stays_on_this_site_case_51() {
    let app = TestApp::open().await;
    let browser = app.browser();
    browser
        .get("/me/sessions?page=2&from=/a")
        .await
        .goes_to("/login?next=%2Fme%2Fsessions%3Fpage%3D2%26from%3D%2Fa");
    for path in ["//evil.example/me", "/%2F/evil.example"] {
        browser.get(path).await.is(404);
    }
}

#[actix_web::test]
async fn a_method_that_a_route_does_not_take_is_refused_with_those_it_does() {
    let app = TestApp::open().await;
    let ada = Person::arrive(&app, "ada@example.com").await;
    let mut methods: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for row in rows() {
        let taken = methods.entry(row.path).or_default();
        taken.insert(row.method.to_string());
        if row.method == Method::GET {
            taken.insert("HEAD".to_owned());
        }
    }
    for (path, taken) in methods {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            if taken.contains(method) || path.ends_with("revoke-all") && method == "DELETE" {
                continue;
            }
            for face in FACES {
                for session in [None, Some(ada.session.as_str())] {
                    let visitor = face.visitor(&app, session);
                    let answer =
                        ask(&app, face, &visitor, &method.parse().unwrap(), &ada.fill(path), None).await;
                    let answer = answer.is(405);
                    let allowed: BTreeSet<String> =
                        answer.header("allow").split(", ").map(str::to_owned).collect();
                    assert_eq!(allowed, taken, "{}", answer.request);
                }
            }
        }
    }
}

#[actix_web::test]
async fn head_is_get_without_the_body() {
    let app = TestApp::open().await;
    let ada = Person::arrive(&app, "ada@example.com").await;
    for row in rows().iter().filter(|row| row.method == Method::GET) {
        for face in FACES {
            for session in [None, Some(ada.session.as_str())] {
                let visitor = face.visitor(&app, session);
                let path = ada.fill(row.path);
                if (row.path, face) == ("/verify-email", Face::Json) {
                    continue; // Here GET may confirm, so a HEAD, which only looks, is told to POST.
                }
                if ["/auth/continue", "/auth/saml/arrive"].contains(&row.path) {
                    continue; // What was interrupted, or proved, is shown once, and not to a HEAD.
                }
                let head = ask(&app, face, &visitor, &Method::HEAD, &path, None).await;
                let get = ask(&app, face, &visitor, &Method::GET, &path, None).await;
                assert_eq!(head.status, get.status, "{path}");
                for name in ["content-type", "location"] {
                    assert_eq!(head.header(name), get.header(name), "{path}");
                }
                assert_eq!(head.body, "", "{path}");
            }
        }
    }
}

#[actix_web::test]
async fn there_is_nothing_behind_an_address_that_only_looks_like_a_door_case_49() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await.cookie("session").unwrap();
    let paths = [
        "/nowhere",
        "//",
        "//me",
        "///me",
        "/me//",
        "/me//sessions",
        "/nowhere/",
        "/ME/",
        "/ME",
        "/Me",
        "/me.json",
        "/me/x.css",
        "/me/sessions.css",
        "/me;x=1",
        "/me%00",
        "/me%20",
        "/%6De%2F",
        "/me%2Fsessions",
        "/me%2f..%2fme",
        "/me/../me",
        "/./me",
        "//login",
        "//login/",
        "/static",
        "/static/",
        "/static/..",
        "/static/../me",
        "/static/..%2f..%2fCargo.toml",
        "/static/%2e%2e/%2e%2e/Cargo.toml",
        "/static/vestibule.css",
        "/static/x/y.css",
        "/.env",
        "/.git/config",
        "/index.html",
        "/dev/mail/x",
        "/dev/mail/-1",
        "/dev/mail/99999999999999999999999",
    ];
    for path in paths {
        for face in FACES {
            for session in [None, Some(ada.as_str())] {
                for method in [Method::GET, Method::HEAD] {
                    let visitor = face.visitor(&app, session);
                    let answer = ask(&app, face, &visitor, &method, path, None).await.is(404);
                    assert!(answer.header("location").is_empty(), "{path}");
                    answer.hides("ada@example.com");
                }
            }
        }
    }
    for path in ["/nowhere", "//logout", "//logout/", "/logout//", "/LOGOUT", "/me/sessions//revoke-all"] {
        for face in FACES {
            let visitor = face.visitor(&app, Some(&ada));
            ask(&app, face, &visitor, &Method::POST, path, None).await.is(404);
        }
    }
    for path in ["/me/sessions/%ff", "/me/sessions/a%2Fb", "/me/sessions/%00", "/me/sessions/'"] {
        for face in FACES {
            let visitor = face.visitor(&app, Some(&ada));
            ask(&app, face, &visitor, &Method::DELETE, path, None).await.is(404);
        }
    }
    assert_eq!(app.count("sessions").await, 1);
}

#[actix_web::test]
async fn a_query_in_the_wrong_shape_is_explained_in_both_faces() {
    let app = TestApp::open().await;
    let ada = app.unverified_user("ada@example.com").await.cookie("session").unwrap();
    for path in [
        "/me/logins?cursor=x",
        "/me/logins?cursor=%00",
        "/me/logins?cursor=x&cursor=y",
        "/me/sessions?cursor=x",
    ] {
        for face in FACES {
            let visitor = face.visitor(&app, Some(&ada));
            let answer = ask(&app, face, &visitor, &Method::GET, path, None).await.is(400);
            answer.says("its address has another cursor than we gave out");
        }
    }
}

/// What another site can make a browser send, and what only this site, a person or a program sends.
fn origins(app: &TestApp) -> [Vec<Vec<(&'static str, String)>>; 2] {
    let site = |value: &str| vec![("sec-fetch-site", value.to_owned())];
    let origin = |value: &str| vec![("origin", value.to_owned())];
    let port = app.base_url.rsplit(':').next().unwrap();
    let foreign = vec![
        site("cross-site"),
        site("same-site"),
        site("rubbish"),
        origin("https://evil.example"),
        origin("null"),
        origin(""),
        origin(&format!("{}.evil.example", app.base_url)),
        origin(&format!("http://evil.localhost:{port}")),
        origin(&format!("https://localhost:{port}")),
        origin("http://localhost"),
        [site("cross-site"), origin(&app.base_url)].concat(),
    ];
    [foreign, vec![site("same-origin"), site("none"), vec![], origin(&app.base_url)]]
}

#[actix_web::test]
async fn a_write_from_another_site_is_refused_at_every_door_and_changes_nothing_case_52() {
    let names = Names::start();
    let app = TestApp::with(&[("DNS_SERVER", &names.addr.to_string())]).await;
    let [foreign, own] = origins(&app);
    for (number, row) in rows().iter().filter(|row| !row.method.is_safe() && row.path != ACS).enumerate() {
        app.wait(TimeDelta::hours(1));
        let mut ada = Person::arrive(&app, &format!("ada{number}@example.com")).await;
        if asks_for_more(row.who) {
            (ada.session, ada.code) = stepped_up_session(&app, &format!("recent{number}@example.com")).await;
        }
        if row.path.contains("{slug}") {
            (ada.slug, ada.member) =
                organisation_of(&app, &ada.session, &format!("second{number}@example.com")).await;
        }
        if row.path.contains("/sso") {
            (ada.connection, ada.domain) = sso_of(&names, &app, &ada.session, &ada.slug).await;
        }
        let waiting = match row.who {
            Who::Pending => {
                let owner = app.with_app(&format!("pending{number}@example.com")).await;
                Some(waiting_sign_in(&app, &owner).await)
            }
            _ => None,
        };
        let path = ada.fill(row.path);
        let send = async |face: Face, headers: &[(&'static str, String)]| {
            let mut visitor = match &waiting {
                Some(state) => face.pending(&app, state),
                None => face.visitor(&app, Some(&ada.session)),
            };
            visitor = visitor.without("sec-fetch-site");
            for (name, value) in headers {
                visitor = visitor.with(name, value);
            }
            ask(&app, face, &visitor, &row.method, &path, ada.body(row, face)).await
        };
        let before = everything(&app).await;
        for headers in &foreign {
            for face in FACES {
                let answer = send(face, headers).await.is(403);
                assert!(answer.headers.get("set-cookie").is_none(), "{}", answer.request);
                if face == Face::Json {
                    assert_eq!(code(&answer), "cross_origin");
                }
            }
        }
        assert_eq!(everything(&app).await, before, "{} {path}", row.method);

        for (turn, headers) in own.iter().enumerate() {
            for face in FACES {
                let answer = send(face, headers).await;
                // Whoever asked to be deleted can do so once.
                let is_leaving = code(&answer) == "deletion_scheduled";
                let is_welcome = answer.status != 403 || is_leaving;
                assert!(is_welcome, "{headers:?}: {} {}", answer.request, answer.body);
                assert_ne!(code(&answer), "cross_origin");
                // The links of these are in other emails, nothing is under way, they only echo, or they take a passkey;
                // their own tests use them.
                let is_apart = [
                    "/not-me",
                    "/not-me/was-me",
                    "/use-address",
                    "/me/email/confirm",
                    "/me/email/undo",
                    "/me/2fa/recovery-codes/download",
                    "/login/magic-link/verify",
                    "/auth/methods",
                    "/factor-reset/stop",
                    "/me/factor-reset/stop",
                    "/me/security/removed/{id}/put-back",
                    "/me/sessions/{id}/was-me",
                    "/login/passkey",
                    "/cancel-deletion",
                    "/me/delete/cancel",
                    "/auth/saml/link",
                    "/auth/saml/login",
                ];
                // And a domain is closed, and opened again, only after some steps.
                let is_apart = row.path.ends_with("/enforce")
                    || row.path.ends_with("/release")
                    || is_apart.contains(&row.path)
                    || row.path.starts_with("/me/passkeys") && row.path != "/me/passkeys/options";
                if (turn, face) == (0, Face::Html) && !is_apart {
                    // The very same request from here does change something.
                    assert_ne!(everything(&app).await, before, "{}: {}", answer.request, answer.status);
                }
            }
        }
    }
}

#[actix_web::test]
async fn reading_is_open_to_links_from_other_sites_and_nothing_allows_their_scripts() {
    let app = TestApp::open().await;
    let browser = app.browser().with("sec-fetch-site", "cross-site").with("origin", "https://evil.example");
    ask(&app, Face::Html, &browser, &Method::GET, "/login", None).await.is(200);
    let preflight = app
        .curl()
        .with("origin", "https://evil.example")
        .with("access-control-request-method", "DELETE")
        .with("access-control-request-headers", "content-type");
    for path in ["/me", "/login", "/me/sessions/revoke-all"] {
        ask(&app, Face::Json, &preflight, &Method::OPTIONS, path, None).await.is(405);
    }
    ask(&app, Face::Json, &preflight, &Method::OPTIONS, "/nowhere", None).await.is(404);
}

#[actix_web::test]
async fn trace_echoes_nothing() {
    let app = TestApp::open().await;
    let ada = app.unverified_user("ada@example.com").await.with("x-mine", "seen");
    let secret = ada.cookie("session").unwrap();
    for (path, status) in [("/", 405), ("/me", 405), ("/nowhere", 404)] {
        let answer = ask(&app, Face::Json, &ada, &Method::TRACE, path, None).await.is(status);
        answer.hides(&secret).hides("seen");
    }
}

#[actix_web::test]
async fn a_body_is_a_form_or_json_whole_and_of_a_size() {
    let app = TestApp::open().await;
    let ada = Person::arrive(&app, "ada@example.com").await;
    let (stepped_up, _) = stepped_up_session(&app, "recent@example.com").await;
    let waiting = waiting_sign_in(&app, &app.with_app("pending@example.com").await).await;
    let before = everything(&app).await;
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    let limit = app.inner.config().body_limit;
    assert_eq!(limit, 64 * 1024);
    let padded = |length: usize| format!("{{\"pad\":\"{}\"}}", "x".repeat(length - 10));
    let boundary = "--b\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\na@example.com\r\n--b--\r\n";
    let refused = |limit: usize| {
        [
            (
                415,
                "unsupported_media",
                vec![
                    ("text/plain", "{\"email\":\"a@example.com\"}".to_owned()),
                    ("multipart/form-data; boundary=b", boundary.to_owned()),
                    ("application/xml", "<email>a@example.com</email>".to_owned()),
                    ("application/jsonx", "{}".to_owned()),
                    ("text/json", "{}".to_owned()),
                    ("", "email=a@example.com".to_owned()),
                ],
            ),
            (
                413,
                "too_large",
                vec![(json, padded(limit + 1)), (form, "x".repeat(limit + 1)), (json, "[".repeat(4 * limit))],
            ),
            (
                400,
                "malformed",
                vec![
                    (json, String::new()),
                    (json, "{\"email\": ".to_owned()),
                    (json, "{\"email\": \"a\"} trailing".to_owned()),
                    (json, "null".to_owned()),
                    (json, "7".to_owned()),
                    (json, "\"text\"".to_owned()),
                    (json, "[".repeat(1_000)),
                    (json, "email=a@example.com".to_owned()),
                ],
            ),
        ]
    };
    for row in rows().iter().filter(|row| row.body.is_some() && row.path != ACS) {
        let path = ada.fill(row.path);
        // A document may come along.
        let limit = if row.body.unwrap().contains("$METADATA") { 1024 * 1024 } else { limit };
        let enter = |face: Face| match row.who {
            Who::Pending => face.pending(&app, &waiting),
            who if asks_for_more(who) => face.visitor(&app, Some(&stepped_up)),
            _ => face.visitor(&app, Some(&ada.session)),
        };
        let field = row.body.unwrap().split('=').next().unwrap();
        let twice = [
            (form, format!("{field}=a&{field}=b")),
            (json, format!("{{\"{field}\":\"a\",\"{field}\":\"b\"}}")),
        ];
        let shapeless = [(json, format!("{{\"{field}\":{{}}}}")), (json, format!("{{\"{field}\":7}}"))];
        let own = [(400, "malformed", twice.to_vec()), (422, "invalid", shapeless.to_vec())];
        for (status, name, bodies) in refused(limit).iter().chain(&own) {
            for (kind, body) in bodies {
                for face in FACES {
                    let body = Some((*kind, body.clone()));
                    let answer = ask(&app, face, &enter(face), &row.method, &path, body).await.is(*status);
                    if face == Face::Json {
                        assert_eq!(code(&answer), *name, "{}", answer.request);
                    }
                }
            }
        }
        // At the limit, and with parameters, a body is looked at.
        for (kind, body) in [(json, padded(limit)), ("Application/JSON; charset=utf-8", "{}".to_owned())] {
            let visitor = enter(Face::Json);
            let answer = ask(&app, Face::Json, &visitor, &row.method, &path, Some((kind, body))).await;
            let status = answer.status.as_u16();
            // There is no such organisation; members of none learn no more.
            let fits = [401, 422].contains(&status) || (status == 404 && path.contains("/sso"));
            assert!(fits, "{}: {status} {}", answer.request, answer.body);
        }
        // Who may not enter is told so, whatever they carry.
        if row.who != Who::Anyone {
            let body = Some(("text/plain", "{".to_owned()));
            let answer = ask(&app, Face::Json, &app.curl(), &row.method, &path, body).await;
            let code = if row.who == Who::Pending { "sign_in_ended" } else { "sign_in_required" };
            answer.refuses(401, code);
        }
    }
    let after = everything(&app).await;
    let but_the_audit =
        |rows: Vec<String>| rows.into_iter().filter(|row| !row.starts_with("audit")).collect();
    let (before, after): (Vec<_>, Vec<_>) = (but_the_audit(before), but_the_audit(after));
    assert_eq!(after, before);
}

#[actix_web::test]
async fn a_route_that_needs_no_body_ignores_one() {
    let names = Names::start();
    let app = TestApp::with(&[("DNS_SERVER", &names.addr.to_string())]).await;
    // That one needs something to connect.
    let is_bare = |row: &&Row| {
        !row.method.is_safe()
            && row.body.is_none()
            && row.who != Who::Pending
            && row.path != "/auth/saml/link"
    };
    for (number, row) in rows().iter().filter(is_bare).enumerate() {
        app.wait(TimeDelta::hours(1));
        let mut ada = Person::arrive(&app, &format!("ada{number}@example.com")).await;
        if asks_for_more(row.who) {
            (ada.session, _) = stepped_up_session(&app, &format!("recent{number}@example.com")).await;
        }
        if row.path.contains("{slug}") {
            (ada.slug, ada.member) =
                organisation_of(&app, &ada.session, &format!("second{number}@example.com")).await;
        }
        if row.path.contains("/sso") {
            (ada.connection, ada.domain) = sso_of(&names, &app, &ada.session, &ada.slug).await;
        }
        let visitor = Face::Json.visitor(&app, Some(&ada.session));
        let body = Some(("text/plain", "{".to_owned()));
        // Nobody here has a passkey, or was told of a sign-in.
        let is_absent = ["/me/passkeys/{id}", "/me/security/removed/{id}", "/me/sessions/{id}/was-me"];
        let status = if is_absent.iter().any(|path| row.path.starts_with(path)) { 404 } else { 200 };
        ask(&app, Face::Json, &visitor, &row.method, &ada.fill(row.path), body).await.is(status);
    }
}

#[actix_web::test]
async fn only_who_asks_for_html_by_name_gets_html() {
    let app = TestApp::open().await;
    let accepts = [
        (Face::Html, "text/html"),
        (Face::Html, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        (Face::Html, "application/json;q=0.9, text/html"),
        (Face::Html, "Text/HTML"),
        (Face::Json, "*/*"),
        (Face::Json, "application/json"),
        (Face::Json, "text/*"),
        (Face::Json, "image/avif,image/webp"),
        (Face::Json, ""),
    ];
    for (face, accept) in accepts {
        let visitor = app.curl().with("accept", accept);
        for (path, json_status, html_status) in
            [("/", 200, 200), ("/login", 200, 200), ("/me", 401, 303), ("/nowhere", 404, 404)]
        {
            let status = if face == Face::Html { html_status } else { json_status };
            ask(&app, face, &visitor, &Method::GET, path, None).await.is(status);
        }
        let body = Some(("application/json", "{}".to_owned()));
        ask(&app, face, &visitor, &Method::POST, "/login", body).await.is(422);
    }
    ask(&app, Face::Json, &app.curl().without("accept"), &Method::GET, "/login", None).await.is(200);
}

#[actix_web::test]
async fn over_https_every_answer_says_that_only_https_will_do() {
    let app = TestApp::with(&[("BASE_URL", "https://id.example.com")]).await;
    let ada = Person::arrive(&app, "ada@example.com").await;
    // Each answer is looked at by `ask`.
    for row in rows().iter().filter(|row| row.method == Method::GET) {
        for face in FACES {
            for session in [None, Some(ada.session.as_str())] {
                let visitor = face.visitor(&app, session);
                ask(&app, face, &visitor, &Method::GET, &ada.fill(row.path), None).await;
            }
        }
    }
    for (origin, status) in [
        ("https://id.example.com", 422),
        ("http://id.example.com", 403),
        ("https://id.example.com:8443", 403),
        ("https://evil.id.example.com", 403),
        ("https://example.com", 403),
    ] {
        let visitor = app.curl().with("origin", origin);
        let body = Some(("application/json", "{}".to_owned()));
        ask(&app, Face::Json, &visitor, &Method::POST, "/login", body).await.is(status);
    }
}

#[actix_web::test]
async fn a_page_finds_its_files_and_they_are_kept_for_a_year() {
    let app = TestApp::open().await;
    let page = app.browser().get("/login").await.is(200);
    let files: Vec<&str> = page.body.split('"').filter(|text| text.starts_with("/static/")).collect();
    let script = "text/javascript; charset=utf-8";
    let kinds = ["image/svg+xml", "text/css; charset=utf-8", script, script];
    assert_eq!(files.len(), kinds.len(), "{files:?}");
    for (file, kind) in files.iter().zip(kinds) {
        for face in FACES {
            let visitor = face.visitor(&app, None);
            let answer = ask(&app, face, &visitor, &Method::GET, file, None).await.is(200);
            assert_eq!((answer.header("content-type"), answer.header("vary")), (kind, "accept-encoding"));
            assert!(answer.header("set-cookie").is_empty());
        }
    }
    let stale = files[1].replace(".css", "0.css");
    ask(&app, Face::Html, &app.browser(), &Method::GET, &stale, None).await.is(404);
}

/// Everything that a write could change, but for when a session was last used.
async fn everything(app: &TestApp) -> Vec<String> {
    let mut rows = Vec::new();
    for (table, row) in [
        (
            "users",
            "id || email || name || coalesce(password_hash, '') || coalesce(CAST(email_verified_at AS TEXT), '')",
        ),
        ("sessions", "id || secret_hash"),
        ("tokens", "hash || coalesce(CAST(used_at AS TEXT), '')"),
        ("outbox", "id"),
        ("audit", "id || event"),
        ("totp", "user_id || sealed"),
        ("totp_setups", "user_id || sealed"),
        ("recovery_codes", "hash || coalesce(CAST(used_at AS TEXT), '')"),
    ] {
        let mut found = app.texts(&format!("SELECT '{table} ' || {row} AS text FROM {table}")).await;
        found.sort();
        rows.extend(found);
    }
    rows
}
