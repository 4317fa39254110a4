//! The suite: one binary, one file per flow, everything through the front door.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod account;
mod commands;
mod house;
mod letters;
mod login;
mod outbox;
mod password_reset;
mod signup;
mod transcript;
mod verify_email;
