//! The first journey, as one types it with curl, against the program as it is shipped.

use serde_json::{Value, json};

use crate::harness::Ground;

/// With every limit on, as people run it.
fn as_shipped() -> Ground {
    Ground::with(&[("THROTTLE", "")])
}

#[actix_web::test]
async fn a_stranger_signs_up_confirms_signs_in_twice_and_signs_one_device_out() {
    let ground = as_shipped();
    let vestibule = ground.serve().await;
    let curl = vestibule.curl();

    let fields = json!({ "email": "test@example.com", "password": "pass12345", "name": "Test User" });
    let answer = curl.post_json("/signup", fields).await.is(201);
    let user = answer.json()["user"].clone();
    assert_eq!(keys(&user), ["createdAt", "email", "emailVerified", "id", "name"]);
    assert_eq!(
        (&user["email"], &user["emailVerified"], &user["name"]),
        (&json!("test@example.com"), &json!(false), &json!("Test User"))
    );
    assert_moment(&user["createdAt"]);
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("session=") && cookie.contains("HttpOnly"), "{cookie}");

    let token = ground.token_for("test@example.com").await;
    let answer = vestibule.curl().get(&format!("/verify-email?token={token}")).await.is(200).json();
    assert_eq!(keys(&answer), ["emailVerified", "message"]);
    assert_eq!(answer["emailVerified"], true);

    let credentials = json!({ "email": "test@example.com", "password": "pass12345" });
    let mac = vestibule.curl().named("Chrome/120 macOS");
    let phone = vestibule.curl().named("Safari/17 iPhone");
    for jar in [&mac, &phone] {
        let answer = jar.post_json("/login", credentials.clone()).await.is(200).json();
        assert_eq!(keys(&answer), ["user"]);
        assert_eq!((&answer["user"]["id"], &answer["user"]["emailVerified"]), (&user["id"], &json!(true)));
    }

    // Whoever types this names the devices once, as they sign in.
    let (mac, phone) = (mac.named("curl/8.9.1"), phone.named("curl/8.9.1"));
    let list = mac.get("/me/sessions").await.is(200).json();
    let sessions = list["sessions"].as_array().unwrap();
    let names: Vec<_> = sessions.iter().map(|session| session["deviceName"].as_str().unwrap()).collect();
    assert_eq!(sessions.len(), 3, "the sign-up and two devices: {names:?}");
    let named = |name: &str| sessions.iter().find(|session| session["deviceName"] == name).unwrap();
    let (here, there) = (named("Chrome on macOS"), named("Safari on iPhone"));
    assert_eq!((&here["current"], &there["current"]), (&json!(true), &json!(false)));
    for session in sessions {
        let promised = [
            "browser",
            "createdAt",
            "current",
            "deviceName",
            "deviceType",
            "expiresAt",
            "id",
            "ip",
            "lastActiveAt",
            "method",
            "os",
        ];
        for key in promised {
            assert!(!session[key].is_null(), "{key} is not in {session}");
        }
        for key in ["createdAt", "lastActiveAt", "expiresAt"] {
            assert_moment(&session[key]);
        }
        assert_eq!(session["ip"], "127.0.0.1");
    }
    assert_eq!(
        (&there["browser"], &there["os"], &there["deviceType"]),
        (&json!("Safari"), &json!("iPhone"), &json!("phone"))
    );
    assert_eq!((&here["method"], &there["method"]), (&json!("password"), &json!("password")));

    let path = format!("/me/sessions/{}", there["id"].as_str().unwrap());
    let answer = mac.delete(&path).await.is(200).json();
    assert_eq!(keys(&answer), ["message"]);

    phone.get("/me/sessions").await.refuses(401, "sign_in_required");
    mac.get("/me").await.is(200);
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// RFC 3339 in UTC, to the second.
#[track_caller]
fn assert_moment(value: &Value) {
    let text = value.as_str().unwrap();
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(shape, "9999-99-99T99:99:99Z", "{text}");
}

#[actix_web::test]
async fn an_address_changes_after_one_confirmation_that_is_good_for_five_minutes() {
    let ground = as_shipped();
    let vestibule = ground.serve().await;
    let curl = vestibule.curl();
    let fields = json!({ "email": "test@example.com", "password": "pass12345", "name": "Test User" });
    curl.post_json("/signup", fields).await.is(201);
    let token = ground.token_for("test@example.com").await;
    curl.post_json("/verify-email", json!({ "token": token })).await.is(200);

    let refused = curl.put_json("/me/email", json!({ "email": "new@example.com" })).await;
    let refused = refused.refuses(403, "reauthentication_required").json();
    assert!(refused["error"].as_str().unwrap().starts_with("Confirm it's you"), "{refused}");
    assert_eq!((&refused["confirm"], &refused["methods"]), (&json!("/auth/confirm"), &json!(["password"])));

    let confirmed = curl.post_json("/auth/confirm", json!({ "password": "pass12345" })).await.is(200).json();
    assert_moment(&confirmed["confirmedUntil"]);
    let changed = curl.put_json("/me/email", json!({ "email": "new@example.com" })).await.is(200).json();
    assert_eq!(keys(&changed), ["message"]);
    let again = curl.post_json("/me/email", json!({ "email": "newer@example.com" })).await.is(200).json();
    assert_eq!(keys(&again), ["message"]);

    assert!(ground.emails_to("new@example.com").await[0].text.contains("/me/email/confirm?token="));
    assert!(ground.emails_to("newer@example.com").await[0].text.contains("/me/email/confirm?token="));
}

#[actix_web::test]
async fn somebody_leaves_looks_at_what_is_left_and_stays() {
    let ground = as_shipped();
    let vestibule = ground.serve().await;
    let curl = vestibule.curl();
    let fields = json!({ "email": "test@example.com", "password": "pass12345", "name": "Test User" });
    curl.post_json("/signup", fields).await.is(201);
    let token = ground.token_for("test@example.com").await;
    curl.post_json("/verify-email", json!({ "token": token })).await.is(200);

    let refused = curl.post("/me/delete", &[]).await.refuses(403, "reauthentication_required").json();
    assert_eq!((&refused["confirm"], &refused["methods"]), (&json!("/auth/confirm"), &json!(["password"])));
    curl.post_json("/auth/confirm", json!({ "password": "pass12345" })).await.is(200);
    let export = curl.get("/me/export").await.is(200).json();
    assert_eq!(export["profile"]["email"], "test@example.com");

    let asked = curl.post("/me/delete", &[]).await.is(200).json();
    assert_eq!(keys(&asked), ["daysRemaining", "deleteAt", "message", "scheduled"]);
    assert_eq!((&asked["scheduled"], &asked["daysRemaining"]), (&json!(true), &json!(30)));
    assert_moment(&asked["deleteAt"]);
    let status = curl.get("/me/delete/status").await.is(200).json();
    assert_eq!(keys(&status), ["daysRemaining", "deleteAt", "scheduled"]);
    assert_eq!((&status["scheduled"], &status["daysRemaining"]), (&json!(true), &json!(30)));
    curl.get("/me").await.refuses(403, "deletion_scheduled");

    let kept = curl.post("/me/delete/cancel", &[]).await.is(200).json();
    assert_eq!(keys(&kept), ["message", "scheduled"]);
    assert_eq!(kept["scheduled"], false);
    assert_eq!(curl.get("/me/delete/status").await.is(200).json(), json!({ "scheduled": false }));
    curl.get("/me").await.is(200);
}
