//! The operator's commands for connections, beside a running house.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use crate::{
    harness::{CommandOutput, TestApp, outbound::Publisher},
    idp::{Acme, ada, id_of, request_in},
    saml::forger::{self, Idp},
};

fn lines(output: &CommandOutput) -> Vec<Value> {
    assert_eq!((output.code, output.err.as_str()), (Some(0), ""), "{output:?}");
    output.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A file with the metadata of Acme's identity provider.
fn metadata(folder: &tempfile::TempDir, idp: &Idp) -> String {
    let file = folder.path().join("metadata.xml");
    fs::write(&file, forger::metadata(forger::IDP, &[idp])).unwrap();
    file.to_str().unwrap().to_owned()
}

fn refusal(output: &CommandOutput) -> &str {
    assert_eq!((output.code, output.out.as_str()), (Some(1), ""), "{output:?}");
    assert!(!output.err.contains("panicked") && output.err.trim_end().ends_with('.'), "{output:?}");
    &output.err
}

#[actix_web::test]
async fn an_operator_connects_an_organisation_and_its_people_come_in() {
    let app = TestApp::today().await;
    let folder = tempfile::tempdir().unwrap();
    let idp = Idp::rsa();
    let file = metadata(&folder, &idp);
    let owner = app.verified("boss@acme.example").await;
    let add = [
        "sso",
        "add",
        "--organisation",
        "Acme",
        "--owner",
        "boss@acme.example",
        "--metadata",
        &file,
        "--domain",
        "Example.com",
        "--approved",
        "--group",
        "makers=editor",
        "--group",
        "cn=owners,dc=acme=owner",
        "--default-role",
        "viewer",
        "--json",
    ];

    let made = lines(&app.command(&add)).remove(0);
    assert_eq!((&made["organisation"], &made["domain"]), (&json!("acme"), &json!("example.com")));
    assert_eq!((&made["issuer"], &made["approved"]), (&json!(forger::IDP), &json!(true)));
    assert_eq!(owner.get("/organisations").await.json()["organisations"][0]["role"], "owner");

    let listed = lines(&app.command(&["sso", "list", "--json"])).remove(0);
    assert_eq!(listed["id"], made["id"]);
    assert_eq!(listed["domains"], json!([{ "name": "example.com", "proved": true, "enforced": false }]));
    let words = app.command(&["sso", "list"]).out;
    assert!(words.contains("example.com (verified)") && words.contains(forger::IDP), "{words}");

    let id = made["id"].as_str().unwrap();
    let acme = Acme::made(idp, forger::IDP, made["id"].as_str().unwrap(), owner, &app).await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada().in_groups(&["makers"])).await.goes_to("/me");
    assert_eq!(acme.roles(&app).await[0], "ada@example.com editor");

    let findings = lines(&app.command(&["sso", "test", id, "--json"]));
    let health: BTreeMap<&str, &str> = findings
        .iter()
        .filter_map(|finding| Some((finding["what"].as_str()?, finding["health"].as_str()?)))
        .collect();
    for what in ["metadata", "key", "domain", "sign-in"] {
        assert_eq!(health[what], "fine", "{findings:?}");
    }
    let made_by = "audit WHERE actor_kind = 'operator' AND event IN \
        ('organisation_made', 'connection_made', 'domain_added', 'domain_verified')";
    assert_eq!(app.count(made_by).await, 4);
}

#[actix_web::test]
async fn metadata_behind_a_link_is_read_at_once_and_the_link_kept() {
    let publisher = Publisher::start(&forger::metadata(forger::IDP, &[&Idp::rsa()]));
    let app = TestApp::with(&[("SSO_PRIVATE_METADATA", "on")]).await;
    app.verified("boss@acme.example").await;
    let link = publisher.link();
    let add = [
        "sso",
        "add",
        "--organisation",
        "Acme",
        "--owner",
        "boss@acme.example",
        "--metadata",
        &link,
        "--domain",
        "example.com",
        "--json",
    ];

    let made = lines(&app.command(&add)).remove(0);

    assert_eq!((&made["issuer"], &made["approved"]), (&json!(forger::IDP), &json!(false)));
    let kept = app.texts("SELECT metadata_url AS text FROM connections").await.remove(0);
    assert_eq!(kept, link);
    publisher.publish("404 Not Found", "");
    let again =
        app.command(&["sso", "add", "--organisation", "acme", "--metadata", &link, "--domain", "b.example"]);
    assert!(refusal(&again).contains("status 404"), "{again:?}");
}

