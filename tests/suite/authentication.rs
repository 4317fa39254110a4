//! Every way in ends at one place, which asks for the second factor where there is one.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use vestibule::{
    ids::Id,
    internals::{SharedSecret, restore_app},
};

use crate::{
    harness::{PASSWORD, TestApp, Visitor, token_in},
    idp::{self, Acme},
    invitations::link_of,
    magic_link,
    oidc::connections::Ground,
    passkeys,
};

/// What a way in comes to for an account that has an app.
enum Way {
    /// The browser is asked for the code.
    Asks { visitor: Visitor, secret: String },
    /// It was two proofs in one, and let in.
    BringsBoth { visitor: Visitor },
    /// Nobody can have a second factor there yet: it makes an account of its own.
    MakesAnother { visitor: Visitor, is_confirmed: bool },
}

/// Goes in by the flow in this file of `src/flows`, as the owner of an account with an app. A new flow that brings people
/// in needs a row here.
async fn go_in_by(flow: &str, app: &TestApp) -> Way {
    match flow {
        "login" => {
            let ada = app.with_app("login@example.com").await;
            let visitor = app.curl();
            ada.submits_password(&visitor).await.is(200);
            Way::Asks { visitor, secret: ada.secret }
        }
        "signup" => {
            let ada = app.with_app("signup@example.com").await;
            Way::MakesAnother { visitor: app.unverified_user(&ada.address).await, is_confirmed: false }
        }
        "use_address" => {
            let unverified_user = app.unverified_user("start@example.com").await;
            give_app(app, &unverified_user).await;
            let emails = app.emails_to("start@example.com").await;
            let (_, link) = emails[0].text.split_once("/use-address?").unwrap();
            let (token, email) = (token_in(link).unwrap(), "start@example.com");
            let visitor = app.curl();
            let form = json!({ "token": token, "email": email, "name": "Ada", "password": PASSWORD });
            visitor.post_json("/use-address", form).await.is(201);
            Way::MakesAnother { visitor, is_confirmed: true }
        }
        "invitations" => {
            let host = app.verified("host@example.com").await;
            host.post_json("/organisations", json!({ "name": "Guests" })).await.is(201);
            let unverified_user = app.unverified_user("guest@example.com").await;
            give_app(app, &unverified_user).await;
            let form = json!({ "email": "guest@example.com", "role": "viewer" });
            host.post_json("/organisations/guests/invitations", form).await.is(201);
            let form = json!({ "token": link_of(app, "guest@example.com").await, "name": "Ada", "password": PASSWORD });
            let visitor = app.curl();
            visitor.post_json("/invitations/accept", form).await.is(201);
            Way::MakesAnother { visitor, is_confirmed: true }
        }
        "verify_email" => {
            let unverified_user = app.unverified_user("verify@example.com").await;
            // No door leads to an app on a mere claim, so it is put there.
            let secret = give_app(app, &unverified_user).await;
            let (visitor, token) = (app.browser(), app.token_for("verify@example.com").await);
            visitor.post("/verify-email", &[("token", &token), ("password", PASSWORD)]).await.is(303);
            Way::Asks { visitor, secret }
        }
        "magic_link" => {
            let ada = app.with_app("link@example.com").await;
            let visitor = app.browser();
            let token = magic_link::asked(app, &visitor, &ada.address).await;
            visitor.post("/login/magic-link/verify", &[("token", &token)]).await.is(303);
            Way::Asks { visitor, secret: ada.secret }
        }
        "login_passkey" => {
            let (_, mut device) = passkeys::with_passkey(app, "passkey@example.com").await;
            let visitor = app.curl();
            passkeys::signs_in(&visitor, &mut device).await.is(200);
            Way::BringsBoth { visitor }
        }
        "saml" => {
            let acme = Acme::of(app).await;
            let visitor = app.browser();
            acme.signs_in(app, &visitor, &idp::ada()).await.goes_to("/me");
            let secret = give_app(app, &visitor.clone().with("accept", "*/*")).await;
            let visitor = app.browser();
            acme.signs_in(app, &visitor, &idp::ada()).await.is(303);
            Way::Asks { visitor, secret }
        }
        other => panic!("src/flows/{other}.rs lets people in and has no row here"),
    }
}

