//! `vestibule app`.

use serde_json::{Value, json};

use super::{Gate, WIKI};
use crate::harness::{CommandOutput, TestApp};

fn done(output: &CommandOutput) -> Value {
    assert_eq!(output.code, Some(0), "{}", output.err);
    serde_json::from_str(&output.out).unwrap()
}

#[actix_web::test]
async fn an_application_is_added_shown_changed_and_removed_on_record() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let ada = app.verified("ada@example.com").await;
    ada.post_json("/organisations", json!({ "name": "Acme" })).await.is(201);
    let options = [
        "--name",
        "Wiki",
        "--need",
        "second-factor",
        "--need",
        "recent=5m",
        "--need",
        "member=acme:editor",
        "--open",
        "/public",
        "--style",
        "x-auth-request",
        "--user",
        "email",
        "--cross-origin",
        "https://a.example",
        "--preflight",
        "pass",
        "--json",
    ];
    let added = done(&app.command(&[&["app", "add", "WIKI.localhost.:8080"], &options[..]].concat()));
    let needs = json!({ "verified": true, "secondFactor": true, "recent": 300, "members": ["acme:editor"] });
    assert_eq!((&added["host"], &added["name"], &added["needs"]), (&json!(WIKI), &json!("Wiki"), &needs));
    assert_eq!(
        (&added["open"], &added["style"], &added["user"]),
        (&json!(["/public"]), &json!("x-auth-request"), &json!("email"))
    );
    assert_eq!((&added["crossOrigin"], &added["preflight"]), (&json!(["https://a.example"]), &json!("pass")));
    assert_eq!(done(&app.command(&["app", "show", WIKI, "--json"])), added);
    assert_eq!(done(&app.command(&["app", "list", "--json"])), added);
    let shown = app.command(&["app", "show", WIKI]);
    assert!(
        shown.out.contains("members of: acme:editor") && shown.out.contains("a second factor"),
        "{}",
        shown.out
    );

    let again = app.command(&["app", "add", "wiki.localhost:8080"]);
    assert_eq!(
        (again.code, again.err.trim()),
        (Some(1), "There is an application at wiki.localhost:8080 already.")
    );
    let same = app.command(&["app", "set", WIKI, "--name", "Wiki"]);
    assert_eq!(same.code, Some(1), "{}", same.err);
    let set =
        ["app", "set", WIKI, "--need", "verified", "--open", "none", "--cross-origin", "refuse", "--json"];
    assert_eq!(done(&app.command(&set))["changed"], true);
    let shown = done(&app.command(&["app", "show", WIKI, "--json"]));
    let needs = json!({ "verified": true, "secondFactor": false, "recent": null, "members": [] });
    assert_eq!((&shown["needs"], &shown["open"], &shown["crossOrigin"]), (&needs, &json!([]), &json!([])));
    assert_eq!(shown["style"], "x-auth-request", "what is not given stays");
    for (command, second) in [("disable", 1), ("enable", 1), ("remove", 1)] {
        assert_eq!(app.command(&["app", command, WIKI]).code, Some(0));
        assert_eq!(app.command(&["app", command, WIKI]).code, Some(second), "{command} twice");
    }
    let events =
        "SELECT event AS text FROM audit WHERE event LIKE 'application%' AND actor_kind = 'operator'";
    let mut events = app.texts(events).await;
    events.sort();
    let expected =
        ["added", "changed", "disabled", "enabled", "removed"].map(|what| format!("application_{what}"));
    assert_eq!(events, expected);
    let detail = app.texts("SELECT detail AS text FROM audit WHERE event = 'application_changed'").await;
    let detail: Value = serde_json::from_str(&detail[0]).unwrap();
    assert_eq!(detail["before"]["needs"]["secondFactor"], true);
    assert_eq!(detail["after"]["needs"]["secondFactor"], false);
    assert_eq!(detail["before"]["settings"]["open"], json!(["/public"]));
    assert_eq!(detail["after"]["settings"]["open"], json!([]));
}

