//! Programs that show an API key at the host of an application.

use serde_json::{Value, json};

use super::{Gate, WIKI, check, post_at, user_in, verify};
use crate::{
    harness::{Answer, TestApp, Visitor, organisations::Acme},
    keys::{KEYS, OURS, by_key, makes, mistyped},
};

/// Acme before a trusted proxy, and an application that takes keys.
async fn opened(options: &[&str]) -> (Acme, Gate) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("permissions.toml");
    std::fs::write(&file, crate::harness::organisations::NOTES).unwrap();
    let settings = [("TRUSTED_PROXIES", "127.0.0.1"), ("PERMISSIONS_FILE", file.to_str().unwrap())];
    let acme = Acme::of(TestApp::with(&settings).await).await;
    // The catalogue stays without its file.
    let node = acme.app.second_node_with(&[("PERMISSIONS_FILE", "")]).await;
    let gate = Gate::of(node, &[&["--bearer", "on"], options].concat());
    (acme, gate)
}

fn program(gate: &Gate, secret: &str) -> Visitor {
    gate.program().with("authorization", &format!("Bearer {secret}"))
}

async fn key(person: &Visitor, permissions: &[&str], organisation: Option<&str>) -> String {
    let form = json!({ "name": "Build", "permissions": permissions, "organisation": organisation });
    makes(person, KEYS, form).await.1
}

async fn our_key(acme: &Acme, permissions: &[&str]) -> (String, String) {
    makes(&acme.ada, OURS, json!({ "name": "Sync", "permissions": permissions })).await
}

fn challenge(answer: &Answer) -> &str {
    answer.header("www-authenticate")
}

fn needs(gate: &Gate, needs: &[&str]) {
    let options: Vec<&str> = needs.iter().flat_map(|need| ["--need", *need]).collect();
    let set = gate.app.command(&[&["app", "set", WIKI][..], &options].concat());
    assert_eq!(set.code, Some(0), "{}", set.err);
}

#[actix_web::test]
async fn a_key_of_a_person_s_comes_in_as_them_and_is_judged_alone() {
    let (acme, gate) = opened(&[]).await;
    let (bea, bea_id) = acme.joins("bea@example.com", "editor").await;
    bea.post_json("/organisations", json!({ "name": "Other" })).await.is(201);
    let secret = key(&bea, &["account:read"], None).await;
    for answer in
        [check(&program(&gate, &secret)).await.is(200), verify(&program(&gate, &secret)).await.is(200)]
    {
        assert_eq!(user_in(&answer).as_deref(), Some(bea_id.as_str()));
        assert_eq!(answer.header("remote-email"), "bea@example.com");
        assert_eq!(answer.header("remote-groups"), "acme:editor,other:owner");
        // Nobody signed in.
        for name in ["vestibule-acr", "vestibule-auth-time"] {
            assert_eq!(answer.headers.get(name).map(|value| value.as_bytes()), Some(&b""[..]), "{name}");
        }
    }
    // One that is for an organisation tells of no other.
    let bound = key(&bea, &["account:read"], Some("acme")).await;
    assert_eq!(check(&program(&gate, &bound)).await.is(200).header("remote-groups"), "acme:editor");

    // It counts alone: a cookie beside it lets nobody in, and a wrong one is no reason to look at that.
    let host = gate.lets_in(&acme.ada).await;
    let both = |secret: &str| host.clone().with("authorization", &format!("Bearer {secret}"));
    assert_eq!(user_in(&check(&both(&secret)).await.is(200)).as_deref(), Some(bea_id.as_str()));
    let without = key(&bea, &["notes:read"], None).await;
    let refused = check(&both(&without)).await.refuses(403, "forbidden").json();
    assert_eq!(refused["permission"], "account:read");
    for wrong in [mistyped(&secret), crate::keys::PLANTED.to_owned(), "vstp_".to_owned()] {
        let answer = check(&both(&wrong)).await.refuses(401, "invalid_token");
        assert_eq!(challenge(&answer), "Bearer error=\"invalid_token\"");
        verify(&both(&wrong)).await.refuses(401, "invalid_token");
        both(&wrong).get_once("/gate/refused").await.refuses(401, "invalid_token");
    }
    // What is not ours belongs to the application.
    for foreign in ["Bearer eyJhbGciOi.x.y", "Basic YTpi", "Bearer ghp_0123"] {
        let answer = check(&host.clone().with("authorization", foreign)).await.is(200);
        assert_ne!(user_in(&answer).as_deref(), Some(bea_id.as_str()), "{foreign}");
    }
    // No browser adds one by itself.
    let elsewhere = program(&gate, &secret).with("sec-fetch-site", "cross-site");
    check(&elsewhere.with("x-forwarded-method", "POST").with("origin", "https://evil.example")).await.is(200);

    // What ends it counts at the next request.
    bea.post_json("/me/keys/suspend-all", json!({})).await.is(200);
    check(&program(&gate, &secret)).await.refuses(401, "invalid_token");
}

