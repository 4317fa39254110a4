//! Rows: SQLite in a file or PostgreSQL on a server, behind the same `read` and `write`.
//!
//! A read on SQLite stays on the thread that asks, with a connection of that thread's own: a point look-up
//! costs less than the hop to another thread. Writes, and everything on PostgreSQL, run on the blocking pool.
//! This is the only module that asks which database it is.
//!
//! How SQLite itself is built stands in `.cargo/config.toml`. Whoever builds this crate from elsewhere gives the same
//! `LIBSQLITE3_FLAGS`; without them all is as right, and slower.

mod conn;
mod reader;
#[expect(missing_docs, reason = "the tables are described in the migrations")]
pub mod schema;
pub mod types;

use std::{
    future::poll_fn,
    path::Path,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use diesel::{
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    prelude::*,
    r2d2::{ManageConnection, Pool, PooledConnection},
    result::DatabaseErrorKind,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use sha2::{Digest, Sha256};

pub use conn::Conn;
pub use types::Id;

use crate::{
    clock::Timestamp,
    config::{Config, DatabaseUrl, make_private_folder},
    error::{Error, Result},
    log::{self, Audited},
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

// How long a request waits for a connection, or for another writer, before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(10);

/// One transaction at one moment. What is said here happens together or not at all.
pub struct Tx<'a> {
    /// The connection, inside the transaction.
    pub conn: &'a mut Conn,
    /// The moment of the whole transaction.
    pub now: Timestamp,
    /// The settings.
    pub config: &'a Config,
    /// Whether a letter waits for the commit.
    pub has_mail: bool,
    /// What was audited: each is a line of the log after the commit.
    pub audited: Vec<Audited>,
}

impl Tx<'_> {
    /// Makes everyone else who locks the same name wait until this transaction ends.
    ///
    /// Whoever writes more than one row of a person locks the person's normalised address first. Confirming a claim
    /// deletes others with all their rows, and PostgreSQL breaks off one of two transactions that wait for each
    /// other's rows.
    pub fn lock(&mut self, name: &str) -> Result<()> {
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
    pub fn unless_taken(
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

/// The database of the house.
#[derive(Clone)]
pub struct Database {
    url: Arc<DatabaseUrl>,
    // SQLite: the one writer. PostgreSQL: everything.
    pool: Pool<Manager>,
    // Tells this database's readers from another's on the same thread.
    number: u64,
}

impl Database {
    /// Opens the database; on SQLite the file and its folder are made where they are missing.
    pub fn open(url: &DatabaseUrl, pool_size: u32) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let size = match url {
            DatabaseUrl::Sqlite(path) => {
                make_folder(path)?;
                1
            }
            DatabaseUrl::Postgres(_) => pool_size.max(1),
        };
        let pool = Pool::builder()
            .max_size(size)
            .min_idle(Some(1))
            .test_on_check_out(false)
            .connection_timeout(PATIENCE)
            .build(Manager(url.clone()))
            .map_err(Error::internal)?;
        Ok(Self { url: Arc::new(url.clone()), pool, number: NEXT.fetch_add(1, Ordering::Relaxed) })
    }

    /// Brings the schema up, once, however many nodes start together. The number of migrations that ran.
    pub fn migrate(&self) -> Result<usize> {
        let mut slot = self.pool.get().map_err(|_| Error::Busy)?;
        begin(&mut slot.conn)?;
        let outcome = match &mut slot.conn {
            Conn::Sqlite(_) => Ok(()),
            Conn::Postgres(conn) => conn.batch_execute("SELECT pg_advisory_xact_lock(7001)"),
        };
        let ran = outcome.map_err(Error::from).and_then(|()| {
            let ran = slot.conn.run_pending_migrations(MIGRATIONS).map_err(|cause| anyhow::anyhow!(cause))?;
            Ok(ran.len())
        });
        finish(&mut slot.conn, ran)
    }

    /// How many migrations this program has that the database has not. Nothing is changed.
    pub async fn pending_migrations(&self) -> Result<usize> {
        let pool = self.pool.clone();
        blocking(move || with_slot(&pool, pending)).await
    }

    /// A read: one connection. On SQLite what a request reads before it waits is of one moment; elsewhere each statement
    /// is of its own.
    pub async fn read<T, F>(&self, query: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T> + Send + 'static,
    {
        match &*self.url {
            DatabaseUrl::Sqlite(path) => reader::read(self.number, path, query),
            DatabaseUrl::Postgres(_) => {
                let pool = self.pool.clone();
                blocking(move || with_slot(&pool, query)).await
            }
        }
    }

    /// Runs a request. On SQLite, what it reads before it has to wait, it reads from one snapshot; what it reads
    /// after it waited or wrote, from a new one.
    pub async fn in_turns<F: Future>(&self, request: F) -> F::Output {
        let mut request = pin!(request);
        poll_fn(|context| reader::turn(self.number, || request.as_mut().poll(context))).await
    }

    /// Wipes what was deleted from the write-ahead log. `false` where somebody was reading just then: try again later. A
    /// PostgreSQL server looks after its files itself.
    pub async fn empty_log(&self) -> Result<bool> {
        let pool = self.pool.clone();
        blocking(move || with_slot(&pool, empty_log)).await
    }

    /// Writes the whole SQLite file anew, so that nothing that was ever deleted is left in it, and empties the log. Nobody
    /// else writes meanwhile. `false` as in [`Database::empty_log`].
    pub async fn scrub(&self) -> Result<bool> {
        let pool = self.pool.clone();
        blocking(move || with_slot(&pool, |conn| write_anew(conn).and_then(|()| empty_log(conn)))).await
    }

    /// A write: all of it or none of it, at the moment `now`. Says whether a letter was posted.
    pub async fn write<T, F>(&self, config: Arc<Config>, now: Timestamp, change: F) -> Result<(T, bool)>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx) -> Result<T> + Send + 'static,
    {
        reader::end_snapshot(self.number);
        let pool = self.pool.clone();
        let run = move |conn: &mut Conn| {
            begin(conn)?;
            let mut tx = Tx { conn, now, config: &config, has_mail: false, audited: Vec::new() };
            let outcome = change(&mut tx).map(|value| (value, tx.has_mail));
            let committed = finish(tx.conn, outcome)?;
            // Here and not where the write is waited for: that one may be gone, and this happened all the same.
            tx.audited.iter().for_each(Audited::write);
            Ok(committed)
        };
        blocking(move || with_slot(&pool, run)).await
    }
}

#[derive(QueryableByName)]
struct Checkpoint {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    busy: i32,
}

/// A page that was split or joined keeps copies of rows between its rows; only writing the whole file anew drops them.
fn write_anew(conn: &mut Conn) -> Result<()> {
    if let Conn::Sqlite(conn) = conn {
        conn.batch_execute("VACUUM")?;
    }
    Ok(())
}

fn empty_log(conn: &mut Conn) -> Result<bool> {
    match conn {
        Conn::Sqlite(conn) => {
            let outcome: Checkpoint =
                diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(conn)?;
            Ok(outcome.busy == 0)
        }
        Conn::Postgres(_) => Ok(true),
    }
}

fn pending(conn: &mut Conn) -> Result<usize> {
    // To look, diesel makes the table of its own where there is none: in a transaction that never ends well.
    begin(conn)?;
    let found = conn.pending_migrations(MIGRATIONS).map(|pending| pending.len());
    <Conn as Connection>::TransactionManager::rollback_transaction(conn)?;
    Ok(found.map_err(|cause| anyhow::anyhow!(cause))?)
}

fn make_folder(path: &Path) -> Result<()> {
    make_private_folder(path.parent().unwrap_or(Path::new(""))).map_err(Error::internal)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    log::spawn_blocking(work).await.map_err(Error::internal)?
}

fn with_slot<T>(pool: &Pool<Manager>, work: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
    let mut slot: PooledConnection<Manager> = pool.get().map_err(|_| Error::Busy)?;
    // Broken until proved whole: a panic, or a server that went away, must not hand it to the next one.
    slot.is_broken = true;
    let outcome = work(&mut slot.conn);
    slot.is_broken = matches!(outcome, Err(Error::Internal(_)));
    outcome
}

fn begin(conn: &mut Conn) -> Result<()> {
    match conn {
        Conn::Sqlite(conn) => AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE")?,
        Conn::Postgres(conn) => AnsiTransactionManager::begin_transaction(conn)?,
    }
    Ok(())
}

fn finish<T>(conn: &mut Conn, outcome: Result<T>) -> Result<T> {
    type Manager = <Conn as Connection>::TransactionManager;
    match outcome {
        Ok(value) => {
            Manager::commit_transaction(conn)?;
            Ok(value)
        }
        Err(error) => {
            Manager::rollback_transaction(conn)?;
            Err(error)
        }
    }
}

/// A pooled connection, and whether it may be used again.
pub struct Slot {
    conn: Conn,
    is_broken: bool,
}

struct Manager(DatabaseUrl);

impl ManageConnection for Manager {
    type Connection = Slot;
    type Error = ConnectionError;

    fn connect(&self) -> Result<Slot, ConnectionError> {
        let conn = match &self.0 {
            DatabaseUrl::Sqlite(path) => open_sqlite(path, "")?,
            DatabaseUrl::Postgres(url) => {
                let mut conn = PgConnection::establish(url)?;
                conn.batch_execute(
                    "SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'",
                )
                .map_err(ConnectionError::CouldntSetupConfiguration)?;
                Conn::Postgres(conn)
            }
        };
        Ok(Slot { conn, is_broken: false })
    }

    fn is_valid(&self, slot: &mut Slot) -> Result<(), ConnectionError> {
        slot.conn.batch_execute("SELECT 1").map_err(ConnectionError::CouldntSetupConfiguration)
    }

    fn has_broken(&self, slot: &mut Slot) -> bool {
        slot.is_broken
    }
}

/// FULL: a commit survives the loss of power, not only of the process. What is deleted is overwritten: a free page keeps
/// nobody's address. A connection keeps up to 16 MB of what it read since somebody else last committed. The file is not
/// mapped: with each commit SQLite would map it anew, and the next look-ups would fault it in page by page.
fn open_sqlite(path: &Path, more: &str) -> Result<Conn, ConnectionError> {
    let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
    let pragmas = format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA secure_delete = ON; PRAGMA cache_size = -16000; {more}",
        PATIENCE.as_millis()
    );
    conn.batch_execute(&pragmas).map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(Conn::Sqlite(conn))
}
