//! The policy's form: lists as people write them, and what is said about wrong ones.

use serde_json::{Value, json};

use crate::organisation_policy::{POLICY, open, page};

/// Networks and domains as people have them in a list; what is wrong is named.
#[actix_web::test]
async fn the_form_reads_lists_as_people_write_them_and_names_each_bad_line() {
    let acme = open().await;
    let ada = page(&acme.ada);
    let form = [
        ("secondFactor", "off"),
        ("networks", "203.0.113.0/255.255.255.0 # office\r\n# home\r\n[2001:db8::1]\r\n10.0.0.0 / 8"),
        ("invitedDomains", "https://Example.com/about\r\nwww.example.com."),
        ("byWord", "on"),
    ];
    ada.post(POLICY, &form).await.goes_to(POLICY);
    let policy = acme.ada.get(POLICY).await.is(200).json();
    assert_eq!(policy["networks"], json!(["10.0.0.0/8", "203.0.113.0/24", "2001:db8::1/128"]));
    assert_eq!(policy["invitedDomains"], json!(["example.com", "www.example.com"]));
    let bad = [
        ("secondFactor", "off"),
        ("networks", "10.0.0.*\r\n10.0.0.0 - 10.0.0.255\r\noffice"),
        ("invitedDomains", "no_domain"),
        ("sessionIdle", "1"),
        ("sessionLife", "soon"),
        ("byWord", "on"),
    ];
    page(&acme.ada)
        .post(POLICY, &bad)
        .await
        .is(422)
        .says("10.0.0.* isn&#39;t a network. Write 10.0.0.0/24.")
        .says("10.0.0.0-10.0.0.255 isn&#39;t a network. Write 10.0.0.0/24.")
        .says("office isn&#39;t a network.")
        .says("no_domain isn&#39;t a domain.")
        .says("Minutes without activity: enter a number, 15 to 43200.")
        .says("Minutes since signing in: enter a number, 60 to 43200.");
    let longer = json!({ "sessionIdle": 90, "sessionLife": 60 });
    let told = acme.ada.put_json(POLICY, longer).await.is(422).json();
    assert_eq!(
        told["fields"]["sessionIdle"],
        "Minutes without activity: enter at most 60, the minutes since signing in."
    );
}

#[actix_web::test]
async fn nobody_is_affected_where_nothing_is_asked_for() {
    let acme = open().await;
    page(&acme.ada)
        .get(&format!("{POLICY}?dry=1"))
        .await
        .is(200)
        .says("Nothing is asked for, so nobody is affected.")
        .hides("without two-step verification")
        .hides("When you save, members without it get an email.")
        .says("type=\"date\"");
    let form = [("secondFactor", "off"), ("sessionLife", "90"), ("byWord", "on")];
    page(&acme.ada).post(POLICY, &form).await;
    page(&acme.ada).get(POLICY).await.is(200).hides("Nothing is asked for").hides("without two-step");
}

/// What is misspelt must not look like a wish to ask for nothing.
#[actix_web::test]
async fn an_unknown_field_clears_no_policy_and_a_bare_dry_is_dry() {
    let acme = open().await;
    acme.ada.put_json(POLICY, json!({ "sessionIdle": 30 })).await.is(200);
    let did_you = |field: &str, known: &str| format!("There is no field {field} here. Write {known}.");
    for (path, form, field, sentence) in [
        (POLICY, json!({ "session_idle": 60 }), "session_idle", did_you("session_idle", "sessionIdle")),
        (POLICY, json!({ "sessionidle": 60 }), "sessionidle", did_you("sessionidle", "sessionIdle")),
        (POLICY, json!({ "sessionIdle": 60, "network": [] }), "network", did_you("network", "networks")),
        (&format!("{POLICY}?dryRun"), json!({}), "dryRun", did_you("dryRun", "dry")),
        (&format!("{POLICY}?dryRun=1"), json!({}), "dryRun", did_you("dryRun", "dry")),
        (&format!("{POLICY}?Dry=1"), json!({}), "Dry", did_you("Dry", "dry")),
    ] {
        let refused = acme.ada.put_json(path, form.clone()).await.refuses(422, "invalid").json();
        assert_eq!(refused["fields"][field], sentence, "{path} {form}");
    }
    let strange = acme.ada.put_json(POLICY, json!({ "x": 1 })).await.refuses(422, "invalid").json();
    assert!(strange["fields"]["x"].as_str().unwrap().contains("There is secondFactorFrom, "), "{strange}");
    for query in ["dry", "dry=", "dry=1", "dry=true", "dry=perhaps"] {
        acme.ada.put_json(&format!("{POLICY}?{query}"), json!({})).await.is(200);
    }
    for dry in [json!(""), json!(true), json!(1), json!("on")] {
        acme.ada.put_json(POLICY, json!({ "dry": dry })).await.is(200);
    }
    let found = acme.ada.get(POLICY).await.is(200).json();
    assert_eq!(found["sessionIdle"], 30);
    // What was read can be sent as it is.
    acme.ada.put_json(POLICY, found.clone()).await.is(200);
    assert_eq!(acme.ada.get(POLICY).await.json(), found);
    acme.ada.put_json(&format!("{POLICY}?dry=0"), json!({ "dry": false })).await.is(200);
    assert_eq!(acme.ada.get(POLICY).await.json()["sessionIdle"], Value::Null);
    page(&acme.ada)
        .get("/organisations/acme/audit")
        .await
        .is(200)
        .says("Session idle: 30 minutes → no limit");
}
