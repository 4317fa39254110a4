//! The npm package oidc-provider as a provider that people sign in with: it checks our requests, codes, verifiers and secret, and
//! shows its own pages.

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::clock::Clock;

use crate::harness::{Answer, PASSWORD, TestApp, Visitor, oidc_provider::OidcProvider};

/// A house, and the provider that it knows as *Peer*.
struct Ground {
    app: TestApp,
    port: u16,
    _provider: OidcProvider,
}

impl Ground {
    /// Nothing where it is not on this machine.
    async fn start() -> Option<Self> {
        let (app, provider) = OidcProvider::with_site(|_| json!({})).await?;
        Some(Self { app, port: provider.port, _provider: provider })
    }

    /// Somebody's browser as the provider sees it.
    fn there(&self) -> Visitor {
        Visitor::browser(self.port).with("host", &format!("localhost:{}", self.port))
    }

    /// It is as late here as it is there.
    fn sets_the_clock(&self) {
        self.app.wait((Clock::system().now() - self.app.clock.now()).max(TimeDelta::zero()));
    }

    async fn leaves(&self, browser: &Visitor) -> String {
        self.sets_the_clock();
        let answer = browser.get_once("/auth/oidc/login?provider=peer").await.is(303);
        answer.location().unwrap().to_owned()
    }

    /// Where it sends somebody who signs in there and agrees; who goes away, where `login` is none.
    async fn passes(&self, location: &str, login: Option<&str>) -> Answer {
        let (there, origin) = (self.there(), format!("http://localhost:{}", self.port));
        let mut answer = there.get_once(location.strip_prefix(&origin).unwrap()).await;
        for _ in 0..8 {
            let to = answer.location().map(str::to_owned);
            let Some(to) = to else { return answer };
            if to.starts_with(&self.app.base_url) {
                return answer;
            }
            let path = to.strip_prefix(&origin).unwrap_or(&to).to_owned();
            answer = there.get_once(&path).await;
            if answer.status == 200 && path.starts_with("/interaction/") {
                answer = match login {
                    Some(login) if answer.body.contains("value=\"login\"") => {
                        there.post(&path, &[("prompt", "login"), ("login", login), ("password", "x")]).await
                    }
                    Some(_) => there.post(&path, &[("prompt", "consent")]).await,
                    None => there.get_once(&format!("{path}/abort")).await,
                };
            }
        }
        panic!("{} {} leads nowhere", answer.request, answer.status);
    }

    async fn comes_back(&self, browser: &Visitor, passed: &Answer) -> Answer {
        self.sets_the_clock();
        let path = passed.location().and_then(|to| to.strip_prefix(&self.app.base_url)).unwrap();
        browser.get_once(path).await
    }

    async fn signs_in(&self, browser: &Visitor, login: &str) -> Answer {
        let location = self.leaves(browser).await;
        let passed = self.passes(&location, Some(login)).await;
        self.comes_back(browser, &passed).await
    }

    async fn account(&self, browser: &Visitor) -> Value {
        let answer = browser.clone().with("accept", "application/json").get("/me").await.is(200).json();
        answer["user"].clone()
    }
}

#[actix_web::test]
async fn people_sign_up_and_in_at_a_provider_that_is_not_ours() {
    let Some(ground) = Ground::start().await else { return };
    let gina = ground.app.browser();
    ground.signs_in(&gina, "gina").await.is(303);
    let made = ground.account(&gina).await;
    assert_eq!((&made["email"], &made["name"]), (&"gina@example.com".into(), &"Gina".into()));
    assert_eq!(made["emailVerified"], true);

    let again = ground.app.browser();
    ground.signs_in(&again, "gina").await.is(303);
    assert_eq!(ground.account(&again).await["id"], made["id"]);

    let hugo = ground.app.browser();
    ground.signs_in(&hugo, "hugo").await.is(303);
    assert_eq!(ground.account(&hugo).await["emailVerified"], false);

    let iris = ground.app.browser();
    let answer = ground.signs_in(&iris, "iris").await.is(303);
    assert!(answer.location().unwrap().starts_with("/auth/oidc/complete"), "{:?}", answer.location());
}

#[actix_web::test]
async fn an_account_is_linked_with_it_and_unlinked() {
    let Some(ground) = Ground::start().await else { return };
    let app = &ground.app;
    let ada = app.verified("ada@example.com").await;
    ada.steps_up().await;
    ground.sets_the_clock();
    let location = ada.post_json("/me/providers/peer", json!({})).await.is(200).json()["location"].clone();
    let passed = ground.passes(location.as_str().unwrap(), Some("gina")).await;
    ground.comes_back(&ada, &passed).await.is(200);
    let told = ada.get("/me/providers").await.is(200).json();
    assert_eq!(told["identities"][0]["knownAs"], "gina@example.com");
    let browser = app.browser();
    ground.signs_in(&browser, "gina").await.is(303);
    assert_eq!(ground.account(&browser).await["email"], "ada@example.com");

    ada.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    let id = told["identities"][0]["id"].as_str().unwrap();
    ada.delete(&format!("/me/providers/{id}")).await.is(200);
    browser.get_once("/me").await.goes_to("/login?next=%2Fme");

    // An address alone links nothing.
    let other = app.browser();
    let answer = ground.signs_in(&other, "ada").await.is(303);
    assert_eq!(answer.location(), Some("/auth/link"));
}

#[actix_web::test]
async fn whoever_goes_away_there_comes_back_to_the_sign_in_page() {
    let Some(ground) = Ground::start().await else { return };
    let browser = ground.app.browser();
    let location = ground.leaves(&browser).await;
    let passed = ground.passes(&location, None).await;
    let answer = ground.comes_back(&browser, &passed).await.is(303);
    assert!(answer.location().unwrap().starts_with("/login"), "{:?}", answer.location());
    assert_eq!(ground.app.count("users").await, 0);
}

#[actix_web::test]
async fn it_answers_by_a_form_across_sites() {
    let Some(ground) = Ground::start().await else { return };
    let browser = ground.app.browser();
    let location = format!("{}&response_mode=form_post", ground.leaves(&browser).await);
    let page = ground.passes(&location, Some("gina")).await.is(200);
    let mut fields = Vec::new();
    for part in page.body.split("<input type=\"hidden\" name=\"").skip(1) {
        let (name, rest) = part.split_once('"').unwrap();
        let value = rest.split_once("value=\"").unwrap().1.split_once('"').unwrap().0;
        fields.push((name.to_owned(), value.to_owned()));
    }
    let there =
        ground.app.browser().with("sec-fetch-site", "cross-site").with("origin", "https://peer.example");
    let form = ("application/x-www-form-urlencoded", serde_urlencoded::to_string(&fields).unwrap());
    ground.sets_the_clock();
    let parked = there.send(Method::POST, "/auth/oidc/callback/peer", Some(form)).await.is(303);
    browser.get_once(parked.location().unwrap()).await.is(303);
    assert_eq!(ground.account(&browser).await["email"], "gina@example.com");
}
