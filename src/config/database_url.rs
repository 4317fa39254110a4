//! The address of the rows.

use std::{fmt, path::PathBuf};

/// Where the rows are.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(String),
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseUrl::Sqlite(path) => write!(out, "sqlite://{}", path.display()),
            DatabaseUrl::Postgres(_) => out.write_str("postgres://***"),
        }
    }
}

/// The address with one parameter more behind its `?`.
pub fn with_parameter(url: &str, parameter: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{parameter}")
}
