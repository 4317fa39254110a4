//! How a browser comes from a host to this site and back, and how it does not.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::TimeDelta;
use sha2::{Digest, Sha256};

use super::{Gate, WIKI, check, local, origin};
use crate::harness::{Answer, PASSWORD, Visitor};

#[actix_web::test]
async fn a_newcomer_signs_in_with_a_form_and_a_page_leads_on() {
    let gate = Gate::with(&[]).await;
    gate.app.verified("ada@example.com").await;
    let (host, here) = (gate.browser(), gate.app.browser());
    let enter = gate.start(&host, "/x").await;
    let login = here.get_once(&enter).await.is(303);
    let login = login.location().unwrap();
    assert!(login.starts_with("/login?next=%2Fgate%2Fenter%3F"), "{login}");
    let fields = [("email", "ada@example.com"), ("password", PASSWORD), ("next", enter.as_str())];
    here.post("/login", &fields).await.goes_to(&enter);
    // A redirect would be one hop behind a form, to another site.
    let page = here.get_once(&enter).await.is(200).says("Continue to Wiki");
    let refresh = page.body.split("content=\"0;url=").nth(1).unwrap().split('"').next().unwrap();
    let back = local(&refresh.replace("&amp;", "&"), &origin(WIKI));
    host.get_once(&back).await.goes_to("/x");
    assert!(gate.is_let_in(&host).await);
    // Next time there is nothing in between.
    let silent = here.with("sec-fetch-site", "cross-site").get_once(&gate.start(&host, "/y").await).await;
    local(silent.is(303).location().unwrap(), &origin(WIKI));
}

#[actix_web::test]
async fn the_way_back_is_whole_case_a8_7() {
    let gate = Gate::with(&[]).await;
    let ada = gate.app.verified("ada@example.com").await;
    for to in ["/x?a=1&b=2&to=/evil", "/x?q=%26%23%25#part", "/caf%C3%A9?n=%20+", "/x?vestibule-acr=phr"] {
        let host = super::asks(gate.browser(), "GET", to);
        let start = check(&host).await.is(303);
        let start = local(start.location().unwrap(), &origin(WIKI));
        let enter = local(host.get_once(&start).await.is(303).location().unwrap(), &gate.app.base_url);
        let page = ada.get_once(&enter).await.is(200).json();
        let back = local(page["location"].as_str().unwrap(), &origin(WIKI));
        host.get_once(&back).await.goes_to(to);
        assert!(gate.is_let_in(&host).await);
    }
    // And leads nowhere else.
    for evil in ["https://evil.example", "//evil.example", "/\\evil.example", ""] {
        let host = gate.browser();
        let back = gate.way_back(&host, &ada, evil).await;
        host.get_once(&back).await.goes_to("/");
    }
}

/// The browser keeps nothing of what it was given.
fn forget(host: &Visitor) {
    ["gate", "gate-start"].iter().for_each(|name| host.set_cookie(name, ""));
}

/// Follows a browser until it stays, at the host and here.
async fn follow(
    gate: &Gate,
    host: &Visitor,
    me: &Visitor,
    mut answer: Answer,
    keeps: bool,
) -> (usize, Answer) {
    for hops in 1.. {
        assert!(hops < 12, "a loop");
        if !keeps {
            forget(host);
        }
        let Some(to) = answer.location().map(str::to_owned) else { return (hops, answer) };
        answer = match to.strip_prefix(&origin(WIKI)) {
            Some(path) if path.starts_with("/.vestibule/") => host.get_once(path).await,
            Some(_) => check(host).await,
            None => match to.strip_prefix(&gate.app.base_url) {
                Some(path) => me.clone().with("sec-fetch-site", "cross-site").get_once(path).await,
                None => check(host).await,
            },
        };
    }
    unreachable!()
}

#[actix_web::test]
async fn a_browser_that_keeps_no_cookie_is_told_and_never_goes_round_case_a8_9() {
    let gate = Gate::with(&[]).await;
    gate.app.verified("ada@example.com").await;
    let me = gate.app.browser();
    me.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.is(303);
    let host = gate.browser();
    let (_, end) = follow(&gate, &host, &me, check(&host).await, false).await;
    end.is(200).says("did not keep the cookie that Wiki needs");

    // One that keeps all but the one that lets in.
    let host = gate.browser();
    let (_, end) = follow(&gate, &host, &me, check(&host).await, true).await;
    end.is(200);
    let kept = host.cookie("gate-start").unwrap();
    forget(&host);
    host.set_cookie("gate-start", &kept);
    let (_, end) = follow(&gate, &host, &me, check(&host).await, true).await;
    end.says("did not keep the cookie that Wiki needs");
    // A minute later it is tried again.
    gate.app.wait(TimeDelta::seconds(61));
    let (_, end) = follow(&gate, &host, &me, check(&host).await, true).await;
    assert_eq!(end.is(200).body, "");
}

