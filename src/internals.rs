//! What this crate's own tests look into and call behind the pages' back. It is no promise to anybody else, and changes with
//! what is inside.

pub use crate::{
    accounts::{
        connections::{create as create_connection, remove as remove_connection},
        containment::{Occasion as AccessOccasion, end_access, lock_out},
        domains::{add as add_domain, verify as verify_domain},
        factor_removal::remove_all as remove_second_factors,
        factor_reset::{Asked as FactorResetAsked, ask as ask_for_factor_reset},
        identity_links::{link as link_identity, owner_of as identity_owner},
        limits::forget as forget_limits,
        members::add as add_member,
        organisations::create as create_organisation,
        personal_data::{ALL as PERSONAL_DATA, NON_PERSONAL_TABLES},
        recovery_codes::make as make_recovery_codes,
        service_keys::{
            announce as announce_service_key, begin as begin_service_key, switch as switch_service_key,
        },
    },
    model::{
        audit::Actor,
        connection::{Mapping, NewConnection, by_id as connection_by_id, note_test as note_connection_test},
        organisation::{Slug, Title},
        outbox::take_due as take_due_emails,
        personal_data::Erasure,
        secret_key::ALL as SEALED_COLUMNS,
        service_key::service as service_with_keys,
        session::list as list_sessions,
        sso_attempt::{CheckDetail as SsoCheckDetail, Detail as SsoAttemptDetail, note as note_sso_attempt},
        token::{AuthnRequestState, SamlRequest, SsoIntent, issue_unowned as issue_unowned_token},
        totp::{SharedSecret, restore as restore_app},
        user::by_id as user_by_id,
    },
};