#[actix_web::test]
async fn what_cannot_be_connected_is_said_in_a_sentence_and_leaves_nothing_behind() {
    let app = TestApp::open().await;
    let folder = tempfile::tempdir().unwrap();
    let file = metadata(&folder, &Idp::rsa());
    let rubbish = folder.path().join("rubbish.xml");
    fs::write(&rubbish, "<!DOCTYPE a><a/>").unwrap();
    let rubbish = rubbish.to_str().unwrap();
    app.unverified_user("claim@example.com").await;
    app.verified("boss@acme.example").await;
    let add = |organisation: &str, owner: &str, metadata: &str, domain: &str| {
        let fixed =
            ["sso", "add", "--organisation", organisation, "--metadata", metadata, "--domain", domain];
        let owner = if owner.is_empty() { vec![] } else { vec!["--owner", owner] };
        app.command(&[&fixed[..], &owner].concat())
    };

    assert!(refusal(&add("Acme", "", &file, "example.com")).contains("no organisation called Acme"));
    assert!(refusal(&add("Acme", "nobody@example.com", &file, "example.com")).contains("confirmed"));
    assert!(refusal(&add("Acme", "claim@example.com", &file, "example.com")).contains("confirmed"));
    assert!(
        refusal(&add("Acme", "boss@acme.example", "/nonexistent", "example.com")).contains("/nonexistent")
    );
    assert!(refusal(&add("Acme", "boss@acme.example", rubbish, "example.com")).contains("document type"));
    assert!(refusal(&add("Acme", "boss@acme.example", &file, "not a domain")).contains("like example.com"));
    let private = "http://127.0.0.1:9/metadata";
    assert!(refusal(&add("Acme", "boss@acme.example", private, "example.com")).contains("private network"));
    assert_eq!(app.count("organisations").await + app.count("connections").await, 0);
    refusal(&app.command(&["sso", "test", "nothing"]));
    refusal(&app.command(&["sso", "domain", "approve", "example.com"]));
    refusal(&app.command(&["sso", "key", "switch"]));

    for wrong in [&["sso"][..], &["sso", "add"], &["sso", "domain"], &["sso", "key", "lose"]] {
        assert_eq!(app.command(wrong).code, Some(2), "{wrong:?}");
    }
    let fixed = ["sso", "add", "--organisation", "a", "--metadata", "b", "--domain", "c", "--group"];
    for wrong in ["makers", "makers=king"] {
        assert_eq!(app.command(&[&fixed[..], &[wrong]].concat()).code, Some(2), "{wrong}");
    }
}

#[actix_web::test]
async fn an_operator_approves_the_domain_of_one_of_several() {
    let app = TestApp::open().await;
    let folder = tempfile::tempdir().unwrap();
    let file = metadata(&folder, &Idp::rsa());
    for name in ["Acme", "Beta"] {
        let owner = format!("boss@{}.example", name.to_lowercase());
        app.verified(&owner).await;
        let add = [
            "sso",
            "add",
            "--organisation",
            name,
            "--owner",
            &owner,
            "--metadata",
            &file,
            "--domain",
            "example.com",
        ];
        assert_eq!(app.command(&add).code, Some(0));
    }
    app.browser().get("/auth/saml/login?email=ada@example.com").await.goes_to("/login");
    let approve = ["sso", "domain", "approve", "example.com"];

    assert!(refusal(&app.command(&approve)).contains("--organisation"));
    let named = [&approve[..], &["--organisation", "beta"]].concat();
    let output = app.command(&named);
    assert_eq!((output.code, output.out.as_str()), (Some(0), "example.com is beta's.\n"), "{output:?}");
    let again = app.command(&named);
    assert_eq!(again.code, Some(1), "an act that did nothing says so: {again:?}");
    assert!(again.err.contains("nothing was changed"), "{again:?}");
    let other = [&approve[..], &["--organisation", "acme"]].concat();
    assert!(refusal(&app.command(&other)).contains("Another organisation has verified"));

    request_in(&app.browser().get("/auth/saml/login?email=ada@example.com").await);
    assert_eq!(app.count("domains WHERE verified_by = 'operator'").await, 1);
}

