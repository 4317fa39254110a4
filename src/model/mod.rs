//! Nouns: each a table, its queries and its rules. They know nothing of HTTP.

pub mod assertion;
pub mod audit;
pub mod connection;
pub mod crockford;
pub mod device;
pub mod domain;
pub mod identity;
pub mod job;
pub mod membership;
pub mod organisation;
pub mod outbox;
pub mod passkey;
pub mod password;
pub mod personal_data;
pub mod rate_limit;
pub mod recovery_code;
pub mod secret_key;
pub mod security_change;
pub mod service_key;
pub mod session;
pub mod sign_in;
pub mod sso_attempt;
pub mod sso_session;
pub mod token;
pub mod totp;
pub mod user;
