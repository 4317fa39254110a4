//! An organisation with an identity provider of its own that says whatever it is told to, and its people at the front
//! door: they leave for it, and come back by a cross-site POST as browsers do.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Read;

use actix_web::http::Method;
use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::TimeDelta;
use flate2::read::DeflateDecoder;
use serde_json::Value;
use vestibule::{
    ids::{ConnectionId, OrganisationId, UserId},
    internals::{
        Actor, Mapping, NewConnection, Slug, Title, add_domain, add_member, connection_by_id,
        create_connection, create_organisation, verify_domain,
    },
    kinds::Role,
    secret,
};

use crate::{
    harness::{Answer, PASSWORD, START, TestApp, Visitor},
    saml::forger::{self, ACS, Draft, IDP, Idp, REQUEST, US, at},
};

/// Where a browser goes that brings an answer for a second time.
pub const ANSWERED: &str = "/auth/saml/refused?answered=true";

/// An organisation, its connection, and the key of its identity provider.
pub struct Acme {
    pub idp: Idp,
    pub issuer: String,
    pub organisation: OrganisationId,
    pub connection: ConnectionId,
    pub owner: Visitor,
}

/// Somebody as their identity provider knows them.
#[derive(Clone)]
pub struct Person {
    pub subject: String,
    pub email: String,
    pub name: String,
    pub groups: Vec<&'static str>,
}

/// A request on its way to the identity provider.
#[derive(Debug, Clone)]
pub struct Request {
    pub id: String,
    pub relay_state: String,
    pub xml: String,
}

/// Ada Lovelace, in no group.
pub fn ada() -> Person {
    Person {
        subject: "ada".to_owned(),
        email: "ada@example.com".to_owned(),
        name: "Ada Lovelace".to_owned(),
        groups: Vec::new(),
    }
}

impl Person {
    pub fn in_groups(mut self, groups: &[&'static str]) -> Self {
        self.groups = groups.to_vec();
        self
    }

    pub fn at(mut self, email: &str) -> Self {
        self.email = email.to_owned();
        self
    }

    pub fn called(mut self, subject: &str) -> Self {
        self.subject = subject.to_owned();
        self
    }

    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }
}

impl Acme {
    /// Acme with its connection; `example.com` is proved and leads there. Makers edit, owners own, all others look.
    pub async fn of(app: &TestApp) -> Self {
        let acme = Self::unproved(app, "Acme", "boss@acme.example").await;
        acme.verifies(app, "example.com").await;
        acme
    }

    /// An organisation with a connection and no domain.
    pub async fn unproved(app: &TestApp, name: &str, owner: &str) -> Self {
        let issuer = match name {
            "Acme" => IDP.to_owned(),
            name => format!("https://idp.{}.example", name.to_lowercase()),
        };
        Self::known_as(app, name, owner, issuer).await
    }

    /// The same with an identity provider of this name.
    pub async fn known_as(app: &TestApp, name: &str, owner: &str, issuer: String) -> Self {
        let idp = Idp::rsa();
        let metadata = forger::metadata(&issuer, &[&idp]);
        let visitor = app.verified(owner).await;
        let id = id_of(&visitor).await;
        let (title, slug) = (Title::parse(name).unwrap(), Slug::parse(&name.to_lowercase()).unwrap());
        let called = name.to_owned();
        let (organisation, connection) = app
            .inner
            .write(move |tx| {
                let actor = Actor::operator();
                let made = create_organisation(tx, &actor, &UserId::from_text(id), &title, &slug)?;
                let roles = vec![("makers".to_owned(), Role::Editor), ("owners".to_owned(), Role::Owner)];
                let mapping = Mapping { roles, ..Mapping::default() };
                let new = NewConnection { name: called, metadata, metadata_url: None, mapping };
                let connection = create_connection(tx, &actor, &made.id, new)?.unwrap();
                Ok((made.id, connection.id))
            })
            .await
            .unwrap();
        Self { idp, issuer, organisation, connection, owner: visitor }
    }

    /// The one of a connection that was made in another way.
    pub async fn made(idp: Idp, issuer: &str, connection: &str, owner: Visitor, app: &TestApp) -> Self {
        let id = ConnectionId::from_text(connection);
        let asked = id.clone();
        let row = app.inner.read(move |conn| connection_by_id(conn, &asked)).await.unwrap();
        Self { idp, issuer: issuer.to_owned(), organisation: row.organisation_id, connection: id, owner }
    }

