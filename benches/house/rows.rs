//! Tables with people in them, by SQL: a million sign-ups would take a weekend.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection,
    sql_types::Text,
};
use vestibule::{db::Conn, secret};

/// How many of the people visit their page.
pub const VISITORS: usize = 256;

/// Who lives in a database.
pub struct Rows {
    /// Addresses that sign in: none of a visitor, whose list would grow.
    pub people: Vec<String>,
    /// Session cookies of some of them.
    pub cookies: Vec<String>,
}

#[derive(QueryableByName)]
struct One {
    #[diesel(sql_type = Text)]
    value: String,
}

impl Rows {
    /// Copies the one person who is there, with the sessions, until there are `people`, each with `sessions` of them
    /// but the visitors, who have three.
    pub fn fill(database: &str, people: usize, sessions: usize) -> Self {
        let (mut conn, id) = match database.strip_prefix("sqlite://") {
            Some(path) => {
                (Conn::Sqlite(SqliteConnection::establish(path).unwrap()), "lower(hex(randomblob(16)))")
            }
            None => (
                Conn::Postgres(PgConnection::establish(database).unwrap()),
                "md5(random()::text || clock_timestamp()::text)",
            ),
        };
        if matches!(conn, Conn::Sqlite(_)) {
            conn.batch_execute(
                "PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; PRAGMA temp_store = MEMORY;",
            )
            .unwrap();
        }
        let secrets: Vec<String> = (0..VISITORS).map(|_| secret::random_text(32).unwrap()).collect();
        let digests: String = secrets
            .iter()
            .enumerate()
            .map(|(number, text)| {
                format!("{}({number}, '{}')", if number > 0 { "," } else { "" }, secret::digest(text))
            })
            .collect();
        // Whole rows are copied, then changed: a column that is added later comes along. The cookies are for the oldest
        // session, whose browser is the one that asks here.
        conn.batch_execute(&format!(
            "BEGIN;
             CREATE TEMP TABLE people AS
               WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {people})
               SELECT users.*, i FROM users, n WHERE email = 'template@example.com';
             UPDATE people SET id = {id};
             UPDATE people SET email = 'p' || id || '@example.com', email_normalized = 'p' || id || '@example.com',
               email_verified_at = created_at;
             CREATE TEMP TABLE devices AS
               WITH numbered AS (SELECT sessions.*, row_number() OVER (ORDER BY created_at) AS n FROM sessions)
               SELECT numbered.*, people.id AS whose, i FROM people, numbered
               WHERE n <= {sessions} OR i <= {VISITORS};
             UPDATE devices SET id = {id}, secret_hash = {id} || {id}, user_id = whose;
             CREATE TEMP TABLE digests (i INTEGER, digest TEXT);
             INSERT INTO digests VALUES {digests};
             UPDATE devices SET secret_hash = (SELECT digest FROM digests WHERE digests.i = devices.i - 1)
               WHERE n = 1 AND i <= {VISITORS};
             ALTER TABLE people DROP COLUMN i;
             ALTER TABLE devices DROP COLUMN i;
             ALTER TABLE devices DROP COLUMN n;
             ALTER TABLE devices DROP COLUMN whose;
             INSERT INTO users SELECT * FROM people ORDER BY id;
             INSERT INTO sessions SELECT * FROM devices ORDER BY id;
             COMMIT;"
        ))
        .unwrap();
        if matches!(conn, Conn::Postgres(_)) {
            // What its autovacuum would do in a while.
            conn.batch_execute("ANALYZE").unwrap();
        }
        let people = format!("SELECT email AS value FROM people LIMIT 10000 OFFSET {VISITORS}");
        let people: Vec<One> = diesel::sql_query(people).load(&mut conn).unwrap();
        Self {
            people: people.into_iter().map(|one| one.value).collect(),
            cookies: secrets.iter().map(|secret| format!("session={secret}")).collect(),
        }
    }
}

/// Commits to a SQLite file so many times a second that somebody else is active, until the other end of `until` is gone.
pub fn commit(database: &str, rate: u32, until: &Receiver<()>) {
    let mut conn = SqliteConnection::establish(database.trim_start_matches("sqlite://")).unwrap();
    conn.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA synchronous = NORMAL").unwrap();
    let touch = "UPDATE sessions SET last_active_at = strftime('%Y-%m-%d %H:%M:%f', 'now'), \
                 idle_expires_at = strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 day') \
                 WHERE user_id = (SELECT id FROM users WHERE email_normalized = 'template@example.com')";
    while until.recv_timeout(Duration::from_secs(1) / rate) == Err(RecvTimeoutError::Timeout) {
        conn.batch_execute(touch).unwrap();
    }
}
