//! Rows: SQLite in a file or PostgreSQL on a server, behind the same `read` and `write`.
//!
//! A read on SQLite stays on the thread that asks, with a connection of that thread's own: a point look-up
//! costs less than the hop to another thread. Writes, and everything on PostgreSQL, run on the blocking pool.
//! This is the only module that asks which database it is.
//!
//! How SQLite itself is built stands in `.cargo/config.toml`. Whoever builds this crate from elsewhere gives the same
//! `LIBSQLITE3_FLAGS`; without them all is as right, and slower.

mod audit_guard;
mod conn;
mod connect;
mod database;
mod files_beside;
mod migrating;
mod pool;
mod probe;
mod reader;
mod readiness;
#[expect(missing_docs, reason = "the tables are described in the migrations")]
pub mod schema;
mod shrinking;
mod silence;
mod tx;
mod versions;

pub(crate) use self::versions::Standing;
pub use self::{conn::Conn, database::Database, tx::Tx};
