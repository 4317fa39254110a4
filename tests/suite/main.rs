//! The suite: one binary, one file per flow, everything through the front door.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod account;
mod commands;
mod doors;
mod email;
mod floors;
mod guarding;
mod house;
mod letters;
mod login;
mod metrics;
mod migrations;
mod outbox;
mod password;
mod password_reset;
mod readme;
mod sessions;
mod signup;
mod step_up;
mod throttle;
mod transcript;
mod verify_email;
