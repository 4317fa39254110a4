//! Everything that the house holds about people.
//!
//! The export, the purge and the public page are all made from [`ALL`], so none of them can forget a table. A table
//! that is in neither list fails a test, and so does a column of text that its entry does not name.

use super::{organisation_audit, organisations, sso_policy};
use crate::{
    db::{Conn, Tx},
    error::Result,
    ids::{Id, UserId},
    model::{
        api_key,
        audit::{self, audit_events},
        consent, delivery, device_request,
        directory::{person, token as token_of_directory},
        domain, gate_session, grant, identity, invitation, note, outbox, passkey,
        personal_data::PersonalData,
        provider_identity, rate_limit, recovery_code, refresh_token, security_change, session, sign_in,
        sso_attempt, token, totp, user,
    },
};

audit_events! {
    /// A user took a copy of it.
    Exported {} => of("exported"),
}

/// Every table that holds something about people, as its person would look for it. A row of `users` goes last.
pub const ALL: &[&PersonalData] = &[
    &user::PERSONAL_DATA,
    &session::PERSONAL_DATA,
    &gate_session::PERSONAL_DATA,
    &grant::PERSONAL_DATA,
    &refresh_token::PERSONAL_DATA,
    &device_request::PERSONAL_DATA,
    &consent::PERSONAL_DATA,
    &delivery::PERSONAL_DATA,
    &sign_in::PERSONAL_DATA,
    &security_change::PERSONAL_DATA,
    &totp::PERSONAL_DATA,
    &totp::SETUP_PERSONAL_DATA,
    &recovery_code::PERSONAL_DATA,
    &passkey::PERSONAL_DATA,
    &organisations::PERSONAL_DATA,
    &invitation::PERSONAL_DATA,
    &note::PERSONAL_DATA,
    &api_key::PERSONAL_DATA,
    &domain::PERSONAL_DATA,
    &identity::PERSONAL_DATA,
    &person::PERSONAL_DATA,
    &token_of_directory::PERSONAL_DATA,
    &provider_identity::PERSONAL_DATA,
    &sso_attempt::PERSONAL_DATA,
    &token::PERSONAL_DATA,
    &outbox::PERSONAL_DATA,
    &audit::PERSONAL_DATA,
    &rate_limit::PERSONAL_DATA,
];

/// Every other table, and what is in it.
pub const NON_PERSONAL_TABLES: &[(&str, &str)] = &[
    ("applications", "what people use with their account here, and what that asks for"),
    ("jobs", "when which job ran, and on which node"),
    ("organisations", "what organisations are called"),
    ("directories", "which organisations' identity providers keep the list of their people"),
    ("directory_groups", "what those call groups of people"),
    ("directory_members", "which of their entries are in which group"),
    ("former_slugs", "what organisations were called before"),
    ("permissions", "what the application behind this site lets people do"),
    ("roles", "what organisations call roles of their own"),
    ("role_permissions", "what those roles allow"),
    ("connections", "the identity providers of organisations"),
    ("issuers", "what providers that people sign in with say about themselves"),
    ("signing_keys", "what this site signs tokens for applications with"),
    ("service_keys", "the keys of this site towards them"),
    ("key_checks", "whether the secret key of this site is the right one"),
    ("schema_versions", "which version of the program made which table"),
    ("assertions", "fingerprints of what they said, each good once"),
];

/// The entries of [`ALL`] under which something is held about `id` now. What cannot be looked up by person is among them.
pub(crate) fn of(conn: &mut Conn, id: &UserId) -> Result<Vec<&'static PersonalData>> {
    let mut found = Vec::new();
    for entry in ALL.iter().copied() {
        let mut is_held = entry.export.is_empty();
        for section in entry.export {
            is_held = is_held || !(section.read)(conn, id, 0, 1)?.is_empty();
        }
        found.extend(is_held.then_some(entry));
    }
    Ok(found)
}

/// Ends everything that is held about `id`, at once: afterwards nothing says that there was such a person.
pub(crate) fn erase(tx: &mut Tx, id: &UserId) -> Result<()> {
    audit::wipe_details(tx, id, &naming())?;
    let pseudonym = Id::random()?;
    // Others refer to the row of `users`, which is first on the list.
    ALL.iter().rev().try_for_each(|entry| (entry.erase)(tx, id, &pseudonym))
}

// The events whose detail names an account besides their actor and subject. Not from `audit_events`, which knows the use cases
// that erase accounts; a test holds that no other is declared.
fn naming() -> Vec<&'static str> {
    let kinds = [sso_policy::Event::KINDS, organisation_audit::Event::KINDS].into_iter().flatten();
    kinds.filter(|kind| kind.names_account).map(|kind| kind.name).collect()
}