#[actix_web::test]
async fn no_key_meets_a_second_factor_or_a_sign_in_that_is_not_old() {
    let (acme, gate) = opened(&["--open", "/public"]).await;
    let secret = key(&acme.ada, &["account:read"], None).await;
    let told = async |query: &str| {
        let path = format!("/gate/check?vestibule=1{query}");
        let answer = program(&gate, &secret).get_once(&path).await;
        challenge(&answer.refuses(401, "insufficient_user_authentication")).to_owned()
    };
    let begins = "Bearer error=\"insufficient_user_authentication\"";
    assert_eq!(told("&vestibule-acr=phr").await, format!("{begins}, acr_values=\"phr\""));
    assert_eq!(told("&vestibule-acr=1fa").await, format!("{begins}, acr_values=\"1fa\""));
    assert_eq!(told("&vestibule-recent=300").await, format!("{begins}, max_age=\"300\""));
    needs(&gate, &["second-factor", "recent=5m"]);
    let both = format!("{begins}, acr_values=\"2fa\", max_age=\"300\"");
    assert_eq!(told("").await, both);
    assert_eq!(told("&vestibule-acr=1fa&vestibule-recent=600").await, both);
    // What is open stays open, and nobody is told of there.
    for secret in [secret.clone(), mistyped(&secret)] {
        let open = program(&gate, &secret).with("x-forwarded-uri", "/public/x");
        assert_eq!(user_in(&check(&open).await.is(200)), None);
    }
}

#[actix_web::test]
async fn a_key_is_a_member_where_its_person_is_and_holds_what_is_asked_for() {
    let (acme, gate) = opened(&[]).await;
    let (bea, _) = acme.joins("bea@example.com", "editor").await;
    let eve = gate.app.verified("eve@example.com").await;
    eve.steps_up().await;
    bea.post_json("/organisations", json!({ "name": "Other" })).await.is(201);
    let read = key(&bea, &["account:read", "notes:read"], None).await;
    let bare = key(&bea, &["account:read"], None).await;
    let elsewhere = key(&bea, &["account:read", "notes:read"], Some("other")).await;
    let stranger = key(&eve, &["account:read", "notes:read"], None).await;
    for (need, who_comes_in) in [
        ("member=acme", [true, true, false, false]),
        ("member=acme:editor", [true, true, false, false]),
        ("member=acme:owner", [false, false, false, false]),
        // The permission has to be held by both.
        ("member=acme:notes:read", [true, false, false, false]),
        ("member=acme:members:invite", [false, false, false, false]),
    ] {
        needs(&gate, &[need]);
        for (secret, is_in) in [&read, &bare, &elsewhere, &stranger].into_iter().zip(who_comes_in) {
            let answer = check(&program(&gate, secret)).await;
            match is_in {
                true => drop(answer.is(200)),
                false => drop(answer.refuses(403, "application_forbidden")),
            }
        }
    }
}

