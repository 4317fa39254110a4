//! `vestibule settings`: what holds, and where it was written.

use serde_json::json;

use super::out::say;
use crate::config::Told;

/// Prints every setting. Secrets are hidden.
pub(crate) fn print(settings: &[Told], as_json: bool) {
    for Told { name, value, source } in settings {
        match as_json {
            true => {
                let (from, path) = source.parts();
                say!("{}", json!({ "name": name, "value": value, "from": from, "path": path }));
            }
            false => say!("{name:<22} {value:<34} {source}"),
        }
    }
}
