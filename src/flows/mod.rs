//! Verbs: each file one thing a person does, with its forms, pages and handlers. Flows never know each other.

pub mod account;
pub mod activity;
pub mod deletion;
pub mod dev_mail;
pub mod email;
pub mod export;
pub mod factor_reset;
pub mod front;
pub mod health;
pub mod login;
pub mod logout;
pub mod magic_link;
pub mod methods;
pub mod not_me;
pub mod passkey_login;
pub mod passkeys;
pub mod password;
pub mod password_reset;
pub mod recovery_codes;
pub mod second_factor;
pub mod sessions;
pub mod signup;
pub mod step_up;
pub mod totp;
pub mod verify_email;
