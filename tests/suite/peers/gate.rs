//! The gate behind proxies that are not ours: nginx, Caddy (of today, and of Debian), Traefik and Apache, each started from
//! exactly what `vestibule app config` prints, before a program under WSGI that says what it was given.
//!
//! The numbers are those of the edge cases of the gate. Each runs through each proxy; what no proxy takes part in stands in
//! `gate`, and Envoy, of which there is no package, is imitated there.

use std::{panic::AssertUnwindSafe, path::Path, process::Command};

use actix_web::http::Method;
use futures_util::FutureExt;
use serde_json::{Value, json};

use super::ground::{Ground, IDENTITY, foreign, options, page, script, socket, spoofing, text};
use crate::{
    gate::{local, post_at},
    harness::{
        Answer, PASSWORD, Visitor, any_number, free_port,
        proxies::{Proxy, Running, environ},
        wire::speak,
    },
    keys::{account_key, mistyped},
};

/// Runs every case, whatever became of those before, and says which fail.
macro_rules! cases {
    ($($number:literal $case:ident;)+) => {
        /// Those that proxies take part in.
        const NUMBERS: &[u8] = &[$($number),+];

        impl Ground {
            async fn every_case(&self) {
                let mut failed = Vec::new();
                $(
                    if AssertUnwindSafe(self.$case()).catch_unwind().await.is_err() {
                        failed.push(concat!($number, ": ", stringify!($case)));
                    }
                )+
                assert!(failed.is_empty(), "through {:?}: {failed:#?}", self.proxy);
            }
        }
    };
}

cases! {
    1 a_proxy_that_is_not_trusted_opens_nothing;
    2 what_a_visitor_says_of_their_request_counts_for_nothing;
    3 no_spoofed_header_arrives;
    4 every_header_is_there_for_nobody;
    5 a_script_reads_401;
    6 only_pages_lead_to_sign_in;
    7 the_way_back_is_whole;
    8 the_proxy_knows_no_sign_in_page;
    9 a_browser_that_keeps_nothing_is_told;
    10 another_node_hands_over;
    11 tabs_come_in_side_by_side;
    12 a_code_works_once;
    13 a_socket_is_asked_about;
    16 the_method_is_the_visitor_s_own;
    17 heads_and_preflights;
    18 a_host_in_other_spellings;
    19 whoever_may_not_enter_is_told;
    20 whoever_is_leaving_is_out;
    21 signed_out_here_and_everywhere;
    22 groups_up_to_a_kibibyte;
    23 another_prefix;
    24 another_agent;
    0 what_goes_through_is_whole;
    0 a_request_line_that_names_another_host_opens_nothing;
    0 what_a_connection_header_names_stays;
    0 two_domains_know_each_their_own;
    0 a_program_comes_in_with_an_api_key;
    0 a_check_that_is_down_opens_nothing;
    0 a_check_that_is_killed_opens_nothing;
    0 a_revoked_device_is_out_at_its_next_request;
}

#[test]
fn every_case_of_the_gate_has_its_place() {
    // Envoy's, and what a proxy that says nothing of the method gets: `gate` has them.
    let elsewhere = [14, 15];
    let missing: Vec<u8> =
        (1..=24).filter(|number| !NUMBERS.contains(number) && !elsewhere.contains(number)).collect();
    assert!(missing.is_empty(), "no proxy meets the cases {missing:?}");
}

async fn run(proxy: Proxy) {
    if let Some(ground) = Ground::start(proxy).await {
        ground.every_case().await;
    }
}

#[actix_web::test]
async fn nginx_from_its_printed_configuration() {
    run(Proxy::Nginx).await;
}

#[actix_web::test]
async fn caddy_from_its_printed_configuration() {
    run(Proxy::Caddy).await;
}

#[actix_web::test]
async fn the_caddy_of_debian_from_its_printed_configuration() {
    run(Proxy::CaddyOfDebian).await;
}

#[actix_web::test]
async fn traefik_from_its_printed_configuration() {
    run(Proxy::Traefik).await;
}

#[actix_web::test]
async fn apache_from_its_printed_configuration() {
    run(Proxy::Apache).await;
}