    /// Proves a domain, which leads to the connection from now on.
    pub async fn verifies(&self, app: &TestApp, name: &str) {
        let (organisation, connection, name) =
            (self.organisation.clone(), self.connection.clone(), name.to_owned());
        let verified = app.inner.write(move |tx| {
            let actor = Actor::operator();
            let domain = add_domain(tx, &actor, &organisation, Some(&connection), &name)?;
            verify_domain(tx, &actor, &domain, "operator")
        });
        verified.await.unwrap();
    }

    /// Changes a setting of the connection.
    pub async fn sets(&self, app: &TestApp, what: &str) {
        app.db_execute(&format!("UPDATE connections SET {what} WHERE id = '{}'", self.connection)).await;
    }

    /// From now on people of the domain sign in here only, but for this owner.
    pub async fn enforces(&self, app: &TestApp, break_glass: Option<&str>) {
        let owner = match break_glass {
            Some(id) => format!("'{id}'"),
            None => "NULL".to_owned(),
        };
        if let Some(id) = break_glass {
            let (organisation, user) = (self.organisation.clone(), UserId::from_text(id));
            let joined = app
                .inner
                .write(move |tx| add_member(tx, &Actor::operator(), &organisation, &user, Role::Owner));
            joined.await.unwrap();
        }
        let set = format!("UPDATE domains SET is_enforced = TRUE, break_glass_id = {owner}");
        app.db_execute(&set).await;
    }

    /// What its identity provider says about `person` in answer to a request, not signed yet.
    pub fn draft(&self, app: &TestApp, request: &Request, person: &Person) -> Draft {
        let since = app.clock.now().unix() - START;
        let (us, acs_url) =
            (format!("{}/auth/saml/metadata", app.base_url), format!("{}/auth/saml/callback", app.base_url));
        let groups: String = person.groups.iter().map(|group| value(group)).collect();
        let id = |what: &str| format!("_{what}-{}", secret::random_text(12).unwrap());
        let (response_id, assertion_id) = (id("response"), id("assertion"));
        let change = |text: &str| {
            let marked =
                text.replace(&at(-5), "{now}").replace(&at(300), "{soon}").replace(&at(28_800), "{later}");
            marked
                .replace("{now}", &at(since - 5))
                .replace("{soon}", &at(since + 300))
                .replace("{later}", &at(since + 28_800))
                .replace(ACS, &acs_url)
                .replace(US, &us)
                .replace(IDP, &self.issuer)
                .replace(REQUEST, &request.id)
                .replace("\"_response\"", &format!("\"{response_id}\""))
                .replace("\"_assertion\"", &format!("\"{assertion_id}\""))
                .replace(&[value("makers"), value("owners")].concat(), &groups)
                .replace(">ada<", &format!(">{}<", person.subject))
                .replace("ada@example.com", &person.email)
                .replace("Ada Lovelace", &person.name)
        };
        let Draft { response, assertion } = forger::draft();
        Draft { response: change(&response), assertion: change(&assertion) }
    }

    /// The same, signed.
    pub fn says(&self, app: &TestApp, request: &Request, person: &Person) -> String {
        self.draft(app, request, person).both_signed(&self.idp.pen())
    }

    /// Leaves for the identity provider, by the domain of the address.
    pub async fn leave(&self, browser: &Visitor, person: &Person) -> Request {
        let query = serde_urlencoded::to_string([("email", &person.email)]).unwrap();
        request_in(&browser.get(&format!("/auth/saml/login?{query}")).await)
    }

    /// Leaves for the identity provider of this very connection.
    pub async fn leave_for(&self, browser: &Visitor) -> Request {
        request_in(&browser.post("/auth/saml/login", &[("connection", self.connection.as_str())]).await)
    }

    /// Somebody signs in: there, back, and in.
    pub async fn signs_in(&self, app: &TestApp, browser: &Visitor, person: &Person) -> Answer {
        let request = self.leave_for(browser).await;
        let response = self.says(app, &request, person);
        comes_back(app, browser, &response, &request.relay_state).await
    }

    /// The attempts of the connection, the newest first.
    pub async fn attempts(&self, app: &TestApp) -> Vec<String> {
        let own = format!("attempts WHERE connection_id = '{}'", self.connection);
        app.texts(&format!("SELECT outcome AS text FROM {own} ORDER BY at DESC, id")).await
    }

