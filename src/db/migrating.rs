//! Bringing the schema up, and how it stands to this program.

use diesel::connection::{SimpleConnection, TransactionManager};

use super::{
    Conn, Database, Standing,
    database::{Manager, finish},
    versions,
};
use crate::error::{Error, Result};

impl Database {
    /// Brings the schema up, once, however many nodes start together. The number of migrations that ran; an error with a
    /// sentence where the schema is newer than this program.
    pub fn migrate(&self) -> Result<usize> {
        self.0.with_conn(|conn| {
            self.0.begin(conn)?;
            let outcome = match conn {
                Conn::Sqlite(_) => Ok(()),
                Conn::Postgres(conn) => conn.batch_execute("SELECT pg_advisory_xact_lock(7001)"),
            };
            let ran = outcome.map_err(Error::from).and_then(|()| versions::run(conn));
            finish(conn, ran)
        })
    }

    /// How the schema and this program stand to each other. Nothing is changed.
    pub(crate) async fn standing(&self) -> Result<Standing> {
        self.blocking(|inner| {
            inner.with_conn(|conn| {
                // In a transaction: behind a pooler, what is prepared is executed on the same connection only there.
                inner.begin(conn)?;
                let found = versions::standing(conn);
                Manager::rollback_transaction(conn)?;
                found
            })
        })
        .await
    }

    /// How many migrations this program has that the database has not. Nothing is changed.
    pub async fn pending_migrations(&self) -> Result<usize> {
        Ok(self.standing().await?.pending)
    }
}
