//! The suite: one binary, one file per flow, everything through the front door.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod account;
mod catcher;
mod commands;
mod crash;
mod doors;
mod email;
mod factor_reset;
mod floors;
mod guarding;
mod house;
mod letters;
mod login;
mod magic_link;
mod methods;
mod metrics;
mod migrations;
mod nodes;
mod outbox;
mod passkeys;
mod password;
mod password_reset;
mod races;
mod readme;
mod recovery_codes;
mod second_factor;
mod sessions;
mod signup;
mod step_up;
mod stop;
mod throttle;
mod totp;
mod transcript;
mod verify_email;
mod ways;
