//! What somebody changes of single sign-on who has an owner's password for a while is taken out of use with all the rest.

use chrono::TimeDelta;
use serde_json::json;
use vestibule::{
    ids::{Id, UserId},
    internals::{Actor, add_domain, lock_out, user_by_id, verify_domain},
    kinds::Role,
};

use crate::{
    connections::{acme, connected, joins, tested},
    harness::{Owner, TestApp, Visitor},
    idp::{Acme, ada, is_nobody},
    recovery::{ADA, LATER, X, gets_back, intruder, not_me, ways_back},
    saml::forger::{IDP, Idp, metadata},
};

const SSO: &str = "/organisations/acme/sso";
const BEA: &str = "bea@example.com";
const EVE: &str = "eve@example.net";

/// Acme's owners are Ada, who has a password only, and Bea; Eve edits, and has a second factor. `example.com` is verified.
struct Firm {
    app: TestApp,
    owner: Visitor,
    eve: String,
    domain: String,
}

impl Firm {
    async fn with(settings: &[(&str, &str)]) -> Self {
        let app = TestApp::with(settings).await;
        let owner = acme(&app).await;
        let bea = app.verified(BEA).await;
        joins(&app, &bea, Role::Owner).await;
        let Owner { curl, .. } = app.with_app(EVE).await;
        let eve = joins(&app, &curl, Role::Editor).await;
        let organisation = app.texts("SELECT id AS text FROM organisations").await.remove(0);
        let verified = app.inner.write(move |tx| {
            let actor = Actor::operator();
            let domain = add_domain(tx, &actor, &Id::from_text(organisation), None, "example.com")?;
            verify_domain(tx, &actor, &domain, "operator")
        });
        verified.await.unwrap();
        let domain = app.texts("SELECT id AS text FROM domains").await.remove(0);
        Self { app, owner, eve, domain }
    }

    /// Somebody with Ada's password, a while later.
    async fn thief(&self) -> Visitor {
        self.app.wait(TimeDelta::minutes(2));
        let thief = intruder(&self.app, X).await;
        thief.steps_up().await;
        thief
    }

    /// The domain's people are led to a connection from now on.
    async fn leads(&self, owner: &Visitor, connection: &str) {
        let path = format!("{SSO}/domains/{}/connection", self.domain);
        owner.post_json(&path, json!({ "connection": id(connection) })).await.is(200);
    }

    /// Eve owns Acme from now on, and she alone of the domain's people may sign in otherwise.
    async fn requires(&self, thief: &Visitor) {
        let member = format!("/organisations/acme/members/{}", self.eve);
        thief.put_json(&member, json!({ "role": "owner" })).await.is(200);
        let path = format!("{SSO}/domains/{}/enforce", self.domain);
        thief.post_json(&path, json!({ "breakGlass": self.eve })).await.is(200);
        let refused = self.app.curl().post_json("/login", json!({ "email": ADA, "password": "x" })).await;
        refused.refuses(403, "sso_required");
    }

    async fn theirs(&self, idp: Idp, connection: &str, owner: &Visitor) -> Acme {
        Acme::made(idp, IDP, id(connection), owner.clone(), &self.app).await
    }

    /// Ada presses "This wasn't me" in the email about the sign-in.
    async fn disowns(&self) {
        let alert = ways_back(&self.app, ADA, true).await.pop().unwrap();
        let page = self.app.browser().get(&format!("/not-me?token={alert}")).await.is(200);
        page.says("is turned off until an owner turns it on again");
        not_me(&self.app, &alert).await;
    }

    async fn is_closed(&self, connection: &str) {
        let app = &self.app;
        assert_eq!(app.count("connections WHERE NOT is_paused").await, 0);
        assert_eq!(app.count("domains WHERE is_enforced OR break_glass_id IS NOT NULL").await, 0);
        app.browser().post("/auth/saml/login", &[("connection", id(connection))]).await.is(403);
        app.browser().get("/auth/saml/login?email=ada%40example.com").await.goes_to("/login");
        for owner in [ADA, BEA] {
            self.was_told(owner, "Okta is turned off.", 1).await;
            self.was_told(owner, "Single sign-on is no longer required for example.com.", 1).await;
            self.was_told(owner, "role changed, eve@example.net as owner", 1).await;
            self.was_told(owner, "domain enforced, example.com eve@example.net", 1).await;
        }
    }

    async fn was_told(&self, address: &str, words: &str, times: usize) {
        assert_eq!(self.app.emails_that_say(address, words).await, times, "{address}: {words}");
    }
}

fn id(connection: &str) -> &str {
    connection.rsplit('/').next().unwrap()
}