#[actix_web::test]
async fn what_nginx_keeps_counts_for_one_request_of_one_visitor() {
    let change = |printed: &mut Vec<String>, folder: &Path| {
        for text in printed.iter_mut() {
            *text = text.replace("/var/cache/nginx/", &format!("{}/cache-", folder.display()));
        }
    };
    if Proxy::Nginx.program().is_none() {
        return;
    }
    let behind = free_port();
    let settings = [("GATE_CACHE", "10s")];
    let application = Some(environ(behind).await);
    let ground = Ground::changed(Proxy::Nginx, behind, application, &settings, change).await.unwrap();
    let (me, browser) = ground.somebody("wiki", "ada@example.com").await;
    ground.told(browser.get_once("/x").await);
    foreign(&browser).post_json("/x", json!({})).await.refuses(403, "cross_origin");
    socket(foreign(&browser)).get_once("/x").await.refuses(403, "cross_origin");
    ground.script("wiki").get_once("/x").await.is(401);
    script(&browser).with("host", &ground.host("club")).get_once("/x").await.is(401);

    ground.told(browser.get_once("/kept").await);
    me.post("/logout", &[]).await.is(200);
    ground.told(browser.get_once("/kept").await);
    browser.get_once("/new").await.is(303);
}

fn variable(header: &str) -> String {
    format!("HTTP_{}", header.replace('-', "_").to_uppercase())
}

#[track_caller]
fn knows_nobody(told: &Value) {
    for name in IDENTITY {
        assert_eq!(told[variable(name)].as_str().unwrap_or_default(), "", "{name}");
    }
}

impl Ground {
    async fn a_proxy_that_is_not_trusted_opens_nothing(&self) {
        for path in ["/x", "/public"] {
            let program = self.script("stranger").with("accept", "*/*");
            self.is_closed(&program.get_once(path).await.refuses(403, "gate_untrusted"));
        }
        let shown = self.stranger.command(&["app", "show", &self.host("stranger"), "--json"]);
        let shown: Value = serde_json::from_str(&shown.out).unwrap();
        assert_eq!(shown["refusedPeer"]["address"], "127.0.0.1");
        let doctor = self.stranger.command(&["doctor"]).out;
        assert!(doctor.contains("TRUSTED_PROXIES names no proxy") && doctor.contains("127.0.0.1 asked last"));
    }

    async fn what_a_visitor_says_of_their_request_counts_for_nothing(&self) {
        for (name, value) in [
            ("x-forwarded-uri", "/public"),
            ("x-original-uri", "/public"),
            ("x-original-url", "/public"),
            ("x-rewrite-url", "/public"),
            ("x-forwarded-method", "OPTIONS"),
            ("x-forwarded-host", "evil"),
            ("x-forwarded-proto", "gopher"),
            ("forwarded", "host=evil;proto=https"),
        ] {
            self.script("wiki").with(name, value).get_once("/x").await.is(401);
        }
        for path in ["/public/..%2fx", "/public/%2e%2e/x", "/public;/../x", "/publicity"] {
            let answer = self.script("wiki").get_once(path).await;
            assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
            self.is_closed(&answer);
        }
    }

    async fn no_spoofed_header_arrives(&self) {
        knows_nobody(&self.told(spoofing(self.browser("wiki")).get_once("/public/a?b=c").await));
        let (_, browser) = self.somebody("wiki", "eve@example.com").await;
        let id = self.app.user_id("eve@example.com").await;
        let told = self.told(spoofing(browser.clone()).get_once("/x").await);
        let at = self.app.clock.now().unix().to_string();
        for (name, value) in
            IDENTITY.iter().zip([id.as_str(), "eve@example.com", "Ada", "", "1fa", at.as_str()])
        {
            assert_eq!(text(&told, &variable(name)), value, "{name}");
        }
        // A visitor can ask a proxy to drop a header (RFC 9110 §7.6.1), and gains nothing by it.
        let cookie = browser.cookie("gate").unwrap();
        let head = format!("GET /x HTTP/1.0\r\nhost: {}\r\ncookie: gate={cookie}\r\n", self.host("wiki"));
        let spoof =
            "remote-user: root\r\nremote_user: root\r\nconnection: close, remote-user, remote_user\r\n\r\n";
        let told = self.told(speak(self.port(), head + spoof).await);
        assert!(IDENTITY.iter().all(|name| text(&told, &variable(name)) != "root"), "{told}");
    }

    async fn every_header_is_there_for_nobody(&self) {
        let answer = self.browser("wiki").get_once("/public").await.hides("{http.");
        knows_nobody(&self.told(answer));
    }

