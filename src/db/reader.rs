//! SQLite's readers: each thread that asks has a connection of its own.
//!
//! Each statement takes SQLite's locks and gives them back, and the threads of a process stand in line for that. So a
//! request reads from one snapshot as long as it does not wait: half the locks of a page. Never longer: whatever
//! another request changed by the time a request has its next turn, it sees.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    path::Path,
};

use diesel::{
    QueryResult, RunQueryDsl, SqliteConnection,
    query_builder::{AstPass, QueryFragment, QueryId},
    sqlite::Sqlite,
};

use super::{
    Conn,
    connect::{FileNumber, open_sqlite},
};
use crate::error::{Error, Result};

thread_local! {
    static READERS: RefCell<HashMap<u64, Reader>> = RefCell::default();
    // The database whose request has its turn on this thread.
    static TURN: Cell<Option<u64>> = const { Cell::new(None) };
}

/// A statement without anything to fill in, which a reader prepares once: parsing two for each page was seen.
struct Fixed(&'static str);

// Found by its text.
impl QueryId for Fixed {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Sqlite> for Fixed {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(self.0);
        Ok(())
    }
}

impl RunQueryDsl<SqliteConnection> for Fixed {}

struct Reader {
    conn: Conn,
    epoch: u64,
    has_snapshot: bool,
}

/// Reads on this thread, and in the snapshot of the request that has its turn. A reader of another epoch is not used, and
/// another `file` is not opened.
pub(crate) fn read<T>(
    database: u64,
    epoch: u64,
    path: &Path,
    file: Option<FileNumber>,
    query: impl FnOnce(&mut Conn) -> Result<T>,
) -> Result<T> {
    // Taken out while in use: a reader that fails or panics is not put back.
    let held = READERS.with_borrow_mut(|readers| readers.remove(&database));
    let mut reader = match held.filter(|reader| reader.epoch == epoch) {
        Some(reader) => reader,
        None => {
            let conn = open_sqlite(path, "rw", "PRAGMA query_only = ON;", file)?;
            Reader { conn, epoch, has_snapshot: false }
        }
    };
    if TURN.get() == Some(database) && !reader.has_snapshot {
        run(Fixed("BEGIN"), &mut reader.conn)?;
        reader.has_snapshot = true;
    }
    let outcome = query(&mut reader.conn);
    if !matches!(outcome, Err(Error::Internal(_) | Error::Unavailable(_))) {
        READERS.with_borrow_mut(|readers| readers.insert(database, reader));
    }
    outcome
}

/// Runs `poll` as the turn of a request.
pub(crate) fn turn<T>(database: u64, poll: impl FnOnce() -> T) -> T {
    struct Turn(u64);

    impl Drop for Turn {
        fn drop(&mut self) {
            TURN.set(None);
            end_snapshot(self.0);
        }
    }

    TURN.set(Some(database));
    let _turn = Turn(database);
    poll()
}

/// Lets go of what this thread reads from; the next read sees what is there by then.
pub(crate) fn end_snapshot(database: u64) {
    READERS.with_borrow_mut(|readers| {
        if let Some(reader) = readers.get_mut(&database).filter(|reader| reader.has_snapshot) {
            reader.has_snapshot = false;
            if run(Fixed("COMMIT"), &mut reader.conn).is_err() {
                readers.remove(&database);
            }
        }
    });
}

fn run(statement: Fixed, conn: &mut Conn) -> QueryResult<usize> {
    match conn {
        Conn::Sqlite(conn) => statement.execute(conn),
        Conn::Postgres(_) => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use diesel::{
        Connection, SqliteConnection,
        connection::SimpleConnection,
        prelude::*,
        sql_types::{Integer, Text},
    };

    use super::*;

    /// A database of its own for each test, whose one number somebody else writes.
    struct Shelf {
        path: tempfile::TempPath,
        writer: SqliteConnection,
        number: u64,
    }

    impl Shelf {
        fn new(number: u64) -> Self {
            let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
            let mut writer = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
            writer
                .batch_execute(
                    "PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (0)",
                )
                .unwrap();
            Self { path, writer, number }
        }

        fn write(&mut self) {
            self.writer.batch_execute("UPDATE t SET n = n + 1").unwrap();
        }

        fn read(&self) -> i32 {
            read(self.number, 0, &self.path, None, |conn| {
                Ok(diesel::select(diesel::dsl::sql::<Integer>("n FROM t")).get_result(conn)?)
            })
            .unwrap()
        }
    }

    #[test]
    fn a_turn_reads_one_moment_and_the_next_one_a_later_one() {
        let mut shelf = Shelf::new(1_001);
        let seen = turn(1_001, || {
            let before = shelf.read();
            shelf.write();
            let meanwhile = shelf.read();
            end_snapshot(1_001);
            [before, meanwhile, shelf.read()]
        });
        assert_eq!(seen, [0, 0, 1]);
        shelf.write();
        assert_eq!(turn(1_001, || shelf.read()), 2);
        shelf.write();
        assert_eq!(shelf.read(), 3, "outside of a turn");
        shelf.write();
        assert_eq!(shelf.read(), 4, "nothing is held");
    }

    /// As `.cargo/config.toml` says. Nothing fails without it, but readers stand in line for each other's memory.
    #[test]
    fn sqlite_is_built_for_readers_that_share_no_memory() {
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        let options = diesel::dsl::sql::<Text>("compile_options FROM pragma_compile_options");
        let options: Vec<String> = diesel::select(options).load(&mut conn).unwrap();
        for (option, is_set) in
            [("THREADSAFE=2", true), ("DEFAULT_MEMSTATUS=0", true), ("ENABLE_MEMORY_MANAGEMENT", false)]
        {
            assert_eq!(options.iter().any(|found| found == option), is_set, "{option} in {options:?}");
        }
    }

    #[test]
    fn a_turn_that_fails_or_panics_leaves_nothing_behind() {
        let mut shelf = Shelf::new(1_002);
        let fails = |conn: &mut Conn| Ok(conn.batch_execute("SELECT nothing FROM nowhere")?);
        turn(1_002, || {
            assert_eq!(shelf.read(), 0);
            read(1_002, 0, &shelf.path, None, fails).unwrap_err();
        });
        shelf.write();
        assert_eq!(turn(1_002, || shelf.read()), 1);
        let panics = AssertUnwindSafe(|| {
            turn(1_002, || {
                shelf.read();
                panic!("in the middle of a request");
            });
        });
        catch_unwind(panics).unwrap_err();
        shelf.write();
        assert_eq!(turn(1_002, || shelf.read()), 2);
    }
}
