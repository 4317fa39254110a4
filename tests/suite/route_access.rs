//! Every route, tried by everybody in both faces: who may enter, and how the others are turned away.

use actix_web::http::Method;
use serde_json::json;
use vestibule::{routes::entries, web::Access};

use crate::{
    every_route::{BODIES, FACES, Face, Person, ask, rows, waiting_sign_in},
    harness::{Answer, PASSWORD, TestApp},
};

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
fn refusal(access: Access, standing: Standing) -> Option<&'static str> {
    match (access, standing) {
        (Access::Directory, _) => unreachable!("`scim` looks at them"),
        (Access::Anyone, _) | (Access::Pending, Standing::Pending) => None,
        (Access::Pending, _) => Some("sign_in_ended"),
        (_, Standing::SteppedUp) => None,
        (_, Standing::Anonymous | Standing::Pending) => Some("sign_in_required"),
        (Access::SignedIn | Access::SignedInOrApiKey | Access::IncludingScheduledDeletion, _)
        | (Access::Verified | Access::VerifiedOrApiKey, Standing::Verified) => None,
        (
            Access::Verified
            | Access::VerifiedOrApiKey
            | Access::VerifiedSteppedUp
            | Access::VerifiedSteppedUpByAny,
            Standing::Unverified,
        ) => Some("email_unverified"),
        (Access::SteppedUp | Access::VerifiedSteppedUp | Access::VerifiedSteppedUpByAny, _) => {
            Some("reauthentication_required")
        }
    }
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
        // What leads to no organisation or provider, or is over, leads back to the sign-in page: no refusal either.
        let back = [
            " /auth/saml/login",
            " /auth/sso/login",
            " /auth/oidc/login",
            " /auth/oidc/callback",
            " /auth/oidc/finish",
            // Nobody is signed in to be signed out.
            " /oauth/logout",
        ];
        if back.iter().any(|path| answer.request.contains(path)) {
            return false;
        }
        let is_sent = answer.status == 303 && location.split('?').next() == Some(way);
        let is_told = answer.status != 200 && answer.body.contains(&format!("\"{code}\""));
        is_told || (is_sent && !answer.request.ends_with(" /logout"))
    };
    ways.into_iter().find(is_refused).map(|(code, _)| code)
}

// What a thief wants, written out: the guards say the same, and one that goes missing is noticed here.
const SENSITIVE: [(Access, &[&str]); 4] = [
    (Access::Pending, &["/login/2fa", "/login/2fa/passkey/options"]),
    (Access::SteppedUp, &["/me/password", "/me/delete"]),
    (Access::VerifiedSteppedUpByAny, &["/me/export"]),
    (
        Access::VerifiedSteppedUp,
        &[
            "/me/email",
            "/me/2fa/totp",
            "/me/2fa/totp/confirm",
            "/me/2fa/totp/disable",
            "/me/2fa/recovery-codes",
            "/me/passkeys/options",
            "/me/passkeys/{id}/remove",
            "/me/providers/{id}",
            "/me/providers/{id}/remove",
            "/me/keys/{id}/roll",
            "/me/keys/{id}/resume",
            "/organisations/{slug}/keys/{id}/roll",
            "/organisations/{slug}/delete",
            "/organisations/{slug}/members/{member}",
            "/organisations/{slug}/members/{member}/role",
            "/organisations/{slug}/members/{member}/remove",
        ],
    ),
];

// What belongs to an account or an organisation, but for links in emails.
const PRIVATE: [&str; 4] = ["/me", "/organisations", "/auth/confirm", "/auth/continue"];
const BY_LINK: [&str; 2] = ["/me/email/confirm", "/me/email/undo"];

#[test]
fn what_a_thief_wants_asks_for_more_than_a_session() {
    let entries = entries();
    for (access, paths) in SENSITIVE {
        for path in paths {
            let found: Vec<Access> =
                entries.iter().filter(|entry| entry.path == *path).map(|entry| entry.access).collect();
            assert!(!found.is_empty() && found.iter().all(|one| *one == access), "{path}: {found:?}");
        }
    }
    for entry in &entries {
        let what = format!("{} {}: {:?}", entry.method, entry.path, entry.access);
        let changes_credentials = [
            "POST /me/passkeys:",
            "DELETE /me/passkeys/{id}:",
            "POST /me/keys:",
            "POST /organisations/{slug}/keys:",
        ];
        if entry.path.starts_with("/organisations/{slug}/sso")
            || changes_credentials.iter().any(|route| what.starts_with(route))
        {
            assert_eq!(entry.access, Access::VerifiedSteppedUp, "{what}");
        }
        let is_below = |root: &&str| entry.path == *root || entry.path.starts_with(&format!("{root}/"));
        if PRIVATE.iter().any(is_below) && !BY_LINK.contains(&entry.path) {
            assert_ne!(entry.access, Access::Anyone, "{what}");
        }
    }
}

#[test]
fn every_body_belongs_to_a_route() {
    let entries = entries();
    for (method, path, _) in BODIES {
        let is_there = entries.iter().any(|entry| (entry.method.as_str(), entry.path) == (*method, *path));
        assert!(is_there, "no route takes {method} {path}");
    }
}

#[actix_web::test]
async fn whoever_may_enter_enters_and_nobody_else_case_77() {
    let app = TestApp::open().await;
    let someone = Person::nobody();
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
                let mut expected = refusal(row.access, standing);
                if (row.access, face) == (Access::Pending, Face::Html) && standing != Standing::Pending {
                    expected = Some("sign_in_required");
                    assert_eq!(answer.header("location"), "/login", "{what}");
                }
                // A stranger to an organisation learns that there is none, before a step-up for what could be wrong.
                if standing == Standing::Verified && row.path == "/organisations/{slug}/keys" {
                    expected = expected.filter(|_| row.method != Method::POST);
                }
                assert!(answer.status.as_u16() < 500, "{what}");
                assert_eq!(turned_away(&answer), expected, "{what}: {}", answer.body);
                // Only programs ask that, and are led nowhere.
                let is_led = face == Face::Html && !["/auth/check", "/auth/token"].contains(&row.path);
                if expected == Some("sign_in_required") && is_led && row.access != Access::Pending {
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