/// The same at an organisation's provider, which runs beside its own program.
async fn go_in_by_oidc(ground: &Ground) -> Way {
    ground.connects(json!({})).await;
    let bea = json!({ "sub": "bea", "email": "bea@acme.example", "name": "Bea" });
    let visitor = ground.app.browser();
    ground.comes(&visitor, &bea).await.goes_to("/me");
    let secret = give_app(&ground.app, &visitor.clone().with("accept", "*/*")).await;
    let visitor = ground.app.browser();
    ground.comes(&visitor, &bea).await.is(303);
    Way::Asks { visitor, secret }
}

#[actix_web::test]
async fn every_way_in_asks_for_the_second_factor() {
    let flows = flows_that_let_in();
    assert!(flows.len() >= 3, "{flows:?}");
    let app = TestApp::open().await;
    for flow in flows {
        let ground;
        let (app, way) = match flow.as_str() {
            "oidc" => {
                ground = Ground::open().await;
                let way = go_in_by_oidc(&ground).await;
                (&ground.app, way)
            }
            flow => (&app, go_in_by(flow, &app).await),
        };
        match way {
            Way::Asks { visitor, secret } => {
                assert_eq!(visitor.cookie("session"), None, "{flow}");
                let page = visitor.clone().with("accept", "text/html");
                page.get("/me").await.goes_to("/login?next=%2Fme");
                page.get("/login/2fa").await.is(200).says("authenticator app");
                visitor.clone().with("accept", "*/*").submits_code("000000").await.refuses(422, "invalid");
                let code = app.next_code(&secret);
                page.post("/login/2fa", &[("code", &code)]).await.goes_to("/me");
                page.get("/me").await.is(200);
            }
            Way::BringsBoth { visitor } => {
                visitor.get("/me").await.is(200);
                let factors =
                    app.texts("SELECT second_factor AS text FROM sessions WHERE method = 'passkey'");
                assert_eq!(factors.await, ["passkey"], "{flow}");
            }
            Way::MakesAnother { visitor, is_confirmed } => {
                let me = visitor.get("/me").await.is(200).json();
                assert_eq!(me["user"]["emailVerified"], is_confirmed, "{flow}");
                assert_eq!(visitor.get("/me/2fa").await.is(200).json()["totp"]["enabled"], false, "{flow}");
            }
        }
    }
}

#[test]
fn no_session_is_started_but_at_the_one_door() {
    // A browser at the host of an application has a child of one, and starts none.
    let starts = |source: &str| source.replace("gate_session::start(", "").contains("session::start(");
    let found: Vec<_> = sources("src").into_iter().filter(|(_, source)| starts(source)).collect();
    let files: Vec<_> = found.iter().map(|(path, _)| path.display().to_string()).collect();
    assert_eq!(files, ["src/accounts/authentication.rs"]);
}

/// The flows that call the door, by their names.
fn flows_that_let_in() -> BTreeSet<String> {
    let calls = |source: &str| {
        ["complete_first_factor(", "complete_sso(", "complete_passkey("]
            .iter()
            .any(|call| source.contains(call))
    };
    let let_in = sources("src/flows").into_iter().filter(|(_, source)| calls(source));
    let_in
        .map(|(path, _)| {
            let below = path.strip_prefix("src/flows").unwrap().with_extension("");
            below.iter().next().unwrap().to_string_lossy().into_owned()
        })
        .collect()
}

/// Every Rust file below a folder, without its comments.
fn sources(folder: impl AsRef<Path>) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let code: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap()).collect();
            found.push((path, code.join("\n")));
        }
    }
    found
}

/// An app for an account that could not set one up.
async fn give_app(app: &TestApp, curl: &Visitor) -> String {
    let user = curl.get("/me").await.json()["user"]["id"].as_str().unwrap().to_owned();
    let secret = SharedSecret::from_bytes(b"one of twenty octets");
    let told = secret.base32().to_string();
    let given = app.inner.write(move |tx| restore_app(tx, &Id::from_text(user), &secret));
    given.await.unwrap();
    told
}
