//! Signing in with the npm package oidc-provider, through Chromium: it shows its own pages, on an origin of its own.

use std::time::{Duration, Instant};

use fantoccini::Locator;
use serde_json::json;
use vestibule::clock::Clock;

use crate::{
    chromium::{Browser, Chromium, LAPTOP},
    harness::{PASSWORD, TestApp, oidc_provider::OidcProvider},
    inspector::photograph,
};

const PATIENCE: Duration = Duration::from_secs(20);

struct Ground {
    app: TestApp,
    there: String,
    _provider: OidcProvider,
}

impl Ground {
    async fn start() -> Option<Self> {
        let logout = |site: &str| {
            json!({
                "backchannel_logout_uri": format!("{site}/auth/oidc/logout/peer"),
                "backchannel_logout_session_required": true,
            })
        };
        let (app, provider) = OidcProvider::with_site(logout).await?;
        Some(Self { app, there: format!("http://localhost:{}", provider.port), _provider: provider })
    }

    /// It is as late here as it is there.
    fn sets_the_clock(&self) {
        self.app.wait(Clock::system().now() - self.app.clock.now());
    }

    /// Signs in at the provider's own page, agrees where it asks, and comes back to this path.
    async fn passes(&self, browser: &Browser, login: &str, to: &str) {
        let (start, here) = (Instant::now(), format!("{}{to}", self.app.base_url));
        loop {
            let url = browser.client.current_url().await.unwrap().to_string();
            if url == here {
                return;
            }
            if url.starts_with(&self.there) {
                if let Ok(field) = browser.client.find(Locator::Css("input[name=login]")).await {
                    field.send_keys(login).await.unwrap();
                    let password = browser.client.find(Locator::Css("input[name=password]")).await.unwrap();
                    password.send_keys("x").await.unwrap();
                }
                // The page may be on its way already.
                if let Ok(button) = browser.client.find(Locator::Css("button[type=submit]")).await {
                    self.sets_the_clock();
                    let _ = button.click().await;
                }
            }
            assert!(start.elapsed() < PATIENCE, "at {url} and not at {here}:\n{}", browser.text().await);
        }
    }
}

#[actix_web::test]
async fn people_sign_up_confirm_link_unlink_and_sign_out_by_a_provider_that_is_not_ours() {
    let Some(ground) = Ground::start().await else { return };
    let chromium = Chromium::start();
    let gina = chromium.browser(&ground.app, LAPTOP).await;
    gina.open("/signup").await;
    gina.follow("Continue with Peer").await;
    ground.passes(&gina, "gina", "/me").await;
    gina.reads("gina@example.com").await;

    // She has no password: it is the provider that she confirms at, and it says when she signed in.
    gina.open("/me/email").await;
    gina.is_at("/auth/confirm?next=%2Fme%2Femail").await;
    photograph(&gina, "confirm-at-a-provider").await;
    gina.follow("Confirm with Peer").await;
    ground.passes(&gina, "gina", "/me/email").await;
    gina.reads("New email address").await;

    // The only way in stays.
    gina.open("/me/providers").await;
    gina.reads("Peer").await;
    photograph(&gina, "accounts-elsewhere").await;

    // Signing out there signs out here.
    gina.open(&format!("{}/session/end", ground.there)).await;
    ground.sets_the_clock();
    gina.client.find(Locator::Css("button[value=yes]")).await.unwrap().click().await.unwrap();
    let start = Instant::now();
    loop {
        gina.open("/me").await;
        if gina.path().await.starts_with("/login") {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "{}", gina.text().await);
    }

    // Whoever has an account connects it, and parts again.
    ground.app.verified("ada@example.com").await;
    let ada = chromium.browser(&ground.app, LAPTOP).await;
    ada.open("/login?with=password").await;
    ada.sign_in("ada@example.com", PASSWORD).await;
    ada.is_at("/me").await;
    ada.open("/me/providers").await;
    ada.press("Connect Peer").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ground.passes(&ada, "ada-there", "/me/providers").await;
    ada.reads("Peer is connected.").await;
    ada.press("Disconnect Peer").await;
    ada.reads("That account is disconnected.").await;
    ada.hides("ada-there@example.com").await;
}

#[actix_web::test]
async fn cancelling_there_and_an_answer_that_is_posted_work_without_scripts_here() {
    let Some(ground) = Ground::start().await else { return };
    let chromium = Chromium::start();
    let browser = chromium.browser_without_scripts(&ground.app, LAPTOP).await;
    browser.open("/login").await;
    browser.follow("Continue with Peer").await;
    let start = Instant::now();
    while !browser.client.current_url().await.unwrap().as_str().starts_with(&ground.there) {
        assert!(start.elapsed() < PATIENCE);
    }
    let abort = browser.client.wait().at_most(PATIENCE).for_element(Locator::Css("a[href*=abort]")).await;
    abort.unwrap().click().await.unwrap();
    browser.reads("You cancelled signing in with Peer.").await;

    // The page that posts the answer is the provider's, and needs scripts.
    let browser = chromium.browser(&ground.app, LAPTOP).await;
    browser.open("/login").await;
    let location = "fetch('/auth/oidc/login?provider=peer', {headers: {accept: 'application/json'}})\
        .then(answer => answer.json()).then(told => told.location)";
    let location = browser.ask(location).await;
    ground.sets_the_clock();
    browser.open(&format!("{}&response_mode=form_post", location.as_str().unwrap())).await;
    ground.passes(&browser, "gina", "/me").await;
    browser.reads("gina@example.com").await;
}
