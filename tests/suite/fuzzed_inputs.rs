//! What `bin/fuzz` found worth keeping is read again at each change.

#[path = "../../fuzz/target.rs"]
mod target;

use std::fs;

#[test]
fn every_input_that_the_fuzzer_kept_is_read_as_it_should_be() {
    target::the_seeds_pass();
    let files = ["fuzz/corpus", "fuzz/seeds"].into_iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let inputs: Vec<Vec<u8>> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(inputs.len() > 200);
    for input in inputs {
        target::read_input(&input);
    }
}
