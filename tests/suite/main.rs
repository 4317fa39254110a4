//! The suite: one binary, one file per flow, everything through the front door.

mod house;
mod signup;
