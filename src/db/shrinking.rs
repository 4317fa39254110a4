//! What is left of removed rows in SQLite's files goes.

use diesel::{connection::SimpleConnection, prelude::*};

use super::Conn;
use crate::error::Result;

#[derive(QueryableByName)]
struct Checkpoint {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    busy: i32,
}

/// A page that was split or joined keeps copies of rows between its rows; only writing the whole file anew drops them.
pub(super) fn write_anew(conn: &mut Conn) -> Result<()> {
    if let Conn::Sqlite(conn) = conn {
        conn.batch_execute("VACUUM")?;
    }
    Ok(())
}

/// Writes what the log holds into the file and empties the log. `false` where somebody still reads from it.
pub(super) fn truncate_wal(conn: &mut Conn) -> Result<bool> {
    match conn {
        Conn::Sqlite(conn) => {
            let outcome: Checkpoint =
                diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(conn)?;
            Ok(outcome.busy == 0)
        }
        Conn::Postgres(_) => Ok(true),
    }
}
