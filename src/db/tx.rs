//! One transaction at one moment.

use diesel::{prelude::*, result::DatabaseErrorKind};
use sha2::{Digest, Sha256};

use super::Conn;
use crate::{clock::Timestamp, config::Config, error::Result, log::Audited};

/// One transaction at one moment. What is said here happens together or not at all.
pub struct Tx<'a> {
    /// The connection, inside the transaction.
    pub conn: &'a mut Conn,
    /// The moment of the whole transaction.
    pub now: Timestamp,
    /// The settings.
    pub config: &'a Config,
    /// Whether an email waits for the commit.
    pub has_mail: bool,
    /// What was audited: each is a line of the log after the commit.
    pub(crate) audited: Vec<Audited>,
}

impl Tx<'_> {
    /// Makes everyone else who locks the same name wait until this transaction ends.
    ///
    /// Whoever writes more than one row of a person locks the person's normalised address first. Confirming a claim
    /// deletes others with all their rows, and PostgreSQL breaks off one of two transactions that wait for each
    /// other's rows.
    pub(crate) fn lock(&mut self, name: &str) -> Result<()> {
        match self.conn {
            // BEGIN IMMEDIATE already lets one writer in at a time.
            Conn::Sqlite(_) => {}
            Conn::Postgres(conn) => {
                diesel::sql_query("SELECT pg_advisory_xact_lock($1)")
                    .bind::<diesel::sql_types::BigInt, _>(lock_key(name))
                    .execute(conn)?;
            }
        }
        Ok(())
    }

    /// Runs a statement that a unique index may refuse. How many rows it changed; `None` where it was refused, and the
    /// transaction goes on.
    pub(crate) fn allow_unique_violation(
        &mut self,
        statement: impl FnOnce(&mut Conn) -> QueryResult<usize>,
    ) -> Result<Option<usize>> {
        // Inside a savepoint: on PostgreSQL a refused statement would end the whole transaction.
        match self.conn.transaction(statement) {
            Ok(count) => Ok(Some(count)),
            Err(diesel::result::Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(None),
            Err(cause) => Err(cause.into()),
        }
    }
}

fn lock_key(name: &str) -> i64 {
    let mut key = [0; 8];
    key.copy_from_slice(&Sha256::digest(name)[..8]);
    i64::from_be_bytes(key)
}