    /// Members with their roles, as the house has them.
    pub async fn roles(&self, app: &TestApp) -> Vec<String> {
        let query = format!(
            "SELECT users.email || ' ' || memberships.role AS text FROM memberships JOIN users ON users.id = \
             memberships.user_id WHERE organisation_id = '{}' ORDER BY users.email",
            self.organisation
        );
        app.texts(&query).await
    }
}

fn value(text: &str) -> String {
    format!("<saml:AttributeValue>{text}</saml:AttributeValue>")
}

/// The request in an answer that leads to the identity provider.
#[track_caller]
pub fn request_in(answer: &Answer) -> Request {
    // By a redirect; where a form was sent, by a link, which a page may lead elsewhere with.
    let location = match answer.status.as_u16() {
        303 => answer.header("location").to_owned(),
        200 => {
            let (_, rest) = answer.body.split_once("href=\"https://").unwrap();
            format!("https://{}", rest.split_once('"').unwrap().0).replace("&amp;", "&").replace("&#38;", "&")
        }
        _ => panic!("{}: {}", answer.request, answer.body),
    };
    let (to, query) = location.split_once('?').unwrap();
    assert_eq!(to, "https://idp.example/sso", "{}", answer.request);
    let fields: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).unwrap().1.clone();
    let packed = BASE64_STANDARD.decode(field("SAMLRequest")).unwrap();
    let mut xml = String::new();
    DeflateDecoder::new(packed.as_slice()).read_to_string(&mut xml).unwrap();
    Request { id: forger::id_of(&xml).to_owned(), relay_state: field("RelayState"), xml }
}

/// The identity provider's page posts its response: another site does, so the Lax cookies stay at home.
pub async fn posts(app: &TestApp, browser: &Visitor, response: &str, relay_state: &str) -> Answer {
    let there = abroad(app, browser);
    let fields = [("SAMLResponse", BASE64_STANDARD.encode(response)), ("RelayState", relay_state.to_owned())];
    let body = serde_urlencoded::to_string(fields).unwrap();
    let form = ("application/x-www-form-urlencoded", body);
    let answer = there.send(Method::POST, "/auth/saml/callback", Some(form)).await;
    for name in ["saml", "__Host-saml"] {
        if let Some(nonce) = there.cookie(name) {
            browser.set_cookie(name, &nonce);
        }
    }
    answer
}

/// The same browser as its requests from another site look here.
pub fn abroad(app: &TestApp, browser: &Visitor) -> Visitor {
    let there = app.browser().with("sec-fetch-site", "cross-site").with("origin", "https://idp.example");
    if let Some(nonce) = browser.cookie("__Host-saml") {
        there.set_cookie("__Host-saml", &nonce);
    }
    there
}

/// Posts the response and goes where the answer leads; the last answer.
pub async fn comes_back(app: &TestApp, browser: &Visitor, response: &str, relay_state: &str) -> Answer {
    let answer = posts(app, browser, response, relay_state).await;
    let to = answer.header("location").to_owned();
    assert!(answer.status == 303 && to.starts_with("/auth/saml/"), "{}: {}", answer.request, answer.body);
    browser.get(&to).await
}

/// The public id of the account in this jar.
pub async fn id_of(visitor: &Visitor) -> String {
    me(visitor).await["id"].as_str().unwrap().to_owned()
}

/// The account in this jar.
pub async fn me(visitor: &Visitor) -> Value {
    let answer = visitor.clone().with("accept", "application/json").get("/me").await.is(200);
    answer.json()["user"].clone()
}

/// Whether nobody is signed in here.
pub async fn is_nobody(visitor: &Visitor) -> bool {
    visitor.clone().with("accept", "application/json").get("/me").await.status == 401
}

/// Somebody confirmed with an account of the old kind, in a browser.
pub async fn resident(app: &TestApp, address: &str) -> Visitor {
    app.verified(address).await;
    let browser = app.browser();
    browser.post("/login", &[("email", address), ("password", PASSWORD)]).await.goes_to("/me");
    browser
}

/// Lets a little time pass, so that what comes next is later.
pub fn later(app: &TestApp) {
    app.wait(TimeDelta::seconds(1));
}