#[actix_web::test]
async fn any_node_ends_what_another_began_case_a8_10() {
    let gate = Gate::with(&[]).await;
    let node = gate.app.second_node().await;
    let ada = gate.app.verified("ada@example.com").await;
    let host = gate.browser();
    let back = gate.way_back(&host, &ada.at(node.port), "/x").await;
    host.at(node.port).get_once(&back).await.goes_to("/x");
    let there = host.at(node.port);
    let back = gate.way_back(&there, &ada, "/x").await;
    let there = there.at(gate.app.port);
    there.get_once(&back).await.goes_to("/x");
    assert!(gate.is_let_in(&there).await);
    assert!(gate.is_let_in(&there.at(node.port)).await);
}

#[actix_web::test]
async fn tabs_come_in_side_by_side_and_a_script_begins_nothing_case_a8_11() {
    let gate = Gate::with(&[]).await;
    let ada = gate.app.verified("ada@example.com").await;
    let host = gate.browser();
    let mut tabs = Vec::new();
    for tab in ["/a", "/b", "/c"] {
        tabs.push((tab, gate.way_back(&host, &ada, tab).await));
        // What polls meanwhile gets an answer, and no nonce.
        let script = gate.script();
        script.set_cookie("gate-start", &host.cookie("gate-start").unwrap());
        check(&script).await.is(401);
    }
    for (tab, back) in &tabs {
        host.get_once(back).await.goes_to(tab);
    }
    assert!(gate.is_let_in(&host).await);
    // A fourth takes the place of the first, which then goes back for another.
    let first = gate.way_back(&host, &ada, "/first").await;
    for _ in 0..3 {
        gate.way_back(&host, &ada, "/more").await;
    }
    host.get_once(&first).await.goes_to(&format!("{}/.vestibule/start?to=%2Ffirst&retry=1", origin(WIKI)));
}

#[actix_web::test]
async fn a_code_works_once_soon_there_and_in_one_browser_case_a8_12() {
    let gate = Gate::with(&[]).await;
    let added = gate.app.command(&["app", "add", "notes.localhost:8080"]);
    assert_eq!(added.code, Some(0), "{}", added.err);
    let ada = gate.app.verified("ada@example.com").await;
    let again = format!("{}/.vestibule/start?to=%2Fx&retry=1", origin(WIKI));
    let host = gate.browser();

    let late = gate.way_back(&host, &ada, "/x").await;
    gate.app.wait(TimeDelta::seconds(31));
    host.get_once(&late).await.goes_to(&again);

    let other_browser = gate.way_back(&host, &ada, "/x").await;
    gate.browser().get_once(&other_browser).await.goes_to(&again);
    let elsewhere = host.clone().with("x-forwarded-host", "notes.localhost:8080");
    elsewhere.get_once(&other_browser).await.is(303);
    assert_eq!(elsewhere.cookie("gate"), None);
    // That spent nothing.
    host.get_once(&other_browser).await.goes_to("/x");
    let secret = host.cookie("gate").unwrap();
    host.get_once(&other_browser).await.goes_to(&again);

    // What lets in at one host does so at no other.
    assert!(gate.is_let_in(&host).await);
    assert!(!gate.is_let_in(&host.clone().with("x-forwarded-host", "notes.localhost:8080")).await);
    // Nor is it a session here.
    let here = gate.app.curl();
    here.set_cookie("session", &secret);
    here.get("/me").await.is(401);
    host.get_once("/.vestibule/callback?code=made-up")
        .await
        .goes_to(&format!("{}/.vestibule/start?to=%2F&retry=1", origin(WIKI)));
    let everything = gate.app.dump_storage().await;
    assert!(!everything.contains(&secret), "only a digest is kept");
}

#[actix_web::test]
async fn a_session_that_ends_on_the_way_leads_back_to_sign_in() {
    let gate = Gate::with(&[]).await;
    let ada = gate.app.verified("ada@example.com").await;
    let host = gate.browser();
    let back = gate.way_back(&host, &ada, "/x").await;
    ada.post("/logout", &[]).await.is(200);
    host.get_once(&back).await.goes_to(&format!("{}/.vestibule/start?to=%2Fx&retry=1", origin(WIKI)));
    assert!(!gate.is_let_in(&host).await);
    ada.get_once(&gate.start(&host, "/x").await).await.refuses(401, "sign_in_required");
}