#[actix_web::test]
async fn what_cannot_be_is_refused_in_a_sentence_and_changes_nothing() {
    let app = TestApp::open().await;
    let own = app.base_url.strip_prefix("http://").unwrap().to_owned();
    for (arguments, says) in [
        (vec!["a/b"], "a/b is no host"),
        (vec!["https://wiki.localhost"], "is no host of a site that is reached by http"),
        (vec![own.as_str()], "is this site itself"),
        (vec![WIKI, "--need", "admin"], "admin is no need"),
        (vec![WIKI, "--need", "recent=never"], "never is no span"),
        (vec![WIKI, "--need", "recent=2d"], "2d is no span"),
        (vec![WIKI, "--need", "member=nowhere"], "There is no organisation called nowhere"),
        (vec![WIKI, "--need", "member=A!"], "is no membership"),
        (vec![WIKI, "--open", "/a/../b"], "is no plain path"),
        (vec![WIKI, "--open", "public"], "is no plain path"),
        (vec![WIKI, "--cross-origin", "https://a.example/"], "is no origin"),
        (vec![WIKI, "--cross-origin", "*"], "is no origin"),
        (vec![WIKI, "--prefix", "/"], "is no prefix"),
        (vec![WIKI, "--prefix", "/a/b"], "is no prefix"),
        (vec![WIKI, "--name", ""], "Enter a name"),
    ] {
        let refused = app.command(&[&["app", "add"], &arguments[..]].concat());
        assert_eq!(refused.code, Some(1), "{arguments:?}: {}", refused.out);
        assert!(refused.err.contains(says), "{arguments:?}: {}", refused.err);
    }
    for usage in
        [&["--style", "mine"][..], &["--kind", "mobile"], &["--user", "name"], &["--preflight", "maybe"]]
    {
        assert_eq!(app.command(&[&["app", "add", WIKI], usage].concat()).code, Some(2), "{usage:?}");
    }
    for command in ["show", "set", "disable", "enable", "remove", "test"] {
        let refused = app.command(&["app", command, WIKI]);
        assert_eq!(
            (refused.code, refused.err.trim()),
            (Some(1), "There is no application at wiki.localhost:8080.")
        );
    }
    assert_eq!(app.count("applications").await, 0);
    // Until a proxy is named, it answers nobody.
    let added = app.command(&["app", "add", WIKI]);
    assert!(added.err.contains("TRUSTED_PROXIES names no proxy"), "{}", added.err);
}

#[actix_web::test]
async fn an_operator_learns_what_somebody_would_get() {
    let gate = Gate::with(&["--need", "second-factor", "--need", "recent=5m", "--open", "/public"]).await;
    gate.app.verified("ada@example.com").await;
    gate.app.unverified_user("eve@example.com").await;
    let owner = gate.app.with_app("bob@example.com").await;
    let ask =
        |arguments: &[&str]| done(&gate.app.command(&[&["app", "test", WIKI, "--json"], arguments].concat()));
    for (arguments, outcome, says) in [
        (&[][..], "sign_in_required", "is sent to sign in"),
        (&["--path", "/public/a?b"], "allowed", "is open"),
        (&["--as", "ada@example.com"], "refused", "no second factor"),
        (&["--as", "eve@example.com"], "refused", "not confirmed"),
        (&["--as", owner.address.as_str()], "allowed", "Their second factor is asked for"),
        (&["--as", owner.address.as_str()], "allowed", "at most 300 seconds ago"),
    ] {
        let told = ask(arguments);
        assert_eq!(told["outcome"], outcome, "{arguments:?}: {told}");
        assert!(told["steps"].to_string().contains(says), "{arguments:?}: {told}");
    }
    let nobody = gate.app.command(&["app", "test", WIKI, "--as", "nobody@example.com"]);
    assert_eq!(nobody.code, Some(1));
    gate.app.command(&["app", "disable", WIKI]);
    assert_eq!(ask(&["--as", owner.address.as_str()])["outcome"], "closed");
}

#[actix_web::test]
async fn a_configuration_is_printed_for_each_proxy_filled_in_case_a8_8_case_a8_14() {
    let gate = Gate::with(&["--prefix", "/auth"]).await;
    for (proxy, says) in [
        ("nginx", "proxy_set_header Remote-User $gate_remote_user;"),
        ("caddy", "uri /gate/check?vestibule=1"),
        ("traefik", "Remote_User: \"\""),
        ("traefik", "Vestibule_Auth-Time: \"\""),
        ("apache", "headers[\"Remote-User\"] = answer[\"remote-user\"]"),
        // What Envoy would pass on of itself (A8.14).
        ("envoy", "- { exact: location }"),
        ("envoy", "- { exact: set-cookie }"),
        ("envoy", "{ exact: \"sec-websocket-key\" }"),
        ("envoy", "failure_mode_allow: false"),
    ] {
        let printed = gate.app.command(&["app", "config", WIKI, proxy, "--upstream", "127.0.0.1:9999"]);
        assert_eq!(printed.code, Some(0), "{}", printed.err);
        let upstream = match proxy {
            "envoy" => "address: \"127.0.0.1\", port_value: 9999",
            _ => "127.0.0.1:9999",
        };
        for words in [says, upstream, "wiki.localhost", "8080", "/auth/"] {
            if (proxy, words) != ("traefik", "8080") {
                assert!(printed.out.contains(words), "{proxy}: {words}: {}", printed.out);
            }
        }
        // A proxy knows this site by its port alone, and no page of it.
        assert!(!printed.out.contains(&gate.app.base_url), "{proxy}: {}", printed.out);
        let wrong = gate.app.command(&["app", "config", WIKI, proxy, "--upstream", "http://x; evil"]);
        assert_eq!(wrong.code, Some(1), "{}", wrong.out);
    }
    assert_eq!(gate.app.command(&["app", "config", WIKI, "haproxy"]).code, Some(2));
}

