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

use diesel::connection::SimpleConnection;

use super::{Conn, open_sqlite};
use crate::error::{Error, Result};

thread_local! {
    static READERS: RefCell<HashMap<u64, Reader>> = RefCell::default();
    // The database whose request has its turn on this thread.
    static TURN: Cell<Option<u64>> = const { Cell::new(None) };
}

struct Reader {
    conn: Conn,
    has_snapshot: bool,
}

/// Reads on this thread, and in the snapshot of the request that has its turn.
pub fn read<T>(database: u64, path: &Path, query: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
    // Taken out while in use: a reader that fails or panics is not put back.
    let held = READERS.with_borrow_mut(|readers| readers.remove(&database));
    let mut reader = match held {
        Some(reader) => reader,
        None => Reader {
            conn: open_sqlite(path, "PRAGMA query_only = ON;").map_err(Error::internal)?,
            has_snapshot: false,
        },
    };
    if TURN.get() == Some(database) && !reader.has_snapshot {
        reader.conn.batch_execute("BEGIN")?;
        reader.has_snapshot = true;
    }
    let outcome = query(&mut reader.conn);
    if !matches!(outcome, Err(Error::Internal(_))) {
        READERS.with_borrow_mut(|readers| readers.insert(database, reader));
    }
    outcome
}

/// Runs `poll` as the turn of a request.
pub fn turn<T>(database: u64, poll: impl FnOnce() -> T) -> T {
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
pub fn end_snapshot(database: u64) {
    READERS.with_borrow_mut(|readers| {
        if let Some(reader) = readers.get_mut(&database).filter(|reader| reader.has_snapshot) {
            reader.has_snapshot = false;
            if reader.conn.batch_execute("COMMIT").is_err() {
                readers.remove(&database);
            }
        }
    });
}
