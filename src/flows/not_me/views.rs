//! What the page "was this you?" says of sign-ins and of what was added since.

use serde::Serialize;

use crate::{
    clock::Timestamp,
    ids::{PasskeyId, SessionId},
};

/// A sign-in in doubt that goes on until the button is pressed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DoubtfulView {
    pub id: SessionId,
    pub device: String,
    pub ip: String,
    pub began_at: Timestamp,
    // The one that the link tells of is somebody else's, or the button would not be pressed.
    pub is_told_of: bool,
}

/// Second factors that stay for now.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeptView {
    pub passkeys: Vec<KeptPasskey>,
    pub authenticator_app: bool,
    pub is_app_disowned: bool,
    // How long it takes until they are removed, where that is asked for.
    pub removal_takes: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeptPasskey {
    pub id: PasskeyId,
    pub name: String,
    // Whether one of the sign-ins in doubt added it, or began with it: then it is removed unless the reader says otherwise.
    pub is_disowned: bool,
    pub added_at: Timestamp,
    // The device, as far as it is still signed in.
    pub added_on: String,
}

/// What else the button takes back: what somebody else seems to have done.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Undone {
    pub passkeys: Vec<String>,
    pub authenticator_app: bool,
    pub recovery_codes: bool,
    pub identities: usize,
    // Single sign-on that organisations have by it, which is turned off.
    pub connections: Vec<String>,
    // Organisations in which roles go back to what they were.
    pub organisations: Vec<String>,
    // Shown to whoever reads the mailbox that had the account first.
    pub address: Option<String>,
    pub deletion: bool,
    // API keys, which are suspended.
    pub keys: usize,
}