    async fn a_script_reads_401(&self) {
        let start = format!("{}/.vestibule/start?to=%2Fx", self.origin("wiki"));
        let asked = self.script("wiki");
        for answer in [asked.get_once("/x").await, asked.post_json("/x", json!({ "note": 1 })).await] {
            let answer = answer.refuses(401, "sign_in_required");
            assert_eq!(answer.json()["signIn"], start.as_str());
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            assert!(answer.header("content-type").starts_with("application/json"));
            self.is_closed(&answer);
        }
    }

    async fn only_pages_lead_to_sign_in(&self) {
        let browser = self.browser("wiki");
        let image = browser.clone().with("sec-fetch-mode", "no-cors").with("accept", "image/avif,*/*");
        let old = browser.clone().without("sec-fetch-mode").with("x-requested-with", "XMLHttpRequest");
        for asset in [image, old] {
            asset.get_once("/x.png").await.refuses(401, "sign_in_required");
        }
        let start = format!("{}/.vestibule/start?to=%2Fx%3Fa%3D1%26vestibule-acr%3Dphr", self.origin("wiki"));
        browser.get_once("/x?a=1&vestibule-acr=phr").await.goes_to(&start);
    }

    async fn the_way_back_is_whole(&self) {
        let ada = self.app.verified("ada@example.com").await;
        for to in ["/x?q=%26%23%25&u=caf%C3%A9", "/caf%C3%A9?n=%20+&to=/evil", "/x?a=1&a=2&vestibule-acr=phr"]
        {
            let browser = self.browser("wiki");
            self.comes_in(&browser, "wiki", &ada, to).await;
            let told = self.told(browser.get_once(to).await);
            assert_eq!(text(&told, "QUERY_STRING"), to.split_once('?').unwrap().1);
            assert_eq!(text(&told, "HTTP_HOST"), self.host("wiki"));
        }
    }

    async fn the_proxy_knows_no_sign_in_page(&self) {
        assert!(!self.printed.contains(&self.app.base_url), "{}", self.printed);
        let start = self.browser("wiki").get_once("/.vestibule/start?to=/x").await.is(303);
        local(start.location().unwrap(), &self.app.base_url);
    }

    async fn a_browser_that_keeps_nothing_is_told(&self) {
        let ada = page(&self.app.verified("bob@example.com").await);
        let browser = self.browser("wiki");
        let mut answer = browser.get_once("/x").await;
        for _ in 0..12 {
            browser.forget_cookies();
            let Some(to) = answer.location().map(str::to_owned) else { break };
            answer = match to.strip_prefix(&self.app.base_url) {
                Some(path) => ada.get_once(path).await,
                None => browser.get_once(to.strip_prefix(&self.origin("wiki")).unwrap_or(&to)).await,
            };
        }
        answer.is(200).says("did not keep the cookie that Wiki needs");
    }

    async fn another_node_hands_over(&self) {
        let node = self.app.second_node().await;
        let cleo = self.app.verified("cleo@example.com").await;
        let browser = self.browser("wiki");
        self.comes_in(&browser, "wiki", &cleo.at(node.port), "/x").await;
        self.told(browser.get_once("/x").await);
    }

    async fn tabs_come_in_side_by_side(&self) {
        let dan = self.app.verified("dan@example.com").await;
        let browser = self.browser("wiki");
        let mut tabs = Vec::new();
        for tab in ["/a", "/b", "/c"] {
            tabs.push((tab, self.way_back(&browser, "wiki", &dan, tab).await));
            let polling = script(&browser);
            polling.get_once("/polls").await.refuses(401, "sign_in_required");
            assert_eq!(polling.cookie("gate-start"), browser.cookie("gate-start"));
        }
        for (tab, back) in &tabs {
            browser.get_once(back).await.goes_to(tab);
        }
        self.told(browser.get_once("/a").await);
    }

    async fn a_code_works_once(&self) {
        let fay = self.app.verified("fay@example.com").await;
        let browser = self.browser("wiki");
        let back = self.way_back(&browser, "wiki", &fay, "/x").await;
        browser.get_once(&back).await.goes_to("/x");
        let again = format!("{}/.vestibule/start?to=%2Fx&retry=1", self.origin("wiki"));
        browser.get_once(&back).await.goes_to(&again);
        let thief = self.browser("wiki");
        thief.get_once(&back).await.goes_to(&again);
        assert_eq!(thief.cookie("gate"), None);
    }

