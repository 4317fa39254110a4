//! A person who signs in to an application, with scripts off: what asks something on the way, and where the application leads
//! afterwards.

use std::net::TcpListener;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::header, web};
use serde_json::Value;

use crate::{
    chromium::{Browser, Chromium, LAPTOP},
    harness::{PASSWORD, TestApp, eventually},
    inspector::Inspector,
};

// Of RFC 7636 appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// An application whose landing leads on to another origin, as those do that have a server for that. Its landing, and what it
/// says at home.
struct Application {
    landing: String,
    client_id: String,
}

impl Application {
    async fn start(app: &TestApp, options: &[&str]) -> Self {
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (landing, home) = (listen(), listen());
        let at = |one: &TcpListener, path: &str| {
            format!("http://localhost:{}{path}", one.local_addr().unwrap().port())
        };
        let (here, there) = (at(&landing, "/cb"), at(&home, "/home"));
        let back = async |body: web::Bytes, req: HttpRequest, home: web::Data<String>| {
            let fields: Value = serde_urlencoded::from_bytes(&body).unwrap();
            let query: Value = serde_urlencoded::from_str(req.query_string()).unwrap();
            let told = if body.is_empty() { query } else { fields };
            let outcome = if told["code"].is_string() {
                "welcome"
            } else {
                told["error"].as_str().unwrap_or("nothing")
            };
            HttpResponse::SeeOther()
                .insert_header((header::LOCATION, format!("{}?{outcome}", home.as_str())))
                .finish()
        };
        let server = HttpServer::new(move || {
            App::new().app_data(web::Data::new(there.clone())).route("/cb", web::route().to(back)).route(
                "/home",
                web::get().to(async |req: HttpRequest| format!("At home: {}", req.query_string())),
            )
        });
        actix_web::rt::spawn(server.workers(1).listen(landing).unwrap().listen(home).unwrap().run());
        let add = ["app", "add", "Notes", "--kind", "web", "--redirect", &here, "--json"];
        let added = app.command(&[&add[..], options].concat());
        assert_eq!(added.code, Some(0), "{}", added.err);
        let added: Value = serde_json::from_str(&added.out).unwrap();
        Self { landing: here, client_id: added["clientId"].as_str().unwrap().to_owned() }
    }

    fn asks(&self, more: &str) -> String {
        format!(
            "/oauth/authorize?response_type=code&client_id={}&redirect_uri={}&scope=openid+email&state=1&nonce=2\
             &code_challenge={CHALLENGE}&code_challenge_method=S256{more}",
            self.client_id, self.landing
        )
    }
}

async fn is_home(browser: &Browser, outcome: &str) {
    let words = format!("At home: {outcome}");
    eventually("the application", async || browser.text().await.contains(&words).then_some(())).await;
}

#[actix_web::test]
async fn the_application_leads_on_from_its_redirect_address_to_where_it_likes() {
    let app = TestApp::open().await;
    let notes = Application::start(&app, &[]).await;
    app.verified("ada@example.com").await;
    let chromium = Chromium::start();
    let ada = chromium.browser_without_scripts(&app, LAPTOP).await;
    ada.open(&notes.asks("")).await;
    ada.reads("You are signing in to Notes").await;
    ada.sign_in("ada@example.com", PASSWORD).await;
    is_home(&ada, "welcome").await;
    // A form that is posted there, and then led on by a redirect to another origin.
    ada.open(&notes.asks("&response_mode=form_post")).await;
    ada.press("Continue").await;
    is_home(&ada, "welcome").await;
    // Behind a form of this site.
    app.wait(chrono::TimeDelta::seconds(2));
    ada.open(&notes.asks("&response_mode=form_post&prompt=login")).await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ada.press("Continue").await;
    is_home(&ada, "welcome").await;
    // With a no, from a page on the way.
    app.wait(chrono::TimeDelta::seconds(2));
    ada.open(&notes.asks("&prompt=login")).await;
    ada.press("Cancel signing in to Notes").await;
    is_home(&ada, "access_denied").await;
}

#[actix_web::test]
async fn its_pages_on_the_way_are_fit_for_everybody() {
    let app = TestApp::open().await;
    let notes =
        Application::start(&app, &["--third-party", "on", "--scope", "notes:read=read your notes"]).await;
    let strict = Application::start(&app, &["--need", "second-factor"]).await;
    app.verified("ada@example.com").await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);
    ada.open(&notes.asks("")).await;
    inspector.look(&ada, "oauth-login").await;
    ada.open("/signup").await;
    inspector.look(&ada, "oauth-signup").await;
    ada.open("/login").await;
    ada.sign_in("ada@example.com", PASSWORD).await;
    ada.reads("asks for:").await;
    ada.press("Allow").await;
    is_home(&ada, "welcome").await;
    ada.open("/me/applications").await;
    inspector.look(&ada, "oauth-applications").await;
    ada.open(&strict.asks("")).await;
    ada.reads("asks for a second step").await;
    inspector.look(&ada, "oauth-trouble").await;
    ada.follow("Turn on two-step verification").await;
    ada.reads("You are signing in to Notes").await;
    inspector.look(&ada, "oauth-second-factors").await;
    inspector.report();
}
