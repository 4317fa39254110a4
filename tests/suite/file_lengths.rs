//! A file is about one thing, and short enough to be read in one go.

use std::fs;

use crate::imports::files_below;

/// The most lines of a file, by the folder it is in.
const LONGEST: [(&str, usize); 2] = [("src", 350), ("tests", 600)];

/// Written by `diesel migration run`, one table after the other.
const GENERATED: &str = "src/db/schema.rs";

#[test]
fn no_file_is_too_long_to_be_read_in_one_go() {
    let mut found = Vec::new();
    for (folder, longest) in LONGEST {
        for file in files_below(folder, &["rs"]).into_iter().filter(|file| !file.ends_with(GENERATED)) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            if lines > longest {
                found.push(format!("{}: {lines} lines, more than {longest}", file.display()));
            }
        }
    }
    found.sort();
    assert!(found.is_empty(), "split along what they are about:\n{}", found.join("\n"));
}
