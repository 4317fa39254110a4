//! Nouns as pages and JSON show them.

use serde::Serialize;

use crate::{
    accounts::{personal_data, session_tokens::ListedDevice},
    clock::{Timestamp, span_in_words},
    config::Lifetimes,
    ids::{SessionId, UserId},
    kinds::{AuthMethod, Factor},
    model::{
        device::{Device, DeviceKind},
        personal_data::{Erasure, PersonalData},
        sign_in::{Outcome, SignIn},
        user::User,
    },
};

/// A person, as they see themselves.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserView {
    /// Opaque.
    pub id: UserId,
    /// As they wrote it.
    pub email: String,
    /// What they want to be called.
    pub name: String,
    /// Whether the address is proved.
    pub email_verified: bool,
    /// When they signed up.
    pub created_at: Timestamp,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.clone(),
            email: user.email.spelled().to_owned(),
            name: user.name.clone(),
            email_verified: user.is_verified(),
            created_at: user.created_at,
        }
    }
}

/// A device that is signed in, as its owner sees it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionView {
    /// For signing it out.
    pub id: SessionId,
    /// Whether it is the one that asks.
    pub current: bool,
    /// "Chrome on macOS".
    pub device_name: String,
    /// The browser's family.
    pub browser: String,
    /// The platform.
    pub os: String,
    /// `computer`, `phone`, `tablet`, `program` or `unknown`.
    pub device_type: String,
    /// Where it signed in, on the network.
    pub ip: String,
    /// When it signed in.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_active_at: Timestamp,
    /// When it is signed out at the latest.
    pub expires_at: Timestamp,
    /// How it signed in.
    pub method: AuthMethod,
    /// The key of the provider that it signed in with, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// What that is called.
    #[serde(skip)]
    pub provider_name: Option<String>,
    /// What was given after it, as a second step.
    pub second_factor: Option<Factor>,
    /// Whether the device is remembered.
    pub remembered: bool,
    /// What the application is called that has tokens there, where it holds no session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// What changed in mid-session, where something did.
    pub warning: Option<String>,
    /// What stands over it and those that follow, in a long list.
    #[serde(skip)]
    pub heading: Option<&'static str>,
    /// Whether an alert tells of it that nobody answered, and the one that asks may.
    #[serde(skip)]
    pub can_be_confirmed: bool,
}

impl SessionView {
    /// A device as `current` sees it.
    pub(crate) fn new(found: ListedDevice, current: &SessionId) -> Self {
        let ListedDevice { listed: session, application } = found;
        let kind = session.device_type.parse().unwrap_or(DeviceKind::Unknown);
        let device = Device { browser: session.browser, os: session.os, kind };
        Self {
            current: session.id == *current,
            id: session.id,
            device_name: device.name(),
            browser: device.browser,
            os: device.os,
            device_type: session.device_type,
            ip: session.ip,
            created_at: session.created_at,
            last_active_at: session.last_active_at,
            expires_at: session.expires_at,
            method: session.method,
            provider: None,
            provider_name: None,
            second_factor: session.second_factor,
            remembered: session.remembered,
            application,
            warning: session
                .locked_by
                .map(|by| format!("It was suddenly used from {by}. It has to sign in again.")),
            heading: None,
            can_be_confirmed: false,
        }
    }

    /// Its JSON, over several lines. askama's own filter writes it letter by letter: a twentieth of what the page costs.
    pub(crate) fn pretty(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

/// An attempt to sign in, as its account's owner sees it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginView {
    /// When.
    pub at: Timestamp,
    /// From which address on the network.
    pub ip: String,
    /// "Chrome on macOS".
    pub device_name: String,
    /// `computer`, `phone`, `tablet`, `program` or `unknown`.
    pub device_type: String,
    /// What was offered.
    pub method: AuthMethod,
    /// What was given after it, as a second step.
    pub second_factor: Option<Factor>,
    /// Whether it opened the door.
    pub succeeded: bool,
    /// Why not, in words.
    pub reason: Option<&'static str>,
    /// `success`, or what kind of failure.
    pub outcome: Outcome,
    /// Whether the browser had not been seen before.
    pub is_new_device: bool,
}

impl From<SignIn> for LoginView {
    fn from(attempt: SignIn) -> Self {
        let kind = attempt.device_type.parse().unwrap_or(DeviceKind::Unknown);
        let device = Device { browser: attempt.browser, os: attempt.os, kind };
        Self {
            at: attempt.at,
            ip: attempt.ip,
            device_name: device.name(),
            device_type: attempt.device_type,
            method: attempt.method,
            second_factor: attempt.second_factor,
            succeeded: attempt.outcome == Outcome::Success,
            reason: attempt.outcome.reason(),
            outcome: attempt.outcome,
            is_new_device: attempt.is_new_device,
        }
    }
}

/// What a table holds, as its person reads it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PersonalDataView {
    /// The title of it.
    pub title: &'static str,
    /// What it is held for.
    pub why: String,
    /// What is held, item by item.
    pub holds: Vec<&'static str>,
    /// What becomes of it when the account is deleted.
    pub when_deleted: Erasure,
    /// What is to be said about that besides, or nothing.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub afterwards: &'static str,
}

impl PersonalDataView {
    /// What one table holds.
    pub(crate) fn new(entry: &PersonalData, lifetimes: &Lifetimes) -> Self {
        Self {
            title: entry.title,
            why: entry.why.replace("{history}", &span_in_words(lifetimes.history)),
            holds: entry.columns.iter().map(|(_, says)| *says).collect(),
            when_deleted: entry.erasure,
            afterwards: entry.afterwards,
        }
    }

    /// What every table holds.
    pub(crate) fn all(lifetimes: &Lifetimes) -> Vec<Self> {
        personal_data::ALL.iter().map(|entry| Self::new(entry, lifetimes)).collect()
    }
}