#[actix_web::test]
async fn an_organisation_s_key_comes_in_where_its_members_do() {
    let (acme, gate) = opened(&[]).await;
    let (id, secret) = our_key(&acme, &["notes:read"]).await;
    // It stands for nobody.
    check(&program(&gate, &secret)).await.refuses(403, "application_forbidden");
    for (need, is_in) in [
        ("member=acme", true),
        ("member=acme:notes:read", true),
        ("member=acme:notes:delete", false),
        ("member=acme:members:read", false),
        ("member=acme:viewer", false),
    ] {
        needs(&gate, &[need]);
        assert_eq!(check(&program(&gate, &secret)).await.status == 200, is_in, "{need}");
    }
    needs(&gate, &["member=acme"]);
    let answer = check(&program(&gate, &secret)).await.is(200);
    assert_eq!(user_in(&answer).as_deref(), Some(id.as_str()));
    for (name, value) in [
        ("remote-email", ""),
        ("remote-name", ""),
        ("remote-groups", format!("acme:{id}").as_str()),
        ("vestibule-acr", ""),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    // Nor does it where an application knows people by their addresses.
    assert_eq!(gate.app.command(&["app", "set", WIKI, "--user", "email"]).code, Some(0));
    assert_eq!(user_in(&check(&program(&gate, &secret)).await.is(200)), None);
    // The networks of the organisation count for it, as they do for people.
    let here = |visitor: Visitor| visitor.with("x-forwarded-for", "127.0.0.1");
    let policy = json!({ "networks": ["127.0.0.0/8"] });
    here(acme.ada.clone()).put_json("/organisations/acme/policy", policy).await.is(200);
    check(&here(program(&gate, &secret))).await.is(200);
    let away = program(&gate, &secret).with("x-forwarded-for", "203.0.113.7");
    check(&away).await.refuses(403, "application_forbidden");
    here(acme.ada.clone()).post_json("/organisations/acme/delete", json!({ "name": "Acme" })).await.is(200);
    check(&here(program(&gate, &secret))).await.refuses(401, "invalid_token");
}

#[actix_web::test]
async fn an_application_takes_keys_only_where_its_operator_said_so() {
    let gate = Gate::with(&[]).await;
    let ada = crate::harness::organisations::stepped_up(&gate.app, "ada@example.com").await;
    let id = gate.app.user_id("ada@example.com").await;
    let secret = key(&ada, &["account:read"], None).await;
    // That header is the application's own.
    check(&program(&gate, &secret)).await.refuses(401, "sign_in_required");
    let host = gate.lets_in(&ada).await.with("authorization", &format!("Bearer {}", mistyped(&secret)));
    check(&host).await.is(200);
    let shown = |gate: &Gate| {
        let shown = gate.app.command(&["app", "show", WIKI, "--json"]);
        serde_json::from_str::<Value>(&shown.out).unwrap()["bearer"].clone()
    };
    assert_eq!(shown(&gate), "off");
    assert_eq!(gate.app.command(&["app", "set", WIKI, "--bearer", "on"]).code, Some(0));
    assert_eq!(shown(&gate), "on");
    assert_eq!(user_in(&check(&program(&gate, &secret)).await.is(200)).as_deref(), Some(id.as_str()));
    check(&host).await.refuses(401, "invalid_token");
    // It opens nothing at the paths between the host and this site.
    program(&gate, &secret).get_once("/.vestibule/me").await.refuses(401, "sign_in_required");
    assert_eq!(gate.app.command(&["app", "set", WIKI, "--bearer", "off"]).code, Some(0));
    check(&host).await.is(200);
    post_at(&host, "/.vestibule/logout", &[]).await;
    assert_eq!(by_key(&gate.app, &secret).get("/me").await.status, 200);
}

#[actix_web::test]
async fn a_use_at_a_gate_is_noted_once_a_minute_and_counted() {
    let gate = Gate::of(
        TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1"), ("THROTTLE", "on")]).await,
        &["--bearer", "on"],
    );
    let ada = crate::harness::organisations::stepped_up(&gate.app, "ada@example.com").await;
    let secret = key(&ada, &["account:read"], None).await;
    let away = program(&gate, &secret).with("x-forwarded-for", "203.0.113.7");
    check(&away).await.is(200);
    let used = |answer: Answer| answer.json()["keys"][0].clone();
    let first = used(ada.get(KEYS).await);
    assert_eq!(first["lastUsedFrom"], "203.0.113.0/24");
    gate.app.wait(chrono::TimeDelta::seconds(59));
    check(&away).await.is(200);
    assert_eq!(used(ada.get(KEYS).await)["lastUsedAt"], first["lastUsedAt"]);
    gate.app.wait(chrono::TimeDelta::minutes(1));
    for _ in 0..30 {
        check(&program(&gate, crate::keys::PLANTED)).await.refuses(401, "invalid_token");
    }
    let refused = check(&program(&gate, crate::keys::PLANTED)).await.refuses(429, "too_many_attempts");
    assert!(refused.header("retry-after").parse::<i64>().unwrap() <= 60);
    // nginx knows no such answer.
    verify(&program(&gate, crate::keys::PLANTED)).await.is(403);
    // A key that works pays for no neighbour of its own.
    check(&program(&gate, &secret)).await.is(200);
    check(&away).await.is(200);
}
