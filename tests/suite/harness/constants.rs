//! Constants of the program that no setting changes, read from its source: nobody outside of it needs them but these tests.

use std::fs;

/// A number: `const MOST: usize = 256 * 1024;`.
pub fn number(file: &str, name: &str) -> usize {
    let value = value(file, name);
    value.split('*').map(|factor| factor.trim().replace('_', "").parse::<usize>().unwrap()).product()
}

fn value(file: &str, name: &str) -> String {
    let source = fs::read_to_string(file).unwrap();
    let (_, rest) =
        source.split_once(&format!("const {name}: ")).unwrap_or_else(|| panic!("{file} has no {name}"));
    let (_, value) = rest.split_once(" = ").unwrap();
    value.split_once(';').unwrap().0.to_owned()
}