#[actix_web::test]
async fn a_provider_of_an_intruder_s_own_signs_in_nobody_after_this_wasn_t_me() {
    let firm = Firm::with(&[]).await;
    let app = &firm.app;
    let thief = firm.thief().await;
    let evil = Idp::rsa();
    let path = connected(&thief, &[&evil]).await;
    firm.leads(&thief, &path).await;
    tested(app, &thief, &path, &evil, |draft| draft).await;
    firm.requires(&thief).await;
    for owner in [ADA, BEA] {
        firm.was_told(owner, "Okta was added", 1).await;
        firm.was_told(owner, "people at example.com now sign in with Okta", 1).await;
        firm.was_told(owner, "the emergency owner is eve@example.net", 1).await;
    }
    assert_eq!(ways_back(app, BEA, false).await.len(), 0, "the way back is for who did it");
    assert_eq!(ways_back(app, ADA, false).await.len(), 3);

    // They come in as the owner, as the other one, and as somebody new.
    let theirs = firm.theirs(evil, &path, &thief).await;
    let browsers = [app.browser(), app.browser(), app.browser()];
    let people = [ada(), ada().at(BEA).called("bea"), ada().at("new@example.com").called("new")];
    for (browser, person) in browsers.iter().zip(&people) {
        app.wait(TimeDelta::seconds(1));
        theirs.signs_in(app, browser, person).await.goes_to("/me");
    }
    // As the other one they make a connection more.
    app.db_execute(
        "UPDATE sessions SET stepped_up_at = created_at, stepped_up_with = 'sso' WHERE method = 'sso'",
    )
    .await;
    let more = json!({ "name": "Backup", "metadata": metadata("urn:backup", &[&theirs.idp]) });
    // What their provider said of her role is put right; Ada's is not.
    app.db_execute("UPDATE memberships SET role = 'owner' WHERE user_id = (SELECT id FROM users WHERE email = 'bea@example.com')")
        .await;
    let as_bea = browsers[1].clone().with("accept", "application/json");
    as_bea.post_json(SSO, more).await.is(201);
    assert_eq!(app.count("identities").await, 3);

    firm.disowns().await;

    firm.is_closed(&path).await;
    firm.was_told(BEA, "Since the change, 2 people signed in with it.", 1).await;
    firm.was_told(BEA, "Backup is turned off.", 1).await;
    firm.was_told(BEA, "role changed, as viewer", 1).await;
    assert_eq!(app.count("sessions WHERE method = 'sso'").await, 0);
    assert_eq!(app.count("identities").await, 0);
    for browser in &browsers {
        assert!(is_nobody(browser).await);
    }
    gets_back(app).await;
    let bea = json!({ "email": BEA, "password": crate::harness::PASSWORD });
    app.curl().post_json("/login", bea).await.is(200);
}

#[actix_web::test]
async fn metadata_that_an_intruder_replaced_signs_in_nobody_after_this_wasn_t_me() {
    let firm = Firm::with(&[]).await;
    let app = &firm.app;
    let (good, evil) = (Idp::rsa(), Idp::rsa());
    let path = connected(&firm.owner, &[&good]).await;
    firm.leads(&firm.owner, &path).await;
    app.wait(TimeDelta::minutes(1));
    let colleague = ada().at("col@example.com").called("col");
    let theirs = firm.theirs(good, &path, &firm.owner).await;
    theirs.signs_in(app, &app.browser(), &colleague).await.goes_to("/me");

    let thief = firm.thief().await;
    let replaced = json!({ "metadata": metadata(IDP, &[&evil]) });
    thief.post_json(&format!("{path}/metadata"), replaced).await.is(200);
    let asks = |asks: bool| json!({ "name": "Okta", "defaultRole": "owner", "asksSecondFactor": asks });
    thief.put_json(&path, asks(true)).await.is(200);
    thief.put_json(&path, asks(false)).await.is(200);
    tested(app, &thief, &path, &evil, |draft| draft).await;
    firm.requires(&thief).await;
    for owner in [ADA, BEA] {
        firm.was_told(owner, "the metadata of Okta was replaced", 1).await;
        firm.was_told(owner, "the settings of Okta were changed", 1).await;
        firm.was_told(owner, "Okta no longer asks for the second step", 1).await;
    }
    let Acme { idp: good, .. } = theirs;
    let theirs = firm.theirs(evil, &path, &thief).await;
    let browsers = [app.browser(), app.browser()];
    for (browser, person) in browsers.iter().zip([&ada(), &colleague]) {
        app.wait(TimeDelta::seconds(1));
        theirs.signs_in(app, browser, person).await.goes_to("/me");
    }

    firm.disowns().await;

    firm.is_closed(&path).await;
    assert_eq!(app.count("identities").await, 1, "the colleague was known before");
    firm.was_told(BEA, "role changed, col@example.com as owner", 1).await;
    for browser in &browsers {
        assert!(is_nobody(browser).await);
    }
    // An owner who has looked turns it on again.
    let owner = gets_back(app).await;
    owner.post_json("/auth/confirm", json!({ "password": LATER })).await.is(200);
    owner.post_json(&format!("{path}/setup-link"), json!({})).await.refuses(422, "invalid");
    let restored = json!({ "metadata": metadata(IDP, &[&good]) });
    owner.post_json(&format!("{path}/metadata"), restored).await.is(200);
    let seen = owner.get(&path).await.is(200).json()["connection"]["fingerprint"].clone();
    owner.post_json(&format!("{path}/switch-on"), json!({ "fingerprint": seen })).await.is(200);
    firm.was_told(BEA, "Okta was turned on", 1).await;
    let theirs = firm.theirs(good, &path, &owner).await;
    app.wait(TimeDelta::seconds(1));
    theirs.signs_in(app, &app.browser(), &colleague).await.goes_to("/me");
}

