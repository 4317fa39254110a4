//! API keys as pages and JSON show them.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    accounts::api_keys::ACCOUNT_READ,
    clock::Timestamp,
    ids::{ApiKeyId, UserId},
    model::{
        api_key::{ApiKey, KeyKind, Suspension},
        organisation::Organisation,
        user::User,
    },
};

/// A key as its owner sees it; never its secret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyView {
    pub(super) id: ApiKeyId,
    pub(super) name: String,
    /// How its secret begins.
    pub(super) hint: String,
    pub(super) state: State,
    /// Why it is suspended, where it is.
    pub(super) suspended_for: Option<Suspension>,
    pub(super) permissions: Vec<String>,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) last_used_at: Option<Timestamp>,
    pub(super) last_used_from: Option<String>,
    /// Until when the secret before the last roll works.
    pub(super) former_until: Option<Timestamp>,
    /// The one organisation that a person's key is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) organisation: Option<OrganisationName>,
    /// Who made an organisation's; null where they are gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) made_by: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) maker_left: Option<bool>,
    #[serde(skip)]
    pub(super) maker: Option<String>,
}

/// An organisation, to be named.
#[derive(Serialize)]
pub(crate) struct OrganisationName {
    pub(super) slug: String,
    pub(super) name: String,
}

/// Whether a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Active,
    Suspended,
    Expired,
}

impl KeyView {
    /// Whether it opens `GET /me`.
    pub(super) fn reads_account(&self) -> bool {
        self.permissions.iter().any(|name| name == ACCOUNT_READ)
    }

    pub(super) fn new(key: &ApiKey, now: Timestamp) -> Self {
        let state = match (key.has_expired(now), key.suspended_at) {
            (true, _) => State::Expired,
            (false, Some(_)) => State::Suspended,
            (false, None) => State::Active,
        };
        Self {
            id: key.id.clone(),
            name: key.name.clone(),
            hint: key.shown(),
            state,
            suspended_for: key.suspended_for,
            permissions: key.permissions().into_iter().map(str::to_owned).collect(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            last_used_from: key.last_used_from.clone(),
            former_until: key.former_until.filter(|until| *until > now),
            organisation: None,
            made_by: None,
            maker_left: None,
            maker: None,
        }
    }

    /// One of a person's own.
    pub(super) fn own(key: &ApiKey, organisations: &[Organisation], now: Timestamp) -> Self {
        debug_assert_eq!(key.kind(), KeyKind::Personal);
        let only = organisations.iter().find(|one| Some(&one.id) == key.organisation_id.as_ref());
        let organisation =
            only.map(|one| OrganisationName { slug: one.slug.clone(), name: one.name.clone() });
        Self { organisation, ..Self::new(key, now) }
    }

    /// One of an organisation's, made by this person, who may have left it or be gone.
    pub(super) fn of_organisation(
        key: &ApiKey,
        maker: Option<&User>,
        is_member: bool,
        now: Timestamp,
    ) -> Self {
        let told = |user: &User| json!({ "id": user.id, "name": user.name });
        Self {
            made_by: Some(maker.map_or(Value::Null, told)),
            maker_left: Some(!is_member),
            maker: maker.map(|user| user.name.clone()),
            ..Self::new(key, now)
        }
    }

    /// Why it is suspended, in words.
    pub(super) fn why_suspended(&self) -> &'static str {
        match self.suspended_for {
            Some(Suspension::Asked) => "Suspended by you",
            Some(Suspension::PasswordReset) => "Suspended, because your password was reset by email",
            Some(Suspension::AccountLocked) => "Suspended, because your account was locked",
            Some(Suspension::SecretDisowned) => {
                "Suspended, because someone else may know its secret. Make a new one to use it again"
            }
            Some(Suspension::AccountSecured) | None => {
                "Suspended, because your account may have been in someone else's hands"
            }
        }
    }

    pub(super) fn can_resume(&self) -> bool {
        self.is_suspended() && self.suspended_for != Some(Suspension::SecretDisowned)
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.state == State::Suspended
    }

    pub(super) fn is_expired(&self) -> bool {
        self.state == State::Expired
    }
}

/// The ids of those who made keys, each once.
pub(super) fn makers(keys: &[ApiKey]) -> Vec<UserId> {
    let mut makers: Vec<UserId> = Vec::new();
    for key in keys {
        if !makers.contains(&key.made_by) {
            makers.push(key.made_by.clone());
        }
    }
    makers
}
