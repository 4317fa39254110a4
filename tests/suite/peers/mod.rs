//! What is not ours. Proxies, in `gate`, and applications behind them, in `recipes`; a provider that people sign in with, in
//! `oidc`; an application that signs people in here, in `clients`; and identity providers, with their own
//! defaults: SimpleSAMLphp, the npm package samlp, and pysaml2 from PyPI. `bin/test peers` installs them; where one is not, its
//! tests say so and are skipped.

mod apache;
mod clients;
mod compared;
mod gate;
mod ground;
mod keys;
mod mock;
mod oidc;
mod recipes;
mod signing_in;
mod signing_out;

use std::{
    cell::RefCell,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use actix_web::http::Method;
use chrono::TimeDelta;
use openssl::x509::X509;
use serde_json::{Value, json};
use vestibule::clock::Clock;

use crate::{
    connections::{acme, again},
    harness::{Answer, TestApp, Visitor, outbound::Publisher},
    idp::{Acme, me},
    saml::forger::Idp,
};

const SSO: &str = "/organisations/acme/sso";
const OWNER: &str = "ada@example.com";
const BASE: &str = "https://peer.example";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    SimpleSamlPhp,
    Samlp,
    Pysaml2,
}

use Kind::{Pysaml2, Samlp, SimpleSamlPhp};

impl Kind {
    /// How it is started, where it is on this machine.
    #[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
    fn command(self) -> Option<Command> {
        let (setting, script) = match self {
            SimpleSamlPhp => ("SIMPLESAMLPHP", "tests/peers/simplesamlphp.js"),
            Samlp => ("PEER_MODULES", "tests/peers/samlp.js"),
            Pysaml2 => ("PYSAML2_PYTHON", "tests/peers/pysaml2_idp.py"),
        };
        let Ok(place) = std::env::var(setting) else {
            eprintln!(
                "SKIPPED: {setting} is not set, so {self:?} is not asked; `bin/test peers` installs it"
            );
            return None;
        };
        let mut command = match self {
            SimpleSamlPhp | Samlp => Command::new("node"),
            Pysaml2 => Command::new(&place),
        };
        match self {
            SimpleSamlPhp => command.arg(script),
            Samlp => command.env("NODE_PATH", place).args(["--no-deprecation", script]),
            Pysaml2 => command.args(["-W", "ignore", script]),
        };
        Some(command)
    }

    /// The attribute in which it tells groups.
    fn groups(self) -> &'static str {
        match self {
            SimpleSamlPhp => "groups",
            Samlp => "http://schemas.passportjs.com/groups",
            Pysaml2 => "urn:oid:1.3.6.1.4.1.5923.1.1.1.1",
        }
    }
}

