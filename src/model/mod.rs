//! Nouns: each a table, its queries and its rules. They know nothing of HTTP.

pub mod audit;
pub mod ceremony;
mod crockford;
pub mod deletion;
pub mod device;
pub mod factor_reset;
pub mod holding;
pub mod job;
pub mod magic_link;
pub mod mailbox;
pub mod outbox;
pub mod passkey;
pub mod password;
pub mod recovery_code;
pub mod second_factor;
pub mod session;
pub mod sign_in;
pub mod throttle;
pub mod token;
pub mod totp;
pub mod user;
pub mod welcome;