/// What `doctor` says of hosts.
fn says(app: &TestApp) -> String {
    let printed = app.command(&["doctor"]).out;
    printed.lines().filter(|line| line.contains(" gate ")).collect::<Vec<_>>().join("\n")
}

#[actix_web::test]
async fn doctor_names_what_is_wrong_with_a_host() {
    let gate = Gate::of(TestApp::open().await, &[]);
    assert!(
        says(&gate.app).contains("wiki.localhost:8080: TRUSTED_PROXIES names no proxy"),
        "{}",
        says(&gate.app)
    );
    gate.program().get_once("/gate/check").await.is(403);
    assert!(says(&gate.app).contains("127.0.0.1 asked last, on 2026-11-21"), "{}", says(&gate.app));
    let gate = Gate::of(TestApp::with(&[("TRUSTED_PROXIES", "10.0.0.1")]).await, &[]);
    gate.program().get_once("/gate/check").await.is(403);
    assert!(says(&gate.app).contains("127.0.0.1 asked on"), "{}", says(&gate.app));
    let gate = Gate::with(&[]).await;
    assert!(says(&gate.app).contains("does not lead here"), "{}", says(&gate.app));
    assert!(says(&gate.app).contains("No proxy has asked yet"), "{}", says(&gate.app));
    gate.program().get_once("/gate/check").await.is(401);
    assert!(says(&gate.app).contains("127.0.0.1 asked last"), "{}", says(&gate.app));
    gate.app.command(&["app", "disable", WIKI]);
    let told = says(&gate.app);
    assert!(told.contains("wiki.localhost:8080 is disabled since"), "{told}");
    assert!(!told.contains("asked last"), "{told}");
}

#[actix_web::test]
async fn doctor_names_applications_that_a_browser_takes_for_one() {
    let gate = Gate::with(&[]).await;
    assert!(!says(&gate.app).contains("one host to a browser"));
    for host in ["wiki.localhost", "wiki.localhost:9090", "notes.localhost:8080"] {
        assert_eq!(gate.app.command(&["app", "add", host]).code, Some(0));
    }
    let printed = says(&gate.app);
    let line = printed.lines().find(|line| line.contains("are one host to a browser")).unwrap();
    assert!(line.matches("wiki.localhost").count() == 3 && line.contains("wiki.localhost:9090"), "{line}");
    assert!(!line.contains("notes"), "{line}");
}

#[actix_web::test]
async fn an_open_path_that_could_never_match_is_refused() {
    let gate = Gate::with(&["--open", "/public"]).await;
    for (path, instead) in [
        ("/static/*", "/static"),
        ("/api/{id}", "/api"),
        ("/**", "the path alone"),
        ("^/x$", ""),
        ("/a|b", "/a"),
    ] {
        for command in [&["app", "add", "other.localhost:8080"][..], &["app", "set", WIKI]] {
            let refused = gate.app.command(&[command, &["--open", path]].concat());
            assert_eq!(refused.code, Some(1), "{path}");
            let is_pattern = refused.err.contains("is a pattern") && refused.err.contains(instead);
            assert!(is_pattern || refused.err.contains("no plain path"), "{}", refused.err);
        }
    }
}

#[actix_web::test]
async fn nginx_keeps_answers_where_the_setting_says_so() {
    for (cache, is_kept) in [("0s", false), ("5s", true)] {
        let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1"), ("GATE_CACHE", cache)]).await;
        let gate = Gate::of(app, &[]);
        let printed = gate.app.command(&["app", "config", WIKI, "nginx"]).out;
        for words in [
            "proxy_cache_path /var/cache/nginx/vestibule-wiki-localhost-8080 keys_zone=vestibule_wiki-localhost-8080:10m;",
            "proxy_cache vestibule_wiki-localhost-8080;",
            "proxy_cache_key \"$request_method $http_host$request_uri $args $http_cookie $http_authorization",
        ] {
            assert_eq!(printed.contains(words), is_kept, "{cache}: {words}: {printed}");
        }
    }
}
