//! Where the rows of one test lie. Nothing is left of it when the test is over, unless it failed.

use std::thread;

use diesel::{Connection, PgConnection, RunQueryDsl};
use vestibule::secret;

/// A folder, and a database of one's own: a file in it, or one on the server that `TEST_DATABASE_URL` names.
pub struct Storage {
    pub folder: tempfile::TempDir,
    pub url: String,
}

impl Storage {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let Some(server) = test_server() else {
            let url = format!("sqlite://{}", folder.path().join("house.db").display());
            return Self { folder, url };
        };
        let name = secret::random_text(12).unwrap().to_lowercase().replace(['-', '_'], "x");
        let name = format!("house_{name}");
        let mut conn = PgConnection::establish(&server).unwrap();
        diesel::sql_query(format!("CREATE DATABASE {name}")).execute(&mut conn).unwrap();
        let (rest, _) = server.rsplit_once('/').unwrap();
        Self { folder, url: format!("{rest}/{name}") }
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        let Some(server) = test_server() else { return };
        // The rows of a test that fails stay for a look at them.
        if thread::panicking() {
            return;
        }
        let (_, name) = self.url.rsplit_once('/').unwrap();
        let mut conn = PgConnection::establish(&server).unwrap();
        // Whoever is still connected is sent away.
        diesel::sql_query(format!("DROP DATABASE {name} WITH (FORCE)")).execute(&mut conn).unwrap();
    }
}

/// The PostgreSQL server of this run, if it is a run on PostgreSQL.
#[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
pub fn test_server() -> Option<String> {
    std::env::var("TEST_DATABASE_URL").ok()
}
