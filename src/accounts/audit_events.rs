//! Every event that the record can tell of: the closed list, joined from the use cases that declare them.
//!
//! A use case that declares events and is not listed here fails a test, and so does an event that docs/security.md leaves out.

use super::{
    api_keys, applications, authentication, clients, connections, containment, deletion, device_grants,
    directories, directory_groups, directory_people, domains, email_change, email_verification, factor_reset,
    factors, grants, hand_over, identity_links, limits, magic_link, members, offline_grants,
    open_invitations, organisation_audit, organisation_deletion, organisation_names, organisations, passkeys,
    passwords, personal_data, policy_changes, profile, provider_identities, provider_sign_in, recovery_codes,
    registration, roles, service_keys, session_cap, session_tokens, sessions, setup_link, signing_keys,
    sso_policy, step_up, suspensions, unverified_account,
};
use crate::{
    db::Tx,
    error::Result,
    model::audit::{self, EventKind, Retention},
};

/// The events of each use case; those of organisations as their pages list them.
const ALL: &[&[EventKind]] = &[
    registration::Event::KINDS,
    email_verification::Event::KINDS,
    unverified_account::Event::KINDS,
    authentication::Event::KINDS,
    magic_link::Event::KINDS,
    sessions::Event::KINDS,
    session_cap::Event::KINDS,
    step_up::Event::KINDS,
    profile::Event::KINDS,
    email_change::Event::KINDS,
    passwords::Event::KINDS,
    factors::Event::KINDS,
    passkeys::Event::KINDS,
    recovery_codes::Event::KINDS,
    factor_reset::Event::KINDS,
    containment::Event::KINDS,
    identity_links::Event::KINDS,
    provider_identities::Event::KINDS,
    provider_sign_in::Event::KINDS,
    organisations::Event::KINDS,
    organisation_names::Event::KINDS,
    policy_changes::Event::KINDS,
    organisation_deletion::Event::KINDS,
    members::Event::KINDS,
    open_invitations::Event::KINDS,
    roles::Event::KINDS,
    hand_over::Event::KINDS,
    directories::Event::KINDS,
    directory_people::Event::KINDS,
    directory_groups::Event::KINDS,
    suspensions::Event::KINDS,
    connections::Event::KINDS,
    setup_link::Event::KINDS,
    domains::Event::KINDS,
    sso_policy::Event::KINDS,
    organisation_audit::Event::KINDS,
    api_keys::Event::KINDS,
    applications::Event::KINDS,
    clients::Event::KINDS,
    grants::Event::KINDS,
    offline_grants::Event::KINDS,
    session_tokens::Event::KINDS,
    device_grants::Event::KINDS,
    service_keys::Event::KINDS,
    signing_keys::Event::KINDS,
    limits::Event::KINDS,
    personal_data::Event::KINDS,
    deletion::Event::KINDS,
];

fn all() -> impl Iterator<Item = &'static EventKind> {
    ALL.iter().copied().flatten()
}

/// Every event that concerns an organisation, and what pages call it.
pub(crate) fn of_organisations() -> impl Iterator<Item = (&'static str, &'static str)> {
    all().filter_map(|kind| Some((kind.name, kind.title?)))
}

/// What pages call an event.
pub(crate) fn title(event: &str) -> &str {
    of_organisations().find(|(name, _)| *name == event).map_or(event, |(_, title)| title)
}

/// Removes up to `most` sign-ins that are older than the history. Returns how many there were.
pub(crate) fn sweep_sign_ins(tx: &mut Tx, most: i64) -> Result<usize> {
    audit::sweep(tx, kept(Retention::History), tx.config.lifetimes.history, most)
}

/// Removes up to `most` attempts whose time is up. Returns how many there were.
pub(crate) fn sweep_attempts(tx: &mut Tx, most: i64) -> Result<usize> {
    audit::sweep(tx, kept(Retention::Attempts), tx.config.lifetimes.failed_sign_in, most)
}

fn kept(retention: Retention) -> impl Iterator<Item = &'static str> {
    all().filter(move |kind| kind.retention == retention).map(|kind| kind.name)
}
