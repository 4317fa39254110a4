//! How far a connection is set up, and which attributes it wants and gets.

use serde::Serialize;

use crate::{
    clock::Timestamp,
    kinds::Protocol,
    model::{
        connection::{Connection, Mapping},
        domain::Domain,
        sso_attempt::Detail,
    },
};

/// One step of the set-up.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Step {
    pub(super) says: &'static str,
    pub(super) is_done: bool,
    /// Since when, where that is known.
    pub(super) at: Option<Timestamp>,
}

/// The steps of a connection with the domains that lead to it, in their order.
pub(crate) fn steps(connection: &Connection, domains: &[Domain]) -> Vec<Step> {
    let verified = domains.iter().filter_map(|domain| domain.verified_at).min();
    let is_required = domains.iter().any(|domain| domain.is_enforced);
    let step = |says, is_done, at| Step { says, is_done, at };
    let connected_at = Some(connection.created_at).filter(|_| !connection.is_blank());
    let turned_on = connection.is_paused.then(|| step("Check the changes and turn it on", false, None));
    let first = [
        step("Connect your identity provider", connected_at.is_some(), connected_at),
        step("Test the sign-in", connection.tested_at.is_some(), connection.tested_at),
    ];
    let last = [
        step("Verify a domain and use it here", verified.is_some(), verified),
        step("Require SSO (optional)", is_required, None),
    ];
    first.into_iter().chain(turned_on).chain(last).collect()
}

/// An attribute that is wanted.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttributeView {
    pub(super) says: &'static str,
    pub(super) is_required: bool,
    /// The names that are looked for.
    pub(super) names: Vec<String>,
    /// What came of it at the last sign-in.
    pub(super) came: Vec<String>,
}

/// The attributes that a connection wants, with what came lately.
pub(crate) fn attributes(
    connection: &Connection,
    mapping: &Mapping,
    latest: Option<&Detail>,
) -> Vec<AttributeView> {
    let came = |names: &[String]| {
        let sent = latest.map(|detail| detail.attributes.as_slice()).unwrap_or_default();
        let found = names.iter().find_map(|name| sent.iter().find(|(sent, _)| sent == name));
        found.map(|(_, values)| values.clone()).unwrap_or_default()
    };
    let view = |says, is_required, names: Vec<String>| {
        let came = came(&names);
        AttributeView { says, is_required, names, came }
    };
    let [email, name, groups] = mapping.attribute_names(connection.protocol);
    let identifier = match connection.protocol {
        Protocol::Saml => connection.identifier(),
        Protocol::Oidc => Some(connection.subject_claim()),
    };
    let identifier = identifier.map(|name| view("What identifies a person", true, vec![name]));
    let usual =
        [view("Email address", true, email), view("Name", false, name), view("Groups", false, groups)];
    identifier.into_iter().chain(usual).collect()
}