/// Somebody who came by the intruder's provider made another connection, and is no owner any more, or no member.
#[actix_web::test]
async fn what_was_changed_by_whoever_came_by_it_is_found_whatever_they_are_now() {
    for now in
        ["UPDATE memberships SET role = 'viewer' WHERE user_id =", "DELETE FROM memberships WHERE user_id ="]
    {
        let firm = Firm::with(&[]).await;
        let app = &firm.app;
        let thief = firm.thief().await;
        let evil = Idp::rsa();
        let path = connected(&thief, &[&evil]).await;
        tested(app, &thief, &path, &evil, |draft| draft).await;
        let theirs = firm.theirs(evil, &path, &thief).await;
        let browser = app.browser();
        app.wait(TimeDelta::seconds(1));
        theirs.signs_in(app, &browser, &ada().at("new@example.com").called("new")).await.goes_to("/me");
        let new = "(SELECT id FROM users WHERE email = 'new@example.com')";
        app.db_execute(&format!("UPDATE memberships SET role = 'owner' WHERE user_id = {new}")).await;
        app.db_execute(
            "UPDATE sessions SET stepped_up_at = created_at, stepped_up_with = 'sso' WHERE method = 'sso'",
        )
        .await;
        let more = json!({ "name": "Backup", "metadata": metadata("urn:backup", &[&theirs.idp]) });
        browser.clone().with("accept", "application/json").post_json(SSO, more).await.is(201);
        app.db_execute(&format!("{now} {new}")).await;

        firm.disowns().await;

        assert_eq!(app.count("connections WHERE NOT is_paused").await, 0, "{now}");
        firm.was_told("new@example.com", "single sign-on with Okta", 1).await;
    }
}

#[actix_web::test]
async fn what_the_owner_s_own_session_changed_stays() {
    let firm = Firm::with(&[]).await;
    let app = &firm.app;
    let path = connected(&firm.owner, &[&Idp::rsa()]).await;
    firm.leads(&firm.owner, &path).await;
    firm.thief().await;

    not_me(app, &ways_back(app, ADA, true).await.remove(0)).await;

    assert_eq!(app.count("connections WHERE is_paused").await, 0);
    assert_eq!(app.count("domains WHERE connection_id IS NOT NULL").await, 1);
    firm.was_told(BEA, "is turned off", 0).await;
}

#[actix_web::test]
async fn an_operator_s_lock_of_a_compromised_owner_takes_it_out_of_use() {
    for is_compromised in [true, false] {
        let firm = Firm::with(&[]).await;
        let app = &firm.app;
        let mine = connected(&firm.owner, &[&Idp::rsa()]).await;
        firm.leads(&firm.owner, &mine).await;
        let thief = firm.thief().await;
        let more = json!({ "name": "Theirs", "metadata": metadata("urn:theirs", &[&Idp::rsa()]) });
        let made = thief.post_json(SSO, more).await.is(201).json();
        let theirs = made["connection"]["id"].as_str().unwrap();
        firm.leads(&thief, theirs).await;
        let ada = app.texts("SELECT id AS text FROM users WHERE email = 'ada@example.com'").await.remove(0);

        let locked = app.inner.write(move |tx| {
            let user = user_by_id(tx.conn, &UserId::from_text(ada))?;
            lock_out(tx, &Actor::operator(), &user, is_compromised)
        });
        assert!(locked.await.unwrap());

        let paused = app.texts("SELECT name AS text FROM connections WHERE is_paused").await;
        let expected: &[&str] = if is_compromised { &["Theirs"] } else { &[] };
        assert_eq!(paused, expected);
        let led = app.texts("SELECT connection_id AS text FROM domains").await;
        assert_eq!(led, [if is_compromised { id(&mine) } else { theirs }]);
        firm.was_told(BEA, "People at example.com sign in with Okta again.", usize::from(is_compromised))
            .await;
    }
}

#[actix_web::test]
async fn changes_have_a_bound_as_each_is_an_email_to_every_owner() {
    let firm = Firm::with(&[("THROTTLE", "on")]).await;
    let path = connected(&firm.owner, &[&Idp::rsa()]).await;
    let mut last = 200;
    for turn in 0..30 {
        let form = json!({ "name": "Okta", "asksSecondFactor": turn % 2 == 0 });
        last = firm.owner.put_json(&path, form).await.status.as_u16();
    }

    let told = firm.app.emails_that_say(BEA, "Single sign-on of Acme was changed").await;
    let noted = firm.app.count("security_changes WHERE kind = 'sso_changed'").await;
    assert_eq!((last, told, noted), (429, 30, 30));
}
