//! Which secret key the rows hang on: the canary that notices a wrong one, and the list of all that is sealed or keyed.
//!
//! A test walks the schema, so that no column is left out of [`ALL`] that a key sealed or keyed.

use std::collections::BTreeMap;

use diesel::{
    prelude::*,
    sql_types::{BigInt, Text},
};

use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::key_checks},
    error::Result,
    secret::Keys,
};

const CANARY: &str = "canary";

/// How a column hangs on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `keyid.sealed`, for this purpose: it can be sealed anew at any time.
    Sealed(&'static str),
    /// `keyid:hash`: it is made anew when its owner comes by.
    Keyed,
    /// Sealed text inside JSON, which ends by itself before long.
    Inside,
}

/// A column that hangs on a key.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its table.
    pub table: &'static str,
    /// Its name.
    pub name: &'static str,
    /// How it hangs on a key.
    pub form: Form,
    /// Which rows count, in SQL.
    live: &'static str,
    /// What a row is to an operator.
    pub what: &'static str,
}

const fn column(
    table: &'static str,
    name: &'static str,
    form: Form,
    live: &'static str,
    what: &'static str,
) -> Column {
    Column { table, name, form, live, what }
}

/// Every column that hangs on a key.
pub const ALL: &[Column] = &[
    column("users", "password_hash", Form::Keyed, "password_hash IS NOT NULL", "password(s)"),
    column("recovery_codes", "hash", Form::Keyed, "used_at IS NULL", "recovery code(s)"),
    column("totp", "sealed", Form::Sealed("totp"), "sealed IS NOT NULL", "authenticator app(s)"),
    column("totp_setups", "sealed", Form::Sealed("totp"), "sealed IS NOT NULL", "set-up(s) of an app"),
    column("service_keys", "sealed", Form::Sealed("service_key"), "sealed IS NOT NULL", "SAML key(s)"),
    column(
        "connections",
        "secret_sealed",
        Form::Sealed("oidc_client_secret"),
        "secret_sealed IS NOT NULL",
        "client secret(s)",
    ),
    column("signing_keys", "sealed", Form::Sealed("signing_key"), "sealed IS NOT NULL", "signing key(s)"),
    column(
        "refresh_tokens",
        "answer",
        Form::Sealed("refresh_answer"),
        "answer IS NOT NULL",
        "answer(s) to applications",
    ),
    column("attempts", "sealed", Form::Sealed("attempt"), "sealed IS NOT NULL", "SAML response(s)"),
    column("outbox", "sealed", Form::Sealed("letter"), "sealed IS NOT NULL", "email(s) that wait"),
    column(
        "security_changes",
        "sealed",
        Form::Sealed("security_change"),
        "sealed IS NOT NULL",
        "former address(es) and removed way(s) in",
    ),
    column(
        "sessions",
        "provider_session",
        Form::Sealed("sso_session"),
        "provider_session IS NOT NULL",
        "session(s) at identity providers",
    ),
    column("tokens", "claim", Form::Inside, "used_at IS NULL", "step(s) under way"),
    column("key_checks", "sealed", Form::Sealed(CANARY), "sealed IS NOT NULL", "canary"),
];

