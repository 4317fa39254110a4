//! Fuzzes everything that reads a stranger's SAML: the gate, the signature engine, the checks behind it, metadata.
#![no_main]

mod target;

libfuzzer_sys::fuzz_target!(init: target::the_seeds_pass(), |input: &[u8]| target::read_input(input));
