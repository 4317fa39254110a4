//! A provider signs somebody out, and the sessions here that came from there end (OpenID Connect Back-Channel Logout 1.0).

use serde_json::{Value, json};

use super::{
    connections::Ground,
    gina,
    provider::{CLIENT, Provider, Signer},
};
use crate::{
    harness::{Answer, TestApp, Visitor},
    idp::is_nobody,
};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A logout token, with changes; null takes a claim out.
fn token(app: &TestApp, provider: &Provider, signer: &Signer, changes: Value) -> String {
    let now = app.clock.now().unix();
    let mut claims = json!({
        "iss": provider.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": "first", "events": {EVENT: {}},
    });
    for (name, change) in changes.as_object().unwrap() {
        match change {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            change => claims[name] = change.clone(),
        }
    }
    signer.sign(&claims)
}

async fn posts(app: &TestApp, key: &str, token: &str) -> Answer {
    app.curl().post(&format!("/auth/oidc/logout/{key}"), &[("logout_token", token)]).await
}

async fn is_in(browser: &Visitor) -> bool {
    !is_nobody(browser).await
}

#[actix_web::test]
async fn a_logout_there_ends_the_sessions_from_there() {
    let ground = Ground::open().await;
    let id = ground.connects(json!({})).await;
    let Ground { app, provider, .. } = &ground;
    let signer = provider.signer();
    let [laptop, phone, other] = [app.browser(), app.browser(), app.browser()];
    for (browser, who, sid) in [(&laptop, "bea", "s1"), (&phone, "bea", "s2"), (&other, "carl", "s3")] {
        let who = json!({"sub": who, "email": format!("{who}@acme.example"), "sid": sid});
        ground.comes(browser, &who).await.goes_to("/me");
    }
    let of_bea = json!({"sub": "bea"});
    for changes in [
        json!({"sub": "bea", "aud": "them"}),
        json!({"sub": "bea", "iss": "https://evil.example"}),
        json!({"sub": "bea", "nonce": "n"}),
        json!({"sub": "bea", "events": null}),
        json!({"sub": "bea", "jti": null}),
        json!({"sub": "bea", "iat": app.clock.now().unix() - 400}),
        json!({}),
    ] {
        let refused = posts(app, &id, &token(app, provider, &signer, changes.clone())).await.is(400);
        assert_eq!(refused.json(), json!({"error": "invalid_request"}), "{changes}");
    }
    posts(app, &id, &token(app, provider, &Signer::new("first"), of_bea.clone())).await.is(400);
    let unknown = "0".repeat(32);
    for key in [unknown.as_str(), "nobody"] {
        posts(app, key, &token(app, provider, &signer, of_bea.clone())).await.is(400);
    }
    assert!(is_in(&laptop).await && is_in(&phone).await && is_in(&other).await, "nothing of it counted");

    // A session there that is another person's ends nobody's; one that is theirs ends that.
    let mixed = json!({"sub": "bea", "sid": "s3"});
    posts(app, &id, &token(app, provider, &signer, mixed)).await.is(200);
    let of_laptop = json!({"sid": "s1", "jti": "second"});
    let sent = token(app, provider, &signer, of_laptop);
    let answer = posts(app, &id, &sent).await.is(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(!is_in(&laptop).await && is_in(&phone).await && is_in(&other).await);
    posts(app, &id, &sent).await.is(400);
    posts(app, &id, &token(app, provider, &signer, json!({"sub": "bea", "jti": "third"}))).await.is(200);
    assert!(!is_in(&phone).await && is_in(&other).await);
}

#[actix_web::test]
async fn a_provider_of_the_settings_ends_its_sessions_too() {
    let provider = Provider::start();
    let app = provider.site(&[]).await;
    let (laptop, phone) = (app.browser(), app.browser());
    let mut who = gina();
    who["sid"] = json!("s1");
    provider.signs_in(&app, &laptop, &who).await.goes_to("/me");
    who["sid"] = json!("s2");
    provider.signs_in(&app, &phone, &who).await.goes_to("/me");
    let signer = provider.signer();
    posts(&app, "acme", &token(&app, &provider, &signer, json!({"sid": "s1"}))).await.is(200);
    assert!(!is_in(&laptop).await && is_in(&phone).await);
    posts(&app, "acme", &token(&app, &provider, &signer, json!({"sub": "gina", "jti": "2"}))).await.is(200);
    assert!(!is_in(&phone).await);
}
