//! The same house through Chromium: what a person sees, types and clicks.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, unused_imports, reason = "the suite uses more of this house")]
#[path = "../suite/harness/mod.rs"]
mod harness;

mod account_protection;
mod chromium;
mod confirm;
mod gate;
mod history;
mod inspector;
mod invitations;
mod journey;
mod keyboard;
mod magic_link;
mod oauth;
mod oidc;
mod pages;
mod pages_organisations;
mod pages_sso;
mod passkeys;
mod pictures;
mod simplesamlphp;
mod sso;
mod totp;