    async fn a_socket_is_asked_about(&self) {
        let (me, browser) = self.somebody("wiki", "gil@example.com").await;
        // As bytes: the client of these tests has a mind of its own about `Connection`.
        let (host, cookie) = (self.host("wiki"), browser.cookie("gate").unwrap());
        let head = format!(
            "GET /socket HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\ncookie: gate={cookie}\r\n"
        );
        let opens =
            "upgrade: websocket\r\nconnection: upgrade, close\r\nsec-websocket-key: dGhlIHNhbXBsZQ==\r\n\r\n";
        let told = self.told(speak(self.port(), head + opens).await);
        assert_eq!(text(&told, "HTTP_UPGRADE").to_lowercase(), "websocket");
        assert_eq!(text(&told, "HTTP_REMOTE_EMAIL"), "gil@example.com");
        socket(foreign(&browser)).get_once("/socket").await.refuses(403, "cross_origin");
        self.is_closed(&socket(self.browser("wiki")).get_once("/socket").await.is(401));
        // What one that stays open asks once a minute.
        browser.get_once("/.vestibule/me").await.is(200);
        me.post("/logout", &[]).await.is(200);
        browser.get_once("/.vestibule/me").await.refuses(401, "sign_in_required");
    }

    async fn the_method_is_the_visitor_s_own(&self) {
        let (_, browser) = self.somebody("wiki", "hal@example.com").await;
        let lying = foreign(&browser).with("x-forwarded-method", "GET");
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            self.is_closed(&lying.send(method, "/x", None).await.refuses(403, "cross_origin"));
        }
        self.told(foreign(&browser).get_once("/x").await);
    }

    async fn heads_and_preflights(&self) {
        let (_, browser) = self.somebody("wiki", "ida@example.com").await;
        let head = browser.head("/x").await.is(200);
        assert_eq!((head.header("x-application"), head.body.as_str()), ("here", ""));
        self.is_closed(&self.browser("wiki").head("/x").await.is(303));
        self.is_closed(&self.script("wiki").head("/x").await.is(401));
        let preflight = |name| {
            let asked = self.script(name).with("origin", "https://app.example");
            asked.with("access-control-request-method", "PUT")
        };
        self.is_closed(&options(preflight("wiki"), "/x").await.is(401));
        let told = self.told(options(preflight("notes"), "/x").await);
        assert_eq!(text(&told, "REQUEST_METHOD"), "OPTIONS");
        knows_nobody(&told);
        self.is_closed(&options(self.script("notes"), "/x").await.is(401));
    }

    async fn a_host_in_other_spellings(&self) {
        let (_, browser) = self.somebody("wiki", "jon@example.com").await;
        let port = self.port();
        self.told(browser.clone().with("host", &format!("WIKI.localhost:{port}")).get_once("/x").await);
        for other in ["evil.wiki.localhost", "wiki.localhost.evil.example", "localhost", "club.localhost"] {
            let elsewhere = script(&browser).with("host", &format!("{other}:{port}"));
            self.is_closed(&elsewhere.get_once("/x").await);
        }
        // nginx and Apache say which host they serve, whatever port was written.
        let portless = script(&browser).with("host", "wiki.localhost").get_once("/x").await;
        if !matches!(self.proxy, Proxy::Nginx | Proxy::Apache) {
            self.is_closed(&portless);
        }
    }

    async fn a_request_line_that_names_another_host_opens_nothing(&self) {
        let (club, wiki) = (self.host("club"), self.host("wiki"));
        let asked =
            format!("GET http://{club}/public/a HTTP/1.1\r\nhost: {wiki}\r\nconnection: close\r\n\r\n");
        self.is_closed(&speak(self.port(), asked.into_bytes()).await);
    }

    async fn whoever_may_not_enter_is_told(&self) {
        let (kim, browser) = self.somebody("club", "kim@example.com").await;
        self.told(browser.get_once("/x").await);
        let owner = self.app.verified("owner@example.com").await;
        owner.post_json("/organisations", json!({ "name": "Acme" })).await.is(201);
        let host = self.host("club");
        assert_eq!(self.app.command(&["app", "set", &host, "--need", "member=acme"]).code, Some(0));
        self.is_closed(&script(&browser).get_once("/x").await.refuses(403, "application_forbidden"));
        let trouble = browser.get_once("/x").await.is(303);
        let trouble = local(trouble.location().unwrap(), &self.app.base_url);
        assert!(trouble.starts_with("/gate/trouble?"), "{trouble}");
        page(&kim).get_once(&trouble).await.is(200).says("You may not use Club").says("Use another account");
        let member = self.browser("club");
        self.comes_in(&member, "club", &owner, "/x").await;
        assert_eq!(text(&self.told(member.get_once("/x").await), "HTTP_REMOTE_GROUPS"), "acme:owner");
    }

    async fn whoever_is_leaving_is_out(&self) {
        let (leo, browser) = self.somebody("wiki", "leo@example.com").await;
        leo.steps_up().await;
        leo.post_json("/me/delete", json!({})).await.is(200);
        self.is_closed(&script(&browser).get_once("/x").await.refuses(403, "deletion_scheduled"));
    }

    async fn signed_out_here_and_everywhere(&self) {
        let (mia, browser) = self.somebody("wiki", "mia@example.com").await;
        let logs_out = browser.clone().with("accept", "*/*");
        post_at(&foreign(&logs_out), "/.vestibule/logout", &[]).await.refuses(403, "cross_origin");
        post_at(&logs_out, "/.vestibule/logout", &[("scope", "here")]).await.is(200);
        assert_eq!(logs_out.cookie("gate"), None);
        self.is_closed(&script(&browser).get_once("/x").await.refuses(401, "sign_in_required"));
        // The next page comes in silently.
        self.comes_in(&browser, "wiki", &mia, "/x").await;
        post_at(&browser, "/.vestibule/logout", &[]).await.is(303);
        mia.get("/me").await.is(401);
    }

    async fn groups_up_to_a_kibibyte(&self) {
        let (nia, browser) = self.somebody("wiki", "nia@example.com").await;
        let groups = async |number: usize| {
            let slug = format!("organisation-with-a-really-long-name-{number:02}");
            nia.post_json("/organisations", json!({ "name": slug, "slug": slug })).await.is(201);
            text(&self.told(browser.get_once("/x").await), "HTTP_REMOTE_GROUPS")
        };
        for number in 1..20 {
            groups(number).await;
        }
        let told = groups(20).await;
        assert!(told.split(',').count() == 20 && told.len() > 900, "{told}");
        assert_eq!(groups(21).await, "");
    }

    async fn another_prefix(&self) {
        let (_, browser) = self.somebody("notes", "oda@example.com").await;
        assert_eq!(browser.get_once("/entrance/me").await.is(200).json()["user"]["email"], "oda@example.com");
        // What is below the usual prefix is the application's own, and as closed as the rest of it.
        let told = self.told(browser.get_once("/.vestibule/me").await);
        assert_eq!(text(&told, "PATH_INFO"), "/.vestibule/me");
        self.is_closed(&self.script("notes").get_once("/.vestibule/me").await.is(401));
        for path in ["/entrance/../x", "/entrance/%2e%2e/x", "/entrance/..%2fx", "//entrance/../x"] {
            self.is_closed(&self.script("notes").get_once(path).await);
        }
    }

    async fn another_agent(&self) {
        let (pia, browser) = self.somebody("wiki", "pia@example.com").await;
        for agent in ["Go-http-client/1.1", "curl/8.9.1"] {
            self.told(browser.clone().named(agent).get_once("/x").await);
        }
        self.told(browser.get_once("/x").await);
        pia.get("/me").await.is(200);
    }

    async fn what_goes_through_is_whole(&self) {
        let (_, browser) = self.somebody("wiki", "quin@example.com").await;
        let note = format!("a b&c é {}", "x".repeat(100_000));
        let form = browser.clone().with("authorization", "Bearer of-its-own");
        let told = self.told(post_at(&form, "/x?vestibule-recent=1", &[("note", note.as_str())]).await);
        assert_eq!(text(&told, "body"), serde_urlencoded::to_string([("note", &note)]).unwrap());
        assert_eq!(text(&told, "REQUEST_METHOD"), "POST");
        assert_eq!(text(&told, "HTTP_AUTHORIZATION"), "Bearer of-its-own");
        // What the application itself refuses is its own answer.
        for status in [401, 403, 404, 500] {
            let answer = browser.get_once(&format!("/status/{status}")).await.is(status);
            assert_eq!(answer.header("x-application"), "here", "{status}");
        }
        // A form that is refused leaves the connection in order.
        let nobody = self.script("wiki");
        for _ in 0..3 {
            post_at(&nobody, "/x", &[("note", note.as_str())]).await.refuses(401, "sign_in_required");
        }
        let late = self.browser("wiki").with("referer", &format!("{}/x/edit", self.origin("wiki")));
        let trouble = post_at(&late, "/x", &[("note", "late")]).await.is(303);
        assert!(trouble.location().unwrap().ends_with("&code=send_again&to=%2Fx%2Fedit"));
    }

    async fn two_domains_know_each_their_own(&self) {
        let (rob, wiki) = self.somebody("wiki", "rob@example.com").await;
        let id = self.app.user_id("rob@example.com").await;
        // Another host knows nobody until they come in there, without being asked again.
        let notes = self.browser("notes");
        notes.set_cookie("gate", &wiki.cookie("gate").unwrap());
        self.is_closed(&script(&notes).get_once("/n").await.is(401));
        self.comes_in(&notes, "notes", &rob, "/n").await;
        for browser in [&wiki, &notes] {
            assert_eq!(text(&self.told(browser.get_once("/n").await), "HTTP_REMOTE_USER"), id.as_str());
        }
        rob.post("/logout", &[]).await.is(200);
        for browser in [wiki, notes] {
            self.is_closed(&script(&browser).get_once("/n").await.refuses(401, "sign_in_required"));
        }
    }

    async fn what_a_connection_header_names_stays(&self) {
        let (_, browser) = self.somebody("wiki", "con@example.com").await;
        let browser = browser.with("connection", "close, Remote-User, Vestibule-Acr");
        let told = self.told(browser.get_once("/x").await);
        assert_ne!(text(&told, "HTTP_REMOTE_USER"), "", "{:?}", self.proxy);
        assert_eq!(text(&told, "HTTP_VESTIBULE_ACR"), "1fa", "{:?}", self.proxy);
    }

    async fn a_program_comes_in_with_an_api_key(&self) {
        let kim = self.app.verified("with-a-key@example.com").await;
        kim.steps_up().await;
        let (_, key) = account_key(&kim).await;
        let id = self.app.user_id("with-a-key@example.com").await;
        let told =
            self.told(self.program("robots", &key).post_json("/x?a=1", json!({ "note": "a b" })).await);
        assert_eq!(text(&told, "HTTP_REMOTE_USER"), id.as_str(), "{:?}", self.proxy);
        assert_eq!(text(&told, "HTTP_VESTIBULE_ACR"), "");
        assert!(text(&told, "body").contains("a b"), "{told}");
        let refused =
            self.program("robots", &mistyped(&key)).get_once("/x").await.refuses(401, "invalid_token");
        assert_eq!(refused.header("www-authenticate"), "Bearer error=\"invalid_token\"", "{:?}", self.proxy);
        self.is_closed(&refused);
        // Where keys are not taken, it is the application's own, and nobody is there.
        self.is_closed(&self.program("wiki", &key).get_once("/x").await.refuses(401, "sign_in_required"));
    }

    #[track_caller]
    fn is_an_error(&self, answer: &Answer) {
        assert!(answer.status.is_server_error(), "{:?} {}: {}", self.proxy, answer.request, answer.status);
        self.is_closed(answer);
    }

    /// Somebody at a host whose check does not answer, with a cookie that opens another.
    async fn at(&self, name: &str) -> Visitor {
        let (_, wiki) = self.somebody("wiki", &format!("u{}@example.com", any_number())).await;
        let visitor = spoofing(self.script(name));
        visitor.set_cookie("gate", &wiki.cookie("gate").unwrap());
        visitor
    }

    async fn a_check_that_is_down_opens_nothing(&self) {
        let lost = self.at("lost").await;
        for path in ["/x", "/public"] {
            self.is_an_error(&lost.get_once(path).await);
            self.is_an_error(&lost.post_json(path, json!({})).await);
        }
    }

    async fn a_check_that_is_killed_opens_nothing(&self) {
        let visitor = self.at("dying").await;
        for sent in ["0", "9", "19", "60"] {
            let mut command = Command::new("python3");
            command.args(["tests/peers/killed.py", &self.dying.to_string(), sent]);
            let mut check = Running::at(&mut command, self.dying).await;
            self.is_an_error(&visitor.get_once("/public").await);
            check.ended();
            self.is_an_error(&visitor.get_once("/public").await);
        }
    }

    async fn a_revoked_device_is_out_at_its_next_request(&self) {
        let address = "sue@example.com";
        let (_, wiki) = self.somebody("wiki", address).await;
        let elsewhere = self.app.curl();
        elsewhere.post_json("/login", json!({ "email": address, "password": PASSWORD })).await.is(200);
        self.told(wiki.get_once("/x").await);
        elsewhere.post("/me/sessions/revoke-all", &[]).await.is(200);
        self.is_closed(&script(&wiki).get_once("/x").await.refuses(401, "sign_in_required"));
        wiki.get_once("/x").await.is(303);
    }
}
