//! What an application that embeds the house may use is little enough to be read, and to be kept stable.

use std::fs;

use crate::imports::{files_below, is_for_tests};

/// How many items may be public: functions, methods, types, constants, traits, modules and re-exports. Fields are not
/// counted, nor are names within one `pub use`.
const MOST: usize = 250;

const KINDS: [&str; 11] = [
    "fn ",
    "struct ",
    "enum ",
    "trait ",
    "const ",
    "static ",
    "type ",
    "mod ",
    "use ",
    "async fn ",
    "unsafe fn ",
];

#[test]
fn the_public_surface_stays_small() {
    let mut public = Vec::new();
    for file in files_below("src", &["rs"]).into_iter().filter(|file| !is_for_tests(file)) {
        let source = fs::read_to_string(&file).unwrap();
        let items = source.lines().filter_map(|line| line.trim_start().strip_prefix("pub "));
        let items = items.filter(|item| KINDS.iter().any(|kind| item.starts_with(kind)));
        public.extend(items.map(|item| format!("{}: pub {item}", file.display())));
    }
    assert!(public.len() > 100, "how items are declared is not understood any more: {public:#?}");
    assert!(public.len() <= MOST, "{} items are public, {MOST} may be:\n{}", public.len(), public.join("\n"));
}
