//! The same house through Chromium.

#[path = "../suite/house/mod.rs"]
mod house;

fn main() {}
