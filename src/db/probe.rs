//! Whether a node can do its work: the schema is up, and a row can be written.

use std::{sync::PoisonError, time::Duration};

use diesel::{connection::TransactionManager, prelude::*, sql_query};

use super::{
    Conn, Database,
    connect::Target,
    database::{Inner, Manager},
    readiness::has_room,
    versions,
};
use crate::{
    error::{Error, Outage, Result, Unready},
    secret::random_text,
};

// A write that the database refused counts for so long: a full disk may still take the small row that is tried here.
const REMEMBERED: Duration = Duration::from_secs(1);

impl Database {
    /// What keeps this node from being ready, if anything. `outbox` looks whether the outbox can be read.
    pub(crate) async fn unready<F>(&self, outbox: F) -> Option<Unready>
    where
        F: FnOnce(&mut Conn) -> Result<()> + Send + 'static,
    {
        let probe = self.blocking(move |inner| inner.probe(outbox));
        self.0.readiness.found(self.0.silence.shortly(probe)).await
    }

    /// The same write, which is taken back, for whoever wants to know what the database says to it.
    pub(crate) async fn try_write(&self) -> Result<()> {
        self.blocking(|inner| inner.probe(|_| Ok(()))).await
    }
}

impl Inner {
    /// Writes a row, looks at the outbox, and takes the row back.
    fn probe(&self, outbox: impl FnOnce(&mut Conn) -> Result<()>) -> Result<()> {
        let refused_at = *self.refused_at.lock().unwrap_or_else(PoisonError::into_inner);
        if refused_at.is_some_and(|at| at.elapsed() < REMEMBERED) {
            return Err(Error::Unavailable(Outage {
                is_lost: false,
                cause: anyhow::anyhow!("a write was refused just now"),
            }));
        }
        if let Target::Sqlite(path) = self.pool.target() {
            has_room(path)?;
        }
        let name = format!("readiness-{}", random_text(12)?);
        self.with_transaction(move |conn| {
            let found = (|| {
                if versions::standing(conn)?.pending > 0 {
                    return Err(Error::NotReady(Unready::Migrations));
                }
                // More than one page: on SQLite a row that fits into one needs no room.
                let row = "INSERT INTO jobs (name, next_at, done, last_error) VALUES ($1, CURRENT_TIMESTAMP, 0, $2)";
                let filling = if matches!(conn, Conn::Sqlite(_)) { "0".repeat(1 << 16) } else { String::new() };
                sql_query(row)
                    .bind::<diesel::sql_types::Text, _>(name)
                    .bind::<diesel::sql_types::Text, _>(filling)
                    .execute(conn)?;
                outbox(conn).map_err(|error| match error {
                    Error::Unavailable(_) => error,
                    _ => Error::NotReady(Unready::Outbox),
                })
            })();
            Manager::rollback_transaction(conn)?;
            found
        })
    }
}