/// What hangs on a key: so many rows of each kind.
pub(crate) type Held = Vec<(&'static str, i64)>;

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// What hangs on which key, by the key's fingerprint; also on keys that are not configured, but for what is
/// [`Form::Inside`].
pub(crate) fn held(conn: &mut Conn, keys: &Keys) -> Result<BTreeMap<String, Held>> {
    let mut held: BTreeMap<String, Held> = BTreeMap::new();
    for column in ALL.iter().filter(|column| column.form != Form::Sealed(CANARY)) {
        let Column { table, name, live, what, .. } = column;
        let found: Vec<Found> = match column.form {
            Form::Inside => {
                let mut found = Vec::new();
                for (_, id) in keys.fingerprints() {
                    let query = format!(
                        "SELECT '{id}' AS key, count(*) AS n FROM {table} WHERE {live} AND {name} LIKE '%\"{id}.%'"
                    );
                    found.push(diesel::sql_query(query).get_result(conn)?);
                }
                found
            }
            Form::Sealed(_) | Form::Keyed => {
                let query = format!(
                    "SELECT substr({name}, 1, 8) AS key, count(*) AS n FROM {table} WHERE {live} GROUP BY 1"
                );
                diesel::sql_query(query).load(conn)?
            }
        };
        for Found { key, n } in found.into_iter().filter(|found| found.n > 0 && is_fingerprint(&found.key)) {
            held.entry(key).or_default().push((what, n));
        }
    }
    Ok(held)
}

fn is_fingerprint(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What the canary says of the configured keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Check {
    /// One of them is the key of this database.
    Fits,
    /// One of them is, or nothing hangs on any key yet; the canary is to be sealed with today's.
    ToSeal,
    /// None of them is. Holds the fingerprint of the key that is.
    Foreign(String),
}

/// Whether a configured key is the key of this database.
pub(crate) fn check(conn: &mut Conn, keys: &Keys) -> Result<Check> {
    let canary: Option<String> =
        key_checks::table.find(CANARY).select(key_checks::sealed).first(conn).optional()?;
    if let Some(sealed) = canary {
        return Ok(match keys.open(CANARY, &sealed) {
            Ok(_) if keys.is_outdated(&sealed) => Check::ToSeal,
            Ok(_) => Check::Fits,
            Err(_) => Check::Foreign(sealed.split('.').next().unwrap_or_default().to_owned()),
        });
    }
    // Rows from before there was a canary are one.
    let held = held(conn, keys)?;
    let is_ours = keys.fingerprints().any(|(_, id)| held.contains_key(id));
    Ok(match held.into_keys().next() {
        Some(foreign) if !is_ours => Check::Foreign(foreign),
        _ => Check::ToSeal,
    })
}

/// Seals the canary with today's key. Of many nodes at once one does; look with [`check`] again whose key it was.
pub(crate) fn seal_canary(tx: &mut Tx) -> Result<()> {
    let sealed = tx.config.keys.seal(CANARY, CANARY)?;
    let now = tx.now;
    let row = (key_checks::id.eq(CANARY), key_checks::sealed.eq(&sealed), key_checks::sealed_at.eq(now));
    let made =
        tx.allow_unique_violation(|conn| diesel::insert_into(key_checks::table).values(row).execute(conn))?;
    if made.is_none() {
        renew_column(tx, CANARY, "key_checks", "sealed", 1)?;
        let canary = key_checks::table.find(CANARY);
        diesel::update(canary).set(key_checks::sealed_at.eq(now)).execute(tx.conn)?;
    }
    Ok(())
}

/// Since when today's key is in use, where that is known: the key of a database from before it was noted may be older.
pub(crate) fn in_use_since(conn: &mut Conn) -> Result<Option<Timestamp>> {
    let canary = key_checks::table.find(CANARY).select(key_checks::sealed_at);
    Ok(canary.first::<Option<Timestamp>>(conn).optional()?.flatten())
}

#[derive(QueryableByName)]
struct Sealed {
    #[diesel(sql_type = Text)]
    sealed: String,
}

/// Seals up to `most` texts of each kind anew that a previous key sealed. Returns how many that was.
pub(crate) fn renew(tx: &mut Tx, most: i64) -> Result<usize> {
    let mut renewed = 0;
    for column in ALL {
        if let Form::Sealed(purpose) = column.form {
            renewed += renew_column(tx, purpose, column.table, column.name, most)?;
        }
    }
    Ok(renewed)
}

fn renew_column(tx: &mut Tx, purpose: &str, table: &str, name: &str, most: i64) -> Result<usize> {
    let keys = &tx.config.keys;
    let mut renewed = 0;
    for (_, id) in keys.fingerprints().filter(|(_, id)| keys.is_previous(id)) {
        let query = format!("SELECT {name} AS sealed FROM {table} WHERE {name} LIKE '{id}.%' LIMIT {most}");
        for Sealed { sealed } in diesel::sql_query(query).load::<Sealed>(tx.conn)? {
            // What does not open any more stays as it is: whoever needs it is told so.
            let Ok(text) = keys.open(purpose, &sealed) else { continue };
            let text = keys.seal(purpose, &text)?;
            renewed += replace(tx.conn, table, name, &sealed, &text)?;
        }
    }
    Ok(renewed)
}

/// No two sealed texts are alike, so the text itself names its row; one that changed meanwhile stays as it is.
fn replace(conn: &mut Conn, table: &str, name: &str, old: &str, new: &str) -> Result<usize> {
    let (first, second) = match conn {
        Conn::Sqlite(_) => ("?", "?"),
        Conn::Postgres(_) => ("$1", "$2"),
    };
    let update = diesel::sql_query(format!("UPDATE {table} SET {name} = {first} WHERE {name} = {second}"));
    Ok(update.bind::<Text, _>(new).bind::<Text, _>(old).execute(conn)?)
}