#[actix_web::test]
async fn a_day_later_the_browser_comes_for_another_cookie() {
    let gate = Gate::with(&[]).await;
    let curl = gate.app.curl();
    gate.app.verified("ada@example.com").await;
    let fields = serde_json::json!({ "email": "ada@example.com", "password": PASSWORD, "remember": true });
    curl.post_json("/login", fields).await.is(200);
    let host = gate.lets_in(&curl).await;
    gate.app.wait(TimeDelta::hours(24));
    assert!(!gate.is_let_in(&host).await);
    curl.get("/me").await.is(200);
    assert!(gate.is_let_in(&gate.lets_in(&curl).await).await);
}

#[actix_web::test]
async fn an_application_with_a_path_of_its_own_there_gets_another_prefix_case_a8_23() {
    let gate = Gate::with(&["--prefix", "/auth"]).await;
    check(&gate.browser()).await.goes_to(&format!("{}/auth/start?to=%2Fx", origin(WIKI)));
    let host = gate.browser();
    let enter = gate.start(&host, "/x").await;
    let ada = gate.app.verified("ada@example.com").await;
    let page = ada.get_once(&enter).await.is(200).json();
    assert!(page["location"].as_str().unwrap().starts_with(&format!("{}/auth/callback?", origin(WIKI))));
}

#[actix_web::test]
async fn nobody_is_sent_to_a_host_that_is_not_registered() {
    let gate = Gate::with(&[]).await;
    let ada = gate.app.verified("ada@example.com").await;
    for path in ["/gate/enter", "/gate/trouble", "/gate/logout"] {
        for host in ["", "?host=evil.example", "?host=wiki.localhost%3A8080.evil.example", "?host=%00"] {
            ada.get_once(&format!("{path}{host}")).await.refuses(403, "application_unknown");
        }
    }
    ada.get_once("/gate/enter?host=wiki.localhost:8080&vestibule-acr=x").await.refuses(400, "malformed");
}

#[actix_web::test]
async fn the_sign_in_page_says_for_which_application() {
    let gate = Gate::with(&[]).await;
    assert_eq!(gate.app.command(&["app", "set", WIKI, "--name", "Wiki & more"]).code, Some(0));
    let enter = gate.start(&gate.browser(), "/x").await;
    let login = gate.app.browser().get(&enter).await.is(303).header("location").to_owned();
    let page = gate.app.browser().get(&login).await.is(200);
    page.says("to continue to <bdi>Wiki &#38; more</bdi>");
    let next = serde_urlencoded::from_str::<Vec<(String, String)>>(login.split_once('?').unwrap().1).unwrap()
        [0]
    .1
    .clone();
    let wrong = [("email", "ada@example.com"), ("password", "not the password"), ("next", &next)];
    gate.app.browser().post("/login", &wrong).await.is(401).says("to continue to");
    for next in ["/me", "/gate/enter?host=evil.example", "/gate/enter"] {
        let query = serde_urlencoded::to_string([("next", next)]).unwrap();
        gate.app.browser().get(&format!("/login?{query}")).await.is(200).hides("to continue to");
    }
}

#[actix_web::test]
async fn a_page_at_the_host_of_an_application_has_its_style_in_it() {
    let gate = Gate::with(&[]).await;
    gate.app.command(&["app", "disable", WIKI]);
    let host = gate.browser().with("accept", "text/html");
    for path in ["/.vestibule/start", "/.vestibule/nowhere"] {
        let page = host.get_once(path).await;
        let (_, style) = page.body.split_once("<style>").unwrap_or_else(|| panic!("{path}: {}", page.body));
        let style = style.split("</style>").next().unwrap();
        let hash = BASE64_STANDARD.encode(Sha256::digest(style));
        let policy = page.header("content-security-policy");
        assert!(policy.contains(&format!("style-src 'sha256-{hash}';")), "{path}: {policy}");
        assert!(!page.body.contains("/static/"), "{path}: {}", page.body);
        page.says(&format!("href=\"{}/privacy/data\"", gate.app.base_url));
    }
    // Elsewhere nothing changes.
    let page =
        gate.app.browser().get("/login").await.is(200).says("href=\"/static/vestibule.").hides("<style");
    assert!(page.header("content-security-policy").contains("style-src 'self';"));
}
