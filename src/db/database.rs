//! The database of the house: its pool, its reads, and its writes.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use diesel::{
    connection::{AnsiTransactionManager, TransactionManager},
    prelude::*,
};

use super::{
    Conn, Tx,
    connect::{NoConnection, Target, file_number},
    files_beside::FilesBeside,
    pool::{Held, Pool},
    reader,
    readiness::Readiness,
    shrinking::{truncate_wal, write_anew},
    silence::Silence,
};
use crate::{
    clock::Timestamp,
    config::{Config, DatabaseUrl},
    error::{Error, Outage, Result},
    log::{self, Audited},
};

/// The database of the house.
#[derive(Clone)]
pub struct Database(pub(super) Arc<Inner>);

pub(crate) struct Inner {
    // SQLite: the one writer. PostgreSQL: everything.
    pub pool: Pool,
    // Tells this database's readers from another's on the same thread.
    number: u64,
    // Readers from before the file or the server was lost are not used any more.
    epoch: AtomicU64,
    // Another file lies in the place of the one that was opened.
    is_replaced: AtomicBool,
    beside: FilesBeside,
    pub silence: Silence,
    pub refused_at: Mutex<Option<Instant>>,
    pub readiness: Readiness,
}

impl Database {
    /// Opens the database; on SQLite the file and its folder are made where they are missing. What is wrong is one of
    /// DATABASE_URL's sentences.
    pub fn open(url: &DatabaseUrl, pool_size: u32, is_pooled: bool) -> Result<Self, NoConnection> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let target = Target::of(url, is_pooled);
        let first = target.connect_first()?;
        let (size, file) = match &target {
            Target::Sqlite(path) => {
                let file = file_number(path).map_err(|cause| NoConnection {
                    sentence: format!(
                        "DATABASE_URL: {} was removed just now ({cause}). Start again.",
                        path.display()
                    ),
                    may_come: false,
                })?;
                (1, Some(file))
            }
            Target::Postgres { .. } => (pool_size.max(1) as usize, None),
        };
        let beside = FilesBeside::of(&target, file)?;
        Ok(Self(Arc::new(Inner {
            beside,
            silence: Silence::default(),
            pool: Pool::new(target, file, size, first),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            epoch: AtomicU64::new(0),
            is_replaced: AtomicBool::new(false),
            refused_at: Mutex::new(None),
            readiness: Readiness::default(),
        })))
    }

    /// Looks whether the database lets somebody in, and goes again.
    pub(crate) fn try_connect(url: &DatabaseUrl, is_pooled: bool) -> Result<(), NoConnection> {
        Target::of(url, is_pooled).connect_first().map(drop)
    }

    /// A read: one connection. On SQLite what a request reads before it waits is of one moment; elsewhere each statement
    /// is of its own. Where the connection turns out to be broken, it is tried once more on a new one.
    pub(crate) async fn read<T, F>(&self, query: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut Conn) -> Result<T> + Send + 'static,
    {
        match self.0.pool.target() {
            Target::Sqlite(path) => {
                let epoch = self.0.epoch.load(Ordering::Acquire);
                let file = self.0.pool.file();
                match reader::read(self.0.number, epoch, path, file, &query) {
                    Err(Error::Unavailable(_)) => reader::read(self.0.number, epoch, path, file, &query),
                    outcome => outcome,
                }
            }
            Target::Postgres { .. } => {
                let read = self.blocking(move |inner| match inner.with_conn(&query) {
                    Err(Error::Unavailable(outage)) => {
                        tracing::debug!(cause = format!("{:#}", outage.cause), "reading once more");
                        inner.with_conn(&query)
                    }
                    outcome => outcome,
                });
                self.in_time(read).await
            }
        }
    }

    /// Runs a request, holding one read snapshot per poll of its future (SQLite only): what it reads after it waited or wrote is
    /// of a new one.
    pub async fn with_read_snapshot<F: Future>(&self, request: F) -> F::Output {
        let mut request = pin!(request);
        poll_fn(|context| reader::turn(self.0.number, || request.as_mut().poll(context))).await
    }

    /// Wipes what was deleted from the write-ahead log. `false` where somebody was reading just then: try again later. A
    /// PostgreSQL server looks after its files itself.
    pub async fn truncate_wal(&self) -> Result<bool> {
        self.blocking(|inner| inner.with_conn(truncate_wal)).await
    }

    /// Writes the whole SQLite file anew, so that nothing that was ever deleted is left in it, and empties the log. Nobody
    /// else writes meanwhile. `false` as in [`Database::truncate_wal`].
    pub async fn vacuum(&self) -> Result<bool> {
        self.blocking(|inner| inner.with_conn(|conn| write_anew(conn).and_then(|()| truncate_wal(conn))))
            .await
    }

    /// A write: all of it or none of it, at the moment `now`. Says whether an email was posted.
    pub(crate) async fn write<T, F>(
        &self,
        config: Arc<Config>,
        now: Timestamp,
        change: F,
    ) -> Result<(T, bool)>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx) -> Result<T> + Send + 'static,
    {
        reader::end_snapshot(self.0.number);
        let is_remote = matches!(self.0.pool.target(), Target::Postgres { .. });
        let write = self.blocking(move |inner| inner.write(&config, now, change));
        if is_remote { self.in_time(write).await } else { write.await }
    }

    /// The same on this thread, which waits: for what is written before anybody is served.
    pub(crate) fn write_blocking<T>(
        &self,
        config: &Config,
        now: Timestamp,
        change: impl FnOnce(&mut Tx) -> Result<T>,
    ) -> Result<T> {
        self.0.write(config, now, change).map(|(value, _)| value)
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let question = self.blocking(|inner| {
            inner.with_conn(|conn| Ok(diesel::sql_query("SELECT 1").execute(conn).map(drop)?))
        });
        self.0.silence.in_time(work, question).await
    }

    /// Work on the blocking pool, where it may wait.
    pub(crate) async fn blocking<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&Inner) -> Result<T> + Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        log::spawn_blocking(move || work(&inner)).await.map_err(Error::internal)?
    }
}