#[actix_web::test]
async fn a_key_is_announced_before_it_is_used_case_84() {
    let app = TestApp::today().await;
    let certificates = async || {
        let body = app.curl().get("/auth/saml/metadata").await.is(200).body;
        body.matches("<ds:X509Certificate>").count() + body.matches("<X509Certificate>").count()
    };
    assert_eq!(certificates().await, 0);

    let first = lines(&app.command(&["sso", "key", "announce", "--json"])).remove(0);
    assert_eq!(first["state"], "in_use");
    let one = certificates().await;
    let second = lines(&app.command(&["sso", "key", "announce", "--json"])).remove(0);
    assert_eq!(second["state"], "announced");
    assert_ne!(first["fingerprint"], second["fingerprint"]);
    assert!(certificates().await > one);

    assert_eq!(app.command(&["sso", "key", "switch"]).out, "The announced key is in use.\n");
    assert_eq!(app.count("service_keys WHERE state = 'retired'").await, 1);
    assert_eq!(app.command(&["sso", "key", "switch"]).code, Some(1));
    assert_eq!(app.count("service_keys WHERE state = 'in_use'").await, 1, "a refusal changes nothing");
    assert_eq!(app.count("audit WHERE actor_kind = 'operator' AND event LIKE 'service_key_%'").await, 3);
}

#[actix_web::test]
async fn the_whole_way_can_be_clicked_after_seeding() {
    let app = TestApp::today().await;
    assert_eq!(app.command(&["seed"]).code, Some(0));
    assert_eq!(app.command(&["seed"]).code, Some(0));
    assert_eq!(app.count("organisations").await, 1);
    let browser = app.browser();

    browser.get("/login").await.is(200).says("Email address").hides("type=\"password\"");
    let hop = browser.get("/login?email=dora@demo.example&next=/me/security").await.is(200);
    let hop = hop.says("/auth/sso/login?email=dora%40demo.example");
    drop(hop);
    let left = browser.get("/auth/saml/login?email=dora@demo.example&next=/me/security").await.is(303);
    let there = left.header("location").strip_prefix(&app.base_url).unwrap().to_owned();
    let page = browser.get(&there).await.is(200).says("Dora, of the owners");
    let field = |name: &str| {
        let (_, rest) = page.body.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split_once('"').unwrap().0.replace("&#43;", "+").replace("&#x2b;", "+")
    };
    let form = [("SAMLResponse", field("SAMLResponse")), ("RelayState", field("RelayState"))];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let back = browser.post("/auth/saml/callback", &form).await.is(303);
    browser.get(back.header("location")).await.goes_to("/me/security");

    let organisations =
        browser.clone().with("accept", "application/json").get("/organisations").await.is(200);
    assert_eq!(organisations.json()["organisations"][0]["role"], "owner");
    // Whoever came in has tried the connection.
    assert_eq!(app.count("connections WHERE tested_at IS NOT NULL").await, 1);
    assert!(!id_of(&browser).await.is_empty());
    browser.get("/dev/idp").await.is(200).says("Nothing has been asked yet");
    browser.get("/dev/idp?SAMLRequest=rubbish").await.is(400);
    browser.get("/dev/idp/metadata").await.is(200);
}

#[actix_web::test]
async fn the_sign_in_page_asks_for_the_address_first_and_does_not_tell_who_is_here() {
    let app = TestApp::open().await;
    let browser = app.browser();
    browser.get("/login").await.is(200).says("type=\"password\"");
    Acme::of(&app).await;
    app.verified("eve@example.org").await;

    browser.get("/login?next=/me/security").await.is(200).hides("type=\"password\"").says("/me/security");
    browser.get("/login?with=password").await.is(200).says("type=\"password\"");
    let page = async |email: &str| app.browser().get(&format!("/login?email={email}")).await;
    let kept =
        page("eve@example.org").await.is(200).says("type=\"password\"").says("value=\"eve@example.org\"");
    assert_eq!(kept.outline("eve@example.org"), page("bob@example.org").await.outline("bob@example.org"));
    let (ada, bob) = (page("ada@example.com").await.is(200), page("bob@example.com").await.is(200));
    let plain = |text: String, name: &str| text.replace(&format!("{name}%40example.com"), "ADDRESS");
    assert_eq!(plain(ada.outline("ada@example.com"), "ada"), plain(bob.outline("bob@example.com"), "bob"));
    page("nonsense").await.is(422).says("role=\"alert\"").hides("type=\"password\"");

    let json = app.curl().get("/login?email=ada@example.com").await.is(200).json();
    assert_eq!(json["signIn"], "/auth/sso/login?email=ada%40example.com");
    let json = app.curl().get("/login?email=eve@example.org").await.is(200).json();
    assert!(json["signIn"].is_null());
}

#[actix_web::test]
async fn an_identity_provider_that_takes_forms_only_gets_one() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    acme.sets(&app, "metadata = replace(metadata, 'HTTP-Redirect', 'HTTP-POST')").await;

    let page = app.browser().get("/auth/saml/login?email=ada@example.com").await.is(200);

    let policy = page.header("content-security-policy").to_owned();
    assert!(!policy.contains("form-action"), "{policy}");
    page.says("action=\"https://idp.example/sso\"").says("name=\"SAMLRequest\"").hides("<script>");
}
