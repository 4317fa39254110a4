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
        let mut conn = open(database);
        let id = match conn {
            Conn::Sqlite(_) => "lower(hex(randomblob(16)))",
            Conn::Postgres(_) => "md5(random()::text || clock_timestamp()::text)",
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

/// How many permissions the application's catalogue has, and roles its one organisation.
const PERMISSIONS: usize = 50;
const ROLES: usize = 20;

/// The short name of an organisation to which everybody belongs.
pub const ORGANISATION: &str = "acme";

/// Makes everybody a member of one organisation, with one of its own roles, of which each has half of the application's
/// permissions. Returns the names of all of these.
pub fn organise(database: &str) -> Vec<String> {
    let mut conn = open(database);
    let names: Vec<String> = (0..PERMISSIONS).map(|number| format!("things:do-{number}")).collect();
    let list = |rows: Vec<String>| rows.join(", ");
    let permissions = list(names.iter().map(|name| format!("('{name}', '{name}', '[]')")).collect());
    // Everybody's id begins with one of sixteen digits.
    let role = |number: usize| format!("role-{number:x}");
    let roles = (0..ROLES).map(role).map(|id| format!("('{id}', 'acme', '{id}', '{id}', CURRENT_TIMESTAMP)"));
    let roles = list(roles.collect());
    let held = (0..ROLES).flat_map(|number| {
        names.iter().step_by(2).map(move |name| format!("('{}', '{name}')", role(number)))
    });
    let held = list(held.collect());
    conn.batch_execute(&format!(
        "BEGIN;
         INSERT INTO organisations (id, name, slug, created_at) VALUES ('acme', 'Acme', '{ORGANISATION}', CURRENT_TIMESTAMP);
         INSERT INTO permissions (name, title, roles) VALUES {permissions};
         INSERT INTO roles (id, organisation_id, name, name_folded, created_at) VALUES {roles};
         INSERT INTO role_permissions (role_id, permission) VALUES {held};
         INSERT INTO memberships (organisation_id, user_id, role, created_at, role_id)
           SELECT 'acme', id, 'viewer', created_at, 'role-' || substr(id, 1, 1) FROM users;
         COMMIT;"
    ))
    .unwrap();
    if matches!(conn, Conn::Postgres(_)) {
        conn.batch_execute("ANALYZE").unwrap();
    }
    names
}

/// The host before which a proxy asks.
pub const PROTECTED: &str = "notes.localhost";

/// An API key of somebody who is there.
pub const KEY: &str = "vstp_000000000000000000000000000000003sK7nd";

/// Puts a gate before that host, and everybody in: the secret of a session is the one at the host as well. A second time it
/// changes nothing.
pub fn protect(database: &str) {
    let mut conn = open(database);
    conn.batch_execute(&format!(
        "BEGIN;
         INSERT INTO applications (id, kind, name, host, needs, settings, created_at)
           VALUES ('gate', 'gate', 'Notes', '{PROTECTED}', '{{}}', '{{\"takesKeys\": true}}', CURRENT_TIMESTAMP)
           ON CONFLICT DO NOTHING;
         INSERT INTO gate_sessions (hash, session_id, application_id, created_at, expires_at)
           SELECT secret_hash, id, 'gate', created_at, expires_at FROM sessions WHERE true ON CONFLICT DO NOTHING;
         INSERT INTO api_keys (id, user_id, made_by, name, hint, secret_hash, permissions, created_at, rolled_at, expiry_emails)
           SELECT 'key', id, id, 'Key', '0000', '{}', 'account:read', created_at, created_at, 0 FROM users
           WHERE email_verified_at IS NOT NULL ORDER BY id LIMIT 1 ON CONFLICT DO NOTHING;
         COMMIT;",
        secret::digest(KEY)
    ))
    .unwrap();
    if matches!(conn, Conn::Postgres(_)) {
        conn.batch_execute("ANALYZE").unwrap();
    }
}

fn open(database: &str) -> Conn {
    match database.strip_prefix("sqlite://") {
        Some(path) => Conn::Sqlite(SqliteConnection::establish(path).unwrap()),
        None => Conn::Postgres(PgConnection::establish(database).unwrap()),
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
