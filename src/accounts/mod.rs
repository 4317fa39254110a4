//! Use cases and policy, without HTTP: what may happen to an account or an organisation, as transactions.

pub mod ceremony;
pub mod connections;
pub mod containment;
pub mod deletion;
pub mod email_change;
pub mod email_verification;
pub mod factor_reset;
pub mod factors;
pub mod linking;
pub mod magic_link;
pub mod organisations;
pub mod passkeys;
pub mod personal_data;
pub mod provider_logout;
pub mod provisioning;
pub mod put_back;
pub mod second_factors;
pub mod security_changes;
pub mod session_cap;
pub mod setup_link;
pub mod sign_up;
pub mod sso_policy;
pub mod step_up;
pub mod unverified_account;
