//! One connection type for two databases, chosen at run time.

use diesel::{
    deserialize::{self, FromSql},
    prelude::*,
    serialize::{self, IsNull, Output, ToSql},
    sql_types,
};

use crate::clock::Timestamp;

/// A connection to SQLite or to PostgreSQL.
#[derive(diesel::MultiConnection)]
pub enum Conn {
    /// SQLite.
    Sqlite(SqliteConnection),
    /// PostgreSQL.
    Postgres(PgConnection),
}

type Either = <Conn as Connection>::Backend;

impl FromSql<sql_types::Timestamp, Either> for Timestamp {
    fn from_sql(raw: <Either as diesel::backend::Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        raw.from_sql::<Self, sql_types::Timestamp>()
    }
}

impl ToSql<sql_types::Timestamp, Either> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Either>) -> serialize::Result {
        out.set_value((sql_types::Timestamp, self));
        Ok(IsNull::No)
    }
}

/// Runs a query on the connection that there is: `direct!(conn => query.load(conn))`.
///
/// Through [`Conn`] itself diesel spells a query twice each time, prepared or not; here it takes the prepared one. For
/// the two or three queries that every page asks: nowhere else does it show.
#[macro_export]
macro_rules! direct {
    ($conn:ident => $query:expr) => {
        match $conn {
            $crate::db::Conn::Sqlite($conn) => $query,
            $crate::db::Conn::Postgres($conn) => $query,
        }
    };
}