impl Inner {
    /// Work on a connection, which goes back only if it is whole.
    pub(super) fn with_conn<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        self.look_after_file()?;
        let mut held = self.pool.take()?;
        self.work_with(&mut held, work)
    }

    fn work_with<T>(&self, held: &mut Held, work: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let outcome = work(held);
        let outcome = match &**held {
            Conn::Sqlite(_) => outcome,
            Conn::Postgres(_) => outcome.map_err(Error::in_terms_of_postgres),
        };
        let is_closed =
            matches!(Manager::transaction_manager_status_mut(&mut **held).transaction_depth(), Ok(None));
        held.is_whole(is_closed && !matches!(outcome, Err(Error::Unavailable(_))));
        if matches!(&outcome, Err(Error::Unavailable(outage)) if outage.is_lost) {
            self.lose();
        }
        outcome
    }

    fn write<T>(
        &self,
        config: &Config,
        now: Timestamp,
        change: impl FnOnce(&mut Tx) -> Result<T>,
    ) -> Result<(T, bool)> {
        let written = self.with_transaction(|conn| {
            let mut tx = Tx { conn, now, config, has_mail: false, audited: Vec::new() };
            let outcome = change(&mut tx).map(|value| (value, tx.has_mail));
            let committed = finish(tx.conn, outcome)?;
            // Here and not where the write is waited for: that one may be gone, and this happened all the same.
            tx.audited.iter().for_each(Audited::write);
            Ok(committed)
        });
        self.note(&written);
        written
    }

    /// Work in a transaction that has begun, and that the work ends. What has not begun is begun once more on a new
    /// connection: this one may only have been idle while the server restarted. Nothing else is done twice.
    pub(crate) fn with_transaction<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        self.look_after_file()?;
        let mut held = self.pool.take()?;
        match self.work_with(&mut held, |conn| self.begin(conn)) {
            Err(Error::Unavailable(_)) => {
                // Given back first: on SQLite there is no other.
                drop(held);
                held = self.pool.take()?;
                self.work_with(&mut held, |conn| self.begin(conn))?;
            }
            begun => begun?,
        }
        self.work_with(&mut held, work)
    }

    pub(super) fn begin(&self, conn: &mut Conn) -> Result<()> {
        match (conn, self.pool.target()) {
            (Conn::Sqlite(conn), _) => {
                AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE")?
            }
            // What a session is told behind a pooler, another one's transactions are told too.
            (Conn::Postgres(conn), Target::Postgres { is_pooled: true, .. }) => {
                AnsiTransactionManager::begin_transaction_sql(
                    conn,
                    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '60s'",
                )?;
            }
            // Whatever the role's default is: who serialises breaks transactions off that these locks let wait.
            (Conn::Postgres(conn), _) => {
                AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN ISOLATION LEVEL READ COMMITTED")?
            }
        }
        Ok(())
    }

    /// Whether the file that was opened still lies in its place. Another one there is left alone until the program starts
    /// again: the log of the first lies beside it, and SQLite would take it for the log of the second.
    fn look_after_file(&self) -> Result<()> {
        let Target::Sqlite(path) = self.pool.target() else { return Ok(()) };
        let found = file_number(path).map_err(|cause| {
            Error::Unavailable(Outage::lost(format!("{} was moved or removed: {cause}", path.display())))
        })?;
        if Some(found) == self.pool.file() {
            let Some(name) = self.beside.replaced(path) else {
                self.is_replaced.store(false, Ordering::Relaxed);
                return Ok(());
            };
            if !self.is_replaced.swap(true, Ordering::Relaxed) {
                tracing::error!("{name} was removed or replaced while the program ran. Restart it");
            }
            return Err(Error::Unavailable(Outage::lost(format!("{name} was removed or replaced"))));
        }
        if !self.is_replaced.swap(true, Ordering::Relaxed) {
            let path = path.display();
            tracing::error!(
                "The database file was replaced while the program ran. Restart it; remove {path}-wal and {path}-shm \
                 first if the file came from a backup"
            );
        }
        // Those who read have the first one open still.
        self.lose();
        Err(Error::Unavailable(Outage::lost(format!("{} is another file now", path.display()))))
    }

    fn lose(&self) {
        self.epoch.fetch_add(1, Ordering::Release);
        self.pool.lose();
    }

    /// Remembers how a write ended.
    fn note<T>(&self, written: &Result<T>) {
        match written {
            Err(Error::Unavailable(_)) => {
                *self.refused_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
            Ok(_) => self.pool.trust(),
            Err(_) => {}
        }
    }
}

pub(crate) type Manager = <Conn as Connection>::TransactionManager;

pub(super) fn finish<T>(conn: &mut Conn, outcome: Result<T>) -> Result<T> {
    match outcome {
        Ok(value) => {
            Manager::commit_transaction(conn)?;
            Ok(value)
        }
        Err(error) => {
            // Where that fails too, the connection is not used again.
            let _ = Manager::rollback_transaction(conn);
            Err(error)
        }
    }
}
