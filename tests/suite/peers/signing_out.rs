//! Single Logout with them, from either side.

use serde_json::{Value, json};

use super::{House, Kind, Pysaml2, Samlp, SimpleSamlPhp, person};
use crate::{
    harness::{Answer, Visitor},
    idp::is_nobody,
};

impl House {
    /// The identity provider leads a browser here with a message in the address.
    async fn is_led(&self, browser: &Visitor, sent: &Value) -> Answer {
        let location = sent["location"].as_str().unwrap();
        let path = location.strip_prefix(&self.app.base_url).unwrap();
        self.sets_the_clock();
        let there = browser.clone().with("sec-fetch-site", "cross-site");
        let answer = there.get_once(path).await;
        if let Some(state) = there.cookie("state") {
            browser.set_cookie("state", &state);
        }
        answer
    }
}

async fn a_logout_there_ends_the_session_here(kind: Kind) {
    let Some(house) = House::ready(kind).await else { return };
    let (first, last) = (house.app.browser(), house.app.browser());
    house.signs_in(&last, &person("bob", &[])).await.goes_to("/me");
    let eve = if kind == Samlp { &last } else { &first };
    // samlp begins with the oldest of its sessions, the others are asked for the newest.
    if kind != Samlp {
        house.signs_in(&first, &person("eve", &[])).await.goes_to("/me");
    }
    let request = house.peer.ask("logout", json!({}));
    let answer = house.is_led(&house.app.browser(), &request).await.is(303);

    assert!(is_nobody(eve).await);
    let to = answer.header("location").to_owned();
    let (place, query) = to.split_once('?').unwrap();
    assert!(place.starts_with(&house.base), "{place}");
    // It takes our answer, and its signature.
    let done = house.peer.ask("logout", json!({ "query": query }));
    assert_eq!(done["status"], 200, "{done}");
}

#[actix_web::test]
async fn a_logout_at_simplesamlphp_ends_the_session_here() {
    a_logout_there_ends_the_session_here(SimpleSamlPhp).await;
}

#[actix_web::test]
async fn a_logout_at_samlp_ends_the_session_here() {
    a_logout_there_ends_the_session_here(Samlp).await;
}

#[actix_web::test]
async fn a_logout_at_pysaml2_ends_the_session_here() {
    a_logout_there_ends_the_session_here(Pysaml2).await;
}

async fn signing_out_here_signs_out_there(kind: Kind) {
    let Some(house) = House::ready(kind).await else { return };
    let browser = house.app.browser();
    house.signs_in(&browser, &person("eve", &[])).await.goes_to("/me");
    browser.post("/logout", &[]).await.goes_to("/auth/saml/sign-out");
    let query = house.leaves(&browser, "/auth/saml/sign-out", Some(json!({}))).await;

    // Changed on the way it is refused; as it was sent it is answered.
    let changed = query.replace("SAMLRequest=", "SAMLRequest=A");
    assert!(house.peer.tries("logout", json!({ "query": changed }))["error"].is_string());
    let answer = house.peer.ask("logout", json!({ "query": query }));
    house.is_led(&browser, &answer).await.goes_to("/login");
    browser.get("/login").await.says("signed out here and at your identity provider");
}

#[actix_web::test]
async fn signing_out_here_signs_out_at_simplesamlphp() {
    signing_out_here_signs_out_there(SimpleSamlPhp).await;
}

#[actix_web::test]
async fn signing_out_here_signs_out_at_samlp() {
    signing_out_here_signs_out_there(Samlp).await;
}

#[actix_web::test]
async fn signing_out_here_signs_out_at_pysaml2() {
    signing_out_here_signs_out_there(Pysaml2).await;
}
