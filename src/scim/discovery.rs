//! What is said of this service (RFC 7643 §5 to §7): only what is kept is announced.

use serde_json::{Value, json};

use super::{CURSOR_LIFE, GROUP_SCHEMA, MOST_ON_A_PAGE, PAGE, USER_SCHEMA};

/// The documents of one site; `base` is `https://HOST/scim/v2`.
#[derive(Debug)]
pub(crate) struct Discovery<'a> {
    /// Where everything is.
    pub base: &'a str,
}

impl Discovery<'_> {
    /// `ServiceProviderConfig` (RFC 7643 §5, RFC 9865 §3).
    pub(crate) fn service_provider_config(&self) -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
            "patch": { "supported": true },
            "filter": { "supported": true, "maxResults": MOST_ON_A_PAGE },
            "etag": { "supported": true },
            "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
            "sort": { "supported": false },
            "changePassword": { "supported": false },
            "pagination": {
                "cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": PAGE,
                "maxPageSize": MOST_ON_A_PAGE, "cursorTimeout": CURSOR_LIFE,
            },
            "authenticationSchemes": [{
                "type": "oauthbearertoken", "name": "Bearer token",
                "description": "Made by an owner of the organisation.",
                "specUri": "https://www.rfc-editor.org/rfc/rfc6750", "primary": true,
            }],
            "meta": self.meta("ServiceProviderConfig", "ServiceProviderConfig"),
        })
    }

    fn meta(&self, kind: &str, path: &str) -> Value {
        json!({ "resourceType": kind, "location": format!("{}/{path}", self.base) })
    }

    /// The resource types, each with its id.
    pub(crate) fn resource_types(&self) -> Vec<(&'static str, Value)> {
        let kind = |id: &'static str, schema: &str, what: &str| {
            let document = json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
                "id": id, "name": id, "endpoint": format!("/{id}s"), "description": what, "schema": schema,
                "meta": self.meta("ResourceType", &format!("ResourceTypes/{id}")),
            });
            (id, document)
        };
        vec![
            kind("User", USER_SCHEMA, "A person in the directory"),
            kind("Group", GROUP_SCHEMA, "A group of people"),
        ]
    }

    /// The schemas, each with its id.
    pub(crate) fn schemas(&self) -> Vec<(&'static str, Value)> {
        let schema = |id: &'static str, name: &str, what: &str, attributes: Vec<Value>| {
            let document = json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
                "id": id, "name": name, "description": what, "attributes": attributes,
                "meta": self.meta("Schema", &format!("Schemas/{id}")),
            });
            (id, document)
        };
        vec![
            schema(USER_SCHEMA, "User", "A person in the directory", user()),
            schema(GROUP_SCHEMA, "Group", "A group of people", group()),
        ]
    }
}

/// An attribute that can be left out; `more` overrides what is usual.
fn attribute(name: &str, kind: &str, what: &str, more: Value) -> Value {
    let mut attribute = json!({
        "name": name, "type": kind, "multiValued": false, "description": what, "required": false,
        "mutability": "readWrite", "returned": "default", "uniqueness": "none",
    });
    if kind == "string" {
        attribute["caseExact"] = false.into();
    }
    if let (Value::Object(attribute), Value::Object(more)) = (&mut attribute, more) {
        attribute.extend(more);
    }
    attribute
}

fn text(name: &str, what: &str) -> Value {
    attribute(name, "string", what, json!({}))
}

fn user() -> Vec<Value> {
    let read_only = json!({ "mutability": "readOnly" });
    let exact = json!({ "mutability": "readOnly", "caseExact": true });
    vec![
        attribute(
            "userName",
            "string",
            "Who it is in the directory",
            json!({ "required": true, "uniqueness": "server" }),
        ),
        attribute(
            "active",
            "boolean",
            "Whether the person may come in",
            json!({ "required": true, "returned": "always" }),
        ),
        attribute(
            "name",
            "complex",
            "The parts of the person's name",
            json!({ "subAttributes": [
                text("formatted", "The whole name"), text("familyName", "The family name"), text("givenName", "The given name"),
            ] }),
        ),
        text("displayName", "What the person is called"),
        attribute(
            "emails",
            "complex",
            "Email addresses",
            json!({ "multiValued": true, "subAttributes": [
                text("value", "The address"), text("type", "What it is for, such as work"),
                attribute("primary", "boolean", "Whether it is the one that counts", json!({})),
            ] }),
        ),
        attribute(
            "groups",
            "complex",
            "The groups that the person is in",
            json!({ "multiValued": true, "mutability": "readOnly", "subAttributes": [
                attribute("value", "string", "The id of the group", exact.clone()),
                attribute("$ref", "reference", "Its address", json!({
                    "mutability": "readOnly", "caseExact": true, "referenceTypes": ["Group"],
                })),
                attribute("display", "string", "What it is called", read_only.clone()),
                attribute("type", "string", "How the person is in it", read_only),
            ] }),
        ),
    ]
}

fn group() -> Vec<Value> {
    let immutable = |more: Value| {
        let mut all = json!({ "mutability": "immutable", "caseExact": true });
        if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
            all.extend(more);
        }
        all
    };
    vec![
        attribute("displayName", "string", "What the group is called", json!({ "required": true })),
        attribute(
            "members",
            "complex",
            "The people in the group",
            json!({ "multiValued": true, "subAttributes": [
                attribute("value", "string", "The id of the person", immutable(json!({}))),
                attribute("$ref", "reference", "Their address", immutable(json!({ "referenceTypes": ["User"] }))),
                attribute("type", "string", "What kind of member it is", immutable(json!({ "canonicalValues": ["User"] }))),
            ] }),
        ),
    ]
}