/// One that runs for one test, with two keys, of which it uses the first.
struct Peer {
    process: Child,
    asks: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Peer {
    fn start(kind: Kind) -> Option<Self> {
        let mut command = kind.command()?;
        let keys: Vec<Value> = [Idp::rsa(), Idp::with(Idp::rsa().key, -1, 300)]
            .iter()
            .map(|idp| {
                let private = idp.key.private_key_to_pem_pkcs8().unwrap();
                let certificate = idp.certificate.to_pem().unwrap();
                let text = |pem: Vec<u8>| String::from_utf8(pem).unwrap();
                json!({ "private": text(private), "certificate": text(certificate) })
            })
            .collect();
        let settings = json!({ "base": BASE, "keys": keys }).to_string();
        let pipes = command.arg(settings).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = pipes.unwrap_or_else(|cause| panic!("{kind:?} does not start: {cause}"));
        let pipes = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Some(Self { process, asks: RefCell::new(pipes) })
    }

    /// Asks something of it; what it answers.
    fn ask(&self, ask: &str, with: Value) -> Value {
        let answer = self.tries(ask, with);
        assert!(answer.get("error").is_none(), "{ask}: {}", answer["error"].as_str().unwrap_or_default());
        answer
    }

    /// The same where it may refuse, which is in `error` then.
    fn tries(&self, ask: &str, with: Value) -> Value {
        let mut asked = with;
        asked["ask"] = ask.into();
        let (input, output) = &mut *self.asks.borrow_mut();
        writeln!(input, "{asked}").unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{ask} ended it: {line}"))
    }

    fn metadata(&self) -> String {
        self.ask("metadata", json!({}))["metadata"].as_str().unwrap().to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Somebody as the identity provider knows them.
fn person(subject: &str, groups: &[&str]) -> Value {
    let email = format!("{subject}@example.com");
    json!({ "subject": subject, "name": "Eve Example", "email": email, "groups": groups })
}

/// Acme, connected with one of them; each knows the other by metadata. `example.com` leads there.
struct House {
    app: TestApp,
    peer: Peer,
    base: String,
    owner: Visitor,
    publisher: Publisher,
    path: String,
    acme: Acme,
}

impl House {
    /// Nothing where it is not on this machine.
    async fn with(kind: Kind) -> Option<Self> {
        let peer = Peer::start(kind)?;
        let app = TestApp::today_with(&[("SSO_PRIVATE_METADATA", "on")]).await;
        let owner = acme(&app).await;
        let base = peer.ask("metadata", json!({}))["base"].as_str().unwrap_or(BASE).to_owned();
        let publisher = Publisher::start(&peer.metadata());
        let roles = "makers = editor\nowners = owner";
        let form = json!({ "name": "Peer", "metadataUrl": publisher.link(), "roles": roles, "groupsAttribute": kind.groups() });
        let made = owner.post_json(SSO, form).await.is(201).json();
        let id = made["connection"]["id"].as_str().unwrap().to_owned();
        let acme = Acme::made(Idp::rsa(), BASE, &id, owner.clone(), &app).await;
        acme.verifies(&app, "example.com").await;
        let house = Self { app, peer, base, owner, publisher, path: format!("{SSO}/{id}"), acme };
        house.tells(json!({})).await;
        Some(house)
    }

    /// The same where it signs, and names people, in a way that lasts: what its owners have to set.
    async fn ready(kind: Kind) -> Option<Self> {
        let house = Self::with(kind).await?;
        match kind {
            SimpleSamlPhp => house.acme.sets(&house.app, "identifier = 'uid'").await,
            Samlp => house.acme.sets(&house.app, &format!("identifier = '{NAME_CLAIM}'")).await,
            Pysaml2 => {
                house.acme.sets(&house.app, "name_policy = 'persistent'").await;
                house.tells(json!({})).await;
            }
        }
        Some(house)
    }

    /// Tells the identity provider who we are, by our metadata, and what else to do.
    async fn tells(&self, more: Value) -> Value {
        let link = |path: &str| format!("{}{path}", self.app.base_url);
        let certificate = self.app.curl().get("/auth/saml/certificate").await.is(200).body;
        let key = X509::from_pem(certificate.as_bytes()).unwrap().public_key().unwrap();
        let mut told = json!({
            "entityId": link("/auth/saml/metadata"),
            "acs": link("/auth/saml/callback"),
            "logout": link("/auth/saml/logout"),
            "metadata": self.app.curl().get("/auth/saml/metadata").await.is(200).body,
            "certificate": certificate,
            "publicKey": String::from_utf8(key.public_key_to_pem().unwrap()).unwrap(),
            "signsWithSha256": true,
        });
        for (name, value) in more.as_object().unwrap() {
            told[name] = value.clone();
        }
        self.peer.ask("learn", told)
    }

    /// It is as late here as it is there.
    fn sets_the_clock(&self) {
        self.app.wait((Clock::system().now() - self.app.clock.now()).max(TimeDelta::zero()));
    }

    /// Leaves for the identity provider: the query with the request.
    async fn leaves(&self, browser: &Visitor, path: &str, form: Option<Value>) -> String {
        self.sets_the_clock();
        let program = browser.clone().with("accept", "application/json");
        let answer = match form {
            Some(form) => program.post_json(path, form).await,
            None => program.get(path).await,
        };
        for name in ["saml", "state"] {
            if let Some(value) = program.cookie(name) {
                browser.set_cookie(name, &value);
            }
        }
        let location = answer.is(200).json()["location"].as_str().unwrap().to_owned();
        let (to, query) = location.split_once('?').unwrap();
        assert!(to.starts_with(&self.base), "{to}");
        query.to_owned()
    }

    /// Leaves for it, to sign in.
    async fn leaves_to_sign_in(&self, browser: &Visitor) -> String {
        let form = json!({ "connection": self.acme.connection.as_str() });
        self.leaves(browser, "/auth/saml/login", Some(form)).await
    }

    /// Posts what the identity provider's page holds, as another site does; where it leads.
    async fn posts(&self, browser: &Visitor, page: &Value) -> String {
        assert_eq!(page["action"], format!("{}/auth/saml/callback", self.app.base_url));
        self.sets_the_clock();
        let there = self.app.browser().with("sec-fetch-site", "cross-site").with("origin", BASE);
        let form =
            ("application/x-www-form-urlencoded", serde_urlencoded::to_string(&page["fields"]).unwrap());
        let answer = there.send(Method::POST, "/auth/saml/callback", Some(form)).await.is(303);
        if let Some(nonce) = there.cookie("saml") {
            browser.set_cookie("saml", &nonce);
        }
        answer.header("location").to_owned()
    }

    /// The same, and goes there.
    async fn comes_back(&self, browser: &Visitor, page: &Value) -> Answer {
        let to = self.posts(browser, page).await;
        browser.get_once(&to).await
    }

    /// Signs in: there, back, and in.
    async fn signs_in(&self, browser: &Visitor, person: &Value) -> Answer {
        let query = self.leaves_to_sign_in(browser).await;
        let page = self.peer.ask("signIn", json!({ "query": query, "person": person }));
        self.comes_back(browser, &page).await
    }

    /// Why the last one was refused, in full.
    async fn last_attempt(&self) -> Value {
        let owner = again(&self.app, OWNER).await;
        let shown = owner.get(&self.path).await.is(200).json();
        let id = shown["attempts"][0]["id"].as_str().unwrap().to_owned();
        owner.get(&format!("{}/attempts/{id}", self.path)).await.is(200).json()
    }

    /// The account in this browser, and its role in Acme.
    async fn account(&self, browser: &Visitor) -> (String, String) {
        let account = me(browser).await;
        let query = format!(
            "SELECT role AS text FROM memberships WHERE user_id = '{}'",
            account["id"].as_str().unwrap()
        );
        (account["email"].as_str().unwrap().to_owned(), self.app.texts(&query).await.remove(0))
    }
}

/// The attribute in which samlp says again what is in its NameID.
const NAME_CLAIM: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier";
