//! The directory of an organisation, as its identity provider writes it (SCIM 2.0), judged by what is read of the entry, the
//! membership and the sessions afterwards.

mod groups;
mod leaving;
mod patching;
mod people;
mod reading;
mod signing_in;
mod tokens;

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, TestApp, Visitor},
    idp::Acme,
};

const SCIM: &str = "application/scim+json";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Acme, which has proved example.com and signs its people in, with a directory.
pub struct Corp {
    pub app: TestApp,
    pub acme: Acme,
    pub scim: Scim,
}

/// The identity provider of an organisation.
pub struct Scim {
    visitor: Visitor,
}

impl Corp {
    pub async fn open() -> Self {
        Self::of(TestApp::open().await).await
    }

    pub async fn of(app: TestApp) -> Self {
        let acme = Acme::of(&app).await;
        let scim = Scim::of(&app, &acme.owner, "acme").await;
        Self { app, acme, scim }
    }

    /// How many accounts there are, but for the owner's.
    pub async fn accounts(&self) -> i64 {
        self.app.count("users WHERE email_normalized <> 'boss@acme.example'").await
    }

    /// What an account is in Acme, by its address.
    pub async fn role(&self, address: &str) -> Option<String> {
        let all = self.acme.roles(&self.app).await;
        all.iter().find_map(|one| one.strip_prefix(&format!("{address} ")).map(str::to_owned))
    }

    /// Whether Acme keeps somebody out.
    pub async fn keeps_out(&self, address: &str) -> bool {
        self.app
            .count(&format!("users WHERE email_normalized = '{address}' AND suspended_by IS NOT NULL"))
            .await
            > 0
    }
}

impl Scim {
    /// The one of the organisation of this owner, which turns its directory on.
    pub async fn of(app: &TestApp, owner: &Visitor, slug: &str) -> Self {
        owner.steps_up().await;
        let path = format!("/organisations/{slug}/directory");
        owner.post_json(&path, json!({})).await.is(200);
        let token = Self::token(owner, slug, "Okta").await;
        Self::with(app, &token)
    }

    /// Makes a token.
    pub async fn token(owner: &Visitor, slug: &str, name: &str) -> String {
        let path = format!("/organisations/{slug}/directory/tokens");
        let made = owner.post_json(&path, json!({ "name": name })).await.is(201).json();
        made["secret"].as_str().unwrap().to_owned()
    }

    pub fn with(app: &TestApp, token: &str) -> Self {
        Self { visitor: app.curl().with("authorization", &format!("Bearer {token}")) }
    }

    pub fn with_header(&self, name: &str, value: &str) -> Self {
        Self { visitor: self.visitor.clone().with(name, value) }
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let body = body.map(|body| (SCIM, body.to_string()));
        self.visitor.send(method, &format!("/scim/v2{path}"), body).await
    }

    /// A body of another kind.
    pub async fn send_as(&self, kind: &str, method: Method, path: &str, body: &str) -> Answer {
        self.visitor.send(method, &format!("/scim/v2{path}"), Some((kind, body.to_owned()))).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// A PATCH with these operations.
    pub async fn patch(&self, path: &str, operations: Value) -> Answer {
        let body = json!({ "schemas": [PATCH], "Operations": operations });
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Lists somebody whose user name is their address: the id of the entry.
    pub async fn adds(&self, address: &str) -> String {
        let made = self.post("/Users", user(address)).await.is(201).json();
        made["id"].as_str().unwrap().to_owned()
    }

    /// Makes a group of these entries: its id.
    pub async fn groups(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let body = json!({ "schemas": [GROUP], "displayName": name, "members": members });
        self.post("/Groups", body).await.is(201).json()["id"].as_str().unwrap().to_owned()
    }

    /// The ids in a group.
    pub async fn members(&self, id: &str) -> Vec<String> {
        let group = self.get(&format!("/Groups/{id}")).await.is(200).json();
        let members = group["members"].as_array().cloned().unwrap_or_default();
        members.iter().map(|one| one["value"].as_str().unwrap().to_owned()).collect()
    }

    /// An entry, as it is read.
    pub async fn entry(&self, id: &str) -> Value {
        self.get(&format!("/Users/{id}")).await.is(200).json()
    }

    /// The user names that a filter finds.
    pub async fn finds(&self, filter: &str) -> Vec<String> {
        let query = serde_urlencoded::to_string([("filter", filter)]).unwrap();
        let found = self.get(&format!("/Users?{query}")).await.is(200).json();
        let list = found["Resources"].as_array().unwrap().clone();
        assert_eq!(found["totalResults"], list.len());
        list.iter().map(|one| one["userName"].as_str().unwrap().to_owned()).collect()
    }

    /// Says that somebody has left.
    pub async fn deactivates(&self, id: &str) -> Answer {
        let operations = json!([{ "op": "replace", "path": "active", "value": false }]);
        self.patch(&format!("/Users/{id}"), operations).await
    }
}

/// A user as most send one.
pub fn user(address: &str) -> Value {
    json!({
        "schemas": [USER], "userName": address, "active": true, "name": { "givenName": "Ada", "familyName": "Lovelace" },
        "emails": [{ "value": address, "type": "work", "primary": true }],
    })
}

/// A refusal in the form of SCIM, with this status and kind.
#[track_caller]
pub fn refused(answer: Answer, status: u16, kind: Option<&str>) -> Answer {
    let answer = answer.is(status);
    let body = answer.json();
    assert!(answer.header("content-type").starts_with(SCIM), "{}", answer.request);
    assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(body["status"], status.to_string(), "{}", answer.request);
    assert_eq!(body["scimType"].as_str(), kind, "{}: {}", answer.request, answer.body);
    assert!(body["detail"].as_str().is_some_and(|text| text.ends_with('.')), "{}", answer.body);
    answer
}
