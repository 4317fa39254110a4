//! The schema and the program: which migrations the database has, which this program has, and who brought them in.
//!
//! To look, diesel makes a table of its own where there is none. Here nothing is made: a role that may not make tables may
//! look as well.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{
    migration::{Migration, MigrationSource},
    prelude::*,
    sql_types::{BigInt, Bool, Text},
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Conn, audit_guard, schema::schema_versions};
use crate::error::{READ_ONLY_ADVICE, Result};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// How the schema of a database and this program stand to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whether no migration ever ran: the database is new.
    pub is_empty: bool,
    /// Migrations that the program has and the database has not.
    pub pending: usize,
    /// What is to be said where the database has migrations that the program does not know: a newer program was here.
    pub too_new: Option<String>,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Compares both ways. Nothing is changed.
pub(crate) fn standing(conn: &mut Conn) -> Result<Standing> {
    let (applied, known) = (applied(conn)?, known()?);
    let unknown: Vec<&String> = applied.difference(&known).collect();
    let too_new = match unknown.last() {
        None => None,
        Some(newest) => Some(too_new(newest, &programs(conn)?, &unknown)),
    };
    Ok(Standing { is_empty: applied.is_empty(), pending: known.difference(&applied).count(), too_new })
}

/// Runs the migrations that wait, and notes who did. The caller holds the transaction, and lets one node in at a time.
pub(crate) fn run(conn: &mut Conn) -> Result<usize> {
    let standing = standing(conn)?;
    if let Some(sentence) = standing.too_new {
        return Err(anyhow::anyhow!(sentence).into());
    }
    if standing.pending == 0 {
        return Ok(0);
    }
    if let Conn::Postgres(_) = conn
        && let Some(sentence) = obstacle(conn)?
    {
        return Err(anyhow::anyhow!(sentence).into());
    }
    let ran = conn.run_pending_migrations(MIGRATIONS).map_err(|cause| anyhow::anyhow!(cause))?.len();
    let noted: BTreeSet<String> = programs(conn)?.into_keys().collect();
    for migration in applied(conn)?.difference(&noted) {
        diesel::insert_into(schema_versions::table)
            .values((schema_versions::migration.eq(migration), schema_versions::program.eq(PROGRAM)))
            .execute(conn)?;
    }
    audit_guard::put(conn)?;
    Ok(ran)
}

/// Where tables would be made on PostgreSQL, and whether they can be.
#[derive(QueryableByName)]
struct Ground {
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Text)]
    search_path: String,
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Bool)]
    is_ours: bool,
    #[diesel(sql_type = Bool)]
    is_read_only: bool,
}

/// What keeps tables from being made, and what to change. PostgreSQL's own words name no setting, and may be of another
/// language.
fn obstacle(conn: &mut Conn) -> Result<Option<String>> {
    let ground = diesel::sql_query(
        "SELECT current_user::text AS role, current_setting('search_path') AS search_path, \
         coalesce(current_schema()::text, '') AS schema, \
         coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS is_ours, \
         current_setting('transaction_read_only') = 'on' AS is_read_only",
    );
    let Ground { role, search_path, schema, is_ours, is_read_only } = ground.get_result(conn)?;
    Ok(match (schema.as_str(), is_ours) {
        _ if is_read_only => Some(format!("{READ_ONLY_ADVICE}. Name the primary, or set it to off.")),
        ("", _) => Some(format!(
            "DATABASE_URL: its search_path is `{search_path}`, which names no schema that is there and that the role {role} \
             may use. Make one with CREATE SCHEMA, or name another where it is set: in DATABASE_URL (options), or by ALTER ROLE \
             or ALTER DATABASE."
        )),
        (_, false) => Some(format!(
            "DATABASE_URL: the role {role} may not make tables in the schema {schema}. Run GRANT CREATE ON SCHEMA {schema} TO \
             {role}, or run `vestibule migrate` as a role that may, and set MIGRATE=off here."
        )),
        _ => None,
    })
}

fn known() -> Result<BTreeSet<String>> {
    let all: Vec<Box<dyn Migration<<Conn as Connection>::Backend>>> =
        MIGRATIONS.migrations().map_err(|cause| anyhow::anyhow!(cause))?;
    Ok(all.iter().map(|migration| migration.name().version().to_string()).collect())
}

fn applied(conn: &mut Conn) -> Result<BTreeSet<String>> {
    if !has_table(conn, "__diesel_schema_migrations")? {
        return Ok(BTreeSet::new());
    }
    let rows: Vec<Version> =
        diesel::sql_query("SELECT version AS version FROM __diesel_schema_migrations").load(conn)?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// Migration → the program that brought it in, as far as that was noted.
fn programs(conn: &mut Conn) -> Result<BTreeMap<String, String>> {
    if !has_table(conn, "schema_versions")? {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(String, String)> = schema_versions::table.load(conn)?;
    Ok(rows.into_iter().collect())
}

fn has_table(conn: &mut Conn, name: &str) -> Result<bool> {
    let query = match conn {
        Conn::Sqlite(_) => "SELECT count(*) AS n FROM sqlite_master WHERE type = 'table' AND name = ",
        Conn::Postgres(_) => "SELECT count(*) AS n FROM pg_catalog.pg_class WHERE oid = to_regclass",
    };
    let found: Count = diesel::sql_query(format!("{query}('{name}')")).get_result(conn)?;
    Ok(found.n > 0)
}

fn too_new(newest: &str, programs: &BTreeMap<String, String>, unknown: &[&String]) -> String {
    let brought_by = unknown.iter().filter_map(|migration| programs.get(*migration));
    let newest_program = brought_by.max_by_key(|program| numbers(program));
    let (who, start) = match newest_program {
        Some(program) if program != PROGRAM => {
            (format!("version {program}"), format!("version {program} or a newer one"))
        }
        _ => ("a newer build".to_owned(), "the build that was here last".to_owned()),
    };
    format!(
        "the database was brought up to migration {newest} by {who} of vestibule, and this is version {PROGRAM}, which \
         does not know it. Start {start}, or restore the backup from before it"
    )
}

/// `1.10.2` → numbers that compare as versions do.
fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_may_start_is_the_newest_that_brought_in_what_is_not_known() {
        let programs = [("1", "0.1.0"), ("2", "9.9.1"), ("3", "9.10.0"), ("4", "9.2.0"), ("5", PROGRAM)];
        let programs = programs.map(|(migration, program)| (migration.to_owned(), program.to_owned())).into();
        for (unknown, may_start) in [
            (&["2"][..], "Start version 9.9.1 or a newer one"),
            (&["2", "3", "4"], "Start version 9.10.0 or a newer one"),
            (&["2", "7"], "Start version 9.9.1 or a newer one"),
            (&["7"], "Start the build that was here last"),
            (&["5"], "Start the build that was here last"),
        ] {
            let unknown: Vec<String> = unknown.iter().map(|one| (*one).to_owned()).collect();
            let unknown: Vec<&String> = unknown.iter().collect();
            let message = too_new(unknown.last().unwrap(), &programs, &unknown);
            assert!(message.contains(may_start), "{unknown:?}: {message}");
        }
    }
}
