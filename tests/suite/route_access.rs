//! Every door of the house, tried by everybody in both faces: who may enter, what is refused and how, and what
//! every answer carries. A new route needs a row in [`rows`].

use std::collections::BTreeSet;

use actix_web::http::Method;
use serde_json::json;
use vestibule::routes::{Who, entries};

use crate::{
    every_route::{FACES, Face, NOBODY, Person, ask, rows, waiting_sign_in},
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
