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
            DatabaseUrl::Postgres(url) => write!(out, "postgres://{}", place(url)),
        }
    }
}

/// Host, port and name of a PostgreSQL database, without who signs in and how. Passwords are written in many ways: what
/// stands before the last `@` is left out, and so is what stands behind a `?`.
fn place(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else { return "***" };
    let behind = rest.rsplit('@').next().unwrap_or_default();
    behind.split('?').next().unwrap_or_default()
}

/// The address with one parameter more behind its `?`.
pub(crate) fn with_parameter(url: &str, parameter: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{parameter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_database_is_told_and_its_password_never() {
        for (url, told) in [
            ("postgres://ada:s3cret@db.example:5432/app", "db.example:5432/app"),
            ("postgres://ada:s3/c?r@et@db.example/app?sslmode=require", "db.example/app"),
            ("postgres://db.example/app?password=s3cret", "db.example/app"),
            ("postgresql://a,b/app?target_session_attrs=read-write", "a,b/app"),
            ("host=db password=s3cret", "***"),
        ] {
            assert_eq!(format!("{:?}", DatabaseUrl::Postgres(url.to_owned())), format!("postgres://{told}"));
        }
    }
}
